//! The command executor in this process, against SQLite without anything around it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use api::telemetry::Metrics;
use domain::{
    Decider,
    order::{Order, OrderCommand},
    product::{Product, ProductCommand},
    testing::{eur, label, offered, order_placed, product_of, requested, sku, the_customer},
    values::{Money, OrderId, Warehouse},
};
use infrastructure::{
    clock::{Clock as _, IdSource as _, SystemClock, SystemIds},
    codec,
    event_store::{EventStore, SqliteEventStore, SqliteEventStoreOptions},
    execute::{CommandMetadata, Executor, ExecutorOptions, Request},
    lifecycle::Lifecycle,
};
use rusqlite::{Connection, params};
use tokio::task::JoinSet;

use crate::{
    machine::{data_dir, per_second},
    report::{Goal, Report},
};

/// Commands in flight over many streams.
pub(crate) const IN_FLIGHT: usize = 256;
/// Commands in flight on one stream.
pub(crate) const HOT_IN_FLIGHT: usize = 512;
pub(crate) const WARM_UP: Duration = Duration::from_millis(700);
/// One turn of floor or candidate.
pub(crate) const TURN: Duration = Duration::from_millis(1_500);
/// How many turns each gets.
pub(crate) const TURNS: usize = 3;
/// Rows of one raw transaction.
const RAW_BATCH: usize = 512;
/// Prices on the hot stream, all different from their neighbours: a price that does not change is no event.
const PRICES: u64 = 1_000;

/// A runtime as the server has it, with the server's metrics being recorded.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let lifecycle = Lifecycle::new();
    runtime.block_on(async {
        if let Ok(metrics) = Metrics::install() {
            lifecycle.spawn(metrics.upkeep(lifecycle.clone()));
        }
        let result = work.await;
        lifecycle.begin_stop();
        result
    })
}

/// The embedded event store in this directory.
pub(crate) fn sqlite(data_dir: &Path) -> Arc<dyn EventStore> {
    let store = SqliteEventStore::open(&data_dir.join("events.db"), SqliteEventStoreOptions::default());
    Arc::new(store.expect("the event store opens"))
}

/// An executor over this store.
pub(crate) fn on<D: Decider>(
    store: Arc<dyn EventStore>,
    options: ExecutorOptions,
    lifecycle: &Lifecycle,
) -> Executor<D> {
    Executor::new(store, Arc::new(SystemClock), lifecycle.clone(), options)
}

/// Orders, each on a stream of its own.
pub(crate) fn orders() -> impl Fn() -> Request<OrderCommand> + Clone + Send + 'static {
    let (line, catalogue) = (requested("TEA-1", 2), [offered("TEA-1", eur(1990))]);
    move || {
        let metadata = metadata();
        let order = OrderId::new(metadata.command_id);
        let (lines, catalogue) = (vec![line], catalogue.clone().into());
        let command = OrderCommand::Place {
            order,
            customer: the_customer(),
            lines,
            catalogue,
            warehouse: Warehouse::default(),
            payment: None,
        };
        Request { stream: order.uuid(), command, metadata, expected: None, is_fresh: true }
    }
}

/// What the server knows of a command without an idempotency key.
pub(crate) fn metadata() -> CommandMetadata {
    CommandMetadata {
        command_id: SystemIds.fresh(),
        actor: "headline".into(),
        correlation_id: SystemIds.fresh(),
        causation_id: None,
        input_hash: None,
    }
}

/// Keeps so many commands in flight for this long; the rate.
pub(crate) async fn commands<D: Decider>(
    executor: &Executor<D>,
    in_flight: usize,
    length: Duration,
    request: impl Fn() -> Request<D::Command> + Clone + Send + 'static,
) -> f64 {
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..in_flight {
        let (executor, request) = (executor.clone(), request.clone());
        callers.spawn(async move {
            let mut count = 0_usize;
            while started.elapsed() < length {
                executor.execute(request()).await.expect("the command is executed");
                count += 1;
            }
            count
        });
    }
    let count = callers.join_all().await.into_iter().sum();
    per_second(count, started.elapsed())
}

/// Orders, each on a stream of its own, against raw appends of the same rows.
pub(crate) fn many_streams(report: &mut Report) {
    let (data_dir, raw_dir) = (data_dir(), data_dir());
    let (floor, candidate) = block_on(async {
        let lifecycle = Lifecycle::new();
        let executor = on::<Order>(sqlite(data_dir.path()), ExecutorOptions::default(), &lifecycle);
        let place = orders();
        let mut raw = Raw::open(raw_dir.path());
        raw.append(WARM_UP);
        commands(&executor, IN_FLIGHT, WARM_UP, place.clone()).await;
        let (mut floor, mut candidate) = (0.0, 0.0);
        for _ in 0..TURNS {
            floor += raw.append(TURN);
            candidate += commands(&executor, IN_FLIGHT, TURN, place.clone()).await;
        }
        lifecycle.stop(Duration::from_secs(5)).await;
        let turns = f64::from(u32::try_from(TURNS).expect("there are few turns"));
        (floor / turns, candidate / turns)
    });
    let rates = [("commands_per_s", candidate), ("raw_append_per_s", floor)];
    report.share("executor, many streams, share of raw appends", "commands_share", 0.60, rates, "");
}

