//! Which events go together.

use infrastructure::event_store::{Name, Position};
use uuid::Uuid;

use super::*;

fn event(stream: u128, revision: u64, bytes: usize) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(7),
        stream: StreamId::new("order", Uuid::from_u128(stream)),
        revision: Revision::new(revision),
        id: Uuid::from_u64_pair(7, revision),
        type_name: Name::from("order.placed.v1"),
        recorded_at: domain::testing::now(),
        metadata: "{}".to_owned(),
        data: "x".repeat(bytes - 2),
    }
}

/// Of each append: its stream, what it expects, how many events it has.
fn shape(events: Vec<RecordedEvent>) -> Vec<(u128, Option<u64>, usize)> {
    let shape = |append: Append| {
        let expected = match append.expected {
            ExpectedRevision::NoStream => None,
            ExpectedRevision::Exact(last) => Some(last.value()),
        };
        (append.stream.id.as_u128(), expected, append.events.len())
    };
    appends(events).into_iter().map(shape).collect()
}

#[test]
fn neighbours_of_one_stream_go_together_and_nothing_changes_its_place() {
    let log = [(1, 0), (1, 1), (2, 0), (1, 2), (2, 1), (2, 2)];
    let events = log.map(|(stream, revision)| event(stream, revision, 10)).to_vec();
    assert_eq!(shape(events.clone()), [(1, None, 2), (2, None, 1), (1, Some(1), 1), (2, Some(0), 2)]);
    let sent = appends(events.clone()).into_iter().flat_map(|append| append.events.to_vec());
    assert_eq!(sent.collect::<Vec<_>>(), events.into_iter().map(NewEvent::from).collect::<Vec<_>>());
    assert!(appends(Vec::new()).is_empty());
}

#[test]
fn an_append_keeps_to_the_limits_of_the_port() {
    let many = (0..=APPEND_EVENTS_MAX as u64).map(|revision| event(1, revision, 2)).collect();
    assert_eq!(shape(many), [(1, None, APPEND_EVENTS_MAX), (1, Some(APPEND_EVENTS_MAX as u64 - 1), 1)]);
    let half = APPEND_BYTES_MAX / 2;
    let large = [half, half, 2].iter().zip(5..).map(|(bytes, revision)| event(1, revision, *bytes)).collect();
    assert_eq!(shape(large), [(1, Some(4), 2), (1, Some(6), 1)]);
}

#[test]
fn a_revision_that_is_missing_is_not_glossed_over() {
    assert_eq!(shape(vec![event(1, 0, 2), event(1, 2, 2)]), [(1, None, 1), (1, Some(1), 1)]);
}
