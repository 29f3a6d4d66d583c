//! Whatever is commanded: live read models, rebuilt ones and a model in memory say the same.
//!
//! Random commands, valid and invalid, some sent twice, go through the real executors into a real event store while
//! the workers follow and are rebuilt now and then. The model in memory is written for this test alone and shares no
//! rule with the code. `MILLRACE_PROPERTY_CASES` sets the number of cases; a failing one is kept beside this file and
//! is tried first the next time.

mod reference;

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use chrono::TimeDelta;
use domain::{
    order::{CancelReason, Catalogue, Order, OrderCommand, Party, RequestedLine},
    product::{Product, ProductCommand, id_of},
    testing::{label, quantity, sku},
    values::{Currency, CustomerId, Money, OrderId, ProductId},
};
use infrastructure::{
    clock::{Clock, ManualClock},
    event_store::{EventStore, Position, SqliteEventStore, SqliteEventStoreOptions},
    execute::{CommandMetadata, Executor, ExecutorOptions, Request},
    lifecycle::Lifecycle,
    read_store::{ReadStore, SqliteReadStore, SqliteReadStoreOptions},
};
use projections::{
    ManagerError, ProjectionManager, ProjectionOptions, ReadModels, RebuildPhase,
    order_summary::{OrderFilter, OrderPage, OrderSort, OrderSortKey},
    product_catalog::{ProductFilter, ProductPage},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{FileFailurePersistence, TestRunner},
};
use uuid::Uuid;

use self::reference::{Shop, View};

const PRODUCTS: u8 = 4;
const ORDERS: u8 = 6;
const CUSTOMERS: u8 = 3;
const CASES: u32 = 150;
const LONG: Duration = Duration::from_secs(30);

