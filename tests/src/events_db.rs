//! The event store's file, changed behind the server's back while no server has it: events that nobody understands, and
//! a long history without the wait for it.
//!
//! On the cluster profile it is the file of the double, which keeps events of its own in it, too; see stores.rs.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use uuid::Uuid;

/// The file, opened to write. One transaction; see [`write()`].
#[derive(Debug)]
pub struct EventsDb<'a>(Transaction<'a>);

/// Changes the file, all or nothing.
pub fn write<T>(events_db: &Path, change: impl FnOnce(&EventsDb<'_>) -> T) -> T {
    let mut connection = Connection::open(events_db).expect("the event store's file");
    let transaction = EventsDb(connection.transaction().expect("nobody else writes"));
    let changed = change(&transaction);
    transaction.0.commit().expect("the events can be written");
    changed
}

impl EventsDb<'_> {
    /// Appends an event to a stream, which there may be already. Gives its position in the file.
    pub fn append(&self, category: &str, key: Uuid, kind: &str, data: &str) -> u64 {
        let stream = self.stream(category, key);
        let kind = self.kind(kind);
        let sql = "INSERT INTO events (position, stream, revision, event_id, type, recorded_at, metadata, data)
             VALUES ((SELECT coalesce(max(position), 0) + 1 FROM events),
                     ?1, (SELECT coalesce(max(revision), -1) + 1 FROM events WHERE stream = ?1), randomblob(16),
                     ?2, CAST(unixepoch('subsec') * 1000000 AS INTEGER), '{}', ?3)
             RETURNING position";
        let mut statement = self.0.prepare_cached(sql).expect("SQL");
        let position = statement.query_row(params![stream, kind, data], |row| row.get::<_, i64>(0));
        position.expect("an event can be written").cast_unsigned()
    }

    /// Appends an event of the same type to each of these streams, which there are not yet. Gives the last one's position in
    /// the file. Much faster than one by one.
    pub fn append_new(&self, category: &str, kind: &str, events: impl IntoIterator<Item = (Uuid, String)>) -> u64 {
        let kind = self.kind(kind);
        let last = self.0.query_row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get(0));
        let mut position: i64 = last.expect("the events can be read");
        let stream = "INSERT INTO streams (category, key) VALUES (?1, ?2) RETURNING id";
        let mut stream = self.0.prepare(stream).expect("SQL");
        let event = "INSERT INTO events (position, stream, revision, event_id, type, recorded_at, metadata, data)
             VALUES (?1, ?2, 0, randomblob(16), ?3, CAST(unixepoch('subsec') * 1000000 AS INTEGER), '{}', ?4)";
        let mut event = self.0.prepare(event).expect("SQL");
        for (key, data) in events {
            let stream: i64 =
                stream.query_row(params![category, key.as_bytes()], |row| row.get(0)).expect("the stream is new");
            position += 1;
            event.execute(params![position, stream, kind, data]).expect("an event can be written");
        }
        position.cast_unsigned()
    }

    /// Gives the event at this position of the file other data.
    pub fn replace(&self, position: u64, data: &str) {
        let changed =
            self.0.execute("UPDATE events SET data = ?2 WHERE position = ?1", params![position.cast_signed(), data]);
        assert_eq!(changed.expect("an event can be written"), 1, "there is no event at {position}");
    }

    /// Gives the first event of Millrace's, the second and so on, other data. It must not be longer than what was there,
    /// and is filled up to that: a log of bytes has everything behind it at the same places then.
    pub fn replace_nth(&self, nth: usize, data: &str) {
        let find = "SELECT e.position, length(CAST(e.data AS BLOB)) FROM events e JOIN streams s ON s.id = e.stream
             WHERE s.category NOT LIKE '~%' ORDER BY e.position LIMIT 1 OFFSET ?1";
        let found = self.0.query_row(find, [i64::try_from(nth).expect("small") - 1], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        let (position, room) = found.expect("there are so many events");
        let room = usize::try_from(room).expect("a length");
        assert!(data.len() <= room, "there is no room for {data}");
        self.replace(position.cast_unsigned(), &format!("{data:room$}"));
    }

    fn stream(&self, category: &str, key: Uuid) -> i64 {
        let find = "SELECT id FROM streams WHERE category = ?1 AND key = ?2";
        let mut find = self.0.prepare_cached(find).expect("SQL");
        let found = find.query_row(params![category, key.as_bytes()], |row| row.get(0)).optional();
        found.expect("streams can be read").unwrap_or_else(|| {
            let add = "INSERT INTO streams (category, key) VALUES (?1, ?2) RETURNING id";
            let mut add = self.0.prepare_cached(add).expect("SQL");
            add.query_row(params![category, key.as_bytes()], |row| row.get(0)).expect("a stream can be written")
        })
    }

    fn kind(&self, name: &str) -> i64 {
        let add = "INSERT OR IGNORE INTO event_types (name) VALUES (?1)";
        self.0.prepare_cached(add).expect("SQL").execute([name]).expect("a type can be written");
        let find = "SELECT id FROM event_types WHERE name = ?1";
        self.0.prepare_cached(find).expect("SQL").query_row([name], |row| row.get(0)).expect("a type can be read")
    }
}
