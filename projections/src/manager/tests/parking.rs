//! An event that cannot be applied keeps back its own key, and nothing else.

use infrastructure::event_store::EVENT_BYTES_MAX;

use super::{kit::*, *};
use crate::{ParkedFilter, ParkedPage, ParkedState, tests::block_on};

pub(super) const KINDS: [&str; 7] = ["unreadable", "oversized", "fold", "key", "write", "refuse", "slow"];

pub(super) async fn poison(hall: &Hall, n: u64, kind: &str) -> Position {
    match kind {
        "unreadable" => hall.ship_unreadable(n, "order.shipped.v2", r#"{"order":"#).await,
        "oversized" => {
            let (type_name, data) = hall.harmless(n);
            let data = format!("{}{data}", " ".repeat(EVENT_BYTES_MAX));
            hall.ship_unreadable(n, &type_name, &data).await
        }
        told => hall.ship(n, told).await,
    }
}

/// Two orders, then a failing event of the second one, with harmless events around and behind it.
pub(super) async fn spoil(hall: &Hall, kind: &str) -> Position {
    hall.ship(2, "fine").await;
    let bad = poison(hall, 2, kind).await;
    hall.ship(1, "fine").await;
    hall.ship(2, "behind").await;
    hall.ship(1, "fine").await;
    hall.ship(2, "behind").await;
    bad
}

/// The parked events of order 2 in a hall that was spoiled.
pub(super) fn waiting(hall: &Hall, bad: Position) -> Vec<(Uuid, u64, ParkedState)> {
    let at = bad.value();
    let states = [(at, ParkedState::Failed), (at + 2, ParkedState::Queued), (at + 4, ParkedState::Queued)];
    states.map(|(at, state)| (hall.key(2), at, state)).to_vec()
}

pub(super) async fn spoiled(kind: &str) -> (Hall, Open<1, 0>, Position) {
    let mut hall = Hall::patient();
    if kind == "slow" {
        hall.options.event_limit = LIMIT;
    }
    for n in 1..=3 {
        hall.place(n).await;
    }
    let open = hall.open().await;
    let bad = spoil(&hall, kind).await;
    open.catch_up(&hall).await;
    (hall, open, bad)
}

#[tokio::test]
async fn an_event_that_cannot_be_applied_parks_its_key_and_no_other() {
    for kind in KINDS {
        let (hall, open, bad) = spoiled(kind).await;
        let kept = hall.reference_before(&[(2, bad)]).await;
        assert_eq!((open.trails().await, open.lines().await), (kept.clone(), kept), "{kind}");
        for name in ["notes", "ledger"] {
            assert_eq!(open.parked(name).await, waiting(&hall, bad), "{kind}");
            let status = open.status(name);
            assert_eq!((status.parked.keys, status.parked.events), (1, 3), "{kind}");
            assert_eq!(status.state, ProjectionState::Running, "{kind}");
        }
        let behind = open.notes.behind(hall.key(2)).expect("its row is behind");
        assert_eq!((behind.position, behind.attempts, behind.next_retry), (bad, 1, None), "{kind}");
        assert!(!behind.error.is_empty(), "{kind} says nothing");
        assert_eq!(open.notes.behind(hall.key(1)), None, "{kind}");

        hall.events.is_true_again();
        hall.mend();
        let released = open.manager.retry("notes", hall.key(2)).await.unwrap();
        assert_eq!((released.applied, released.waits_at), (3, None), "{kind}");
        assert_eq!(open.manager.retry_all("ledger").await.unwrap(), 1);
        open.is_released().await;
        assert_eq!(open.trails().await, hall.reference().await, "{kind}");
        assert_eq!(open.lines().await, hall.reference().await, "{kind}");
        assert_eq!(open.notes.behind(hall.key(2)), None, "{kind}");
        open.stop().await;
    }
}

#[tokio::test]
async fn the_same_happens_when_everything_is_in_one_batch_or_in_one_rebuild() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "slow") {
        for is_rebuilt in [false, true] {
            let hall = Hall::patient();
            let live = if is_rebuilt { None } else { Some(hall.open().await) };
            if let Some(live) = &live {
                live.manager.pause("notes", pause(None)).await.unwrap();
                live.manager.pause("ledger", pause(None)).await.unwrap();
            }
            for n in 1..=3 {
                hall.place(n).await;
            }
            let bad = spoil(&hall, kind).await;
            let open = match live {
                Some(live) => {
                    live.manager.resume("notes").await.unwrap();
                    live.manager.resume("ledger").await.unwrap();
                    live
                }
                None => hall.open().await,
            };
            open.catch_up(&hall).await;
            let kept = hall.reference_before(&[(2, bad)]).await;
            assert_eq!(open.trails().await, kept, "{kind}, {is_rebuilt}");
            assert_eq!(open.lines().await, kept, "{kind}, {is_rebuilt}");
            for name in ["notes", "ledger"] {
                assert_eq!(open.parked(name).await, waiting(&hall, bad), "{kind}, {is_rebuilt}");
            }
            open.stop().await;
        }
    }
}

