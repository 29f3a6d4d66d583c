//! The generation that served before is kept: a rollback serves it at once, and the way back is as short.

use infrastructure::clock::ManualClock;

use super::{kit::*, parking::pause, *};
use crate::Served;

fn clocked() -> (Hall, ManualClock) {
    let mut hall = Hall::new();
    let clock = ManualClock::at(domain::testing::now());
    hall.clock = Arc::new(clock.clone());
    (hall, clock)
}

async fn generations(hall: &Hall, name: &str) -> Vec<String> {
    let sql = format!(
        "SELECT generation || ' ' || state FROM projection_generations WHERE name = '{name}' ORDER BY generation"
    );
    hall.texts(&sql).await
}

#[tokio::test]
async fn a_rollback_serves_the_generation_before_with_nothing_missing_and_forward_again() {
    for is_time_to_follow in [false, true] {
        let hall = Hall::patient();
        hall.place(1).await;
        hall.place(2).await;
        let open = hall.open().await;
        for name in ["notes", "ledger"] {
            assert!(matches!(open.manager.can_roll_back(name), Err(ManagerError::NoStandby(_))));
            assert_eq!(open.rebuilt(name).await.phase, RebuildPhase::Done);
        }
        hall.ship(1, "fine").await;
        let bad = hall.ship(2, "fold").await;
        hall.ship(2, "fine").await;
        open.catch_up(&hall).await;
        if is_time_to_follow {
            let is_there =
                || open.status("notes").standby.is_some_and(|standby| standby.position == open.notes.position());
            eventually("the generation on standby follows", is_there).await;
        }
        let kept = hall.reference_before(&[(2, bad)]).await;
        let (parked, mut others) = (open.parked("notes").await, open.notes.hub().subscribe_to(hall.key(1)));
        for serving in [1, 2, 1] {
            for name in ["notes", "ledger"] {
                assert_eq!(open.manager.can_roll_back(name).unwrap(), serving);
                assert_eq!(open.manager.roll_back(name).await.unwrap(), serving);
                let status = open.status(name);
                assert_eq!((status.generation, status.state), (Some(serving), ProjectionState::Running));
                assert_eq!(status.standby.map(|standby| standby.generation), Some(3 - serving));
            }
            assert_eq!((open.trails().await, open.lines().await), (kept.clone(), kept.clone()));
            assert_eq!(open.parked("notes").await, parked, "what waits there waits here");
            assert_eq!(open.notes.behind(hall.key(2)).map(|behind| behind.position), Some(bad));
        }
        let last = hall.ship(1, "fine").await;
        open.catch_up(&hall).await;
        let HubMessage::Change(change) = others.next().await.unwrap() else { panic!("nobody missed anything") };
        assert_eq!(change.position, last, "a rollback repeats nothing");
        assert_eq!(hall.tables().await.len(), 4);
        open.stop().await;
        let open = hall.open().await;
        assert_eq!(open.status("notes").generation, Some(1), "a start keeps the rollback");
        assert_eq!(open.trails().await, hall.reference_before(&[(2, bad)]).await);
        open.stop().await;
    }
}

#[tokio::test]
async fn what_is_skipped_while_a_generation_stands_by_is_skipped_in_it_too() {
    let hall = Hall::patient();
    hall.place(1).await;
    let bad = hall.ship(1, "fold").await;
    hall.ship(1, "fine").await;
    let open = hall.open().await;
    assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done);
    let released = open.manager.skip("notes", hall.key(1), bad, "it is of no use").await.unwrap();
    assert_eq!((released.applied, released.waits_at), (1, None));
    let mut kept = hall.reference().await;
    kept.get_mut(&hall.key(1)).unwrap().retain(|at| *at != bad.value());
    assert_eq!(open.trails().await, kept);
    open.manager.roll_back("notes").await.unwrap();
    assert_eq!((open.trails().await, open.status("notes").parked.events), (kept, 0));
    open.stop().await;
}

#[tokio::test]
async fn what_is_released_while_a_generation_stands_by_does_not_wait_in_it_either() {
    let hall = Hall::patient();
    hall.place(1).await;
    hall.place(2).await;
    hall.ship(1, "fold").await;
    let still = hall.ship_unreadable(2, "order.shipped.v2", "{").await;
    hall.ship(1, "fine").await;
    let open = hall.open().await;
    assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done);
    hall.mend();
    assert_eq!(open.manager.retry("notes", hall.key(1)).await.unwrap().applied, 2);
    let kept = hall.reference_before(&[(2, still)]).await;
    for _ in 0..2 {
        open.manager.roll_back("notes").await.unwrap();
        assert_eq!((open.trails().await, open.status("notes").parked.events), (kept.clone(), 1));
    }
    open.stop().await;
}