/// What is done next.
#[derive(Clone, Debug)]
enum Step {
    Register {
        product: u8,
        price: i64,
        is_euro: bool,
    },
    ChangePrice {
        product: u8,
        price: i64,
        is_euro: bool,
    },
    Retire {
        product: u8,
    },
    Place {
        order: u8,
        customer: u8,
        lines: Vec<(u8, u32)>,
    },
    /// By this customer, or by the shop.
    Cancel {
        order: u8,
        by: Option<u8>,
        reason: CancelReason,
    },
    Ship {
        order: u8,
        tracking: Option<String>,
    },
    Deliver {
        order: u8,
    },
    /// Not a command: a projection is rebuilt while everything goes on.
    Rebuild {
        projection: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // One product and one order more than there ever are.
    let (product, order, customer) = (0..=PRODUCTS, 0..=ORDERS, 0..CUSTOMERS);
    let reasons = [CancelReason::CustomerRequest, CancelReason::OutOfStock, CancelReason::SuspectedFraud];
    let lines = prop::collection::vec((0..=PRODUCTS, 1_u32..4), 0..5);
    prop_oneof![
        5 => (0..PRODUCTS, 0_i64..6, prop::bool::weighted(0.8))
            .prop_map(|(product, price, is_euro)| Step::Register { product, price, is_euro }),
        4 => (product.clone(), 0_i64..6, prop::bool::weighted(0.8))
            .prop_map(|(product, price, is_euro)| Step::ChangePrice { product, price, is_euro }),
        1 => product.prop_map(|product| Step::Retire { product }),
        8 => (0..ORDERS, customer.clone(), lines)
            .prop_map(|(order, customer, lines)| Step::Place { order, customer, lines }),
        3 => (order.clone(), prop::option::of(customer), prop::sample::select(reasons.to_vec()))
            .prop_map(|(order, by, reason)| Step::Cancel { order, by, reason }),
        4 => (order.clone(), prop::option::of("[A-Z0-9]{1,8}"))
            .prop_map(|(order, tracking)| Step::Ship { order, tracking }),
        3 => order.prop_map(|order| Step::Deliver { order }),
        1 => (0_usize..3).prop_map(|projection| Step::Rebuild { projection }),
    ]
}

fn product(n: u8) -> ProductId {
    id_of(&sku(&format!("SKU-{n}")))
}

fn order(n: u8) -> OrderId {
    OrderId::new(Uuid::from_u128(0x0d00 + u128::from(n)))
}

fn customer(n: u8) -> CustomerId {
    CustomerId::new(Uuid::from_u128(0xc000 + u128::from(n)))
}

fn money(minor: i64, is_euro: bool) -> Money {
    Money::try_new(minor, if is_euro { Currency::EUR } else { Currency::USD }).expect("in range")
}

/// The real thing.
struct Server {
    events: Arc<SqliteEventStore>,
    clock: ManualClock,
    products: Executor<Product>,
    orders: Executor<Order>,
    models: ReadModels,
    manager: ProjectionManager,
    lifecycle: Lifecycle,
}

impl Server {
    async fn start(folder: &Path) -> Self {
        let lifecycle = Lifecycle::new();
        let clock = ManualClock::at(domain::testing::now());
        let events = SqliteEventStore::open(&folder.join("events.db"), SqliteEventStoreOptions::default());
        let events = Arc::new(events.expect("a new event store"));
        let rows = SqliteReadStore::open(&folder.join("read.db"), SqliteReadStoreOptions::default());
        let rows = Arc::new(rows.expect("a new read store")) as Arc<dyn ReadStore>;
        let store = || Arc::clone(&events) as Arc<dyn EventStore>;
        let shared_clock = Arc::new(clock.clone()) as Arc<dyn Clock>;
        let options = ExecutorOptions::default();
        let products = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options.clone());
        let orders = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options);
        // A few events in each transaction, so that batches and checkpoints fall anywhere.
        let options = ProjectionOptions { batch_events_max: 3, ..ProjectionOptions::default() };
        let (models, manager) =
            ReadModels::start(store(), rows, shared_clock, lifecycle.clone(), options).await.expect("a start");
        Self { events, clock, products, orders, models, manager, lifecycle }
    }

    /// Does it, twice with the same command id if so asked. Whether it was accepted.
    async fn perform(&self, number: usize, step: &Step, is_sent_twice: bool) -> bool {
        match step {
            Step::Register { product: n, price, is_euro } => {
                let (sku, name) = (sku(&format!("SKU-{n}")), label(&format!("Product {n}")));
                let command = ProductCommand::Register { sku, name, price: money(*price, *is_euro) };
                self.product(number, *n, command, is_sent_twice).await
            }
            Step::ChangePrice { product: n, price, is_euro } => {
                let command = ProductCommand::ChangePrice { price: money(*price, *is_euro) };
                self.product(number, *n, command, is_sent_twice).await
            }
            Step::Retire { product: n } => self.product(number, *n, ProductCommand::Retire, is_sent_twice).await,
            Step::Place { order: n, customer: who, lines } => {
                let mut catalogue = Catalogue::new();
                for (n, _) in lines {
                    let current = self.products.current(product(*n).uuid()).await.expect("the store works");
                    catalogue.insert(product(*n), (*current.state).clone());
                }
                let lines = lines
                    .iter()
                    .map(|(n, units)| RequestedLine { product: product(*n), quantity: quantity(i64::from(*units)) });
                let (lines, customer) = (lines.collect(), customer(*who));
                let command = OrderCommand::Place { order: order(*n), customer, lines, catalogue };
                self.order(number, *n, command, is_sent_twice).await
            }
            Step::Cancel { order: n, by, reason } => {
                let by = by.map_or(Party::Operator, |n| Party::Customer(customer(n)));
                self.order(number, *n, OrderCommand::Cancel { by, reason: *reason }, is_sent_twice).await
            }
            Step::Ship { order: n, tracking } => {
                let tracking = tracking.as_deref().map(label);
                self.order(number, *n, OrderCommand::Ship { tracking }, is_sent_twice).await
            }
            Step::Deliver { order: n } => self.order(number, *n, OrderCommand::Deliver, is_sent_twice).await,
            Step::Rebuild { projection } => match self.manager.rebuild(projections::names()[*projection]).await {
                Ok(_) | Err(ManagerError::AlreadyRebuilding(_)) => true,
                Err(error) => panic!("the rebuild did not start: {error}"),
            },
        }
    }

    async fn product(&self, number: usize, n: u8, command: ProductCommand, is_sent_twice: bool) -> bool {
        let request = request(number, product(n).uuid(), command);
        execute(&self.products, request, is_sent_twice).await
    }

    async fn order(&self, number: usize, n: u8, command: OrderCommand, is_sent_twice: bool) -> bool {
        let request = request(number, order(n).uuid(), command);
        execute(&self.orders, request, is_sent_twice).await
    }

    /// Waits until the read models have applied everything.
    async fn catch_up(&self) -> Position {
        let head = self.events.head().await.expect("the store works");
        self.models.order_summary.wait(head, LONG).await.expect("the orders get there");
        self.models.product_catalog.wait(head, LONG).await.expect("the catalogue gets there");
        self.models.product_sales.wait(head, LONG).await.expect("the sales get there");
        head
    }

    /// Rebuilds everything and waits for it, whatever else is being rebuilt.
    async fn rebuild_all(&self) {
        for name in projections::names() {
            let mut progress = loop {
                match self.manager.rebuild(name).await {
                    Ok(progress) => break progress,
                    Err(ManagerError::AlreadyRebuilding(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Err(error) => panic!("the rebuild of {name} did not start: {error}"),
                }
            };
            let over =
                progress.wait_for(|progress| progress.as_ref().is_some_and(projections::RebuildProgress::is_over));
            let over = over.await.expect("the server runs").clone().expect("it is over");
            assert_eq!(over.phase, RebuildPhase::Done, "{name}");
        }
    }

    /// What its read models say.
    async fn read(&self) -> View {
        let page = OrderPage {
            filter: OrderFilter::default(),
            sort: OrderSort { key: OrderSortKey::PlacedAt, is_descending: false },
            after: None,
            before: None,
            from_end: false,
            limit: 1_000,
        };
        let orders = self.models.order_summary.page(&page).await.expect("the orders are read");
        let filter = ProductFilter::default();
        let page = ProductPage { filter, beyond: None, until: None, is_backwards: false, limit: 1_000 };
        let products = self.models.product_catalog.page(&page).await.expect("the catalogue is read");
        let mut sales = Vec::new();
        for n in 0..=PRODUCTS {
            let sold = self.models.product_sales.of(product(n)).await.expect("the sales are read");
            sales.push((sold.units, sold.orders));
        }
        View::read(&orders, &products, sales)
    }
}

fn request<C>(number: usize, stream: Uuid, command: C) -> Request<C> {
    let metadata = CommandMetadata {
        command_id: Uuid::from_u128(0xcccc_0000 + number as u128),
        actor: "the test".into(),
        correlation_id: Uuid::nil(),
        causation_id: None,
        input_hash: None,
    };
    Request { stream, command, metadata, expected: None, is_fresh: false }
}

async fn execute<D>(executor: &Executor<D>, request: Request<D::Command>, is_sent_twice: bool) -> bool
where
    D: domain::Decider,
    D::State: PartialEq + std::fmt::Debug,
{
    let first = executor.execute(request.clone()).await;
    if is_sent_twice {
        let second = executor.execute(request).await;
        match (&first, &second) {
            (Ok(first), Ok(second)) => {
                assert_eq!((first.position, first.revision), (second.position, second.revision));
                assert_eq!(first.state, second.state);
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("sent twice: {first:?}, then {second:?}"),
        }
    }
    first.is_ok()
}

async fn run(steps: &[(Step, bool)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut shop = Shop::default();
    for (number, (step, is_sent_twice)) in steps.iter().enumerate() {
        server.clock.advance(TimeDelta::microseconds(1));
        let accepted = server.perform(number, step, *is_sent_twice).await;
        assert_eq!(accepted, shop.perform(step, server.clock.now()), "step {number} is accepted: {step:?}");
    }
    let head = server.catch_up().await;
    assert_eq!(head.value(), shop.events(), "events in the log");
    assert_eq!(server.read().await, shop.view(), "live");
    server.rebuild_all().await;
    assert_eq!(server.read().await, shop.view(), "rebuilt");
    assert!(server.lifecycle.stop(LONG).await, "the server did not stop");
}

fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "how much is tested is a matter of who runs the tests")]
    let cases = std::env::var("MILLRACE_PROPERTY_CASES");
    cases.map_or(CASES, |cases| cases.parse().expect("MILLRACE_PROPERTY_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn live_rebuilt_and_reference_read_models_are_the_same(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.1)), 0..60)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(run(&steps));
    }
}

#[test]
fn the_random_commands_are_accepted_and_refused_and_reach_every_status() {
    let mut runner = TestRunner::deterministic();
    let (mut answers, mut statuses) = (HashSet::new(), HashSet::new());
    for _ in 0..100 {
        let steps = prop::collection::vec(step(), 60).new_tree(&mut runner).expect("nothing is filtered").current();
        let mut shop = Shop::default();
        for step in &steps {
            let accepted = shop.perform(step, domain::testing::now());
            answers.insert((std::mem::discriminant(step), accepted));
        }
        statuses.extend(shop.view().statuses());
    }
    // Seven commands, each accepted and refused, and the rebuild, which nobody refuses.
    assert_eq!((answers.len(), statuses.len()), (15, 4));
}
