//! Deciding a batch of commands in turn: pure but for the clock.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use domain::{Decider, Timestamp};
use uuid::Uuid;

use super::{
    CommandMetadata, EXECUTE_ATTEMPTS_MAX, Executed, Request, error::ExecuteError, loaded::Loaded, receipts::Receipt,
};
use crate::{
    clock::Clock,
    codec,
    event_store::{
        APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, Appended, EVENT_BYTES_MAX, ExpectedRevision,
        NewEvent, Position, Revision, StreamId,
    },
    snapshot_store::Tip,
};

/// What the executor answers to one command.
pub(super) type Answer<D> = Result<Executed<<D as Decider>::State>, ExecuteError<<D as Decider>::Rejection>>;

/// The events that follow from a command, and the state after them.
type Decision<D> = (Vec<<D as Decider>::Event>, Arc<<D as Decider>::State>);

/// What became of one command of a batch, before the append.
enum Verdict<D: Decider> {
    /// An answer that needs no append of its own.
    Answer(Answer<D>),
    /// It is true once the event with this index in the append is durable.
    Events { last: usize, revision: Revision, state: Arc<D::State>, is_repeat: bool },
}

/// A command of this batch that has events.
struct Taken {
    id: Uuid,
    input_hash: Option<Uuid>,
    /// The index of its last event in the append.
    last: usize,
}

/// The last event of an append, as far as it is known before.
#[derive(Clone, Copy)]
struct LastEvent {
    id: Uuid,
    at: Timestamp,
}

/// A batch, decided: what to append, and what to answer then.
pub(super) struct Plan<D: Decider> {
    stream: StreamId,
    base: Loaded<D>,
    /// The state and the revision after what is decided so far.
    state: Arc<D::State>,
    revision: Option<Revision>,
    events: Vec<NewEvent>,
    last_event: Option<LastEvent>,
    bytes: usize,
    verdicts: Vec<Verdict<D>>,
    commands: Vec<Taken>,
    /// Where in `commands` each of them is.
    places: HashMap<Uuid, usize>,
}

