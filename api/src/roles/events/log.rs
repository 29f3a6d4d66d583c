//! The log that a command looks at: the file in the data directory, or the event store of the settings.

use std::sync::Arc;

use infrastructure::event_store::{
    AllPage, Direction, EventStore, Position, RecordedEvent, Revision, SqliteEventVisitor, StoreError, StreamId,
    StreamPage, TypeFilter,
};

use super::super::Failure;
use crate::{
    bootstrap::{StartError, open_events},
    config::Config,
    data_dir::DataDir,
};

/// How many events are looked at in one go for the next one of ours.
const LOOK_EVENTS: usize = 256;

/// A log to read, whoever writes it meanwhile.
#[derive(Debug)]
pub(super) enum Log {
    /// The file of the embedded store. No lock is taken, so a server may have it.
    File(SqliteEventVisitor),
    /// A store that is open.
    Store(Arc<dyn EventStore>),
}

impl Log {
    /// The log that a server with these settings has.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        if config.event_store.url.is_none() {
            return Self::of_file(config);
        }
        let opened = open_events(config, &DataDir::events_db(&config.data_dir)).await;
        Ok(Self::Store(opened.map_err(StartError::from)?))
    }

    /// The embedded log in the data directory, wherever a server with these settings has its events.
    pub(super) fn of_file(config: &Config) -> Result<Self, Failure> {
        let opened = SqliteEventVisitor::open(&DataDir::events_db(&config.data_dir));
        opened.map(Self::File).map_err(|error| {
            Failure::new(
                "EVENT_STORE_UNUSABLE",
                &error,
                "check `--data-dir`; a server must have been started there once",
            )
        })
    }

    /// The last position, whoever wrote there.
    pub(super) async fn head(&self) -> Result<Position, Failure> {
        let head = match self {
            Self::File(file) => file.head().await,
            Self::Store(store) => store.head().await,
        };
        head.map_err(|error| self.failure(&error))
    }

    /// At most `limit` events after position `after`.
    pub(super) async fn read_all(&self, after: Position, limit: usize) -> Result<AllPage, Failure> {
        self.page(after, limit).await.map_err(|error| self.failure(&error))
    }

    /// The same after a position that somebody typed, which need not be one.
    pub(super) async fn read_after(&self, after: Position, limit: usize) -> Result<AllPage, Failure> {
        let page = self.page(after, limit).await;
        page.map_err(|error| if self.is_no_position(&error) { no_position(&error) } else { self.failure(&error) })
    }

    /// Where positions are counters, every number will do.
    fn is_no_position(&self, error: &StoreError) -> bool {
        matches!(self, Self::Store(_)) && matches!(error, StoreError::Format(_))
    }

    async fn page(&self, after: Position, limit: usize) -> Result<AllPage, StoreError> {
        match self {
            Self::File(file) => file.read_all(after, limit).await,
            Self::Store(store) => store.read_all(after, &TypeFilter::All, limit).await,
        }
    }

    /// At most `limit` events of one stream, from revision `from` on.
    pub(super) async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        limit: usize,
    ) -> Result<StreamPage, Failure> {
        let page = match self {
            Self::File(file) => file.read_stream(stream, from, limit).await,
            Self::Store(store) => store.read_stream(stream, from, Direction::Forwards, limit).await,
        };
        page.map_err(|error| self.failure(&error))
    }

    /// The event at exactly this position, if there is one.
    pub(super) async fn event_at(&self, position: Position) -> Result<Option<RecordedEvent>, Failure> {
        let event = match self {
            Self::File(file) => {
                let before = Position::new(position.value().saturating_sub(1));
                let page = file.read_all(before, 1).await;
                page.map(|page| page.events.into_iter().find(|event| event.position == position))
            }
            Self::Store(store) => store.event_at(position).await,
        };
        event.map_err(|error| self.failure(&error))
    }

    /// The event at this place of a stream, if there is one.
    pub(super) async fn event_of(
        &self,
        stream: &StreamId,
        revision: Revision,
    ) -> Result<Option<RecordedEvent>, Failure> {
        Ok(self.read_stream(stream, revision, 1).await?.events.into_iter().next())
    }

    /// The first event after a position.
    pub(super) async fn first_after(&self, mut after: Position) -> Result<Option<RecordedEvent>, Failure> {
        loop {
            // More than one at once, because many of other people's may come first.
            let page = self.read_all(after, LOOK_EVENTS).await?;
            if !page.events.is_empty() || page.is_end {
                return Ok(page.events.into_iter().next());
            }
            after = page.scanned_to;
        }
    }

    /// How many events lie after `after`, up to `to`; an estimate where positions are no counters.
    pub(super) fn distance(&self, after: Position, to: Position) -> u64 {
        match self {
            Self::File(_) => to.value().saturating_sub(after.value()),
            Self::Store(store) => store.distance(after, to),
        }
    }

    /// What failed, and where to look.
    pub(super) fn failure(&self, error: &StoreError) -> Failure {
        let advice = match self {
            Self::File(_) => "check the disk and the file events.db",
            Self::Store(_) => "see [event_store] in the settings; docs/operations/cluster.md tells each case",
        };
        Failure::new("EVENT_STORE_UNUSABLE", error, advice)
    }
}

fn no_position(error: &StoreError) -> Failure {
    let advice = "in this event store positions are no counters: take one that `millrace events print` shows";
    Failure::new("POSITION_UNKNOWN", error, advice).typed()
}
