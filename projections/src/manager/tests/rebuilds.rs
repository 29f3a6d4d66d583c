//! Rebuilds: gone on with after a crash, several from one scan, verified before they serve, held back by live traffic.

use std::sync::atomic::Ordering;

use super::{kit::*, parking::pause, *};
use crate::{ParkedState, RebuildEstimate, bookkeeping::Tally, table::written_hash, tests::block_on};

/// Enough for a rebuild to write several times, since with live traffic beside it it holds back little.
const MANY: u64 = 20_000;

/// A log that is long enough to be written in several parts, at little cost.
async fn fill(hall: &Hall, orders: u64, each: u64) {
    for n in 1..=orders {
        hall.place(n).await;
    }
    for _ in 1..each {
        for n in 1..=orders {
            hall.ship(n, "fine").await;
        }
    }
}

/// A process that dies while it fills the first generations; the next one goes on where the last write came to.
#[test]
fn a_rebuild_that_was_killed_goes_on_where_it_was_and_ends_the_same() {
    let mut hall = Hall::new();
    hall.options.rebuild_share = 100;
    block_on(fill(&hall, 200, MANY / 200));
    let (mut resumed, mut rounds) = (0, 0_u64);
    let mut positions = Vec::new();
    let serving = "SELECT count(*) FROM projection_generations WHERE state = 'serving'";
    while rounds == 0 || block_on(number(&hall, serving)) < 2 {
        rounds += 1;
        assert!(rounds < 200, "it never comes to an end");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let rows = Arc::new(open_rows(&hall.folder.path().join("read.db")));
            let open = hall.try_open::<1, 0>(rows).await.unwrap();
            let begun = open.status("ledger").rebuild.map(|rebuild| rebuild.resumed_at);
            positions.extend(begun);
            resumed += u32::from(begun.is_some_and(|begun| begun > 0 && begun < MANY));
            for n in 0..10 + rounds * 3 {
                hall.place(rounds * 10_000 + n).await;
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        });
        runtime.shutdown_background();
    }
    assert!(resumed > 0, "no crash was in the middle: {positions:?}");
    // A runtime that is going down lets its tasks see that the store closes, as a killed process does not: at the switch
    // they may give up what is all filled.
    let filling: Vec<u64> = positions.iter().copied().take_while(|at| *at < MANY).collect();
    assert!(filling.is_sorted(), "it fell back: {positions:?}");
    block_on(async {
        let open = hall.open().await;
        let reference = hall.reference().await;
        assert_eq!(open.trails().await, reference);
        assert!(open.lines().await == reference, "the ledger differs");
        assert_eq!(hall.tables().await.len(), 2, "nothing is left over");
        open.stop().await;
    });
}

async fn number(hall: &Hall, sql: &str) -> i64 {
    let query = Query { sql: sql.to_owned().into(), params: vec![], cost: Cost::Scan };
    hall.rows.query(query).await.unwrap()[0].int(0).unwrap()
}

#[tokio::test]
async fn a_store_that_fails_during_a_rebuild_loses_nothing() {
    let busy = || ReadStoreError::Unavailable("it is busy".to_owned());
    for together in [false, true] {
        for (errors, lost) in [(1, 0), (2, 0), (3, 1), (0, 2)] {
            let hall = Hall::new();
            fill(&hall, 50, 60).await;
            let open = hall.open().await;
            open.manager.pause("notes", pause(None)).await.unwrap();
            open.manager.pause("ledger", pause(None)).await.unwrap();
            let names: &[&str] = if together { &["notes", "ledger"] } else { &["ledger"] };
            hall.rows.fail_after("UPDATE projection_slices SET epoch", &vec![busy(); errors]);
            hall.rows.lose_answers(&vec![busy(); lost]);
            open.manager.rebuild_together(names, None).await.unwrap();
            for name in names {
                let over = open.settle(name).await.expect("there was one");
                assert_eq!(over.phase, RebuildPhase::Done, "{name}, {together}, {errors} and {lost}");
            }
            assert!(hall.rows.is_done(), "not everything failed that was to");
            assert_eq!(open.trails().await, hall.reference().await);
            assert_eq!(open.lines().await, hall.reference().await, "{together}, {errors} and {lost}");
            open.stop().await;
        }
    }
}

