//! The table `projection_origin`, of one row.

use infrastructure::read_store::{Cost, Query, ReadStore, ReadStoreError, Statement, Value};

use super::Origin;
use crate::bookkeeping::{number_of, position};

/// Makes the table if it is not there.
pub(crate) fn create() -> Statement {
    let create = "CREATE TABLE IF NOT EXISTS projection_origin \
                  (id BIGINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL, event_id UUID NOT NULL)";
    Statement::once(create, vec![])
}

pub(super) async fn read(store: &dyn ReadStore) -> Result<Option<Origin>, ReadStoreError> {
    let sql = "SELECT position, event_id FROM projection_origin WHERE id = 1";
    let rows = store.query(Query { sql: sql.into(), params: vec![], cost: Cost::Point }).await?;
    rows.first().map(|row| Ok(Origin { position: position(row.int(0)?), event: row.uuid(1)? })).transpose()
}

/// Rolls back if a log is remembered already.
pub(super) fn remember(origin: Origin) -> Statement {
    let sql = "INSERT INTO projection_origin (id, position, event_id) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING";
    let params = vec![Value::Int(number_of(origin.position)), Value::Uuid(origin.event)];
    Statement::once(sql, params).must_change(1)
}

/// Remembers the first event of a copy instead. Rolls back if another log is remembered by now.
pub(crate) fn replace(from: Option<Origin>, to: Origin) -> Statement {
    let Some(from) = from else { return remember(to) };
    let sql = "UPDATE projection_origin SET position = $1, event_id = $2 \
               WHERE id = 1 AND position = $3 AND event_id = $4";
    let of = |origin: Origin| [Value::Int(number_of(origin.position)), Value::Uuid(origin.event)];
    Statement::once(sql, [of(to), of(from)].concat()).must_change(1)
}
