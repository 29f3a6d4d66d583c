//! How connections are opened, and what SQLite's failures mean.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::{Connection, Error, OpenFlags, config::DbConfig, ffi};

use super::super::ReadStoreError;

/// Prepared statements kept by each connection. A projection has about ten.
const STATEMENTS_CACHED_MAX: usize = 128;
/// How long a connection waits for another process that has the file, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How large the log's file may stay after a long scan made it grow. A burst makes it half as large, and to cut it off keeps
/// the writer for tens of milliseconds.
const LOG_BYTES_KEPT_MAX: i64 = 512 * 1024 * 1024;

/// Makes the file if there is none. SQLite gives the files beside it (`-wal`, `-shm`) the same mode.
pub(super) fn create_private(path: &Path) -> Result<(), ReadStoreError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(ReadStoreError::Full),
        Err(error) => Err(unavailable(path, &error)),
    }
}

pub(super) fn unavailable(path: &Path, error: &io::Error) -> ReadStoreError {
    ReadStoreError::Unavailable(format!("{}: {error}", path.display()))
}

/// The connection that writes.
///
/// `synchronous = NORMAL`: a commit does not wait for the device. Read models are derived, and the rows share their
/// transaction with the checkpoint that they are at. So after a power cut the last commits may be missing, each as a
/// whole, and the projection does them again. A mere crash of the process loses nothing.
pub(super) fn open_writer(path: &Path, cache_kib: u32) -> Result<Connection, ReadStoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if mode != "wal" {
        return Err(ReadStoreError::Unavailable(format!("SQLite offers the journal mode {mode}, not wal")));
    }
    set(&connection, "synchronous", "NORMAL")?;
    // Checkpoints are wal.rs' affair.
    set(&connection, "wal_autocheckpoint", 0)?;
    set(&connection, "journal_size_limit", LOG_BYTES_KEPT_MAX)?;
    set(&connection, "cache_size", -i64::from(cache_kib))?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, ReadStoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    set(&connection, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, ReadStoreError> {
    // One thread at a time has a connection, so SQLite need not lock it.
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|error| failed(&error))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failed(&error))?;
    // Plans do not depend on values; otherwise SQLite prepares a kept statement again each time one is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(|error| failed(&error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    Ok(connection)
}

fn set(connection: &Connection, pragma: &str, value: impl rusqlite::ToSql) -> Result<(), ReadStoreError> {
    connection.pragma_update(None, pragma, value).map_err(|error| failed(&error))
}

/// What a failure means. Messages name tables and columns, never values.
pub(super) fn failed(error: &Error) -> ReadStoreError {
    let (code, message) = if let Error::SqliteFailure(error, message) = error {
        (error.extended_code, message.as_deref())
    } else if let Error::SqlInputError { error, msg, .. } = error {
        // Its `Display` shows the whole statement.
        (error.extended_code, Some(msg.as_str()))
    } else {
        // Whatever else rusqlite finds is a mistake of the statement, such as two of them in one text.
        return ReadStoreError::Refused(error.to_string());
    };
    let message = message.unwrap_or_else(|| ffi::code_to_str(code)).to_owned();
    // The low byte is the kind, the others say more.
    match code & 0xff {
        ffi::SQLITE_FULL => ReadStoreError::Full,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => ReadStoreError::Corrupt(message),
        ffi::SQLITE_ERROR
        | ffi::SQLITE_CONSTRAINT
        | ffi::SQLITE_MISMATCH
        | ffi::SQLITE_TOOBIG
        | ffi::SQLITE_RANGE
        | ffi::SQLITE_AUTH => ReadStoreError::Refused(message),
        // Busy, locked, out of memory, a failing device: the statement is not to blame.
        _ => ReadStoreError::Unavailable(message),
    }
}
