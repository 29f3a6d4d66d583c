//! Pausing, watching, checking and repairing while the server runs.

use super::{kit::*, parking::pause, *};
use crate::{Difference, Repaired};

#[tokio::test]
async fn a_paused_projection_stands_still_and_serves_while_the_others_go_on() {
    let hall = Hall::new();
    let first = hall.place(1).await;
    let open = hall.open().await;
    open.manager.can_pause("notes").unwrap();
    open.manager.pause("notes", pause(None)).await.unwrap();
    assert_eq!(open.state("notes"), ProjectionState::Paused(pause(None)));
    assert!(matches!(open.manager.pause("notes", pause(None)).await, Err(ManagerError::AlreadyPaused("notes"))));
    let last = hall.ship(1, "fine").await;
    open.ledger.wait(last, LONG).await.unwrap();
    assert_eq!(open.notes.position(), first);
    assert_eq!(open.trails().await[&hall.key(1)], [1]);
    let late = open.notes.wait(last, Duration::from_millis(30)).await;
    assert!(matches!(late, Err(QueryError::Timeout { .. })), "{late:?}");
    open.manager.can_resume("notes").unwrap();
    open.manager.resume("notes").await.unwrap();
    open.catch_up(&hall).await;
    assert_eq!(open.trails().await, hall.reference().await);
    assert!(matches!(open.manager.can_resume("notes"), Err(ManagerError::NotPaused("notes"))));
    open.stop().await;
}

#[tokio::test]
async fn a_pause_at_a_position_applies_that_event_and_not_one_more() {
    let mut hall = Hall::new();
    hall.options.batch_events_max = 7;
    hall.place(1).await;
    let open = hall.open().await;
    for at in [4, 8, 14, 30] {
        for name in ["notes", "ledger"] {
            open.manager.pause(name, pause(Some(Position::new(at)))).await.unwrap();
        }
        assert_eq!(open.state("notes"), ProjectionState::Running, "it is not there yet");
        while hall.events.head().await.unwrap().value() < at + 3 {
            hall.ship(1, "fine").await;
        }
        for name in ["notes", "ledger"] {
            let is_there = || matches!(open.state(name), ProjectionState::Paused(pause) if pause.at.is_some());
            eventually("it pauses", is_there).await;
            assert_eq!(open.status(name).position.value(), at);
        }
        let applied: Vec<u64> = (1..=at).collect();
        assert_eq!((&open.trails().await[&hall.key(1)], &open.lines().await[&hall.key(1)]), (&applied, &applied));
        for name in ["notes", "ledger"] {
            open.manager.resume(name).await.unwrap();
        }
        open.catch_up(&hall).await;
    }
    assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
    open.stop().await;
}

