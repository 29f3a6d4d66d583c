//! The checkpoints of the slices of every generation.

use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStore, ReadStoreError, Row, Statement, Value},
};

use super::{Held, Slices};
use crate::bookkeeping::{number_of, position};

/// Makes the table if it is not there.
pub(crate) fn create() -> Statement {
    let create = "CREATE TABLE IF NOT EXISTS projection_slices (
        name TEXT NOT NULL,
        generation BIGINT NOT NULL,
        slice BIGINT NOT NULL,
        position BIGINT NOT NULL,
        epoch BIGINT NOT NULL,
        PRIMARY KEY (name, generation, slice)
    )";
    Statement::once(create, vec![])
}

/// Takes over what an earlier release kept with the generation itself.
pub(crate) fn adopt() -> Vec<Statement> {
    let copy = "INSERT INTO projection_slices (name, generation, slice, position, epoch) \
                SELECT name, generation, 0, position, epoch FROM projection_generations WHERE true \
                ON CONFLICT (name, generation, slice) DO NOTHING";
    let statement = |sql: &str| Statement::once(sql, vec![]);
    vec![
        statement(copy),
        statement("ALTER TABLE projection_generations DROP COLUMN position"),
        statement("ALTER TABLE projection_generations DROP COLUMN epoch"),
    ]
}

/// Enters the slices of a new generation, which has reached this position.
pub(crate) fn insert(name: &str, generation: i64, count: u32, at: Position) -> Statement {
    let sql = "INSERT INTO projection_slices (name, generation, slice, position, epoch) VALUES ($1, $2, $3, $4, 0)";
    let row = |slice: u32| [key(name, generation, slice), vec![Value::Int(number_of(at))]].concat();
    Statement::each(sql, (0..count).map(row).collect())
}

/// Removes the slices of a generation.
pub(crate) fn remove(name: &str, generation: i64) -> Statement {
    let sql = "DELETE FROM projection_slices WHERE name = $1 AND generation = $2";
    Statement::once(sql, vec![Value::Text(name.to_owned()), Value::Int(generation)])
}

/// Takes slices over, all of the generation's or those that are wanted: whoever held them before can write no more. Of
/// two that claim at the same time one gets [`ReadStoreError::Guard`], so that no epoch is ever given out twice.
pub(crate) async fn claim(
    store: &dyn ReadStore,
    name: &str,
    generation: i64,
    wanted: Option<&[u32]>,
) -> Result<Slices, ReadStoreError> {
    let before = standing(store, name, generation).await?;
    let count = u32::try_from(before.len()).unwrap_or(u32::MAX);
    let is_wanted = |held: &Held| wanted.is_none_or(|wanted| wanted.contains(&held.slice));
    let claimed: Vec<Held> =
        before.into_iter().filter(is_wanted).map(|held| Held { epoch: held.epoch + 1, ..held }).collect();
    let expected = wanted.map_or(count.max(1) as usize, <[u32]>::len);
    if claimed.len() != expected {
        return Err(denied(expected, claimed.len()));
    }
    let raise = "UPDATE projection_slices SET epoch = $4 \
                 WHERE name = $1 AND generation = $2 AND slice = $3 AND epoch = $4 - 1";
    let row = |held: &Held| [key(name, generation, held.slice), vec![Value::Int(held.epoch)]].concat();
    let raise = Statement::each(raise, claimed.iter().map(row).collect()).must_change(1);
    store.transaction(vec![raise]).await?;
    // Read after the raise: up to then the one before could still move them.
    let now = standing(store, name, generation).await?;
    Slices::new(count, claimed).still_at(&now).ok_or_else(|| denied(expected, 0))
}

fn denied(expected: usize, changed: usize) -> ReadStoreError {
    ReadStoreError::Guard { expected: expected as u64, changed: changed as u64 }
}

/// Every slice of a generation as it is now, by number; none if the generation is gone.
pub(crate) async fn standing(store: &dyn ReadStore, name: &str, generation: i64) -> Result<Vec<Held>, ReadStoreError> {
    let sql = "SELECT slice, epoch, position FROM projection_slices WHERE name = $1 AND generation = $2 ORDER BY slice";
    let params = vec![Value::Text(name.to_owned()), Value::Int(generation)];
    let rows = store.query(Query { sql: sql.into(), params, cost: Cost::Point }).await?;
    rows.iter().map(held).collect()
}

fn held(row: &Row) -> Result<Held, ReadStoreError> {
    let slice = u32::try_from(row.int(0)?).map_err(|_| ReadStoreError::Column { column: 0, wanted: "a slice" })?;
    Ok(Held { slice, epoch: row.int(1)?, stored: position(row.int(2)?) })
}

/// Moves slices on. Rolls its transaction back if one of them is somebody else's, or is not where it is known to be: so no
/// event is ever applied twice, or passed over.
pub(super) fn checkpoint<'a>(
    name: &str,
    generation: i64,
    held: impl Iterator<Item = &'a Held>,
    to: Position,
) -> Statement {
    // Exactly from where it is known to be: a store that forgot a commit is not skipped over.
    let sql = "UPDATE projection_slices SET position = $5 \
               WHERE name = $1 AND generation = $2 AND slice = $3 AND epoch = $4 AND position = $6";
    let row = |held: &Held| {
        let more = vec![Value::Int(held.epoch), Value::Int(number_of(to)), Value::Int(number_of(held.stored))];
        [key(name, generation, held.slice), more].concat()
    };
    Statement::each(sql, held.map(row).collect()).must_change(1)
}

/// Changes nothing, and rolls its transaction back if one of these is somebody else's by now.
pub(super) fn guard(name: &str, generation: i64, held: &[Held]) -> Statement {
    let sql =
        "UPDATE projection_slices SET epoch = epoch WHERE name = $1 AND generation = $2 AND slice = $3 AND epoch = $4";
    let row = |held: &Held| [key(name, generation, held.slice), vec![Value::Int(held.epoch)]].concat();
    Statement::each(sql, held.iter().map(row).collect()).must_change(1)
}

fn key(name: &str, generation: i64, slice: u32) -> Vec<Value> {
    vec![Value::Text(name.to_owned()), Value::Int(generation), Value::Int(i64::from(slice))]
}
