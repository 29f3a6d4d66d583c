//! Whoever subscribes hears everything from their position on, or is told that they do not.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::testing::order_placed;
use tokio::sync::mpsc::error::TryRecvError;

use super::*;

const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const CUSTOMER: Uuid = Uuid::from_u128(3);

fn change(position: u64, key: Uuid) -> Change<u64> {
    Change {
        position: Position::new(position),
        revision: Revision::FIRST,
        occurred_at: domain::testing::now(),
        key,
        event: Arc::new(order_placed().into()),
        row: Some(position),
    }
}

/// Announces one change at each of these positions.
fn announce(hub: &Hub<u64>, positions: impl IntoIterator<Item = u64>, key: Uuid) {
    for position in positions {
        hub.announce(vec![change(position, key)], |_| vec![CUSTOMER], Position::new(position));
    }
}

/// What waits for the subscriber, and whether its stream has ended then.
fn heard(mut subscription: HubSubscription<u64>) -> (Vec<u64>, bool) {
    let mut positions = Vec::new();
    loop {
        match subscription.receiver.try_recv() {
            Ok(HubMessage::Change(change)) => positions.push(change.position.value()),
            Ok(HubMessage::Gap { .. }) => panic!("nobody announced a gap"),
            Err(TryRecvError::Empty) => return (positions, false),
            Err(TryRecvError::Disconnected) => return (positions, true),
        }
    }
}

#[test]
fn a_subscriber_hears_what_comes_after_its_position() {
    let hub = Hub::default();
    hub.begin(Position::new(10));
    let from_the_start = hub.subscribe_all();
    announce(&hub, 11..=12, ONE);
    let later = hub.subscribe_all();
    announce(&hub, 13..=13, OTHER);
    assert_eq!(from_the_start.position, Position::new(10));
    assert_eq!(later.position, Position::new(12));
    assert_eq!(heard(from_the_start), (vec![11, 12, 13], false));
    assert_eq!(heard(later), (vec![13], false));
}

#[test]
fn no_subscriber_misses_anything_however_it_arrives() {
    const LAST: u64 = 3_000;
    let hub = Hub::default();
    let announced = AtomicU64::new(0);
    let subscriptions = std::thread::scope(|scope| {
        scope.spawn(|| {
            for position in 1..=LAST {
                announce(&hub, [position], ONE);
                announced.store(position, Ordering::Release);
            }
        });
        let mut subscriptions = Vec::new();
        for part in 0..30 {
            while announced.load(Ordering::Acquire) < part * (LAST / 30) {
                std::thread::yield_now();
            }
            subscriptions.push(hub.subscribe_to(ONE));
        }
        subscriptions
    });
    for subscription in subscriptions {
        let after = subscription.position.value();
        assert_eq!(heard(subscription), ((after + 1..=LAST).collect(), false));
    }
}

#[test]
fn a_subscriber_hears_of_its_own_topic_only() {
    let hub = Hub::default();
    let [all, one, other, customer] =
        [hub.subscribe_all(), hub.subscribe_to(ONE), hub.subscribe_to(OTHER), hub.subscribe_to(CUSTOMER)];
    announce(&hub, [1], ONE);
    announce(&hub, [2], OTHER);
    assert_eq!(heard(all).0, [1, 2]);
    assert_eq!(heard(one).0, [1]);
    assert_eq!(heard(other).0, [2]);
    assert_eq!(heard(customer).0, [1, 2]);
}

#[test]
fn a_row_that_is_gone_is_announced_under_its_key() {
    let hub = Hub::<u64>::default();
    let (one, customer) = (hub.subscribe_to(ONE), hub.subscribe_to(CUSTOMER));
    let gone = Change { row: None, ..change(1, ONE) };
    hub.announce(vec![gone], |_| vec![CUSTOMER], Position::new(1));
    assert_eq!(heard(one).0, [1]);
    assert_eq!(heard(customer).0, [0; 0], "only the row knew the customer");
}

#[test]
fn a_slow_subscriber_is_cut_off_without_a_hole_and_others_are_not_concerned() {
    let hub = Hub::default();
    let slow = hub.subscribe_all();
    let last = HUB_QUEUE_CHANGES_MAX as u64 + 1;
    announce(&hub, 1..last, ONE);
    let fast = hub.subscribe_all();
    announce(&hub, last..=last, ONE);
    assert_eq!(heard(slow), ((1..last).collect(), true));
    assert_eq!(heard(fast), (vec![last], false));
}

#[tokio::test]
async fn everybody_is_told_of_a_gap() {
    let hub = Hub::<u64>::default();
    hub.begin(Position::new(5));
    let mut subscriptions = [hub.subscribe_all(), hub.subscribe_to(ONE), hub.subscribe_to(OTHER)];
    hub.announce_gap(Position::new(9));
    for subscription in &mut subscriptions {
        let Ok(HubMessage::Gap { from, to }) = subscription.next().await else { panic!("it was not told") };
        assert_eq!((from, to), (Position::new(5), Position::new(9)));
    }
    assert_eq!(hub.subscribe_all().position, Position::new(9));
}

#[tokio::test]
async fn a_close_ends_every_subscription_after_what_it_has_heard() {
    let hub = Hub::default();
    let before = hub.subscribe_all();
    announce(&hub, [1], ONE);
    hub.close();
    assert_eq!(heard(before), (vec![1], true));
    let mut late = hub.subscribe_all();
    assert_eq!(late.next().await.err(), Some(HubClosed), "nobody waits for a hub that is closed");
}

#[test]
fn a_subscriber_that_leaves_leaves_nothing_behind() {
    let hub = Hub::<u64>::default();
    let subscriptions = [hub.subscribe_all(), hub.subscribe_to(ONE), hub.subscribe_to(ONE)];
    assert_eq!(hub.lock().topics.len(), 2);
    drop(subscriptions);
    assert_eq!(hub.lock().topics.len(), 0);
}

#[test]
fn a_position_never_goes_back() {
    let hub = Hub::default();
    announce(&hub, [7], ONE);
    hub.begin(Position::new(3));
    hub.announce_gap(Position::new(4));
    assert_eq!(hub.subscribe_all().position, Position::new(7));
}
