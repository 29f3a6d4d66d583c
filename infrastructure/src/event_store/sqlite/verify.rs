//! The check of a whole file, for a backup just restored or a device under suspicion.

use rusqlite::Connection;

use super::{StoreError, failure, reader::Reader};

/// What must find nothing, and what it means if it does.
const FINDINGS: [(&str, &str); 5] = [
    ("SELECT 1 FROM (SELECT count(*) AS events, max(position) AS last FROM events) WHERE events <> coalesce(last, 0)", "positions are missing"),
    (
        "SELECT stream FROM events GROUP BY stream HAVING count(*) <> max(revision) + 1 OR min(revision) <> 0",
        "revisions of a stream are missing",
    ),
    (
        "SELECT 1 FROM events WHERE stream NOT IN (SELECT id FROM streams) OR type NOT IN (SELECT id FROM event_types)",
        "an event has no stream or type",
    ),
    ("SELECT 1 FROM events WHERE length(event_id) <> 16", "an event id is no UUID"),
    (
        "SELECT 1 FROM (SELECT lag(position) OVER (PARTITION BY stream ORDER BY revision) AS before, position FROM events)
         WHERE before >= position",
        "revisions of a stream are out of order",
    ),
];

/// Looks at everything in one snapshot; the first finding is the error.
pub(super) fn verify(reader: &mut Reader) -> Result<(), StoreError> {
    reader.snapshot(|connection, _| check(connection))
}

/// The same on a connection whose file nobody else writes to.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let answer: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failure::of_read)?;
    if answer != "ok" {
        return Err(StoreError::Corrupt(answer));
    }
    for (finding, meaning) in FINDINGS {
        if finds(connection, finding).map_err(failure::of_read)? {
            return Err(StoreError::Corrupt(meaning.to_owned()));
        }
    }
    Ok(())
}

fn finds(connection: &Connection, query: &str) -> rusqlite::Result<bool> {
    connection.prepare(query)?.exists([])
}
