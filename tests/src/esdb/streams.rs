//! The streams service: messages in, messages out. What they mean is in append.rs, read.rs and subscription.rs.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::{
    append::{Expected, Refusal, Written},
    faults::{Fault, Operation},
    node::{Call, Node, Right},
    options::Repeats,
    outlet::{Ended, Outlet},
    read::{self, Reading},
    record::Proposed,
    status, subscription,
    wire::event_store::client::{
        Empty, StreamIdentifier, Uuid as WireUuid,
        streams::{
            AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, TombstoneReq,
            TombstoneResp,
            append_req::{self, ProposedMessage},
            append_resp, delete_req, delete_resp,
            streams_server::Streams,
            tombstone_req, tombstone_resp,
        },
        uuid::Value,
    },
};

/// The service of one node.
#[derive(Clone, Debug)]
pub(super) struct StreamsService(pub(super) Arc<Node>);

#[tonic::async_trait]
impl Streams for StreamsService {
    type ReadStream = Outlet;
    type BatchAppendStream = NoBatches;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Outlet>, Status> {
        let call = Call::of(&request);
        let node = Arc::clone(&self.0);
        let reading = Reading::new(request.into_inner())?;
        node.admit(&call, if reading.is_of_all() { Right::ReadAll } else { Right::Read })?;
        let is_subscription = reading.is_subscription;
        let operation = if is_subscription { Operation::Subscribe } else { Operation::Read };
        let fault = node.faults.take(operation);
        call.within_timeout(node.before(fault, &call.connection)).await?;
        call.within_timeout(node.after(fault, &call.connection)).await?;
        if fault == Some(Fault::CleanEnd) {
            return Ok(Response::new(Outlet::new(|_| async { Ok(()) })));
        }
        let timeout = call.timeout;
        let outlet = Outlet::new(|inlet| async move {
            let work = async {
                if is_subscription {
                    subscription::run(node, reading, inlet, call.connection).await
                } else {
                    read::run(node, reading, inlet, call.connection).await
                }
            };
            let Some(timeout) = timeout else { return work.await };
            let late = |_| Err(Ended::With(Status::deadline_exceeded("Deadline Exceeded")));
            tokio::time::timeout(timeout, work).await.unwrap_or_else(late)
        });
        Ok(Response::new(outlet))
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        let call = Call::of(&request);
        self.0.admit(&call, Right::Write)?;
        call.within_timeout(self.append_all(&call, request.into_inner())).await.map(Response::new)
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        use delete_resp::{Position, PositionOption};
        let call = Call::of(&request);
        let options = request.into_inner().options.ok_or_else(|| status::missing("options"))?;
        let stream = stream_name(options.stream_identifier)?;
        let expected = options.expected_stream_revision.ok_or_else(|| status::missing("expected_stream_revision"))?;
        let position = self.end_stream(&call, &stream, expected.into(), Ending::Soft).await?;
        let position = PositionOption::Position(Position { commit_position: position, prepare_position: position });
        Ok(Response::new(DeleteResp { position_option: Some(position) }))
    }

    async fn tombstone(&self, request: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        use tombstone_resp::{Position, PositionOption};
        let call = Call::of(&request);
        let options = request.into_inner().options.ok_or_else(|| status::missing("options"))?;
        let stream = stream_name(options.stream_identifier)?;
        let expected = options.expected_stream_revision.ok_or_else(|| status::missing("expected_stream_revision"))?;
        let position = self.end_stream(&call, &stream, expected.into(), Ending::Hard).await?;
        let position = PositionOption::Position(Position { commit_position: position, prepare_position: position });
        Ok(Response::new(TombstoneResp { position_option: Some(position) }))
    }

    /// Not offered, and not listed among the features.
    async fn batch_append(
        &self,
        _: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        Err(Status::unimplemented("The double does not append in batches"))
    }
}

/// What batch appends would answer with; there is none.
type NoBatches = futures_util::stream::Empty<Result<BatchAppendResp, Status>>;

