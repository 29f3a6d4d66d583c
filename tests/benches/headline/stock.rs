//! One SKU that everybody wants, and a long stream that nobody has in memory: on SQLite, with snapshots.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    Timestamp,
    stock::{Stock, StockEvent},
    testing::{pieces, receive, reserve, stock_received, the_stock},
    values::{OrderId, PIECES_MAX},
};
use infrastructure::{
    clock::{Clock as _, IdSource as _, SystemClock, SystemIds},
    codec,
    event_store::{APPEND_EVENTS_MAX, Append, EventStore, ExpectedRevision, NewEvent, Revision, StreamId},
    execute::{Executor, ExecutorOptions, Request, SnapshotOptions},
    lifecycle::Lifecycle,
    read_store::{SqliteReadStore, SqliteReadStoreOptions},
    snapshot_store::{ReadStoreSnapshots, SnapshotStore},
};

use crate::{
    executor::{HOT_IN_FLIGHT, TURN, WARM_UP, block_on, commands, metadata, on, sqlite},
    machine::data_dir,
    report::{Goal, Report},
};

/// Events of the long stream.
const EVENTS: u64 = 1_000_000;
/// Reservations that are open in it at any time, and in its snapshot.
const OPEN: usize = 10_000;
/// Events that came after the snapshot: one more, and there would be another one.
const TAIL: u64 = 999;
/// How often it is loaded.
const LOADS: usize = 21;

/// The snapshots in this directory's read store.
async fn snapshots(data_dir: &Path) -> Arc<dyn SnapshotStore> {
    let rows = SqliteReadStore::open(&data_dir.join("read.db"), SqliteReadStoreOptions::default());
    let rows = Arc::new(rows.expect("the read store opens"));
    Arc::new(ReadStoreSnapshots::open(rows).await.expect("the table is made"))
}

/// An executor with nothing in memory.
fn cold(events: &Arc<dyn EventStore>, snapshots: &Arc<dyn SnapshotStore>, lifecycle: &Lifecycle) -> Executor<Stock> {
    let snapshots = Some(SnapshotOptions::new(Arc::clone(snapshots)));
    on(Arc::clone(events), ExecutorOptions { snapshots, ..ExecutorOptions::default() }, lifecycle)
}

/// Reservations of one SKU, one piece for each of very many orders: none is ever released, so each finds more of them.
pub(crate) fn hot_sku(report: &mut Report) {
    let data_dir = data_dir();
    let (rate, open) = block_on(async {
        let lifecycle = Lifecycle::new();
        let (events, snapshots) = (sqlite(data_dir.path()), snapshots(data_dir.path()).await);
        let executor = cold(&events, &snapshots, &lifecycle);
        let stock = the_stock().uuid();
        let request =
            move |command| Request { stream: stock, command, metadata: metadata(), expected: None, is_fresh: false };
        let all = i64::try_from(PIECES_MAX).expect("it is in range");
        executor.execute(request(receive(all))).await.expect("the pieces come in");
        let take = move || request(reserve(OrderId::new(SystemIds.fresh()), 1));
        commands(&executor, HOT_IN_FLIGHT, WARM_UP, take).await;
        let rate = commands(&executor, HOT_IN_FLIGHT, 2 * TURN, take).await;
        let current = executor.current(stock).await.expect("the stream is there");
        let (events, open) = (current.revision.expect("it has events").value(), current.state.reservations.len());
        assert_eq!(events, open as u64, "each is an event after the first");
        lifecycle.stop(Duration::from_secs(20)).await;
        (rate, open)
    });
    report.value("hot_sku_reservations_per_s", rate);
    let detail = format!("{open} open in the end");
    report.row("reservations of one SKU", Goal::AtLeast(20_000.0), rate, "commands/s", &detail);
}

/// From a command or a query for a stock that is not in memory to its state.
pub(crate) fn cold_load(report: &mut Report) {
    let data_dir = data_dir();
    let (folded, mut loads) = block_on(async {
        let lifecycle = Lifecycle::new();
        let (events, snapshots) = (sqlite(data_dir.path()), snapshots(data_dir.path()).await);
        let mut history = History::new(Arc::clone(&events));
        history.append_up_to(EVENTS - TAIL).await;
        let folded = load(&cold(&events, &snapshots, &lifecycle), EVENTS - TAIL).await;
        // Such a load is a reason for a snapshot. A stop waits until it is written.
        lifecycle.stop(Duration::from_secs(20)).await;
        history.append_up_to(EVENTS).await;
        let mut loads = Vec::new();
        for _ in 0..LOADS {
            loads.push(load(&cold(&events, &snapshots, &Lifecycle::new()), EVENTS).await);
        }
        (folded, loads)
    });
    loads.sort_by(f64::total_cmp);
    let (median, worst) = (loads[LOADS / 2], loads[LOADS - 1]);
    report.value("stock_cold_load_ms", median);
    report.value("stock_cold_load_max_ms", worst);
    report.value("stock_fold_ms", folded);
    let detail = format!("at most {worst:.1} ms; a fold of all events takes {folded:.0} ms");
    report.row("a stock of 1,000,000 events, cold", Goal::AtMost(20.0), median, "ms", &detail);
}

/// How many milliseconds it takes until the state is there.
async fn load(executor: &Executor<Stock>, events: u64) -> f64 {
    let started = Instant::now();
    let current = executor.current(the_stock().uuid()).await.expect("the stream is there");
    let took = started.elapsed();
    assert_eq!(current.revision, Some(Revision::new(events - 1)));
    assert!(current.state.reservations.len().abs_diff(OPEN) <= 1, "{} are open", current.state.reservations.len());
    took.as_secs_f64() * 1e3
}

/// A stock from which pieces go out as fast as they are reserved, written without deciding.
struct History {
    store: Arc<dyn EventStore>,
    at: Timestamp,
    events: u64,
}

impl History {
    fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, at: SystemClock.now(), events: 0 }
    }

    async fn append_up_to(&mut self, events: u64) {
        while self.events < events {
            let last = self.events.checked_sub(1).map(Revision::new);
            let mut batch = Vec::new();
            while self.events < events && batch.len() < APPEND_EVENTS_MAX {
                batch.push(self.next());
            }
            let stream = StreamId::new("stock", the_stock().uuid());
            let append = Append { stream, expected: ExpectedRevision::after(last), events: batch.into() };
            self.store.append(append).await.expect("they are appended");
        }
    }

    fn next(&mut self) -> NewEvent {
        let (stock, at, number) = (the_stock(), self.at, self.events);
        let order = |number: u64| OrderId::named(&format!("order {number}"));
        let open = OPEN as u64;
        // Once enough are open, each reservation is followed by the end of the oldest one.
        let event = match number.checked_sub(open + 1) {
            None if number == 0 => stock_received(i64::try_from(PIECES_MAX).expect("it is in range")),
            None => StockEvent::Reserved { stock, order: order(number), pieces: pieces(1), until: at, at },
            Some(later) if later % 2 == 0 => {
                StockEvent::Reserved { stock, order: order(open + 1 + later / 2), pieces: pieces(1), until: at, at }
            }
            Some(later) => StockEvent::Committed { stock, order: order(1 + later / 2), pieces: pieces(1), at },
        };
        self.events += 1;
        let metadata = metadata();
        let (type_name, data) = codec::encode(&event);
        NewEvent { id: metadata.event_id(0), type_name, at, metadata: metadata.to_json(), data }
    }
}
