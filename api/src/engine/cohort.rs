//! Shared execution: equal subscriptions are executed once for each change, and share the bytes.
//!
//! Subscribers with the same document, variables (but for `after`) and rights form a cohort. A subscriber joins its
//! cohort first, then replays for itself what lies between its cursor and the join, then gets what the cohort
//! delivers. **Invariant:** between the two there is neither a hole nor a repeat; a subscriber that cannot keep up is
//! told so with the last cursor it got, never skipped.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use async_graphql::{Executor, Request, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use infrastructure::event_store::Position;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{CallContext, Engine, LivePhase, LiveReporter, Prepared, errors, errors_json, response_json};
use crate::{error_code::ErrorCode, graphql::PositionToken};

/// How many messages may wait for one subscriber.
pub(super) const DELIVERIES_MAX: usize = 256;
/// How many live messages are kept for a subscriber that is still replaying.
const PENDING_MAX: usize = 4_096;

/// One thing a subscription has to say to its client.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A GraphQL response, serialised: `{"data":{...}}`. The bytes are shared between subscribers.
    Next {
        /// The response.
        payload: Bytes,
        /// The position to resume after, where the message has one.
        cursor: Option<String>,
    },
    /// The operation ends with errors: a JSON array of GraphQL errors, serialised. Nothing follows.
    Error {
        /// The errors.
        errors: Bytes,
    },
    /// The operation ends. Nothing follows.
    Complete,
}

/// What a subscription delivers, in order. Ends after `Error` or `Complete`; dropping it ends the subscription at
/// once, however quiet it is.
#[derive(Debug)]
pub struct Deliveries {
    receiver: mpsc::Receiver<Delivery>,
    _membership: Membership,
}

impl Stream for Deliveries {
    type Item = Delivery;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.receiver.poll_recv(context)
    }
}

/// What makes subscriptions equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CohortKey {
    document: [u8; 32],
    operation: Option<String>,
    variables: String,
    scope: String,
}

/// The cohorts of one engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Cohorts(Arc<Mutex<HashMap<CohortKey, Arc<Cohort>>>>);

#[derive(Debug)]
struct Cohort {
    members: Mutex<Members>,
    starts: watch::Receiver<Option<Position>>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Members {
    next_id: u64,
    /// Everything up to here has been delivered to those who were members then; none before the cohort has begun.
    position: Option<Position>,
    by_id: HashMap<u64, Member>,
    /// How it ended, for those who are still replaying.
    last_word: Option<Delivery>,
}

#[derive(Debug)]
struct Member {
    sender: mpsc::Sender<Delivery>,
    /// The last cursor it knows: what is not after it is not for this member.
    cursor: Option<Position>,
    /// What the cohort delivered while the member was still replaying.
    pending: Option<Vec<(Position, Bytes)>>,
}

/// A place in a cohort, given up when dropped.
#[derive(Debug)]
struct Membership {
    cohorts: Cohorts,
    key: CohortKey,
    cohort: Arc<Cohort>,
    id: u64,
}

impl<S: Executor> Engine<S> {
    /// Starts a subscription: replays what its cursor asks for, then delivers what happens.
    pub fn subscribe(&self, prepared: Prepared, context: CallContext) -> Deliveries {
        let key = CohortKey {
            document: prepared.document_hash(),
            operation: prepared.operation_name().map(ToOwned::to_owned),
            variables: prepared.variables_json_without(prepared.after_variable().as_deref()),
            scope: context.viewer.scope(),
        };
        // One place beyond the queue is kept for the last word.
        let (sender, receiver) = mpsc::channel(DELIVERIES_MAX + 1);
        let cohorts = self.cohorts().clone();
        let mut known = cohorts.lock();
        let cohort = known.entry(key.clone()).or_insert_with(|| self.start_cohort(&key, &prepared, &context));
        let cohort = Arc::clone(cohort);
        let id = cohort.lock().join(sender.clone());
        drop(known);
        let membership = Membership { cohorts, key, cohort: Arc::clone(&cohort), id };
        self.lifecycle().spawn(replay(self.clone(), prepared, context, cohort, id, sender));
        Deliveries { receiver, _membership: membership }
    }