pub(super) fn pause(at: Option<Position>) -> Pause {
    Pause { by: "she".to_owned(), reason: Some("a test".to_owned()), since: domain::testing::now(), at }
}

#[tokio::test]
async fn a_defect_of_one_projection_is_nothing_to_another() {
    let (hall, open, bad) = spoiled("notes").await;
    assert_eq!(open.trails().await, hall.reference_before(&[(2, bad)]).await);
    assert_eq!(open.lines().await, hall.reference().await);
    assert_eq!(open.parked("ledger").await, []);
    open.stop().await;
}

#[tokio::test]
async fn a_row_that_its_model_cannot_read_back_keeps_its_own_key_alone() {
    let hall = Hall::patient();
    for n in 1..=2 {
        hall.place(n).await;
    }
    let before = hall.open().await;
    hall.ship(1, "read").await;
    before.catch_up(&hall).await;
    // It was written well; only who comes later has to read it.
    before.stop().await;
    let open = hall.open().await;
    let bad = hall.ship(1, "fine").await;
    hall.ship(2, "fine").await;
    hall.ship(1, "fine").await;
    open.catch_up(&hall).await;
    assert_eq!(open.notes.row(hall.key(2)).await.unwrap().map(|row| row.trail), Some("2 5".to_owned()));
    assert_eq!(open.status("notes").first_parked.map(|(key, behind)| (key, behind.position)), Some((hall.key(1), bad)));
    let found = open.manager.check("notes", &[hall.key(1)]).await.unwrap();
    assert!(found.differences[0].stored.as_ref().is_some_and(|stored| stored.contains("unreadable")), "{found:?}");
    hall.mend();
    assert_eq!(open.manager.retry_all("notes").await.unwrap(), 1);
    open.is_released().await;
    assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
    open.stop().await;
}

#[tokio::test]
async fn what_the_codec_does_not_know_parks_an_order_of_the_real_models() {
    let world = World::new();
    world.append(placed(1, 1, &[("TEA", 1)])).await;
    let running = world.start().await;
    let bad = world.append_broken(1, "order.placed.v99").await;
    world.append(placed(2, 1, &[("TEA", 2)])).await;
    let head = world.append(cancelled(1)).await;
    running.catch_up(head).await;
    let rows = running.orders().await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.placed.cancel_reason.is_none()), "an order got past an event it cannot read");
    assert_eq!(running.sales("TEA").await, (3, 2));
    let all =
        [("order_stats", 2), ("order_summary", 2), ("product_sales", 2), ("product_catalog", 0), ("stock_level", 0)];
    for (name, events) in all {
        assert_eq!(running.status(name).parked.events, events, "{name}");
    }
    let (key, behind) = running.status("order_summary").first_parked.expect("it says so");
    assert_eq!((key, behind.position), (order(1).uuid(), bad));
    assert!(behind.error.contains("order.placed.v99"), "{}", behind.error);
    running.stop().await;
}

