//! Orders from the placement to the confirmation, with every process that takes part; and lists of them, short and long.
//!
//! Each order is paid in advance with the sandbox and wants a counted piece, so that it is reserved in the stock, paid, and
//! confirmed by the processes of the same server: five appends in three streams, and a look at the log for each.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    client::{CLIENTS, Client, Load, Operation, clients, closed_loop, document, request, text_field},
    executor, history,
    http::block_on,
    machine::{data_dir, per_second, percentile_ms},
    report::{self, Goal, Report, number},
    server::Server,
};

const STOCK_RECEIVE: &str =
    "mutation Receive($input: StockReceiveInput!) { stockReceive(input: $input) { level { id } userErrors { code } } }";
const OPEN: &str = "query Open { orders(first: 1, where: { status: [PLACED] }) { nodes { id } } }";
const STATUS: &str =
    "query Status($id: ID!, $minPosition: Position) { order(id: $id, minPosition: $minPosition) { id status } }";
const PAGE: &str = "query Page($where: OrderWhere, $orderBy: OrderOrderBy) { orders(first: 20, where: $where, orderBy: $orderBy) { nodes { id status total { amount } placedAt } pageInfo { hasNextPage endCursor } } }";
/// Products that are ordered, so that no single stock is the limit.
const PRODUCTS: usize = 50;
/// How many pieces of each there are: more than anybody orders here.
const PIECES: usize = 10_000_000;
/// How long orders are placed as fast as they are taken.
const COMPLETED_LENGTH: Duration = Duration::from_secs(4);
/// Orders per second, of all clients together, where it counts how long one takes.
const RATE: u32 = 500;
const LATENCY_LENGTH: Duration = Duration::from_secs(6);
/// The first part of it does not count.
const WARM_UP: Duration = Duration::from_secs(1);
/// How often somebody looks whether his order is confirmed.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
/// How long a list of orders is, and how long the long one.
const SHORT: usize = 10_000;
const LONG: usize = 1_000_000;
/// One turn of the short or the long list.
const TURN: Duration = Duration::from_millis(1_500);
const TURNS: usize = 3;

/// Orders completed per second, and how long one takes at a steady rate.
pub(crate) fn completed(report: &mut Report) {
    let data_dir = data_dir();
    let (rate, placed, mut latencies) = block_on(async {
        let server = Server::start(data_dir.path());
        server.ready().await;
        let mut connections = clients(&server, CLIENTS).await;
        let orders = orders_of_many_products(&server, &mut connections[0]).await;
        let started = Instant::now();
        let load = closed_loop(&server, &mut connections, &orders, COMPLETED_LENGTH).await;
        let placed = load.latencies.len();
        until_nothing_is_open(&server, &mut connections[0]).await;
        let rate = per_second(placed, started.elapsed());
        (rate, per_second(placed, COMPLETED_LENGTH), latencies(&server, &orders).await)
    });
    report.value("orders_completed_per_s", rate);
    let detail = format!("placed to confirmed, every process included; placed at {}/s", number(placed));
    report.row("orders completed", Goal::AtLeast(3_000.0), rate, "/s", &detail);
    let (p50, p99) = (percentile_ms(&mut latencies, 50), percentile_ms(&mut latencies, 99));
    report.value("place_to_confirmed_p50_ms", p50);
    report.value("place_to_confirmed_p99_ms", p99);
    let detail = format!("p50 {p50:.1} ms, seen by a query, at {RATE} orders/s");
    report.row("sent to seen as confirmed, p99", Goal::AtMost(50.0), p99, "ms", &detail);
}

/// Registers products and receives their stock. Gives what orders one of them.
async fn orders_of_many_products(server: &Server, client: &mut Client) -> Operation {
    let mut requests = Vec::new();
    for number in 0..PRODUCTS {
        let sku = format!("TEA-{number}");
        let price = json!({ "amount": "19.90", "currencyCode": "EUR" });
        let register = json!({ "input": { "sku": sku, "name": "Tea", "price": price } });
        let product = ask(server, client, document::PRODUCT_REGISTER, &register, "id").await;
        let receive = json!({ "input": { "sku": sku, "quantity": PIECES, "idempotencyKey": sku } });
        ask(server, client, STOCK_RECEIVE, &receive, "id").await;
        let lines = json!([{ "productId": product, "quantity": 1 }]);
        let place = json!({ "input": { "lines": lines, "paymentToken": "tok_visa" } });
        requests.push(request(server, document::ORDER_PLACE, &place));
    }
    Operation::new(requests, "\"userErrors\":[]")
}

