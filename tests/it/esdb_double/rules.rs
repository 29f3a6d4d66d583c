//! Revisions, repeats, reads, deletion: what the double answers when nothing goes wrong.

use std::sync::Arc;

use eventstore::{
    AppendToStreamOptions, BatchAppendOptions, CurrentRevision, DeleteStreamOptions, Error, EventData, Position,
    ReadAllOptions, ReadStreamOptions, StreamMetadata, StreamMetadataBuilder, StreamPosition, StreamState,
    SubscriptionFilter, TombstoneStreamOptions,
};
use infrastructure::event_store::{Direction, EventStore as _, MemoryEventStore, Revision, StreamId};
use tests::esdb::{Double, Limits, Options, Repeats};
use tonic::Code;
use uuid::Uuid;

use super::{append, connect, event, events, read_all, read_stream, rest, start, with_code, write};

fn wrong(error: &Error) -> (StreamState, CurrentRevision) {
    let Error::WrongExpectedVersion { expected, current } = error else { panic!("{error}") };
    (*expected, *current)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_back_as_it_was_sent() {
    let (_double, client) = start(Options::default()).await;
    let id = Uuid::from_u128(7);
    let binary: Vec<u8> = (0..=255).collect();
    let sent = EventData::binary("blob", binary.clone().into()).id(id).metadata(vec![0xff, 0x00].into());
    let written =
        append(&client, "odd name/1", StreamState::NoStream, vec![sent, event("thing", 1)]).await.expect("ok");
    let read =
        rest(client.read_stream("odd name/1", &ReadStreamOptions::default()).await.expect("ok")).await.expect("ok");
    let (first, last) = (read[0].get_original_event(), read[1].get_original_event());
    assert_eq!((first.id, &*first.event_type, first.is_json, first.revision), (id, "blob", false, 0));
    assert_eq!((&first.data[..], &first.custom_metadata[..]), (&binary[..], &[0xff, 0x00][..]));
    assert_eq!((last.is_json, last.stream_id()), (true, "odd name/1"));
    assert_eq!((written.next_expected_version, written.position), (last.revision, last.position));
    assert!(first.position.commit + 256 < last.position.commit, "positions are offsets, not counters");
    assert_eq!(last.position.commit, last.position.prepare);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_append_comes_back_whole() {
    let (_double, client) = start(Options::default()).await;
    let large = |number: u8| EventData::binary("blob", vec![number; 300_000].into()).id(Uuid::from_u128(number.into()));
    for state in [StreamState::NoStream, StreamState::NoStream, StreamState::StreamRevision(2)] {
        let numbers = if state == StreamState::NoStream { [1, 2, 3] } else { [4, 5, 6] };
        append(&client, "large", state, numbers.map(large).to_vec()).await.expect("ok");
    }
    let read = rest(client.read_stream("large", &ReadStreamOptions::default()).await.expect("ok")).await.expect("ok");
    assert_eq!(read.len(), 6, "the second append was a repeat of the first");
    for (event, number) in read.iter().zip(1_u8..) {
        assert_eq!(&event.get_original_event().data[..], &vec![number; 300_000][..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_over_the_limit_is_an_invalid_argument() {
    let limits = Limits { append_bytes_max: 1_000, ..Limits::default() };
    let (_double, client) = start(Options { limits, ..Options::default() }).await;
    let large = EventData::binary("blob", vec![0; 1_000].into()).id(Uuid::from_u128(1));
    let error = append(&client, "large", StreamState::Any, vec![large]).await.expect_err("too large");
    let text = with_code(&error, Code::InvalidArgument);
    assert_eq!(text, Some("Maximum Append Size of 1000 Exceeded."), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_the_engine_is_a_stream_of_the_engine() {
    let engine = Arc::new(MemoryEventStore::new());
    let double = Double::start(engine.clone(), Options::default()).await;
    let client = connect(&double.connection_string());
    let id = Uuid::from_u128(42);
    write(&client, &format!("order-{id}"), [1, 2]).await;
    let page =
        engine.read_stream(&StreamId::new("order", id), Revision::FIRST, Direction::Forwards, 10).await.expect("ok");
    assert_eq!(page.events.len(), 2);
    assert_eq!(page.events[0].data, r#"{"number":1}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_revision_is_refused_with_the_current_one() {
    let (_double, client) = start(Options::default()).await;
    let one = || vec![event("thing", 9)];
    let error = append(&client, "s", StreamState::StreamRevision(0), one()).await.expect_err("missing");
    assert_eq!(wrong(&error), (StreamState::StreamRevision(0), CurrentRevision::NoStream));
    let error = append(&client, "s", StreamState::StreamExists, one()).await.expect_err("missing");
    assert_eq!(wrong(&error), (StreamState::StreamExists, CurrentRevision::NoStream));
    write(&client, "s", [1, 2]).await;
    let error = append(&client, "s", StreamState::NoStream, one()).await.expect_err("it exists");
    assert_eq!(wrong(&error), (StreamState::NoStream, CurrentRevision::Current(1)));
    for revision in [0, 2] {
        let error = append(&client, "s", StreamState::StreamRevision(revision), one()).await.expect_err("elsewhere");
        assert_eq!(wrong(&error), (StreamState::StreamRevision(revision), CurrentRevision::Current(1)));
    }
    append(&client, "s", StreamState::StreamRevision(1), one()).await.expect("right");
    append(&client, "s", StreamState::StreamExists, vec![event("thing", 10)]).await.expect("it exists");
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2, 9, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_a_known_revision_is_answered_like_the_first_time() {
    let (_double, client) = start(Options::default()).await;
    let first = append(&client, "s", StreamState::NoStream, events("thing", 1..=2)).await.expect("ok");
    write(&client, "s", [3]).await;
    let again = append(&client, "s", StreamState::NoStream, events("thing", 1..=2)).await.expect("a repeat");
    assert_eq!((again.next_expected_version, again.position), (first.next_expected_version, first.position));
    let error = append(&client, "s", StreamState::NoStream, events("thing", [1, 7])).await.expect_err("half a repeat");
    assert_eq!(wrong(&error).1, CurrentRevision::Current(2));
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_may_come_without_a_position() {
    let (_double, client) = start(Options { repeats: Repeats::WithoutPosition, ..Options::default() }).await;
    let first = append(&client, "s", StreamState::NoStream, events("thing", [1])).await.expect("ok");
    assert_ne!(first.position, Position::start());
    for state in [StreamState::NoStream, StreamState::Any] {
        let again = append(&client, "s", state, events("thing", [1])).await.expect("a repeat");
        assert_eq!((again.next_expected_version, again.position), (0, Position::start()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_without_a_revision_is_found_among_the_latest_ids_only() {
    let limits = Limits { ids_remembered: 3, ..Limits::default() };
    let (double, client) = start(Options { limits, ..Options::default() }).await;
    write(&client, "s", [1, 2]).await;
    write(&client, "s", [1, 2]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2]);
    let error = append(&client, "s", StreamState::Any, events("thing", [1, 7])).await.expect_err("half a repeat");
    assert_eq!(wrong(&error).1, CurrentRevision::Current(1));
    write(&client, "other", [1]).await;
    write(&client, "s", [3, 4]).await;
    write(&client, "s", [4]).await;
    write(&client, "s", [1]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2, 3, 4, 1]);
    double.database().forget_ids();
    write(&client, "s", [1]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2, 3, 4, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_both_ways_from_anywhere() {
    let (_double, client) = start(Options::default()).await;
    write(&client, "s", 0..600).await;
    let all: Vec<_> = (0..600).collect();
    let read = |options: ReadStreamOptions| read_stream(&client, "s", options);
    let options = ReadStreamOptions::default;
    assert_eq!(read(options()).await.expect("ok"), all);
    let backwards: Vec<_> = all.iter().rev().copied().collect();
    assert_eq!(read(options().backwards().position(StreamPosition::End)).await.expect("ok"), backwards);
    let from = options().position(StreamPosition::Position(598));
    assert_eq!(read(from.clone()).await.expect("ok"), [598, 599]);
    assert_eq!(read(from.clone().backwards().max_count(3)).await.expect("ok"), [598, 597, 596]);
    assert_eq!(read(from.max_count(1)).await.expect("ok"), [598]);
    assert!(read(options().position(StreamPosition::Position(600))).await.expect("ok").is_empty());
    assert!(matches!(read_stream(&client, "missing", options()).await, Err(Error::ResourceNotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_read_both_ways_and_a_position_is_included_forwards_only() {
    let (_double, client) = start(Options::default()).await;
    write(&client, "a", [1]).await;
    let second = write(&client, "b", [2]).await;
    let last = write(&client, "a", [3]).await;
    let read = |options: ReadAllOptions| read_all(&client, options);
    let options = ReadAllOptions::default;
    assert_eq!(read(options()).await.expect("ok"), [1, 2, 3]);
    let from = options().position(StreamPosition::Position(second));
    assert_eq!(read(from.clone()).await.expect("ok"), [2, 3]);
    assert_eq!(read(from.backwards()).await.expect("ok"), [1]);
    let end = options().backwards().position(StreamPosition::End);
    assert_eq!(read(end.clone()).await.expect("ok"), [3, 2, 1]);
    assert_eq!(read(end.max_count(1)).await.expect("ok"), [3]);
    let everything = rest(client.read_all(&options()).await.expect("ok")).await.expect("ok");
    assert!(everything.iter().any(|event| event.get_original_event().event_type.starts_with('$')), "no system events");
    let beyond = Position { commit: last.commit + 1_000_000, prepare: last.prepare + 1_000_000 };
    assert!(read(options().position(StreamPosition::Position(beyond))).await.expect("ok").is_empty());
    let within = Position { commit: second.commit + 1, prepare: second.prepare + 1 };
    let error = read(options().position(StreamPosition::Position(within))).await.expect_err("within a record");
    assert_eq!(with_code(&error, Code::InvalidArgument), Some("Invalid position"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_filtered_by_stream_and_by_type() {
    let (_double, client) = start(Options::default()).await;
    for number in 0..300 {
        let stream = if number % 2 == 0 { "even-1" } else { "odd-1" };
        let name = if number % 3 == 0 { "third.happened" } else { "thing.happened" };
        append(&client, stream, StreamState::Any, vec![event(name, number)]).await.expect("ok");
    }
    let read = |filter: SubscriptionFilter| read_all(&client, ReadAllOptions::default().filter(filter));
    let (stream, kind) = (SubscriptionFilter::on_stream_name, SubscriptionFilter::on_event_type);
    let those = |is_wanted: fn(&u64) -> bool| (0..300).filter(is_wanted).collect::<Vec<_>>();
    assert_eq!(read(stream().add_prefix("even-")).await.expect("ok"), those(|number| number % 2 == 0));
    assert_eq!(read(stream().add_prefix("even-").add_prefix("odd-")).await.expect("ok"), those(|_| true));
    assert_eq!(read(kind().add_prefix("third.").max(1)).await.expect("ok"), those(|number| number % 3 == 0));
    assert_eq!(read(kind().regex("^thi.d")).await.expect("ok"), those(|number| number % 3 == 0));
    let options = ReadAllOptions::default().filter(kind().exclude_system_events());
    let ours = rest(client.read_all(&options).await.expect("ok")).await.expect("ok");
    assert_eq!(ours.len(), 300);
    let backwards = options.filter(kind().add_prefix("third.")).backwards().position(StreamPosition::End).max_count(2);
    assert_eq!(read_all(&client, backwards).await.expect("ok"), [297, 294]);
    let error = read(kind().regex("(")).await.expect_err("no expression");
    assert!(with_code(&error, Code::InvalidArgument).is_some(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_deleted_softly_is_missing_and_goes_on_where_it_was() {
    let (_double, client) = start(Options::default()).await;
    write(&client, "s", [1, 2]).await;
    let wrong_revision = DeleteStreamOptions::default().stream_state(StreamState::StreamRevision(0));
    let error = client.delete_stream("s", &wrong_revision).await.expect_err("elsewhere");
    assert!(with_code(&error, Code::FailedPrecondition).is_some(), "{error:?}");
    let deleted = client.delete_stream("s", &DeleteStreamOptions::default()).await.expect("ok");
    assert!(deleted.is_some_and(|position| position.commit > 0));
    let read = || read_stream(&client, "s", ReadStreamOptions::default());
    assert!(matches!(read().await, Err(Error::ResourceNotFound)));
    assert_eq!(read_all(&client, ReadAllOptions::default()).await.expect("ok"), [1, 2]);
    let error = append(&client, "s", StreamState::StreamExists, events("thing", [3])).await.expect_err("deleted");
    assert!(matches!(error, Error::ResourceDeleted), "{error}");
    let written =
        append(&client, "s", StreamState::NoStream, events("thing", [3])).await.expect("as if there were none");
    assert_eq!(written.next_expected_version, 2);
    assert_eq!(read().await.expect("ok"), [3]);
    // Searched at the start of the stream only, a repeat is not recognised.
    let error = append(&client, "s", StreamState::NoStream, events("thing", [3])).await.expect_err("a false conflict");
    assert_eq!(wrong(&error).1, CurrentRevision::Current(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_a_tombstone_is_gone_for_good() {
    let (_double, client) = start(Options::default()).await;
    write(&client, "s", [1]).await;
    client.tombstone_stream("s", &TombstoneStreamOptions::default()).await.expect("ok").expect("a position");
    let read = read_stream(&client, "s", ReadStreamOptions::default()).await;
    assert!(matches!(read, Err(Error::ResourceDeleted)), "{read:?}");
    for state in [StreamState::Any, StreamState::NoStream, StreamState::StreamRevision(0), StreamState::StreamExists] {
        let error = append(&client, "s", state, events("thing", [2])).await.expect_err("deleted");
        assert!(matches!(error, Error::ResourceDeleted), "{error}");
    }
    let again = client.tombstone_stream("s", &TombstoneStreamOptions::default()).await;
    assert!(matches!(again, Err(Error::ResourceDeleted)), "{again:?}");
    let all = rest(client.read_all(&ReadAllOptions::default()).await.expect("ok")).await.expect("ok");
    let last = all.last().expect("a tombstone").get_original_event();
    assert_eq!((last.stream_id(), &*last.event_type), ("s", "$streamDeleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_of_a_stream_truncates_what_is_read_of_it() {
    let (_double, client) = start(Options::default()).await;
    write(&client, "s", 0..5).await;
    let set = async |metadata: StreamMetadata| {
        client.set_stream_metadata("s", &AppendToStreamOptions::default(), &metadata).await.expect("ok");
        read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok")
    };
    assert_eq!(set(StreamMetadataBuilder::new().truncate_before(3).build()).await, [3, 4]);
    assert_eq!(set(StreamMetadataBuilder::new().max_count(1).build()).await, [4]);
    assert_eq!(set(StreamMetadataBuilder::new().build()).await, [0, 1, 2, 3, 4]);
    assert_eq!(read_all(&client, ReadAllOptions::default()).await.expect("ok"), [0, 1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_never_was_can_be_deleted_without_a_revision_only() {
    let (_double, client) = start(Options::default()).await;
    let delete = async |state| client.delete_stream("s", &DeleteStreamOptions::default().stream_state(state)).await;
    let error = delete(StreamState::StreamRevision(0)).await.expect_err("there is none");
    assert!(with_code(&error, Code::FailedPrecondition).is_some(), "{error:?}");
    delete(StreamState::NoStream).await.expect("as expected");
    let written = append(&client, "s", StreamState::NoStream, events("thing", [1])).await.expect("ok");
    assert_eq!(written.next_expected_version, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_appends_are_not_offered() {
    let (_double, client) = start(Options::default()).await;
    let answer = client.batch_append(&BatchAppendOptions::default()).await;
    assert!(matches!(answer, Err(Error::UnsupportedFeature)));
}
