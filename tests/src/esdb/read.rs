//! Reading: of one stream and of all, both ways.
//!
//! A read sees the log as it was when the read began. Source: `Streams.Read.cs`, `AllReader` and the enumerators of
//! the server; "Reading events" in its documentation. Live: not verified.

use std::{collections::HashMap, sync::Arc};

use tonic::Status;
use uuid::Uuid;

use super::{
    connection::Connection,
    database::Database,
    events::Events,
    faults::Operation,
    filter::Filter,
    log::{Place, Seen},
    node::Node,
    outlet::{Ended, Inlet},
    record::Record,
    status,
    streams::stream_name,
    wire::event_store::client::{
        StreamIdentifier, Uuid as WireUuid,
        streams::{
            ReadReq,
            read_req::{
                Options,
                options::{
                    CountOption, FilterOption, ReadDirection, StreamOption, all_options::AllOption,
                    stream_options::RevisionOption, uuid_option,
                },
            },
            read_resp::{
                Content, ReadEvent, StreamNotFound,
                read_event::{Position, RecordedEvent},
            },
        },
        uuid::{Structured, Value},
    },
};

/// How many records are taken out of the log at once.
pub(super) const PAGE_RECORDS: usize = 256;

/// What a client wants to read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) source: Source,
    is_backwards: bool,
    /// The most events; a subscription has no end.
    count: u64,
    pub(super) is_subscription: bool,
    /// Whether the client knows the messages about the first and the last position of a stream.
    knows_bounds: bool,
    pub(super) id_format: IdFormat,
}

/// What is read.
#[derive(Debug)]
pub(super) enum Source {
    /// A stream.
    Stream { name: String, from: From },
    /// The log.
    All { from: From, filter: Option<Filter> },
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Start,
    End,
    /// A revision of a stream or a position of the log.
    At(u64),
}

/// How ids are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum IdFormat {
    Text,
    Structured,
}

impl Reading {
    /// What the request asks for.
    pub(super) fn new(request: ReadReq) -> Result<Self, Status> {
        let options = request.options.ok_or_else(|| status::missing("options"))?;
        let is_backwards = options.read_direction == i32::from(ReadDirection::Backwards);
        let (count, is_subscription) = match options.count_option {
            Some(CountOption::Count(count)) => (count, false),
            Some(CountOption::Subscription(_)) => (u64::MAX, true),
            None => return Err(status::missing("count_option")),
        };
        if is_subscription && is_backwards {
            return Err(Status::invalid_argument("A subscription reads forwards"));
        }
        let id_format = match options.uuid_option.and_then(|option| option.content) {
            Some(uuid_option::Content::String(_)) => IdFormat::Text,
            Some(uuid_option::Content::Structured(_)) | None => IdFormat::Structured,
        };
        let knows_bounds = options.control_option.is_some_and(|option| option.compatibility >= 1);
        Ok(Self { source: source(options)?, is_backwards, count, is_subscription, knows_bounds, id_format })
    }

    /// Whether it reads other people's streams too.
    pub(super) fn is_of_all(&self) -> bool {
        matches!(self.source, Source::All { .. })
    }
}

fn source(options: Options) -> Result<Source, Status> {
    match options.stream_option {
        Some(StreamOption::Stream(stream)) => {
            let from = match stream.revision_option {
                Some(RevisionOption::Revision(revision)) => From::At(revision),
                Some(RevisionOption::Start(_)) => From::Start,
                Some(RevisionOption::End(_)) => From::End,
                None => return Err(status::missing("revision_option")),
            };
            Ok(Source::Stream { name: stream_name(stream.stream_identifier)?, from })
        }
        Some(StreamOption::All(all)) => {
            let from = match all.all_option {
                Some(AllOption::Position(position)) if position.commit_position < position.prepare_position => {
                    return Err(status::invalid_position());
                }
                Some(AllOption::Position(position)) => From::At(position.commit_position),
                Some(AllOption::Start(_)) => From::Start,
                Some(AllOption::End(_)) => From::End,
                None => return Err(status::missing("all_option")),
            };
            let filter = match options.filter_option {
                Some(FilterOption::Filter(filter)) => Some(Filter::new(filter)?),
                Some(FilterOption::NoFilter(_)) | None => None,
            };
            Ok(Source::All { from, filter })
        }
        None => Err(status::missing("stream_option")),
    }
}

/// Answers a read.
pub(super) async fn run(node: Arc<Node>, reading: Reading, inlet: Inlet, connection: Connection) -> Result<(), Ended> {
    let mut events = Events::new(Arc::clone(&node), connection, inlet.clone(), Operation::ReadEvent, reading.id_format);
    match &reading.source {
        Source::Stream { name, from } => {
            read_stream(&node.database, name, *from, &reading, &inlet, &mut events).await?;
        }
        Source::All { from, filter } => {
            read_all(&node.database, *from, filter.as_ref(), &reading, &mut events).await?;
        }
    }
    events.finish().await
}

