//! Appending: what to do until it is known whether the events are written.
//!
//! The same bytes are sent again, with the same ids and the same expected revision, until the server says yes, or says
//! that the stream is elsewhere. Then the events at the place where these were to go decide: the same ids, and an
//! earlier try was written; others, and it is a conflict. When the budget runs out before that, the outcome is unknown.

use tokio::time::{Instant, sleep};

use super::{
    super::{
        Append, AppendError, Appended, Direction, ExpectedRevision, Position, RecordedEvent, Revision, StoreError,
        limits,
    },
    Shared,
    backoff::Backoff,
    event::{self, SYSTEM_PREFIX},
    failure::{Failure, Verdict},
    link::Link,
    wire::{Expected, LogPosition, ProposedEvent, Written},
};

/// What part of a call's time limit the last try has at least.
const LAST_TRY: u32 = 4;

/// An append whose outcome is sought.
struct Attempt<'a> {
    append: &'a Append,
    events: Vec<ProposedEvent>,
    /// The revision that its first event gets.
    first: Revision,
    deadline: Instant,
    /// Why an earlier try may have been written.
    doubt: Option<StoreError>,
}

impl Shared {
    /// Appends events to one stream.
    pub(super) async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        limits::check(append)?;
        refuse_system_names(append)?;
        let Some(first) = first_new(append.expected) else {
            // No stream gets there, and the server could not be asked.
            let actual = self.last_revision(append).await.map_err(AppendError::NotWritten)?;
            return Err(AppendError::WrongExpectedRevision { actual });
        };
        let mut attempt = Attempt {
            append,
            events: append.events.iter().map(event::to_server).collect(),
            first,
            deadline: Instant::now() + self.options.append_budget,
            doubt: None,
        };
        let mut backoff = Backoff::new(self.options.retry_pauses.0, self.options.retry_pauses.1);
        loop {
            let failure = match self.send(&attempt).await {
                Ok(written) => return self.acknowledged(&attempt, written).await,
                Err(Failure::WrongExpectedRevision { actual }) => match self.resolved(&attempt, actual).await {
                    Some(answer) => return answer,
                    None => Failure::Aborted("the stream is too short, and an earlier try is still open".to_owned()),
                },
                Err(failure) => failure,
            };
            tracing::debug!(error = %failure, stream.id = %append.stream, "an append failed: {failure}");
            let verdict = failure.verdict();
            let error = failure.into_store_error();
            match verdict {
                Verdict::Refused => return Err(attempt.failed(error)),
                Verdict::NotSent => {}
                Verdict::Unknown => attempt.doubt = Some(error.clone()),
            }
            let left = attempt.deadline.saturating_duration_since(Instant::now());
            let pause = backoff.next();
            if pause >= left {
                return Err(attempt.failed(error));
            }
            sleep(pause).await;
        }
    }

    /// One try.
    async fn send(&self, attempt: &Attempt<'_>) -> Result<Written, Failure> {
        let expected = match attempt.append.expected {
            ExpectedRevision::NoStream => Expected::NoStream(()),
            ExpectedRevision::Exact(last) => Expected::Revision(last.value()),
        };
        let (stream, events) = (attempt.append.stream.to_string(), attempt.events.clone());
        let send = |link: Link| async move { link.append(&stream, expected, events).await };
        // The last try is given some time too: cut short, it would leave in doubt what was not.
        let left = attempt.deadline.saturating_duration_since(Instant::now());
        let limit = left.clamp(self.options.call_timeout / LAST_TRY, self.options.call_timeout);
        self.supervisor.call_within(limit, send).await
    }

    /// The server said yes. Where the events are is read where its answer does not tell for sure.
    async fn acknowledged(&self, attempt: &Attempt<'_>, written: Written) -> Result<Appended, AppendError> {
        let last = attempt.last();
        if let Written { last_revision: Some(revision), position: Some(LogPosition { commit, prepare }) } = written
            && (revision, attempt.append.events.len()) == (last.value(), 1)
            && commit > 0
            && commit == prepare
        {
            return Ok(Appended { revision: last, positions: vec![Position::new(commit)] });
        }
        match self.at_its_place(attempt).await {
            Ok(there) if attempt.is_there(&there) => Ok(attempt.appended(&there)),
            Ok(_) => Err(AppendError::OutcomeUnknown(StoreError::Corrupt(format!(
                "stream {} was deleted and begun again: its revision is {:?} where {} was expected",
                attempt.append.stream,
                written.last_revision,
                last.value()
            )))),
            Err(error) => Err(AppendError::OutcomeUnknown(error)),
        }
    }

    /// The server said that the stream is elsewhere, at `told`. None if that does not decide yet.
    async fn resolved(&self, attempt: &Attempt<'_>, told: Option<Revision>) -> Option<Result<Appended, AppendError>> {
        let there = match self.at_its_place(attempt).await {
            Ok(there) => there,
            // They may be these very events.
            Err(error) => return Some(Err(AppendError::OutcomeUnknown(error))),
        };
        if attempt.is_there(&there) {
            return Some(Ok(attempt.appended(&there)));
        }
        let seen = there.last().map(|event| event.revision);
        if seen.is_none() && attempt.doubt.is_some() {
            // The place is free: an earlier try may still be on its way there.
            return None;
        }
        let actual = if seen <= told { told } else { self.last_revision(attempt.append).await.unwrap_or(seen) };
        Some(Err(AppendError::WrongExpectedRevision { actual }))
    }

    /// What is in the stream where these events were to go.
    async fn at_its_place(&self, attempt: &Attempt<'_>) -> Result<Vec<RecordedEvent>, StoreError> {
        let Append { stream, events, .. } = attempt.append;
        Ok(self.read_stream(stream, attempt.first, Direction::Forwards, events.len()).await?.events)
    }

    async fn last_revision(&self, append: &Append) -> Result<Option<Revision>, StoreError> {
        let page = self.read_stream(&append.stream, Revision::MAX, Direction::Backwards, 1).await?;
        Ok(page.events.first().map(|event| event.revision))
    }
}

