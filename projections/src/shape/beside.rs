//! What stands beside rows and leads to them: writing it, and looking whether it is there.

use std::panic::AssertUnwindSafe;

use infrastructure::read_store::{ReadStore, ReadStoreError, Statement};

use crate::{KeyedFold, Written, table::TableSql};

/// The statements that write what these rows lead to from beside.
pub(super) fn of<M: KeyedFold>(table: &TableSql, rows: &Written<'_, M::Row>) -> Vec<Statement> {
    if M::SIDES.is_empty() {
        return Vec::new();
    }
    // A model that cannot tell it has failed where the row was written, too.
    let beside = std::panic::catch_unwind(AssertUnwindSafe(|| M::beside(rows))).unwrap_or_default();
    table.insert_beside(beside).collect()
}

/// The statements that write what should lead to this row and does not. The tables must be indexed.
pub(super) async fn missing<M: KeyedFold>(
    store: &dyn ReadStore,
    table: &TableSql,
    row: &M::Row,
) -> Result<Vec<Statement>, ReadStoreError> {
    if M::SIDES.is_empty() {
        return Ok(Vec::new());
    }
    let beside = std::panic::catch_unwind(AssertUnwindSafe(|| M::beside(&[(None, row)]))).unwrap_or_default();
    let mut statements = Vec::new();
    for (side, rows) in table.sides().iter().zip(beside) {
        let mut missing = Vec::new();
        for row in rows {
            if store.query(side.look(&row)).await?.is_empty() {
                missing.push(row);
            }
        }
        if !missing.is_empty() {
            statements.push(side.insert(missing));
        }
    }
    Ok(statements)
}
