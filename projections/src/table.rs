//! The SQL of a keyed model's table, generated from its columns: one text for both engines.

use std::{panic::AssertUnwindSafe, sync::Arc};

use infrastructure::read_store::{Cost, Query, RawValue, ReadStoreError, Row, Statement, Value, canonical_json};
use quick_cache::sync::Cache;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3Default;

use crate::{KeyedFold, SideKind, SideTable};

/// How many rows of the latest changes are kept in memory: most questions are about what has just changed.
const HOT_ROWS_MAX: usize = 16_384;
/// How many rows one query loads by key.
pub(crate) const LOAD_KEYS: usize = 32;

/// The statements of one generation's table.
#[derive(Clone, Debug)]
pub(crate) struct TableSql {
    /// The table's full name.
    pub(crate) name: Arc<str>,
    /// The columns, comma-separated, in the model's order.
    pub(crate) columns: Arc<str>,
    upsert: Arc<str>,
    delete: Arc<str>,
    load_one: Arc<str>,
    load_some: Arc<str>,
    key: &'static str,
    /// The tables beside it; none over a generation of another version.
    sides: Arc<[SideSql]>,
}

/// The statements of a side table of one generation.
#[derive(Debug)]
pub(crate) struct SideSql {
    /// Its name, after the generation's.
    name: &'static str,
    /// Its full name.
    full_name: String,
    insert: Arc<str>,
    look: Arc<str>,
}

impl SideSql {
    fn new<M: KeyedFold>(side: &SideTable, generation: i64) -> Self {
        let full_name = side_name(M::NAME, generation, side);
        let names: Vec<&str> = side.columns.iter().map(|(name, _)| *name).collect();
        let columns = names.join(", ");
        let once = match side.kind {
            SideKind::Entries => String::new(),
            SideKind::Set => format!(" ON CONFLICT ({columns}) DO NOTHING"),
        };
        let is_it: Vec<String> = (1..).zip(&names).map(|(number, name)| format!("{name} = ${number}")).collect();
        Self {
            name: side.name,
            insert: format!("INSERT INTO {full_name} ({columns}) VALUES ({}){once}", numbered(names.len())).into(),
            look: format!("SELECT 1 FROM {full_name} WHERE {} LIMIT 1", is_it.join(" AND ")).into(),
            full_name,
        }
    }

    /// Writes these.
    pub(crate) fn insert(&self, rows: Vec<Vec<Value>>) -> Statement {
        Statement::each(Arc::clone(&self.insert), rows)
    }

    /// A row if this is there.
    pub(crate) fn look(&self, row: &[Value]) -> Query {
        Query { sql: Arc::clone(&self.look), params: row.to_vec(), cost: Cost::Point }
    }
}

impl TableSql {
    pub(crate) fn new<M: KeyedFold>(generation: i64) -> Self {
        let sides = M::SIDES.iter().map(|side| SideSql::new::<M>(side, generation)).collect();
        Self { sides, ..Self::reading::<M>(table_name(M::NAME, generation).into()) }
    }

    /// The statements over a generation of another version, if its columns suffice: only those that read make sense.
    /// What is missing is read as what stands in for it.
    pub(crate) fn frozen<M: KeyedFold>(generation: i64, form: &str) -> Option<Self> {
        let there: Vec<&str> = form.split(", ").collect();
        let mut columns = Vec::new();
        for (name, kind) in M::COLUMNS {
            if there.contains(&format!("{name} {kind}").as_str()) {
                columns.push((*name).to_owned());
            } else if let Some(expression) = M::stand_in(name) {
                columns.push(format!("{expression} AS {name}"));
            } else if kind.contains("NOT NULL") || there.iter().any(|column| column.split(' ').next() == Some(*name)) {
                return None;
            } else {
                let kind = kind.split(' ').next().unwrap_or_default();
                columns.push(format!("CAST(NULL AS {kind}) AS {name}"));
            }
        }
        let table = table_name(M::NAME, generation);
        Some(Self::reading::<M>(format!("(SELECT {} FROM {table}) AS {table}", columns.join(", ")).into()))
    }

