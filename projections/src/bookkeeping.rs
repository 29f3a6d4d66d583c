//! What the read store knows about its projections: generations, which of them serves, what their builders counted.
//!
//! How far a generation is, is kept for each of its slices: see `slices`.

use domain::Timestamp;
use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStore, ReadStoreError, Row, Statement, Value},
};

use crate::{origin, shape::Shape, slices::sql};

/// A generation of a projection's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: i64,
    /// The version of the code that made it.
    pub(crate) version: i64,
    /// What all its slices have reached.
    pub(crate) position: Position,
    /// What the first of them has reached.
    pub(crate) furthest: Position,
    pub(crate) state: GenerationState,
    /// The form of its tables, as its shape describes it.
    pub(crate) form: String,
    /// What its builder wrote; none if nobody counted.
    pub(crate) tally: Option<Tally>,
    /// How many events its builder applied, and how long that took.
    pub(crate) built: Built,
    /// When it got into its state.
    pub(crate) since: Timestamp,
}

impl Generation {
    /// Whether this model can carry it on.
    pub(crate) fn is_of(&self, shape: &dyn Shape) -> bool {
        is_of(shape, self.version, &self.form)
    }
}

/// Whether this model can carry on a generation of this version and form. A release that kept no form had the tables of
/// today.
pub(crate) fn is_of(shape: &dyn Shape, version: i64, form: &str) -> bool {
    version == i64::from(shape.version()) && (form.is_empty() || form == shape.form())
}

/// What a generation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GenerationState {
    /// It is being filled; nobody reads it. A start goes on with it.
    Building,
    /// It is filled for a look, and goes when that is over.
    Scratch,
    /// Queries read it.
    Serving,
    /// It served before and is kept to be served again.
    Standby,
    /// It served until an operator rolled it back: no start serves it by itself.
    RolledBack,
    /// Its tables go at the next start or rebuild, when no query can be reading them.
    Retired,
}

impl GenerationState {
    const ALL: [Self; 6] =
        [Self::Building, Self::Scratch, Self::Serving, Self::Standby, Self::RolledBack, Self::Retired];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Scratch => "scratch",
            Self::Serving => "serving",
            Self::Standby => "standby",
            Self::RolledBack => "rolled_back",
            Self::Retired => "retired",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The rows of a generation, counted and summed in no particular order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many rows.
    pub(crate) rows: i64,
    /// The sum of the rows' hashes, wrapping: the same whatever the order.
    pub(crate) checksum: i64,
}

impl Tally {
    pub(crate) const fn add(&mut self, hash: u64) {
        self.rows += 1;
        self.checksum = self.checksum.wrapping_add(hash.cast_signed());
    }

    pub(crate) const fn remove(&mut self, hash: u64) {
        self.rows -= 1;
        self.checksum = self.checksum.wrapping_sub(hash.cast_signed());
    }
}

/// How a generation was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) events: u64,
    pub(crate) millis: u64,
}

const COLUMNS: &str = "generation, version, state, form, tally_rows, tally_checksum, built_events, built_millis, since";

/// Makes the bookkeeping tables if they are not there. What an earlier release has made gets the columns it lacks, and
/// its checkpoints become those of a single slice.
pub(crate) async fn prepare(store: &dyn ReadStore) -> Result<(), ReadStoreError> {
    let create = "CREATE TABLE IF NOT EXISTS projection_generations (
        name TEXT NOT NULL,
        generation BIGINT NOT NULL,
        version BIGINT NOT NULL,
        state TEXT NOT NULL,
        form TEXT NOT NULL DEFAULT '',
        tally_rows BIGINT,
        tally_checksum BIGINT,
        built_events BIGINT NOT NULL DEFAULT 0,
        built_millis BIGINT NOT NULL DEFAULT 0,
        since BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (name, generation)
    )";
    let numbers =
        "CREATE TABLE IF NOT EXISTS projection_numbers (name TEXT NOT NULL PRIMARY KEY, last BIGINT NOT NULL)";
    let statements =
        vec![Statement::once(create, vec![]), Statement::once(numbers, vec![]), sql::create(), origin::sql::create()];
    store.transaction(statements).await?;
    if !has(store, COLUMNS).await? {
        let added = [
            "form TEXT NOT NULL DEFAULT ''",
            "tally_rows BIGINT",
            "tally_checksum BIGINT",
            "built_events BIGINT NOT NULL DEFAULT 0",
            "built_millis BIGINT NOT NULL DEFAULT 0",
            "since BIGINT NOT NULL DEFAULT 0",
        ];
        let add = |column| Statement::once(format!("ALTER TABLE projection_generations ADD COLUMN {column}"), vec![]);
        store.transaction(added.into_iter().map(add).collect()).await?;
    }
    if has(store, "position, epoch").await? {
        store.transaction(sql::adopt()).await?;
    }
    Ok(())
}