/// How a stream ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Soft,
    Hard,
}

impl StreamsService {
    async fn append_all(&self, call: &Call, mut requests: Streaming<AppendReq>) -> Result<AppendResp, Status> {
        use append_req::Content;
        let node = &self.0;
        let Some(AppendReq { content: Some(Content::Options(options)) }) = requests.message().await? else {
            return Err(status::missing("options"));
        };
        let stream = stream_name(options.stream_identifier)?;
        let expected = options.expected_stream_revision.ok_or_else(|| status::missing("expected_stream_revision"))?;
        let mut events = Vec::new();
        while let Some(request) = requests.message().await? {
            let Some(Content::ProposedMessage(message)) = request.content else {
                return Err(status::missing("proposed_message"));
            };
            events.push(proposed(message)?);
        }
        let fault = node.faults.take(Operation::Append);
        node.before(fault, &call.connection).await?;
        let answer = self.write(&stream, expected, events).await;
        node.after(fault, &call.connection).await?;
        answer
    }

    async fn write(
        &self,
        stream: &str,
        expected: append_req::options::ExpectedStreamRevision,
        events: Vec<Proposed>,
    ) -> Result<AppendResp, Status> {
        let database = Arc::clone(&self.0.database);
        let name = stream.to_owned();
        // A task of its own, for a write goes on whatever becomes of the connection.
        let write = self.0.tasks.spawn(async move { database.append(&name, expected.into(), &events).await });
        let database = &self.0.database;
        let written = match write.await.map_err(|error| Status::internal(error.to_string()))? {
            Ok(written) => database.settle(&written).await.map(|position| (written, position)),
            Err(refusal) => Err(refusal),
        };
        let result = match written {
            Ok((written, _)) if written.is_repeat && self.0.options.repeats == Repeats::AsConflict => {
                let current = database.log().state(stream).last;
                append_resp::Result::WrongExpectedVersion(wrong_expected_version(expected, current))
            }
            Ok((written, position)) => append_resp::Result::Success(self.success(written, position)),
            Err(Refusal::WrongExpectedVersion { current }) => {
                append_resp::Result::WrongExpectedVersion(wrong_expected_version(expected, current))
            }
            Err(refusal) => return Err(status::refused("Append", stream, expected.into(), &refusal)),
        };
        Ok(AppendResp { result: Some(result) })
    }

    fn success(&self, written: Written, position: Option<u64>) -> append_resp::Success {
        use append_resp::success::{CurrentRevisionOption, PositionOption};
        let revision = written.revision.map_or(CurrentRevisionOption::NoStream(Empty {}), |revision| {
            CurrentRevisionOption::CurrentRevision(revision)
        });
        let position = position
            .filter(|_| !written.is_repeat || self.0.options.repeats != Repeats::WithoutPosition)
            .map_or(PositionOption::NoPosition(Empty {}), |position| {
                PositionOption::Position(append_resp::Position {
                    commit_position: position,
                    prepare_position: position,
                })
            });
        append_resp::Success { current_revision_option: Some(revision), position_option: Some(position) }
    }

    async fn end_stream(&self, call: &Call, stream: &str, expected: Expected, ending: Ending) -> Result<u64, Status> {
        let node = &self.0;
        node.admit(call, Right::Write)?;
        call.within_timeout(async {
            let fault = node.faults.take(Operation::Delete);
            node.before(fault, &call.connection).await?;
            let (written, name) = match ending {
                Ending::Soft => (node.database.delete(stream, expected).await, "Delete"),
                Ending::Hard => (node.database.tombstone(stream, expected).await, "Tombstone"),
            };
            let settled = match written {
                Ok(written) => node.database.settle(&written).await,
                Err(refusal) => Err(refusal),
            };
            node.after(fault, &call.connection).await?;
            let position = settled.map_err(|refusal| status::refused(name, stream, expected, &refusal))?;
            Ok(position.expect("a deletion has an event"))
        })
        .await
    }
}

