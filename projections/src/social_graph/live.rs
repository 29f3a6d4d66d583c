//! Who is to look again: subscribers by the authors whom they follow, and by the posts that they look at.
//!
//! What is new is read from the tables, so that a subscriber sees what they may see at that moment, each post once. Here it
//! is only found out whom an event concerns: a thousand open feeds are not read anew for every post of anybody.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Event, post::PostEvent, values::UserId};
use infrastructure::{event_store::Position, lifecycle::Lifecycle};
use tokio::sync::{broadcast::error::RecvError, watch};
use uuid::Uuid;

use super::SocialGraph;
use crate::{Decoded, QueryError, ServedTables};

/// How many follows are read at once.
const FOLLOWS_AT_ONCE: usize = 1_000;

/// The subscribers of this process.
#[derive(Clone, Debug)]
pub struct Watchers {
    graph: ServedTables<SocialGraph>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    by_id: HashMap<u64, Watched>,
    /// Who is to be told of an event about this person or post.
    by_topic: HashMap<Uuid, HashSet<u64>>,
}

#[derive(Debug)]
struct Watched {
    /// Whose feed it is; none if it is a post.
    reader: Option<UserId>,
    topics: Vec<Uuid>,
    wakes: watch::Sender<Wake>,
}

/// Why somebody is to look again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wake {
    /// There is something up to here.
    position: Position,
    /// How often whom they follow has changed.
    follows_changes: u64,
}

/// A subscriber. Gives its place up when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    watchers: Watchers,
    id: u64,
    wakes: watch::Receiver<Wake>,
    /// Whose feed it is; none if it is a post.
    reader: Option<UserId>,
    /// The changes of follows that are taken into account.
    follows_changes: u64,
}

impl Watchers {
    /// Listens to what is applied, until the process stops.
    pub fn start(graph: ServedTables<SocialGraph>, lifecycle: &Lifecycle) -> Self {
        let watchers = Self { graph, inner: Arc::default() };
        let (mut applied, until, inner) = (watchers.graph.applied(), lifecycle.clone(), Arc::clone(&watchers.inner));
        lifecycle.spawn(async move {
            let mut has_missed = false;
            loop {
                let batch = tokio::select! {
                    () = until.stopping() => return,
                    batch = applied.recv() => batch,
                };
                match batch {
                    Ok(events) => lock(&inner).tell(&events, std::mem::take(&mut has_missed)),
                    // What comes next is behind all that was missed.
                    Err(RecvError::Lagged(_)) => has_missed = true,
                    Err(RecvError::Closed) => return,
                }
            }
        });
        watchers
    }

    /// Waits for what concerns somebody's home feed.
    pub async fn feed(&self, reader: UserId) -> Result<Watcher, QueryError> {
        let mut watcher = self.watcher(vec![reader.uuid()], Some(reader));
        watcher.follow_anew().await?;
        Ok(watcher)
    }

    /// Waits for what concerns a post.
    pub fn post(&self, post: domain::values::PostId) -> Watcher {
        self.watcher(vec![post.uuid()], None)
    }

    fn watcher(&self, topics: Vec<Uuid>, reader: Option<UserId>) -> Watcher {
        let (wakes, receiver) = watch::channel(Wake::default());
        let mut inner = lock(&self.inner);
        let id = inner.next_id;
        inner.next_id += 1;
        inner.by_id.insert(id, Watched { reader, topics: Vec::new(), wakes });
        inner.listen(id, topics);
        Watcher { watchers: self.clone(), id, wakes: receiver, reader, follows_changes: 0 }
    }
}

impl Watcher {
    /// Waits until there is something to look at that was not there at the last call, and gives where it is.
    pub async fn next(&mut self) -> Result<Position, QueryError> {
        // It fails only if the other end is gone, which it is with this watcher.
        let _ = self.wakes.changed().await;
        let wake = *self.wakes.borrow_and_update();
        if wake.follows_changes != self.follows_changes {
            self.follow_anew().await?;
            self.follows_changes = wake.follows_changes;
        }
        Ok(wake.position)
    }

    /// Whom the reader follows may have changed: what they post from here on is heard of.
    async fn follow_anew(&mut self) -> Result<(), QueryError> {
        let Some(reader) = self.reader else { return Ok(()) };
        let mut topics = vec![reader.uuid()];
        let mut before = None;
        loop {
            let page = self.watchers.graph.following(reader, reader, before, FOLLOWS_AT_ONCE).await?;
            topics.extend(page.people.iter().map(|(user, _)| user.uuid()));
            before = page.people.last().map(|(_, since)| *since);
            if !page.has_more {
                break;
            }
        }
        lock(&self.watchers.inner).listen(self.id, topics);
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut inner = lock(&self.watchers.inner);
        inner.listen(self.id, Vec::new());
        inner.by_id.remove(&self.id);
    }
}

impl Inner {
    fn listen(&mut self, id: u64, topics: Vec<Uuid>) {
        let Some(watched) = self.by_id.get_mut(&id) else { return };
        for topic in std::mem::replace(&mut watched.topics, topics.clone()) {
            if let Some(ids) = self.by_topic.get_mut(&topic) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_topic.remove(&topic);
                }
            }
        }
        for topic in topics {
            self.by_topic.entry(topic).or_default().insert(id);
        }
    }

    /// Wakes those whom these events concern, or everybody if events before them were missed.
    fn tell(&self, events: &[Decoded], has_missed: bool) {
        if has_missed && let Some(last) = events.last() {
            self.by_id.values().for_each(|watched| watched.wake(last.position, true));
        }
        if self.by_id.is_empty() {
            return;
        }
        for event in events {
            let Concern { topics, follows } = concern(&event.event);
            let ids = topics.iter().filter_map(|topic| self.by_topic.get(topic)).flatten();
            for watched in ids.filter_map(|id| self.by_id.get(id)) {
                watched.wake(event.position, follows.is_some() && watched.reader == follows);
            }
        }
    }
}

impl Watched {
    fn wake(&self, position: Position, is_follow: bool) {
        self.wakes.send_modify(|wake| {
            wake.position = wake.position.max(position);
            wake.follows_changes += u64::from(is_follow);
        });
    }
}

/// Whom an event concerns.
struct Concern {
    topics: Vec<Uuid>,
    /// Whose follows it changes.
    follows: Option<UserId>,
}

fn concern(event: &Event) -> Concern {
    let of = |topics: Vec<Uuid>| Concern { topics, follows: None };
    match event {
        Event::Follow(event) => {
            let (by, _) = event.parties();
            Concern { topics: vec![by.uuid()], follows: Some(by) }
        }
        Event::Post(event) => {
            let other = match event {
                PostEvent::Published(published) => published.reply.map(|reply| reply.parent),
                PostEvent::Reposted { of, .. } => Some(*of),
                PostEvent::Edited { .. } | PostEvent::Deleted { .. } => None,
            };
            let own = [event.author().uuid(), event.post().uuid()];
            of(own.into_iter().chain(other.map(domain::values::Id::uuid)).collect())
        }
        Event::Reaction(event) => of(vec![event.post().uuid()]),
        Event::Product(_)
        | Event::Order(_)
        | Event::Stock(_)
        | Event::Payment(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Inbox(_)
        | Event::Operator(_) => of(vec![]),
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
