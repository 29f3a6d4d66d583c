//! What a log must be like for the embedded store to hold it: positions and revisions are counters without gaps.
//!
//! This is the one place that says so about events from elsewhere. It also gives streams their numbers, in the order
//! in which they appear, as the writer does.

use std::collections::{HashMap, hash_map::Entry};

use uuid::Uuid;

use crate::event_store::{Name, Position, RecordedEvent, Revision, StreamId};

/// An event that cannot stand where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfSequence {
    /// A position is missing, or is there twice.
    #[error("position {found} stands where position {expected} belongs")]
    Position {
        /// What the place asks for.
        expected: Position,
        /// What is there.
        found: Position,
    },
    /// A revision is missing, or is there twice.
    #[error(
        "revision {} of stream {stream} stands at position {position}, where its revision {} belongs",
        .found.value(), .expected.value()
    )]
    Revision {
        /// The stream.
        stream: StreamId,
        /// Where in the log.
        position: Position,
        /// What the place asks for.
        expected: Revision,
        /// What is there.
        found: Revision,
    },
}

/// Looks at the events of a log one after the other, from the first. Remembers the end of each stream: some 50 bytes.
#[derive(Debug, Default)]
pub struct LogSequence {
    last: Position,
    categories: HashMap<Name, usize>,
    /// By the category's number and the stream's id.
    streams: HashMap<(usize, Uuid), StreamEnd>,
}

#[derive(Debug)]
struct StreamEnd {
    number: usize,
    next: Revision,
}

/// Where an event goes.
#[derive(Debug)]
pub(super) struct Place {
    /// The number of its stream, from 1.
    pub(super) stream: usize,
    /// Whether it is the first event of its stream.
    pub(super) is_first: bool,
}

impl LogSequence {
    /// Takes the next event; an error if it is not the next one.
    pub fn accept(&mut self, event: &RecordedEvent) -> Result<(), OutOfSequence> {
        self.place(event).map(drop)
    }

    /// The same, and where the event goes.
    pub(super) fn place(&mut self, event: &RecordedEvent) -> Result<Place, OutOfSequence> {
        let expected = Position::new(self.last.value() + 1);
        if event.position != expected {
            return Err(OutOfSequence::Position { expected, found: event.position });
        }
        let category = self.category(&event.stream.category);
        let stream_count = self.streams.len();
        let out_of_sequence = |expected| OutOfSequence::Revision {
            stream: event.stream.clone(),
            position: event.position,
            expected,
            found: event.revision,
        };
        let place = match self.streams.entry((category, event.stream.id)) {
            Entry::Occupied(mut known) => {
                let end = known.get_mut();
                if event.revision != end.next {
                    return Err(out_of_sequence(end.next));
                }
                end.next = end.next.next();
                Place { stream: end.number, is_first: false }
            }
            Entry::Vacant(_) if event.revision != Revision::FIRST => return Err(out_of_sequence(Revision::FIRST)),
            Entry::Vacant(unknown) => {
                let number = stream_count + 1;
                unknown.insert(StreamEnd { number, next: Revision::FIRST.next() });
                Place { stream: number, is_first: true }
            }
        };
        self.last = expected;
        Ok(place)
    }

    fn category(&mut self, name: &Name) -> usize {
        if let Some(number) = self.categories.get(name) {
            return *number;
        }
        let number = self.categories.len();
        self.categories.insert(name.clone(), number);
        number
    }
}
