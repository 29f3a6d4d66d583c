//! Operators' actions as clients read them, against a list in memory; and how mutations write them down.

mod documents;

use std::sync::Arc;

use domain::{
    operator::OperatorAction,
    testing::{now, projection},
};
use infrastructure::{
    clock::{CountingIds, ManualClock},
    event_store::{Direction, EventStore, MemoryEventStore, Revision},
    execute::{Executor, ExecutorOptions},
    lifecycle::Lifecycle,
};

use super::{
    log::{SCAN_ACTIONS_MAX, Wanted, at, scan},
    query::{List, cursor},
};
use crate::{
    graphql::{
        connection::{Cursor, Window},
        testing::{Away, code},
    },
    operator::{command, tests::record_as},
};

/// Which projection each action of the log is on, oldest first.
const LOG: [&str; 9] = ["a", "b", "a", "a", "b", "b", "b", "a", "b"];

/// A log with an action on each of these projections, and no projection that follows it.
async fn log(projections: &[&str]) -> Arc<MemoryEventStore> {
    let events = Arc::new(MemoryEventStore::new());
    let clock = Arc::new(ManualClock::at(now()));
    let store: Arc<dyn EventStore> = Arc::clone(&events) as Arc<dyn EventStore>;
    let executor = Executor::new(store, clock, Lifecycle::new(), ExecutorOptions::default());
    let ids = CountingIds::new(1);
    for name in projections {
        let command = command("olga", name, OperatorAction::Rollback, None).expect("well formed");
        record_as(&executor, &ids, command).await.expect("recorded");
    }
    events
}

/// Revisions in list order; whether there is a next and a previous page; first and last cursor.
type Shown = (Vec<u64>, bool, bool, Option<Cursor>, Option<Cursor>);

async fn shown(list: &List, events: &MemoryEventStore) -> Shown {
    let page = list.page(events).await.expect("readable");
    let revisions: Vec<_> = page.edges.iter().map(|(_, action)| action.revision.value()).collect();
    for (place, action) in &page.edges {
        assert_eq!(place, &cursor(action.revision));
    }
    let info = page.info;
    (revisions, info.has_next_page, info.has_previous_page, info.start_cursor, info.end_cursor)
}

/// The same after the text of the Relay specification, over the whole list.
fn expected(list: &List) -> Shown {
    let passes = |revision: &u64| {
        let name = LOG[usize::try_from(*revision).expect("small")];
        list.projection.as_ref().is_none_or(|wanted| wanted.as_str() == name)
    };
    let all: Vec<u64> = (0..LOG.len() as u64).rev().filter(passes).collect();
    let (after, before) = (list.after.map(Revision::value), list.before.map(Revision::value));
    let is_behind = |revision: &u64| after.is_none_or(|after| *revision < after);
    let is_before = |revision: &u64| before.is_none_or(|before| *revision > before);
    let edges: Vec<u64> = all.iter().copied().filter(|edge| is_behind(edge) && is_before(edge)).collect();
    let (size, has_more) = (list.window.size.min(edges.len()), edges.len() > list.window.size);
    let (edges, next, previous) = if list.window.from_end {
        (edges[edges.len() - size..].to_vec(), all.iter().any(|edge| !is_before(edge)), has_more)
    } else {
        (edges[..size].to_vec(), has_more, all.iter().any(|edge| !is_behind(edge)))
    };
    let at = |revision: Option<&u64>| revision.map(|revision| cursor(Revision::new(*revision)));
    let ends = (at(edges.first()), at(edges.last()));
    (edges, next, previous, ends.0, ends.1)
}

#[tokio::test]
async fn every_page_is_the_one_the_specification_describes() {
    let events = log(&LOG).await;
    let places = || (0..LOG.len() as u64).map(|place| Some(Revision::new(place))).chain([None]);
    for name in [None, Some("a"), Some("b"), Some("c")] {
        for (after, before) in places().flat_map(|after| places().map(move |before| (after, before))) {
            for (size, from_end) in [1, 2, 4, 9, 100].into_iter().flat_map(|size| [(size, false), (size, true)]) {
                let window = Window { size, from_end };
                let projection = name.map(projection);
                let list = List { window, after, before, projection, scan_max: SCAN_ACTIONS_MAX };
                assert_eq!(shown(&list, &events).await, expected(&list), "{list:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_log_is_an_empty_list() {
    for from_end in [false, true] {
        let window = Window { size: 10, from_end };
        let list = List { window, after: None, before: None, projection: None, scan_max: SCAN_ACTIONS_MAX };
        assert_eq!(shown(&list, &MemoryEventStore::new()).await, (vec![], false, false, None, None));
    }
}

#[tokio::test]
async fn an_event_store_that_is_away_is_worth_another_try() {
    let wanted = Wanted {
        projection: None,
        oldest: Revision::FIRST,
        newest: Revision::MAX,
        direction: Direction::Backwards,
        limit: 1,
        scan_max: 1,
    };
    let page = scan(&Away, wanted).await.expect_err("it is away");
    let one = at(&Away, Revision::FIRST).await.expect_err("it is away");
    for error in [page, one] {
        assert_eq!(code(&error).as_deref(), Some("STORE_UNAVAILABLE"), "{error:?}");
    }
}

#[tokio::test]
async fn a_long_look_ends_early_and_goes_on_from_there_until_it_has_seen_all() {
    let events = log(&LOG).await;
    for (scan_max, size) in (1..=10).flat_map(|scan_max| (1..=4).map(move |size| (scan_max, size))) {
        for from_end in [false, true] {
            let (mut place, mut seen, mut pages) = (None, Vec::new(), 0);
            loop {
                let (after, before) = if from_end { (None, place) } else { (place, None) };
                let window = Window { size, from_end };
                let list = List { window, after, before, projection: Some(projection("a")), scan_max };
                let (revisions, next, previous, start, end) = shown(&list, &events).await;
                pages += 1;
                let (has_more, cursor) = if from_end { (previous, start) } else { (next, end) };
                seen.extend(if from_end { revisions.into_iter().rev().collect() } else { revisions });
                if !has_more {
                    break;
                }
                let cursor = cursor.expect("where there is more, a cursor leads to it");
                place = Some(Revision::new(cursor.key("operatorActions").unwrap().parse().unwrap()));
            }
            let all = if from_end { [0, 2, 3, 7] } else { [7, 3, 2, 0] };
            assert_eq!(seen, all, "{scan_max} at once, pages of {size}, from the end: {from_end}");
            assert!(pages <= LOG.len(), "a page gets nowhere");
        }
    }
}

#[tokio::test]
async fn a_look_longer_than_a_page_of_the_store_finds_what_lies_at_its_end() {
    let names: Vec<_> = std::iter::once("a").chain(std::iter::repeat_n("b", 1_200)).collect();
    let events = log(&names).await;
    let window = Window { size: 1, from_end: false };
    let list = |scan_max| List { window, after: None, before: None, projection: Some(projection("a")), scan_max };
    let found = Some(cursor(Revision::FIRST));
    assert_eq!(shown(&list(SCAN_ACTIONS_MAX), &events).await, (vec![0], false, false, found.clone(), found));
    let stopped = Some(cursor(Revision::new(1)));
    assert_eq!(shown(&list(1_200), &events).await, (vec![], true, false, None, stopped));
}
