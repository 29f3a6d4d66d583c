//! The calls of the protocol that this adapter makes: append, read, subscribe, and who leads.

use bytes::Bytes;
use futures_util::stream;
use prost::Message;
use tonic::{Request, Streaming, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::{
    super::{Position, Revision},
    address::Node,
    failure::Failure,
    link::{Http, Link},
    wire::{
        AppendContent, AppendRequest, AppendResponse, AppendResult, AppendTarget, ClusterInfo, Control, Expected,
        Expression, Extent, Filter, Filtering, IdFormat, LogFrom, LogPosition, LogSource, MESSAGE_BYTES_MAX, Member,
        ProposedEvent, ReadContent, ReadOptions, ReadRequest, ReadResponse, Source, StreamFrom, StreamIdentifier,
        StreamSource, WireEvent, Written,
    },
};

const APPEND: &str = "/event_store.client.streams.Streams/Append";
const READ: &str = "/event_store.client.streams.Streams/Read";
const GOSSIP: &str = "/event_store.client.gossip.Gossip/Read";

/// What to read. Events come with all they have; links are not followed.
#[derive(Clone, Debug)]
pub(super) struct Query(ReadOptions);

impl Query {
    /// Events of one stream, from this revision on, or from its end.
    pub(super) fn stream(name: &str, from: Option<Revision>) -> Self {
        let stream = StreamIdentifier { name: Bytes::copy_from_slice(name.as_bytes()) };
        let from = from.map_or(StreamFrom::End(()), |from| StreamFrom::Revision(from.value()));
        let source = Source::Stream(StreamSource { stream: Some(stream), from: Some(from) });
        Self(ReadOptions { control: Some(Control { compatibility: 1 }), ..whole(source) })
    }

    /// Events of the log. It begins with the event at the position itself.
    pub(super) fn log(from: Position) -> Self {
        let from = match from {
            Position::START => LogFrom::Start(()),
            from => LogFrom::Position(LogPosition { commit: from.value(), prepare: from.value() }),
        };
        Self(whole(Source::Log(LogSource { from: Some(from) })))
    }

    /// Events of the log from its end on, the last one first.
    pub(super) fn log_from_end() -> Self {
        Self(whole(Source::Log(LogSource { from: Some(LogFrom::End(())) }))).backwards()
    }

    /// The same from the later events to the earlier ones.
    pub(super) fn backwards(self) -> Self {
        Self(ReadOptions { direction: 1, ..self.0 })
    }

    /// At most so many of them.
    pub(super) fn at_most(self, count: usize) -> Self {
        Self(ReadOptions { extent: Some(Extent::Count(count as u64)), ..self.0 })
    }

    /// Those with types that pass.
    pub(super) fn of_types(self, types: Expression) -> Self {
        let filter = Filter { types: Some(types), window: Some(()), checkpoint_interval: 1 };
        Self(ReadOptions { filtering: Some(Filtering::Filter(filter)), ..self.0 })
    }
}

/// Everything that comes from `source`, for ever.
fn whole(source: Source) -> ReadOptions {
    ReadOptions {
        source: Some(source),
        direction: 0,
        extent: Some(Extent::Subscription(())),
        filtering: Some(Filtering::None(())),
        id_format: Some(IdFormat { structured: Some(()) }),
        control: None,
    }
}

/// A read that goes on, and the connection that it needs.
#[derive(Debug)]
pub(super) struct Reading {
    messages: Streaming<ReadResponse>,
    _link: Link,
}

impl Reading {
    /// The next event; none at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<WireEvent>, Failure> {
        while let Some(response) = self.messages.message().await? {
            match response.content {
                Some(ReadContent::Event(event)) => {
                    let event = event.into_original();
                    return event.ok_or_else(|| broken("an event without content")).map(Some);
                }
                Some(ReadContent::StreamNotFound(())) => return Err(Failure::NoStream),
                Some(ReadContent::Checkpoint(_) | ReadContent::LastLogPosition(_)) | None => {}
            }
        }
        Ok(None)
    }

    /// The next position that it has come to; none at the end. Cancel-safe.
    pub(super) async fn next_position(&mut self) -> Result<Option<Position>, Failure> {
        while let Some(response) = self.messages.message().await? {
            let commit = match response.content {
                Some(ReadContent::Event(event)) => event.into_original().map(|event| event.commit),
                Some(ReadContent::Checkpoint(at) | ReadContent::LastLogPosition(at)) => Some(at.commit),
                Some(ReadContent::StreamNotFound(())) | None => None,
            };
            if let Some(commit) = commit {
                return Ok(Some(Position::new(commit)));
            }
        }
        Ok(None)
    }
}