/// The name that a client has sent.
pub(super) fn stream_name(identifier: Option<StreamIdentifier>) -> Result<String, Status> {
    let name = identifier.ok_or_else(|| status::missing("stream_identifier"))?.stream_name;
    let name = String::from_utf8(name.into()).map_err(|_| Status::invalid_argument("A stream's name is UTF-8"))?;
    // The metadata of metadata, and of nothing, has no stream.
    if name.is_empty() || name == "$$" || name.starts_with("$$$$") {
        return Err(Status::invalid_argument(format!("Invalid stream name '{name}'")));
    }
    Ok(name)
}

fn proposed(message: ProposedMessage) -> Result<Proposed, Status> {
    let mut metadata = message.metadata;
    let mut property = |name| metadata.remove(name).ok_or_else(|| status::missing_metadata(name));
    let type_name = property("type")?;
    let content_type = property("content-type")?;
    let id = message.id.and_then(uuid).ok_or_else(|| status::missing("id"))?;
    Ok(Proposed {
        id,
        type_name,
        is_json: content_type == "application/json",
        metadata: message.custom_metadata,
        data: message.data,
    })
}

fn uuid(id: WireUuid) -> Option<Uuid> {
    match id.value? {
        Value::Structured(parts) => Some(Uuid::from_u64_pair(
            parts.most_significant_bits.cast_unsigned(),
            parts.least_significant_bits.cast_unsigned(),
        )),
        Value::String(text) => text.parse().ok(),
    }
}

/// Both the fields of today and those that clients of 20.6 read.
fn wrong_expected_version(
    expected: append_req::options::ExpectedStreamRevision,
    current: Option<u64>,
) -> append_resp::WrongExpectedVersion {
    use append_req::options::ExpectedStreamRevision as Sent;
    use append_resp::wrong_expected_version::{
        CurrentRevisionOption, CurrentRevisionOption2060, ExpectedRevisionOption, ExpectedRevisionOption2060,
    };
    let (expected, expected_2060) = match expected {
        Sent::Revision(revision) => (
            ExpectedRevisionOption::ExpectedRevision(revision),
            Some(ExpectedRevisionOption2060::ExpectedRevision2060(revision)),
        ),
        Sent::NoStream(_) => (ExpectedRevisionOption::ExpectedNoStream(Empty {}), None),
        Sent::Any(_) => {
            (ExpectedRevisionOption::ExpectedAny(Empty {}), Some(ExpectedRevisionOption2060::Any2060(Empty {})))
        }
        Sent::StreamExists(_) => (
            ExpectedRevisionOption::ExpectedStreamExists(Empty {}),
            Some(ExpectedRevisionOption2060::StreamExists2060(Empty {})),
        ),
    };
    let (current, current_2060) = match current {
        Some(revision) => {
            (CurrentRevisionOption::CurrentRevision(revision), CurrentRevisionOption2060::CurrentRevision2060(revision))
        }
        None => (CurrentRevisionOption::CurrentNoStream(Empty {}), CurrentRevisionOption2060::NoStream2060(Empty {})),
    };
    append_resp::WrongExpectedVersion {
        current_revision_option_20_6_0: Some(current_2060),
        expected_revision_option_20_6_0: expected_2060,
        current_revision_option: Some(current),
        expected_revision_option: Some(expected),
    }
}

/// The same four states in three messages.
macro_rules! expected_from {
    ($($message:ident),*) => {
        $(impl From<$message::options::ExpectedStreamRevision> for Expected {
            fn from(expected: $message::options::ExpectedStreamRevision) -> Self {
                use $message::options::ExpectedStreamRevision as Sent;
                match expected {
                    Sent::Revision(revision) => Self::Revision(revision),
                    Sent::NoStream(_) => Self::NoStream,
                    Sent::Any(_) => Self::Any,
                    Sent::StreamExists(_) => Self::StreamExists,
                }
            }
        })*
    };
}
expected_from!(append_req, delete_req, tombstone_req);