/// Price changes of one product.
pub(crate) fn hot_stream(report: &mut Report) {
    let data_dir = data_dir();
    let rate = block_on(async {
        let lifecycle = Lifecycle::new();
        let executor = on::<Product>(sqlite(data_dir.path()), ExecutorOptions::default(), &lifecycle);
        let product = product_of("TEA-1").uuid();
        let request =
            move |command| Request { stream: product, command, metadata: metadata(), expected: None, is_fresh: false };
        let (name, price_of_one) = (label("Green tea"), eur(1));
        let register = ProductCommand::Register { sku: sku("TEA-1"), name, price: price_of_one, is_stocked: false };
        executor.execute(request(register)).await.expect("the product is registered");
        let sent = Arc::new(AtomicU64::new(0));
        let change = {
            let sent = Arc::clone(&sent);
            move || {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                request(ProductCommand::ChangePrice { price: price(number) })
            }
        };
        commands(&executor, HOT_IN_FLIGHT, WARM_UP, change.clone()).await;
        let rate = commands(&executor, HOT_IN_FLIGHT, 2 * TURN, change).await;
        let revision = executor.current(product).await.expect("the stream is there").revision;
        let events = revision.expect("it has events").value();
        let sent = sent.load(Ordering::Relaxed);
        // Two neighbours in a batch may have swapped to the same price; nearly every command is an event.
        assert!(events <= sent && events > sent / 10 * 9, "{events} events of {sent} commands");
        lifecycle.stop(Duration::from_secs(5)).await;
        rate
    });
    report.value("hot_stream_commands_per_s", rate);
    report.row("executor, one hot stream", Goal::AtLeast(50_000.0), rate, "commands/s", "");
}

fn price(number: u64) -> Money {
    eur(i64::try_from(number % PRICES).expect("it is small") + 100)
}

/// SQLite alone: the event store's tables, settings and rows, in batches, on one thread.
struct Raw {
    connection: Connection,
    rows: i64,
    metadata: String,
    data: String,
}

impl Raw {
    fn open(directory: &Path) -> Self {
        let path = directory.join("events.db");
        // The event store makes its tables; nobody writes them down twice.
        drop(SqliteEventStore::open(&path, SqliteEventStoreOptions::default()).expect("the event store opens"));
        let connection = Connection::open(&path).expect("SQLite opens the file");
        let options = SqliteEventStoreOptions::default();
        let set = |pragma: &str, value: i64| connection.pragma_update(None, pragma, value).expect("SQLite knows it");
        set("synchronous", 2);
        set("cache_size", -i64::from(options.writer_cache_kib));
        set("wal_autocheckpoint", i64::try_from(options.log_pages.due).expect("it is small"));
        let (type_name, data) = codec::encode(&order_placed());
        let insert_type = "INSERT INTO event_types (id, name) VALUES (1, ?1)";
        connection.execute(insert_type, [&*type_name]).expect("the row is written");
        let metadata = metadata().to_json();
        Self { connection, rows: 0, metadata, data }
    }

    /// Writes batches for this long; the rate of events.
    fn append(&mut self, length: Duration) -> f64 {
        let started = Instant::now();
        let mut count = 0;
        while started.elapsed() < length {
            self.append_batch().expect("the batch is written");
            count += RAW_BATCH;
        }
        per_second(count, started.elapsed())
    }

    /// A stream and its first event for each row, as the commands of the executor have it.
    fn append_batch(&mut self) -> rusqlite::Result<()> {
        let now = SystemClock.now().timestamp_micros();
        let transaction = self.connection.transaction()?;
        {
            let mut insert_stream =
                transaction.prepare_cached("INSERT INTO streams (id, category, key) VALUES (?1, 'order', ?2)")?;
            let mut insert_event = transaction.prepare_cached(
                "INSERT INTO events (position, stream, revision, event_id, type, recorded_at, metadata, data)
                 VALUES (?1, ?1, 0, ?2, 1, ?3, ?4, ?5)",
            )?;
            for _ in 0..RAW_BATCH {
                self.rows += 1;
                let id = SystemIds.fresh();
                insert_stream.execute(params![self.rows, &id.as_bytes()[..]])?;
                insert_event.execute(params![self.rows, &id.as_bytes()[..], now, self.metadata, self.data])?;
            }
        }
        transaction.commit()
    }
}
