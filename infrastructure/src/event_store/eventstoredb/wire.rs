//! The messages of the protocol, as far as this adapter speaks it.
//!
//! Names and numbers are those of the `.proto` files that the server's makers publish (streams, gossip, shared). The
//! double that the tests run against is compiled from those files, so a wrong number here is a failing test there.
//! Fields that nobody here reads are left out; what a newer server adds is passed over.

use std::collections::HashMap;

use bytes::Bytes;
use prost::{Message, Oneof};
use uuid::Uuid;

/// The largest message that is taken: more than the largest event.
pub(super) const MESSAGE_BYTES_MAX: usize = 17 * 1024 * 1024;

/// An id.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct WireId {
    #[prost(oneof = "IdValue", tags = "1, 2")]
    pub(super) value: Option<IdValue>,
}

#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum IdValue {
    #[prost(message, tag = "1")]
    Structured(IdHalves),
    #[prost(string, tag = "2")]
    Text(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct IdHalves {
    #[prost(int64, tag = "1")]
    pub(super) most: i64,
    #[prost(int64, tag = "2")]
    pub(super) least: i64,
}

impl From<Uuid> for WireId {
    fn from(id: Uuid) -> Self {
        let (most, least) = id.as_u64_pair();
        let halves = IdHalves { most: most.cast_signed(), least: least.cast_signed() };
        Self { value: Some(IdValue::Structured(halves)) }
    }
}

impl WireId {
    /// The id; none if it is no UUID.
    pub(super) fn uuid(&self) -> Option<Uuid> {
        match self.value.as_ref()? {
            IdValue::Structured(IdHalves { most, least }) => {
                Some(Uuid::from_u64_pair(most.cast_unsigned(), least.cast_unsigned()))
            }
            IdValue::Text(text) => text.parse().ok(),
        }
    }
}

/// The name of a stream.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct StreamIdentifier {
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) name: Bytes,
}

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct LogPosition {
    #[prost(uint64, tag = "1")]
    pub(super) commit: u64,
    #[prost(uint64, tag = "2")]
    pub(super) prepare: u64,
}

/// `Streams.Read`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ReadRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) options: Option<ReadOptions>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ReadOptions {
    #[prost(oneof = "Source", tags = "1, 2")]
    pub(super) source: Option<Source>,
    /// 0 is forwards, 1 backwards.
    #[prost(int32, tag = "3")]
    pub(super) direction: i32,
    #[prost(oneof = "Extent", tags = "5, 6")]
    pub(super) extent: Option<Extent>,
    #[prost(oneof = "Filtering", tags = "7, 8")]
    pub(super) filtering: Option<Filtering>,
    #[prost(message, optional, tag = "9")]
    pub(super) id_format: Option<IdFormat>,
    #[prost(message, optional, tag = "10")]
    pub(super) control: Option<Control>,
}

#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum Source {
    #[prost(message, tag = "1")]
    Stream(StreamSource),
    #[prost(message, tag = "2")]
    Log(LogSource),
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct StreamSource {
    #[prost(message, optional, tag = "1")]
    pub(super) stream: Option<StreamIdentifier>,
    #[prost(oneof = "StreamFrom", tags = "2, 4")]
    pub(super) from: Option<StreamFrom>,
}

#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub(super) enum StreamFrom {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "4")]
    End(()),
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct LogSource {
    #[prost(oneof = "LogFrom", tags = "1, 2, 3")]
    pub(super) from: Option<LogFrom>,
}

#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub(super) enum LogFrom {
    #[prost(message, tag = "1")]
    Position(LogPosition),
    #[prost(message, tag = "2")]
    Start(()),
    #[prost(message, tag = "3")]
    End(()),
}

#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub(super) enum Extent {
    #[prost(uint64, tag = "5")]
    Count(u64),
    #[prost(message, tag = "6")]
    Subscription(()),
}

#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum Filtering {
    #[prost(message, tag = "7")]
    Filter(Filter),
    #[prost(message, tag = "8")]
    None(()),
}

/// What types pass. The server's own window for looking through the log is used.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Filter {
    #[prost(message, optional, tag = "2")]
    pub(super) types: Option<Expression>,
    #[prost(message, optional, tag = "4")]
    pub(super) window: Option<()>,
    #[prost(uint32, tag = "5")]
    pub(super) checkpoint_interval: u32,
}