#[tokio::test]
async fn a_pause_survives_a_start_that_is_told_of_it() {
    let mut hall = Hall::new();
    hall.place(1).await;
    hall.open().await.stop().await;
    let last = hall.ship(1, "fine").await;
    hall.options.paused.insert("notes".to_owned(), pause(None));
    let open = hall.open_as::<1, 0>().await;
    open.ledger.wait(last, LONG).await.unwrap();
    assert_eq!((open.state("notes"), open.notes.position().value()), (ProjectionState::Paused(pause(None)), 1));
    open.manager.resume("notes").await.unwrap();
    open.catch_up(&hall).await;
    assert_eq!(open.trails().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn a_server_that_starts_paused_builds_nothing_before_it_is_resumed() {
    let mut hall = Hall::new();
    hall.place(1).await;
    hall.options.all_paused = Some(pause(None));
    let open = hall.open_as::<1, 0>().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(hall.tables().await.is_empty(), "nothing moves");
    for name in ["notes", "ledger"] {
        assert_eq!(open.state(name), ProjectionState::Paused(pause(None)));
        open.manager.resume(name).await.unwrap();
    }
    open.catch_up(&hall).await;
    assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
    assert_eq!(hall.tables().await.len(), 2);
    open.stop().await;
}

#[tokio::test]
async fn a_resume_goes_on_with_the_rebuild_that_an_earlier_process_has_begun() {
    let mut hall = Hall::new();
    hall.place(1).await;
    hall.open().await.stop().await;
    hall.sql("CREATE TABLE notes_g2 AS SELECT * FROM notes_g1").await;
    hall.sql("CREATE UNIQUE INDEX notes_g2_key ON notes_g2 (id)").await;
    hall.sql(
        "INSERT INTO projection_generations SELECT name, 2, version, 'building', form, tally_rows, \
         tally_checksum, built_events, built_millis, since FROM projection_generations WHERE name = 'notes'",
    )
    .await;
    hall.sql("INSERT INTO projection_slices SELECT name, 2, slice, position, epoch FROM projection_slices").await;
    hall.options.all_paused = Some(pause(None));
    let open = hall.open_as::<1, 0>().await;
    assert_eq!((open.status("notes").generation, open.status("notes").rebuild), (Some(1), None));
    open.manager.resume("notes").await.unwrap();
    let over = open.settle("notes").await.expect("it goes on");
    assert_eq!((over.phase, over.generation, over.resumed_at), (RebuildPhase::Done, 2, 1));
    assert_eq!(open.trails().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn orders_are_carried_out_while_a_projection_is_paused() {
    let hall = Hall::patient();
    hall.place(1).await;
    hall.ship(1, "fold").await;
    let open = hall.open().await;
    for name in ["notes", "ledger"] {
        open.manager.pause(name, pause(None)).await.unwrap();
    }
    hall.place(2).await;
    hall.mend();
    assert_eq!(open.manager.retry("notes", hall.key(1)).await.unwrap().applied, 1);
    assert_eq!(open.trails().await[&hall.key(1)], [1, 2]);
    for name in ["notes", "ledger"] {
        assert_eq!(open.rebuilt(name).await.phase, RebuildPhase::Done);
        assert_eq!(open.status(name).generation, Some(2));
        assert_eq!(open.state(name), ProjectionState::Paused(pause(None)), "a rebuild is no resume");
        assert_eq!(open.status(name).position.value(), 2, "it comes as far as the old one, not further");
    }
    assert_eq!(open.lines().await[&hall.key(1)], [1, 2]);
    assert_eq!(open.manager.roll_back("notes").await.unwrap(), 1);
    for name in ["notes", "ledger"] {
        open.manager.resume(name).await.unwrap();
    }
    open.catch_up(&hall).await;
    assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
    open.stop().await;
}

async fn stalled<const V: u32, const F: u8>(open: &Open<V, F>, name: &str) -> String {
    eventually("it is stalled", || open.status(name).stall.is_some()).await;
    open.status(name).stall.expect("it is stalled").reason
}

#[tokio::test]
async fn the_watchdog_says_why_a_projection_does_not_move_and_when_it_moves_again() {
    let mut hall = Hall::new();
    hall.options.stall_after = Duration::from_millis(100);
    hall.on_failure = OnFailure { parks: false, attempts_max: 1, ..hall.on_failure };
    hall.place(1).await;
    let open = hall.open().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(open.status("notes").stall, None, "without anything to do it may stand");
    open.manager.pause("notes", pause(None)).await.unwrap();
    open.manager.pause("ledger", pause(Some(Position::new(2)))).await.unwrap();
    hall.ship(1, "notes").await;
    let reason = stalled(&open, "notes").await;
    assert!(reason.contains("she paused it at") && reason.contains("(a test)"), "{reason}");
    assert_eq!(open.status("ledger").stall, None);
    open.manager.resume("notes").await.unwrap();
    eventually("the reason is another one", || {
        open.status("notes").stall.is_some_and(|stall| stall.reason.contains("it stopped at event 2"))
    })
    .await;
    hall.mend();
    open.manager.resume("notes").await.unwrap();
    eventually("it moves again", || open.status("notes").stall.is_none()).await;
    open.stop().await;
}

#[tokio::test]
async fn the_watchdog_tells_a_store_that_is_away_from_a_build_that_does_not_come_on() {
    let mut hall = Hall::new();
    hall.options.stall_after = Duration::from_millis(100);
    hall.place(1).await;
    let busy = vec![ReadStoreError::Unavailable("it is busy".to_owned()); 10_000];
    // The bookkeeping is there and knows its log; whatever is written after it fails.
    hall.rows.fail_after("INSERT INTO projection_origin", &busy);
    let open = hall.open_as::<1, 0>().await;
    let reason = stalled(&open, "notes").await;
    assert!(reason.contains("nothing to serve yet; generation 1 is being built"), "{reason}");
    hall.rows.is_well();
    open.catch_up(&hall).await;
    eventually("it moves", || open.status("notes").stall.is_none()).await;

    hall.rows.fail_transactions(&busy);
    hall.ship(1, "fine").await;
    let reason = stalled(&open, "notes").await;
    assert!(reason.contains("it tries again and again") && reason.contains("it is busy"), "{reason}");
    hall.rows.is_well();
    open.catch_up(&hall).await;
    eventually("it moves again", || open.status("notes").stall.is_none()).await;
    assert_eq!(open.trails().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn the_rate_rises_with_events_and_falls_without() {
    let hall = Hall::new();
    hall.place(1).await;
    let open = hall.open().await;
    let applied = open.status("notes").applied;
    while open.status("notes").rate < 1.0 {
        hall.ship(1, "fine").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    open.catch_up(&hall).await;
    let last = hall.events.head().await.unwrap().value();
    assert_eq!(open.status("notes").applied - applied, last - 1);
    let high = open.status("notes").rate;
    eventually("it falls", || open.status("notes").rate < high).await;
    open.stop().await;
}

/// Alters, removes and adds a row, and one that is in memory alone. Gives their keys.
async fn drift(hall: &Hall, open: &Open<1, 0>) -> [Uuid; 4] {
    let [altered, missing, hot] = [1, 2, 3].map(|n| hall.key(n));
    let surplus = Uuid::from_u128(0x0190_0000_0000_7000_8000_ffff_ffff_ffff);
    hall.sql(format!("UPDATE notes_g1 SET trail = '99' WHERE id = x'{}'", altered.simple())).await;
    hall.sql(format!("DELETE FROM notes_g1 WHERE id = x'{}'", missing.simple())).await;
    hall.sql(format!("INSERT INTO notes_g1 (id, trail, weight) VALUES (x'{}', '98', 0)", surplus.simple())).await;
    let serving = open.shape.serving.borrow().clone().expect("it serves");
    serving.hot.clear();
    let row = open.notes.row(hot).await.unwrap().expect("it is there");
    serving.hot.insert(hot, Note { trail: "97".to_owned(), ..row });
    [altered, missing, hot, surplus]
}

fn keys(differences: &[Difference]) -> Vec<Uuid> {
    let mut keys: Vec<Uuid> = differences.iter().map(|difference| difference.key).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn a_row_that_is_not_what_its_events_make_of_it_is_found_and_repaired() {
    let hall = Hall::new();
    for n in 1..=5 {
        hall.place(n).await;
    }
    let open = hall.open().await;
    let everybody: Vec<Uuid> = (1..=5).map(|n| hall.key(n)).collect();
    let right = open.manager.check("notes", &everybody).await.unwrap();
    assert_eq!((right.rows, right.differences), (5, vec![]));

    let wrong = drift(&hall, &open).await;
    let [altered, missing, hot, surplus] = wrong;
    let mut all = everybody.clone();
    all.push(surplus);
    let found = open.manager.check("notes", &all).await.unwrap();
    let mut expected = wrong.to_vec();
    expected.sort_unstable();
    assert_eq!(keys(&found.differences), expected);
    let of = |key| found.differences.iter().find(|difference| difference.key == key).expect("it was found");
    let has = |text: &Option<String>, part: &str| text.as_ref().is_some_and(|text| text.contains(part));
    assert!(has(&of(altered).stored, "\"99\"") && has(&of(altered).folded, "\"1\""), "{:?}", of(altered));
    assert!(of(missing).stored.is_none() && has(&of(missing).folded, "\"2\""));
    assert!(has(&of(surplus).stored, "\"98\"") && of(surplus).folded.is_none());
    assert_eq!(of(hot).position, open.notes.position());
    assert_eq!(keys(&open.status("notes").differences), expected, "operators see it");

    // All of them or none.
    let nobody = Uuid::from_u128(0x0190_0000_0000_7000_8000_ffff_ffff_fffe);
    let refused = open.manager.repair("notes", &[altered, nobody]).await.unwrap_err();
    assert!(refused.to_string().contains(&nobody.to_string()), "{refused}");
    assert_eq!(open.manager.check("notes", &all).await.unwrap().differences.len(), 4, "nothing was repaired");
    let mut hers = open.notes.hub().subscribe_to(altered);
    let repaired = open.manager.repair("notes", &[altered, surplus]).await.unwrap();
    let Repaired { key, before, after } = &repaired[0];
    assert!(*key == altered && has(before, "\"99\"") && has(after, "\"1\""), "{repaired:?}");
    assert_eq!((&repaired[1].key, &repaired[1].after), (&surplus, &None));
    assert!(matches!(hers.next().await.unwrap(), HubMessage::Gap { .. }));
    assert_eq!(keys(&open.manager.check("notes", &everybody).await.unwrap().differences), [missing, hot]);
    let unknown = open.manager.check("notes", &all).await.unwrap_err();
    assert!(matches!(unknown, ManagerError::UnknownKeys(_)), "{unknown:?}: it has neither row nor events any more");
    open.manager.repair("notes", &[missing, hot]).await.unwrap();
    assert_eq!(open.status("notes").differences, []);
    assert_eq!(open.trails().await, hall.reference().await);
    assert_eq!(open.notes.row(hot).await.unwrap().map(|row| row.trail), Some("3".to_owned()));
    assert!(matches!(open.manager.repair("ledger", &[altered]).await, Err(ManagerError::NotByKey("ledger"))));
    open.stop().await;
}

#[tokio::test]
async fn the_drift_check_finds_by_itself_what_differs() {
    let mut hall = Hall::new();
    hall.options.drift_interval = Some(Duration::from_millis(5));
    hall.options.drift_rows = 4;
    for n in 1..=5 {
        hall.place(n).await;
    }
    let open = hall.open().await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(open.status("notes").differences, [], "it cries wolf");
    let mut wrong = drift(&hall, &open).await.to_vec();
    wrong.sort_unstable();
    eventually("all of it is found", || keys(&open.status("notes").differences) == wrong).await;
    assert_eq!(open.status("ledger").differences, []);
    open.stop().await;
}

#[tokio::test]
async fn everything_is_verified_while_events_come_in() {
    let mut hall = Hall::patient();
    hall.options.rebuild_share = 100;
    for n in 1..=30 {
        hall.place(n).await;
    }
    hall.ship(3, "fold").await;
    hall.ship(3, "fine").await;
    let open = hall.open().await;
    for name in ["notes", "ledger"] {
        let verify = open.manager.verify(name);
        let write = async {
            for n in 31..=60 {
                hall.place(n).await;
                hall.ship(n - 30, "fine").await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let (report, ()) = tokio::join!(verify, write);
        let report = report.unwrap();
        assert_eq!(report.differences, [], "{name}");
        assert!(report.rows >= 30 && report.position.value() >= 32, "{report:?}");
        open.catch_up(&hall).await;
        assert_eq!(hall.tables().await.len(), 2, "what it was compared with is removed");
    }
    let [altered, missing, _, surplus] = drift(&hall, &open).await;
    let mut wrong = vec![altered, missing, surplus];
    wrong.sort_unstable();
    let report = open.manager.verify("notes").await.unwrap();
    assert_eq!(keys(&report.differences), wrong, "{report:?}");
    hall.sql("DELETE FROM ledger_g1_lines WHERE position = 7").await;
    hall.sql(format!("INSERT INTO ledger_g1_lines VALUES (x'{}', 4711)", hall.key(1).simple())).await;
    let report = open.manager.verify("ledger").await.unwrap();
    assert_eq!(keys(&report.differences), [hall.key(1), hall.key(7)]);
    assert_eq!(keys(&open.status("ledger").differences), [hall.key(1), hall.key(7)]);
    assert_eq!(open.rebuilt("ledger").await.phase, RebuildPhase::Done);
    assert_eq!(open.status("ledger").differences, [], "a rebuild mends everything");
    open.stop().await;
}
