//! What is read once, what is read again, and what is given up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use uuid::Uuid;

use super::*;
use crate::event_store::{ExpectedRevision, MemoryEventStore, NewEvent, lens::Lens};

/// A window before a store that counts how often the log is read, and fails on demand.
struct World {
    reads: Arc<AtomicUsize>,
    is_away: Arc<AtomicBool>,
    window: Window,
    next: u128,
}

impl World {
    fn new() -> Self {
        let (reads, is_away) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counted, away) = (Arc::clone(&reads), Arc::clone(&is_away));
        let show = move |page| {
            counted.fetch_add(1, Ordering::Relaxed);
            let is_there = !away.load(Ordering::Relaxed);
            is_there.then_some(page).ok_or_else(|| StoreError::Unavailable("it is away".to_owned()))
        };
        let window = Window::new(Arc::new(Lens { events: Arc::new(MemoryEventStore::new()), show }));
        Self { reads, is_away, window, next: 0 }
    }

    /// So many orders that are placed and shipped, with so much data each.
    async fn happen(&mut self, orders: usize, bytes: usize) {
        for _ in 0..orders {
            self.next += 1;
            let event = |number: u128, type_name: &str| NewEvent {
                id: Uuid::from_u128(self.next * 2 + number),
                type_name: type_name.into(),
                at: domain::testing::now(),
                metadata: "{}".to_owned(),
                data: "x".repeat(bytes),
            };
            let events = [event(0, "order.placed.v1"), event(1, "order.shipped.v1")].into();
            let stream = StreamId::new("order", Uuid::from_u128(self.next));
            self.window.append(Append { stream, expected: ExpectedRevision::NoStream, events }).await.unwrap();
        }
    }

    async fn read(&self, after: u64, prefix: &str, limit: usize) -> (Vec<u64>, u64, bool) {
        let page = self.window.read_all(Position::new(after), &TypeFilter::prefixes(&[prefix]), limit).await.unwrap();
        let positions = page.events.iter().map(|event| event.position.value()).collect();
        (positions, page.scanned_to.value(), page.is_end)
    }

    fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

#[tokio::test]
async fn what_one_has_read_others_get_each_what_they_want_of_it() {
    let mut world = World::new();
    world.happen(3, 1).await;
    assert_eq!(world.read(0, "order.placed", 10).await, (vec![1, 3, 5], 6, true));
    assert_eq!(world.read(0, "order.shipped", 10).await, (vec![2, 4, 6], 6, true));
    assert_eq!(world.read(0, "product.", 10).await, (vec![], 6, true));
    assert_eq!(world.read(3, "order.", 2).await, (vec![4, 5], 5, false));
    assert_eq!(world.read(0, "order.placed", 3).await, (vec![1, 3, 5], 6, true), "nothing more passes");
    assert_eq!(world.reads(), 1);
    // There is more by now, which is read once again.
    world.happen(1, 1).await;
    assert_eq!(world.read(3, "order.placed", 10).await, (vec![5], 6, false));
    assert_eq!(world.read(6, "order.shipped", 10).await, (vec![8], 8, true));
    assert_eq!(world.read(6, "order.placed", 10).await, (vec![7], 8, true));
    assert_eq!(world.read(3, "order.placed", 10).await, (vec![5, 7], 8, true));
    assert_eq!(world.reads(), 1);
}

#[tokio::test]
async fn many_who_ask_at_the_same_time_read_once() {
    let mut world = World::new();
    world.happen(5, 1).await;
    let pages = join_all((0..9).map(|_| world.read(0, "order.", 100))).await;
    assert!(pages.iter().all(|page| *page == ((1..=10).collect(), 10, true)), "{pages:?}");
    assert_eq!(world.reads(), 1);
}

#[tokio::test]
async fn who_is_behind_reads_alone_until_they_get_to_what_is_kept() {
    let mut world = World::new();
    world.happen(5, 1).await;
    assert_eq!(world.read(6, "order.", 100).await, (vec![7, 8, 9, 10], 10, true));
    assert_eq!(world.reads(), 1);
    assert_eq!(world.read(0, "order.", 4).await, (vec![1, 2, 3, 4], 4, false));
    assert_eq!(world.read(4, "order.", 2).await, (vec![5, 6], 6, false));
    assert_eq!(world.reads(), 2);
    assert_eq!(world.read(6, "order.", 100).await, (vec![7, 8, 9, 10], 10, true));
    assert_eq!(world.reads(), 0);
}

