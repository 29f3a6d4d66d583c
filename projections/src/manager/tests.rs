//! Workers, rebuilds and restarts, over a read store in a file.

mod control;
mod kit;
mod operations;
mod parking;
mod poison;
mod rebuilds;
mod releasing;
mod restart;
mod rollback;
mod shared;
mod sides;
mod stopping;

use std::time::Duration;

use domain::{
    Event,
    testing::{eur, product_of, product_price_changed, product_registered},
};
use infrastructure::{
    clock::SystemClock,
    event_store::{MemoryEventStore, StreamId, TypeFilter},
    read_store::{Cost, Query, ReadStoreError, Statement, Value},
};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    Decoded, Hub, HubMessage, KeyedFold, OnFailure, ProjectionState, QueryError, ReadModels, RebuildPhase, Sources,
    order_summary::{OrderFilter, OrderPage, OrderRow, OrderSort, OrderSortKey, OrderSummary},
    product_sales::Sales,
    shape::KeyedShape,
    tests::{
        FaultRows, LONG, append, append_raw, buyer, cancelled, delivered, eventually, open_rows, order, placed, shipped,
    },
};

/// An event store, a read store in a file, and now and then a server over both.
struct World {
    events: Arc<MemoryEventStore>,
    rows: Arc<FaultRows>,
    folder: TempDir,
}

/// A server's projections.
struct Running {
    models: ReadModels,
    manager: ProjectionManager,
    lifecycle: Lifecycle,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = FaultRows::new(open_rows(&folder.path().join("read.db")));
        Self { events: Arc::default(), rows: Arc::new(rows), folder }
    }

    async fn try_start(&self, batch_events_max: usize) -> Result<Running, ManagerError> {
        let lifecycle = Lifecycle::new();
        let (models, manager) = ReadModels::start(
            Arc::clone(&self.events) as Arc<dyn EventStore>,
            Arc::clone(&self.rows) as Arc<dyn ReadStore>,
            Arc::new(SystemClock),
            lifecycle.clone(),
            ProjectionOptions { batch_events_max, ..ProjectionOptions::default() },
        )
        .await?;
        Ok(Running { models, manager, lifecycle })
    }

    /// A server that serves everything there is so far.
    async fn start(&self) -> Running {
        let running = self.try_start(512).await.unwrap();
        running.catch_up(self.events.head().await.unwrap()).await;
        running
    }

    async fn append(&self, event: impl Into<Event>) -> Position {
        append(&*self.events, event).await
    }

    async fn append_broken(&self, n: u128, type_name: &str) -> Position {
        append_raw(&*self.events, StreamId::new("order", order(n).uuid()), type_name, "{}").await
    }

    async fn sql(&self, sql: &str) {
        self.rows.transaction(vec![Statement::once(sql, vec![])]).await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        let query = Query { sql: sql.into(), params: vec![], cost: Cost::Scan };
        self.rows.query(query).await.unwrap()[0].int(0).unwrap()
    }

    /// The order rows as a fold of the whole log in memory gives them.
    async fn reference(&self) -> Vec<OrderRow> {
        let mut rows = std::collections::HashMap::new();
        for event in self.events.read_all(Position::START, &TypeFilter::All, 10_000).await.unwrap().events {
            let event = Decoded::decode(&event).unwrap();
            if let Some(key) = OrderSummary::key(&event) {
                let row = OrderSummary::fold(rows.remove(&key), &event);
                rows.extend(row.map(|row| (key, row)));
            }
        }
        let mut rows: Vec<OrderRow> = rows.into_values().collect();
        rows.sort_by_key(|row| row.placed.order);
        rows
    }
}

impl Running {
    async fn catch_up(&self, to: Position) {
        self.models.notifications.wait(to, LONG).await.unwrap();
        self.models.order_stats.wait(to, LONG).await.unwrap();
        self.models.order_summary.wait(to, LONG).await.unwrap();
        self.models.post_board.wait(to, LONG).await.unwrap();
        self.models.product_catalog.wait(to, LONG).await.unwrap();
        self.models.product_sales.wait(to, LONG).await.unwrap();
        self.models.profile_directory.wait(to, LONG).await.unwrap();
        self.models.social_graph.wait(to, LONG).await.unwrap();
        self.models.stock_level.wait(to, LONG).await.unwrap();
    }

