//! What the double knows of its log: the records in order, the streams, and how far readers may see.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::Timestamp;
use infrastructure::event_store::{Name, Position, RecordedEvent};
use serde::Deserialize;
use uuid::Uuid;

use super::record::{DELETED, Parcels, Record};

/// Where the first record lies. Not 0, which means the start of the log.
const FIRST_POSITION: u64 = 1_021;

/// The log in memory.
#[derive(Debug)]
pub(super) struct Log {
    records: Vec<Arc<Record>>,
    /// Of each record, the engine's position.
    engine_positions: Vec<Position>,
    /// Where the next record will lie.
    end: u64,
    streams: HashMap<Name, Stream>,
    parcels: Parcels,
    remembered: Remembered,
}

/// What is known of one stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Its records, as indexes of the log: the one of revision *r* at *r*.
    indexes: Vec<usize>,
    /// The index of its tombstone.
    tombstone: Option<usize>,
    /// What the last event of its metadata stream says.
    settings: Settings,
    has_metadata: bool,
}

/// The part of a stream's metadata that decides what a reader of the stream sees.
///
/// Source: "Stream metadata" in the documentation of the server. Live: not verified.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    /// Events before this revision are gone; the highest one: the stream is deleted softly.
    #[serde(rename = "$tb")]
    truncate_before: u64,
    /// So many events are kept.
    #[serde(rename = "$maxCount")]
    max_count: Option<u64>,
    /// So many seconds an event is kept.
    #[serde(rename = "$maxAge")]
    max_age: Option<u64>,
}

/// The state of a stream on the leader, for deciding about a write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamState {
    /// Its last revision.
    pub(super) last: Option<u64>,
    /// It has a tombstone.
    pub(super) is_tombstoned: bool,
    /// It is deleted softly.
    pub(super) is_soft_deleted: bool,
    /// Somebody has set its metadata.
    pub(super) has_metadata: bool,
}

/// What a reader of a stream sees of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It has no events, never had or not any more.
    Missing,
    /// It has a tombstone.
    Tombstoned,
    /// Events of these revisions, the last one included.
    Events {
        /// The first revision that is not truncated.
        first: u64,
        /// The last revision.
        last: u64,
    },
}

/// Where a position lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A record begins there: its index.
    At(usize),
    /// Behind everything.
    Beyond,
    /// Within a record.
    Within,
}

impl Log {
    /// An empty log that remembers so many ids for the weak check.
    pub(super) fn new(ids_remembered: usize) -> Self {
        Self {
            records: Vec::new(),
            engine_positions: Vec::new(),
            end: FIRST_POSITION,
            streams: HashMap::new(),
            parcels: Parcels::default(),
            remembered: Remembered { ids: HashMap::new(), order: VecDeque::new(), limit: ids_remembered },
        }
    }

    /// Takes over the engine's next event.
    pub(super) fn push(&mut self, event: RecordedEvent) {
        let engine_position = event.position;
        let Some(record) = self.parcels.unpack(event, self.end) else { return };
        let index = self.records.len();
        self.end += record.bytes();
        if let Some(of) = record.stream.strip_prefix("$$") {
            let stream = self.streams.entry(of.into()).or_default();
            // The server, too, treats metadata that it cannot read as none.
            stream.settings = serde_json::from_slice(&record.data).unwrap_or_default();
            stream.has_metadata = true;
        }
        let stream = self.streams.entry(record.stream.clone()).or_default();
        if record.is_tombstone() {
            stream.tombstone = Some(index);
        } else {
            stream.indexes.push(index);
        }
        self.remembered.put(record.id, index);
        self.records.push(Arc::new(record));
        self.engine_positions.push(engine_position);
    }

    /// How many records it has.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The record of this index.
    pub(super) fn record(&self, index: usize) -> &Arc<Record> {
        &self.records[index]
    }

