//! Long streams: a stock with very many reservations, its snapshots on real stores, and what damage does to them.

use std::{num::NonZeroU64, path::Path, sync::Arc, time::Duration};

use domain::{
    stock::{ReleaseReason, Stock, StockCommand},
    testing::{id, label, now, pieces, receive, reserve, the_stock},
};
use infrastructure::{
    clock::ManualClock,
    event_store::{
        Direction, EventStore, MemoryEventStore, Position, Revision, SqliteEventStore, SqliteEventStoreOptions,
        StreamId,
    },
    execute::{CommandMetadata, ExecuteError, Executor, ExecutorOptions, Request, SnapshotOptions},
    lifecycle::Lifecycle,
    read_store::{ReadStore, SqliteReadStore, SqliteReadStoreOptions, Statement},
    snapshot_store::{ReadStoreSnapshots, Snapshot, SnapshotStore, Tip},
};
use tests::{postgres::PostgresSchema, random::Random};
use tokio::task::JoinSet;
use uuid::Uuid;

/// As long as a test waits for what must come. Far more than it takes.
const LONG: Duration = Duration::from_secs(60);

fn events(folder: &Path) -> Arc<dyn EventStore> {
    let store = SqliteEventStore::open(&folder.join("events.db"), SqliteEventStoreOptions::default());
    Arc::new(store.expect("an event store"))
}

fn rows(folder: &Path) -> Arc<dyn ReadStore> {
    let store = SqliteReadStore::open(&folder.join("read.db"), SqliteReadStoreOptions::default());
    Arc::new(store.expect("a read store"))
}

async fn snapshots(rows: &Arc<dyn ReadStore>) -> Arc<dyn SnapshotStore> {
    Arc::new(ReadStoreSnapshots::open(Arc::clone(rows)).await.expect("the table is made"))
}

/// With nothing in memory. None: no snapshots.
fn cold(events: &Arc<dyn EventStore>, snapshots: Option<SnapshotOptions>, lifecycle: &Lifecycle) -> Executor<Stock> {
    let options = ExecutorOptions { snapshots, ..ExecutorOptions::default() };
    Executor::new(Arc::clone(events), Arc::new(ManualClock::at(now())), lifecycle.clone(), options)
}

fn request(command_id: u128, command: StockCommand) -> Request<StockCommand> {
    let metadata = CommandMetadata {
        command_id: Uuid::from_u128(command_id),
        actor: "a test".into(),
        correlation_id: Uuid::nil(),
        causation_id: None,
        input_hash: None,
    };
    Request { stream: the_stock().uuid(), command, metadata, expected: None, is_fresh: false }
}

fn stream() -> StreamId {
    StreamId::new("stock", the_stock().uuid())
}

/// The state of the stock as JSON, and where it is.
async fn seen(executor: &Executor<Stock>) -> (String, Option<Revision>, Position) {
    let current = executor.current(the_stock().uuid()).await.expect("the store works");
    let state = serde_json::to_string(&*current.state).expect("a state is plain data");
    (state, current.revision, current.position)
}