    fn reading<M: KeyedFold>(name: Arc<str>) -> Self {
        let names: Vec<&str> = M::COLUMNS.iter().map(|(name, _)| *name).collect();
        let (key, rest) = names.split_first().expect("a model has at least its key");
        let columns = names.join(", ");
        let placeholders = numbered(names.len());
        let updates: Vec<String> = rest.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let on_conflict =
            if updates.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", updates.join(", ")) };
        Self {
            upsert: format!(
                "INSERT INTO {name} ({columns}) VALUES ({placeholders}) ON CONFLICT ({key}) DO {on_conflict}"
            )
            .into(),
            delete: format!("DELETE FROM {name} WHERE {key} = $1").into(),
            load_one: format!("SELECT {columns} FROM {name} WHERE {key} = $1").into(),
            load_some: format!("SELECT {columns} FROM {name} WHERE {key} IN ({})", numbered(LOAD_KEYS)).into(),
            columns: columns.into(),
            name,
            key,
            sides: Arc::new([]),
        }
    }

    /// The full name of a side table; none over a generation of another version, which may have others.
    pub(crate) fn side(&self, name: &str) -> Option<&str> {
        self.sides.iter().find(|side| side.name == name).map(|side| side.full_name.as_str())
    }

    /// The side tables, in the model's order.
    pub(crate) fn sides(&self) -> &[SideSql] {
        &self.sides
    }

    /// Writes what stands beside rows, table by table.
    pub(crate) fn insert_beside(&self, rows: Vec<Vec<Vec<Value>>>) -> impl Iterator<Item = Statement> {
        let written = self.sides.iter().zip(rows).filter(|(_, rows)| !rows.is_empty());
        written.map(|(side, rows)| side.insert(rows))
    }

    /// A part of all rows, by key: at most `limit` after this key.
    pub(crate) fn scan(&self, after: Option<Uuid>, limit: usize) -> Query {
        let Self { columns, name, key, .. } = self;
        let (condition, params) = match after {
            Some(after) => (format!("WHERE {key} > $1 "), vec![Value::Uuid(after)]),
            None => (String::new(), vec![]),
        };
        let sql = format!("SELECT {columns} FROM {name} {condition}ORDER BY {key} LIMIT {limit}");
        Query { sql: sql.into(), params, cost: Cost::Scan }
    }

    /// The first or last key.
    pub(crate) fn end(&self, is_last: bool) -> Query {
        let Self { name, key, .. } = self;
        let direction = if is_last { "DESC" } else { "ASC" };
        let sql = format!("SELECT {key} FROM {name} ORDER BY {key} {direction} LIMIT 1");
        Query { sql: sql.into(), params: vec![], cost: Cost::Point }
    }

    /// The row with this key.
    pub(crate) fn load(&self, key: Uuid) -> Query {
        Query { sql: Arc::clone(&self.load_one), params: vec![Value::Uuid(key)], cost: Cost::Point }
    }

    /// The rows with these keys, in a few queries.
    pub(crate) fn load_all<'a>(&'a self, keys: &'a [Uuid]) -> impl Iterator<Item = Query> + 'a {
        keys.chunks(LOAD_KEYS).map(|keys| self.load_some(keys))
    }

    /// The rows with these keys, at most [`LOAD_KEYS`].
    pub(crate) fn load_some(&self, keys: &[Uuid]) -> Query {
        if let [key] = keys {
            return self.load(*key);
        }
        // A fixed number of keys keeps it one prepared statement; repeating one is harmless.
        let last = keys.last().copied().unwrap_or_default();
        let keys = keys.iter().copied().chain(std::iter::repeat(last)).take(LOAD_KEYS);
        Query { sql: Arc::clone(&self.load_some), params: keys.map(Value::Uuid).collect(), cost: Cost::Point }
    }

    /// Writes these rows, old or new. Their JSON is canonical, because a store need not keep its text: another one would
    /// be read back, and the checksums would not agree.
    pub(crate) fn upsert(&self, rows: Vec<Vec<Value>>) -> Statement {
        debug_assert!(
            rows.iter().flatten().all(is_canonical),
            "{} writes JSON in another form than `canonical_json` gives: sort the fields by their names",
            self.name
        );
        Statement::each(Arc::clone(&self.upsert), rows)
    }