    fn start_cohort(&self, key: &CohortKey, prepared: &Prepared, context: &CallContext) -> Arc<Cohort> {
        let reporter = LiveReporter::new(LivePhase::Live);
        let stop = CancellationToken::new();
        let starts = reporter.watch_start();
        let cohort = Arc::new(Cohort { members: Mutex::default(), starts, stop });
        let context = CallContext { resume_after: None, ..context.clone() };
        let run = run_cohort(
            self.clone(),
            prepared.to_request(),
            context,
            reporter,
            Arc::clone(&cohort),
            self.cohorts().clone(),
            key.clone(),
        );
        self.lifecycle().spawn(run);
        cohort
    }
}

/// The cohort's one execution: delivers each message to every member, until the last one leaves.
async fn run_cohort<S: Executor>(
    engine: Engine<S>,
    request: Request,
    context: CallContext,
    reporter: LiveReporter,
    cohort: Arc<Cohort>,
    cohorts: Cohorts,
    key: CohortKey,
) {
    let request_id = context.request_id.clone();
    let request = context.attach(request).data(reporter.clone());
    let mut responses = engine.schema().execute_stream(request, None);
    let last_word = loop {
        let response = tokio::select! {
            biased;
            () = cohort.stop.cancelled() => return,
            response = responses.next() => response,
        };
        let Some(mut response) = response else { break Delivery::Complete };
        errors::finish(&mut response, &request_id);
        let cursor = reporter.next_cursor();
        if let Some(errors) = fatal_errors(&response, cursor) {
            break Delivery::Error { errors };
        }
        let cursor = cursor.unwrap_or_default();
        let payload = response_json(&response);
        let mut members = cohort.lock();
        members.begin(reporter.started_after());
        members.deliver(cursor, &payload);
    };
    cohorts.forget(&key, &cohort);
    cohort.lock().end(last_word);
}

/// One subscriber's own part: what happened between its cursor and its joining the cohort.
async fn replay<S: Executor>(
    engine: Engine<S>,
    prepared: Prepared,
    context: CallContext,
    cohort: Arc<Cohort>,
    id: u64,
    sender: mpsc::Sender<Delivery>,
) {
    let Some(until) = cohort.joined_at(id, &sender).await else {
        let last_word = cohort.lock().last_word.clone();
        if let Some(last_word) = last_word {
            let _ = sender.send(last_word).await;
        }
        return;
    };
    let request_id = context.request_id.clone();
    let reporter = LiveReporter::new(LivePhase::Replay { until });
    let request = context.attach(prepared.to_request()).data(reporter.clone());
    let mut responses = engine.schema().execute_stream(request, None);
    let mut delivered = until;
    loop {
        let response = tokio::select! {
            biased;
            () = sender.closed() => return,
            response = responses.next() => response,
        };
        let Some(mut response) = response else { break };
        errors::finish(&mut response, &request_id);
        let cursor = reporter.next_cursor();
        if let Some(errors) = fatal_errors(&response, cursor) {
            cohort.lock().by_id.remove(&id);
            let _ = sender.send(Delivery::Error { errors }).await;
            return;
        }
        delivered = delivered.max(cursor.unwrap_or_default());
        let payload = response_json(&response);
        // The subscriber may take its time with what is past; what is live waits meanwhile, within bounds.
        if sender.send(Delivery::Next { payload, cursor: cursor.map(token) }).await.is_err() {
            return;
        }
    }
    let known = reporter.started_after().unwrap_or_default();
    let last_word = cohort.lock().caught_up(id, delivered.max(known));
    if let Some(last_word) = last_word {
        let _ = sender.send(last_word).await;
    }
}

/// The errors after which nothing can follow. A message with a cursor is one of many, whatever is wrong with it; errors
/// without one mean that the subscription itself failed.
fn fatal_errors(response: &Response, cursor: Option<Position>) -> Option<Bytes> {
    (cursor.is_none() && !response.errors.is_empty()).then(|| errors_json(&response.errors))
}

fn token(position: Position) -> String {
    PositionToken(position).to_string()
}

impl Cohorts {
    fn lock(&self) -> MutexGuard<'_, HashMap<CohortKey, Arc<Cohort>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a cohort; not its successor of the same key.
    fn forget(&self, key: &CohortKey, cohort: &Arc<Cohort>) {
        let mut known = self.lock();
        if known.get(key).is_some_and(|current| Arc::ptr_eq(current, cohort)) {
            known.remove(key);
        }
    }