impl Attempt<'_> {
    /// The revision of its last event.
    fn last(&self) -> Revision {
        Revision::new(self.first.value() + self.append.events.len() as u64 - 1)
    }

    /// Whether `there` are these very events.
    fn is_there(&self, there: &[RecordedEvent]) -> bool {
        there.iter().map(|event| event.id).eq(self.append.events.iter().map(|event| event.id))
    }

    /// The answer to an append whose events are `there`.
    fn appended(&self, there: &[RecordedEvent]) -> Appended {
        Appended { revision: self.last(), positions: there.iter().map(|event| event.position).collect() }
    }

    /// The last try was not written. An earlier one may have been.
    fn failed(self, error: StoreError) -> AppendError {
        match self.doubt {
            Some(doubt) => AppendError::OutcomeUnknown(doubt),
            None => AppendError::NotWritten(error),
        }
    }
}

/// The revision after the expected one; none if no stream is that long.
fn first_new(expected: ExpectedRevision) -> Option<Revision> {
    match expected {
        ExpectedRevision::Exact(last) if last >= Revision::MAX => None,
        ExpectedRevision::NoStream | ExpectedRevision::Exact(_) => Some(expected.first_new()),
    }
}

/// Names with a dollar are the server's own: it does other things with them, and no reader would get them.
fn refuse_system_names(append: &Append) -> Result<(), AppendError> {
    let types = append.events.iter().map(|event| &event.type_name);
    match std::iter::once(&append.stream.category).chain(types).find(|name| name.starts_with(SYSTEM_PREFIX)) {
        Some(name) => Err(AppendError::Refused(format!("{name} begins with $, as only the server's own names do"))),
        None => Ok(()),
    }
}
