//! The writer's side of the file: batches of appends, each batch one transaction.
//!
//! **Invariant:** what is remembered here is what the file holds. Only this code writes to the file, so the last
//! position and the revisions of recently used streams need not be read again; when a transaction is rolled back,
//! what was remembered from inside it is forgotten.

use std::collections::HashMap;

use quick_cache::unsync::Cache;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::{
    super::{Append, AppendError, Appended, ExpectedRevision, Name, Position, Revision, StoreError, StreamId},
    failure::{self, BatchFailure},
    to_i64, to_u64,
};

/// The answers to a batch, in the order of its appends.
pub(super) type Answers = Vec<Result<Appended, AppendError>>;

/// How a transaction ends that nothing went wrong in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Commit,
    RollBack,
}

/// The file as its one writer sees it.
#[derive(Debug)]
pub(super) struct Log {
    connection: Connection,
    known: Known,
}

/// What is known without reading.
#[derive(Debug)]
struct Known {
    /// Recently written streams.
    streams: Cache<StreamId, Stream>,
    /// All event types.
    types: HashMap<Name, i64>,
    /// The last numbers given out, this transaction's included.
    last: Numbers,
    /// The last numbers that are committed.
    committed: Numbers,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    number: i64,
    /// Its last revision, or [`NO_EVENTS`] between its creation and its first event.
    revision: i64,
}

/// One before the first revision.
const NO_EVENTS: i64 = -1;

#[derive(Clone, Copy, Debug)]
struct Numbers {
    position: i64,
    stream: i64,
    event_type: i64,
}