/// Whether the generations' table has these columns.
async fn has(store: &dyn ReadStore, columns: &str) -> Result<bool, ReadStoreError> {
    let probe = format!("SELECT {columns} FROM projection_generations LIMIT 1");
    match store.query(Query { sql: probe.into(), params: vec![], cost: Cost::Point }).await {
        Ok(_) => Ok(true),
        Err(ReadStoreError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Every generation of a projection, oldest first.
pub(crate) async fn generations(store: &dyn ReadStore, name: &str) -> Result<Vec<Generation>, ReadStoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT min(position) FROM projection_slices AS s \
         WHERE s.name = g.name AND s.generation = g.generation), \
         (SELECT max(position) FROM projection_slices AS s \
         WHERE s.name = g.name AND s.generation = g.generation) \
         FROM projection_generations AS g WHERE name = $1 ORDER BY generation"
    );
    let query = Query { sql: sql.into(), params: vec![Value::Text(name.to_owned())], cost: Cost::Point };
    store.query(query).await?.iter().map(generation).collect()
}

fn generation(row: &Row) -> Result<Generation, ReadStoreError> {
    let state = row.text(2)?;
    let count = |column| row.int(column).map(|count| u64::try_from(count).unwrap_or(0));
    let tally =
        if row.is_null(4) || row.is_null(5) { None } else { Some(Tally { rows: row.int(4)?, checksum: row.int(5)? }) };
    let moment = ReadStoreError::Column { column: 8, wanted: "a moment" };
    Ok(Generation {
        number: row.int(0)?,
        version: row.int(1)?,
        position: if row.is_null(9) { Position::START } else { position(row.int(9)?) },
        furthest: if row.is_null(10) { Position::START } else { position(row.int(10)?) },
        state: GenerationState::parse(state)
            .ok_or(ReadStoreError::Column { column: 2, wanted: "a generation's state" })?,
        form: row.text(3)?.to_owned(),
        tally,
        built: Built { events: count(6)?, millis: count(7)? },
        since: Timestamp::from_timestamp_micros(row.int(8)?).ok_or(moment)?,
    })
}

/// Enters a new generation of so many slices, empty.
pub(crate) fn insert(
    name: &str,
    number: i64,
    slices: u32,
    (version, form): (u32, &str),
    state: GenerationState,
    now: Timestamp,
) -> Vec<Statement> {
    let sql = "INSERT INTO projection_generations \
               (name, generation, version, state, form, tally_rows, tally_checksum, since) \
               VALUES ($1, $2, $3, $4, $5, 0, 0, $6)";
    let params = vec![
        Value::Text(name.to_owned()),
        Value::Int(number),
        Value::Int(i64::from(version)),
        Value::Text(state.as_str().to_owned()),
        Value::Text(form.to_owned()),
        Value::Int(now.timestamp_micros()),
    ];
    vec![Statement::once(sql, params), sql::insert(name, number, slices, Position::START)]
}

/// The number of the last generation that a projection was given, whether it is still there or not: what is written down
/// of a generation must not be taken for another one's.
pub(crate) async fn last_number(store: &dyn ReadStore, name: &str) -> Result<i64, ReadStoreError> {
    let name = || vec![Value::Text(name.to_owned())];
    let given = "SELECT last FROM projection_numbers WHERE name = $1";
    // An earlier release did not write them down.
    let there = "SELECT generation FROM projection_generations WHERE name = $1 ORDER BY generation DESC LIMIT 1";
    let mut last = 0;
    for sql in [given, there] {
        let rows = store.query(Query { sql: sql.into(), params: name(), cost: Cost::Point }).await?;
        last = last.max(rows.first().map_or(Ok(0), |row| row.int(0))?);
    }
    Ok(last)
}

