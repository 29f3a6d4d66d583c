//! What a rebuild costs those who are served meanwhile, and what memory it takes.
//!
//! Commands arrive at a steady rate, whatever became of those before; a latency counts from the moment at which a
//! command was due, so that a server that stands still for a moment is not asked more kindly. The rebuild is of the
//! model with a million events.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use domain::testing::sku;
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    client::{CLIENTS, Client, clients, place_request, request, text_field},
    http::block_on,
    machine::{per_second, percentile_ms},
    replay::global,
    report::{Goal, Report, number},
    server::Server,
};

/// Commands per second, of all clients together: what a busy shop asks, and a fifth of what the machine could do.
const RATE: u32 = 2_000;
/// How long latencies are measured without a rebuild, before it and after it.
const QUIET: Duration = Duration::from_secs(6);
/// The first part of each measurement does not count.
const WARM_UP: Duration = Duration::from_secs(1);
/// How often progress and memory are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
const REBUILD: &str =
    "mutation Rebuild($input: ProjectionRebuildInput!) { projectionRebuild(input: $input) { userErrors { code } } }";
const PROGRESS: &str = "query Progress($name: String!) { projection(name: $name) { rebuild { phase } } }";

/// Measures both on a server over this data directory, whose read models are built.
pub(crate) fn rebuild_live(report: &mut Report, directory: &Path, model: &str) {
    let (mut quiet, mut during, took, peak) = block_on(async {
        let server = Server::start(directory);
        server.ready().await;
        let mut clients = clients(&server, CLIENTS + 1).await;
        let mut watcher = clients.pop().expect("there is one more");
        // One that the history has registered.
        let place = place_request(&server, &global("product", &domain::product::id_of(&sku("TEA-1"))));
        // Alone, as fast as it goes: this is where it takes the most memory.
        let (_, alone) = rebuild(&server, &mut watcher, model).await;
        let mut quiet = load(&mut clients, &place, &AtomicBool::new(false), QUIET).await;
        let is_over = AtomicBool::new(false);
        let (during, (took, beside)) = tokio::join!(load(&mut clients, &place, &is_over, Duration::MAX), async {
            // Not into the warm-up.
            tokio::time::sleep(WARM_UP).await;
            let rebuilt = rebuild(&server, &mut watcher, model).await;
            is_over.store(true, Ordering::Relaxed);
            rebuilt
        });
        quiet.extend(load(&mut clients, &place, &AtomicBool::new(false), QUIET).await);
        (quiet, during, took, f64::max(alone, beside))
    });
    let rate = per_second(during.len(), took);
    let (before, beside) = (percentile_ms(&mut quiet, 99), percentile_ms(&mut during, 99));
    let (ratio, peak) = (beside / before, peak / 1e6);
    report.value("rebuild_live_p99_ratio", ratio);
    report.value("rebuild_peak_mb", peak);
    report.value("rebuild_live_seconds", took.as_secs_f64());
    let detail = format!(
        "p99 {beside:.1} ms of {before:.1} ms, at {} commands/s, for {:.1} s",
        number(rate),
        took.as_secs_f64()
    );
    report.row("commands during a rebuild, p99", Goal::AtMost(2.0), ratio, "times", &detail);
    report.row("memory of a rebuild of 1,000,000 events", Goal::AtMost(256.0), peak, "MB", "");
}

/// Rebuilds; how long it took, and the most memory that the server had meanwhile, in bytes.
async fn rebuild(server: &Server, client: &mut Client, model: &str) -> (Duration, f64) {
    let started = Instant::now();
    let order = request(server, REBUILD, &json!({ "input": { "name": model } }));
    let answer = client.ask(&order).await.expect("the server answers");
    assert!(String::from_utf8_lossy(answer).contains("\"userErrors\":[]"), "the rebuild did not begin");
    let question = request(server, PROGRESS, &json!({ "name": model }));
    let mut peak = 0.0_f64;
    loop {
        peak = peak.max(server.resident_bytes());
        let phase = text_field(client.ask(&question).await.expect("the server answers"), "phase");
        assert_ne!(phase, "FAILED", "see the server's log");
        if phase == "DONE" {
            return (started.elapsed(), peak);
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Places orders at a steady rate until it is over; the latencies after the warm-up.
async fn load(clients: &mut [Client], place: &[u8], is_over: &AtomicBool, length: Duration) -> Vec<Duration> {
    let started = Instant::now();
    let step = Duration::from_secs(1) / RATE;
    let count = u32::try_from(clients.len()).expect("there are few clients");
    let work = (0..).zip(clients).map(|(turn, client)| async move {
        let mut latencies = Vec::new();
        let mut due = step * turn;
        while due < length && !is_over.load(Ordering::Relaxed) {
            tokio::time::sleep_until((started + due).into()).await;
            let answer = client.ask(place).await.expect("the server answers");
            let latency = started.elapsed().saturating_sub(due);
            assert!(String::from_utf8_lossy(answer).contains("\"userErrors\":[]"), "an order was refused");
            if due >= WARM_UP {
                latencies.push(latency);
            }
            due += step * count;
        }
        latencies
    });
    join_all(work).await.concat()
}
