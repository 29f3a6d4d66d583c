//! Read-only connections to the file, and how a page is read.
//!
//! Every page comes from one snapshot, names included, so a page never knows of an event without its type. A page has
//! a bound in events, in bytes and in how much of the log it looks at: a reader of rare events gets empty pages that
//! still take it further, and never holds a snapshot so long that the write-ahead log cannot start again.

use std::{
    fs::File,
    sync::{Arc, Mutex, PoisonError},
};

use domain::Timestamp;
use rusqlite::{Connection, Row, params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{
    super::{
        AllPage, Direction, Name, Position, RecordedEvent, Revision, StoreError, StreamId, StreamPage, TypeFilter,
    },
    failure, to_i64, to_u64,
};

/// How much one page may hold and look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLimits {
    /// The most events.
    pub(super) events: usize,
    /// The payload at which it takes no more events.
    pub(super) bytes: usize,
    /// The most events of the log to look at.
    pub(super) scanned: i64,
}

/// A set of connections of which each serves one reader at a time.
#[derive(Debug)]
pub(super) struct Readers {
    free: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
    /// Closed after the connections (wal.rs); whoever only looks has none.
    _tables: Option<Arc<File>>,
}

/// A connection on loan; it goes back when dropped.
pub(super) struct Lease {
    reader: Option<Reader>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

/// One read-only connection.
#[derive(Debug)]
pub(super) struct Reader {
    connection: Connection,
    names: Names,
}

impl Readers {
    /// Lends out these connections.
    pub(super) fn new(connections: Vec<Connection>, tables: Option<Arc<File>>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connections.len()));
        let free = connections.into_iter().map(|connection| Reader { connection, names: Names::default() }).collect();
        Arc::new(Self { free: Mutex::new(free), permits, _tables: tables })
    }

    /// Waits for a free connection.
    pub(super) async fn lease(self: &Arc<Self>) -> Lease {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let reader = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lease { reader, readers: Arc::clone(self), _permit: permit }
    }
}

impl Lease {
    /// The connection.
    pub(super) fn reader(&mut self) -> &mut Reader {
        self.reader.as_mut().expect("there is a connection for each permit, and it goes back only on drop")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Before the permit is released, which happens after this body.
        self.readers.free.lock().unwrap_or_else(PoisonError::into_inner).extend(self.reader.take());
    }
}

impl Reader {
    /// The last position.
    pub(super) fn head(&self) -> Result<Position, StoreError> {
        let head = head(&self.connection).map_err(failure::of_read)?;
        Ok(Position::new(to_u64(head)))
    }

    /// Events of one stream.
    pub(super) fn read_stream(
        &mut self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limits: PageLimits,
    ) -> Result<StreamPage, StoreError> {
        let sql = match direction {
            Direction::Forwards => {
                "SELECT position, revision, event_id, type, recorded_at, metadata, data FROM events
                 WHERE stream = (SELECT id FROM streams WHERE category = ?1 AND key = ?2) AND revision >= ?3
                 ORDER BY revision"
            }
            Direction::Backwards => {
                "SELECT position, revision, event_id, type, recorded_at, metadata, data FROM events
                 WHERE stream = (SELECT id FROM streams WHERE category = ?1 AND key = ?2) AND revision <= ?3
                 ORDER BY revision DESC"
            }
        };
        let Self { connection, names } = self;
        let mut statement = connection.prepare_cached(sql).map_err(failure::of_read)?;
        let key = &stream.id.as_bytes()[..];
        let mut rows =
            statement.query(params![&*stream.category, key, to_i64(from.value())]).map_err(failure::of_read)?;
        let mut page = StreamPage { events: Vec::new(), is_end: true };
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(failure::of_read)? {
            if page.events.len() >= limits.events || bytes >= limits.bytes {
                page.is_end = false;
                break;
            }
            let type_name = names.event_type(connection, integer(row, 3)?)?;
            let event = event(row, stream.clone(), type_name)?;
            bytes += event.metadata.len() + event.data.len();
            page.events.push(event);
        }
        Ok(page)
    }

    /// Events of the whole log.
    pub(super) fn read_all(
        &mut self,
        after: Position,
        filter: &TypeFilter,
        limits: PageLimits,
    ) -> Result<AllPage, StoreError> {
        self.snapshot(|connection, names| {
            let head = head(connection).map_err(failure::of_read)?;
            let start = to_i64(after.value());
            if start >= head {
                return Ok(AllPage { events: Vec::new(), scanned_to: after, is_end: true });
            }
            names.load_types(connection)?;
            let Some(sql) = scan_sql(names, filter) else {
                let scanned_to = Position::new(to_u64(head));
                return Ok(AllPage { events: Vec::new(), scanned_to, is_end: true });
            };
            let end = head.min(start.saturating_add(limits.scanned));
            let (events, is_cut) = scan(connection, names, &sql, (start, end), limits)?;
            let scanned_to = match (is_cut, events.last()) {
                (true, Some(last)) => last.position,
                (true, None) => after,
                (false, _) => Position::new(to_u64(end)),
            };
            Ok(AllPage { events, scanned_to, is_end: scanned_to.value() >= to_u64(head) })
        })
    }