impl<D: Decider> Plan<D> {
    /// Decides `requests` in turn, starting from `base`. Stops early where one append cannot hold more; the plan says
    /// how many it took ([`Plan::taken`]).
    pub(super) fn decide<'a>(
        base: Loaded<D>,
        stream: &StreamId,
        requests: impl Iterator<Item = &'a Request<D::Command>>,
        clock: &dyn Clock,
    ) -> Self {
        let mut plan = Self {
            stream: stream.clone(),
            state: Arc::clone(&base.state),
            revision: base.revision(),
            base,
            events: Vec::new(),
            last_event: None,
            bytes: 0,
            verdicts: Vec::new(),
            commands: Vec::new(),
            places: HashMap::new(),
        };
        for request in requests {
            let Some(verdict) = plan.verdict_on(request, clock.now()) else { break };
            plan.verdicts.push(verdict);
        }
        plan
    }

    /// How many requests are decided.
    pub(super) fn taken(&self) -> usize {
        self.verdicts.len()
    }

    /// What is to be appended; none if nothing changed.
    pub(super) fn append(&mut self) -> Option<Append> {
        (!self.events.is_empty()).then(|| Append {
            stream: self.stream.clone(),
            expected: ExpectedRevision::after(self.base.revision()),
            events: std::mem::take(&mut self.events).into(),
        })
    }

    /// The answers and the stream as it is now, once the append is durable (or there was none).
    pub(super) fn commit(self, appended: Option<&Appended>) -> (Vec<Answer<D>>, Loaded<D>) {
        let positions = appended.map_or(&[][..], |appended| &appended.positions);
        let position_of = |index: usize| positions.get(index).copied().unwrap_or(Position::START);
        let mut after = self.base;
        after.state = self.state;
        for Taken { id, input_hash, last } in self.commands {
            after.receipts.insert(id, Receipt { position: position_of(last), input_hash });
        }
        if let (Some(revision), Some(position), Some(event)) = (self.revision, positions.last(), self.last_event) {
            let recorded_at = event.at.timestamp_micros();
            after.tip = Some(Tip { revision, position: *position, id: event.id, recorded_at });
        }
        let answers = self.verdicts.into_iter().map(|verdict| match verdict {
            Verdict::Answer(answer) => answer,
            Verdict::Events { last, revision, state, is_repeat } => {
                Ok(Executed { position: position_of(last), revision: Some(revision), state, is_repeat })
            }
        });
        (answers.collect(), after)
    }

    /// The stream as it was before this batch.
    pub(super) fn undo(self) -> Loaded<D> {
        self.base
    }

    /// The answers after an append that failed: whatever was decided on its events fails with it.
    pub(super) fn fail(self, requests: &[Request<D::Command>], error: &AppendError) -> Vec<Answer<D>> {
        let is_event = |verdict: &Verdict<D>| matches!(verdict, Verdict::Events { .. });
        let first = self.verdicts.iter().position(is_event).unwrap_or(usize::MAX);
        let stream = self.stream;
        let failed = |request: &Request<D::Command>| match error {
            AppendError::NotWritten(error) => ExecuteError::Store(error.clone()),
            AppendError::Refused(reason) => ExecuteError::TooLarge(reason.clone()),
            AppendError::OutcomeUnknown(_) => ExecuteError::OutcomeUnknown(request.metadata.command_id),
            AppendError::WrongExpectedRevision { .. } => {
                ExecuteError::Contended { stream: stream.clone(), attempts: EXECUTE_ATTEMPTS_MAX }
            }
        };
        let verdicts = self.verdicts.into_iter().zip(requests).enumerate();
        verdicts
            .map(|(index, (verdict, request))| match verdict {
                Verdict::Answer(answer) if index < first => answer,
                Verdict::Answer(_) | Verdict::Events { .. } => Err(failed(request)),
            })
            .collect()
    }

    /// None if its events do not fit into this append any more.
    fn verdict_on(&mut self, request: &Request<D::Command>, now: Timestamp) -> Option<Verdict<D>> {
        if let Some(verdict) = self.repeat_of(request) {
            return Some(verdict);
        }
        let (decided, state) = match self.decide_one(request, now) {
            Err(error) => return Some(Verdict::Answer(Err(error))),
            Ok((decided, _)) if decided.is_empty() => return Some(self.nothing_new()),
            Ok(decided) => decided,
        };
        let new = encode(&decided, request, now);
        let bytes = new.iter().map(NewEvent::bytes).sum::<usize>();
        if let Some(reason) = over_limit(&new, bytes) {
            return Some(Verdict::Answer(Err(ExecuteError::TooLarge(reason))));
        }
        if self.events.len() + new.len() > APPEND_EVENTS_MAX || self.bytes + bytes > APPEND_BYTES_MAX {
            return None;
        }
        self.bytes += bytes;
        Some(self.accept(request, state, new))
    }

    fn repeat_of(&self, request: &Request<D::Command>) -> Option<Verdict<D>> {
        let command = request.metadata.command_id;
        let of_batch = self.places.get(&command).map(|place| &self.commands[*place]);
        let before = self.base.receipts.get(command);
        let input_hash = of_batch.map(|taken| taken.input_hash).or(before.map(|receipt| receipt.input_hash))?;
        if input_hash != request.metadata.input_hash {
            return Some(Verdict::Answer(Err(ExecuteError::CommandReused(command))));
        }
        if let (Some(taken), Some(revision)) = (of_batch, self.revision) {
            let state = Arc::clone(&self.state);
            return Some(Verdict::Events { last: taken.last, revision, state, is_repeat: true });
        }
        before.map(|receipt| Verdict::Answer(Ok(self.executed(receipt.position, true))))
    }

    fn decide_one(
        &self,
        request: &Request<D::Command>,
        now: Timestamp,
    ) -> Result<Decision<D>, ExecuteError<D::Rejection>> {
        let actual = self.revision;
        if request.expected.is_some() && request.expected != actual {
            return Err(ExecuteError::VersionConflict { stream: self.stream.clone(), actual });
        }
        // A rule that panics is a defect of that rule; the other commands of the batch are not to blame.
        let decide = || {
            let decided = D::decide(&self.state, request.command.clone(), now)?;
            let state = match decided.as_slice() {
                [] => Arc::clone(&self.state),
                events => Arc::new(events.iter().fold(D::State::clone(&self.state), D::evolve)),
            };
            Ok((decided, state))
        };
        match std::panic::catch_unwind(AssertUnwindSafe(decide)) {
            Ok(decided) => decided.map_err(ExecuteError::Rejected),
            Err(_) => Err(ExecuteError::Panicked(self.stream.clone())),
        }
    }

    /// Success without events. Where earlier commands of the batch have some, it rests on the last of them.
    fn nothing_new(&self) -> Verdict<D> {
        match (self.events.len().checked_sub(1), self.revision) {
            (Some(last), Some(revision)) => {
                Verdict::Events { last, revision, state: Arc::clone(&self.state), is_repeat: false }
            }
            _ => Verdict::Answer(Ok(self.executed(self.base.position(), false))),
        }
    }

    fn executed(&self, position: Position, is_repeat: bool) -> Executed<D::State> {
        Executed { position, revision: self.revision, state: Arc::clone(&self.state), is_repeat }
    }

    fn accept(&mut self, request: &Request<D::Command>, state: Arc<D::State>, new: Vec<NewEvent>) -> Verdict<D> {
        self.state = state;
        for event in &new {
            self.revision = Some(ExpectedRevision::after(self.revision).first_new());
            self.last_event = Some(LastEvent { id: event.id, at: event.at });
        }
        self.events.extend(new);
        let CommandMetadata { command_id: id, input_hash, .. } = request.metadata;
        self.places.insert(id, self.commands.len());
        self.commands.push(Taken { id, input_hash, last: self.events.len() - 1 });
        self.nothing_new()
    }
}

fn encode<E: domain::EventPayload, C>(decided: &[E], request: &Request<C>, at: Timestamp) -> Vec<NewEvent> {
    let metadata = request.metadata.to_json();
    let events = decided.iter().enumerate().map(|(index, event)| {
        let (type_name, data) = codec::encode(event);
        NewEvent { id: request.metadata.event_id(index), type_name, at, metadata: metadata.clone(), data }
    });
    events.collect()
}

/// Why one command's events are too much for the store, whatever else is in the batch.
fn over_limit(new: &[NewEvent], bytes: usize) -> Option<String> {
    let largest = new.iter().map(NewEvent::bytes).max().unwrap_or(0);
    [
        ("events", new.len(), APPEND_EVENTS_MAX),
        ("bytes of events", bytes, APPEND_BYTES_MAX),
        ("bytes in one event", largest, EVENT_BYTES_MAX),
    ]
    .into_iter()
    .find(|(_, found, max)| found > max)
    .map(|(what, found, max)| format!("{found} {what}, at most {max} are allowed"))
}
