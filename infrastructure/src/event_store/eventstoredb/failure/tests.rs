//! The table of errors: what each means for an append, for the connection, for a read and for the caller.

use eventstore::{Endpoint, StreamState};

use super::*;

/// An error, and what it means.
type Row = (Error, Verdict, Health, bool, fn(&StoreError) -> bool);

fn grpc(code: i32) -> Error {
    Error::Grpc { code: code.into(), message: "why".to_owned() }
}

fn is_unavailable(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_))
}

fn is_format(error: &StoreError) -> bool {
    matches!(error, StoreError::Format(_))
}

fn is_corrupt(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt(_))
}

fn table() -> Vec<Row> {
    use Health::{Doubtful, Misplaced, Sound};
    use Verdict::{NotSent, Refused, Unknown};
    let leader = Endpoint { host: "other".to_owned(), port: 1 };
    let conflict =
        Error::WrongExpectedVersion { expected: StreamState::NoStream, current: CurrentRevision::Current(3) };
    let no_node = Error::GrpcConnectionError(GrpcConnectionError::MaxDiscoveryAttemptReached(3));
    let no_connection = Error::GrpcConnectionError(GrpcConnectionError::Grpc("refused".to_owned()));
    let (cancelled, invalid, exhausted, aborted, out_of_range) = (1, 3, 8, 10, 11);
    vec![
        (conflict, Refused, Sound, false, is_unavailable),
        (Error::NotLeaderException(leader), NotSent, Misplaced, true, is_unavailable),
        (Error::ResourceDeleted, Refused, Sound, false, is_corrupt),
        (Error::AccessDenied, Refused, Sound, false, is_unavailable),
        (Error::UnsupportedFeature, Refused, Sound, false, is_format),
        (grpc(invalid), Refused, Sound, false, is_format),
        (Error::ConnectionClosed, NotSent, Doubtful, true, is_unavailable),
        (no_node, NotSent, Doubtful, true, is_unavailable),
        (no_connection, NotSent, Doubtful, true, is_unavailable),
        (Error::ServerError("unavailable".to_owned()), Unknown, Doubtful, true, is_unavailable),
        (Error::ServerError("x: \"client error (Connect)\"".to_owned()), NotSent, Doubtful, true, is_unavailable),
        (Error::DeadlineExceeded, Unknown, Doubtful, true, is_unavailable),
        (grpc(aborted), Unknown, Sound, true, is_unavailable),
        (grpc(cancelled), Unknown, Sound, true, is_unavailable),
        (grpc(exhausted), Unknown, Sound, true, is_unavailable),
        (grpc(out_of_range), Unknown, Sound, true, is_unavailable),
        (Error::ResourceAlreadyExists, Unknown, Doubtful, true, is_unavailable),
        (Error::InternalClientError, Unknown, Doubtful, true, is_unavailable),
        (Error::InternalParsingError("x".to_owned()), Unknown, Doubtful, true, is_unavailable),
        (Error::InitializationError("x".to_owned()), Unknown, Doubtful, true, is_unavailable),
        (Error::IllegalStateError("x".to_owned()), Unknown, Doubtful, true, is_unavailable),
    ]
}

#[test]
fn every_error_of_the_client_has_its_meaning() {
    for (error, verdict, health, is_passing, is_told_as) in table() {
        let failure = Failure::from(error);
        assert_eq!(
            (failure.verdict(), failure.health(), failure.is_passing()),
            (verdict, health, is_passing),
            "{failure:?}"
        );
        let told = failure.clone().into_store_error();
        assert!(is_told_as(&told), "{failure:?} is told as {told:?}");
    }
}

#[test]
fn our_own_time_limit_and_a_panic_leave_an_append_open() {
    for failure in [Failure::TimedOut, Failure::Panicked] {
        assert_eq!((failure.verdict(), failure.health()), (Verdict::Unknown, Health::Doubtful));
    }
}

#[test]
fn not_found_as_the_answer_to_a_request_is_a_node_that_does_not_lead() {
    assert_eq!(Failure::from(Error::ResourceNotFound), Failure::NoStream);
    assert_eq!(Failure::from(Error::ResourceNotFound).at_request(), Failure::NotLeader);
    assert_eq!(Failure::Deleted.at_request(), Failure::Deleted);
}

#[test]
fn a_conflict_tells_the_actual_revision() {
    for (current, actual) in [(CurrentRevision::Current(0), Some(Revision::FIRST)), (CurrentRevision::NoStream, None)] {
        let error = Error::WrongExpectedVersion { expected: StreamState::StreamRevision(7), current };
        assert_eq!(Failure::from(error), Failure::WrongExpectedRevision { actual });
    }
}
