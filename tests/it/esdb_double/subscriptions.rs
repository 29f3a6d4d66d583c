//! Catch-up subscriptions, to a stream and to all.

use eventstore::{
    Client, Position, StreamPosition, StreamState, SubscribeToAllOptions, SubscribeToStreamOptions, Subscription,
    SubscriptionEvent, SubscriptionFilter, TombstoneStreamOptions,
};
use tests::esdb::Options;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{A_WHILE, PATIENCE, append, events, number, start, write};

/// What came, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Confirmed,
    Event(u64),
    System,
    Checkpoint(u64),
    /// With the revision and the position it says.
    CaughtUp(Option<u64>, Option<u64>),
}

async fn next(subscription: &mut Subscription) -> eventstore::Result<Came> {
    let event = timeout(PATIENCE, subscription.next_subscription_event()).await.expect("something comes")?;
    Ok(match event {
        SubscriptionEvent::Confirmed(_) => Came::Confirmed,
        SubscriptionEvent::EventAppeared(event) if event.get_original_event().event_type.starts_with('$') => {
            Came::System
        }
        SubscriptionEvent::EventAppeared(event) => Came::Event(number(&event)),
        SubscriptionEvent::Checkpoint(position) => Came::Checkpoint(position.commit),
        SubscriptionEvent::CaughtUp(Some(at)) => {
            Came::CaughtUp(at.stream_revision, at.position.map(|position| position.commit))
        }
        SubscriptionEvent::CaughtUp(None) => Came::CaughtUp(None, None),
        event @ (SubscriptionEvent::FirstStreamPosition(_)
        | SubscriptionEvent::LastStreamPosition(_)
        | SubscriptionEvent::LastAllPosition(_)
        | SubscriptionEvent::FellBehind(_)) => panic!("{event:?}"),
    })
}

async fn next_few(subscription: &mut Subscription, count: usize) -> Vec<Came> {
    let mut came = Vec::new();
    for _ in 0..count {
        came.push(next(subscription).await.expect("something good"));
    }
    came
}

/// The last question to a subscription: the client's is not whole after a call that was given up.
async fn comes_nothing(mut subscription: Subscription) {
    let came = timeout(A_WHILE, subscription.next_subscription_event()).await;
    assert!(came.is_err(), "{came:?}");
}

async fn to_all(client: &Client, from: StreamPosition<Position>, filter: Option<SubscriptionFilter>) -> Subscription {
    let options = SubscribeToAllOptions::default().position(from);
    let options = filter.into_iter().fold(options, SubscribeToAllOptions::filter);
    client.subscribe_to_all(&options).await
}

