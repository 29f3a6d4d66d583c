//! Orders over HTTP, each against the same way through the server without any work behind it.

use std::{path::Path, time::Duration};

use serde_json::json;

use crate::{
    client::{
        CLIENTS, Client, Load, Operation, clients, closed_loop, document, place_orders, place_request,
        register_product, request,
    },
    machine::{data_dir, percentile_ms},
    report::{Goal, Report},
    server::Server,
};

/// Before anything counts: caches fill, the disk and the branch predictor wake up.
const WARM_UP: Duration = Duration::from_millis(700);
/// One turn of floor or candidate.
const TURN: Duration = Duration::from_millis(1_500);
/// How many turns each gets.
const TURNS: usize = 3;
/// How many orders there are to ask for.
const ORDERS: usize = 20_000;

/// A runtime on one thread: the load generator must leave room for the server.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

/// A server that is ready, with one product in it.
pub(crate) async fn server_with_product(data_dir: &Path) -> (Server, Vec<Client>, Vec<u8>) {
    let server = Server::start(data_dir);
    server.ready().await;
    let mut clients = clients(&server, CLIENTS).await;
    let product = register_product(&server, &mut clients[0]).await;
    let place = place_request(&server, &product);
    (server, clients, place)
}

/// In turns: floor, candidate, floor, candidate.
async fn compare(server: &Server, clients: &mut [Client], floor: &Operation, candidate: &Operation) -> (Load, Load) {
    closed_loop(server, clients, floor, WARM_UP).await;
    closed_loop(server, clients, candidate, WARM_UP).await;
    let (mut of_floor, mut of_candidate) = (Load::default(), Load::default());
    for _ in 0..TURNS {
        of_floor.add(closed_loop(server, clients, floor, TURN).await);
        of_candidate.add(closed_loop(server, clients, candidate, TURN).await);
    }
    (of_floor, of_candidate)
}

/// `orderPlace` against a mutation that does nothing.
pub(crate) fn order_place(report: &mut Report) {
    let (data_dir, message) = (data_dir(), json!({ "input": { "message": "hello" } }));
    let (floor, mut candidate) = block_on(async {
        let (server, mut clients, place) = server_with_product(data_dir.path()).await;
        let ping = request(&server, document::PING_MUTATION, &message);
        let ping = Operation::new(vec![ping], "\"message\":\"hello\"");
        let place = Operation::new(vec![place], "\"userErrors\":[]");
        compare(&server, &mut clients, &ping, &place).await
    });
    let p99 = percentile_ms(&mut candidate.latencies, 99);
    let rates = [("order_place_rps", candidate.per_second()), ("noop_rps", floor.per_second())];
    report.share("orderPlace, share of a no-op mutation", "order_place_share", 0.60, rates, &cpu(&candidate, &floor));
    report.value("order_place_p99_ms", p99);
    report.row("orderPlace, p99 at 64 clients", Goal::AtMost(5.0), p99, "ms", "");
}

/// `order(id)` against a query that reads nothing.
pub(crate) fn order_query(report: &mut Report) {
    let data_dir = data_dir();
    let (floor, candidate) = block_on(async {
        let (server, mut clients, place) = server_with_product(data_dir.path()).await;
        let (orders, last) = place_orders(&mut clients, &place, ORDERS).await;
        let ping = request(&server, document::PING_QUERY, &json!({ "message": "hello" }));
        let ping = Operation::new(vec![ping], "\"ping\":\"hello\"");
        let requests = orders.iter().map(|order| request(&server, document::ORDER, &json!({ "id": order }))).collect();
        let query = Operation::new(requests, "\"order\":{\"id\":");
        // From here on the read model has everything that is asked for.
        let caught_up = json!({ "id": orders[0], "minPosition": last });
        query.check(clients[0].ask(&request(&server, document::ORDER_AT, &caught_up)).await.expect("it answers"));
        compare(&server, &mut clients, &ping, &query).await
    });
    let rates = [("order_query_rps", candidate.per_second()), ("noop_query_rps", floor.per_second())];
    report.share("order(id), share of a no-op query", "order_query_share", 0.70, rates, &cpu(&candidate, &floor));
}

/// What the server works for one request: it moves less than the rates when something else runs on the machine.
fn cpu(candidate: &Load, floor: &Load) -> String {
    format!("; {:.1} and {:.1} µs of the server's CPU", candidate.cpu_us(), floor.cpu_us())
}
