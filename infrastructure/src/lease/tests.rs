//! What the leases promise, as sentences: nodes over one real store, in a time that stands still while it works.

mod cluster;
mod settle;

use self::cluster::{Cluster, LEASE, Node, Way, counts, held_once, names, pass, time_until};
use super::*;
use crate::read_store::Value;

const MOMENT: Duration = Duration::from_millis(50);

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_holds_everything_at_once() {
    let cluster = Cluster::new().await;
    let node = cluster.node(1, &names(8), None).await;
    pass(MOMENT, &[&node]).await;
    assert_eq!(node.held(), names(8).into_iter().collect());
    let view = node.view();
    assert_eq!((view.nodes.len(), view.unheld.len()), (1, 0));
    assert_eq!(view.nodes[&node.id], NodeView { name: "node 1".to_owned(), leases_max: None, held: node.held() });
}

#[tokio::test(start_paused = true)]
async fn who_joins_gets_a_fair_share_within_three_rounds() {
    let cluster = Cluster::new().await;
    let one = cluster.node(1, &names(8), None).await;
    pass(seconds(1), &[&one]).await;
    let two = cluster.node(2, &names(8), None).await;
    pass(seconds(3), &[&one, &two]).await;
    assert_eq!(counts(&[&one, &two]), [4, 4]);
    let three = cluster.node(3, &names(8), None).await;
    pass(seconds(3), &[&one, &two, &three]).await;
    assert_eq!(counts(&[&one, &two, &three]), [2, 3, 3]);
    assert_eq!(held_once(&[&one, &two, &three]), 8);
}

