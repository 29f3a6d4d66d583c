//! The stores of the cluster, each beside its embedded counterpart: what it costs to go beyond one machine.
//!
//! The event stores take turns. The read stores come one after the other, the embedded one first, each with a server's
//! workers around it: what the machine does otherwise in between is in their shares.
//!
//! PostgreSQL is a real server on this machine with everything durable. EventStoreDB is the double that the tests have, in
//! this process and with an embedded store behind it: it shows what adapter and protocol cost, not what a server does.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    bootstrap::{Core, Duty},
    config::{Config, ReadStore, Secret},
    data_dir::DataDir,
};
use domain::order::Order;
use infrastructure::{
    event_store::{EventStore, EventStoreDb, EventStoreDbOptions},
    execute::{Executor, ExecutorOptions},
    lifecycle::Lifecycle,
    read_store::testing::{Durability, PostgresSchema, PostgresServer},
};
use tests::esdb::{Double, Options};

use crate::{
    executor::{self, IN_FLIGHT, TURN, TURNS, WARM_UP},
    history,
    machine::{data_dir, per_second},
    replay,
    report::Report,
    server,
};

/// How long it may take until the last change is seen.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// Orders, each on a stream of its own, through the adapter for EventStoreDB.
pub(crate) fn event_store(report: &mut Report) {
    let (own_dir, double_dir) = (data_dir(), data_dir());
    let (embedded, double) = executor::block_on(async {
        let lifecycle = Lifecycle::new();
        let embedded = executor::on(executor::sqlite(own_dir.path()), ExecutorOptions::default(), &lifecycle);
        let double = Double::start(executor::sqlite(double_dir.path()), Options::default()).await;
        let options = EventStoreDbOptions::try_new(&double.connection_string()).expect("the double knows its address");
        let adapter: Arc<dyn EventStore> = Arc::new(EventStoreDb::open(options).await.expect("the double answers"));
        let shared = ExecutorOptions { is_shared: true, ..ExecutorOptions::default() };
        let over_the_wire: Executor<Order> = executor::on(adapter, shared, &lifecycle);
        let rates = in_turns(&embedded, &over_the_wire).await;
        lifecycle.stop(Duration::from_secs(5)).await;
        rates
    });
    let rates = [("esdb_double_commands_per_s", double), ("esdb_embedded_commands_per_s", embedded)];
    report.compare("executor on EventStoreDB's double, share of embedded", "esdb_double_share", rates);
}

async fn in_turns(embedded: &Executor<Order>, other: &Executor<Order>) -> (f64, f64) {
    let place = executor::orders();
    for executor in [embedded, other] {
        executor::commands(executor, IN_FLIGHT, WARM_UP, place.clone()).await;
    }
    let (mut floor, mut candidate) = (0.0, 0.0);
    for _ in 0..TURNS {
        floor += executor::commands(embedded, IN_FLIGHT, TURN, place.clone()).await;
        candidate += executor::commands(other, IN_FLIGHT, TURN, place.clone()).await;
    }
    let turns = f64::from(u32::try_from(TURNS).expect("there are few turns"));
    (floor / turns, candidate / turns)
}

/// Commands until the read models have them, and a rebuild of a million events: in PostgreSQL and in SQLite.
pub(crate) fn read_store(report: &mut Report) {
    let postgres = PostgresServer::start(Durability::Full);
    let (own_dir, other_dir) = (data_dir(), data_dir());
    let (embedded, other) = executor::block_on(async {
        let schema = PostgresSchema::on_server(&postgres).await;
        let embedded = followed_commands(&server::config(own_dir.path())).await;
        (embedded, followed_commands(&in_postgres(other_dir.path(), &schema)).await)
    });
    let rates = [("pg_commands_per_s", other), ("followed_commands_per_s", embedded)];
    report.compare("commands until applied in PostgreSQL, share of SQLite", "pg_commands_share", rates);
    let data_dir = data_dir();
    let (embedded, other) = executor::block_on(async {
        let schema = PostgresSchema::on_server(&postgres).await;
        history::copy_to(data_dir.path()).await;
        let embedded = rebuilt(&server::config(data_dir.path())).await;
        (embedded, rebuilt(&in_postgres(data_dir.path(), &schema)).await)
    });
    let rates = [("pg_rebuild_events_per_s", other), ("pg_rebuild_embedded_events_per_s", embedded)];
    report.compare("rebuild in PostgreSQL, share of SQLite", "pg_rebuild_share", rates);
}

/// Events in this directory, read models in this schema.
fn in_postgres(directory: &Path, schema: &PostgresSchema) -> Config {
    let url = Some(Secret::new(schema.url().to_owned()));
    Config { read_store: ReadStore { url, ..ReadStore::default() }, ..server::config(directory) }
}

/// Orders for a while, and then until the read model of orders has the last of them.
async fn followed_commands(config: &Config) -> f64 {
    let _data_dir = DataDir::open(&config.data_dir).expect("the data directory is free");
    let core = Core::start(config, Duty::All).await.expect("the stores open");
    let executor: Executor<Order> = executor::on(Arc::clone(&core.events), ExecutorOptions::default(), &core.lifecycle);
    let applied = async || {
        let head = core.events.head().await.expect("the log can be read");
        core.read_models.order_summary.wait(head, SEEN_WITHIN).await.expect("it is applied in time");
    };
    executor::commands(&executor, IN_FLIGHT, WARM_UP, executor::orders()).await;
    applied().await;
    let started = Instant::now();
    let before = core.events.head().await.expect("the log can be read");
    executor::commands(&executor, IN_FLIGHT, 2 * TURN, executor::orders()).await;
    applied().await;
    let rate = per_second(count_since(&core, before.value()).await, started.elapsed());
    core.lifecycle.stop(Duration::from_secs(10)).await;
    rate
}

/// In the embedded store positions count events.
async fn count_since(core: &Core, before: u64) -> usize {
    let head = core.events.head().await.expect("the log can be read");
    usize::try_from(head.value() - before).expect("it is below a million")
}

async fn rebuilt(config: &Config) -> f64 {
    let _data_dir = DataDir::open(&config.data_dir).expect("the data directory is free");
    let core = replay::started(config).await;
    let started = Instant::now();
    let progress = core.projections.rebuild(replay::MODEL).await.expect("nothing else is being rebuilt");
    let (events, _) = replay::finish(progress).await;
    let rate = per_second(events, started.elapsed());
    core.lifecycle.stop(Duration::from_secs(10)).await;
    rate
}