fn broken(what: &str) -> Failure {
    Failure::Broken(format!("the server gave {what}"))
}

impl Link {
    /// Appends events to a stream.
    pub(super) async fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<ProposedEvent>,
    ) -> Result<Written, Failure> {
        let name = StreamIdentifier { name: Bytes::copy_from_slice(stream.as_bytes()) };
        let target = AppendContent::Target(AppendTarget { stream: Some(name), expected: Some(expected) });
        let contents = std::iter::once(target).chain(events.into_iter().map(AppendContent::Event));
        let messages = stream::iter(contents.map(|content| AppendRequest { content: Some(content) }));
        let request = self.with_deadline(messages);
        let mut grpc = self.grpc().await?;
        let answer = grpc.client_streaming(request, PathAndQuery::from_static(APPEND), codec()).await;
        let answer: AppendResponse = answer.map_err(|status| Failure::from(status).at_request())?.into_inner();
        match answer.result {
            Some(AppendResult::Written(written)) => Ok(written),
            Some(AppendResult::WrongExpectedRevision(wrong)) => {
                Err(Failure::WrongExpectedRevision { actual: wrong.current.map(Revision::new) })
            }
            None => Err(broken("no result of an append")),
        }
    }

    /// Begins to read what `query` asks for.
    pub(super) async fn read(&self, query: &Query) -> Result<Reading, Failure> {
        self.reading(self.with_deadline(ReadRequest { options: Some(query.0.clone()) })).await
    }

    /// Begins to read what `query` asks for, and goes on for ever.
    pub(super) async fn subscribe(&self, query: &Query) -> Result<Reading, Failure> {
        self.reading(self.request(ReadRequest { options: Some(query.0.clone()) })).await
    }

    async fn reading(&self, request: Request<ReadRequest>) -> Result<Reading, Failure> {
        let mut grpc = self.grpc().await?;
        let answer = grpc.server_streaming(request, PathAndQuery::from_static(READ), codec()).await;
        let messages = answer.map_err(|status| Failure::from(status).at_request())?.into_inner();
        Ok(Reading { messages, _link: self.clone() })
    }

    /// The node that leads, as far as this one knows.
    pub(super) async fn leader(&self) -> Result<Option<Node>, Failure> {
        let mut grpc = self.grpc().await?;
        let answer = grpc.unary(self.request(()), PathAndQuery::from_static(GOSSIP), codec()).await;
        let info: ClusterInfo = answer?.into_inner();
        let leader = info.members.into_iter().find(|member| member.is_alive && member.state == Member::LEADER);
        let address = leader.and_then(|leader| leader.address);
        Ok(address.and_then(|address| Some(Node::told(&address.host, u16::try_from(address.port).ok()?))))
    }

    /// What makes calls. Fails if the connection is over, before anything is sent.
    async fn grpc(&self) -> Result<Grpc<Http>, Failure> {
        let mut grpc = Grpc::with_origin(self.http(), self.origin.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        grpc.ready().await.map_err(|error| Failure::Unreachable(error.to_string()))?;
        Ok(grpc)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.settings.metadata.clone();
        request
    }

    /// A request that the server need not work on when nobody waits any more.
    fn with_deadline<T>(&self, message: T) -> Request<T> {
        let mut request = self.request(message);
        request.set_timeout(self.settings.call_timeout);
        request
    }
}

fn codec<T, U>() -> ProstCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    ProstCodec::default()
}