impl Log {
    /// Takes over a connection to a file with the tables of schema.rs, and checks that its ends fit together.
    pub(super) fn new(connection: Connection, streams_cached: usize) -> Result<Self, StoreError> {
        let known = Known::read(&connection, streams_cached).map_err(failure::of_read)?;
        let is_whole: bool = connection
            .query_row(
                "SELECT coalesce(min(position), 1) = 1 AND NOT EXISTS (
                     SELECT 1 FROM events e WHERE e.position = ?1 AND NOT (
                         EXISTS (SELECT 1 FROM streams WHERE id = e.stream)
                         AND EXISTS (SELECT 1 FROM event_types WHERE id = e.type)))
                 FROM events",
                [known.last.position],
                |row| row.get(0),
            )
            .map_err(failure::of_read)?;
        if !is_whole {
            return Err(StoreError::Corrupt("the log does not begin or end as it was written".to_owned()));
        }
        Ok(Self { connection, known })
    }

    /// The last committed position.
    pub(super) fn head(&self) -> Position {
        Position::new(to_u64(self.known.committed.position))
    }

    /// Writes what can be written of `appends` in one transaction; durable when it returns.
    pub(super) fn write(&mut self, appends: &[Append]) -> Result<Answers, BatchFailure> {
        self.transact(appends, |_| End::Commit)
    }

    /// Writes all of `appends` in one transaction, or none: the first that is refused is told by its index.
    pub(super) fn write_whole(&mut self, appends: &[Append]) -> Result<Result<(), (usize, AppendError)>, BatchFailure> {
        let end = |answers: &Answers| if answers.iter().all(Result::is_ok) { End::Commit } else { End::RollBack };
        let answers = self.transact(appends, end)?;
        let refused = answers.into_iter().enumerate().find_map(|(index, answer)| Some((index, answer.err()?)));
        Ok(refused.map_or(Ok(()), Err))
    }

    /// Writes what can be written of `appends`, and ends the transaction as its answers decide by `end`.
    fn transact(&mut self, appends: &[Append], end: impl FnOnce(&Answers) -> End) -> Result<Answers, BatchFailure> {
        let ended = transact(&self.connection, &mut self.known, appends, end);
        match &ended {
            Ok((_, End::Commit)) => self.known.committed = self.known.last,
            Ok((_, End::RollBack)) | Err(_) => self.known.forget_uncommitted(),
        }
        ended.map(|(answers, _)| answers)
    }

    /// The connection, for checkpoints between two batches.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Known {
    fn read(connection: &Connection, streams_cached: usize) -> rusqlite::Result<Self> {
        let last = connection.query_row(
            "SELECT (SELECT coalesce(max(position), 0) FROM events),
                    (SELECT coalesce(max(id), 0) FROM streams),
                    (SELECT coalesce(max(id), 0) FROM event_types)",
            [],
            |row| Ok(Numbers { position: row.get(0)?, stream: row.get(1)?, event_type: row.get(2)? }),
        )?;
        let types = connection
            .prepare("SELECT name, id FROM event_types")?
            .query_map([], |row| Ok((Name::from(row.get_ref(0)?.as_str()?), row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self { streams: Cache::new(streams_cached), types, last, committed: last })
    }

    fn forget_uncommitted(&mut self) {
        self.last = self.committed;
        // Which streams the transaction touched is not recorded: this is rare, and a point read brings each back.
        self.streams.clear();
        self.types.retain(|_, number| *number <= self.committed.event_type);
    }
}

fn transact(
    connection: &Connection,
    known: &mut Known,
    appends: &[Append],
    end: impl FnOnce(&Answers) -> End,
) -> Result<(Answers, End), BatchFailure> {
    run(connection, "BEGIN IMMEDIATE").map_err(|error| failure::before_commit(&error))?;
    let answers = Batch::run(connection, known, appends)
        .map_err(|error| rolled_back(connection, failure::before_commit(&error)))?;
    let end = end(&answers);
    let sql = match end {
        End::Commit => "COMMIT",
        End::RollBack => "ROLLBACK",
    };
    run(connection, sql).map_err(|error| rolled_back(connection, failure::of_commit(&error)))?;
    Ok((answers, end))
}

/// Leaves the transaction, unless SQLite has done so itself, which it does on some errors.
fn rolled_back(connection: &Connection, failure: BatchFailure) -> BatchFailure {
    if connection.is_autocommit() {
        return failure;
    }
    match run(connection, "ROLLBACK") {
        Ok(()) => failure,
        Err(error) => failure::unknown(format!("a failed transaction could not be rolled back: {error}")),
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// The statements of one transaction, and what is known inside it.
struct Batch<'c> {
    known: &'c mut Known,
    find_stream: CachedStatement<'c>,
    insert_stream: CachedStatement<'c>,
    insert_type: CachedStatement<'c>,
    insert_event: CachedStatement<'c>,
    stream_ids: CachedStatement<'c>,
}

impl<'c> Batch<'c> {
    fn run(connection: &'c Connection, known: &'c mut Known, appends: &[Append]) -> rusqlite::Result<Answers> {
        let mut batch = Self {
            known,
            find_stream: connection.prepare_cached(
                "SELECT s.id, (SELECT max(e.revision) FROM events e WHERE e.stream = s.id)
                 FROM streams s WHERE s.category = ?1 AND s.key = ?2",
            )?,
            insert_stream: connection
                .prepare_cached("INSERT INTO streams (id, category, key) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?,
            insert_type: connection.prepare_cached("INSERT INTO event_types (id, name) VALUES (?1, ?2)")?,
            insert_event: connection.prepare_cached(
                "INSERT INTO events (position, stream, revision, event_id, type, recorded_at, metadata, data)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            stream_ids: connection.prepare_cached(
                "SELECT position, event_id FROM events WHERE stream = ?1 AND revision >= ?2 ORDER BY revision LIMIT ?3",
            )?,
        };
        appends.iter().map(|append| batch.append(append)).collect()
    }

    /// An error of SQLite ends the batch; a refusal concerns this append alone.
    fn append(&mut self, append: &Append) -> rusqlite::Result<Result<Appended, AppendError>> {
        let mut stream = match self.known.streams.get(&append.stream).copied() {
            Some(stream) => stream,
            None => match self.find_or_create(append)? {
                Some(stream) => stream,
                None => return Ok(Err(AppendError::WrongExpectedRevision { actual: None })),
            },
        };
        let actual = u64::try_from(stream.revision).ok().map(Revision::new);
        if append.expected != ExpectedRevision::after(actual) {
            let earlier = self.earlier(append, stream)?;
            return Ok(earlier.ok_or(AppendError::WrongExpectedRevision { actual }));
        }
        let first = self.known.last.position + 1;
        for event in append.events.iter() {
            let event_type = self.event_type(&event.type_name)?;
            self.known.last.position += 1;
            stream.revision += 1;
            self.insert_event.execute(params![
                self.known.last.position,
                stream.number,
                stream.revision,
                &event.id.as_bytes()[..],
                event_type,
                event.at.timestamp_micros(),
                event.metadata,
                event.data,
            ])?;
        }
        self.known.streams.insert(append.stream.clone(), stream);
        Ok(Ok(Appended {
            revision: Revision::new(to_u64(stream.revision)),
            positions: (first..=self.known.last.position).map(|number| Position::new(to_u64(number))).collect(),
        }))
    }

    /// The stream of `append`, which is not among the known ones; none if it does not exist and should.
    fn find_or_create(&mut self, append: &Append) -> rusqlite::Result<Option<Stream>> {
        let (category, key) = (&*append.stream.category, &append.stream.id.as_bytes()[..]);
        // Most appends to an unknown stream are its first, so creating it is tried before looking for it.
        if append.expected == ExpectedRevision::NoStream {
            let number = self.known.last.stream + 1;
            if self.insert_stream.execute(params![number, category, key])? == 1 {
                self.known.last.stream = number;
                return Ok(Some(Stream { number, revision: NO_EVENTS }));
            }
        }
        self.find_stream
            .query_row(params![category, key], |row| Ok(Stream { number: row.get(0)?, revision: row.get(1)? }))
            .optional()
    }

    fn event_type(&mut self, name: &Name) -> rusqlite::Result<i64> {
        if let Some(number) = self.known.types.get(name) {
            return Ok(*number);
        }
        self.known.last.event_type += 1;
        let number = self.known.last.event_type;
        self.insert_type.execute(params![number, &**name])?;
        self.known.types.insert(name.clone(), number);
        Ok(number)
    }

    /// What the same append was answered the first time, if it was there before.
    fn earlier(&mut self, append: &Append, stream: Stream) -> rusqlite::Result<Option<Appended>> {
        let first = match append.expected {
            ExpectedRevision::NoStream => 0,
            ExpectedRevision::Exact(last) => to_i64(last.value()).saturating_add(1),
        };
        let count = to_i64(append.events.len() as u64);
        if first.saturating_add(count - 1) > stream.revision {
            return Ok(None);
        }
        let mut rows = self.stream_ids.query(params![stream.number, first, count])?;
        let mut positions = Vec::with_capacity(append.events.len());
        for event in append.events.iter() {
            match rows.next()? {
                Some(row) if row.get_ref(1)?.as_blob()? == event.id.as_bytes() => {
                    positions.push(Position::new(to_u64(row.get(0)?)));
                }
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(Appended { revision: Revision::new(to_u64(first + count - 1)), positions }))
    }
}