    /// The records of these indexes.
    pub(super) fn records(&self, range: std::ops::Range<usize>) -> &[Arc<Record>] {
        &self.records[range]
    }

    /// The record that the engine has at this position.
    pub(super) fn at_engine(&self, position: Position) -> Option<&Arc<Record>> {
        self.engine_positions.binary_search(&position).ok().map(|index| &self.records[index])
    }

    /// Where the engine has the record at `position`.
    pub(super) fn engine_position(&self, position: u64) -> Option<Position> {
        let index = self.records.binary_search_by_key(&position, |record| record.position).ok()?;
        Some(self.engine_positions[index])
    }

    /// Where `position` lies.
    ///
    /// Source: the server reads a record where a position points, and says "invalid position" where it finds none
    /// (`IndexReader`, `AllReader`). Positions behind the end are accepted. Live: not verified.
    pub(super) fn place(&self, position: u64) -> Place {
        if position >= self.end {
            return Place::Beyond;
        }
        match self.records.binary_search_by_key(&position, |record| record.position) {
            Ok(index) => Place::At(index),
            Err(_) => Place::Within,
        }
    }

    /// How a write finds the stream.
    pub(super) fn state(&self, stream: &str) -> StreamState {
        let Some(stream) = self.stream(stream) else { return StreamState::default() };
        StreamState {
            last: (stream.indexes.len() as u64).checked_sub(1),
            is_tombstoned: stream.tombstone.is_some(),
            is_soft_deleted: stream.settings.truncate_before == DELETED,
            has_metadata: stream.has_metadata,
        }
    }

    fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.get(&Name::from(name))
    }

    /// What a reader sees of the stream in the first `visible` records.
    pub(super) fn seen(&self, stream: &str, visible: usize, now: Timestamp) -> Seen {
        let Some(stream) = self.stream(stream) else { return Seen::Missing };
        if stream.tombstone.is_some_and(|index| index < visible) {
            return Seen::Tombstoned;
        }
        let count = stream.indexes.partition_point(|index| *index < visible);
        let Settings { truncate_before, max_count, max_age } = stream.settings;
        let mut first = truncate_before;
        if let Some(max_count) = max_count {
            first = first.max((count as u64).saturating_sub(max_count));
        }
        if let Some(seconds) = max_age {
            let oldest = now - Duration::from_secs(seconds);
            let old = stream.indexes[..count].partition_point(|index| self.records[*index].created < oldest);
            first = first.max(old as u64);
        }
        match (count as u64).checked_sub(1) {
            // What is truncated entirely reads as empty, unless it was deleted; both are "not found" to a client.
            Some(last) if first <= last => Seen::Events { first, last },
            Some(_) | None => Seen::Missing,
        }
    }

    /// The record of a stream with this revision, which must be there.
    pub(super) fn of_stream(&self, stream: &str, revision: u64) -> Option<&Arc<Record>> {
        let index = *self.stream(stream)?.indexes.get(usize::try_from(revision).ok()?)?;
        Some(&self.records[index])
    }

    /// The record with this id, if it is one of those remembered.
    pub(super) fn remembered(&self, id: Uuid) -> Option<&Arc<Record>> {
        self.remembered.ids.get(&id).map(|index| &self.records[*index])
    }

    /// Forgets the ids, as a node does that was restarted or has just become leader.
    pub(super) fn forget_ids(&mut self) {
        self.remembered.ids.clear();
        self.remembered.order.clear();
    }
}

/// The ids of the latest events: all that the check of `Any` and `StreamExists` looks at.
///
/// Source: `IndexWriter._committedEvents` in the server, bounded by bytes there, by entries here. Live: not verified.
#[derive(Debug)]
struct Remembered {
    ids: HashMap<Uuid, usize>,
    order: VecDeque<Uuid>,
    limit: usize,
}

impl Remembered {
    fn put(&mut self, id: Uuid, index: usize) {
        if self.limit == 0 {
            return;
        }
        if self.ids.insert(id, index).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}
