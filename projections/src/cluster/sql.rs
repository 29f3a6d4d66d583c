//! What processes tell each other through the read store: holds, orders, reports; and what serves, for those who only look.

use std::collections::BTreeMap;

use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStore, ReadStoreError, Statement, Value},
};
use uuid::Uuid;

use crate::{
    bookkeeping::{is_of, position},
    shape::Shape,
    slices::slice_of,
};

/// The tables, made if they are not there.
pub(super) fn create() -> Vec<Statement> {
    let tables = [
        "CREATE TABLE IF NOT EXISTS projection_holds (name TEXT NOT NULL PRIMARY KEY, holder UUID NOT NULL)",
        "CREATE TABLE IF NOT EXISTS projection_orders (
            id UUID NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            version BIGINT NOT NULL,
            asked_by UUID NOT NULL,
            asked TEXT NOT NULL,
            taken_by UUID,
            answer TEXT
        )",
        "CREATE TABLE IF NOT EXISTS projection_reports (
            node UUID NOT NULL,
            name TEXT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (node, name)
        )",
    ];
    tables.into_iter().map(|sql| Statement::once(sql, vec![])).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn query(sql: &str, params: Vec<Value>) -> Query {
    Query { sql: sql.into(), params, cost: Cost::Point }
}

/// The generation of a projection that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Serving {
    pub(super) generation: i64,
    pub(super) version: i64,
    pub(super) form: String,
    /// Where each of its slices is, by number.
    pub(super) slices: Vec<Position>,
}

impl Serving {
    /// Whether this model can carry it on.
    pub(super) fn is_of(&self, shape: &dyn Shape) -> bool {
        is_of(shape, self.version, &self.form)
    }

    /// How many slices it has.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.slices.len()).unwrap_or(u32::MAX)
    }

    /// What all its slices have reached.
    pub(super) fn stored(&self) -> Position {
        self.slices.iter().min().copied().unwrap_or_default()
    }

    /// What the slice of this key has reached.
    pub(super) fn stored_of(&self, key: Uuid) -> Option<Position> {
        self.slices.get(slice_of(key, self.count()) as usize).copied()
    }
}

/// Every generation that serves, by the name of its projection.
pub(super) async fn serving(store: &dyn ReadStore) -> Result<BTreeMap<String, Serving>, ReadStoreError> {
    let sql = "SELECT g.name, g.generation, g.version, g.form, s.position FROM projection_generations AS g \
               JOIN projection_slices AS s ON s.name = g.name AND s.generation = g.generation \
               WHERE g.state = 'serving' ORDER BY g.name, s.slice";
    let mut serving: BTreeMap<String, Serving> = BTreeMap::new();
    for row in store.query(query(sql, vec![])).await? {
        let of = serving.entry(row.text(0)?.to_owned()).or_insert(Serving {
            generation: row.int(1)?,
            version: row.int(2)?,
            form: row.text(3)?.to_owned(),
            slices: Vec::new(),
        });
        of.slices.push(position(row.int(4)?));
    }
    Ok(serving)
}

/// Of each generation, numbers that change with everything that is parked or released.
pub(super) async fn parked_marks(store: &dyn ReadStore) -> Result<BTreeMap<(String, i64), [i64; 3]>, ReadStoreError> {
    let sql = "SELECT projection, generation, count(*), sum(CASE WHEN state = 'skipped' THEN 1 ELSE 0 END), \
               sum(attempts) FROM projection_parked GROUP BY projection, generation";
    let mut marks = BTreeMap::new();
    for row in store.query(query(sql, vec![])).await? {
        marks.insert((row.text(0)?.to_owned(), row.int(1)?), [row.int(2)?, row.int(3)?, row.int(4)?]);
    }
    Ok(marks)
}

/// Who holds the slices of a projection back from their workers.
pub(super) async fn holder(store: &dyn ReadStore, name: &str) -> Result<Option<Uuid>, ReadStoreError> {
    let rows = store.query(query("SELECT holder FROM projection_holds WHERE name = $1", vec![text(name)])).await?;
    rows.first().map(|row| row.uuid(0)).transpose()
}

/// Holds them back.
pub(super) fn hold(name: &str, holder: Uuid) -> Statement {
    let sql = "INSERT INTO projection_holds (name, holder) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET holder = excluded.holder";
    Statement::once(sql, vec![text(name), Value::Uuid(holder)])
}