/// Reserves one piece for each of these orders, many at the same time.
async fn reserve_all(executor: &Executor<Stock>, orders: std::ops::Range<u128>) {
    let mut running = JoinSet::new();
    for order in orders {
        let executor = executor.clone();
        running.spawn(async move { executor.execute(request(order, reserve(id(order), 1))).await.map(drop) });
        if running.len() >= 512 {
            running.join_next().await.expect("there is one").expect("nothing panics").expect("there is enough");
        }
    }
    for outcome in running.join_all().await {
        outcome.expect("there is enough");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stock_with_ten_thousand_open_reservations_sells_on_and_is_loaded_from_its_snapshot() {
    const OPEN: u128 = 10_000;
    const ALL: u128 = 12_000;
    let folder = tempfile::tempdir().expect("a folder");
    let (events, lifecycle) = (events(folder.path()), Lifecycle::new());
    let snapshots = snapshots(&rows(folder.path())).await;
    let options = || Some(SnapshotOptions::new(Arc::clone(&snapshots)));
    let executor = cold(&events, options(), &lifecycle);
    let all = i64::try_from(ALL).expect("it is small");
    executor.execute(request(u128::MAX, receive(all))).await.expect("the pieces come in");
    reserve_all(&executor, 0..OPEN).await;
    reserve_all(&executor, OPEN..ALL).await;
    let too_many = executor.execute(request(ALL, reserve(id(ALL), 1))).await;
    assert!(matches!(too_many, Err(ExecuteError::Rejected(_))), "{too_many:?}");
    let warm = seen(&executor).await;
    assert_eq!(warm.1, Some(Revision::new(12_000)));

    // The stop writes what is not in a snapshot yet.
    assert!(lifecycle.stop(LONG).await);
    let stored = snapshots.load(&stream()).await.expect("the store works").expect("there is a snapshot");
    assert!(stored.tip.revision > Revision::new(11_000), "{:?}", stored.tip);
    let lifecycle = Lifecycle::new();
    let (with, without) = (cold(&events, options(), &lifecycle), cold(&events, None, &lifecycle));
    assert_eq!(seen(&with).await, warm);
    assert_eq!(seen(&without).await, warm);
    let repeat = with.execute(request(0, reserve(id(0), 1))).await.expect("it is known");
    assert_eq!((repeat.is_repeat, repeat.position), (true, Position::new(2)));
}

fn any_command(random: &mut Random) -> StockCommand {
    let order = id(u128::from(random.below(6)));
    let number = i64::try_from(random.below(9)).expect("it is small");
    match random.below(6) {
        0 => receive(number),
        1 => StockCommand::Adjust { change: number - 4, reason: label("counted") },
        2 => StockCommand::Release { order, reason: ReleaseReason::OrderCancelled },
        3 => StockCommand::Commit { order, pieces: pieces(number) },
        _ => reserve(order, number),
    }
}

/// The real table, any commands, a process that may die after each of them, a snapshot that may be of any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_a_stock_a_cold_load_is_the_fold() {
    let folder = tempfile::tempdir().expect("a folder");
    let snapshots = snapshots(&rows(folder.path())).await;
    let mut behind = [0; 2];
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let events = Arc::new(MemoryEventStore::new()) as Arc<dyn EventStore>;
        let every_events = NonZeroU64::new(1 + random.below(5)).expect("at least one");
        let pause = Duration::ZERO;
        let options = || Some(SnapshotOptions { every_events, pause, ..SnapshotOptions::new(Arc::clone(&snapshots)) });
        let mut lifecycle = Lifecycle::new();
        let mut executor = cold(&events, options(), &lifecycle);
        for command in 0..30 {
            let _refused_or_not = executor.execute(request(command, any_command(&mut random))).await;
            match random.below(6) {
                // Some of what is under way is written, some is not.
                0 => executor = cold(&events, options(), &lifecycle),
                1 => {
                    lifecycle.stop(LONG).await;
                    lifecycle = Lifecycle::new();
                    executor = cold(&events, options(), &lifecycle);
                }
                2 => tokio::time::sleep(Duration::from_millis(1)).await,
                _ => {}
            }
            let expected = seen(&cold(&events, None, &lifecycle)).await;
            assert_eq!(seen(&cold(&events, options(), &lifecycle)).await, expected, "seed {seed}, command {command}");
            assert_eq!(seen(&executor).await, expected, "seed {seed}, command {command}");
            let stored = snapshots.load(&stream()).await.expect("the store works");
            let last = events.read_stream(&stream(), Revision::MAX, Direction::Backwards, 1).await.expect("it works");
            if let (Some(stored), Some(last)) = (stored, last.events.first()) {
                behind[usize::from(stored.tip.revision < last.revision)] += 1;
            }
        }
    }
    assert!(behind.iter().all(|count| *count > 10), "snapshots of the end and of before: {behind:?}");
}

async fn damage_is_noticed(rows: Arc<dyn ReadStore>) {
    let snapshots = snapshots(&rows).await;
    let tip = Tip { revision: Revision::new(5), position: Position::new(9), id: Uuid::from_u128(3), recorded_at: 77 };
    let snapshot = Snapshot { version: 1, tip, state: r#"{"sum":5}"#.to_owned(), receipts: "AQ".to_owned() };
    let damages = [
        "version = version + 1",
        "version = -1",
        "revision = revision + 1",
        "revision = -1",
        "position = 4",
        "recorded_at = 78",
        "checksum = checksum + 1",
        "state = '{\"sum\":6}'",
        "receipts = 'AR'",
        "state = state || receipts, receipts = ''",
    ];
    for damage in damages {
        snapshots.save(&stream(), snapshot.clone()).await.expect("saved");
        assert_eq!(snapshots.load(&stream()).await, Ok(Some(snapshot.clone())));
        let damaging = Statement::once(format!("UPDATE snapshots SET {damage}"), vec![]).must_change(1);
        rows.transaction(vec![damaging]).await.expect("the damage is done");
        assert_eq!(snapshots.load(&stream()).await, Ok(None), "{damage}");
    }
}

#[tokio::test]
async fn a_snapshot_that_was_damaged_in_sqlite_is_not_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    damage_is_noticed(rows(folder.path())).await;
}

#[tokio::test]
async fn a_snapshot_that_was_damaged_in_postgresql_is_not_loaded() {
    let schema = PostgresSchema::new().await;
    damage_is_noticed(Arc::new(schema.open().await)).await;
}
