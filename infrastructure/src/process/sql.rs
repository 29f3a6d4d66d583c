//! The notes of processes: which tables, and every statement about them.
//!
//! **Invariant:** whoever writes notes proves in the same transaction that the process is still theirs: its epoch is the one
//! they took over with.

use domain::Timestamp;
use uuid::Uuid;

use crate::{
    event_store::Position,
    read_store::{Cost, Query, Statement, Value},
};

/// The most keys of one question.
pub(super) const KEYS_MAX: usize = 200;
/// The most keys of one answer of [`due`].
pub(super) const DUE_MAX: usize = 1_000;

/// Makes the tables if they are not there.
pub(super) fn create() -> Vec<Statement> {
    let processes = "CREATE TABLE IF NOT EXISTS processes (
        name TEXT NOT NULL PRIMARY KEY,
        version BIGINT NOT NULL,
        epoch BIGINT NOT NULL,
        position BIGINT NOT NULL
    )";
    let notes = "CREATE TABLE IF NOT EXISTS process_notes (
        process TEXT NOT NULL,
        id UUID NOT NULL,
        cause UUID,
        due TIMESTAMPTZ,
        concern TEXT,
        state TEXT NOT NULL,
        PRIMARY KEY (process, id)
    )";
    let reports = "CREATE TABLE IF NOT EXISTS process_reports (
        process TEXT NOT NULL PRIMARY KEY,
        report TEXT NOT NULL
    )";
    let parked = "CREATE TABLE IF NOT EXISTS process_parked (
        process TEXT NOT NULL,
        id UUID NOT NULL,
        read_after BIGINT NOT NULL,
        position BIGINT NOT NULL,
        type TEXT NOT NULL,
        code TEXT NOT NULL,
        reason TEXT NOT NULL,
        build TEXT NOT NULL,
        PRIMARY KEY (process, id)
    )";
    let due = "CREATE INDEX IF NOT EXISTS process_notes_due ON process_notes (process, due, id) WHERE due IS NOT NULL";
    let concern =
        "CREATE INDEX IF NOT EXISTS process_notes_concern ON process_notes (process, id) WHERE concern IS NOT NULL";
    [processes, notes, reports, parked, due, concern].into_iter().map(|sql| Statement::once(sql, vec![])).collect()
}

/// Throws all notes away: the processes begin at the start of the log, and see there what is done. For a read store that gets
/// another log, whose positions are others.
pub fn forget() -> Vec<Statement> {
    let mut statements = create();
    statements.push(Statement::once("DELETE FROM process_notes", vec![]));
    statements.push(Statement::once("DELETE FROM process_reports", vec![]));
    statements.push(Statement::once("DELETE FROM process_parked", vec![]));
    statements.push(Statement::once("UPDATE processes SET position = 0, epoch = epoch + 1", vec![]));
    statements
}

/// Makes a process known.
pub(super) fn begin(name: &str, version: u32) -> Statement {
    Statement::once(
        "INSERT INTO processes (name, version, epoch, position) VALUES ($1, $2, 0, 0) ON CONFLICT (name) DO NOTHING",
        vec![Value::Text(name.to_owned()), Value::Int(version.into())],
    )
}

/// Takes a process over from whoever had it in this epoch. Another version's notes are of no use.
pub(super) fn take_over(name: &str, version: u32, before: i64) -> Vec<Statement> {
    let (name, version) = (|| Value::Text(name.to_owned()), Value::Int(version.into()));
    vec![
        Statement::once(
            "UPDATE processes SET epoch = epoch + 1 WHERE name = $1 AND epoch = $2",
            vec![name(), Value::Int(before)],
        )
        .must_change(1),
        Statement::once(
            "DELETE FROM process_notes WHERE process = $1 AND EXISTS (
                SELECT 1 FROM processes WHERE processes.name = $1 AND processes.version <> $2)",
            vec![name(), version.clone()],
        ),
        Statement::once(
            "DELETE FROM process_parked WHERE process = $1 AND EXISTS (
                SELECT 1 FROM processes WHERE processes.name = $1 AND processes.version <> $2)",
            vec![name(), version.clone()],
        ),
        Statement::once(
            "UPDATE processes SET position = 0, version = $2 WHERE name = $1 AND version <> $2",
            vec![name(), version],
        ),
    ]
}

/// Epoch and position.
pub(super) fn cursor(name: &str) -> Query {
    let sql = "SELECT epoch, position FROM processes WHERE name = $1";
    Query { sql: sql.into(), params: vec![Value::Text(name.to_owned())], cost: Cost::Point }
}

/// Moves the cursor, if the process is still this epoch's.
pub(super) fn advance(name: &str, epoch: i64, position: Position) -> Statement {
    let sql = "UPDATE processes SET position = $3 WHERE name = $1 AND epoch = $2";
    Statement::once(sql, vec![Value::Text(name.to_owned()), Value::Int(epoch), at(position)]).must_change(1)
}

/// A position as it is written.
pub(super) fn at(position: Position) -> Value {
    Value::Int(i64::try_from(position.value()).unwrap_or(i64::MAX))
}

/// Writes down how the process is.
pub(super) fn tell(name: &str, report: String) -> Statement {
    let sql = "INSERT INTO process_reports (process, report) VALUES ($1, $2)
        ON CONFLICT (process) DO UPDATE SET report = excluded.report";
    Statement::once(sql, vec![Value::Text(name.to_owned()), Value::Text(report)])
}

