//! Small things that everything else is made of: `cargo bench -p tests --bench micro [-- NAME]`.
//!
//! The numbers are for comparing one build with the next on one machine; what Millrace reaches as a whole says
//! `headline`.

use std::{cell::Cell, hint::black_box, path::Path, sync::Arc, time::Duration};

use api::{
    engine::{Engine, EngineLimits, GraphQlRequest, GuardLimits, guard_document},
    graphql::introspection_schema,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use domain::{
    order::{Order, OrderEvent},
    testing::{eur, fold, line, order_delivered, order_placed, order_shipped},
    values::{OrderId, Warehouse},
};
use futures_util::future::join_all;
use infrastructure::{
    clock::{IdSource as _, SystemClock, SystemIds},
    codec,
    event_store::{
        Append, Direction, EventStore, ExpectedRevision, NewEvent, Position, Revision, SqliteEventStore,
        SqliteEventStoreOptions, StreamId,
    },
    lifecycle::Lifecycle,
    read_store::{SqliteReadStore, SqliteReadStoreOptions},
};
use projections::{ProjectionOptions, ReadModels};
use tokio::runtime::Runtime;

/// How many appends go out together.
const BATCH: usize = 512;
/// How many events the stream has that is read.
const STREAM_EVENTS: usize = 10;
/// How many orders there are to ask for.
const ORDERS: usize = 1_000;
/// How long a read model may take to follow them.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(30);
/// What a client of the shop sends.
const DOCUMENT: &str = "query Orders($first: Int!, $after: String, $where: OrderWhere) {
    orders(first: $first, after: $after, where: $where, orderBy: { field: PLACED_AT, direction: DESC }) {
        edges { cursor node { id number status total { amount currencyCode } lines { sku name quantity unitPrice { amount } } } }
        pageInfo { hasNextPage endCursor }
    }
}";

fn events_codec(criterion: &mut Criterion) {
    let event = OrderEvent::Placed {
        order: OrderId::new(SystemIds.fresh()),
        customer: domain::testing::the_customer(),
        lines: vec![line("TEA-1", 2, eur(1990)), line("TEA-2", 1, eur(490)), line("TEA-3", 5, eur(1290))],
        total: eur(10_920),
        warehouse: Warehouse::default(),
        payment: None,
        at: domain::testing::now(),
    };
    let (type_name, data) = codec::encode(&event);
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("encode an order of three lines", |bencher| bencher.iter(|| codec::encode(black_box(&event))));
    group.bench_function("decode an order of three lines", |bencher| {
        bencher.iter(|| codec::decode::<domain::Event>(black_box(&type_name), black_box(&data)).expect("it decodes"));
    });
    group.finish();
}

fn orders_fold(criterion: &mut Criterion) {
    let life = [order_placed(), order_shipped(), order_delivered()];
    criterion.bench_function("fold the life of an order", |bencher| {
        bencher.iter(|| fold::<Order>(black_box(life.clone())));
    });
}

fn open(directory: &Path) -> Arc<dyn EventStore> {
    let store = SqliteEventStore::open(&directory.join("events.db"), SqliteEventStoreOptions::default());
    Arc::new(store.expect("the event store opens"))
}

/// A directory on the disk that the build is on, so that commits reach a device.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written")
}

fn placed(order: OrderId) -> Append {
    let OrderEvent::Placed { customer, lines, total, warehouse, payment, at, .. } = order_placed() else {
        unreachable!("it is the event of a placement")
    };
    let (type_name, data) =
        codec::encode(&OrderEvent::Placed { order, customer, lines, total, warehouse, payment, at });
    let event = NewEvent { id: SystemIds.fresh(), type_name, at, metadata: "{}".to_owned(), data };
    let stream = StreamId::new("order", order.uuid());
    Append { stream, expected: ExpectedRevision::NoStream, events: Arc::new([event]) }
}

fn fresh() -> Append {
    placed(OrderId::new(SystemIds.fresh()))
}