    async fn stop(self) {
        assert!(self.lifecycle.stop(LONG).await, "the workers did not stop");
    }

    fn status(&self, name: &str) -> ProjectionStatus {
        self.manager.statuses().into_iter().find(|status| status.name == name).unwrap()
    }

    fn state(&self, name: &str) -> ProjectionState {
        self.status(name).state
    }

    /// Every order, by id.
    async fn orders(&self) -> Vec<OrderRow> {
        let page = OrderPage {
            filter: OrderFilter::default(),
            sort: OrderSort { key: OrderSortKey::PlacedAt, is_descending: false },
            after: None,
            before: None,
            from_end: false,
            limit: 100_000,
        };
        let mut rows = self.models.order_summary.page(&page).await.unwrap().rows;
        rows.sort_by_key(|row| row.placed.order);
        rows
    }

    async fn sales(&self, sku: &str) -> (u64, u64) {
        let Sales { units, orders } = self.models.product_sales.of(product_of(sku)).await.unwrap();
        (units, orders)
    }

    /// Waits until no rebuild is going on: the first build serves a moment before it is over.
    async fn settle(&self, name: &str) {
        let mut last = self.manager.watch_rebuild(name).unwrap();
        last.wait_for(|last| last.as_ref().is_none_or(RebuildProgress::is_over)).await.unwrap();
    }

    async fn rebuilt(&self, name: &str) -> RebuildProgress {
        self.settle(name).await;
        let mut progress = self.manager.rebuild(name).await.unwrap();
        let over = progress.wait_for(|progress| progress.as_ref().is_some_and(RebuildProgress::is_over)).await.unwrap();
        over.clone().expect("it is over")
    }
}

const NAMES: [&str; 9] = [
    "notifications",
    "order_stats",
    "order_summary",
    "post_board",
    "product_catalog",
    "product_sales",
    "profile_directory",
    "social_graph",
    "stock_level",
];

