//! Every statement about stored positions of all projections at once.

use std::collections::BTreeSet;

use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStore, ReadStoreError, Statement, Value},
    snapshot_store,
};

use crate::{
    Mark,
    bookkeeping::{number_of, position},
    origin, registry,
};

/// The tables with positions, beside the origin.
const TABLES: [&str; 2] = ["projection_slices", "projection_parked"];

/// Where slices are.
pub(super) async fn checkpoints(rows: &dyn ReadStore) -> Result<BTreeSet<Position>, ReadStoreError> {
    positions(rows, "SELECT DISTINCT position FROM projection_slices WHERE position > 0").await
}

/// Where parked events are.
pub(super) async fn parked(rows: &dyn ReadStore) -> Result<BTreeSet<Position>, ReadStoreError> {
    positions(rows, "SELECT DISTINCT position FROM projection_parked").await
}

async fn positions(rows: &dyn ReadStore, sql: &str) -> Result<BTreeSet<Position>, ReadStoreError> {
    let found = rows.query(Query { sql: sql.into(), params: vec![], cost: Cost::Scan }).await?;
    found.iter().map(|row| row.int(0).map(position)).collect()
}

/// Replaces each stored position. Rolls back if the log is no longer the one that was read, or if something has moved on.
pub(super) fn carry_over(from: Option<Mark>, to: Mark, moves: &[(Position, Position)]) -> Vec<Statement> {
    let mut statements = Vec::from(origin::sql::replace(from, to));
    for table in TABLES {
        let raise = if table == "projection_slices" { ", epoch = epoch + 1" } else { "" };
        // Written as negative numbers first: a new position may be the old one of another row.
        let away = format!("UPDATE {table} SET position = $2{raise} WHERE position = $1");
        let row = |(from, to): &(Position, Position)| vec![Value::Int(number_of(*from)), Value::Int(-number_of(*to))];
        statements.push(Statement::each(away, moves.iter().map(row).collect()));
        let left = format!("UPDATE {table} SET position = position WHERE position > 0");
        statements.push(Statement::once(left, vec![]).must_change(0));
        statements.push(Statement::once(format!("UPDATE {table} SET position = -position WHERE position < 0"), vec![]));
    }
    // No build has this version: what its rows say of positions is of the other log, so they are built anew.
    let anew = "UPDATE projection_generations SET version = 0 WHERE name = $1";
    let row = |name: &'static str| vec![Value::Text(name.to_owned())];
    statements.push(Statement::each(anew, registry::holding_positions().into_iter().map(row).collect()));
    // What processes that are gone have said of positions, and asked.
    for table in ["projection_reports", "projection_orders"] {
        statements.push(Statement::once(format!("DELETE FROM {table}"), vec![]));
    }
    statements.push(snapshot_store::forget_all());
    statements
}
