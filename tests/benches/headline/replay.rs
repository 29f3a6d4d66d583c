//! What a long log costs: to rebuild a read model from it, and to start with it.

use std::{
    fmt::Display,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use api::{
    bootstrap::{Core, Duty},
    config::Config,
    data_dir::DataDir,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use infrastructure::event_store::{EventStore, Position, TypeFilter};
use projections::{Decoded, ProjectionState, RebuildPhase, RebuildProgress};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    client::{CLIENTS, Operation, clients, closed_loop, document, request},
    executor, history, http, live,
    machine::{data_dir, per_second},
    report::{self, Goal, Report},
    server::{self, Server},
};

/// The read model that is rebuilt, and the events it is made of.
pub(crate) const MODEL: &str = "order_summary";
const MODEL_EVENTS: &str = "order.";
/// How many events a page holds; the rebuild's own number.
const PAGE_EVENTS: usize = 2_048;
/// How often scan and rebuild take turns.
const TURNS: usize = 2;
/// How many orders are asked for before memory is looked at.
const QUERIES: usize = 500;
/// How long clients ask for them.
const QUERY_TIME: Duration = Duration::from_millis(500);

/// All rows that share the log and its read models.
pub(crate) fn replay(report: &mut Report, [wants_rebuild, wants_live, wants_memory]: [bool; 3]) {
    let data_dir = data_dir();
    let orders = executor::block_on(async {
        history::copy_to(data_dir.path()).await;
        report::progress("Rebuild");
        prepare(report, data_dir.path(), wants_rebuild).await
    });
    if wants_live {
        report::progress("RebuildLive");
        live::rebuild_live(report, data_dir.path(), MODEL);
    }
    if wants_memory {
        report::progress("Memory");
        start(report, data_dir.path(), &orders);
    }
}

/// Builds all read models, measures, and gives some orders to ask for.
async fn prepare(report: &mut Report, directory: &Path, wants_rebuild: bool) -> Vec<String> {
    let _data_dir = DataDir::open(directory).expect("the data directory is free");
    let core = started(&server::config(directory)).await;
    if wants_rebuild {
        rebuild(report, &core).await;
    }
    let filter = TypeFilter::prefixes(&["order.placed."]);
    let page = core.events.read_all(Position::START, &filter, QUERIES).await.expect("the log can be read");
    let core_lifecycle = core.lifecycle.clone();
    drop(core);
    assert!(core_lifecycle.stop(Duration::from_secs(10)).await, "the workers stop");
    page.events.iter().map(|event| event.stream.id.to_string()).collect()
}

/// A core whose read models are all built.
pub(crate) async fn started(config: &Config) -> Core {
    let core = Core::start(config, Duty::All).await.expect("the stores open");
    for status in core.projections.statuses() {
        let progress = core.projections.watch_rebuild(status.name).expect("there is such a projection");
        finish(progress).await;
    }
    while core.projections.statuses().iter().any(|status| status.state != ProjectionState::Running) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    core
}

async fn rebuild(report: &mut Report, core: &Core) {
    let (mut scanned, mut rebuilt, mut filling) = ((0, Duration::ZERO), (0, Duration::ZERO), Duration::ZERO);
    scan_decode(&*core.events).await;
    for _ in 0..TURNS {
        let started = Instant::now();
        scanned.0 += scan_decode(&*core.events).await;
        scanned.1 += started.elapsed();
        let started = Instant::now();
        let progress = core.projections.rebuild(MODEL).await.expect("nothing else is being rebuilt");
        let (events, filled) = finish(progress).await;
        rebuilt = (rebuilt.0 + events, rebuilt.1 + started.elapsed());
        filling += filled;
    }
    assert_eq!(scanned.0, rebuilt.0, "both see the same events");
    let share = filling.as_secs_f64() / rebuilt.1.as_secs_f64() * 100.0;
    let detail = format!("{share:.0} % of the time to fill the rows, the rest to index and to switch");
    let [rebuilt, scanned] = [rebuilt, scanned].map(|(count, time)| per_second(count, time));
    let rates = [("rebuild_events_per_s", rebuilt), ("scan_decode_events_per_s", scanned)];
    report.share("rebuild, share of a bare scan and decode", "rebuild_share", 0.50, rates, "");
    report.row("rebuild", Goal::AtLeast(300_000.0), rebuilt, "events/s", &detail);
}

/// Waits for the end of a rebuild, which must be a good one; how many events it applied, and how long it filled.
pub(crate) async fn finish(mut progress: watch::Receiver<Option<RebuildProgress>>) -> (usize, Duration) {
    let started = Instant::now();
    let is_filled = |now: &RebuildProgress| now.phase != RebuildPhase::Filling;
    progress.wait_for(|now| now.as_ref().is_some_and(is_filled)).await.expect("the projections run");
    let filling = started.elapsed();
    let over = progress.wait_for(|now| now.as_ref().is_some_and(RebuildProgress::is_over)).await;
    let over = over.expect("the projections run").clone().expect("it is over");
    assert_eq!(over.phase, RebuildPhase::Done);
    (usize::try_from(over.events).expect("it is a million"), filling)
}

/// Reads and decodes the events of the model, page after page, and nothing else; how many there are.
async fn scan_decode(events: &dyn EventStore) -> usize {
    let filter = TypeFilter::prefixes(&[MODEL_EVENTS]);
    let (mut after, mut count) = (Position::START, 0);
    loop {
        let page = events.read_all(after, &filter, PAGE_EVENTS).await.expect("the log can be read");
        for event in &page.events {
            black_box(Decoded::decode(event).expect("the event decodes"));
        }
        count += page.events.len();
        after = page.scanned_to;
        if page.is_end {
            return count;
        }
    }
}

/// An object's id as clients know it.
pub(crate) fn global(kind: &str, id: &impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}:{id}"))
}

/// Starts a server on the log and its read models, asks it a little, and looks at its memory.
fn start(report: &mut Report, directory: &Path, orders: &[String]) {
    let (ready, resident) = http::block_on(async {
        let server = Server::start(directory);
        let ready = server.ready().await;
        let mut clients = clients(&server, CLIENTS).await;
        let requests =
            orders.iter().map(|order| request(&server, document::ORDER, &json!({ "id": global("order", order) })));
        let query = Operation::new(requests.collect(), "\"order\":{\"id\":");
        closed_loop(&server, &mut clients, &query, QUERY_TIME).await;
        (ready, server.resident_bytes())
    });
    let (ready_ms, megabytes) = (ready.as_secs_f64() * 1e3, resident / 1e6);
    report.value("ready_ms", ready_ms);
    report.value("rss_mb", megabytes);
    report.row("memory with 1,000,000 events", Goal::AtMost(200.0), megabytes, "MB", "");
    report.row("start-up with 1,000,000 events", Goal::AtMost(1_000.0), ready_ms, "ms", "");
}
