//! The table `projection_origin`, of two rows: the first event, and one near the end.

use infrastructure::read_store::{Cost, Query, ReadStore, ReadStoreError, Statement, Value};

use super::{Mark, Marks};
use crate::bookkeeping::{number_of, position};

/// Makes the table if it is not there.
pub(crate) fn create() -> Statement {
    let create = "CREATE TABLE IF NOT EXISTS projection_origin \
                  (id BIGINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL, event_id UUID NOT NULL)";
    Statement::once(create, vec![])
}

const FIRST: i64 = 1;
const LATEST: i64 = 2;

pub(super) async fn read(store: &dyn ReadStore) -> Result<Marks, ReadStoreError> {
    let sql = "SELECT id, position, event_id FROM projection_origin";
    let rows = store.query(Query { sql: sql.into(), params: vec![], cost: Cost::Point }).await?;
    let mut marks = Marks::default();
    for row in &rows {
        let mark = Some(Mark { position: position(row.int(1)?), event: row.uuid(2)? });
        match row.int(0)? {
            FIRST => marks.first = mark,
            LATEST => marks.latest = mark,
            // A later build may remember more.
            _ => {}
        }
    }
    Ok(marks)
}

/// Rolls back if a log is remembered already.
pub(super) fn remember(first: Mark) -> Statement {
    let sql = "INSERT INTO projection_origin (id, position, event_id) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    Statement::once(sql, params(FIRST, first)).must_change(1)
}

/// Forwards only: several processes may look at the same time.
pub(super) fn move_latest(latest: Mark) -> Statement {
    let sql = "INSERT INTO projection_origin (id, position, event_id) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE \
               SET position = excluded.position, event_id = excluded.event_id \
               WHERE projection_origin.position < excluded.position";
    Statement::once(sql, params(LATEST, latest))
}

fn params(id: i64, mark: Mark) -> Vec<Value> {
    vec![Value::Int(id), Value::Int(number_of(mark.position)), Value::Uuid(mark.event)]
}

/// Remembers the first event of a copy instead, and no other until somebody looks. Rolls back if another log is remembered
/// by now.
pub(crate) fn replace(from: Option<Mark>, to: Mark) -> [Statement; 2] {
    let replace = match from {
        None => remember(to),
        Some(from) => {
            let sql = "UPDATE projection_origin SET position = $2, event_id = $3 \
                       WHERE id = $1 AND position = $4 AND event_id = $5";
            let params = [params(FIRST, to), params(FIRST, from).split_off(1)].concat();
            Statement::once(sql, params).must_change(1)
        }
    };
    [replace, Statement::once("DELETE FROM projection_origin WHERE id = $1", vec![Value::Int(LATEST)])]
}
