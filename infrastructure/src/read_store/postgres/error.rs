//! What PostgreSQL's failures mean. No message holds a value, a password or an address with one.

use std::{error::Error as _, fmt::Write as _};

use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use super::super::ReadStoreError;

/// What a statement's failure means.
pub(super) fn failed(error: &Error) -> ReadStoreError {
    match error.as_db_error() {
        Some(error) => refused(error),
        None => ReadStoreError::Unavailable(format!("the connection to PostgreSQL: {}", chain(error))),
    }
}

fn refused(error: &DbError) -> ReadStoreError {
    let code = error.code().code();
    let unavailable = |says: &str| ReadStoreError::Unavailable(format!("PostgreSQL {says} ({code})"));
    match error.code() {
        &SqlState::DISK_FULL => return ReadStoreError::Full,
        &SqlState::TOO_MANY_CONNECTIONS => {
            return unavailable("has no connection left: raise its max_connections, or lower the stores' connections");
        }
        &SqlState::READ_ONLY_SQL_TRANSACTION => {
            return unavailable("is read-only: it is a standby, or default_transaction_read_only is on");
        }
        &SqlState::QUERY_CANCELED => return unavailable("cancelled a statement, which took too long"),
        &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN => {
            return unavailable("is shutting down or has ended the connection");
        }
        &SqlState::CANNOT_CONNECT_NOW => return unavailable("is starting up or shutting down"),
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => {
            return ReadStoreError::Corrupt(format!("{} ({code})", error.message()));
        }
        &SqlState::UNTRANSLATABLE_CHARACTER => return nul(),
        _ => {}
    }
    match &code[..2] {
        "08" => unavailable("lost the connection"),
        "22" => ReadStoreError::Refused(format!("a value does not fit ({code})")),
        "23" => ReadStoreError::Refused(broken_rule(error)),
        // These may show the statement, and with it what stands in it.
        _ if is_syntax(error) => ReadStoreError::Refused(format!("the statement cannot be read ({code})")),
        "42" | "0A" | "21" | "2B" | "2F" | "3F" | "54" => {
            ReadStoreError::Refused(format!("{} ({code})", error.message()))
        }
        "28" => unavailable("refuses the user or the password"),
        "3D" => unavailable("has no such database"),
        "40" => unavailable("rolled the transaction back, as it met others"),
        "53" => unavailable("has too few resources"),
        "58" => unavailable("failed in its file system"),
        _ => unavailable("failed"),
    }
}

fn is_syntax(error: &DbError) -> bool {
    matches!(error.code(), &SqlState::SYNTAX_ERROR | &SqlState::INDETERMINATE_DATATYPE)
}

/// The rule that the values break, without them.
fn broken_rule(error: &DbError) -> String {
    let mut says = match *error.code() {
        SqlState::UNIQUE_VIOLATION => "it is there already".to_owned(),
        SqlState::NOT_NULL_VIOLATION => "a value is missing".to_owned(),
        _ => "a rule of the table is broken".to_owned(),
    };
    for (kind, name) in [("constraint", error.constraint()), ("table", error.table()), ("column", error.column())] {
        if let Some(name) = name {
            // Writing to a String cannot fail.
            let _ = write!(says, ", {kind} {name}");
        }
    }
    let _ = write!(says, " ({})", error.code().code());
    says
}

/// A character that PostgreSQL has no place for.
pub(super) fn nul() -> ReadStoreError {
    ReadStoreError::Refused("a text holds the character U+0000, which PostgreSQL cannot store".to_owned())
}

/// Whether the connection is of no use any more, or never was.
pub(super) fn is_lost(error: &Error) -> bool {
    error.as_db_error().is_none_or(|error| {
        matches!(error.code(), &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW)
            || error.code().code().starts_with("08")
    })
}

/// Whether the transaction was rolled back because of another one, so that it may succeed when it is done again.
///
/// Two who make the same table at the same time meet in the catalogue, `IF NOT EXISTS` or not.
pub(super) fn is_contended(error: &Error) -> bool {
    let Some(error) = error.as_db_error() else { return false };
    let meets_in_catalogue = || error.constraint().is_some_and(|name| name.starts_with("pg_"));
    match error.code() {
        &SqlState::UNIQUE_VIOLATION => meets_in_catalogue(),
        // The last two: who looks a moment later finds it made. Done again, IF NOT EXISTS sees it too.
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::DUPLICATE_TABLE
        | &SqlState::DUPLICATE_OBJECT => true,
        // Of the catalogue's rows, too: it comes as an internal error.
        &SqlState::INTERNAL_ERROR => error.message().starts_with("tuple concurrently"),
        _ => false,
    }
}

/// Whether a statement may have been prepared for tables that have changed since.
pub(super) fn is_outdated(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        matches!(
            error.code(),
            &SqlState::FEATURE_NOT_SUPPORTED
                | &SqlState::INVALID_SQL_STATEMENT_NAME
                | &SqlState::UNDEFINED_COLUMN
                | &SqlState::DATATYPE_MISMATCH
                | &SqlState::UNDEFINED_FUNCTION
        ) || error.code().code().starts_with("XX")
    })
}

/// An error of the driver with its causes.
pub(super) fn chain(error: &Error) -> String {
    let mut says = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(says, ": {cause}");
        source = cause.source();
    }
    says
}