fn appends(criterion: &mut Criterion) {
    let (runtime, directory) = (Runtime::new().expect("a runtime"), directory());
    let store = open(directory.path());
    let mut group = criterion.benchmark_group("append");
    group.bench_function("one event, durable", |bencher| {
        bencher.iter_batched(
            fresh,
            |append| runtime.block_on(store.append(append)).expect("it is appended"),
            BatchSize::SmallInput,
        );
    });
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("512 streams at once, durable", |bencher| {
        bencher.iter_batched(
            || (0..BATCH).map(|_| fresh()).collect::<Vec<_>>(),
            |appends| runtime.block_on(join_all(appends.into_iter().map(|append| store.append(append)))),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn stream_reads(criterion: &mut Criterion) {
    let (runtime, directory) = (Runtime::new().expect("a runtime"), directory());
    let store = open(directory.path());
    let Append { stream, events, .. } = fresh();
    let event = events[0].clone();
    let events = (0..STREAM_EVENTS).map(|_| NewEvent { id: SystemIds.fresh(), ..event.clone() }).collect();
    let append = Append { stream: stream.clone(), expected: ExpectedRevision::NoStream, events };
    runtime.block_on(store.append(append)).expect("it is appended");
    criterion.bench_function("read a stream of ten events", |bencher| {
        bencher.iter(|| {
            let page = store.read_stream(&stream, Revision::FIRST, Direction::Forwards, 100);
            let page = runtime.block_on(page).expect("it can be read");
            assert_eq!(page.events.len(), STREAM_EVENTS);
        });
    });
}

fn point_queries(criterion: &mut Criterion) {
    let (runtime, directory) = (Runtime::new().expect("a runtime"), directory());
    let events = open(directory.path());
    let rows = SqliteReadStore::open(&directory.path().join("read.db"), SqliteReadStoreOptions::default());
    let (rows, lifecycle) = (Arc::new(rows.expect("the read store opens")), Lifecycle::new());
    let orders: Vec<OrderId> = (0..ORDERS).map(|_| OrderId::new(SystemIds.fresh())).collect();
    let models = runtime.block_on(async {
        let placed = join_all(orders.iter().map(|order| events.append(placed(*order)))).await;
        let last = placed.into_iter().flat_map(|placed| placed.expect("it is appended").positions).max();
        let options = ProjectionOptions::default();
        let started = ReadModels::start(events, rows, Arc::new(SystemClock), lifecycle.clone(), options).await;
        let (models, _) = started.expect("the projections start");
        let wanted = last.unwrap_or(Position::START);
        models.order_summary.wait(wanted, FOLLOW_TIMEOUT).await.expect("the read model follows");
        models
    });
    let next = Cell::new(0);
    criterion.bench_function("query one order by its id", |bencher| {
        bencher.iter(|| {
            next.set((next.get() + 1) % ORDERS);
            let order = runtime.block_on(models.order_summary.by_id(orders[next.get()]));
            assert!(order.expect("it can be read").is_some());
        });
    });
    runtime.block_on(lifecycle.stop(FOLLOW_TIMEOUT));
}

fn documents(criterion: &mut Criterion) {
    let limits = GuardLimits::default();
    let mut group = criterion.benchmark_group("document");
    group.throughput(Throughput::Bytes(DOCUMENT.len() as u64));
    group.bench_function("guard", |bencher| {
        bencher.iter(|| guard_document(black_box(DOCUMENT), &limits).expect("it is harmless"));
    });
    let engine = Engine::new(introspection_schema(), EngineLimits::default(), Lifecycle::new());
    let variables = serde_json::Map::from_iter([("first".to_owned(), 20.into())]);
    let request = |query: String| GraphQlRequest { query, variables: variables.clone(), ..GraphQlRequest::default() };
    let mut count = 0_u64;
    group.bench_function("guard and parse", |bencher| {
        bencher.iter(|| {
            // A document that was seen before would come from the cache.
            count += 1;
            engine.prepare(request(format!("{DOCUMENT} # {count}"))).expect("it is GraphQL")
        });
    });
    group.bench_function("known", |bencher| {
        bencher.iter(|| engine.prepare(request(DOCUMENT.to_owned())).expect("it is GraphQL"));
    });
    group.finish();
}

criterion_group!(all, events_codec, orders_fold, appends, stream_reads, point_queries, documents);
criterion_main!(all);
