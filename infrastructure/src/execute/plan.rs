//! Deciding a batch of commands in turn: pure but for the clock.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use domain::{Decider, Timestamp};
use uuid::Uuid;

use super::{
    Current, EXECUTE_ATTEMPTS_MAX, Executed, Request,
    error::ExecuteError,
    loaded::{Loaded, Receipt},
};
use crate::{
    clock::Clock,
    codec,
    event_store::{
        APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, Appended, EVENT_BYTES_MAX, ExpectedRevision,
        NewEvent, Position, Revision, StreamId,
    },
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

/// A batch, decided: what to append, and what to answer then.
pub(super) struct Plan<D: Decider> {
    stream: StreamId,
    before: Current<D::State>,
    after: Loaded<D>,
    events: Vec<NewEvent>,
    bytes: usize,
    verdicts: Vec<Verdict<D>>,
    /// The commands of this batch that have events, and the index of the last one.
    commands: HashMap<Uuid, usize>,
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
            before: base.current(),
            after: base,
            events: Vec::new(),
            bytes: 0,
            verdicts: Vec::new(),
            commands: HashMap::new(),
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
            expected: ExpectedRevision::after(self.before.revision),
            events: std::mem::take(&mut self.events).into(),
        })
    }

    /// The answers and the stream as it is now, once the append is durable (or there was none).
    pub(super) fn commit(self, appended: Option<&Appended>) -> (Vec<Answer<D>>, Loaded<D>) {
        let positions = appended.map_or(&[][..], |appended| &appended.positions);
        let position_of = |index: usize| positions.get(index).copied().unwrap_or(Position::START);
        let mut after = self.after;
        for (command, last) in self.commands {
            if let Some(receipt) = after.commands.get_mut(&command) {
                receipt.position = position_of(last);
            }
        }
        if let Some(last) = positions.last() {
            after.position = *last;
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
        let mut commands = self.after.commands;
        commands.retain(|command, _| !self.commands.contains_key(command));
        let Current { state, revision, position } = self.before;
        Loaded { state, revision, position, commands }
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
        let receipt = self.after.commands.get(&command)?;
        if receipt.input_hash != request.metadata.input_hash {
            return Some(Verdict::Answer(Err(ExecuteError::CommandReused(command))));
        }
        Some(match (self.commands.get(&command), self.after.revision) {
            (Some(last), Some(revision)) => {
                Verdict::Events { last: *last, revision, state: Arc::clone(&self.after.state), is_repeat: true }
            }
            _ => Verdict::Answer(Ok(self.after.executed(receipt.position, true))),
        })
    }

    fn decide_one(
        &self,
        request: &Request<D::Command>,
        now: Timestamp,
    ) -> Result<Decision<D>, ExecuteError<D::Rejection>> {
        let actual = self.after.revision;
        if request.expected.is_some() && request.expected != actual {
            return Err(ExecuteError::VersionConflict { stream: self.stream.clone(), actual });
        }
        // A rule that panics is a defect of that rule; the other commands of the batch are not to blame.
        let decide = || {
            let decided = D::decide(&self.after.state, request.command.clone(), now)?;
            let state = match decided.as_slice() {
                [] => Arc::clone(&self.after.state),
                events => Arc::new(events.iter().fold(D::State::clone(&self.after.state), D::evolve)),
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
        match (self.events.len().checked_sub(1), self.after.revision) {
            (Some(last), Some(revision)) => {
                Verdict::Events { last, revision, state: Arc::clone(&self.after.state), is_repeat: false }
            }
            _ => Verdict::Answer(Ok(self.after.executed(self.after.position, false))),
        }
    }

    fn accept(&mut self, request: &Request<D::Command>, state: Arc<D::State>, new: Vec<NewEvent>) -> Verdict<D> {
        self.after.state = state;
        for _ in &new {
            self.after.revision = Some(ExpectedRevision::after(self.after.revision).first_new());
        }
        self.events.extend(new);
        let command = request.metadata.command_id;
        self.commands.insert(command, self.events.len() - 1);
        // The position is known at the commit.
        let receipt = Receipt { position: Position::START, input_hash: request.metadata.input_hash };
        self.after.commands.insert(command, receipt);
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