#[tokio::test]
async fn who_is_ahead_is_where_all_follow_and_nothing_is_left_out() {
    let mut world = World::new();
    world.happen(1, 1).await;
    assert_eq!(world.read(0, "order.", 9).await, (vec![1, 2], 2, true));
    world.happen(4, 1).await;
    assert_eq!(world.read(8, "order.", 2).await, (vec![9, 10], 10, true));
    assert_eq!(world.read(2, "order.", 100).await, ((3..=10).collect(), 10, true));
    // Beyond the end there is nothing, and what is kept stays.
    assert_eq!(world.read(99, "order.", 2).await.0, Vec::<u64>::new());
    world.reads();
    assert_eq!(world.read(8, "order.", 2).await, (vec![9, 10], 10, true));
    assert_eq!(world.reads(), 0);
}

#[tokio::test]
async fn what_is_forgotten_is_read_again() {
    let mut world = World::new();
    world.happen(2, 1).await;
    world.read(0, "order.", 9).await;
    world.window.forget();
    world.reads();
    assert_eq!(world.read(0, "order.", 9).await, (vec![1, 2, 3, 4], 4, true));
    assert_eq!(world.reads(), 1);
    // The others go on where they are.
    world.happen(1, 1).await;
    assert_eq!(world.read(4, "order.", 9).await, (vec![5, 6], 6, true));
    assert_eq!(world.read(4, "order.", 9).await, (vec![5, 6], 6, true));
    assert_eq!(world.reads(), 1);
}

#[tokio::test]
async fn who_wants_few_of_many_reads_many_for_the_others() {
    let mut world = World::new();
    world.happen(PAGE_EVENTS_MIN, 1).await;
    assert_eq!(world.read(0, "order.", 2).await, (vec![1, 2], 2, false));
    assert_eq!(world.read(0, "product.", 2).await, (vec![], 512, false), "nothing passes, and it gets on");
    assert_eq!(world.read(510, "order.", 9).await, (vec![511, 512], 512, false));
    assert_eq!(world.reads(), 1);
    assert_eq!(world.read(512, "product.", 2).await, (vec![], 1_024, true));
}

#[tokio::test]
async fn the_oldest_is_given_up_by_number_and_by_size() {
    for (bytes, kept) in [(1, EVENTS_KEPT_MAX), (BYTES_KEPT_MAX / 100, 100)] {
        let mut world = World::new();
        world.happen(kept, bytes).await;
        let mut after = 0;
        while after < 2 * kept as u64 {
            after = world.read(after, "order.", 64).await.1;
        }
        // What was read last stays whole until there is more.
        world.happen(1, bytes).await;
        world.read(after, "order.", 64).await;
        {
            let now = world.window.kept();
            let (number, size) = (now.events.len(), now.bytes);
            assert!(number <= EVENTS_KEPT_MAX + PAGE_EVENTS_MIN && number >= kept / 2, "{number} events are kept");
            assert!(size <= BYTES_KEPT_MAX + PAGE_EVENTS_MIN * (bytes + 1_000), "{size} bytes are kept");
            assert_eq!(size, now.events.iter().map(super::size).sum::<usize>());
        }
        world.reads();
        assert_eq!(world.read(0, "order.", 3).await, (vec![1, 2, 3], 3, false));
        assert_eq!(world.reads(), 1, "what was given up is read again");
    }
}

#[tokio::test]
async fn a_failure_is_of_who_asked_and_of_nobody_who_asks_later() {
    let mut world = World::new();
    world.happen(2, 1).await;
    world.is_away.store(true, Ordering::Relaxed);
    let filter = TypeFilter::All;
    let outcomes = join_all((0..3).map(|_| world.window.read_all(Position::START, &filter, 9))).await;
    assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
    assert_eq!(world.reads(), 3, "each has tried");
    world.is_away.store(false, Ordering::Relaxed);
    assert_eq!(world.read(0, "order.", 9).await, (vec![1, 2, 3, 4], 4, true));
}

#[tokio::test]
async fn who_leaves_while_they_read_leaves_nothing_half_done() {
    let mut world = World::new();
    world.happen(2, 1).await;
    let filter = TypeFilter::All;
    {
        let mut reading = std::pin::pin!(world.window.read_all(Position::START, &filter, 9));
        assert!(futures_util::poll!(&mut reading).is_pending());
    }
    assert_eq!(world.read(0, "order.", 9).await, (vec![1, 2, 3, 4], 4, true));
}
