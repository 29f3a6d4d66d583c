//! Writing: the check of the expected revision, repeats, deletion.
//!
//! Source of the rules: `IndexWriter.CheckCommit` and `StorageWriterService` of the server; "Appending events" and
//! "Deleting streams and events" in its documentation. Live: not verified.

use infrastructure::event_store::{
    Append, AppendError, Appended, ExpectedRevision, Position, Revision, StoreError, StreamId,
};
use uuid::Uuid;

use super::{
    database::Database,
    log::{Log, StreamState},
    record::{DELETED, PIECES_PER_APPEND, Proposed, engine_stream, engine_tombstone, pack, pack_tombstone},
};

/// What a client expects of the stream it writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Its last event has this revision.
    Revision(u64),
    /// It has no events.
    NoStream,
    /// Nothing.
    Any,
    /// It has events, or at least metadata.
    StreamExists,
}

/// Why a write did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The stream is elsewhere.
    WrongExpectedVersion {
        /// Its last revision.
        current: Option<u64>,
    },
    /// The stream has a tombstone.
    Deleted,
    /// Larger than this many bytes.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It did not end in time and may have happened.
    TimedOut,
    /// The engine cannot write now.
    Unavailable(StoreError),
}

/// A write that happened, now or before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// The stream's last revision after it; none if nothing was ever written.
    pub(super) revision: Option<u64>,
    /// The engine's position of its last event; none if it has no events.
    pub(super) engine: Option<Position>,
    /// Whether it had happened before.
    pub(super) is_repeat: bool,
}

impl Database {
    /// Appends `events` to the stream `name`. They are on the leader then; [`Database::settle`] waits for more.
    pub(super) async fn append(&self, name: &str, expected: Expected, events: &[Proposed]) -> Result<Written, Refusal> {
        let limit = self.limits.append_bytes_max;
        if events.iter().map(Proposed::bytes).sum::<usize>() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        // Strong check: the ids at the revisions after the expected one. That is the engine's rule as well.
        let strong = match expected {
            Expected::NoStream => Some(ExpectedRevision::NoStream),
            Expected::Revision(revision) => Some(ExpectedRevision::Exact(Revision::new(revision))),
            Expected::Any | Expected::StreamExists => None,
        };
        if let Some(expected) = strong
            && !name.starts_with("$$")
            && !events.is_empty()
        {
            let _order = self.order.read().await;
            let state = self.log().state(name);
            if state.is_tombstoned {
                return Err(Refusal::Deleted);
            }
            if !state.is_soft_deleted {
                return self.write(name, expected, events).await;
            }
        }
        let _order = self.order.write().await;
        self.catch_up().await?;
        let written = self.append_alone(name, expected, events).await?;
        self.catch_up().await?;
        Ok(written)
    }

