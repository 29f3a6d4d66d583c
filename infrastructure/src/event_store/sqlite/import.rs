//! Filling an empty store with events that were recorded elsewhere, each with the numbers and the time it had there.
//!
//! This is no append: nothing is decided, and nothing gets a new number. A file beside the store's own is filled
//! without any care for crashes, because what does not get to the end is thrown away; then it is verified, made
//! durable and renamed. **Invariant:** under the store's name stands what stood there before, or the whole import.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, params};

use super::{
    failure, open, reader, schema,
    sequence::{LogSequence, OutOfSequence, Place},
    to_i64, to_u64, verify,
};
use crate::event_store::{Name, Position, RecordedEvent, StoreError};

/// What the name of the file ends with until the import is complete.
const DRAFT_SUFFIX: &str = ".importing";
/// What SQLite may put beside a file.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// SQLite's page cache meanwhile (64 MiB): the index is sorted in it.
const CACHE_KIB: i64 = 64 * 1024;
/// The same for a look at the end of the log.
const LOOK_CACHE_KIB: u32 = 64;

/// Why an import does not happen. The store is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// An import makes a store, it does not add to one.
    #[error("the event store is not empty: its last position is {head}")]
    NotEmpty {
        /// Its last position.
        head: Position,
    },
    /// The events are not a log that this store can hold.
    #[error(transparent)]
    OutOfSequence(#[from] OutOfSequence),
    /// The file system or SQLite fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An import under way. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct SqliteEventImport {
    // Before the draft, which is removed when dropped.
    connection: Connection,
    draft: Draft,
    sequence: LogSequence,
    types: HashMap<Name, usize>,
    path: PathBuf,
    lock: File,
}

/// An import that is complete, verified and durable, but not the store yet.
#[derive(Debug)]
pub struct CompleteEventImport {
    draft: Draft,
    path: PathBuf,
    _lock: File,
}

/// A file that is removed with all that SQLite puts beside it.
#[derive(Debug)]
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed is no store, and the next import removes it.
        let _ = remove(&self.0);
    }
}

impl SqliteEventImport {
    /// Whether an import may make the store at `path`: an error if there are events, or if what is there cannot be
    /// read. Changes nothing.
    pub fn refuse_unless_empty(path: &Path) -> Result<(), ImportError> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(open::unavailable(path, &error).into()),
            // A start that crashed before it had made the tables.
            Ok(file) if file.len() == 0 => return Ok(()),
            Ok(_) => {}
        }
        let connection = open::visitor_connection(path, LOOK_CACHE_KIB)?;
        let head = reader::head(&connection).map_err(failure::of_read)?;
        if head > 0 { Err(ImportError::NotEmpty { head: Position::new(to_u64(head)) }) } else { Ok(()) }
    }

    /// Begins to fill a store that will be at `path`; its folder must exist. A store that is there must have no
    /// events. What an earlier import left unfinished is removed.
    pub fn begin(path: &Path) -> Result<Self, ImportError> {
        let lock = open::lock(path)?;
        Self::refuse_unless_empty(path)?;
        let draft = Draft(open::beside(path, DRAFT_SUFFIX));
        remove(&draft.0)?;
        open::owner_only().create_new(true).open(&draft.0).map_err(|error| open::unavailable(&draft.0, &error))?;
        let connection = connect(&draft.0).map_err(failure::of_read)?;
        Ok(Self {
            connection,
            draft,
            sequence: LogSequence::default(),
            types: HashMap::new(),
            path: path.to_owned(),
            lock,
        })
    }

    /// Takes the next event, as it was recorded.
    pub fn add(&mut self, event: &RecordedEvent) -> Result<(), ImportError> {
        let place = self.sequence.place(event)?;
        self.insert(event, &place).map_err(|error| failure::of_read(error).into())
    }

    fn insert(&mut self, event: &RecordedEvent, place: &Place) -> rusqlite::Result<()> {
        let stream = to_i64(place.stream as u64);
        if place.is_first {
            let mut statement =
                self.connection.prepare_cached("INSERT INTO streams (id, category, key) VALUES (?1, ?2, ?3)")?;
            statement.execute(params![stream, &*event.stream.category, &event.stream.id.as_bytes()[..]])?;
        }
        let event_type = self.event_type(&event.type_name)?;
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO events (position, stream, revision, event_id, type, recorded_at, metadata, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        statement.execute(params![
            to_i64(event.position.value()),
            stream,
            to_i64(event.revision.value()),
            &event.id.as_bytes()[..],
            event_type,
            event.recorded_at.timestamp_micros(),
            event.metadata,
            event.data,
        ])?;
        Ok(())
    }

    fn event_type(&mut self, name: &Name) -> rusqlite::Result<i64> {
        if let Some(number) = self.types.get(name) {
            return Ok(to_i64(*number as u64));
        }
        let number = self.types.len() + 1;
        let stored = to_i64(number as u64);
        let mut statement = self.connection.prepare_cached("INSERT INTO event_types (id, name) VALUES (?1, ?2)")?;
        statement.execute(params![stored, &**name])?;
        self.types.insert(name.clone(), number);
        Ok(stored)
    }

    /// Ends it: checks all that was written, and makes it durable. Takes a while.
    pub fn complete(self) -> Result<CompleteEventImport, ImportError> {
        // Dropped from the last to the first: the file is closed, then removed, then others are let in.
        let Self { lock, path, draft, connection, .. } = self;
        connection.execute_batch("COMMIT").map_err(failure::of_read)?;
        schema::create_index(&connection).map_err(failure::of_read)?;
        verify::check(&connection)?;
        // As a server leaves it; so nobody who looks at it keeps the first server from switching the mode.
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
            .map_err(failure::of_read)?;
        if mode != "wal" {
            return Err(open::no_wal(&mode).into());
        }
        connection.close().map_err(|(_, error)| failure::of_read(error))?;
        sync(&draft.0)?;
        Ok(CompleteEventImport { draft, path, _lock: lock })
    }
}

impl CompleteEventImport {
    /// Makes it the store, durably.
    pub fn install(self) -> Result<(), StoreError> {
        // A write-ahead log of the empty store must never meet the new file, whatever happens in between.
        remove(&self.path)?;
        sync_folder(&self.path)?;
        fs::rename(&self.draft.0, &self.path).map_err(|error| open::unavailable(&self.path, &error))?;
        sync_folder(&self.path)
    }
}

/// A new file with the tables, in a transaction that ends with the import. Nothing keeps it whole in a crash.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    schema::create_tables(&connection)?;
    Ok(connection)
}

/// Removes a database with all that SQLite puts beside it. Nothing there is fine.
fn remove(path: &Path) -> Result<(), StoreError> {
    let side_files = SIDE_FILES.iter().map(|suffix| open::beside(path, suffix));
    for file in side_files.chain([path.to_owned()]) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(open::unavailable(&file, &error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn sync(path: &Path) -> Result<(), StoreError> {
    // Some systems sync only what may be written to.
    let file = open::owner_only().open(path);
    file.and_then(|file| file.sync_all()).map_err(|error| open::unavailable(path, &error))
}

/// Makes durable which files stand in the folder of `path`.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "it can fail where folders can be synced"))]
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        // A bare file name stands in the folder of the process.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| open::unavailable(folder, &error))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests;