async fn to_stream(client: &Client, from: StreamPosition<u64>) -> Subscription {
    client.subscribe_to_stream("s", &SubscribeToStreamOptions::default().start_from(from)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_a_stream_gets_what_is_there_and_what_comes() {
    let (_double, client) = start(Options::default()).await;
    let mut early = to_stream(&client, StreamPosition::Start).await;
    assert_eq!(next_few(&mut early, 2).await, [Came::Confirmed, Came::CaughtUp(None, None)]);
    write(&client, "s", [0, 1]).await;
    write(&client, "other", [9]).await;
    assert_eq!(next_few(&mut early, 2).await, [Came::Event(0), Came::Event(1)]);

    let mut from_start = to_stream(&client, StreamPosition::Start).await;
    let there = [Came::Confirmed, Came::Event(0), Came::Event(1), Came::CaughtUp(Some(1), None)];
    assert_eq!(next_few(&mut from_start, 4).await, there);
    let mut after_first = to_stream(&client, StreamPosition::Position(0)).await;
    assert_eq!(next_few(&mut after_first, 3).await, [Came::Confirmed, Came::Event(1), Came::CaughtUp(Some(1), None)]);
    let mut from_end = to_stream(&client, StreamPosition::End).await;
    assert_eq!(next_few(&mut from_end, 2).await, [Came::Confirmed, Came::CaughtUp(Some(1), None)]);

    write(&client, "s", [2]).await;
    for mut subscription in [from_start, after_first, from_end] {
        assert_eq!(next_few(&mut subscription, 1).await, [Came::Event(2)]);
        comes_nothing(subscription).await;
    }
    assert_eq!(next_few(&mut early, 1).await, [Came::Event(2)]);
    client.tombstone_stream("s", &TombstoneStreamOptions::default()).await.expect("ok");
    assert!(matches!(next(&mut early).await, Err(eventstore::Error::ResourceDeleted)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_all_starts_after_its_position() {
    let mut options = Options::default();
    options.limits.has_system_events = false;
    let (_double, client) = start(options).await;
    let first = write(&client, "s", [1]).await;
    let second = write(&client, "order-1", [2]).await;
    let caught_up = |position: Position| Came::CaughtUp(None, Some(position.commit));
    let mut from_start = to_all(&client, StreamPosition::Start, None).await;
    let there = [Came::Confirmed, Came::Event(1), Came::Event(2), caught_up(second)];
    assert_eq!(next_few(&mut from_start, 4).await, there);
    let mut after_first = to_all(&client, StreamPosition::Position(first), None).await;
    assert_eq!(next_few(&mut after_first, 3).await, [Came::Confirmed, Came::Event(2), caught_up(second)]);
    let mut from_end = to_all(&client, StreamPosition::End, None).await;
    assert_eq!(next_few(&mut from_end, 2).await, [Came::Confirmed, caught_up(second)]);
    let within = Position { commit: first.commit + 1, prepare: first.prepare + 1 };
    assert!(next(&mut to_all(&client, StreamPosition::Position(within), None).await).await.is_err());
    let beyond = Position { commit: second.commit + 10_000, prepare: second.prepare + 10_000 };
    let mut from_beyond = to_all(&client, StreamPosition::Position(beyond), None).await;
    assert_eq!(next_few(&mut from_beyond, 2).await, [Came::Confirmed, caught_up(second)]);

    write(&client, "s", [3]).await;
    for mut subscription in [from_start, after_first, from_end] {
        assert_eq!(next_few(&mut subscription, 1).await, [Came::Event(3)]);
        comes_nothing(subscription).await;
    }
    // Silent until the log has passed the position.
    let mut number = 100;
    let mut last = second;
    while last.commit <= beyond.commit {
        number += 1;
        last = write(&client, "s", [number]).await;
    }
    assert_eq!(next_few(&mut from_beyond, 1).await, [Came::Event(number)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_old_do_not_say_where_they_caught_up() {
    let (_double, client) = start(Options { caught_up_says_where: false, ..Options::default() }).await;
    write(&client, "s", [1]).await;
    let mut subscription = to_stream(&client, StreamPosition::Start).await;
    assert_eq!(next_few(&mut subscription, 3).await, [Came::Confirmed, Came::Event(1), Came::CaughtUp(None, None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_subscription_is_told_how_far_it_has_come() {
    let mut options = Options::default();
    options.limits.has_system_events = false;
    let (_double, client) = start(options).await;
    let mut positions = Vec::new();
    for number in 0..25 {
        let name = if number == 3 { "wanted" } else { "thing" };
        let written = append(&client, "s", StreamState::Any, events(name, [number])).await.expect("ok");
        positions.push(written.position.commit);
    }
    let filter = SubscriptionFilter::on_event_type().add_prefix("wanted").max(10);
    let mut subscription = to_all(&client, StreamPosition::Start, Some(filter)).await;
    let expected = [
        Came::Confirmed,
        Came::Event(3),
        Came::Checkpoint(positions[9]),
        Came::Checkpoint(positions[19]),
        Came::Checkpoint(positions[24]),
        Came::CaughtUp(None, Some(positions[24])),
    ];
    assert_eq!(next_few(&mut subscription, 6).await, expected);
    let mut last = 0;
    for number in 25..35 {
        last = write(&client, "s", [number]).await.commit;
    }
    assert_eq!(next_few(&mut subscription, 1).await, [Came::Checkpoint(last)]);
    comes_nothing(subscription).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_falls_behind_is_told_when_it_has_caught_up_again() {
    let (double, client) = start(Options::default()).await;
    let filter = SubscriptionFilter::on_event_type().exclude_system_events().max(100_000);
    let mut subscription = to_all(&client, StreamPosition::End, Some(filter)).await;
    let came = next_few(&mut subscription, 3).await;
    assert!(matches!(came[..], [Came::Confirmed, Came::Checkpoint(_), Came::CaughtUp(..)]), "{came:?}");
    // While replication stands still nobody sees anything, and then all of it comes at once.
    let hold = double.database().hold_replication();
    let mut writing = JoinSet::new();
    writing.spawn({
        let client = client.clone();
        async move { write(&client, "s", 0..100).await }
    });
    sleep(A_WHILE).await;
    drop(hold);
    let last = writing.join_next().await.expect("a task").expect("no panic").commit;
    let came = next_few(&mut subscription, 103).await;
    assert!(matches!(came[0], Came::Checkpoint(position) if position < last), "{:?}", came[0]);
    let expected: Vec<_> = (0..100).map(Came::Event).collect();
    assert_eq!(came[1..101], expected);
    assert_eq!(came[101..], [Came::Checkpoint(last), Came::CaughtUp(None, Some(last))]);
}
