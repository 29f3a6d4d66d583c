//! The live-change hub: who wants to know about which row.
//!
//! The worker announces what it committed, in the order of the log; the hub finds the subscribers of a topic through
//! an index. **Invariant:** a subscriber gets every change of its topic after the position it was told at the start, or
//! the end of its stream, never a hole.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Event, Timestamp};
use infrastructure::event_store::{Position, Revision};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How many changes may wait for one subscriber of the hub.
const HUB_QUEUE_CHANGES_MAX: usize = 4_096;

/// A committed change of one row by one event.
#[derive(Debug)]
pub struct Change<R> {
    /// The event's place in the log: the cursor to resume after.
    pub position: Position,
    /// The event's place in its stream.
    pub revision: Revision,
    /// When it was recorded.
    pub occurred_at: Timestamp,
    /// The row's key.
    pub key: Uuid,
    /// What happened.
    pub event: Arc<Event>,
    /// The row right after this event, even if later ones are applied by now; none if there is none any more.
    pub row: Option<R>,
}

/// What a subscriber of the hub hears.
#[derive(Debug)]
pub enum HubMessage<R> {
    /// A row changed.
    Change(Arc<Change<R>>),
    /// Changes after `from`, up to `to`, were not announced: read the rows again.
    Gap {
        /// Everything up to here was announced.
        from: Position,
        /// Everything after here will be.
        to: Position,
    },
}

impl<R> Clone for HubMessage<R> {
    fn clone(&self) -> Self {
        match self {
            Self::Change(change) => Self::Change(Arc::clone(change)),
            Self::Gap { from, to } => Self::Gap { from: *from, to: *to },
        }
    }
}

/// Why a hub subscription ended: it read too slowly, or the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subscription to live changes has ended")]
pub struct HubClosed;

/// What a subscriber wants to know about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Topic {
    All,
    One(Uuid),
}

/// The live changes of one read model.
#[derive(Debug)]
pub struct Hub<R> {
    inner: Arc<Mutex<Inner<R>>>,
}

impl<R> Clone for Hub<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

#[derive(Debug)]
struct Inner<R> {
    position: Position,
    next_id: u64,
    topics: HashMap<Topic, HashMap<u64, mpsc::Sender<HubMessage<R>>>>,
    is_closed: bool,
}

/// The changes of one topic, from now on.
#[derive(Debug)]
pub struct HubSubscription<R> {
    /// Everything up to here was announced before; what comes is after it.
    pub position: Position,
    receiver: mpsc::Receiver<HubMessage<R>>,
    hub: Hub<R>,
    topic: Topic,
    id: u64,
}

impl<R> Default for Hub<R> {
    fn default() -> Self {
        let inner = Inner { position: Position::START, next_id: 0, topics: HashMap::new(), is_closed: false };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }
}

impl<R> Hub<R> {
    /// The changes of every row.
    pub fn subscribe_all(&self) -> HubSubscription<R> {
        self.subscribe(Topic::All)
    }

    /// The changes of the rows with this key or topic.
    pub fn subscribe_to(&self, topic: Uuid) -> HubSubscription<R> {
        self.subscribe(Topic::One(topic))
    }

    /// Ends all subscriptions: the server stops.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.topics.clear();
    }

    /// Passes over changes that nobody listens for. False, and nothing happens, if somebody does.
    pub(crate) fn skip(&self, to: Position) -> bool {
        let mut inner = self.lock();
        if inner.topics.is_empty() {
            inner.position = inner.position.max(to);
        }
        inner.topics.is_empty()
    }

    /// Where the announcements start: the checkpoint of a worker that begins.
    pub(crate) fn begin(&self, position: Position) {
        let mut inner = self.lock();
        inner.position = inner.position.max(position);
    }

    /// Tells the subscribers what was committed, in order, up to `to`.
    pub(crate) fn announce(&self, changes: Vec<Change<R>>, topics: impl Fn(&R) -> Vec<Uuid>, to: Position) {
        let mut inner = self.lock();
        inner.position = inner.position.max(to);
        if inner.topics.is_empty() {
            return;
        }
        for change in changes {
            let mut wanted = vec![Topic::All, Topic::One(change.key)];
            wanted.extend(change.row.iter().flat_map(&topics).map(Topic::One));
            let message = HubMessage::Change(Arc::new(change));
            for topic in wanted {
                inner.send(topic, &message);
            }
        }
    }

    /// Tells everybody that changes were committed without being announced.
    pub(crate) fn announce_gap(&self, to: Position) {
        let mut inner = self.lock();
        let from = inner.position;
        inner.position = inner.position.max(to);
        let topics: Vec<Topic> = inner.topics.keys().copied().collect();
        for topic in topics {
            inner.send(topic, &HubMessage::Gap { from, to });
        }
    }

    /// Tells whoever follows these topics that changes after `from` were committed without being announced one by one.
    pub(crate) fn announce_gap_of(&self, topics: &[Uuid], from: Position) {
        let mut inner = self.lock();
        let message = HubMessage::Gap { from, to: inner.position.max(from) };
        inner.send(Topic::All, &message);
        for topic in topics {
            inner.send(Topic::One(*topic), &message);
        }
    }

    fn subscribe(&self, topic: Topic) -> HubSubscription<R> {
        let (sender, receiver) = mpsc::channel(HUB_QUEUE_CHANGES_MAX);
        let mut inner = self.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        if !inner.is_closed {
            inner.topics.entry(topic).or_default().insert(id, sender);
        }
        HubSubscription { position: inner.position, receiver, hub: self.clone(), topic, id }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<R>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Inner<R> {
    fn send(&mut self, topic: Topic, message: &HubMessage<R>) {
        let Some(subscribers) = self.topics.get_mut(&topic) else { return };
        // Whoever has no room any more is dropped, which ends its stream after what it has: no hole.
        subscribers.retain(|_, sender| sender.try_send(message.clone()).is_ok());
        if subscribers.is_empty() {
            self.topics.remove(&topic);
        }
    }
}

impl<R> HubSubscription<R> {
    /// The next message. Cancel-safe.
    pub async fn next(&mut self) -> Result<HubMessage<R>, HubClosed> {
        self.receiver.recv().await.ok_or(HubClosed)
    }
}

impl<R> Drop for HubSubscription<R> {
    fn drop(&mut self) {
        let mut inner = self.hub.lock();
        if let Some(subscribers) = inner.topics.get_mut(&self.topic) {
            subscribers.remove(&self.id);
            if subscribers.is_empty() {
                inner.topics.remove(&self.topic);
            }
        }
    }
}

#[cfg(test)]
mod tests;