#[tokio::test]
async fn several_models_are_rebuilt_from_one_scan_of_the_log() {
    let hall = Hall::new();
    fill(&hall, 20, 50).await;
    let open = hall.open().await;
    let scans = |before: u64| hall.events.scanned.load(Ordering::Relaxed) - before;
    let before = scans(0);
    assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done);
    let one = scans(before);
    assert!(one >= 1_000, "it scanned {one} events");
    let before = scans(0);
    open.manager.rebuild_together(&["notes", "ledger"], None).await.unwrap();
    for name in ["notes", "ledger"] {
        let over = open.settle(name).await.expect("there was one");
        assert_eq!((over.phase, over.events), (RebuildPhase::Done, 1_000), "{name}");
    }
    // The others that read meanwhile read a single event, to tell the lag.
    assert!(scans(before) < one + 100, "{} events were scanned for two, {one} for one", scans(before));
    assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
    open.stop().await;
}

#[tokio::test]
async fn a_model_that_cannot_be_rebuilt_does_not_keep_the_others_back() {
    let mut hall = Hall::new();
    hall.on_failure = OnFailure { parks: false, ..hall.on_failure };
    fill(&hall, 5, 2).await;
    hall.mend();
    hall.ship(3, "notes").await;
    let open = hall.open().await;
    hall.unmend();
    open.manager.rebuild_together(&["notes", "ledger"], None).await.unwrap();
    let RebuildPhase::Failed(error) = open.settle("notes").await.unwrap().phase else { panic!("it was to fail") };
    assert!(error.contains("event 11 cannot be applied"), "{error}");
    assert_eq!(open.settle("ledger").await.unwrap().phase, RebuildPhase::Done);
    assert_eq!((open.status("notes").generation, open.status("ledger").generation), (Some(1), Some(2)));
    assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
    let refused = open.manager.rebuild_together(&["ledger", "nobody"], None).await;
    assert!(matches!(refused, Err(ManagerError::Unknown { .. })), "{refused:?}");
    assert_eq!(open.rebuilt("ledger").await.generation, 3, "what was refused keeps nothing back");
    open.stop().await;
}

#[tokio::test]
async fn a_row_that_is_not_what_was_written_is_found_before_it_serves() {
    let tampering = [
        "UPDATE notes_g2 SET trail = '1' WHERE id = (SELECT id FROM notes_g2 ORDER BY id DESC LIMIT 1)",
        "DELETE FROM notes_g2 WHERE id = (SELECT id FROM notes_g2 ORDER BY id LIMIT 1)",
        "INSERT INTO notes_g2 (id, trail, weight) VALUES (x'00000000000000000000000000000001', '1 2', 0)",
        "UPDATE notes_g2 SET weight = 8",
    ];
    for sql in tampering {
        let hall = Hall::new();
        fill(&hall, 300, 2).await;
        let open = hall.open().await;
        hall.rows.after("SET tally_rows = $3", sql);
        let RebuildPhase::Failed(error) = open.rebuilt("notes").await.phase else { panic!("nobody noticed: {sql}") };
        assert!(hall.rows.is_done() && error.contains("not verified"), "{error}");
        assert_eq!(open.status("notes").generation, Some(1), "{sql}");
        assert_eq!(open.trails().await, hall.reference().await);
        assert_eq!(hall.tables().await, ["ledger_g1_lines", "notes_g1"], "what is wrong is removed");
        assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done, "and can be tried again");
        open.stop().await;
    }
}