/// Position, and how the process is.
pub(super) fn report(name: &str) -> Query {
    let sql = "SELECT processes.position, process_reports.report FROM processes
        LEFT JOIN process_reports ON process_reports.process = processes.name WHERE processes.name = $1";
    Query { sql: sql.into(), params: vec![Value::Text(name.to_owned())], cost: Cost::Point }
}

/// The keys for which something is to be done, after this one.
pub(super) fn at_it(name: &str, after: Uuid) -> Query {
    let sql = format!(
        "SELECT id FROM process_notes WHERE process = $1 AND due <= $2 AND id > $3 ORDER BY id LIMIT {KEYS_MAX}"
    );
    let params = vec![Value::Text(name.to_owned()), Value::Timestamp(Timestamp::UNIX_EPOCH), Value::Uuid(after)];
    Query { sql: sql.into(), params, cost: Cost::Point }
}

/// Writes notes: key, cause, due, concern and state of each.
pub(super) fn write(rows: Vec<Vec<Value>>) -> Statement {
    let sql = "INSERT INTO process_notes (process, id, cause, due, concern, state) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (process, id) DO UPDATE SET
            cause = excluded.cause, due = excluded.due, concern = excluded.concern, state = excluded.state";
    Statement::each(sql, rows)
}

/// Removes notes: process and key of each.
pub(super) fn remove(rows: Vec<Vec<Value>>) -> Statement {
    Statement::each("DELETE FROM process_notes WHERE process = $1 AND id = $2", rows)
}

/// Writes down keys that wait: process, key, where to read on, position, type, code, reason and build of each.
pub(super) fn park(rows: Vec<Vec<Value>>) -> Statement {
    let sql = "INSERT INTO process_parked (process, id, read_after, position, type, code, reason, build)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (process, id) DO UPDATE SET read_after = excluded.read_after, position = excluded.position,
            type = excluded.type, code = excluded.code, reason = excluded.reason, build = excluded.build";
    Statement::each(sql, rows)
}

/// Removes keys that wait no more: process and key of each.
pub(super) fn release(rows: Vec<Vec<Value>>) -> Statement {
    Statement::each("DELETE FROM process_parked WHERE process = $1 AND id = $2", rows)
}

/// The keys that wait, after this one, at most so many: key, where to read on, position, type, code, reason and build.
pub(super) fn parked(name: &str, after: Uuid, limit: usize) -> Query {
    let sql = format!(
        "SELECT id, read_after, position, type, code, reason, build FROM process_parked
         WHERE process = $1 AND id > $2 ORDER BY id LIMIT {limit}"
    );
    Query { sql: sql.into(), params: vec![Value::Text(name.to_owned()), Value::Uuid(after)], cost: Cost::Point }
}

/// How many keys wait.
pub(super) fn parked_count(name: &str) -> Query {
    let sql = "SELECT COUNT(*) FROM process_parked WHERE process = $1";
    Query { sql: sql.into(), params: vec![Value::Text(name.to_owned())], cost: Cost::Point }
}

/// Whether this key waits: its row.
pub(super) fn is_parked(name: &str, key: Uuid) -> Query {
    let sql = "SELECT id FROM process_parked WHERE process = $1 AND id = $2";
    Query { sql: sql.into(), params: vec![Value::Text(name.to_owned()), Value::Uuid(key)], cost: Cost::Point }
}

/// The notes of these keys: key, cause, due and state.
pub(super) fn of_keys(name: &str, keys: &[Uuid]) -> Query {
    let places: Vec<String> = (2..).take(keys.len()).map(|place| format!("${place}")).collect();
    let sql =
        format!("SELECT id, cause, due, state FROM process_notes WHERE process = $1 AND id IN ({})", places.join(", "));
    let keys = keys.iter().map(|key| Value::Uuid(*key));
    let params = std::iter::once(Value::Text(name.to_owned())).chain(keys).collect();
    Query { sql: sql.into(), params, cost: Cost::Point }
}

/// What is due until then, after this place: key and when.
pub(super) fn due(name: &str, until: Timestamp, after: Option<(Timestamp, Uuid)>) -> Query {
    let (after_due, after_id) = after.unwrap_or((Timestamp::UNIX_EPOCH, Uuid::nil()));
    let sql = format!(
        "SELECT id, due FROM process_notes
         WHERE process = $1 AND due IS NOT NULL AND due <= $2 AND (due, id) > ($3, $4) ORDER BY due, id LIMIT {DUE_MAX}"
    );
    let params =
        vec![Value::Text(name.to_owned()), Value::Timestamp(until), Value::Timestamp(after_due), Value::Uuid(after_id)];
    Query { sql: sql.into(), params, cost: Cost::Point }
}

/// What somebody has to look at: key and text.
pub(super) fn concerns(name: &str, limit: usize) -> Query {
    let sql = format!(
        "SELECT id, concern FROM process_notes WHERE process = $1 AND concern IS NOT NULL ORDER BY id LIMIT {limit}"
    );
    Query { sql: sql.into(), params: vec![Value::Text(name.to_owned())], cost: Cost::Point }
}

/// How many keys somebody has to look at.
pub(super) fn concerned(name: &str) -> Query {
    let sql = "SELECT COUNT(*) FROM process_notes WHERE process = $1 AND concern IS NOT NULL";
    Query { sql: sql.into(), params: vec![Value::Text(name.to_owned())], cost: Cost::Point }
}
