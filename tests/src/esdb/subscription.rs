//! Catch-up subscriptions: what is there, then what comes.
//!
//! Source: the enumerators `AllSubscription`, `AllSubscriptionFiltered` and `StreamSubscription` of the server;
//! "Catch-up subscriptions" in its documentation. Live: not verified. What holds here as there:
//!
//! * The start is exclusive: the event at the position or revision is not sent.
//! * A filtered subscription is told a position after every so many records that were looked at, when it goes live,
//!   and when it falls behind. One without a filter is not.
//! * `CaughtUp` comes whenever it goes live. `FellBehind` is never sent.
//! * A position behind the end is accepted: nothing comes until the log has passed it.

use std::sync::Arc;

use prost_types::Timestamp as WireTimestamp;
use tokio::sync::watch;
use tonic::Status;

use super::{
    connection::Connection,
    database::{Database, Progress},
    events::Events,
    faults::Operation,
    filter::Filter,
    log::{Place, Seen},
    node::Node,
    outlet::{Ended, Inlet},
    read::{From, PAGE_RECORDS, Reading, Source},
    record::Record,
    status,
    wire::event_store::client::streams::read_resp::{
        CaughtUp, Checkpoint, Content, Position, SubscriptionConfirmation,
    },
};

/// The records that wait for a live subscriber at most; with more it is behind again. The server's live buffer.
const LIVE_BUFFER_RECORDS: usize = 32;

/// A subscription that runs.
struct Run {
    node: Arc<Node>,
    inlet: Inlet,
    events: Events,
    replicated: watch::Receiver<Progress>,
    endings: watch::Receiver<u64>,
    /// The index of the next record to look at.
    next: usize,
    is_live: bool,
}

/// Answers a subscription until the client has enough.
pub(super) async fn run(node: Arc<Node>, reading: Reading, inlet: Inlet, connection: Connection) -> Result<(), Ended> {
    let events =
        Events::new(Arc::clone(&node), connection, inlet.clone(), Operation::SubscriptionEvent, reading.id_format);
    let replicated = node.database.replicated();
    let endings = node.endings.subscribe();
    let mut run = Run { node, inlet, events, replicated, endings, next: 0, is_live: false };
    match reading.source {
        Source::Stream { name, from } => run.follow_stream(&name, from).await,
        Source::All { from, filter } => run.follow_all(from, filter).await,
    }
}

impl Run {
    async fn follow_all(&mut self, from: From, filter: Option<Filter>) -> Result<(), Ended> {
        let beyond = self.start(from)?;
        self.confirm().await?;
        let mut considered = 0;
        loop {
            let page = self.page(filter.is_some()).await?;
            if page.is_empty() {
                if !self.is_live {
                    self.is_live = true;
                    if filter.is_some() {
                        considered = 0;
                        self.checkpoint().await?;
                    }
                    let position = self.position().map(|at| Position { commit_position: at, prepare_position: at });
                    self.caught_up(CaughtUp { position, ..CaughtUp::default() }).await?;
                }
                self.wait().await?;
            }
            for record in page {
                if record.position <= beyond {
                    continue;
                }
                let Some(filter) = &filter else {
                    self.events.send(&record).await?;
                    continue;
                };
                if filter.passes(&record) {
                    self.events.send(&record).await?;
                }
                considered += 1;
                if considered >= filter.checkpoint_interval {
                    considered = 0;
                    self.send_checkpoint(record.position).await?;
                }
            }
        }
    }