/// A regular expression, or beginnings.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Expression {
    #[prost(string, tag = "1")]
    pub(super) regex: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) prefixes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct IdFormat {
    #[prost(message, optional, tag = "1")]
    pub(super) structured: Option<()>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct Control {
    #[prost(uint32, tag = "1")]
    pub(super) compatibility: u32,
}

/// One message of what `Streams.Read` answers. What has no variant comes as none.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ReadResponse {
    #[prost(oneof = "ReadContent", tags = "1, 3, 4, 7")]
    pub(super) content: Option<ReadContent>,
}

#[expect(clippy::large_enum_variant, reason = "nearly all that comes are events")]
#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum ReadContent {
    #[prost(message, tag = "1")]
    Event(ReadEvent),
    #[prost(message, tag = "3")]
    Checkpoint(LogPosition),
    #[prost(message, tag = "4")]
    StreamNotFound(()),
    #[prost(message, tag = "7")]
    LastLogPosition(LogPosition),
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ReadEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) event: Option<WireEvent>,
    #[prost(message, optional, tag = "2")]
    pub(super) link: Option<WireEvent>,
}

impl ReadEvent {
    /// The event that lies at the place itself, be it a link or not; none if it came without content.
    pub(super) fn into_original(self) -> Option<WireEvent> {
        self.link.or(self.event)
    }
}

/// An event as the server gives it.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct WireEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<WireId>,
    #[prost(message, optional, tag = "2")]
    pub(super) stream: Option<StreamIdentifier>,
    #[prost(uint64, tag = "3")]
    pub(super) revision: u64,
    #[prost(uint64, tag = "4")]
    pub(super) prepare: u64,
    #[prost(uint64, tag = "5")]
    pub(super) commit: u64,
    /// The server's own: type, content type, and when it was written.
    #[prost(map = "string, string", tag = "6")]
    pub(super) properties: HashMap<String, String>,
    #[prost(bytes = "bytes", tag = "7")]
    pub(super) metadata: Bytes,
    #[prost(bytes = "bytes", tag = "8")]
    pub(super) data: Bytes,
}

/// One message of what `Streams.Append` takes: where to at first, then the events.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct AppendRequest {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub(super) content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum AppendContent {
    #[prost(message, tag = "1")]
    Target(AppendTarget),
    #[prost(message, tag = "2")]
    Event(ProposedEvent),
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct AppendTarget {
    #[prost(message, optional, tag = "1")]
    pub(super) stream: Option<StreamIdentifier>,
    #[prost(oneof = "Expected", tags = "2, 3")]
    pub(super) expected: Option<Expected>,
}

#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub(super) enum Expected {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(()),
}

/// An event as it is sent.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ProposedEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<WireId>,
    #[prost(map = "string, string", tag = "2")]
    pub(super) properties: HashMap<String, String>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) metadata: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) data: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct AppendResponse {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub(super) result: Option<AppendResult>,
}

#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub(super) enum AppendResult {
    #[prost(message, tag = "1")]
    Written(Written),
    #[prost(message, tag = "2")]
    WrongExpectedRevision(WrongExpectedRevision),
}

/// An append that was written, now or before. The server may not say where.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct Written {
    #[prost(uint64, optional, tag = "1")]
    pub(super) last_revision: Option<u64>,
    #[prost(message, optional, tag = "3")]
    pub(super) position: Option<LogPosition>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct WrongExpectedRevision {
    /// The last revision of the stream; none if it has no events.
    #[prost(uint64, optional, tag = "6")]
    pub(super) current: Option<u64>,
}

/// What `Gossip.Read` answers.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ClusterInfo {
    #[prost(message, repeated, tag = "1")]
    pub(super) members: Vec<Member>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Member {
    #[prost(int32, tag = "3")]
    pub(super) state: i32,
    #[prost(bool, tag = "4")]
    pub(super) is_alive: bool,
    #[prost(message, optional, tag = "5")]
    pub(super) address: Option<MemberAddress>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct MemberAddress {
    #[prost(string, tag = "1")]
    pub(super) host: String,
    #[prost(uint32, tag = "2")]
    pub(super) port: u32,
}

impl Member {
    /// The state of the node that leads.
    pub(super) const LEADER: i32 = 8;
}
