//! The event store's contract: the numbered promises of `EventStore`, and the small print around them.
//!
//! Promise 5 needs a store that can be opened again and has a suite of its own, `durable_event_store`; the failures
//! of promise 9 need a device with faults and are tested beside each adapter.

#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

use std::{collections::HashSet, sync::Arc};

use domain::Timestamp;
use futures_util::future::join_all;
use infrastructure::{
    clock::{IdSource, SystemIds},
    event_store::{
        APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, Appended, Direction, EVENT_BYTES_MAX, EventStore,
        ExpectedRevision, Name, NewEvent, PAGE_EVENTS_MAX, Position, RecordedEvent, Revision, StreamId, Subscription,
        TypeFilter, Whereabouts,
    },
};
use uuid::Uuid;

/// The tests of this suite for one adapter.
#[macro_export]
macro_rules! event_store_cases {
    ($adapter:ident => $factory:expr) => {
        $crate::contract_tests! {
            event_store, $adapter => $factory, [
                an_append_comes_back_as_it_went_in,
                an_append_of_many_events_is_there_whole_or_not_at_all,
                a_wrong_expected_revision_appends_nothing_and_says_the_actual_one,
                a_stream_with_events_is_not_created_again,
                an_expected_revision_beyond_every_number_is_wrong,
                nothing_new_appears_at_or_before_a_position_that_was_seen,
                a_subscription_sees_every_event_once_and_in_order_while_many_write,
                the_same_append_again_changes_nothing_and_gives_the_same_positions,
                the_same_append_again_is_recognised_after_later_appends,
                the_same_ids_at_another_expected_revision_are_a_conflict,
                an_append_that_shares_only_some_ids_is_a_conflict,
                the_same_append_sent_many_times_at_once_is_written_once,
                revisions_are_gapless_from_zero_and_positions_increase,
                of_many_writers_of_one_stream_exactly_one_wins_each_revision,
                writers_of_many_streams_do_not_disturb_each_other,
                a_refused_append_does_not_disturb_the_others_of_its_time,
                an_append_of_no_events_is_refused,
                an_append_of_too_many_events_is_refused,
                an_event_that_is_too_large_is_refused,
                an_append_that_is_too_large_is_refused,
                an_append_at_the_limits_is_taken,
                the_tail_never_runs_ahead_of_what_can_be_read,
                the_tail_shows_the_last_position_in_the_end,
                a_position_that_was_given_out_lies_in_the_log_and_no_other_number_does,
                an_empty_log_has_no_events_and_starts_before_the_first,
                a_stream_that_does_not_exist_is_empty,
                a_stream_is_read_forwards_in_pages,
                a_stream_is_read_backwards_in_pages,
                the_log_is_read_in_pages,
                no_page_is_longer_than_the_limit_of_the_port,
                a_page_of_nothing_goes_nowhere,
                reading_after_the_end_stays_where_it_is,
                a_filter_passes_the_types_with_its_prefixes_only,
                a_filter_that_passes_nothing_still_gets_to_the_end,
                a_filter_knows_a_type_from_its_first_event_on,
                streams_of_two_categories_with_one_id_are_two_streams,
                unicode_and_large_payloads_come_back_as_they_went_in,
                timestamps_keep_microseconds,
            ]
        }
    };
}
pub use crate::event_store_cases as cases;

/// What the cases take.
pub type Store = Arc<dyn EventStore>;

/// A stream nobody else uses.
pub fn stream(category: &str) -> StreamId {
    StreamId::new(category, SystemIds.fresh())
}

/// An event nobody else has.
pub fn event(type_name: &str) -> NewEvent {
    event_with(type_name, r#"{"amount":1}"#)
}

fn event_with(type_name: &str, data: &str) -> NewEvent {
    NewEvent {
        id: SystemIds.fresh(),
        type_name: Name::from(type_name),
        at: at(1_700_000_000_123_456),
        metadata: r#"{"actor":"tester"}"#.to_owned(),
        data: data.to_owned(),
    }
}

/// That many events.
pub fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event("order.placed.v1")).collect()
}