/// Gives them back, if it is still this one who holds them.
pub(super) fn give_back(name: &str, holder: Uuid) -> Statement {
    let sql = "DELETE FROM projection_holds WHERE name = $1 AND holder = $2";
    Statement::once(sql, vec![text(name), Value::Uuid(holder)])
}

/// An order for the lead of a projection.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) id: Uuid,
    pub(super) asked: String,
}

/// What has become of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) taken_by: Option<Uuid>,
    pub(super) answer: Option<String>,
}

pub(super) fn ask(letter: &Letter, (name, version): (&str, u32), asked_by: Uuid) -> Statement {
    let sql = "INSERT INTO projection_orders (id, name, version, asked_by, asked) VALUES ($1, $2, $3, $4, $5)";
    let params = vec![
        Value::Uuid(letter.id),
        text(name),
        Value::Int(i64::from(version)),
        Value::Uuid(asked_by),
        text(&letter.asked),
    ];
    Statement::once(sql, params)
}

/// The orders to a projection that nobody has taken yet.
pub(super) async fn letters(
    store: &dyn ReadStore,
    (name, version): (&str, u32),
) -> Result<Vec<Letter>, ReadStoreError> {
    let sql = "SELECT id, asked FROM projection_orders \
               WHERE name = $1 AND version = $2 AND taken_by IS NULL ORDER BY id";
    let rows = store.query(query(sql, vec![text(name), Value::Int(i64::from(version))])).await?;
    rows.iter().map(|row| Ok(Letter { id: row.uuid(0)?, asked: row.text(1)?.to_owned() })).collect()
}

/// Takes an order. Rolls back if somebody else has, or if nobody waits for it any more.
pub(super) fn take(id: Uuid, taken_by: Uuid) -> Statement {
    let sql = "UPDATE projection_orders SET taken_by = $2 WHERE id = $1 AND taken_by IS NULL";
    Statement::once(sql, vec![Value::Uuid(id), Value::Uuid(taken_by)]).must_change(1)
}

pub(super) fn answer(id: Uuid, answer: &str) -> Statement {
    Statement::once("UPDATE projection_orders SET answer = $2 WHERE id = $1", vec![Value::Uuid(id), text(answer)])
}

/// What has become of an order; none if it is gone.
pub(super) async fn progress(store: &dyn ReadStore, id: Uuid) -> Result<Option<Progress>, ReadStoreError> {
    let sql = "SELECT taken_by, answer FROM projection_orders WHERE id = $1";
    let rows = store.query(query(sql, vec![Value::Uuid(id)])).await?;
    let progress = |row: &infrastructure::read_store::Row| {
        let taken_by = if row.is_null(0) { None } else { Some(row.uuid(0)?) };
        Ok(Progress { taken_by, answer: row.optional_text(1)?.map(str::to_owned) })
    };
    rows.first().map(progress).transpose()
}

/// Takes an order back, unless somebody has taken it.
pub(super) fn withdraw(id: Uuid) -> Statement {
    let sql = "DELETE FROM projection_orders WHERE id = $1 AND taken_by IS NULL";
    Statement::once(sql, vec![Value::Uuid(id)]).must_change(1)
}

pub(super) fn forget(id: Uuid) -> Statement {
    Statement::once("DELETE FROM projection_orders WHERE id = $1", vec![Value::Uuid(id)])
}

/// Who asked, of every order there is.
pub(super) async fn askers(store: &dyn ReadStore) -> Result<Vec<(Uuid, Uuid)>, ReadStoreError> {
    let rows = store.query(query("SELECT id, asked_by FROM projection_orders", vec![])).await?;
    rows.iter().map(|row| Ok((row.uuid(0)?, row.uuid(1)?))).collect()
}

pub(super) fn put_report(node: Uuid, name: &str, body: &str) -> Statement {
    let sql = "INSERT INTO projection_reports (node, name, body) VALUES ($1, $2, $3) \
               ON CONFLICT (node, name) DO UPDATE SET body = excluded.body";
    Statement::once(sql, vec![Value::Uuid(node), text(name), text(body)])
}

pub(super) fn remove_reports(node: Uuid) -> Statement {
    Statement::once("DELETE FROM projection_reports WHERE node = $1", vec![Value::Uuid(node)])
}

/// Every report: who, about what, and what.
pub(super) async fn reports(store: &dyn ReadStore) -> Result<Vec<(Uuid, String, String)>, ReadStoreError> {
    let rows = store.query(query("SELECT node, name, body FROM projection_reports", vec![])).await?;
    rows.iter().map(|row| Ok((row.uuid(0)?, row.text(1)?.to_owned(), row.text(2)?.to_owned()))).collect()
}