#[tokio::test(start_paused = true)]
async fn who_stops_lets_go_first_and_frees_everything_within_a_moment() {
    let cluster = Cluster::new().await;
    let one = cluster.node(1, &names(8), None).await;
    let two = cluster.node(2, &names(8), None).await;
    pass(seconds(5), &[&one, &two]).await;
    two.lifecycle.begin_stop();
    pass(MOMENT, &[&one, &two]).await;
    assert!(two.held().is_empty());
    let table = cluster.table().await;
    assert!(!table.nodes.contains_key(&two.id) && table.held_by(two.id).is_empty());
    pass(seconds(2), &[&one, &two]).await;
    assert_eq!(one.held().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_store_that_hangs() {
    let cluster = Cluster::new().await;
    let node = cluster.node(1, &names(8), None).await;
    pass(seconds(1), &[&node]).await;
    node.door.set(Way::Hangs);
    assert!(node.lifecycle.stop(seconds(2)).await);
    assert!(node.held().is_empty());
    assert_eq!(cluster.table().await.held_by(node.id).len(), 8, "nothing could be told");
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_node_held_is_taken_within_a_lease_and_a_round() {
    for late in [0, 300, 700, 999] {
        let cluster = Cluster::new().await;
        let one = cluster.node(1, &names(8), None).await;
        // Their rounds lie between each other.
        pass(seconds(1) / 2, &[&one]).await;
        let two = cluster.node(2, &names(8), None).await;
        one.door.set(Way::Slow(Duration::from_millis(30)));
        pass(seconds(5) + Duration::from_millis(late), &[&one, &two]).await;
        two.door.set(Way::Hangs);
        let nodes = [&one, &two];
        let all_taken = time_until(&nodes, || one.held().len() == 8).await;
        assert!(all_taken > seconds(4), "a lease holds: {all_taken:?}");
        // The last beat was seen within a round.
        assert!(all_taken <= LEASE + seconds(1) + 10 * MOMENT, "{all_taken:?}");
        assert!(!cluster.table().await.nodes.contains_key(&two.id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_reach_the_store_lets_go_before_anybody_takes_over() {
    for way in [Way::Hangs, Way::Refuses, Way::AnswerLost] {
        let cluster = Cluster::new().await;
        let node = cluster.node(1, &names(8), None).await;
        pass(seconds(4) + MOMENT, &[&node]).await;
        node.door.set(way);
        let gone = time_until(&[&node], || node.held().is_empty()).await;
        assert!(gone > LEASE / 2 && gone <= LEASE * 2 / 3 + MOMENT, "{way:?}: {gone:?}");
        // The others saw no beat, or beats: the rows are still there, and so is what it holds.
        node.door.set(Way::Open);
        pass(seconds(2), &[&node]).await;
        assert_eq!(node.held().len(), 8, "{way:?}");
        assert_eq!(cluster.epoch("work/000").await, 1, "{way:?}: it was never anybody else's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_moves_nothing() {
    let cluster = Cluster::new().await;
    let (one, two) = (cluster.node(1, &names(8), None).await, cluster.node(2, &names(8), None).await);
    pass(seconds(5), &[&one, &two]).await;
    let before = [one.held(), two.held()];
    for way in [Way::Hangs, Way::Refuses] {
        one.door.set(way);
        two.door.set(way);
        for _ in 0..20 {
            pass(Duration::from_millis(100), &[&one, &two]).await;
            assert_eq!([one.held(), two.held()], before, "{way:?}");
        }
        one.door.set(Way::Open);
        two.door.set(Way::Open);
        pass(seconds(10), &[&one, &two]).await;
        assert_eq!([one.held(), two.held()], before, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_long_outage_for_all_nobody_is_buried_and_each_holds_what_it_held() {
    let cluster = Cluster::new().await;
    let (one, two) = (cluster.node(1, &names(8), None).await, cluster.node(2, &names(8), None).await);
    pass(seconds(5), &[&one, &two]).await;
    let before = [one.held(), two.held()];
    two.door.set(Way::Hangs);
    // So that the first one has seen the last beat of the second.
    pass(seconds(2), &[&one, &two]).await;
    one.door.set(Way::Refuses);
    pass(seconds(60), &[&one, &two]).await;
    assert_eq!(counts(&[&one, &two]), [0, 0]);
    // One is back well before the other.
    one.door.set(Way::Open);
    pass(seconds(2), &[&one, &two]).await;
    assert_eq!([one.held(), two.held()], [before[0].clone(), BTreeSet::new()]);
    two.door.set(Way::Open);
    pass(seconds(3), &[&one, &two]).await;
    assert_eq!([one.held(), two.held()], before);
    assert_eq!(cluster.epoch(before[1].first().expect("it holds some")).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_node_looks_at_the_clock_before_it_believes_anything() {
    let cluster = Cluster::new().await;
    let (mut frozen, leases, door) = cluster.by_hand(1, &names(8)).await;
    frozen.round().await;
    assert_eq!(leases.held().borrow().len(), 8);
    let beat = cluster.table().await.nodes[&Uuid::from_u128(1)].beat;
    let other = cluster.node(2, &names(8), None).await;
    pass(seconds(20), &[&other]).await;
    assert_eq!(other.held().len(), 8, "it was taken for dead");
    // It wakes up, and its next look at the store will take long.
    door.set(Way::Hangs);
    tokio::select! {
        biased;
        _ = frozen.round() => unreachable!("the store hangs"),
        () = tokio::time::sleep(MOMENT) => {}
    }
    assert!(leases.held().borrow().is_empty());
    // Then it is back, under the same id, with a beat that it never had.
    door.set(Way::Open);
    frozen.round().await;
    assert!(cluster.table().await.nodes[&Uuid::from_u128(1)].beat > beat);
    for _ in 0..4 {
        frozen.round().await;
        pass(seconds(1), &[&other]).await;
    }
    assert_eq!((leases.held().borrow().len(), other.held().len()), (4, 4));
    assert!(leases.held().borrow().is_disjoint(&other.held()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_asked_for_before_the_freeze_proves_nothing() {
    let cluster = Cluster::new().await;
    let (mut frozen, leases, door) = cluster.by_hand(1, &names(8)).await;
    frozen.round().await;
    tokio::time::sleep(seconds(1)).await;
    // The beat is sent, and everything stands still for long. When it goes on, the answer is there: it was a success.
    door.set(Way::Slow(Duration::from_millis(1)));
    {
        let mut round = Box::pin(frozen.round());
        assert!(futures_util::poll!(&mut round).is_pending());
        tokio::time::advance(seconds(30)).await;
        door.set(Way::Open);
        round.await;
    }
    assert!(leases.held().borrow().is_empty());
    frozen.round().await;
    assert_eq!(leases.held().borrow().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_beats_at_the_last_moment_keeps_everything() {
    let cluster = Cluster::new().await;
    let one = cluster.node(1, &names(8), None).await;
    let (mut slow, leases, _) = cluster.by_hand(2, &names(8)).await;
    for _ in 0..3 {
        slow.round().await;
        pass(seconds(1), &[&one]).await;
    }
    assert_eq!(leases.held().borrow().len(), 4);
    let id = Uuid::from_u128(2);
    one.door.before_burial(vec![sql::beat(id)]);
    // By then it would have been buried.
    pass(seconds(6), &[&one]).await;
    assert_eq!(one.held().len(), 4);
    let table = cluster.table().await;
    assert!(table.nodes.contains_key(&id) && table.held_by(id).len() == 4);
    slow.round().await;
    assert_eq!(leases.held().borrow().len(), 4, "its row is there, so it owns what the table says");
}

#[tokio::test(start_paused = true)]
async fn two_who_bury_the_same_node_share_what_it_held() {
    let cluster = Cluster::new().await;
    let one = cluster.node(1, &names(9), None).await;
    let two = cluster.node(2, &names(9), None).await;
    let three = cluster.node(3, &names(9), None).await;
    let nodes = [&one, &two, &three];
    pass(seconds(5), &nodes).await;
    let mut before = Vec::new();
    for name in three.held() {
        before.push((cluster.epoch(&name).await, name));
    }
    assert_eq!(before.len(), 3);
    three.door.set(Way::Hangs);
    time_until(&nodes, || one.held().len() + two.held().len() == 9).await;
    pass(seconds(2), &nodes).await;
    assert_eq!(counts(&[&one, &two]), [4, 5]);
    for (epoch, name) in before {
        assert_eq!(cluster.epoch(&name).await, epoch + 1, "{name} changed hands once");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_too_late_to_bury_takes_its_share_in_the_same_round() {
    let cluster = Cluster::new().await;
    let (mut dead, _leases, _) = cluster.by_hand(2, &names(4)).await;
    dead.round().await;
    let (mut node, leases, door) = cluster.by_hand(1, &names(4)).await;
    let id = Uuid::from_u128(2);
    door.before_burial(sql::bury(id, Some(cluster.table().await.nodes[&id].beat)));
    node.round().await;
    let seen = tokio::time::Instant::now();
    tokio::time::sleep(6 * MOMENT).await;
    loop {
        let next = node.round().await;
        if !cluster.table().await.nodes.contains_key(&id) {
            break;
        }
        tokio::time::sleep_until(next).await;
    }
    assert!(seen.elapsed() < LEASE + MOMENT, "it did not wait for the next full round");
    assert_eq!(leases.held().borrow().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_buried_joins_anew_under_its_id() {
    let cluster = Cluster::new().await;
    let (one, two) = (cluster.node(1, &names(8), None).await, cluster.node(2, &names(8), None).await);
    pass(seconds(3), &[&one, &two]).await;
    two.door.set(Way::Hangs);
    pass(seconds(20), &[&one, &two]).await;
    assert_eq!(counts(&[&one, &two]), [0, 8]);
    two.door.set(Way::Open);
    pass(seconds(4), &[&one, &two]).await;
    assert_eq!(counts(&[&one, &two]), [4, 4]);
}

#[tokio::test(start_paused = true)]
async fn nobody_holds_more_than_it_may_and_the_others_hold_the_rest() {
    let cluster = Cluster::new().await;
    let small = cluster.node(1, &names(8), Some(1)).await;
    pass(seconds(1), &[&small]).await;
    assert_eq!((small.held().len(), small.view().unheld.len()), (1, 7));
    assert_eq!(small.view().nodes[&small.id].leases_max, Some(1));
    let medium = cluster.node(2, &names(8), Some(3)).await;
    pass(seconds(30), &[&small, &medium]).await;
    assert_eq!(counts(&[&small, &medium]), [1, 3], "however long the rest lies free");
    let large = cluster.node(3, &names(8), None).await;
    pass(seconds(3), &[&small, &medium, &large]).await;
    assert_eq!(counts(&[&small, &medium, &large]), [1, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_one_version_does_not_know_is_held_by_the_other() {
    let cluster = Cluster::new().await;
    let old = cluster.node(1, &names(4), None).await;
    pass(seconds(2), &[&old]).await;
    let new = cluster.node(2, &names(12), None).await;
    let nodes = [&old, &new];
    time_until(&nodes, || held_once(&nodes) == 12).await;
    assert!(old.held().iter().all(|name| names(4).contains(name)));
    let before = cluster.table().await.leases;
    pass(seconds(60), &nodes).await;
    assert_eq!(cluster.table().await.leases, before, "it rests");
    // Once all are of one version, the shares are fair again.
    assert!(old.lifecycle.stop(seconds(1)).await);
    let newer = cluster.node(3, &names(12), None).await;
    pass(seconds(30), &[&new, &newer]).await;
    assert_eq!(counts(&[&new, &newer]), [6, 6]);
}

#[tokio::test(start_paused = true)]
async fn rows_of_unknown_names_are_left_alone_and_missing_ones_are_entered() {
    let cluster = Cluster::new().await;
    cluster.write("INSERT INTO leases (name, owner, epoch) VALUES ('other', NULL, 7)", vec![]).await;
    let node = cluster.node(1, &names(2), None).await;
    pass(seconds(30), &[&node]).await;
    assert_eq!(node.held().len(), 2);
    assert_eq!((node.view().unheld, cluster.epoch("other").await), (BTreeSet::from(["other".to_owned()]), 7));
    cluster.write("DELETE FROM leases WHERE name = 'work/001'", vec![]).await;
    pass(seconds(3), &[&node]).await;
    assert_eq!(node.held().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn leases_of_an_owner_without_a_row_are_freed_after_a_lease() {
    let cluster = Cluster::new().await;
    let (one, two) = (cluster.node(1, &names(8), None).await, cluster.node(2, &names(8), None).await);
    pass(seconds(3), &[&one, &two]).await;
    two.door.set(Way::Hangs);
    cluster.write("DELETE FROM nodes WHERE id = $1", vec![Value::Uuid(two.id)]).await;
    pass(seconds(4), &[&one, &two]).await;
    assert_eq!(one.held().len(), 4, "it may be about to join anew");
    pass(seconds(3), &[&one, &two]).await;
    assert_eq!(one.held().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_or_refuses_is_asked_no_more_often() {
    let cluster = Cluster::new().await;
    let node = cluster.node(1, &names(8), None).await;
    for way in [Way::Open, Way::Refuses, Way::Hangs, Way::Slow(seconds(1)), Way::Slow(seconds(3))] {
        node.door.set(way);
        pass(seconds(10), &[&node]).await;
        let before = node.door.calls();
        pass(seconds(60), &[&node]).await;
        let calls = node.door.calls() - before;
        assert!((15..=130).contains(&calls), "{way:?}: {calls} calls in a minute");
    }
    node.door.set(Way::Slow(seconds(1)));
    pass(seconds(30), &[&node]).await;
    assert_eq!(node.held().len(), 8, "slow is not away");
}

#[tokio::test(start_paused = true)]
async fn whoever_only_watches_sees_the_living_and_changes_nothing() {
    let cluster = Cluster::new().await;
    let (one, two) = (cluster.node(1, &names(8), None).await, cluster.node(2, &names(8), Some(2)).await);
    let lifecycle = Lifecycle::new();
    let door = cluster.door();
    let watch = ClusterWatch::start(Arc::clone(&door) as Arc<dyn ReadStore>, LEASE, &lifecycle).await;
    pass(seconds(4), &[&one, &two]).await;
    let view = watch.view().borrow().as_ref().clone();
    assert_eq!(view, one.view());
    assert_eq!((view.nodes[&one.id].held.len(), view.nodes[&two.id].leases_max), (6, Some(2)));
    one.door.set(Way::Hangs);
    two.door.set(Way::Hangs);
    pass(seconds(10), &[&one, &two]).await;
    let view = watch.view().borrow().as_ref().clone();
    assert_eq!((view.nodes.len(), view.unheld.len()), (0, 8), "nobody lives");
    assert_eq!(cluster.table().await.nodes.len(), 2, "but it is not for a watcher to bury them");
    assert!(lifecycle.stop(seconds(1)).await);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_buried_can_claim_nothing_and_one_lease_is_claimed_once() {
    let cluster = Cluster::new().await;
    let (_one, _leases, door) = cluster.by_hand(1, &names(2)).await;
    let (_two, _leases, _) = cluster.by_hand(2, &names(2)).await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let refused = Err(ReadStoreError::Guard { expected: 1, changed: 0 });
    assert_eq!(door.transaction(sql::claim(one, "work/000")).await, Ok(()));
    assert_eq!(door.transaction(sql::claim(two, "work/000")).await, refused);
    let beat = cluster.table().await.nodes[&one].beat;
    assert_eq!(door.transaction(sql::bury(one, Some(beat - 1))).await, refused);
    assert_eq!(cluster.table().await.held_by(one).len(), 1);
    assert_eq!(door.transaction(sql::bury(one, Some(beat))).await, Ok(()));
    assert_eq!(door.transaction(sql::claim(one, "work/001")).await, refused);
    assert!(cluster.table().await.leases.values().all(Option::is_none));
}

#[tokio::test(start_paused = true)]
async fn a_start_says_why_the_store_does_not_take_it() {
    let cluster = Cluster::new().await;
    let door = cluster.door();
    let options = LeaseOptions { node: "node".to_owned(), lease: LEASE, leases_max: None };
    for way in [Way::Refuses, Way::Hangs] {
        door.set(way);
        let store = Arc::clone(&door) as Arc<dyn ReadStore>;
        let started = Leases::start(store, Uuid::from_u128(1), names(2), options.clone(), &Lifecycle::new()).await;
        assert!(matches!(started, Err(ReadStoreError::Unavailable(_))), "{way:?}");
    }
}