/// An append of `events` to a stream with that many events.
pub fn append(stream: &StreamId, after: u64, events: Vec<NewEvent>) -> Append {
    let last = after.checked_sub(1).map(Revision::new);
    Append { stream: stream.clone(), expected: ExpectedRevision::after(last), events: events.into() }
}

/// Everything in the log.
pub async fn whole_log(store: &dyn EventStore) -> Vec<RecordedEvent> {
    log_of(store, &TypeFilter::All, 100).await
}

async fn log_of(store: &dyn EventStore, filter: &TypeFilter, limit: usize) -> Vec<RecordedEvent> {
    let (mut all, mut after) = (Vec::new(), Position::START);
    loop {
        let page = store.read_all(after, filter, limit).await.unwrap();
        assert!(page.events.iter().all(|event| after < event.position && event.position <= page.scanned_to));
        all.extend(page.events);
        if page.is_end {
            return all;
        }
        assert!(page.scanned_to > after, "a page that is not the end must get on");
        after = page.scanned_to;
    }
}

/// Everything in one stream.
pub async fn whole_stream(store: &dyn EventStore, stream: &StreamId) -> Vec<RecordedEvent> {
    let (mut all, mut from) = (Vec::new(), Revision::FIRST);
    loop {
        let page = store.read_stream(stream, from, Direction::Forwards, 100).await.unwrap();
        all.extend(page.events);
        match all.last() {
            Some(last) if !page.is_end => from = last.revision.next(),
            Some(_) | None => return all,
        }
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(micros).unwrap()
}

fn revisions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.revision.value()).collect()
}

fn ids(events: &[RecordedEvent]) -> Vec<Uuid> {
    events.iter().map(|event| event.id).collect()
}

fn wrong(actual: Option<u64>) -> AppendError {
    AppendError::WrongExpectedRevision { actual: actual.map(Revision::new) }
}

#[track_caller]
fn assert_refused(outcome: &Result<Appended, AppendError>) {
    assert!(matches!(outcome, Err(AppendError::Refused(_))), "{outcome:?}");
}