    /// How many executions serve all live subscribers.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }
}

impl Cohort {
    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the member's live part begins. None if the subscription ended before it began.
    async fn joined_at(&self, id: u64, sender: &mpsc::Sender<Delivery>) -> Option<Position> {
        let mut starts = self.starts.clone();
        let started = tokio::select! {
            () = sender.closed() => return None,
            started = starts.wait_for(Option::is_some) => started.ok().and_then(|started| *started),
        };
        let mut members = self.lock();
        members.begin(started);
        members.by_id.get(&id)?.cursor
    }
}

impl Members {
    fn join(&mut self, sender: mpsc::Sender<Delivery>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.by_id.insert(id, Member { sender, cursor: self.position, pending: Some(Vec::new()) });
        id
    }

    /// The execution is set up: whoever joined before starts there.
    fn begin(&mut self, started: Option<Position>) {
        if self.position.is_none() {
            self.position = started;
            for member in self.by_id.values_mut() {
                member.cursor = started;
            }
        }
    }

    fn deliver(&mut self, cursor: Position, payload: &Bytes) {
        self.position = Some(cursor);
        let text = token(cursor);
        self.by_id.retain(|_, member| member.take(cursor, &text, payload));
    }

    /// The member has replayed everything it did not know: from now on it gets what the cohort gets. Gives the last
    /// word if the cohort ended meanwhile.
    fn caught_up(&mut self, id: u64, known: Position) -> Option<Delivery> {
        let member = self.by_id.get_mut(&id)?;
        member.cursor = Some(known);
        let pending = member.pending.take().unwrap_or_default();
        let keeps_up = pending.iter().all(|(cursor, payload)| member.take(*cursor, &token(*cursor), payload));
        if !keeps_up {
            self.by_id.remove(&id);
            return None;
        }
        self.last_word.clone()
    }

    fn end(&mut self, last_word: Delivery) {
        self.by_id.retain(|_, member| {
            // Whoever replays still hears it at the end of the replay: its queue may be full now.
            let is_replaying = member.pending.is_some();
            if !is_replaying {
                let _ = member.sender.try_send(last_word.clone());
            }
            is_replaying
        });
        self.last_word = Some(last_word);
    }
}

impl Member {
    /// Hands over one message. False if the member is gone, or is to go because it reads too slowly.
    fn take(&mut self, cursor: Position, text: &str, payload: &Bytes) -> bool {
        if let Some(pending) = &mut self.pending {
            if pending.len() == PENDING_MAX {
                return self.give_up();
            }
            pending.push((cursor, payload.clone()));
            return true;
        }
        if self.cursor.is_some_and(|known| cursor <= known) {
            return true;
        }
        if self.sender.capacity() <= 1 {
            return self.give_up();
        }
        self.cursor = Some(cursor);
        self.sender.try_send(Delivery::Next { payload: payload.clone(), cursor: Some(text.to_owned()) }).is_ok()
    }

    fn give_up(&self) -> bool {
        let last = self.cursor.map(token);
        let mut error = ErrorCode::ConsumerTooSlow
            .error("the subscriber read too slowly; resume with `after` set to `extensions.lastCursor`")
            .into_server_error(async_graphql::Pos::default());
        if let (Some(extensions), Some(last)) = (&mut error.extensions, last) {
            extensions.set("lastCursor", last);
        }
        let _ = self.sender.try_send(Delivery::Error { errors: errors_json(&[error]) });
        false
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // Nobody joins while the map is locked, so an empty cohort stays empty.
        let mut known = self.cohorts.lock();
        let mut members = self.cohort.lock();
        members.by_id.remove(&self.id);
        if members.by_id.is_empty() {
            self.cohort.stop.cancel();
            if known.get(&self.key).is_some_and(|current| Arc::ptr_eq(current, &self.cohort)) {
                known.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