#[tokio::test]
async fn live_projections_follow_the_log() {
    let world = World::new();
    world.append(product_registered("TEA", eur(100))).await;
    world.append(placed(1, 1, &[("TEA", 2)])).await;
    let running = world.start().await;
    assert_eq!(running.sales("TEA").await, (2, 1), "what was there before");
    world.append(product_price_changed("TEA", eur(200))).await;
    for n in 2..=50 {
        world.append(placed(n, 1, &[("TEA", 1)])).await;
    }
    world.append(shipped(2)).await;
    world.append(delivered(2)).await;
    let head = world.append(cancelled(3)).await;
    running.catch_up(head).await;
    assert_eq!(running.orders().await, world.reference().await);
    assert_eq!(running.sales("TEA").await, (50, 49));
    let product = running.models.product_catalog.row(product_of("TEA").uuid()).await.unwrap().unwrap();
    assert_eq!(product.price, eur(200));
    for name in NAMES {
        let status = running.status(name);
        assert_eq!((status.state, status.generation, status.position), (ProjectionState::Running, Some(1), head));
        assert_eq!(running.manager.lag(&running.status(name)).await.unwrap().0, 0);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_long_log_is_built_before_it_is_served() {
    let world = World::new();
    // More than a rebuild of set changes holds back before it writes.
    for n in 0..5_000 {
        world.append(placed(n, n % 7, &[("TEA", 1)])).await;
    }
    let running = world.start().await;
    assert_eq!(running.orders().await, world.reference().await);
    assert_eq!(running.sales("TEA").await, (5_000, 5_000));
    running.stop().await;
}

#[tokio::test]
async fn a_rebuild_goes_on_with_the_rows_it_has_written() {
    let world = World::new();
    let shape = KeyedShape::<OrderSummary>::new();
    world.rows.transaction(shape.create(1)).await.unwrap();
    let mut builder = shape.builder(1, Some(crate::bookkeeping::Tally::default()), LONG);
    let parts = [vec![placed(1, 1, &[("TEA", 1)]), placed(2, 1, &[("TEA", 1)])], vec![shipped(1)], vec![delivered(1)]];
    let mut after = Position::START;
    for part in parts {
        for event in part {
            world.append(event).await;
        }
        let page = world.events.read_all(after, &TypeFilter::All, 100).await.unwrap();
        let events: Vec<Decoded> = page.events.iter().map(|event| Decoded::decode(event).unwrap()).collect();
        after = page.scanned_to;
        assert_eq!(builder.apply(&*world.rows, events).await.unwrap(), []);
        world.rows.transaction(builder.flush().unwrap()).await.unwrap();
        assert_eq!(builder.flush().unwrap().len(), 0, "what is written is forgotten");
    }
    let delivered = "SELECT count(*) FROM order_summary_g1 WHERE status = 'delivered' AND revision = 2";
    assert_eq!(world.number(delivered).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM order_summary_g1").await, 2);
}

#[tokio::test]
async fn a_subscriber_hears_every_change_with_the_row_right_after_it() {
    let world = World::new();
    let running = world.start().await;
    let mut hers = running.models.order_summary.hub().subscribe_to(buyer(1).uuid());
    let events = [placed(1, 1, &[("TEA", 2)]), placed(2, 2, &[("TEA", 2)]), shipped(1), delivered(1)];
    for event in events {
        world.append(event).await;
    }
    for (position, revision) in [(1, 0), (3, 1), (4, 2)] {
        let HubMessage::Change(change) = hers.next().await.unwrap() else { panic!("there is no gap") };
        assert_eq!(
            (change.position.value(), change.revision.value(), change.key),
            (position, revision, order(1).uuid())
        );
        assert_eq!(change.row.as_ref().map(|row| row.revision.value()), Some(revision));
    }
    running.stop().await;
    assert!(hers.next().await.is_err(), "a stop ends subscriptions");
}

/// A model with a defect.
#[derive(Debug)]
enum Fragile {}

impl KeyedFold for Fragile {
    const NAME: &'static str = "fragile";
    const VERSION: u32 = 1;
    const EVENTS: &'static [&'static str] = &["order."];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[("id", "UUID NOT NULL")];
    const INDEXES: &'static [&'static str] = &[];
    type Row = Uuid;

    fn key(event: &Decoded) -> Option<Uuid> {
        assert!(event.stream.id != order(13).uuid(), "the key is defective, on purpose");
        Some(event.stream.id)
    }
    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new("order", key)])
    }
    fn starts(_event: &Decoded) -> bool {
        false
    }
    fn fold(_row: Option<Uuid>, event: &Decoded) -> Option<Uuid> {
        assert!(event.stream.id != order(14).uuid(), "the fold is defective, on purpose");
        Some(event.stream.id)
    }
    fn write(row: &Uuid) -> Vec<Value> {
        assert!(*row != order(15).uuid(), "the writing is defective, on purpose");
        vec![Value::Uuid(*row)]
    }
    fn read(row: &infrastructure::read_store::Row) -> Result<Uuid, ReadStoreError> {
        row.uuid(0)
    }
}

#[tokio::test]
async fn a_model_that_panics_stops_and_says_so() {
    for n in [13, 14, 15] {
        let world = World::new();
        let monitor = Arc::new(Monitor::new("fragile", 1));
        let shape = Arc::new(KeyedShape::<Fragile>::new());
        let served = crate::Served::new(&shape, Arc::clone(&world.rows) as Arc<dyn ReadStore>, Arc::clone(&monitor));
        let surroundings = Surroundings::new(
            Arc::clone(&world.events) as Arc<dyn EventStore>,
            Arc::clone(&world.rows) as Arc<dyn ReadStore>,
            Arc::new(SystemClock),
            Lifecycle::new(),
            ProjectionOptions::default(),
        );
        let lifecycle = surroundings.lifecycle.clone();
        let declared = vec![Declared::keyed(shape, Arc::clone(&monitor), OnFailure::stop())];
        let manager = ProjectionManager::start(declared, surroundings).await.unwrap();
        served.wait(Position::START, LONG).await.unwrap();
        world.append(placed(1, 1, &[("TEA", 1)])).await;
        let bad = world.append(placed(n, 1, &[("TEA", 1)])).await;
        let error = served.wait(bad, LONG).await.unwrap_err();
        let QueryError::Stopped { stopped, .. } = error else { panic!("{error:?}") };
        assert!(stopped.position == bad && stopped.error.contains("panicked"), "{stopped:?}");
        assert_eq!(served.rows(&[order(1).uuid(), order(n).uuid()]).await.unwrap(), [order(1).uuid()]);
        drop(manager);
        assert!(lifecycle.stop(LONG).await);
    }
}