#[tokio::test]
async fn at_most_one_generation_stands_by_and_no_table_is_left_over() {
    let hall = Hall::new();
    hall.place(1).await;
    let open = hall.open().await;
    for generation in 2..7 {
        for name in ["notes", "ledger"] {
            assert_eq!(open.rebuilt(name).await.phase, RebuildPhase::Done);
        }
        if generation % 2 == 0 {
            open.manager.roll_back("notes").await.unwrap();
            open.manager.roll_back("notes").await.unwrap();
        }
        let last = generation - 1;
        let tables = [
            format!("ledger_g{last}_lines"),
            format!("ledger_g{generation}_lines"),
            format!("notes_g{last}"),
            format!("notes_g{generation}"),
        ];
        assert_eq!(hall.tables().await, tables);
    }
    hall.rows.fail_after("UPDATE projection_slices SET epoch", &[ReadStoreError::Full]);
    assert!(matches!(open.rebuilt("notes").await.phase, RebuildPhase::Failed(_)));
    assert_eq!(hall.tables().await.len(), 4, "one that fails leaves nothing");
    open.stop().await;
    let open = hall.open().await;
    assert_eq!(generations(&hall, "notes").await, ["5 standby", "6 serving"]);
    assert_eq!(hall.tables().await.len(), 4);
    open.stop().await;
}