    /// Removes the rows with these keys.
    pub(crate) fn delete(&self, keys: &[Uuid]) -> Statement {
        Statement::each(Arc::clone(&self.delete), keys.iter().map(|key| vec![Value::Uuid(*key)]).collect())
    }
}

fn is_canonical(value: &Value) -> bool {
    match value {
        Value::Json(json) => canonical_json(json).is_ok_and(|canonical| canonical == *json),
        Value::Null | Value::Int(_) | Value::Text(_) | Value::Uuid(_) | Value::Timestamp(_) => true,
    }
}

/// A generation that queries read: its statements, and its hot rows.
///
/// The worker writes a row here after the transaction that writes it, and before anybody is told of the position. Nobody
/// else puts rows in, so a row here is never older than the table's.
#[derive(Debug)]
pub(crate) struct Serving<M: KeyedFold> {
    pub(crate) generation: i64,
    pub(crate) sql: TableSql,
    pub(crate) hot: Cache<Uuid, M::Row>,
}

impl<M: KeyedFold> Serving<M> {
    pub(crate) fn new(generation: i64) -> Self {
        Self::of(generation, TableSql::new::<M>(generation))
    }

    pub(crate) fn of(generation: i64, sql: TableSql) -> Self {
        Self { generation, sql, hot: Cache::new(HOT_ROWS_MAX) }
    }
}

/// The statement that creates the table. Indexes come later, see [`create_indexes`].
pub(crate) fn create_table<M: KeyedFold>(generation: i64) -> Statement {
    let columns: Vec<String> = M::COLUMNS
        .iter()
        .enumerate()
        .map(|(index, (name, kind))| format!("{name} {kind}{}", if index == 0 { " PRIMARY KEY" } else { "" }))
        .collect();
    let name = table_name(M::NAME, generation);
    Statement::once(format!("CREATE TABLE IF NOT EXISTS {name} ({})", columns.join(", ")), vec![])
}

/// The statements that create the tables beside it.
pub(crate) fn create_sides<M: KeyedFold>(generation: i64) -> impl Iterator<Item = Statement> {
    M::SIDES.iter().map(move |side| {
        let mut parts: Vec<String> = side.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        match side.kind {
            SideKind::Entries => {}
            SideKind::Set => parts.push(format!("PRIMARY KEY ({})", names_of(side))),
        }
        let name = side_name(M::NAME, generation, side);
        Statement::once(format!("CREATE TABLE IF NOT EXISTS {name} ({})", parts.join(", ")), vec![])
    })
}