    /// Appends with nobody else writing, and with the log in memory as long as the engine's.
    async fn append_alone(&self, name: &str, expected: Expected, events: &[Proposed]) -> Result<Written, Refusal> {
        let state = self.log().state(name);
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        check_state(expected, state)?;
        let repeat = match expected {
            Expected::Any | Expected::StreamExists => weak_repeat(&self.log(), name, state, &ids)?,
            // Searched at the start of the stream only, though it may have gone on after a deletion.
            Expected::NoStream if state.is_soft_deleted => repeat_at(&self.log(), name, 0, &ids),
            Expected::NoStream | Expected::Revision(_) => None,
        };
        if let Some(last) = repeat {
            let record = self.log().of_stream(name, last).cloned();
            let engine = record.and_then(|record| self.log().engine_position(record.position));
            return Ok(Written { revision: Some(last), engine, is_repeat: true });
        }
        let last = ExpectedRevision::after(state.last.map(Revision::new));
        let expected = match expected {
            Expected::Any | Expected::StreamExists => last,
            Expected::NoStream if state.is_soft_deleted => last,
            Expected::NoStream => ExpectedRevision::NoStream,
            Expected::Revision(revision) => ExpectedRevision::Exact(Revision::new(revision)),
        };
        if events.is_empty() {
            return if expected == last {
                Ok(Written { revision: state.last, engine: None, is_repeat: false })
            } else {
                Err(Refusal::WrongExpectedVersion { current: state.last })
            };
        }
        if state.is_soft_deleted && expected == last {
            // The stream goes on where it was; what was deleted stays so.
            self.write_metadata(name, &format!(r#"{{"$tb":{}}}"#, state.last.map_or(0, |last| last + 1))).await?;
        }
        self.write(name, expected, events).await
    }

    /// Deletes the stream softly: a mark in its metadata.
    pub(super) async fn delete(&self, name: &str, expected: Expected) -> Result<Written, Refusal> {
        let _order = self.order.write().await;
        self.catch_up().await?;
        self.check_deletion(name, expected)?;
        let written = self.write_metadata(name, &format!(r#"{{"$tb":{DELETED}}}"#)).await?;
        self.catch_up().await?;
        Ok(written)
    }

    /// Ends the stream for good.
    pub(super) async fn tombstone(&self, name: &str, expected: Expected) -> Result<Written, Refusal> {
        let _order = self.order.write().await;
        self.catch_up().await?;
        self.check_deletion(name, expected)?;
        let append = Append {
            stream: engine_tombstone(name),
            expected: ExpectedRevision::NoStream,
            events: [pack_tombstone(name, Self::fresh_id(), Self::now())].into(),
        };
        let written = self.send(append).await?;
        self.catch_up().await?;
        Ok(written)
    }

    /// A stream that never was can be deleted by who expects nothing, or no stream.
    fn check_deletion(&self, name: &str, expected: Expected) -> Result<(), Refusal> {
        let state = self.log().state(name);
        check_state(expected, state)?;
        let is_right = match expected {
            Expected::Any | Expected::StreamExists => true,
            Expected::NoStream => state.last.is_none() || state.is_soft_deleted,
            Expected::Revision(revision) => state.last == Some(revision),
        };
        if is_right { Ok(()) } else { Err(Refusal::WrongExpectedVersion { current: state.last }) }
    }

    /// Sets the metadata of the stream `name`. Needs the order alone.
    async fn write_metadata(&self, name: &str, json: &str) -> Result<Written, Refusal> {
        let metastream = format!("$${name}");
        let last = self.log().state(&metastream).last.map(Revision::new);
        let event = Proposed {
            id: Self::fresh_id(),
            type_name: "$metadata".to_owned(),
            is_json: true,
            metadata: bytes::Bytes::new(),
            data: json.to_owned().into(),
        };
        self.write(&metastream, ExpectedRevision::after(last), &[event]).await
    }

    /// The events that a new database has of its own.
    pub(super) async fn write_system_events(&self) -> Result<(), StoreError> {
        let event = |type_name: &str| Proposed {
            id: Self::fresh_id(),
            type_name: type_name.to_owned(),
            is_json: true,
            metadata: bytes::Bytes::new(),
            data: "{}".into(),
        };
        let events = [
            ("$users", event("$User")),
            ("$user-admin", event("$UserCreated")),
            ("$$$stats-127.0.0.1:2113", event("$metadata")),
            ("$stats-127.0.0.1:2113", event("$statsCollected")),
        ];
        for (stream, event) in events {
            match self.write(stream, ExpectedRevision::NoStream, &[event]).await {
                Ok(_) | Err(Refusal::WrongExpectedVersion { .. }) => {}
                Err(refusal) => return Err(StoreError::Unavailable(format!("{refusal:?}"))),
            }
        }
        self.wait_indexed(self.engine.head().await?).await;
        Ok(())
    }

    /// Puts the events into the engine, which decides.
    async fn write(&self, name: &str, expected: ExpectedRevision, events: &[Proposed]) -> Result<Written, Refusal> {
        let packed = pack(name, events, Self::now(), Self::fresh_id());
        if let Some((stream, pieces)) = packed.parcel {
            self.send_ahead(stream, &pieces).await?;
        }
        self.send(Append { stream: engine_stream(name), expected, events: packed.events.into() }).await
    }

    async fn send_ahead(
        &self,
        stream: StreamId,
        pieces: &[infrastructure::event_store::NewEvent],
    ) -> Result<(), Refusal> {
        let mut expected = ExpectedRevision::NoStream;
        for pieces in pieces.chunks(PIECES_PER_APPEND) {
            let append = Append { stream: stream.clone(), expected, events: pieces.into() };
            let appended = self.engine.append(append).await.map_err(refusal)?;
            expected = ExpectedRevision::Exact(appended.revision);
        }
        Ok(())
    }

    async fn send(&self, append: Append) -> Result<Written, Refusal> {
        let before = self.indexed().engine;
        let Appended { revision, positions } = self.engine.append(append).await.map_err(refusal)?;
        let engine = positions.last().copied();
        Ok(Written { revision: Some(revision.value()), engine, is_repeat: engine.is_some_and(|last| last <= before) })
    }

    /// Waits until a write is replicated, and says where its last event is.
    pub(super) async fn settle(&self, written: &Written) -> Result<Option<u64>, Refusal> {
        let Some(engine) = written.engine else { return Ok(None) };
        if !self.wait_replicated(engine).await {
            return Err(Refusal::TimedOut);
        }
        Ok(self.log().at_engine(engine).map(|record| record.position))
    }

    async fn catch_up(&self) -> Result<(), Refusal> {
        let head = self.engine.head().await.map_err(Refusal::Unavailable)?;
        self.wait_indexed(head).await;
        Ok(())
    }
}

/// What the stream's state alone forbids.
fn check_state(expected: Expected, state: StreamState) -> Result<(), Refusal> {
    if state.is_tombstoned {
        return Err(Refusal::Deleted);
    }
    match expected {
        Expected::StreamExists if state.is_soft_deleted => Err(Refusal::Deleted),
        Expected::StreamExists if state.last.is_none() && !state.has_metadata => {
            Err(Refusal::WrongExpectedVersion { current: None })
        }
        Expected::StreamExists | Expected::Any | Expected::NoStream | Expected::Revision(_) => Ok(()),
    }
}

/// Weak check: whether the ids are among the latest ones, in this stream. The last revision of the repeat.
fn weak_repeat(log: &Log, name: &str, state: StreamState, ids: &[Uuid]) -> Result<Option<u64>, Refusal> {
    let mut last = None;
    for id in ids {
        match log.remembered(*id).filter(|record| &*record.stream == name) {
            Some(record) => last = Some(record.revision),
            None if last.is_none() => return Ok(None),
            // The server calls it corrupted idempotency.
            None => return Err(Refusal::WrongExpectedVersion { current: state.last }),
        }
    }
    Ok(last)
}

/// Whether the stream has these ids from revision `first` on. The last revision of the repeat.
fn repeat_at(log: &Log, name: &str, first: u64, ids: &[Uuid]) -> Option<u64> {
    let mut revisions = first..;
    let is_same = |id: &Uuid| {
        let revision = revisions.next()?;
        log.of_stream(name, revision).filter(|record| record.id == *id).map(|_| revision)
    };
    ids.iter().map(is_same).collect::<Option<Vec<_>>>()?.last().copied()
}

fn refusal(error: AppendError) -> Refusal {
    match error {
        AppendError::WrongExpectedRevision { actual } => {
            Refusal::WrongExpectedVersion { current: actual.map(Revision::value) }
        }
        AppendError::Refused(_) => Refusal::TooLarge { limit: infrastructure::event_store::APPEND_BYTES_MAX },
        AppendError::NotWritten(error) => Refusal::Unavailable(error),
        AppendError::OutcomeUnknown(_) => Refusal::TimedOut,
    }
}