pub(super) async fn entries(open: &Open<1, 0>) -> Vec<crate::ParkedEvent> {
    let filter = ParkedFilter { projection: Some("notes".to_owned()), ..ParkedFilter::default() };
    open.manager.parked(&ParkedPage { filter, limit: 100, ..ParkedPage::default() }).await.unwrap()
}

#[tokio::test]
async fn a_stop_and_a_start_change_nothing_of_what_is_parked() {
    let (hall, open, bad) = spoiled("unreadable").await;
    let before = entries(&open).await;
    open.stop().await;
    let open = hall.open().await;
    assert_eq!(entries(&open).await, before);
    assert_eq!(open.notes.behind(hall.key(2)).map(|behind| behind.position), Some(bad));
    hall.ship(2, "later").await;
    open.catch_up(&hall).await;
    assert_eq!(open.trails().await, hall.reference_before(&[(2, bad)]).await, "it still waits");
    assert_eq!(open.status("notes").parked.events, 4);
    open.stop().await;
}

/// A process that dies while it parks: the entry and the checkpoint come together or not at all.
#[test]
fn what_is_parked_survives_a_crash_at_any_moment() {
    let mut hall = Hall::patient();
    hall.options.batch_events_max = 3;
    block_on(async {
        for n in 0..5 {
            hall.place(n).await;
        }
    });
    let mut poisoned: Vec<(u64, Position)> = Vec::new();
    for round in 0..12_u64 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let rows = Arc::new(open_rows(&hall.folder.path().join("read.db")));
            let open = hall.try_open::<1, 0>(rows).await.unwrap();
            open.catch_up(&hall).await;
            for n in 0..5 {
                let is_poison = n == round % 6 && !poisoned.iter().any(|(known, _)| *known == n);
                let at = hall.ship(n, if is_poison { "fold" } else { "fine" }).await;
                if is_poison {
                    poisoned.push((n, at));
                }
                hall.ship(n, "fine").await;
            }
            // From at once to some time after everything is applied.
            tokio::time::sleep(Duration::from_micros(round * 900)).await;
        });
        runtime.shutdown_background();
    }
    assert_eq!(poisoned.len(), 5, "every order was poisoned at some time");
    block_on(async {
        let open = hall.open().await;
        let kept = hall.reference_before(&poisoned).await;
        assert_eq!((open.trails().await, open.lines().await), (kept.clone(), kept.clone()));
        let all = hall.reference().await;
        let missing = all.iter().map(|(key, trail)| trail.len() - kept[key].len()).sum::<usize>();
        assert_eq!(open.parked("notes").await.len(), missing, "what is not applied is parked");
        hall.mend();
        open.manager.retry_all("notes").await.unwrap();
        open.manager.retry_all("ledger").await.unwrap();
        open.is_released().await;
        assert_eq!((open.trails().await, open.lines().await), (all.clone(), all));
        open.stop().await;
    });
}

#[tokio::test]
async fn a_write_that_came_through_unnoticed_parks_all_the_same() {
    let hall = Hall::patient();
    hall.place(1).await;
    let open = hall.open().await;
    open.manager.pause("ledger", pause(None)).await.unwrap();
    hall.rows.lose_answers(&[ReadStoreError::Unavailable("the line is dead".to_owned())]);
    let bad = hall.ship(1, "fold").await;
    open.notes.wait(bad, LONG).await.unwrap();
    let last = hall.ship(1, "behind").await;
    open.notes.wait(last, LONG).await.unwrap();
    assert!(hall.rows.is_done(), "no answer was lost");
    assert_eq!(open.trails().await, hall.reference_before(&[(1, bad)]).await, "it did not overtake");
    let states: Vec<ParkedState> = open.parked("notes").await.into_iter().map(|(_, _, state)| state).collect();
    assert_eq!(states, [ParkedState::Failed, ParkedState::Queued]);
    assert_eq!(open.status("notes").parked.events, 2);
    open.stop().await;
}