#[tokio::test]
async fn a_generation_that_is_discarded_is_gone_and_only_the_one_on_standby_can_be() {
    let (hall, clock) = clocked();
    hall.place(1).await;
    let open = hall.open().await;
    open.rebuilt("notes").await;
    for wrong in [2, 7] {
        let refused = open.manager.discard_generation("notes", wrong).await;
        assert!(matches!(refused, Err(ManagerError::UnknownGeneration { .. })), "{refused:?}");
    }
    // Whoever began to read it has long finished.
    clock.advance(chrono::TimeDelta::seconds(6));
    open.manager.can_discard("notes", 1).unwrap();
    open.manager.discard_generation("notes", 1).await.unwrap();
    assert_eq!(hall.tables().await, ["ledger_g1_lines", "notes_g2"]);
    assert_eq!(open.status("notes").standby, None);
    assert!(matches!(open.manager.roll_back("notes").await, Err(ManagerError::NoStandby("notes"))));
    assert_eq!(open.trails().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn a_generation_goes_when_it_was_kept_long_enough_but_not_one_that_was_rolled_back() {
    let (mut hall, clock) = clocked();
    hall.options.keep_generation = Duration::from_secs(60);
    hall.place(1).await;
    let open = hall.open().await;
    for name in ["notes", "ledger"] {
        open.rebuilt(name).await;
    }
    open.manager.roll_back("ledger").await.unwrap();
    open.stop().await;
    clock.advance(chrono::TimeDelta::seconds(61));
    hall.options.keep_generation = Duration::from_millis(100);
    let open = hall.open().await;
    eventually("it is removed", || open.status("notes").standby.is_none()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(hall.tables().await, ["ledger_g1_lines", "ledger_g2_lines", "notes_g2"]);
    assert_eq!(open.status("ledger").generation, Some(1));
    assert_eq!(open.status("ledger").standby.map(|standby| standby.generation), Some(2), "an operator decides");
    open.stop().await;
}

/// What queries of one build read of a row.
async fn row<const V: u32, const F: u8>(notes: &Served<Notes<V, F>>, key: Uuid) -> (Vec<u64>, Option<i64>) {
    let row = notes.row(key).await.unwrap().expect("there is one");
    (numbers(&row.trail), row.more)
}

#[tokio::test]
async fn another_version_serves_the_old_generation_as_it_stood_until_its_own_is_there() {
    let mut hall = Hall::new();
    hall.place(1).await;
    hall.open().await.stop().await;
    let last = hall.ship(1, "fine").await;
    // Its first build waits for somebody to resume it.
    hall.options.all_paused = Some(pause(None));
    let open = hall.open_as::<2, 1>().await;
    assert_eq!(row(&open.notes, hall.key(1)).await, (vec![1], None), "a column that may be NULL is read as NULL");
    let late = open.notes.wait(last, Duration::from_millis(30)).await;
    assert!(matches!(late, Err(QueryError::Timeout { .. })), "{late:?}");
    assert_eq!(open.notes.position().value(), 1, "it does not lie");
    assert_eq!(hall.tables().await.len(), 2, "nothing is built");
    open.manager.resume("notes").await.unwrap();
    open.notes.wait(last, LONG).await.unwrap();
    open.settle("notes").await;
    assert_eq!(row(&open.notes, hall.key(1)).await, (vec![1, 2], Some(7)));
    let standby = open.status("notes").standby.expect("the old one is kept");
    assert_eq!((standby.generation, standby.version, standby.is_followed), (1, 1, false));
    open.stop().await;
}

#[tokio::test]
async fn a_generation_without_a_column_that_must_be_there_does_not_serve() {
    let mut hall = Hall::new();
    let last = hall.place(1).await;
    hall.open().await.stop().await;
    hall.options.all_paused = Some(pause(None));
    let open = hall.open_as::<2, 2>().await;
    assert!(matches!(open.notes.row(hall.key(1)).await, Err(QueryError::Building("notes"))));
    assert_eq!(open.status("notes").generation, None);
    open.manager.resume("notes").await.unwrap();
    open.notes.wait(last, LONG).await.unwrap();
    open.settle("notes").await;
    assert_eq!(row(&open.notes, hall.key(1)).await, (vec![1], Some(7)));
    let refused = open.manager.roll_back("notes").await.unwrap_err();
    assert!(matches!(refused, ManagerError::CannotServe { generation: 1, .. }), "{refused:?}");
    assert_eq!(row(&open.notes, hall.key(1)).await, (vec![1], Some(7)), "it serves on");
    assert_eq!(open.status("notes").standby.map(|standby| standby.generation), Some(1), "and keeps the other");
    open.stop().await;
}

#[tokio::test]
async fn a_rollback_to_another_version_is_frozen_and_says_so_and_stays_after_a_start() {
    let hall = Hall::new();
    hall.place(1).await;
    hall.open().await.stop().await;
    let open = hall.open_as::<2, 1>().await;
    open.catch_up(&hall).await;
    let frozen_at = open.notes.position();
    let last = hall.ship(1, "fine").await;
    open.catch_up(&hall).await;
    assert_eq!(open.manager.roll_back("notes").await.unwrap(), 1);
    let is_frozen = |open: &Open<2, 1>| {
        assert_eq!(open.state("notes"), ProjectionState::Frozen { version: 1 });
        assert_eq!((open.status("notes").generation, open.notes.position()), (Some(1), frozen_at));
    };
    is_frozen(&open);
    assert_eq!(row(&open.notes, hall.key(1)).await, (vec![1], None));
    let late = open.notes.wait(last, Duration::from_millis(30)).await;
    assert!(matches!(late, Err(QueryError::Timeout { .. })), "{late:?}");
    assert!(matches!(open.manager.can_repair("notes"), Err(ManagerError::NotServing("notes"))));
    open.stop().await;

    let open = hall.open_as::<2, 1>().await;
    is_frozen(&open);
    assert_eq!(open.status("notes").rebuild, None, "no start builds what an operator has rolled back");
    assert_eq!(open.manager.roll_back("notes").await.unwrap(), 2, "forward again");
    open.catch_up(&hall).await;
    assert_eq!(row(&open.notes, hall.key(1)).await, (vec![1, 2], Some(7)));
    assert_eq!(open.state("notes"), ProjectionState::Running);
    assert_eq!(hall.tables().await.len(), 3);
    open.stop().await;
}

#[tokio::test]
async fn the_old_build_that_comes_back_finds_its_generation() {
    let hall = Hall::new();
    hall.place(1).await;
    hall.open().await.stop().await;
    let newer = hall.open_as::<2, 1>().await;
    newer.catch_up(&hall).await;
    hall.ship(1, "fine").await;
    newer.catch_up(&hall).await;
    newer.stop().await;
    let older = hall.open().await;
    assert_eq!((older.status("notes").generation, older.status("notes").rebuild), (Some(1), None));
    assert_eq!(older.trails().await, hall.reference().await, "it was brought up to date");
    assert_eq!(generations(&hall, "notes").await, ["1 serving", "2 standby"]);
    older.stop().await;
    let newer = hall.open_as::<2, 1>().await;
    assert_eq!(newer.status("notes").generation, Some(2), "and so does the newer one");
    newer.catch_up(&hall).await;
    assert_eq!(row(&newer.notes, hall.key(1)).await, (vec![1, 2], Some(7)));
    assert_eq!(hall.tables().await.len(), 3);
    newer.stop().await;
}