#[tokio::test]
async fn an_invariant_that_does_not_hold_keeps_a_generation_from_serving() {
    let world = World::new();
    for n in 0..20 {
        world.append(placed(n, 1, &[("TEA", 2), ("POT", 1)])).await;
    }
    let running = world.start().await;
    running.settle("product_sales").await;
    for sql in ["UPDATE product_sales_g2_counters SET units = units + 1", "DELETE FROM product_sales_g3_lines"] {
        world.rows.after("SET tally_rows = $3", sql);
        let RebuildPhase::Failed(error) = running.rebuilt("product_sales").await.phase else { panic!("{sql}: done") };
        assert!(world.rows.is_done() && error.contains("each counter is the sum of the lines"), "{error}");
        assert_eq!((running.status("product_sales").generation, running.sales("TEA").await), (Some(1), (40, 20)));
    }
    running.stop().await;
}

#[tokio::test]
async fn what_a_rebuild_says_of_its_rows_is_what_anybody_can_count() {
    let hall = Hall::new();
    fill(&hall, 300, 3).await;
    hall.ship(7, "fold").await;
    let open = hall.open().await;
    let progress = open.rebuilt("notes").await;
    let verified = progress.verified.expect("it was verified");
    let mut tally = Tally::default();
    for (id, trail) in open.trails().await {
        let trail = trail.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        tally.add(written_hash(&[Value::Uuid(id), Value::Text(trail), Value::Int(0)]));
    }
    assert_eq!((verified.rows, verified.checksum, verified.sampled), (300, Some(tally.checksum), 64));
    assert_eq!((progress.events, progress.parked_keys), (901, 1));
    open.stop().await;
}

#[tokio::test]
async fn a_rebuild_from_a_position_gives_what_a_whole_one_gives() {
    let hall = Hall::patient();
    fill(&hall, 30, 4).await;
    hall.ship(1, "fold").await;
    hall.ship_unreadable(2, "order.shipped.v2", "[]").await;
    hall.place(99).await;
    let skipped = hall.ship(3, "fold").await;
    let open = hall.open().await;
    open.manager.skip("notes", hall.key(3), skipped, "not worth it").await.unwrap();
    let from = hall.ship(4, "fine").await;
    for n in [1, 2, 3, 5] {
        hall.ship(n, "fine").await;
    }
    hall.ship(6, "fold").await;
    hall.ship(6, "fine").await;
    open.catch_up(&hall).await;
    let (rows, parked) = (open.trails().await, open.parked("notes").await);

    // Rows that changed since then are folded anew, right or wrong; others are taken as they are.
    hall.sql(format!("UPDATE notes_g1 SET trail = '1' WHERE id = x'{}'", hall.key(5).simple())).await;
    open.manager.rebuild_together(&["notes"], Some(from)).await.unwrap();
    let over = open.settle("notes").await.unwrap();
    assert_eq!(over.phase, RebuildPhase::Done);
    assert!(over.events < 10, "it folded {} rows anew", over.events);
    eventually("what waits was tried once", || {
        open.status("notes").first_parked.is_some_and(|(_, at)| at.attempts > 1)
    })
    .await;
    assert_eq!((open.trails().await, open.parked("notes").await), (rows.clone(), parked.clone()));
    assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done);
    assert_eq!((open.trails().await, open.parked("notes").await), (rows, parked));

    hall.mend();
    hall.events.is_true_again();
    open.manager.rebuild_together(&["notes"], Some(from)).await.unwrap();
    assert_eq!(open.settle("notes").await.unwrap().phase, RebuildPhase::Done);
    eventually("nothing waits any more", || open.status("notes").parked.events == 0).await;
    let mut whole = hall.reference().await;
    whole.get_mut(&hall.key(3)).unwrap().retain(|at| *at != skipped.value());
    assert_eq!(open.trails().await, whole);
    open.stop().await;
}