#[tokio::test]
async fn a_read_store_that_fails_for_a_while_is_waited_for() {
    let world = World::new();
    let running = world.start().await;
    world.append(placed(1, 1, &[("TEA", 1)])).await;
    running.catch_up(Position::new(1)).await;
    let busy = ReadStoreError::Unavailable("it is busy".to_owned());
    world.rows.fail_transactions(&[busy.clone(), ReadStoreError::Full, busy.clone(), busy.clone()]);
    world.append(placed(2, 1, &[("TEA", 1)])).await;
    let is_retrying = || NAMES.iter().any(|name| matches!(running.state(name), ProjectionState::Retrying { .. }));
    eventually("somebody says that it tries again", is_retrying).await;
    world.rows.fail_queries(&[busy.clone(), busy]);
    let head = world.append(shipped(1)).await;
    running.catch_up(head).await;
    assert_eq!(world.rows.fired(), 6);
    assert_eq!(running.orders().await, world.reference().await);
    assert_eq!(running.sales("TEA").await, (2, 2));
    eventually("everybody runs", || NAMES.iter().all(|name| running.state(name) == ProjectionState::Running)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_worker_that_lost_its_place_cannot_write_and_says_so() {
    let world = World::new();
    let running = world.start().await;
    let before = world.append(placed(1, 1, &[("TEA", 1)])).await;
    running.catch_up(before).await;
    world.sql("UPDATE projection_slices SET epoch = epoch + 1 WHERE name = 'product_sales'").await;
    let head = world.append(placed(2, 1, &[("TEA", 1)])).await;
    let error = running.models.product_sales.wait(head, LONG).await.unwrap_err();
    let QueryError::Stopped { stopped, .. } = error else { panic!("{error:?}") };
    assert!(stopped.error.contains("another process has taken the projection over"), "{stopped:?}");
    running.models.order_summary.wait(head, LONG).await.unwrap();
    assert_eq!(running.sales("TEA").await, (1, 1), "nothing was written");
    let position = "SELECT min(position) FROM projection_slices WHERE name = 'product_sales'";
    assert_eq!(world.number(position).await, 1);
    running.stop().await;
}

#[tokio::test]
async fn an_unknown_projection_is_not_rebuilt_and_the_known_ones_are_named() {
    let world = World::new();
    let running = world.start().await;
    let error = running.manager.rebuild("order_sumary").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no projection order_sumary; there are: notifications, order_stats, order_summary, post_board, product_catalog, product_sales, profile_directory, social_graph, stock_level"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_second_rebuild_at_the_same_time_is_refused_and_one_after_the_other_is_not() {
    let world = World::new();
    world.append(placed(1, 1, &[("TEA", 1)])).await;
    let running = world.start().await;
    for generation in 2..12 {
        running.settle("order_summary").await;
        let mut progress = running.manager.rebuild("order_summary").await.unwrap();
        let refused = running.manager.rebuild("order_summary").await;
        assert!(matches!(refused, Err(ManagerError::AlreadyRebuilding("order_summary"))), "{refused:?}");
        let over = progress.wait_for(|progress| progress.as_ref().is_some_and(RebuildProgress::is_over)).await.unwrap();
        let over = over.clone().expect("it is over");
        assert_eq!((over.phase, over.generation, over.events), (RebuildPhase::Done, generation, 1));
        assert_eq!(running.status("order_summary").generation, Some(generation));
    }
    let left = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name LIKE 'order_summary_g%'";
    assert_eq!(world.number(left).await, 2 * 3, "three tables each of the one that serves and the one before it");
    running.stop().await;
}

#[tokio::test]
async fn a_rebuild_that_fails_leaves_the_old_generation_serving_and_can_be_tried_again() {
    let world = World::new();
    world.append(placed(1, 1, &[("TEA", 1)])).await;
    let running = world.start().await;
    world.rows.fail_transactions(&[ReadStoreError::Full]);
    let RebuildPhase::Failed(error) = running.rebuilt("product_sales").await.phase else { panic!("it was to fail") };
    assert!(error.contains("device is full"), "{error}");
    assert_eq!(world.rows.fired(), 1);
    assert_eq!((running.sales("TEA").await, running.status("product_sales").generation), ((1, 1), Some(1)));
    assert_eq!(running.rebuilt("product_sales").await.phase, RebuildPhase::Done);
    assert_eq!((running.sales("TEA").await, running.status("product_sales").generation), ((1, 1), Some(2)));
    running.stop().await;
}

#[tokio::test]
async fn a_rebuild_beside_a_worker_that_lags_counts_nothing_twice() {
    const LAST: u64 = 400;
    let world = World::new();
    let running = world.try_start(1).await.unwrap();
    running.catch_up(Position::START).await;
    for n in 0..LAST {
        world.append(placed(n.into(), 1, &[("TEA", 1)])).await;
    }
    let rebuilt = running.rebuilt("product_sales").await;
    assert_eq!(rebuilt.phase, RebuildPhase::Done);
    assert!(rebuilt.done < LAST, "the worker did not lag");
    running.catch_up(Position::new(LAST)).await;
    assert_eq!(running.sales("TEA").await, (LAST, LAST));
    running.stop().await;
}

/// Positions in the order they were heard.
async fn listen<R>(hub: Hub<R>, last: Position) -> Vec<u64> {
    let mut subscription = hub.subscribe_all();
    let mut heard = Vec::new();
    while heard.last() != Some(&last.value()) {
        match subscription.next().await.unwrap() {
            HubMessage::Change(change) => heard.push(change.position.value()),
            HubMessage::Gap { from, to } => panic!("a gap from {from} to {to}"),
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_switches_without_anybody_noticing_while_the_log_grows() {
    const BEFORE: u64 = 300;
    const LAST: u64 = 1_500;
    let world = Arc::new(World::new());
    for n in 0..BEFORE {
        world.append(placed(n.into(), 1, &[("TEA", 1)])).await;
    }
    let running = Arc::new(world.start().await);
    let tasks = Lifecycle::new();
    let listener = tasks.spawn(listen(running.models.order_summary.hub().clone(), Position::new(LAST)));
    let writer = tasks.spawn({
        let world = Arc::clone(&world);
        async move {
            for n in BEFORE..LAST {
                world.append(placed(n.into(), 1, &[("TEA", 1)])).await;
                if n % 16 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
    });
    let reader = tasks.spawn({
        let running = Arc::clone(&running);
        async move {
            let (mut looks, mut sold, mut listed) = (0, BEFORE, BEFORE);
            while listed < LAST || sold < LAST {
                let position = running.models.order_summary.position().value();
                let count = running.orders().await.len() as u64;
                let (_, orders) = running.sales("TEA").await;
                assert!(count >= listed && count >= position && orders >= sold, "something was missing for a moment");
                (looks, sold, listed) = (looks + 1, orders, count);
            }
            looks
        }
    });
    let mut generations = 1;
    while !writer.is_finished() {
        for name in NAMES {
            assert_eq!(running.rebuilt(name).await.phase, RebuildPhase::Done);
        }
        generations += 1;
    }
    writer.await.unwrap();
    running.catch_up(Position::new(LAST)).await;
    assert!(generations > 1 && reader.await.unwrap() > 1, "nothing happened at the same time");
    let heard = listener.await.unwrap();
    assert_eq!(heard, (heard[0]..=LAST).collect::<Vec<_>>(), "every change once and in order");
    assert_eq!(running.orders().await, world.reference().await);
    assert_eq!(running.sales("TEA").await, (LAST, LAST), "nothing was counted twice");
    for name in NAMES {
        assert_eq!(running.status(name).generation, Some(generations));
    }
    let running = Arc::into_inner(running).expect("everybody else has left");
    running.stop().await;
}
