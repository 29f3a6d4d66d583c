//! The event store of a cluster: EventStoreDB, or KurrentDB as it is called now.
//!
//! One stream per append, the expected revision checked by the server, ids that make a repeat harmless (append.rs).
//! Everything is read from the leader, in pages (read.rs, page.rs); a subscription only says that there is something
//! new (tail.rs, ear.rs). What an error means is decided in failure.rs, how an event looks on the server in event.rs. An
//! open that fails says what to set (diagnose.rs).
//!
//! The client is our own, and small: the messages of the protocol (wire.rs), the calls (call.rs), a connection (link.rs),
//! the node that it leads to (client.rs), and when another client takes over (supervise.rs).
//!
//! A position is the commit position of the server's log. Other people's streams and the server's own events may live
//! in the same database: they are passed over in every read of the whole log. A stream of ours must keep all its
//! events: one that was deleted or truncated is damaged.

mod address;
mod append;
mod backoff;
mod call;
mod client;
mod density;
mod diagnose;
mod ear;
mod event;
mod failure;
mod link;
mod open_error;
mod options;
mod page;
mod read;
mod settings;
mod supervise;
mod tail;
mod wire;

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use tokio::sync::watch;

use self::{density::Density, supervise::Supervisor, tail::Tail};
pub use self::{open_error::OpenError, options::EventStoreDbOptions};
use super::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, PAGE_EVENTS_MAX, Position, RecordedEvent, Revision,
    StoreError, StreamId, StreamPage, TypeFilter, Whereabouts,
};
use crate::telemetry;

/// An event store in EventStoreDB or KurrentDB.
#[derive(Debug)]
pub struct EventStoreDb {
    shared: Arc<Shared>,
    tail: Tail,
}

/// What every operation needs.
#[derive(Debug)]
struct Shared {
    supervisor: Supervisor,
    options: EventStoreDbOptions,
    density: Density,
}

impl EventStoreDb {
    /// Connects: looks for the nodes and reads the last position of the log. An error says what is wrong with the
    /// connection string, the network, the certificates or the user.
    pub async fn open(options: EventStoreDbOptions) -> Result<Self, OpenError> {
        if !options.uses_tls() && !options.is_local() {
            tracing::warn!(
                "the connection to the event store is not encrypted: whoever is on the network reads events and password"
            );
        }
        let supervisor = Supervisor::new(options.settings(), options.call_timeout);
        let shared = Arc::new(Shared { supervisor, options, density: Density::new() });
        let head = diagnose::first_head(&shared).await?;
        tracing::info!(log.position = head.value(), "opened the event store at position {head}");
        Ok(Self { tail: Tail::start(Arc::clone(&shared), head), shared })
    }

    /// How many times it has connected; more than once if connections were lost.
    pub fn clients(&self) -> u64 {
        self.shared.supervisor.clients()
    }
}

#[async_trait]
impl EventStore for EventStoreDb {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let started = Instant::now();
        let answer = self.shared.append(&append).await;
        metrics::histogram!(telemetry::APPEND_SECONDS).record(started.elapsed());
        answer
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        self.shared.read_stream(stream, from, direction, limit.min(PAGE_EVENTS_MAX)).await
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        self.shared.read_all(after, filter, limit.min(PAGE_EVENTS_MAX)).await
    }

    async fn event_at(&self, position: Position) -> Result<Option<RecordedEvent>, StoreError> {
        self.shared.event_at(position).await
    }

    async fn locate(&self, position: Position) -> Result<Whereabouts, StoreError> {
        self.shared.locate(position, self.tail.last()).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.shared.head().await
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }

    /// Positions are bytes of the server's log; how many of them an event takes is learned from what is read.
    fn distance(&self, after: Position, to: Position) -> u64 {
        self.shared.density.events(after, to)
    }
}
