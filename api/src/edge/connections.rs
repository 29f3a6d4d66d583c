//! Counts the sockets and streams that are open, of everybody and of each subject.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use infrastructure::telemetry::SUBSCRIBERS;

/// The connections that are open now. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_subject: HashMap<String, usize>,
}

impl Connections {
    /// A place for one more connection, unless there are `max`.
    pub(super) fn open(&self, max: usize) -> Option<Connection> {
        let mut counts = self.lock();
        if counts.total >= max {
            return None;
        }
        counts.total += 1;
        Some(Connection { connections: self.clone(), subject: None })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, given up when dropped.
#[derive(Debug)]
pub(super) struct Connection {
    connections: Connections,
    subject: Option<String>,
}

impl Connection {
    /// Counts the connection as this subject's. False if the subject has `max` already.
    pub(super) fn belongs_to(&mut self, subject: &str, max: usize) -> bool {
        let mut counts = self.connections.lock();
        if counts.by_subject.get(subject).copied().unwrap_or_default() >= max {
            return false;
        }
        *counts.by_subject.entry(subject.to_owned()).or_default() += 1;
        drop(counts);
        self.subject = Some(subject.to_owned());
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut counts = self.connections.lock();
        counts.total -= 1;
        let Some(subject) = self.subject.take() else { return };
        if let Some(open) = counts.by_subject.get_mut(&subject) {
            *open -= 1;
            if *open == 0 {
                counts.by_subject.remove(&subject);
            }
        }
    }
}

/// One open subscription in the metrics, until dropped.
#[derive(Debug)]
pub(super) struct Subscriber {
    transport: &'static str,
}

impl Subscriber {
    pub(super) fn over(transport: &'static str) -> Self {
        metrics::gauge!(SUBSCRIBERS, "transport" => transport).increment(1.0);
        Self { transport }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        metrics::gauge!(SUBSCRIBERS, "transport" => self.transport).decrement(1.0);
    }
}
