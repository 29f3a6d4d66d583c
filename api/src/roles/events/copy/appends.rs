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
        run.events.push(as_new(event));
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
        let before = run.first.value().checked_sub(1).map(Revision::new);
        Self { stream: run.stream, expected: ExpectedRevision::after(before), events: run.events.into() }
    }
}

/// The event as it is sent again. Every store keeps the time that it comes with.
fn as_new(event: RecordedEvent) -> NewEvent {
    NewEvent {
        id: event.id,
        type_name: event.type_name,
        at: event.recorded_at,
        metadata: event.metadata,
        data: event.data,
    }
}

#[cfg(test)]
mod tests;
