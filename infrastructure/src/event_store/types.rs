//! The words of the event store port.

use std::{fmt, ops::Deref, sync::Arc};

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A short name that is shared, not copied: a category, an event type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::from(name.as_str()))
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a stream: category and id, written `order-0190...`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// What kind of thing the stream is about.
    pub category: Name,
    /// Which one.
    pub id: Uuid,
}

impl StreamId {
    /// The stream of `category` with this id.
    pub fn new(category: impl Into<Name>, id: Uuid) -> Self {
        Self { category: category.into(), id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.category, self.id)
    }
}

/// The place of an event in its stream, gapless from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The first event's.
    pub const FIRST: Self = Self(0);
    /// Beyond every event; for reading backwards from the end.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The one before it; none before the first.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

/// The place of an event in the whole log. Strictly increasing, not necessarily gapless: in some stores it is an
/// offset, not a counter. Opaque outside the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The position with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, for storing it.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the stream must look like for an append to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedRevision {
    /// It has no events.
    NoStream,
    /// Its last event has exactly this revision.
    Exact(Revision),
}

impl ExpectedRevision {
    /// The revision that the first appended event gets.
    pub const fn first_new(self) -> Revision {
        match self {
            Self::NoStream => Revision::FIRST,
            Self::Exact(last) => last.next(),
        }
    }

    /// What to expect of a stream whose last revision is `last`.
    pub const fn after(last: Option<Revision>) -> Self {
        match last {
            None => Self::NoStream,
            Some(last) => Self::Exact(last),
        }
    }
}

/// Events for one stream, all or nothing. Cheap to clone, so that a retry sends the same bytes.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where they go.
    pub stream: StreamId,
    /// What the stream must look like.
    pub expected: ExpectedRevision,
    /// The events, in order.
    pub events: Arc<[NewEvent]>,
}

/// An event on its way into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id: the same for the same event, however often it is sent.
    pub id: Uuid,
    /// Its type name with version.
    pub type_name: Name,
    /// When it was decided; kept as `recorded_at`, with microseconds.
    pub at: Timestamp,
    /// What is known about how it came about: a JSON object.
    pub metadata: String,
    /// What happened: a JSON object.
    pub data: String,
}

impl NewEvent {
    /// Its size against the limits.
    pub fn bytes(&self) -> usize {
        self.metadata.len() + self.data.len()
    }
}

/// A durable append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The stream's last revision after it.
    pub revision: Revision,
    /// The position of each event, in order. A store that does not tell gives the last one's for all.
    pub positions: Vec<Position>,
}

/// An event in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub revision: Revision,
    /// Its id.
    pub id: Uuid,
    /// Its type name with version.
    pub type_name: Name,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What is known about how it came about: a JSON object.
    pub metadata: String,
    /// What happened: a JSON object.
    pub data: String,
}

/// As it is sent again, to another store: every store keeps the time that an event comes with.
impl From<RecordedEvent> for NewEvent {
    fn from(event: RecordedEvent) -> Self {
        let RecordedEvent { position: _, stream: _, revision: _, id, type_name, recorded_at, metadata, data } = event;
        Self { id, type_name, at: recorded_at, metadata, data }
    }
}

/// Which way to read a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From old to new.
    Forwards,
    /// From new to old.
    Backwards,
}

/// A part of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPage {
    /// The events, in the order asked for.
    pub events: Vec<RecordedEvent>,
    /// Whether there is nothing further in that direction.
    pub is_end: bool,
}

/// A part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllPage {
    /// The events that pass the filter, in order.
    pub events: Vec<RecordedEvent>,
    /// Everything up to here was looked at: read on after this, even when no event passed.
    pub scanned_to: Position,
    /// Whether that was the end of the log at the time of reading.
    pub is_end: bool,
}

/// Where a number lies that is said to be a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the log, or at its start: a read can go on after it.
    Inside,
    /// Beyond the end of the log, which is `head`.
    Beyond {
        /// The last position.
        head: Position,
    },
    /// Before the end, but none of the log: where positions are not counters, not every number is one.
    Nowhere,
}

/// Which event types a reader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeFilter {
    /// All.
    All,
    /// Those whose type name starts with one of these, such as `order.`.
    Prefixes(Vec<Name>),
}

impl TypeFilter {
    /// The types that start with one of `prefixes`.
    pub fn prefixes(prefixes: &[&str]) -> Self {
        Self::Prefixes(prefixes.iter().map(|prefix| Name::from(*prefix)).collect())
    }

    /// Whether events of this type pass.
    pub fn passes(&self, type_name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Prefixes(prefixes) => prefixes.iter().any(|prefix| type_name.starts_with(&**prefix)),
        }
    }
}
