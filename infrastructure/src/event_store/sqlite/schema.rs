//! The tables of the event store's file, and who may open it.
//!
//! Names are stored once and events refer to them by number, so that the one index on events holds integers only:
//! that is what makes appends fast. There is deliberately no index on `event_id`; whether an append is a repeat is
//! seen at its place in its stream. The view `event_log` puts the names back for whoever looks with an SQLite tool.

use rusqlite::{Connection, TransactionBehavior};

use super::{StoreError, failure};

/// The layout of the tables below. A file with a higher number was written by a newer Millrace.
pub(super) const FORMAT_VERSION: i32 = 1;
/// "Mlrc": says in the file's header that it is an event store of Millrace.
pub(super) const APPLICATION_ID: i32 = 0x4d6c_7263;

const TABLES: &str = "
CREATE TABLE streams (
    id       INTEGER PRIMARY KEY,
    category TEXT NOT NULL,
    key      BLOB NOT NULL,
    UNIQUE (category, key)
) STRICT;

CREATE TABLE event_types (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE events (
    position    INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    event_id    BLOB NOT NULL,
    type        INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    metadata    TEXT NOT NULL,
    data        TEXT NOT NULL
) STRICT;

CREATE VIEW event_log AS
WITH named AS (
    SELECT e.*, s.category, lower(hex(s.key)) AS key, lower(hex(e.event_id)) AS id, t.name
    FROM events e JOIN streams s ON s.id = e.stream JOIN event_types t ON t.id = e.type
)
SELECT position,
       category || '-' || substr(key, 1, 8) || '-' || substr(key, 9, 4) || '-' || substr(key, 13, 4) || '-'
           || substr(key, 17, 4) || '-' || substr(key, 21) AS stream,
       revision,
       name AS type,
       strftime('%Y-%m-%dT%H:%M:%S', recorded_at / 1000000, 'unixepoch')
           || printf('.%06dZ', recorded_at % 1000000) AS recorded_at,
       substr(id, 1, 8) || '-' || substr(id, 9, 4) || '-' || substr(id, 13, 4) || '-' || substr(id, 17, 4) || '-'
           || substr(id, 21) AS event_id,
       metadata,
       data
FROM named;
";

/// Apart from the tables, because a full one is sorted faster than an index grows.
const INDEX: &str = "CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);";

/// What every statement of this adapter needs; fails on a file that has the mark of an event store but not its tables.
const PROBES: [&str; 3] = [
    "SELECT id, category, key FROM streams LIMIT 1",
    "SELECT id, name FROM event_types LIMIT 1",
    "SELECT position, stream, revision, event_id, type, recorded_at, metadata, data
     FROM events INDEXED BY events_by_stream WHERE stream = 1 AND revision = 0",
];

/// Creates the tables in an empty file; otherwise checks that this build can read what is there. A file of anybody
/// else is left as it is.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    let application_id: i32 = pragma(connection, "application_id")?;
    let version: i32 = pragma(connection, "user_version")?;
    if application_id != APPLICATION_ID {
        let objects: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(failure::of_read)?;
        if application_id != 0 || version != 0 || objects != 0 {
            return Err(StoreError::Format("it is another program's SQLite database".to_owned()));
        }
        return create(connection).map_err(failure::of_read);
    }
    check(connection)
}

/// Whether this is an event store that this build can read.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    if pragma(connection, "application_id")? != APPLICATION_ID {
        return Err(StoreError::Format("it is not an event store".to_owned()));
    }
    let version: i32 = pragma(connection, "user_version")?;
    if version > FORMAT_VERSION {
        return Err(StoreError::Format(format!(
            "it has format {version}, this Millrace reads up to {FORMAT_VERSION}; start the newer version instead"
        )));
    }
    if version < FORMAT_VERSION {
        return Err(StoreError::Corrupt(format!("format {version} was never written")));
    }
    for probe in PROBES {
        connection.prepare(probe).map_err(|error| StoreError::Corrupt(format!("its tables are not there: {error}")))?;
    }
    Ok(())
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    // The mark and the tables come in one transaction: a crash leaves an empty file or an event store.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    create_tables(&transaction)?;
    create_index(&transaction)?;
    transaction.commit()
}

/// The mark and the tables, for whoever fills them before they get their index.
pub(super) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT_VERSION)
}

/// The index on the events.
pub(super) fn create_index(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(INDEX)
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, StoreError> {
    connection.pragma_query_value(None, name, |row| row.get(0)).map_err(failure::of_read)
}