/// Gives a number out.
pub(crate) fn give_number(name: &str, number: i64) -> Statement {
    let sql = "INSERT INTO projection_numbers (name, last) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET last = excluded.last";
    Statement::once(sql, vec![Value::Text(name.to_owned()), Value::Int(number)])
}

/// What a builder has written so far. Belongs behind the checkpoint of its slices.
pub(crate) fn built(name: &str, number: i64, tally: Option<Tally>, built: Built) -> Statement {
    let sql = "UPDATE projection_generations \
               SET tally_rows = $3, tally_checksum = $4, built_events = $5, built_millis = $6 \
               WHERE name = $1 AND generation = $2";
    let params = vec![
        Value::Text(name.to_owned()),
        Value::Int(number),
        tally.map_or(Value::Null, |tally| Value::Int(tally.rows)),
        tally.map_or(Value::Null, |tally| Value::Int(tally.checksum)),
        Value::Int(i64::try_from(built.events).unwrap_or(i64::MAX)),
        Value::Int(i64::try_from(built.millis).unwrap_or(i64::MAX)),
    ];
    Statement::once(sql, params).must_change(1)
}

/// What a builder has counted holds no longer: somebody else changes rows.
pub(crate) fn uncount(name: &str, number: i64) -> Statement {
    let sql = "UPDATE projection_generations SET tally_rows = NULL, tally_checksum = NULL \
               WHERE name = $1 AND generation = $2 AND tally_rows IS NOT NULL";
    Statement::once(sql, vec![Value::Text(name.to_owned()), Value::Int(number)])
}

/// Rolls its transaction back unless the generation is one for a look.
pub(crate) fn is_scratch(name: &str, number: i64) -> Statement {
    let sql = "UPDATE projection_generations SET state = state \
               WHERE name = $1 AND generation = $2 AND state = 'scratch'";
    Statement::once(sql, vec![Value::Text(name.to_owned()), Value::Int(number)]).must_change(1)
}

/// Rolls its transaction back unless the generation is being built and nobody has claimed it yet, or only once.
pub(crate) fn is_untouched(name: &str, number: i64) -> Statement {
    let sql = "UPDATE projection_generations SET state = state \
               WHERE name = $1 AND generation = $2 AND state = 'building' AND NOT EXISTS \
               (SELECT 1 FROM projection_slices WHERE name = $1 AND generation = $2 AND (epoch > 1 OR position > 0))";
    Statement::once(sql, vec![Value::Text(name.to_owned()), Value::Int(number)]).must_change(1)
}

/// Makes a generation the serving one; whichever was gets the state `before`. One transaction.
pub(crate) fn switch(name: &str, number: i64, before: GenerationState, now: Timestamp) -> Vec<Statement> {
    let leave = "UPDATE projection_generations SET state = $2, since = $3 \
                 WHERE name = $1 AND state = 'serving' AND generation <> $4";
    let serve = "UPDATE projection_generations SET state = 'serving', since = $3 \
                 WHERE name = $1 AND generation = $2 AND state IN ('building', 'standby', 'rolled_back')";
    let (name, now) = (Value::Text(name.to_owned()), Value::Int(now.timestamp_micros()));
    vec![
        Statement::once(
            leave,
            vec![name.clone(), Value::Text(before.as_str().to_owned()), now.clone(), Value::Int(number)],
        ),
        Statement::once(serve, vec![name, Value::Int(number), now]).must_change(1),
    ]
}

/// Removes a generation with its tables and what is parked in it. Rolls its transaction back if the generation serves, or
/// is gone already.
pub(crate) fn discard(name: &str, number: i64, tables: &[String]) -> Vec<Statement> {
    let delete = "DELETE FROM projection_generations WHERE name = $1 AND generation = $2 AND state <> 'serving'";
    let params = vec![Value::Text(name.to_owned()), Value::Int(number)];
    let mut statements = vec![Statement::once(delete, params.clone()).must_change(1), sql::remove(name, number)];
    statements.push(crate::parking::forget(params));
    statements.extend(tables.iter().map(|table| Statement::once(format!("DROP TABLE IF EXISTS {table}"), vec![])));
    statements
}

pub(crate) fn position(stored: i64) -> Position {
    Position::new(u64::try_from(stored).unwrap_or(0))
}

pub(crate) fn number_of(position: Position) -> i64 {
    i64::try_from(position.value()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
