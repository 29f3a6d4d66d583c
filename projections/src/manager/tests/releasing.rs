//! How a parked key is released: by itself, by an order, by a new build, by a rebuild, by passing over an event.

use super::{
    kit::*,
    parking::{entries, spoiled, waiting},
    *,
};
use crate::ParkedState;

#[tokio::test]
async fn a_parked_key_is_tried_again_by_itself_with_growing_pauses_then_it_waits() {
    let mut hall = Hall::new();
    let pause_min = Duration::from_millis(60);
    hall.on_failure = OnFailure { pause_min, pause_max: Duration::from_secs(1), ..hall.on_failure };
    hall.place(1).await;
    let open = hall.open().await;
    let bad = hall.ship(1, "fold").await;
    let mut tries = BTreeMap::new();
    while !tries.contains_key(&4) {
        for entry in entries(&open).await {
            assert_eq!(entry.position, bad);
            tries.insert(entry.attempts, entry.next_retry.map(|next| (next - entry.last_at).to_std().unwrap()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(tries.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    for attempts in 1..=3_u32 {
        let longest = pause_min * 2_u32.pow(attempts - 1);
        let pause = tries[&attempts].expect("it is tried again");
        assert!((longest / 2..=longest).contains(&pause), "try {attempts}: {pause:?}");
    }
    assert_eq!(tries[&4], None, "then it waits for somebody");
    hall.mend();
    tokio::time::sleep(pause_min * 4).await;
    assert_eq!(open.status("notes").parked.events, 1, "nobody tries it any more");
    open.stop().await;
}

#[tokio::test]
async fn what_passes_by_itself_is_released_by_itself() {
    let mut hall = Hall::new();
    hall.on_failure = hall.on_failure.attempts(1_000);
    hall.place(1).await;
    let open = hall.open().await;
    hall.ship(1, "fold").await;
    hall.ship(1, "behind").await;
    eventually("it is tried a few times", || open.notes.behind(hall.key(1)).is_some_and(|behind| behind.attempts > 3))
        .await;
    hall.mend();
    open.is_released().await;
    assert_eq!(open.trails().await, hall.reference().await);
    assert_eq!(open.lines().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn a_release_while_the_read_store_is_away_is_tried_again_and_says_so() {
    let (hall, open, _) = spoiled("notes").await;
    hall.mend();
    let busy = ReadStoreError::Unavailable("it is busy".to_owned());
    hall.rows.fail_queries(&[busy.clone(), busy]);
    assert_eq!(open.manager.retry_all("notes").await.unwrap(), 1);
    open.is_released().await;
    assert!(hall.rows.is_done(), "it was not away");
    eventually("it runs again", || open.state("notes") == ProjectionState::Running).await;
    assert_eq!(open.trails().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn a_new_build_tries_what_another_one_has_parked() {
    for column in ["build = 'older'", "version = 0"] {
        let (hall, open, _) = spoiled("fold").await;
        open.stop().await;
        hall.mend();
        let same = hall.open().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(same.status("notes").parked.events, 3, "the same build knows no better");
        same.stop().await;
        hall.sql(format!("UPDATE projection_parked SET {column}")).await;
        let newer = hall.open().await;
        newer.is_released().await;
        assert_eq!(newer.trails().await, hall.reference().await);
        assert_eq!(newer.lines().await, hall.reference().await);
        newer.stop().await;
    }
}

#[tokio::test]
async fn a_rebuild_with_a_mended_model_releases_everything() {
    let (hall, open, bad) = spoiled("write").await;
    let still = open.rebuilt("notes").await;
    assert_eq!((still.phase, still.parked_keys), (RebuildPhase::Done, 1));
    assert_eq!(open.parked("notes").await, waiting(&hall, bad), "the model is as it was");
    hall.mend();
    for name in ["notes", "ledger"] {
        assert_eq!(open.rebuilt(name).await.phase, RebuildPhase::Done);
        assert_eq!(open.status(name).parked.events, 0);
    }
    assert_eq!(open.notes.behind(hall.key(2)), None);
    assert_eq!(open.trails().await, hall.reference().await);
    assert_eq!(open.lines().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn subscribers_hear_of_a_gap_when_a_key_is_released_late() {
    let (hall, open, bad) = spoiled("notes").await;
    let mut hers = open.notes.hub().subscribe_to(hall.key(2));
    let mut others = open.notes.hub().subscribe_to(hall.key(1));
    hall.mend();
    open.manager.retry("notes", hall.key(2)).await.unwrap();
    let HubMessage::Gap { from, to } = hers.next().await.unwrap() else { panic!("what she was told is not so") };
    assert!(from < bad && to >= open.notes.position(), "a gap from {from} to {to}");
    let last = hall.ship(1, "fine").await;
    let HubMessage::Change(change) = others.next().await.unwrap() else { panic!("the others missed nothing") };
    assert_eq!(change.position, last);
    open.stop().await;
}

#[tokio::test]
async fn a_skip_passes_over_one_event_for_a_reason_and_a_rebuild_of_the_same_version_does_too() {
    for kind in ["fold", "unreadable", "write"] {
        let (hall, open, bad) = spoiled(kind).await;
        let key = hall.key(2);
        let wrong = open.manager.skip("notes", key, Position::new(bad.value() + 2), "not this one").await;
        assert!(matches!(wrong, Err(ManagerError::NotWaiting { .. })), "{wrong:?}");
        let wrong = open.manager.skip("notes", hall.key(1), bad, "nor this one").await;
        assert!(matches!(wrong, Err(ManagerError::NotParked { .. })), "{wrong:?}");
        let mut kept = hall.reference().await;
        kept.get_mut(&key).unwrap().retain(|at| *at != bad.value());
        for name in ["notes", "ledger"] {
            let released = open.manager.skip(name, key, bad, "the carrier was drunk").await.unwrap();
            assert_eq!((released.applied, released.waits_at), (2, None), "{kind}");
        }
        for round in ["skipped", "rebuilt", "started", "mended"] {
            match round {
                "rebuilt" => {
                    for name in ["notes", "ledger"] {
                        assert_eq!(open.rebuilt(name).await.phase, RebuildPhase::Done);
                    }
                }
                // What was passed over stays so, even if it could be applied by now.
                "mended" => {
                    hall.mend();
                    hall.events.is_true_again();
                    assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done);
                    assert_eq!(open.manager.verify("notes").await.unwrap().differences, []);
                }
                _ => {}
            }
            assert_eq!((open.trails().await, open.lines().await), (kept.clone(), kept.clone()), "{kind}, {round}");
            assert_eq!(open.parked("notes").await, [(key, bad.value(), ParkedState::Skipped)], "{kind}, {round}");
            assert_eq!((open.status("notes").parked.events, open.notes.behind(key)), (0, None), "{kind}, {round}");
        }
        let error = entries(&open).await[0].error.clone().unwrap();
        assert!(error.contains("the carrier was drunk"), "{error}");
        assert_eq!(open.manager.check("notes", &[key]).await.unwrap().differences, [], "a check passes over it too");
        open.stop().await;

        let newer = hall.open_as::<2, 0>().await;
        newer.catch_up(&hall).await;
        assert_eq!(newer.trails().await, hall.reference().await, "another version tries it again");
        newer.stop().await;
    }
}

#[tokio::test]
async fn a_key_with_two_failing_events_is_released_up_to_the_second() {
    let (hall, open, bad) = spoiled("unreadable").await;
    let second = hall.ship_unreadable(2, "order.shipped.v2", "{").await;
    hall.ship(2, "fine").await;
    open.catch_up(&hall).await;
    hall.events.is_true(bad);
    for name in ["notes", "ledger"] {
        let released = open.manager.retry(name, hall.key(2)).await.unwrap();
        assert_eq!((released.applied, released.waits_at.map(|(at, _)| at)), (3, Some(second)), "{name}");
        let states: Vec<ParkedState> = open.parked(name).await.into_iter().map(|(_, _, state)| state).collect();
        assert_eq!(states, [ParkedState::Failed, ParkedState::Queued]);
    }
    assert_eq!(open.notes.behind(hall.key(2)).map(|behind| behind.position), Some(second));
    let kept = hall.reference_before(&[(2, second)]).await;
    assert_eq!((open.trails().await, open.lines().await), (kept.clone(), kept));
    open.stop().await;
}