async fn ask(server: &Server, client: &mut Client, document: &str, variables: &Value, field: &str) -> String {
    text_field(client.ask(&request(server, document, variables)).await.expect("the server answers"), field)
}

async fn until_nothing_is_open(server: &Server, client: &mut Client) {
    let open = request(server, OPEN, &json!({}));
    loop {
        let answer = client.ask(&open).await.expect("the server answers");
        if answer.windows(10).any(|part| part == b"\"nodes\":[]") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// From sending an order to the first answer that shows it as confirmed.
async fn latencies(server: &Server, orders: &Operation) -> Vec<Duration> {
    let mut placers = clients(server, CLIENTS).await;
    let started = Instant::now();
    let work = (0..).zip(&mut placers).map(|(turn, client)| one_customer(server, client, orders, started, turn));
    join_all(work).await.concat()
}

async fn one_customer(
    server: &Server,
    client: &mut Client,
    orders: &Operation,
    started: Instant,
    turn: u32,
) -> Vec<Duration> {
    let step = Duration::from_secs(1) / RATE;
    let customers = u32::try_from(CLIENTS).expect("there are few clients");
    let mut latencies = Vec::new();
    let mut due = step * turn;
    while due < LATENCY_LENGTH {
        tokio::time::sleep_until((started + due).into()).await;
        let sent = Instant::now();
        let placed = client.ask(orders.nth(turn)).await.expect("the server answers");
        let variables = json!({ "id": text_field(placed, "id"), "minPosition": text_field(placed, "position") });
        let look = request(server, STATUS, &variables);
        while text_field(client.ask(&look).await.expect("the server answers"), "status") != "CONFIRMED" {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        if due >= WARM_UP {
            latencies.push(sent.elapsed());
        }
        due += step * customers;
    }
    latencies
}

/// Lists of orders with the filters of operators: of ten thousand, and of a million.
pub(crate) fn pages(report: &mut Report) {
    let (short_dir, long_dir) = (data_dir(), data_dir());
    for (directory, orders) in [(&short_dir, SHORT), (&long_dir, LONG)] {
        report::progress(&format!("a log of {orders} orders"));
        executor::block_on(history::placements_to(directory.path(), orders));
    }
    let (short, long) = block_on(async {
        let (short, long) = (Server::start(short_dir.path()), Server::start(long_dir.path()));
        short.ready().await;
        long.ready().await;
        let mut of_short = clients(&short, CLIENTS).await;
        let mut of_long = clients(&long, CLIENTS).await;
        let (short_pages, long_pages) = (pages_of(&short, SHORT), pages_of(&long, LONG));
        closed_loop(&short, &mut of_short, &short_pages, TURN).await;
        closed_loop(&long, &mut of_long, &long_pages, TURN).await;
        let (mut short_load, mut long_load) = (Load::default(), Load::default());
        for _ in 0..TURNS {
            short_load.add(closed_loop(&short, &mut of_short, &short_pages, TURN).await);
            long_load.add(closed_loop(&long, &mut of_long, &long_pages, TURN).await);
        }
        (short_load, long_load)
    });
    let rates = [("orders_page_1m_rps", long.per_second()), ("orders_page_10k_rps", short.per_second())];
    let detail = format!("; {:.1} and {:.1} µs of the server's CPU", long.cpu_us(), short.cpu_us());
    report.share("pages of 1,000,000 orders, share of 10,000", "orders_page_share", 0.80, rates, &detail);
}

/// What an operator asks for: by each status, by customer, of some days, oldest first and newest first.
fn pages_of(server: &Server, orders: usize) -> Operation {
    let at = |share: usize| history::placed_at(orders * share / 100);
    let mut pages = vec![
        json!({}),
        json!({ "where": { "status": ["PLACED"] } }),
        json!({ "where": { "paymentStatus": ["ON_ACCOUNT"] } }),
        json!({ "where": { "fulfilmentStatus": ["UNFULFILLED"] } }),
        json!({ "orderBy": { "field": "PLACED_AT", "direction": "ASC" } }),
        json!({ "orderBy": { "field": "UPDATED_AT", "direction": "DESC" } }),
    ];
    for share in [5, 35, 65, 95] {
        let range = json!({ "gte": at(share), "lt": at(share + 5) });
        pages.push(json!({ "where": { "placedAt": range } }));
        pages.push(json!({ "where": { "status": ["PLACED"], "placedAt": range } }));
        pages.push(json!({ "where": { "paymentStatus": ["ON_ACCOUNT"], "placedAt": range } }));
    }
    Operation::new(pages.iter().map(|page| request(server, PAGE, page)).collect(), "\"hasNextPage\":true")
}
