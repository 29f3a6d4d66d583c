//! The table `snapshots`: one row for each stream that has one.

use crate::{
    event_store::{Position, Revision, StreamId},
    read_store::{Cost, Query, Row, Statement, Value},
    snapshot_store::{Snapshot, Tip},
};

/// Makes the table if it is not there.
pub(super) fn create() -> Statement {
    let sql = "CREATE TABLE IF NOT EXISTS snapshots (
        category TEXT NOT NULL,
        stream_id UUID NOT NULL,
        version BIGINT NOT NULL,
        revision BIGINT NOT NULL,
        position BIGINT NOT NULL,
        event_id UUID NOT NULL,
        recorded_at BIGINT NOT NULL,
        checksum BIGINT NOT NULL,
        state TEXT NOT NULL,
        receipts TEXT NOT NULL,
        PRIMARY KEY (category, stream_id)
    )";
    Statement::once(sql, vec![])
}

/// The row of one stream; [`snapshot_of`] reads it.
pub(super) fn read(stream: &StreamId) -> Query {
    let sql = "SELECT version, revision, position, event_id, recorded_at, checksum, state, receipts FROM snapshots \
               WHERE category = $1 AND stream_id = $2";
    Query { sql: sql.into(), params: name_of(stream), cost: Cost::Point }
}

/// None if the row does not hold what was written.
pub(super) fn snapshot_of(row: &Row) -> Option<Snapshot> {
    let number = |column: usize| u64::try_from(row.int(column).ok()?).ok();
    let tip = Tip {
        revision: Revision::new(number(1)?),
        position: Position::new(number(2)?),
        id: row.uuid(3).ok()?,
        recorded_at: row.int(4).ok()?,
    };
    let version = u32::try_from(row.int(0).ok()?).ok()?;
    let (state, receipts) = (row.text(6).ok()?.to_owned(), row.text(7).ok()?.to_owned());
    let snapshot = Snapshot { version, tip, state, receipts };
    (row.int(5).ok()? == snapshot.checksum().cast_signed()).then_some(snapshot)
}

/// Writes the row of one stream over the one before.
pub(super) fn write(stream: &StreamId, snapshot: Snapshot) -> Statement {
    let sql = "INSERT INTO snapshots \
               (category, stream_id, version, revision, position, event_id, recorded_at, checksum, state, receipts) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
               ON CONFLICT (category, stream_id) DO UPDATE SET version = excluded.version, \
               revision = excluded.revision, position = excluded.position, event_id = excluded.event_id, \
               recorded_at = excluded.recorded_at, checksum = excluded.checksum, state = excluded.state, \
               receipts = excluded.receipts";
    let checksum = snapshot.checksum().cast_signed();
    let Snapshot { version, tip, state, receipts } = snapshot;
    let mut params = name_of(stream);
    params.extend([
        Value::Int(version.into()),
        Value::Int(tip.revision.value().cast_signed()),
        Value::Int(tip.position.value().cast_signed()),
        Value::Uuid(tip.id),
        Value::Int(tip.recorded_at),
        Value::Int(checksum),
        Value::Text(state),
        Value::Text(receipts),
    ]);
    Statement::once(sql, params)
}

/// Empties the table.
pub(super) fn delete_all() -> Statement {
    Statement::once("DELETE FROM snapshots", vec![])
}

fn name_of(stream: &StreamId) -> Vec<Value> {
    vec![Value::Text(stream.category.to_string()), Value::Uuid(stream.id)]
}