async fn read_stream(
    database: &Database,
    name: &str,
    from: From,
    reading: &Reading,
    inlet: &Inlet,
    events: &mut Events,
) -> Result<(), Ended> {
    let seen = database.log().seen(name, database.visible(), Database::now());
    let (first, last) = match seen {
        Seen::Missing => {
            let stream_identifier = Some(StreamIdentifier { stream_name: name.to_owned().into() });
            return inlet.send(Content::StreamNotFound(StreamNotFound { stream_identifier })).await;
        }
        Seen::Tombstoned => return Err(status::stream_deleted(name).into()),
        Seen::Events { first, last } => (first, last),
    };
    // Both ways the event at the revision is included.
    let revisions: Box<dyn Iterator<Item = u64> + Send> = match (reading.is_backwards, from) {
        (false, From::Start) => Box::new(first..=last),
        (false, From::At(revision)) => Box::new(revision.max(first)..=last),
        (false, From::End) | (true, From::Start) => Box::new(std::iter::empty()),
        (true, From::At(revision)) => Box::new((first..=last.min(revision)).rev()),
        (true, From::End) => Box::new((first..=last).rev()),
    };
    let is_truncated = first > 0 && matches!(from, From::Start | From::At(0)) && !reading.is_backwards;
    if reading.knows_bounds && is_truncated {
        inlet.send(Content::FirstStreamPosition(first)).await?;
    }
    let count = usize::try_from(reading.count).unwrap_or(usize::MAX);
    let mut revisions = revisions.take(count);
    let mut sent_last = None;
    loop {
        let page: Vec<_> = {
            let log = database.log();
            revisions
                .by_ref()
                .take(PAGE_RECORDS)
                .filter_map(|revision| log.of_stream(name, revision).cloned())
                .collect()
        };
        if page.is_empty() {
            break;
        }
        for record in page {
            events.send(&record).await?;
            sent_last = Some(record.revision);
        }
    }
    let is_end = !reading.is_backwards && sent_last.is_none_or(|sent| sent == last);
    if reading.knows_bounds && is_end {
        inlet.send(Content::LastStreamPosition(last)).await?;
    }
    Ok(())
}

/// Forwards from a position the event there is included, backwards it is not: the position is the place before it.
/// Source: `AllReader`; "Reading all events" in the documentation of kurrentdbclient 1.3.5.
async fn read_all(
    database: &Database,
    from: From,
    filter: Option<&Filter>,
    reading: &Reading,
    events: &mut Events,
) -> Result<(), Ended> {
    let visible = database.visible();
    let (mut start, mut end) = {
        let log = database.log();
        let at = |position| match log.place(position) {
            // The start of the log, which has no record.
            _ if position == 0 => Ok(0),
            Place::At(index) => Ok(index.min(visible)),
            Place::Beyond => Ok(visible),
            Place::Within => Err(status::invalid_position()),
        };
        match (reading.is_backwards, from) {
            (false, From::Start) | (true, From::End) => (0, visible),
            (false, From::End) => (visible, visible),
            (true, From::Start) => (0, 0),
            (false, From::At(position)) => (at(position)?, visible),
            (true, From::At(position)) => (0, at(position)?),
        }
    };
    let mut left = reading.count;
    while start < end && left > 0 {
        let range = if reading.is_backwards {
            end.saturating_sub(PAGE_RECORDS).max(start)..end
        } else {
            start..end.min(start + PAGE_RECORDS)
        };
        let mut page = database.log().records(range.clone()).to_vec();
        if reading.is_backwards {
            page.reverse();
            end = range.start;
        } else {
            start = range.end;
        }
        for record in page.iter().filter(|record| filter.is_none_or(|filter| filter.passes(record))) {
            if left == 0 {
                break;
            }
            events.send(record).await?;
            left -= 1;
        }
    }
    Ok(())
}

/// The record as a message. Commit and prepare position are the same, as of every event that was not written in one
/// of the transactions of old.
pub(super) fn message(record: &Record, id_format: IdFormat) -> ReadEvent {
    let content_type = if record.is_json { "application/json" } else { "application/octet-stream" };
    // Ticks of 100 ns since 1970.
    let created = record.created.timestamp_micros() * 10;
    let metadata = HashMap::from([
        ("type".to_owned(), record.type_name.to_string()),
        ("created".to_owned(), created.to_string()),
        ("content-type".to_owned(), content_type.to_owned()),
    ]);
    let event = RecordedEvent {
        id: Some(id(record.id, id_format)),
        stream_identifier: Some(StreamIdentifier { stream_name: record.stream.to_string().into() }),
        stream_revision: record.revision,
        prepare_position: record.position,
        commit_position: record.position,
        metadata,
        custom_metadata: record.metadata.clone(),
        data: record.data.clone(),
    };
    ReadEvent { event: Some(event), link: None, position: Some(Position::CommitPosition(record.position)) }
}

fn id(id: Uuid, format: IdFormat) -> WireUuid {
    let value = match format {
        IdFormat::Text => Value::String(id.to_string()),
        IdFormat::Structured => {
            let (most, least) = id.as_u64_pair();
            Value::Structured(Structured {
                most_significant_bits: most.cast_signed(),
                least_significant_bits: least.cast_signed(),
            })
        }
    };
    WireUuid { value: Some(value) }
}