pub async fn an_append_comes_back_as_it_went_in(store: Store) {
    let stream = stream("order");
    let sent = vec![event("order.placed.v1"), event_with("order.shipped.v1", r#"{"lines":[]}"#)];
    let appended = store.append(append(&stream, 0, sent.clone())).await.unwrap();
    assert_eq!(appended.revision, Revision::new(1));
    let expected: Vec<_> = sent
        .iter()
        .zip(&appended.positions)
        .zip(0..)
        .map(|((event, position), revision)| RecordedEvent {
            position: *position,
            stream: stream.clone(),
            revision: Revision::new(revision),
            id: event.id,
            type_name: event.type_name.clone(),
            recorded_at: event.at,
            metadata: event.metadata.clone(),
            data: event.data.clone(),
        })
        .collect();
    assert_eq!(expected.len(), 2);
    assert_eq!(whole_stream(&*store, &stream).await, expected);
    assert_eq!(whole_log(&*store).await, expected);
}

// Promise 1.

pub async fn an_append_of_many_events_is_there_whole_or_not_at_all(store: Store) {
    let streams: Vec<_> = (0..40).map(|_| stream("order")).collect();
    let writes = streams.iter().map(|stream| store.append(append(stream, 0, events(25))));
    let watch = async {
        let mut tail = store.tail();
        loop {
            let mut visible = 0;
            for stream in &streams {
                let seen = whole_stream(&*store, stream).await.len();
                assert!(seen == 0 || seen == 25, "{seen} of 25 events are visible");
                visible += seen;
            }
            if visible == 1_000 {
                return;
            }
            tail.changed().await.unwrap();
        }
    };
    let (written, ()) = tokio::join!(join_all(writes), watch);
    assert!(written.iter().all(Result::is_ok));
}

// Promise 2.

pub async fn a_wrong_expected_revision_appends_nothing_and_says_the_actual_one(store: Store) {
    let stream = stream("order");
    assert_eq!(store.append(append(&stream, 3, events(1))).await, Err(wrong(None)));
    store.append(append(&stream, 0, events(2))).await.unwrap();
    assert_eq!(store.append(append(&stream, 1, events(1))).await, Err(wrong(Some(1))));
    assert_eq!(store.append(append(&stream, 3, events(1))).await, Err(wrong(Some(1))));
    assert_eq!(whole_log(&*store).await.len(), 2);
}

pub async fn a_stream_with_events_is_not_created_again(store: Store) {
    let stream = stream("order");
    store.append(append(&stream, 0, events(1))).await.unwrap();
    assert_eq!(store.append(append(&stream, 0, events(1))).await, Err(wrong(Some(0))));
    assert_eq!(whole_stream(&*store, &stream).await.len(), 1);
}

pub async fn an_expected_revision_beyond_every_number_is_wrong(store: Store) {
    let stream = stream("order");
    store.append(append(&stream, 0, events(1))).await.unwrap();
    for revision in [Revision::MAX, Revision::new(u64::MAX)] {
        let expected = ExpectedRevision::Exact(revision);
        let outcome = store.append(Append { expected, ..append(&stream, 0, events(1)) }).await;
        assert_eq!(outcome, Err(wrong(Some(0))));
    }
}

// Promise 3.

pub async fn nothing_new_appears_at_or_before_a_position_that_was_seen(store: Store) {
    let streams: Vec<_> = (0..30).map(|_| stream("order")).collect();
    let writes = streams.iter().map(|stream| async {
        for revision in 0..10 {
            store.append(append(stream, revision, events(1))).await.unwrap();
        }
    });
    let watch = async {
        let mut seen: Vec<Uuid> = Vec::new();
        while seen.len() < 300 {
            let now = ids(&whole_log(&*store).await);
            assert_eq!(now[..seen.len()], seen, "what was seen has changed");
            seen = now;
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(join_all(writes), watch);
}

pub async fn a_subscription_sees_every_event_once_and_in_order_while_many_write(store: Store) {
    let streams: Vec<_> = (0..20).map(|_| stream("order")).collect();
    let writes = streams.iter().map(|stream| async {
        for revision in 0..20 {
            store.append(append(stream, revision * 2, events(2))).await.unwrap();
        }
    });
    let follow = |limit| {
        let mut subscription = Subscription::new(Arc::clone(&store), Position::START, TypeFilter::All);
        async move {
            let mut seen = Vec::new();
            while seen.len() < 800 {
                seen.extend(subscription.next(limit).await.unwrap().events);
            }
            seen
        }
    };
    let (_, few, many) = tokio::join!(join_all(writes), follow(7), follow(5_000));
    let log = whole_log(&*store).await;
    assert_eq!(log.len(), 800);
    assert_eq!(few, log);
    assert_eq!(many, log);
}

// Promise 4.

pub async fn the_same_append_again_changes_nothing_and_gives_the_same_positions(store: Store) {
    let stream = stream("order");
    for after in [0, 3] {
        let sent = append(&stream, after, events(3));
        let first = store.append(sent.clone()).await.unwrap();
        assert_eq!(store.append(sent.clone()).await.unwrap(), first);
        assert_eq!(store.append(sent).await.unwrap(), first);
    }
    assert_eq!(whole_log(&*store).await.len(), 6);
}

pub async fn the_same_append_again_is_recognised_after_later_appends(store: Store) {
    let stream = stream("order");
    store.append(append(&stream, 0, events(1))).await.unwrap();
    let sent = append(&stream, 1, events(2));
    let first = store.append(sent.clone()).await.unwrap();
    store.append(append(&stream, 3, events(4))).await.unwrap();
    assert_eq!(store.append(sent).await.unwrap(), first);
    assert_eq!(whole_stream(&*store, &stream).await.len(), 7);
}

pub async fn the_same_ids_at_another_expected_revision_are_a_conflict(store: Store) {
    let stream = stream("order");
    let sent = append(&stream, 0, events(2));
    store.append(sent.clone()).await.unwrap();
    store.append(append(&stream, 2, events(2))).await.unwrap();
    let expected = ExpectedRevision::Exact(Revision::FIRST);
    assert_eq!(store.append(Append { expected, ..sent }).await, Err(wrong(Some(3))));
    assert_eq!(whole_stream(&*store, &stream).await.len(), 4);
}

pub async fn an_append_that_shares_only_some_ids_is_a_conflict(store: Store) {
    let stream = stream("order");
    let sent = events(2);
    store.append(append(&stream, 0, sent.clone())).await.unwrap();
    let longer = vec![sent[0].clone(), sent[1].clone(), event("order.placed.v1")];
    let other_end = vec![sent[0].clone(), event("order.placed.v1")];
    let other_order = vec![sent[1].clone(), sent[0].clone()];
    for changed in [longer, other_end, other_order] {
        assert_eq!(store.append(append(&stream, 0, changed)).await, Err(wrong(Some(1))));
    }
    assert_eq!(whole_stream(&*store, &stream).await.len(), 2);
}

pub async fn the_same_append_sent_many_times_at_once_is_written_once(store: Store) {
    let sent = append(&stream("order"), 0, events(3));
    let answers = join_all((0..50).map(|_| store.append(sent.clone()))).await;
    let first = answers[0].clone().unwrap();
    assert!(answers.into_iter().all(|answer| answer.unwrap() == first));
    assert_eq!(whole_log(&*store).await.len(), 3);
}

// Promise 6.

pub async fn revisions_are_gapless_from_zero_and_positions_increase(store: Store) {
    let (one, two) = (stream("order"), stream("post"));
    for (stream, after, count) in [(&one, 0, 1), (&two, 0, 3), (&one, 1, 2), (&two, 3, 1), (&one, 3, 5)] {
        store.append(append(stream, after, events(count))).await.unwrap();
    }
    assert_eq!(revisions(&whole_stream(&*store, &one).await), (0..8).collect::<Vec<_>>());
    assert_eq!(revisions(&whole_stream(&*store, &two).await), (0..4).collect::<Vec<_>>());
    let log = whole_log(&*store).await;
    assert!(log.is_sorted_by(|before, after| before.position < after.position));
    assert_eq!(log.last().unwrap().position, store.head().await.unwrap());
}

pub async fn of_many_writers_of_one_stream_exactly_one_wins_each_revision(store: Store) {
    let stream = stream("order");
    for revision in 0..20 {
        let attempts: Vec<_> = (0..16).map(|_| append(&stream, revision, events(1))).collect();
        let answers = join_all(attempts.iter().map(|attempt| store.append(attempt.clone()))).await;
        let winners: Vec<_> = attempts.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == Err(wrong(Some(revision)))).count(), 15);
        assert_eq!(whole_stream(&*store, &stream).await.last().unwrap().id, winners[0].0.events[0].id);
    }
    assert_eq!(revisions(&whole_stream(&*store, &stream).await), (0..20).collect::<Vec<_>>());
}

pub async fn writers_of_many_streams_do_not_disturb_each_other(store: Store) {
    let writers = (0..100).map(|_| async {
        let (stream, mut sent) = (stream("order"), Vec::new());
        for revision in 0..10 {
            let events = events(1);
            sent.push(events[0].id);
            let appended = store.append(append(&stream, revision, events)).await.unwrap();
            assert_eq!(appended.revision, Revision::new(revision));
        }
        assert_eq!(ids(&whole_stream(&*store, &stream).await), sent);
    });
    join_all(writers).await;
    let positions: HashSet<_> = whole_log(&*store).await.iter().map(|event| event.position).collect();
    assert_eq!(positions.len(), 1_000);
}

pub async fn a_refused_append_does_not_disturb_the_others_of_its_time(store: Store) {
    let (one, two, three) = (stream("order"), stream("order"), stream("order"));
    store.append(append(&one, 0, events(2))).await.unwrap();
    let sent = [
        append(&one, 2, events(1)),
        append(&two, 7, events(1)),
        append(&two, 0, events(1)),
        append(&three, 0, vec![]),
        append(&three, 0, events(2)),
    ];
    // Polled in this order, so a store with a queue has them in it together; one behind a network has them in any order.
    let answers = join_all(sent.iter().map(|append| store.append(append.clone()))).await;
    assert!(answers[1] == Err(wrong(None)) || answers[1] == Err(wrong(Some(0))), "{answers:?}");
    assert_refused(&answers[3]);
    assert!([0, 2, 4].into_iter().all(|index| answers[index].is_ok()), "{answers:?}");
    for (stream, length) in [(&one, 3), (&two, 1), (&three, 2)] {
        assert_eq!(whole_stream(&*store, stream).await.len(), length);
    }
}

// Promise 7.

pub async fn an_append_of_no_events_is_refused(store: Store) {
    assert_refused(&store.append(append(&stream("order"), 0, vec![])).await);
    assert_eq!(store.head().await.unwrap(), Position::START);
}

pub async fn an_append_of_too_many_events_is_refused(store: Store) {
    assert_refused(&store.append(append(&stream("order"), 0, events(APPEND_EVENTS_MAX + 1))).await);
    assert_eq!(whole_log(&*store).await, []);
}

pub async fn an_event_that_is_too_large_is_refused(store: Store) {
    let metadata = r#"{"actor":"tester"}"#;
    let too_large = event_with("order.placed.v1", &"x".repeat(EVENT_BYTES_MAX - metadata.len() + 1));
    let sent = vec![event("order.placed.v1"), too_large];
    assert_refused(&store.append(append(&stream("order"), 0, sent)).await);
    assert_eq!(whole_log(&*store).await, []);
}

pub async fn an_append_that_is_too_large_is_refused(store: Store) {
    let third = event_with("order.placed.v1", &"x".repeat(APPEND_BYTES_MAX / 3)).data;
    let sent = (0..3).map(|_| event_with("order.placed.v1", &third)).collect();
    assert_refused(&store.append(append(&stream("order"), 0, sent)).await);
    assert_eq!(whole_log(&*store).await, []);
}

pub async fn an_append_at_the_limits_is_taken(store: Store) {
    let stream = stream("order");
    let many = store.append(append(&stream, 0, events(APPEND_EVENTS_MAX))).await.unwrap();
    assert_eq!(many.positions.len(), APPEND_EVENTS_MAX);
    let metadata = r#"{"actor":"tester"}"#;
    let largest = |_| event_with("order.placed.v1", &"x".repeat(EVENT_BYTES_MAX - metadata.len()));
    let sent: Vec<_> = (0..APPEND_BYTES_MAX / EVENT_BYTES_MAX).map(largest).collect();
    assert_eq!(sent.iter().map(NewEvent::bytes).sum::<usize>(), APPEND_BYTES_MAX);
    store.append(append(&stream, APPEND_EVENTS_MAX as u64, sent)).await.unwrap();
    assert_eq!(whole_stream(&*store, &stream).await.len(), APPEND_EVENTS_MAX + 2);
}

// Promise 8.

pub async fn the_tail_never_runs_ahead_of_what_can_be_read(store: Store) {
    let mut tail = store.tail();
    let writes = (0..200).map(|_| store.append(append(&stream("order"), 0, events(1)))).collect::<Vec<_>>();
    let watch = async {
        let (mut shown, mut seen) = (Position::START, 0);
        while seen < 200 {
            tail.changed().await.unwrap();
            let now = *tail.borrow_and_update();
            assert!(now >= shown, "the tail went back");
            shown = now;
            assert!(store.head().await.unwrap() >= shown);
            let log = whole_log(&*store).await;
            assert!(log.last().unwrap().position >= shown);
            // Positions need not be counters: how far it is shown in events.
            seen = log.iter().filter(|event| event.position <= shown).count();
        }
    };
    tokio::join!(join_all(writes), watch);
}

pub async fn the_tail_shows_the_last_position_in_the_end(store: Store) {
    let before = store.tail();
    assert_eq!(*before.borrow(), Position::START);
    let appended = store.append(append(&stream("order"), 0, events(3))).await.unwrap();
    for mut tail in [before, store.tail()] {
        let last = appended.positions[2];
        tail.wait_for(|tail| *tail >= last).await.unwrap();
        assert_eq!(*tail.borrow(), last);
    }
}

// Promise 10.

pub async fn a_position_that_was_given_out_lies_in_the_log_and_no_other_number_does(store: Store) {
    let mut head = Position::START;
    for round in 0..3 {
        let given_out: HashSet<_> = whole_log(&*store).await.iter().map(|event| event.position).collect();
        for position in given_out.into_iter().chain([Position::START, store.head().await.unwrap()]) {
            assert_eq!(store.locate(position).await, Ok(Whereabouts::Inside), "{position} in round {round}");
        }
        for beyond in [head.value() + 1, head.value() + 1_000_000, u64::MAX] {
            let place = store.locate(Position::new(beyond)).await;
            assert_eq!(place, Ok(Whereabouts::Beyond { head }), "{beyond} in round {round}");
        }
        head = store.append(append(&stream("order"), 0, events(2))).await.unwrap().positions[1];
    }
    // Where positions are counters, the one before the last is that of the event before it.
    let before = Position::new(head.value() - 1);
    let is_given_out = whole_log(&*store).await.iter().any(|event| event.position == before);
    let place = if is_given_out { Whereabouts::Inside } else { Whereabouts::Nowhere };
    assert_eq!(store.locate(before).await, Ok(place));
}

// Reading.

pub async fn an_empty_log_has_no_events_and_starts_before_the_first(store: Store) {
    assert_eq!(store.head().await.unwrap(), Position::START);
    for filter in [TypeFilter::All, TypeFilter::prefixes(&["order."])] {
        let page = store.read_all(Position::START, &filter, 10).await.unwrap();
        assert_eq!((page.events, page.scanned_to, page.is_end), (vec![], Position::START, true));
    }
}

pub async fn a_stream_that_does_not_exist_is_empty(store: Store) {
    store.append(append(&stream("order"), 0, events(1))).await.unwrap();
    for (direction, from) in [(Direction::Forwards, Revision::FIRST), (Direction::Backwards, Revision::MAX)] {
        let page = store.read_stream(&stream("order"), from, direction, 10).await.unwrap();
        assert_eq!((page.events, page.is_end), (vec![], true));
    }
}

pub async fn a_stream_is_read_forwards_in_pages(store: Store) {
    let stream = stream("order");
    store.append(append(&stream, 0, events(7))).await.unwrap();
    let cases = [
        (0, 3, vec![0, 1, 2], false),
        (3, 3, vec![3, 4, 5], false),
        (6, 3, vec![6], true),
        (5, 2, vec![5, 6], true),
        (7, 3, vec![], true),
        (i64::MAX.cast_unsigned(), 3, vec![], true),
        (0, 0, vec![], false),
    ];
    for (from, limit, expected, is_end) in cases {
        let page = store.read_stream(&stream, Revision::new(from), Direction::Forwards, limit).await.unwrap();
        assert_eq!((revisions(&page.events), page.is_end), (expected, is_end), "from {from}, at most {limit}");
    }
}

pub async fn a_stream_is_read_backwards_in_pages(store: Store) {
    let stream = stream("order");
    store.append(append(&stream, 0, events(7))).await.unwrap();
    let cases = [
        (Revision::MAX, 3, vec![6, 5, 4], false),
        (Revision::new(3), 3, vec![3, 2, 1], false),
        (Revision::new(2), 3, vec![2, 1, 0], true),
        (Revision::FIRST, 3, vec![0], true),
        (Revision::new(100), 10, vec![6, 5, 4, 3, 2, 1, 0], true),
    ];
    for (from, limit, expected, is_end) in cases {
        let page = store.read_stream(&stream, from, Direction::Backwards, limit).await.unwrap();
        assert_eq!((revisions(&page.events), page.is_end), (expected, is_end), "from {from:?}, at most {limit}");
    }
}

pub async fn the_log_is_read_in_pages(store: Store) {
    for _ in 0..5 {
        store.append(append(&stream("order"), 0, events(2))).await.unwrap();
    }
    let log = whole_log(&*store).await;
    let first = store.read_all(Position::START, &TypeFilter::All, 4).await.unwrap();
    assert_eq!((&first.events[..], first.scanned_to, first.is_end), (&log[..4], log[3].position, false));
    let second = store.read_all(first.scanned_to, &TypeFilter::All, 6).await.unwrap();
    assert_eq!((&second.events[..], second.scanned_to, second.is_end), (&log[4..], log[9].position, true));
}

pub async fn no_page_is_longer_than_the_limit_of_the_port(store: Store) {
    let stream = stream("order");
    for round in 0..9 {
        store.append(append(&stream, round * 1_000, events(1_000))).await.unwrap();
    }
    let all = store.read_all(Position::START, &TypeFilter::All, usize::MAX).await.unwrap();
    assert_eq!((all.events.len(), all.is_end), (PAGE_EVENTS_MAX, false));
    let forwards = store.read_stream(&stream, Revision::FIRST, Direction::Forwards, usize::MAX).await.unwrap();
    assert_eq!((forwards.events.len(), forwards.is_end), (PAGE_EVENTS_MAX, false));
    assert!(forwards.events.iter().zip(0..).all(|(event, revision)| event.revision.value() == revision));
    let backwards = store.read_stream(&stream, Revision::MAX, Direction::Backwards, 1_000).await.unwrap();
    assert_eq!(revisions(&backwards.events), (8_000..9_000).rev().collect::<Vec<_>>());
}

pub async fn a_page_of_nothing_goes_nowhere(store: Store) {
    store.append(append(&stream("order"), 0, events(2))).await.unwrap();
    for filter in [TypeFilter::All, TypeFilter::prefixes(&["order."])] {
        let page = store.read_all(Position::START, &filter, 0).await.unwrap();
        assert_eq!((page.events, page.scanned_to, page.is_end), (vec![], Position::START, false));
    }
}

pub async fn reading_after_the_end_stays_where_it_is(store: Store) {
    let appended = store.append(append(&stream("order"), 0, events(2))).await.unwrap();
    let last = appended.positions[1];
    for after in [last, Position::new(last.value() + 1_000_000), Position::new(u64::MAX)] {
        let page = store.read_all(after, &TypeFilter::All, 10).await.unwrap();
        assert_eq!((page.events, page.scanned_to, page.is_end), (vec![], after, true));
    }
}

pub async fn a_filter_passes_the_types_with_its_prefixes_only(store: Store) {
    let stream = stream("order");
    let types = ["order.placed.v1", "post.published.v1", "order.shipped.v1", "orders.v1", "follow.begun.v1"];
    for round in 0..60 {
        let sent = types.iter().map(|name| event(name)).collect();
        store.append(append(&stream, round * types.len() as u64, sent)).await.unwrap();
    }
    let log = whole_log(&*store).await;
    for prefixes in [&["order."][..], &["follow.", "post."], &["order.shipped.v1"], &["order"], &[""], &[]] {
        let filter = TypeFilter::prefixes(prefixes);
        let expected: Vec<_> = log.iter().filter(|event| filter.passes(&event.type_name)).cloned().collect();
        for limit in [1, 7, 1_000] {
            assert_eq!(log_of(&*store, &filter, limit).await, expected, "{prefixes:?}, {limit} at a time");
        }
    }
}

pub async fn a_filter_that_passes_nothing_still_gets_to_the_end(store: Store) {
    let appended = store.append(append(&stream("order"), 0, events(500))).await.unwrap();
    let filter = TypeFilter::prefixes(&["post."]);
    let page = store.read_all(Position::START, &filter, 10).await.unwrap();
    assert_eq!((page.events, page.scanned_to, page.is_end), (vec![], appended.positions[499], true));

    let mut subscription = Subscription::new(Arc::clone(&store), Position::START, filter);
    let batch = subscription.next(10).await.unwrap();
    assert_eq!((batch.events.len(), batch.is_caught_up), (0, true));
    assert_eq!(subscription.position(), appended.positions[499]);
}

pub async fn a_filter_knows_a_type_from_its_first_event_on(store: Store) {
    let filter = TypeFilter::prefixes(&["new."]);
    let stream = stream("order");
    store.append(append(&stream, 0, events(1))).await.unwrap();
    for number in 0..20 {
        assert_eq!(log_of(&*store, &filter, 100).await.len(), number);
        let sent = vec![event(&format!("new.type-{number}.v1"))];
        store.append(append(&stream, number as u64 + 1, sent)).await.unwrap();
    }
}

pub async fn streams_of_two_categories_with_one_id_are_two_streams(store: Store) {
    let id = SystemIds.fresh();
    let (order, post) = (StreamId::new("order", id), StreamId::new("post", id));
    store.append(append(&order, 0, events(1))).await.unwrap();
    store.append(append(&post, 0, events(2))).await.unwrap();
    assert_eq!(whole_stream(&*store, &order).await.len(), 1);
    assert!(whole_stream(&*store, &post).await.iter().all(|event| event.stream == post));
}

pub async fn unicode_and_large_payloads_come_back_as_they_went_in(store: Store) {
    let stream = stream("bestellung-übergroß");
    let payloads =
        ["{}", r#"{"name":"Zoë 🦀 名前 \u0000"}"#, "a\u{0}b", &"ß".repeat(100 * 1024), &"🦀".repeat(50 * 1024)];
    let sent: Vec<_> = payloads.iter().map(|data| event_with("order.plaziert-✓.v1", data)).collect();
    for (after, event) in (0..).zip(&sent) {
        store.append(append(&stream, after, vec![event.clone()])).await.unwrap();
    }
    let read = whole_stream(&*store, &stream).await;
    assert_eq!(read.len(), sent.len());
    for (read, sent) in read.iter().zip(&sent) {
        assert!(read.data == sent.data && read.type_name == sent.type_name && read.stream == stream);
    }
    assert_eq!(whole_log(&*store).await, read);
}

pub async fn timestamps_keep_microseconds(store: Store) {
    let stream = stream("order");
    let finer = at(1_700_000_000_000_001) + chrono::TimeDelta::nanoseconds(999);
    let kept = [
        (at(0), 0),
        (at(-1), -1),
        (at(253_402_300_799_999_999), 253_402_300_799_999_999),
        (finer, 1_700_000_000_000_001),
    ];
    let sent = kept.iter().map(|(at, _)| NewEvent { at: *at, ..event("order.placed.v1") }).collect();
    store.append(append(&stream, 0, sent)).await.unwrap();
    let read: Vec<_> = whole_stream(&*store, &stream).await.iter().map(|event| event.recorded_at).collect();
    assert_eq!(read, kept.map(|(_, micros)| at(micros)));
}
