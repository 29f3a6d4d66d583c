//! The table of errors: what each means for an append, for the connection, for a read and for the caller.

use tonic::metadata::MetadataValue;

use super::*;

/// An error, and what it means.
type Row = (Status, Verdict, Health, bool, fn(&StoreError) -> bool);

fn status(code: Code) -> Status {
    Status::new(code, "why")
}

/// An error with a name of the server's.
fn named(code: Code, name: &'static str) -> Status {
    let mut status = status(code);
    status.metadata_mut().insert(NAME, MetadataValue::from_static(name));
    status
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
    vec![
        (named(Code::NotFound, NOT_LEADER), NotSent, Misplaced, true, is_unavailable),
        (named(Code::FailedPrecondition, STREAM_DELETED), Refused, Sound, false, is_corrupt),
        (named(Code::PermissionDenied, "access-denied"), Refused, Sound, false, is_unavailable),
        (status(Code::Unauthenticated), Refused, Sound, false, is_unavailable),
        (status(Code::Unimplemented), Refused, Sound, false, is_format),
        (named(Code::InvalidArgument, "maximum-append-size-exceeded"), Refused, Sound, false, is_format),
        (status(Code::Unavailable), Unknown, Doubtful, true, is_unavailable),
        (status(Code::Internal), Unknown, Doubtful, true, is_unavailable),
        (status(Code::DataLoss), Unknown, Doubtful, true, is_unavailable),
        (status(Code::Unknown), Unknown, Doubtful, true, is_unavailable),
        (status(Code::DeadlineExceeded), Unknown, Doubtful, true, is_unavailable),
        (status(Code::Aborted), Unknown, Sound, true, is_unavailable),
        (status(Code::Cancelled), Unknown, Sound, true, is_unavailable),
        (status(Code::ResourceExhausted), Unknown, Sound, true, is_unavailable),
        (status(Code::OutOfRange), Unknown, Sound, true, is_unavailable),
        (status(Code::AlreadyExists), Unknown, Sound, true, is_unavailable),
        (status(Code::FailedPrecondition), Unknown, Sound, true, is_unavailable),
        (status(Code::Ok), Unknown, Sound, true, is_unavailable),
    ]
}

#[test]
fn every_error_of_the_server_has_its_meaning() {
    for (status, verdict, health, is_passing, is_told_as) in table() {
        let failure = Failure::from(status);
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
fn a_node_that_is_not_the_leader_may_say_who_is() {
    let mut told = named(Code::NotFound, NOT_LEADER);
    assert_eq!(Failure::from(told.clone()), Failure::NotLeader { leader: None });
    told.metadata_mut().insert(LEADER_HOST, MetadataValue::from_static("db-2"));
    told.metadata_mut().insert(LEADER_PORT, MetadataValue::from_static("2113"));
    assert_eq!(Failure::from(told.clone()), Failure::NotLeader { leader: Some(Node::told("db-2", 2113)) });
    told.metadata_mut().insert(LEADER_PORT, MetadataValue::from_static("99999"));
    assert_eq!(Failure::from(told), Failure::NotLeader { leader: None });
}

#[test]
fn what_could_not_be_sent_is_not_written() {
    let failure = Failure::Unreachable("refused".to_owned());
    assert_eq!((failure.verdict(), failure.health()), (Verdict::NotSent, Health::Doubtful));
}

#[test]
fn a_conflict_is_an_answer() {
    let failure = Failure::WrongExpectedRevision { actual: Some(Revision::FIRST) };
    assert_eq!((failure.verdict(), failure.health(), failure.is_passing()), (Verdict::Refused, Health::Sound, false));
}

#[test]
fn our_own_time_limit_and_a_panic_leave_an_append_open() {
    for failure in [Failure::TimedOut, Failure::Panicked] {
        assert_eq!((failure.verdict(), failure.health()), (Verdict::Unknown, Health::Doubtful));
    }
}

#[test]
fn not_found_as_the_answer_to_a_request_is_a_node_that_does_not_lead() {
    assert_eq!(Failure::from(status(Code::NotFound)), Failure::NoStream);
    assert_eq!(Failure::from(status(Code::NotFound)).at_request(), Failure::NotLeader { leader: None });
    assert_eq!(Failure::Deleted.at_request(), Failure::Deleted);
}