#[tokio::test]
async fn a_rebuild_from_a_position_is_refused_where_it_makes_no_sense() {
    let hall = Hall::with_stride(10);
    fill(&hall, 2, 2).await;
    let open = hall.open().await;
    let from = async |name, at| open.manager.rebuild_together(&[name], Some(Position::new(at))).await.map(drop);
    assert!(matches!(from("notes", 41).await, Err(ManagerError::BeyondHead { .. })));
    let nowhere = from("notes", 15).await;
    assert!(matches!(&nowhere, Err(ManagerError::NotFromPosition { why, .. }) if why.contains("15")), "{nowhere:?}");
    assert!(matches!(from("ledger", 10).await, Err(ManagerError::NotFromPosition { .. })));
    assert_eq!(open.status("notes").rebuild.map(|rebuild| rebuild.generation), Some(1), "nothing was begun");
    open.stop().await;
}

#[tokio::test]
async fn an_estimate_is_near_and_changes_nothing() {
    let hall = Hall::new();
    fill(&hall, 40, 10).await;
    let open = hall.open().await;
    let writes = hall.rows.written("");
    let before = (open.status("notes"), open.status("ledger"), hall.tables().await);
    for name in ["notes", "ledger"] {
        let RebuildEstimate { positions, events, bytes, .. } = open.manager.estimate(name, None).await.unwrap();
        assert_eq!((positions, events), (400, 400));
        assert!((2_000..1_000_000).contains(&bytes), "{name}: {bytes} bytes");
    }
    let part = open.manager.estimate("notes", Some(Position::new(391))).await.unwrap();
    assert_eq!((part.positions, part.events), (10, 10));
    assert_eq!((open.status("notes"), open.status("ledger"), hall.tables().await), before);
    assert_eq!(hall.rows.written(""), writes);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_gives_way_to_live_traffic_and_to_nobody_else() {
    let mut hall = Hall::new();
    hall.options.rebuild_share = 5;
    fill(&hall, 50, 200).await;
    let open = hall.open().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let quiet = open.rebuilt("notes").await;
    assert_eq!((quiet.phase, quiet.held_back), (RebuildPhase::Done, Duration::ZERO));
    open.manager.rebuild("notes").await.unwrap();
    let mut n = 1_000;
    while open.status("notes").rebuild.is_some_and(|rebuild| !rebuild.is_over()) {
        hall.place(n).await;
        n += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let live = open.status("notes").rebuild.unwrap();
    assert_eq!(live.phase, RebuildPhase::Done);
    assert!(live.held_back > Duration::ZERO, "it held nothing back");
    open.catch_up(&hall).await;
    assert_eq!(open.trails().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn the_indexes_of_a_large_model_that_serves_are_there_before_its_rows() {
    // Positions that are far apart make a small log a long one.
    let hall = Hall::with_stride(100_000);
    fill(&hall, 5, 6).await;
    let open = hall.open().await;
    let indexes = || hall.rows.written("CREATE INDEX IF NOT EXISTS notes_g2_i0");
    hall.rows
        .after("CREATE INDEX IF NOT EXISTS notes_g2_i0", "CREATE TABLE early AS SELECT count(*) AS n FROM notes_g2");
    assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done);
    assert_eq!(indexes(), 2, "made early, and looked for again at the end");
    assert_eq!(number(&hall, "SELECT n FROM early").await, 0);
    assert_eq!(open.trails().await, hall.reference().await);
    open.stop().await;
}

#[tokio::test]
async fn a_row_that_only_alone_shows_that_it_cannot_be_written_is_found_in_a_rebuild_that_was_killed() {
    let hall = Hall::patient();
    fill(&hall, 20, 3).await;
    let bad = hall.ship(4, "refuse").await;
    hall.ship(4, "fine").await;
    let open = hall.open().await;
    open.stop().await;
    // As if the process had died in the middle of going over it one by one.
    let spoil = "UPDATE projection_generations SET state = 'building' WHERE name = 'notes'";
    hall.sql(spoil).await;
    let open = hall.open().await;
    assert_eq!(open.settle("notes").await.unwrap().phase, RebuildPhase::Done);
    assert_eq!(open.trails().await, hall.reference_before(&[(4, bad)]).await);
    let states: Vec<ParkedState> = open.parked("notes").await.into_iter().map(|(_, _, state)| state).collect();
    assert_eq!(states, [ParkedState::Failed, ParkedState::Queued]);
    open.stop().await;
}