    /// Runs `read` in one read transaction.
    pub(super) fn snapshot<T>(
        &mut self,
        read: impl FnOnce(&Connection, &mut Names) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Self { connection, names } = self;
        let run = |sql| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        if !connection.is_autocommit() {
            // A read before this one panicked; its snapshot is old.
            run("ROLLBACK").map_err(failure::of_read)?;
        }
        run("BEGIN").map_err(failure::of_read)?;
        let page = read(connection, names);
        run("COMMIT").map_err(failure::of_read)?;
        page
    }
}

/// The names this connection has met. Rows of names never change, so they stay true in every later snapshot.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The type with number *n* is `types[n - 1]`.
    types: Vec<Name>,
    categories: Vec<Name>,
}

impl Names {
    fn event_type(&mut self, connection: &Connection, number: i64) -> Result<Name, StoreError> {
        let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
        if index >= self.types.len() {
            self.load_types(connection)?;
        }
        let name = self.types.get(index).cloned();
        name.ok_or_else(|| StoreError::Corrupt(format!("an event has the unknown type {number}")))
    }

    fn load_types(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut statement = connection
            .prepare_cached("SELECT id, name FROM event_types WHERE id > ?1 ORDER BY id")
            .map_err(failure::of_read)?;
        let mut rows = statement.query([to_i64(self.types.len() as u64)]).map_err(failure::of_read)?;
        while let Some(row) = rows.next().map_err(failure::of_read)? {
            let number = integer(row, 0)?;
            if to_u64(number) != self.types.len() as u64 + 1 {
                return Err(StoreError::Corrupt(format!("event type {} is missing", self.types.len() + 1)));
            }
            self.types.push(Name::from(text(row, 1)?));
        }
        Ok(())
    }

    /// There are a handful of categories, so looking through them is the fastest way to share one.
    fn category(&mut self, name: &str) -> Name {
        if let Some(known) = self.categories.iter().find(|known| &***known == name) {
            return known.clone();
        }
        let name = Name::from(name);
        self.categories.push(name.clone());
        name
    }
}

/// The last position; 0 if there are no events.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(position), 0) FROM events")?.query_row([], |row| row.get(0))
}

/// The scan for `filter`; none if no type passes it.
fn scan_sql(names: &Names, filter: &TypeFilter) -> Option<String> {
    let numbers: Vec<String> = (1_u64..)
        .zip(&names.types)
        .filter(|(_, name)| filter.passes(name))
        .map(|(number, _)| number.to_string())
        .collect();
    if numbers.is_empty() {
        return None;
    }
    let only = if numbers.len() == names.types.len() {
        String::new()
    } else {
        format!("AND e.type IN ({})", numbers.join(","))
    };
    // CROSS JOIN is SQLite's way to say: the events first, then the stream of each.
    Some(format!(
        "SELECT e.position, e.revision, e.event_id, e.type, e.recorded_at, e.metadata, e.data, s.category, s.key
         FROM events e CROSS JOIN streams s ON s.id = e.stream
         WHERE e.position > ?1 AND e.position <= ?2 {only} ORDER BY e.position LIMIT ?3"
    ))
}

/// The events in `range` (after, up to), and whether a limit cut the page short.
fn scan(
    connection: &Connection,
    names: &mut Names,
    sql: &str,
    range: (i64, i64),
    limits: PageLimits,
) -> Result<(Vec<RecordedEvent>, bool), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failure::of_read)?;
    let limit = to_i64(limits.events as u64);
    let mut rows = statement.query(params![range.0, range.1, limit]).map_err(failure::of_read)?;
    let mut events = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(failure::of_read)? {
        let type_name = names.event_type(connection, integer(row, 3)?)?;
        let stream = StreamId { category: names.category(text(row, 7)?), id: id(row, 8)? };
        let event = event(row, stream, type_name)?;
        bytes += event.metadata.len() + event.data.len();
        events.push(event);
        if bytes >= limits.bytes {
            return Ok((events, true));
        }
    }
    let is_cut = events.len() >= limits.events;
    Ok((events, is_cut))
}

/// The event in the first columns of `row`.
fn event(row: &Row<'_>, stream: StreamId, type_name: Name) -> Result<RecordedEvent, StoreError> {
    let micros = integer(row, 4)?;
    Ok(RecordedEvent {
        position: Position::new(to_u64(integer(row, 0)?)),
        stream,
        revision: Revision::new(to_u64(integer(row, 1)?)),
        id: id(row, 2)?,
        type_name,
        recorded_at: Timestamp::from_timestamp_micros(micros)
            .ok_or_else(|| StoreError::Corrupt(format!("an event was recorded at the impossible time {micros}")))?,
        metadata: text(row, 5)?.to_owned(),
        data: text(row, 6)?.to_owned(),
    })
}

fn integer(row: &Row<'_>, column: usize) -> Result<i64, StoreError> {
    row.get(column).map_err(failure::of_read)
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, StoreError> {
    let value = row.get_ref(column).map_err(failure::of_read)?;
    value.as_str().map_err(|error| StoreError::Corrupt(format!("column {column} of an event is no text: {error}")))
}

fn id(row: &Row<'_>, column: usize) -> Result<Uuid, StoreError> {
    let value = row.get_ref(column).map_err(failure::of_read)?;
    let bytes = value.as_blob().ok().and_then(|bytes| Uuid::from_slice(bytes).ok());
    bytes.ok_or_else(|| StoreError::Corrupt(format!("column {column} of an event is no UUID")))
}
