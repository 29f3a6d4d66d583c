//! The errors of the protocol: code, text and the metadata by which clients know them.
//!
//! Source of all of them: `RpcExceptions.cs` and `Constants.cs` of the server's gRPC transport; how clients read them:
//! `types.rs` of kurrentdb 1.2.0 and `common.py`, `streams.py` of kurrentdbclient 1.3.5. Live: not verified.

use std::net::SocketAddr;

use tonic::{Code, Status, metadata::MetadataValue};

use super::append::{Expected, Refusal};

/// A status with these pairs of metadata.
fn with<const N: usize>(code: Code, message: impl Into<String>, pairs: [(&'static str, String); N]) -> Status {
    let mut status = Status::new(code, message);
    for (key, value) in pairs {
        // Header values are ASCII; the name of a stream may not be, and is then left out.
        if let Ok(value) = MetadataValue::try_from(value) {
            status.metadata_mut().insert(key, value);
        }
    }
    status
}

/// The operation took longer than the server's own limit; it may still happen, or have happened.
pub(super) fn timed_out(what: &str) -> Status {
    Status::aborted(format!("Operation timed out. Details: {what}"))
}

/// The node is starting, or there is no leader.
pub(super) fn not_ready() -> Status {
    Status::unavailable("Server Is Not Ready")
}

/// The node's queues are full.
pub(super) fn busy() -> Status {
    Status::unavailable("Server Is Too Busy")
}

/// Somebody else is the leader.
pub(super) fn not_leader(leader: SocketAddr) -> Status {
    let pairs = [
        ("exception", "not-leader".to_owned()),
        ("leader-endpoint-host", leader.ip().to_string()),
        ("leader-endpoint-port", leader.port().to_string()),
    ];
    with(Code::NotFound, "Leader info available", pairs)
}

/// The credentials are nobody's.
pub(super) fn unauthenticated() -> Status {
    Status::unauthenticated("Bad credentials")
}

/// The user may not.
pub(super) fn access_denied() -> Status {
    with(Code::PermissionDenied, "Access Denied", [("exception", "access-denied".to_owned())])
}

/// The stream has a tombstone.
pub(super) fn stream_deleted(stream: &str) -> Status {
    let pairs = [("exception", "stream-deleted".to_owned()), ("stream-name", stream.to_owned())];
    with(Code::FailedPrecondition, format!("Event stream '{stream}' is deleted."), pairs)
}

/// A position at which no record begins.
pub(super) fn invalid_position() -> Status {
    Status::invalid_argument("Invalid position")
}

/// A message lacks something.
pub(super) fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("{what} is required"))
}

/// An event lacks a part of its metadata.
pub(super) fn missing_metadata(property: &str) -> Status {
    let pairs = [
        ("exception", "missing-required-metadata-property".to_owned()),
        ("required-metadata-properties", "type,content-type".to_owned()),
    ];
    with(Code::InvalidArgument, format!("Required Metadata Property '{property}' is missing"), pairs)
}

fn too_large(limit: usize) -> Status {
    let pairs = [("exception", "maximum-append-size-exceeded".to_owned()), ("maximum-append-size", limit.to_string())];
    with(Code::InvalidArgument, format!("Maximum Append Size of {limit} Exceeded."), pairs)
}

/// A refused write as a status. An append says a wrong version in its answer instead; see streams.rs.
pub(super) fn refused(operation: &str, stream: &str, expected: Expected, refusal: &Refusal) -> Status {
    match refusal {
        Refusal::WrongExpectedVersion { current } => {
            // The numbers of the server's `ExpectedVersion`.
            let expected = match expected {
                Expected::Revision(revision) => revision.to_string(),
                Expected::NoStream => "-1".to_owned(),
                Expected::Any => "-2".to_owned(),
                Expected::StreamExists => "-4".to_owned(),
            };
            let actual = current.map_or_else(|| "-1".to_owned(), |revision| revision.to_string());
            let message = format!(
                "{operation} failed due to WrongExpectedVersion. Stream: {stream}, \
                 Expected version: {expected}, Actual version: {actual}"
            );
            let pairs = [
                ("exception", "wrong-expected-version".to_owned()),
                ("stream-name", stream.to_owned()),
                ("expected-version", expected),
                ("actual-version", actual),
            ];
            with(Code::FailedPrecondition, message, pairs)
        }
        Refusal::Deleted => stream_deleted(stream),
        Refusal::TooLarge { limit } => too_large(*limit),
        Refusal::TimedOut => timed_out("the write is not replicated yet"),
        Refusal::Unavailable(_) => not_ready(),
    }
}
