//! What goes into one append: events of one stream that stand together in the log.
//!
//! Events of different streams are never put in another order. Projections over several streams rely on it.

use infrastructure::event_store::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, ExpectedRevision, NewEvent, RecordedEvent, Revision, StreamId,
};

/// One append under way.
struct Run {
    stream: StreamId,
    first: Revision,
    events: Vec<NewEvent>,
    bytes: usize,
}

/// The events as appends, in their order.
pub(super) fn appends(events: Vec<RecordedEvent>) -> Vec<Append> {
    let mut appends = Vec::new();
    let mut run: Option<Run> = None;
    for event in events {
        let bytes = event.metadata.len() + event.data.len();
        if let Some(full) = run.take_if(|run| !run.takes(&event, bytes)) {
            appends.push(full.into());
        }
        let run = run.get_or_insert_with(|| Run {
            stream: event.stream.clone(),
            first: event.revision,
            events: Vec::new(),
            bytes: 0,
        });
        run.bytes += bytes;
        run.events.push(event.into());
    }
    appends.extend(run.map(Append::from));
    appends
}

impl Run {
    fn takes(&self, event: &RecordedEvent, bytes: usize) -> bool {
        event.stream == self.stream
            && event.revision.value() == self.first.value() + self.events.len() as u64
            && self.events.len() < APPEND_EVENTS_MAX
            && self.bytes + bytes <= APPEND_BYTES_MAX
    }
}

impl From<Run> for Append {
    fn from(run: Run) -> Self {
        let expected = ExpectedRevision::after(run.first.previous());
        Self { stream: run.stream, expected, events: run.events.into() }
    }
}

#[cfg(test)]
mod tests;
