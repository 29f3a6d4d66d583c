//! From a change to the clients that watch it, over WebSocket.
//!
//! Thousands of subscribers watch a thousand orders, which are shipped at a steady rate. The clock starts when the
//! command is about to be sent and stops when a subscriber has read its frame: the durable append is in the number. How
//! long after the acknowledgement the frame came is told beside it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    client::{Client, Operation, clients, document, place_orders, request},
    http::{block_on, server_with_product},
    machine::{data_dir, percentile_ms},
    report::{Goal, Report, number},
    server::Server,
    socket::Socket,
};

/// How many orders are watched, and by how many each.
const ORDERS: usize = 1_000;
const SUBSCRIBERS_PER_ORDER: usize = 5;
const SUBSCRIBERS: u32 = 5_000;
/// Changes per second.
const RATE: u32 = 200;
/// How many connections send them.
const SENDERS: usize = 8;
/// How many sockets are opened at a time.
const HANDSHAKES: usize = 64;
/// How long the server's memory is left to settle.
const SETTLE: Duration = Duration::from_millis(500);
/// How long the last frames may take.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Open files of one process: a socket for each subscriber, and some.
pub(crate) const FILES_NEEDED: u64 = SUBSCRIBERS as u64 + 1_000;

/// When a change was sent and acknowledged.
#[derive(Clone, Copy, Debug)]
struct Shipped {
    order: usize,
    sent_at: Instant,
    acknowledged_at: Instant,
}

/// Measures it.
pub(crate) fn push(report: &mut Report) {
    let data_dir = data_dir();
    let (mut from_send, mut from_ack, bytes) = block_on(async {
        let (server, mut askers, place) = server_with_product(data_dir.path()).await;
        let (orders, _) = place_orders(&mut askers, &place, ORDERS).await;
        let mut senders = clients(&server, SENDERS).await;
        tokio::time::sleep(SETTLE).await;
        let before = server.resident_bytes();
        let sockets = subscribe(&server, &orders).await;
        tokio::time::sleep(SETTLE).await;
        let bytes = (server.resident_bytes() - before) / f64::from(SUBSCRIBERS);
        let (from_send, from_ack) = ship(&server, &mut senders, &orders, sockets).await;
        (from_send, from_ack, bytes)
    });
    let [p50, p99] = [50, 99].map(|percent| percentile_ms(&mut from_send, percent));
    let after_ack = percentile_ms(&mut from_ack, 99);
    report.value("push_p50_ms", p50);
    report.value("push_p99_ms", p99);
    report.value("push_after_ack_p99_ms", after_ack);
    report.value("bytes_per_subscriber", bytes);
    let detail =
        format!("p50 {p50:.2} ms; {after_ack:.2} ms after the acknowledgement; {} bytes/subscriber", number(bytes));
    report.row("change to 5,000 subscribers, p99", Goal::AtMost(50.0), p99, "ms", &detail);
}

/// Subscribers that have caught up, each with the order it watches.
async fn subscribe(server: &Server, orders: &[String]) -> Vec<(usize, Socket)> {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let mut subscribers = JoinSet::new();
    for (index, order) in orders.iter().enumerate().flat_map(|order| [order; SUBSCRIBERS_PER_ORDER]) {
        let (handshakes, variables) = (Arc::clone(&handshakes), json!({ "id": order }));
        let (address, token) = (server.address, server.token.clone());
        subscribers.spawn(async move {
            let _turn = handshakes.acquire().await.expect("the semaphore is never closed");
            let subscribed = Socket::subscribe(address, &token, document::ORDER_UPDATES, variables).await;
            let mut socket = subscribed.expect("the server takes subscribers");
            let first = socket.next().await.expect("the server answers");
            assert!(first.contains("CaughtUp"), "{first}");
            (index, socket)
        });
    }
    subscribers.join_all().await
}

/// Ships every order in its turn; how long each frame took from the command, and from its acknowledgement.
async fn ship(
    server: &Server,
    senders: &mut [Client],
    orders: &[String],
    sockets: Vec<(usize, Socket)>,
) -> (Vec<Duration>, Vec<Duration>) {
    let mut arrivals = JoinSet::new();
    for (order, mut socket) in sockets {
        arrivals.spawn(async move {
            let frame = socket.next().await.expect("the frame arrives");
            let arrived = Instant::now();
            assert!(frame.contains("\"kind\":\"SHIPPED\""), "{frame}");
            // The socket stays open, so that the server serves all of them to the end.
            (order, arrived, socket)
        });
    }
    let requests = orders.iter().map(|order| {
        request(server, document::ORDER_SHIP, &json!({ "input": { "id": order, "trackingNumber": "MR-1" } }))
    });
    let requests: Vec<Vec<u8>> = requests.collect();
    let worked = Operation::new(Vec::new(), "\"userErrors\":[]");
    let started = Instant::now();
    let (requests, worked) = (&requests, &worked);
    let sending = senders.iter_mut().enumerate().map(|(turn, sender)| async move {
        let mut shipped = Vec::new();
        for order in (turn..requests.len()).step_by(SENDERS) {
            let due = Duration::from_secs(1) / RATE * u32::try_from(order).expect("there are few orders");
            tokio::time::sleep_until((started + due).into()).await;
            let sent_at = Instant::now();
            worked.check(sender.ask(&requests[order]).await.expect("the server answers"));
            shipped.push(Shipped { order, sent_at, acknowledged_at: Instant::now() });
        }
        shipped
    });
    let mut shipped = join_all(sending).await.concat();
    shipped.sort_unstable_by_key(|shipped| shipped.order);
    let arrived = tokio::time::timeout(ARRIVAL_TIMEOUT, arrivals.join_all()).await.expect("every frame arrives");
    let latencies = arrived.iter().map(|(order, arrived, _)| {
        let Shipped { sent_at, acknowledged_at, .. } = shipped[*order];
        (arrived.duration_since(sent_at), arrived.saturating_duration_since(acknowledged_at))
    });
    latencies.unzip()
}
