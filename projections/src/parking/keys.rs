//! The keys of one generation that wait, in memory: what the worker asks for every event.

use std::collections::HashMap;

use domain::Timestamp;
use infrastructure::event_store::Position;
use uuid::Uuid;

use super::{ParkedEvent, ParkedState};
use crate::{Behind, ParkedCount};

/// The keys that wait, and the events for which an operator has said that they are not to be applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParkedKeys {
    keys: HashMap<Uuid, Waiting>,
    events: u64,
    /// Counts up with every change.
    changes: u64,
}

#[derive(Clone, Debug)]
struct Waiting {
    behind: Behind,
    events: u64,
}

impl ParkedKeys {
    /// From what is stored, by position.
    pub(crate) fn of(entries: &[ParkedEvent]) -> Self {
        let mut keys = Self::default();
        for entry in entries {
            keys.add(entry);
        }
        keys
    }

    /// A number that is another one after every change.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn contains(&self, key: Uuid) -> bool {
        self.keys.contains_key(&key)
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// An entry was stored.
    pub(crate) fn add(&mut self, entry: &ParkedEvent) {
        if entry.state == ParkedState::Skipped {
            return;
        }
        self.events += 1;
        self.changes += 1;
        // Nothing keeps one that waits behind nothing from being applied: what it came behind is skipped, or was released
        // by a process that ended before it tried this one.
        let is_first = entry.state == ParkedState::Queued && !self.keys.contains_key(&entry.key);
        let behind = || Behind {
            position: entry.position,
            since: entry.first_at,
            error: entry.error.clone().unwrap_or_default(),
            attempts: entry.attempts,
            next_retry: if is_first { Some(entry.last_at) } else { entry.next_retry },
        };
        let waiting = self.keys.entry(entry.key).or_insert_with(|| Waiting { behind: behind(), events: 0 });
        waiting.events += 1;
        if entry.state == ParkedState::Failed {
            waiting.behind = behind();
        }
    }

    /// What is stored of a key is this now.
    pub(crate) fn replace(&mut self, key: Uuid, entries: &[ParkedEvent]) {
        if let Some(waiting) = self.keys.remove(&key) {
            self.events -= waiting.events;
            self.changes += 1;
        }
        for entry in entries {
            self.add(entry);
        }
    }

    /// The moment of the next try that is due by itself.
    pub(crate) fn next_retry(&self) -> Option<Timestamp> {
        self.keys.values().filter_map(|waiting| waiting.behind.next_retry).min()
    }

    /// The keys whose next try is due.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Uuid> {
        let is_due = |waiting: &Waiting| waiting.behind.next_retry.is_some_and(|next| next <= now);
        let mut due: Vec<(Position, Uuid)> =
            self.keys.iter().filter(|(_, waiting)| is_due(waiting)).map(|(key, w)| (w.behind.position, *key)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, key)| key).collect()
    }

    /// Everything that waits is due now. Gives how many keys that are.
    pub(crate) fn all_are_due(&mut self, now: Timestamp) -> u64 {
        for waiting in self.keys.values_mut() {
            waiting.behind.next_retry = Some(now);
        }
        self.changes += 1;
        self.keys.len() as u64
    }

    pub(crate) fn count(&self) -> ParkedCount {
        ParkedCount { keys: self.keys.len() as u64, events: self.events }
    }

    /// This key is due now.
    pub(crate) fn is_due(&mut self, key: Uuid, now: Timestamp) {
        if let Some(waiting) = self.keys.get_mut(&key) {
            waiting.behind.next_retry = Some(now);
        }
    }

    /// A key that waits for one of these events, and the event.
    pub(crate) fn first_among(&self, events: &HashMap<Position, String>) -> Option<(Uuid, Position)> {
        let places = self.keys.iter().map(|(key, waiting)| (*key, waiting.behind.position));
        places.filter(|(_, position)| events.contains_key(position)).min_by_key(|(_, position)| *position)
    }

    /// The keys that wait for an earlier event than they do there, or do not wait there at all.
    pub(crate) fn further_back_than(&self, others: &Self) -> Vec<Uuid> {
        self.released_in(others).into_iter().map(|(key, _)| key).collect()
    }

    /// The keys that waited here and wait there no longer, or for a later event; with what they waited for.
    pub(crate) fn released_in(&self, now: &Self) -> Vec<(Uuid, Position)> {
        let is_released = |(key, waiting): &(&Uuid, &Waiting)| {
            now.keys.get(key).is_none_or(|other| waiting.behind.position < other.behind.position)
        };
        self.keys.iter().filter(is_released).map(|(key, waiting)| (*key, waiting.behind.position)).collect()
    }

    /// What queries are told of them.
    pub(crate) fn behind(&self) -> HashMap<Uuid, Behind> {
        self.keys.iter().map(|(key, waiting)| (*key, waiting.behind.clone())).collect()
    }
}