    async fn follow_stream(&mut self, name: &str, from: From) -> Result<(), Ended> {
        let visible = self.visible();
        let mut next = match from {
            From::Start => 0,
            From::At(revision) => revision.saturating_add(1),
            From::End => match self.seen(name, visible) {
                Seen::Events { last, .. } => last + 1,
                Seen::Missing | Seen::Tombstoned => 0,
            },
        };
        self.confirm().await?;
        loop {
            let visible = self.visible();
            let (first, last) = match self.seen(name, visible) {
                Seen::Tombstoned => return Err(status::stream_deleted(name).into()),
                Seen::Missing => (0, None),
                Seen::Events { first, last } => (first, Some(last)),
            };
            next = next.max(first);
            let behind = last.map_or(0, |last| (last + 1).saturating_sub(next));
            if behind == 0 {
                if !self.is_live {
                    self.is_live = true;
                    let stream_revision = last.map(u64::cast_signed);
                    self.caught_up(CaughtUp { stream_revision, ..CaughtUp::default() }).await?;
                }
                self.wait().await?;
                continue;
            }
            self.is_live &= behind <= LIVE_BUFFER_RECORDS as u64;
            let page: Vec<_> = {
                let log = self.node.database.log();
                (next..next + behind.min(PAGE_RECORDS as u64))
                    .filter_map(|at| log.of_stream(name, at).cloned())
                    .collect()
            };
            for record in page {
                self.events.send(&record).await?;
                next = record.revision + 1;
            }
        }
    }

    /// Finds the first record of a subscription to all. The position up to which nothing is sent at all.
    fn start(&mut self, from: From) -> Result<u64, Status> {
        let visible = self.visible();
        let mut beyond = 0;
        self.next = match from {
            From::Start | From::At(0) => 0,
            From::End => visible,
            From::At(position) => match self.node.database.log().place(position) {
                Place::At(index) => index + 1,
                Place::Beyond => {
                    beyond = position;
                    visible
                }
                Place::Within => return Err(status::invalid_position()),
            },
        };
        Ok(beyond)
    }

    /// The next records, none if there are no more now.
    async fn page(&mut self, is_filtered: bool) -> Result<Vec<Arc<Record>>, Ended> {
        let visible = self.visible();
        let behind = visible.saturating_sub(self.next);
        if behind == 0 {
            return Ok(Vec::new());
        }
        if self.is_live && behind > LIVE_BUFFER_RECORDS {
            self.is_live = false;
            if is_filtered {
                self.checkpoint().await?;
            }
        }
        let end = visible.min(self.next + PAGE_RECORDS);
        let page = self.node.database.log().records(self.next..end).to_vec();
        self.next = end;
        Ok(page)
    }

    /// Waits until there is more, or the subscription is to end.
    async fn wait(&mut self) -> Result<(), Ended> {
        tokio::select! {
            changed = self.replicated.changed() => changed.map_err(|_| Ended::Silently),
            _ = self.endings.changed() => Err(Ended::Silently),
        }
    }

    fn visible(&mut self) -> usize {
        self.replicated.borrow_and_update().count
    }

    fn seen(&self, name: &str, visible: usize) -> Seen {
        self.node.database.log().seen(name, visible, Database::now())
    }

    async fn confirm(&self) -> Result<(), Ended> {
        let subscription_id = Database::fresh_id().to_string();
        self.inlet.send(Content::Confirmation(SubscriptionConfirmation { subscription_id })).await
    }

    /// The position of the last record that was looked at.
    fn position(&self) -> Option<u64> {
        let last = self.next.checked_sub(1)?;
        Some(self.node.database.log().record(last).position)
    }

    async fn checkpoint(&self) -> Result<(), Ended> {
        match self.position() {
            Some(position) => self.send_checkpoint(position).await,
            None => Ok(()),
        }
    }

    async fn send_checkpoint(&self, position: u64) -> Result<(), Ended> {
        let checkpoint = Checkpoint { commit_position: position, prepare_position: position, timestamp: Some(now()) };
        self.inlet.send(Content::Checkpoint(checkpoint)).await
    }

    /// Says that the subscription is live, and where if the server is one that says it.
    async fn caught_up(&self, at: CaughtUp) -> Result<(), Ended> {
        let caught_up = if self.node.options.caught_up_says_where {
            CaughtUp { timestamp: Some(now()), ..at }
        } else {
            CaughtUp::default()
        };
        self.inlet.send(Content::CaughtUp(caught_up)).await
    }
}

fn now() -> WireTimestamp {
    let now = Database::now();
    let nanos = i32::try_from(now.timestamp_subsec_nanos()).unwrap_or(0);
    WireTimestamp { seconds: now.timestamp(), nanos }
}
