//! Who is to look again: subscribers, by whose inbox it is.
//!
//! What came in is read from the tables, so that a subscriber is told what is shown at that moment. Here it is only found
//! out whose inbox an event may have come into.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    Event,
    follow::FollowEvent,
    post::PostEvent,
    reaction::ReactionEvent,
    values::{OrderId, UserId},
};
use infrastructure::{event_store::Position, lifecycle::Lifecycle};
use tokio::sync::watch;

use super::{Notifications, OrderNews, news::of_post};
use crate::{Decoded, ServedTables};

/// The subscribers of this process.
#[derive(Clone, Debug)]
pub struct InboxWatchers {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    /// By whose inbox it is.
    by_user: HashMap<UserId, HashMap<u64, watch::Sender<Position>>>,
}

/// A subscriber. Gives its place up when it is dropped.
#[derive(Debug)]
pub struct InboxWatcher {
    watchers: InboxWatchers,
    user: UserId,
    id: u64,
    wakes: watch::Receiver<Position>,
}

impl InboxWatchers {
    /// Listens to what is applied, until the process stops.
    pub fn start(notifications: &ServedTables<Notifications>, lifecycle: &Lifecycle) -> Self {
        let watchers = Self { inner: Arc::default() };
        let (model, telling) = (notifications.clone(), watchers.clone());
        notifications.tell_applied(lifecycle, move |events, has_missed| {
            let (model, telling) = (model.clone(), telling.clone());
            async move { telling.tell(&model, &events, has_missed).await }
        });
        watchers
    }

    async fn tell(&self, model: &ServedTables<Notifications>, events: &[Decoded], has_missed: bool) {
        if lock(&self.inner).by_user.is_empty() {
            return;
        }
        let (users, orders) = concerned(events);
        let customers = model.customers(&orders).await;
        let inner = lock(&self.inner);
        // Whose orders they are may not be to be had now: then everybody looks.
        match customers {
            Ok(customers) if !has_missed => inner.tell(events, users.into_iter().chain(customers)),
            Ok(_) | Err(_) => inner.tell_all(events),
        }
    }

    /// Waits for what comes into somebody's inbox.
    pub fn of(&self, user: UserId) -> InboxWatcher {
        let (sender, wakes) = watch::channel(Position::default());
        let mut inner = lock(&self.inner);
        let id = inner.next_id;
        inner.next_id += 1;
        inner.by_user.entry(user).or_default().insert(id, sender);
        InboxWatcher { watchers: self.clone(), user, id, wakes }
    }
}

impl InboxWatcher {
    /// Waits until there is something to look at that was not there at the last call, and gives where it is.
    pub async fn next(&mut self) -> Position {
        // It fails only if the other end is gone, which it is with this watcher.
        let _ = self.wakes.changed().await;
        *self.wakes.borrow_and_update()
    }
}

impl Drop for InboxWatcher {
    fn drop(&mut self) {
        let mut inner = lock(&self.watchers.inner);
        if let Some(theirs) = inner.by_user.get_mut(&self.user) {
            theirs.remove(&self.id);
            if theirs.is_empty() {
                inner.by_user.remove(&self.user);
            }
        }
    }
}

impl Inner {
    fn tell(&self, events: &[Decoded], users: impl Iterator<Item = UserId>) {
        let Some(last) = events.last() else { return };
        for user in users {
            self.by_user.get(&user).into_iter().flat_map(HashMap::values).for_each(|wakes| wake(wakes, last.position));
        }
    }

    fn tell_all(&self, events: &[Decoded]) {
        let Some(last) = events.last() else { return };
        self.by_user.values().flat_map(HashMap::values).for_each(|wakes| wake(wakes, last.position));
    }
}

/// The end of the batch: it is committed as a whole.
fn wake(wakes: &watch::Sender<Position>, to: Position) {
    wakes.send_modify(|position| *position = (*position).max(to));
}

/// Into whose inboxes these events may have come, and which orders have news for whoever placed them.
fn concerned(events: &[Decoded]) -> (HashSet<UserId>, Vec<OrderId>) {
    let (mut users, mut orders) = (HashSet::new(), HashSet::new());
    for event in events {
        match &*event.event {
            Event::Follow(FollowEvent::Followed { whom, .. }) => drop(users.insert(*whom)),
            Event::Post(PostEvent::Published(published)) => {
                users.extend(of_post(published).into_iter().map(|(user, _)| user));
            }
            Event::Post(PostEvent::Edited { content, .. }) => {
                users.extend(content.mentions.iter().map(|mention| mention.user));
            }
            Event::Post(PostEvent::Reposted { of_author, .. }) => drop(users.insert(*of_author)),
            Event::Reaction(ReactionEvent::Liked { author, .. }) => drop(users.insert(*author)),
            Event::Order(event) if OrderNews::of(event).is_some() => drop(orders.insert(event.order())),
            Event::Follow(
                FollowEvent::Unfollowed { .. }
                | FollowEvent::Blocked { .. }
                | FollowEvent::Unblocked { .. }
                | FollowEvent::Muted { .. }
                | FollowEvent::Unmuted { .. },
            )
            | Event::Post(PostEvent::Deleted { .. })
            | Event::Reaction(ReactionEvent::Unliked { .. })
            | Event::Order(_)
            | Event::Inbox(_)
            | Event::Product(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Operator(_) => {}
        }
    }
    (users, orders.into_iter().collect())
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