fn names_of(side: &SideTable) -> String {
    side.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The full names of all tables of a generation.
pub(crate) fn table_names<M: KeyedFold>(generation: i64) -> Vec<String> {
    let sides = M::SIDES.iter().map(|side| side_name(M::NAME, generation, side));
    std::iter::once(table_name(M::NAME, generation)).chain(sides).collect()
}

/// The statements that index the tables. A rebuild runs them after the bulk of the rows: sorting once is cheaper than
/// keeping a tree for each of them in order.
pub(crate) fn create_indexes<M: KeyedFold>(generation: i64) -> Vec<Statement> {
    let name = table_name(M::NAME, generation);
    let indexes = M::INDEXES.iter().enumerate().map(|(index, columns)| {
        Statement::once(format!("CREATE INDEX IF NOT EXISTS {name}_i{index} ON {name} ({columns})"), vec![])
    });
    let beside = M::SIDES.iter().filter(|side| side.kind == SideKind::Entries).map(|side| {
        let (name, columns) = (side_name(M::NAME, generation, side), names_of(side));
        Statement::once(format!("CREATE INDEX IF NOT EXISTS {name}_i ON {name} ({columns})"), vec![])
    });
    indexes.chain(beside).collect()
}

/// How many rows a table has.
pub(crate) fn count(table: &str) -> Query {
    scan(format!("SELECT count(*) FROM {table}"))
}

/// Some rows of a table, as they come.
pub(crate) fn some(table: &str, limit: usize) -> Query {
    scan(format!("SELECT * FROM {table} LIMIT {limit}"))
}

/// Rows that one table has and the other one has not.
pub(crate) fn only_in(one: &str, other: &str, limit: usize) -> Query {
    scan(format!("SELECT * FROM {one} EXCEPT SELECT * FROM {other} LIMIT {limit}"))
}

/// A query without parameters over more than a few rows.
pub(crate) fn scan(sql: String) -> Query {
    Query { sql: sql.into(), params: vec![], cost: Cost::Scan }
}

/// The table's form, as the bookkeeping keeps it.
pub(crate) fn form<M: KeyedFold>() -> String {
    let columns = M::COLUMNS.iter().map(|(name, kind)| format!("{name} {kind}"));
    // A plus is no part of a column's name: whoever looks for columns passes these over.
    let sides = M::SIDES.iter().map(|side| format!("+{} {}", side.name, names_of(side).replace(", ", " ")));
    columns.chain(sides).collect::<Vec<_>>().join(", ")
}

/// The row of these columns. A model that panics at it cannot read it, which is a matter of that row alone.
pub(crate) fn read_row<M: KeyedFold>(row: &Row) -> Result<M::Row, ReadStoreError> {
    let unreadable = ReadStoreError::Column { column: 0, wanted: "a row that its model can read" };
    std::panic::catch_unwind(AssertUnwindSafe(|| M::read(row))).unwrap_or(Err(unreadable))
}

/// The topics of a row beside its key. What is written is not undone because a model cannot tell them.
pub(crate) fn topics_of<M: KeyedFold>(row: &M::Row) -> Vec<Uuid> {
    std::panic::catch_unwind(AssertUnwindSafe(|| M::topics(row))).unwrap_or_else(|_| {
        tracing::error!(projection.name = M::NAME, "the topics of a row of {} cannot be told", M::NAME);
        Vec::new()
    })
}

/// The hash of a row that is to be written, for checksums. The same as [`stored_hash`] of what is read back.
pub(crate) fn written_hash(values: &[Value]) -> u64 {
    let mut hash = Xxh3Default::new();
    for value in values {
        match value {
            Value::Null => hash.update(&[0]),
            Value::Int(number) => hash_number(&mut hash, *number),
            Value::Timestamp(moment) => hash_number(&mut hash, moment.timestamp_micros()),
            Value::Text(text) | Value::Json(text) => hash_bytes(&mut hash, text.as_bytes()),
            Value::Uuid(uuid) => hash_bytes(&mut hash, uuid.as_bytes()),
        }
    }
    hash.digest()
}

/// The hash of a row as it is stored.
pub(crate) fn stored_hash(row: &Row) -> u64 {
    let mut hash = Xxh3Default::new();
    for value in &row.0 {
        match value {
            RawValue::Null => hash.update(&[0]),
            RawValue::Int(number) => hash_number(&mut hash, *number),
            RawValue::Timestamp(moment) => hash_number(&mut hash, moment.timestamp_micros()),
            RawValue::Text(text) => hash_bytes(&mut hash, text.as_bytes()),
            RawValue::Blob(bytes) => hash_bytes(&mut hash, bytes),
            RawValue::Uuid(uuid) => hash_bytes(&mut hash, uuid.as_bytes()),
        }
    }
    hash.digest()
}

fn hash_number(hash: &mut Xxh3Default, number: i64) {
    hash.update(&[1]);
    hash.update(&number.to_le_bytes());
}

fn hash_bytes(hash: &mut Xxh3Default, bytes: &[u8]) {
    hash.update(&[2]);
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// The full name of a keyed model's table.
pub(crate) fn table_name(projection: &str, generation: i64) -> String {
    format!("{projection}_g{generation}")
}

/// The full name of a side table.
fn side_name(projection: &str, generation: i64, side: &SideTable) -> String {
    format!("{}_{}", table_name(projection, generation), side.name)
}

/// `$1, $2, ...`
pub(crate) fn numbered(count: usize) -> String {
    (1..=count).map(|index| format!("${index}")).collect::<Vec<_>>().join(", ")
}
