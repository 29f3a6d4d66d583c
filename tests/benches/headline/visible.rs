//! From an acknowledged command to the query that shows it, at a steady rate.
//!
//! The clock starts when the acknowledgement has arrived and stops when the answer to `order(id, minPosition)`, asked
//! at once, has: a whole round trip of the query is in the number.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    client::{CLIENTS, Client, clients, document, request, text_field},
    http::{block_on, server_with_product},
    machine::{data_dir, per_second, percentile_ms},
    report::{Goal, Report, number},
    server::Server,
};

/// Commands per second, of all clients together.
const RATE: u32 = 2_000;
/// How long commands are sent.
const LENGTH: Duration = Duration::from_secs(6);
/// The first part of it does not count.
const WARM_UP: Duration = Duration::from_secs(1);

/// Measures it.
pub(crate) fn visible(report: &mut Report) {
    let data_dir = data_dir();
    let (mut latencies, rate) = block_on(async {
        let (server, mut askers, place) = server_with_product(data_dir.path()).await;
        let mut placers = clients(&server, CLIENTS).await;
        let started = Instant::now();
        let work = (0..).zip(placers.iter_mut().zip(&mut askers)).map(|(turn, (placer, asker))| {
            let client = Pair { placer, asker, server: &server, place: &place };
            client.run(started, turn)
        });
        let latencies = join_all(work).await.concat();
        let rate = per_second(latencies.len(), started.elapsed().saturating_sub(WARM_UP));
        (latencies, rate)
    });
    let (p50, p99) = (percentile_ms(&mut latencies, 50), percentile_ms(&mut latencies, 99));
    report.value("visible_p50_ms", p50);
    report.value("visible_p99_ms", p99);
    let detail = format!("p50 {p50:.2} ms, at {} commands/s", number(rate));
    report.row("acknowledged to readable, p99", Goal::AtMost(10.0), p99, "ms", &detail);
}

/// One client: a connection to order on, another to look with.
struct Pair<'a> {
    placer: &'a mut Client,
    asker: &'a mut Client,
    server: &'a Server,
    place: &'a [u8],
}

impl Pair<'_> {
    /// Orders when it is this client's turn, whatever became of the orders before; gives how long each was invisible.
    async fn run(self, started: Instant, turn: u32) -> Vec<Duration> {
        let step = Duration::from_secs(1) / RATE;
        let clients = u32::try_from(CLIENTS).expect("there are few clients");
        let mut latencies = Vec::new();
        let mut due = step * turn;
        while due < LENGTH {
            tokio::time::sleep_until((started + due).into()).await;
            let placed = self.placer.ask(self.place).await.expect("the server answers");
            let acknowledged = Instant::now();
            let variables = json!({ "id": text_field(placed, "id"), "minPosition": text_field(placed, "position") });
            let question = request(self.server, document::ORDER_AT, &variables);
            let answer = self.asker.ask(&question).await.expect("the server answers");
            let invisible = acknowledged.elapsed();
            let seen = text_field(answer, "id");
            assert_eq!(variables["id"], seen, "another order was shown");
            if due >= WARM_UP {
                latencies.push(invisible);
            }
            due += step * clients;
        }
        latencies
    }
}
