//! Opening the file: who may, whose it is, what SQLite is told.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::sync::watch;

use super::{
    PageLimits, SqliteEventStore, SqliteEventStoreOptions, StoreError, failure, log::Log, reader::Readers, schema,
    writer::Writer,
};
use crate::wal::{Checkpoints, open_tables};

/// How long the write-ahead log may stay when it starts again (64 MiB).
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// How many statements a reader keeps prepared: a few, and one for each set of event types somebody follows.
const READER_STATEMENTS_MAX: usize = 64;

pub(super) fn open(path: &Path, options: SqliteEventStoreOptions) -> Result<SqliteEventStore, StoreError> {
    // The lock comes first: nothing below is safe beside another writer.
    let lock = lock(path)?;
    create(path).map_err(|error| unavailable(path, &error))?;
    let tables = open_tables(path).map_err(|error| unavailable(path, &error))?;
    let mut connection = writer_connection(path, options.writer_cache_kib)?;
    let copier = writer_connection(path, options.reader_cache_kib)?;
    let checkpoints =
        Checkpoints::start("event-checkpoint", Arc::clone(&tables), &mut connection, copier, options.log_pages)
            .map_err(|error| StoreError::Unavailable(format!("checkpoints do not start: {error}")))?;
    let log = Log::new(connection, options.streams_cached)?;
    let tail = Arc::new(watch::Sender::new(log.head()));
    let readers = |count: usize| -> Result<_, StoreError> {
        let connections = (0..count.max(1)).map(|_| reader_connection(path, options.reader_cache_kib));
        Ok(Readers::new(connections.collect::<Result<_, _>>()?, Some(Arc::clone(&tables))))
    };
    tracing::info!(log.position = log.head().value(), "opened the event store at position {}", log.head());
    Ok(SqliteEventStore {
        points: readers(options.point_readers)?,
        scans: readers(options.scan_readers)?,
        writer: Writer::start(log, checkpoints, Arc::clone(&tail))?,
        tail,
        long_page: PageLimits {
            events: 0,
            bytes: options.page_bytes_max,
            scanned: i64::from(options.page_scanned_max.max(1)),
        },
        _lock: lock,
    })
}

/// Takes the lock of the one writing process. It lies beside the file, because closing any handle of the file itself
/// would release SQLite's own locks.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let path = beside(path, "-lock");
    let file = owner_only().create(true).open(&path).map_err(|error| unavailable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Unavailable(format!("another process has it open: {} is locked", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable(&path, &error)),
    }
}

/// Creates the file for its owner only; SQLite gives the files beside it the same permissions.
fn create(path: &Path) -> io::Result<()> {
    match owner_only().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn writer_connection(path: &Path, cache_kib: u32) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = stable(Connection::open_with_flags(path, flags).map_err(failure::of_read)?)?;
    // Before anything that would change the file of somebody else.
    schema::prepare(&mut connection)?;
    let mode = configure_writer(&connection, cache_kib).map_err(failure::of_read)?;
    if mode == "wal" { Ok(connection) } else { Err(no_wal(&mode)) }
}

/// SQLite could not do better than journal mode `mode`.
pub(super) fn no_wal(mode: &str) -> StoreError {
    StoreError::Unavailable(format!("the file system takes no write-ahead log, only journal mode {mode}"))
}

/// Returns the journal mode: SQLite keeps the old one where the file system cannot do better.
fn configure_writer(connection: &Connection, cache_kib: u32) -> rusqlite::Result<String> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    // COMMIT returns after the log is synced, on macOS through to the platter as well.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // Checkpoints are wal.rs' affair.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    Ok(mode)
}

fn reader_connection(path: &Path, cache_kib: u32) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = stable(Connection::open_with_flags(path, flags).map_err(failure::of_read)?)?;
    connection.set_prepared_statement_cache_capacity(READER_STATEMENTS_MAX);
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib)).map_err(failure::of_read)?;
    Ok(connection)
}

/// Plans do not depend on values; otherwise SQLite prepares a kept statement again each time one is bound.
fn stable(connection: Connection) -> Result<Connection, StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failure::of_read)?;
    Ok(connection)
}

/// A connection for whoever only looks. The file must be an event store of this format.
pub(super) fn visitor_connection(path: &Path, cache_kib: u32) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Unavailable(format!("there is no event store at {}", path.display())));
    }
    let connection = reader_connection(path, cache_kib)?;
    schema::check(&connection)?;
    Ok(connection)
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn unavailable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}
