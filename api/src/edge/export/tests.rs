//! Who gets an export, of what, and what happens to clients that do not read.

use std::sync::Mutex;

use axum::http::request::Builder;
use domain::{
    Event, Timestamp,
    testing::{now, order_placed},
};
use http_body_util::BodyExt as _;
use infrastructure::{
    clock::{CountingIds, ManualClock},
    codec,
    event_store::{Append, ExpectedRevision, MemoryEventStore, NewEvent, StreamId},
};
use serde_json::Value;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::*;
use crate::edge::Unauthenticated;

/// Knows `operator` and `customer`; their tokens end at this time.
struct Doorman(Mutex<Timestamp>);

impl Authenticate for Doorman {
    fn authenticate(&self, bearer: &str) -> Result<Viewer, Unauthenticated> {
        let role = match bearer {
            "operator" => Role::Operator,
            "customer" => Role::Customer,
            _ => return Err(Unauthenticated),
        };
        Ok(Viewer { subject: bearer.to_owned(), role, expires_at: *self.0.lock().expect("the lock") })
    }
}

struct Desk {
    router: Router,
    lifecycle: Lifecycle,
}

impl Desk {
    async fn with_orders(orders: u128) -> Self {
        let events = Arc::new(MemoryEventStore::new());
        for n in 1..=orders {
            let (kind, data) = codec::encode(&Event::from(order_placed()));
            let event =
                NewEvent { id: Uuid::from_u128(n), type_name: kind, at: now(), metadata: "{}".to_owned(), data };
            let stream = StreamId::new("order", Uuid::from_u128(n));
            let append = Append { stream, expected: ExpectedRevision::NoStream, events: vec![event].into() };
            events.append(append).await.expect("it is appended");
        }
        let lifecycle = Lifecycle::new();
        let state = ExportState {
            events,
            authenticate: Arc::new(Doorman(Mutex::new(now() + chrono::TimeDelta::minutes(5)))),
            origins: OriginRules { loopback_only: true, allowed_origins: vec![] },
            ids: Arc::new(CountingIds::new(1)),
            clock: Arc::new(ManualClock::at(now())),
            lifecycle: lifecycle.clone(),
        };
        Self { router: router(state), lifecycle }
    }

    async fn get(&self, query: &str) -> Response {
        self.send(request(query).header("authorization", "Bearer operator")).await
    }

    async fn send(&self, request: Builder) -> Response {
        self.router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
    }
}

fn request(query: &str) -> Builder {
    Request::builder().uri(format!("{PATH}{query}")).header("host", "localhost")
}

async fn lines(response: Response) -> Vec<Value> {
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    let text = std::str::from_utf8(&body).expect("UTF-8");
    assert!(text.ends_with('\n'), "the last line has an end: {text}");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    (status, answer["errors"][0]["extensions"]["code"].as_str().expect("a code").to_owned())
}

#[tokio::test]
async fn an_operator_gets_every_order_and_a_last_line_that_says_so() {
    let desk = Desk::with_orders(3).await;
    let response = desk.get("").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let as_of = response.headers()[&AS_OF_HEADER].to_str().expect("text").to_owned();
    let lines = lines(response).await;
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3], serde_json::json!({ "complete": true, "asOf": as_of, "orders": 3, "unreadable": 0 }));
    let cursor = lines[1]["cursor"].as_str().expect("a cursor");
    for query in [format!("?after={cursor}"), format!("?asOf={as_of}&after={cursor}")] {
        let rest = self::lines(desk.get(&query).await).await;
        assert_eq!((rest.len(), &rest[0], &rest[1]["orders"]), (2, &lines[2], &1.into()), "{query}");
    }
}

#[tokio::test]
async fn whoever_is_no_operator_is_refused() {
    let desk = Desk::with_orders(1).await;
    let with = |token: &str| request("").header("authorization", format!("Bearer {token}"));
    assert_eq!(refusal(desk.send(request("")).await).await, (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(refusal(desk.send(with("nobody")).await).await, (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(refusal(desk.send(with("customer")).await).await, (403, "FORBIDDEN".to_owned()));
    assert_eq!(refusal(desk.send(with("operator").method("POST")).await).await, (405, "METHOD_NOT_ALLOWED".to_owned()));
    let page = with("operator").header("origin", "https://elsewhere.example");
    assert_eq!(refusal(desk.send(page).await).await, (403, "ORIGIN_NOT_ALLOWED".to_owned()));
    desk.lifecycle.begin_stop();
    assert_eq!(refusal(desk.get("").await).await, (503, "SHUTTING_DOWN".to_owned()));
}

#[tokio::test]
async fn what_is_no_place_in_this_log_is_refused() {
    let desk = Desk::with_orders(2).await;
    let token = |position| PositionToken(Position::new(position)).to_string();
    let cursor = |as_of, after| ExportCursor { as_of: Position::new(as_of), after: Position::new(after) }.to_string();
    let cases = [
        ("?asOf=x".to_owned(), 422, "BAD_CURSOR"),
        ("?after=x".to_owned(), 422, "BAD_CURSOR"),
        (format!("?asOf={}", token(3)), 422, "BAD_CURSOR"),
        (format!("?after={}", cursor(3, 1)), 422, "BAD_CURSOR"),
        (format!("?asOf={}&after={}", token(1), cursor(2, 1)), 422, "BAD_CURSOR"),
        (format!("?asOf={0}&asOf={0}", token(1)), 400, "BAD_REQUEST"),
        ("?since=1".to_owned(), 400, "BAD_REQUEST"),
    ];
    for (query, status, code) in cases {
        assert_eq!(refusal(desk.get(&query).await).await, (status, code.to_owned()), "{query}");
    }
    assert_eq!(lines(desk.get(&format!("?asOf={}", token(1))).await).await.len(), 2);
}

#[tokio::test]
async fn so_many_exports_run_at_once_and_a_place_is_free_once_a_client_leaves() {
    let desk = Desk::with_orders(2_000).await;
    let mut open = Vec::new();
    for _ in 0..EXPORTS_MAX {
        open.push(desk.get("").await);
    }
    let refused = desk.get("").await;
    assert_eq!(refused.headers()["retry-after"], RETRY_AFTER_S);
    assert_eq!(refusal(refused).await, (429, "RATE_LIMITED".to_owned()));
    open.pop();
    let response = loop {
        let response = desk.get("").await;
        if response.status() == StatusCode::OK {
            break response;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(lines(response).await.len(), 2_001);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_given_up() {
    let desk = Desk::with_orders(2_000).await;
    let response = desk.get("").await;
    sleep(CHUNK_TIMEOUT * 3).await;
    let cut_off = response.into_body().collect().await.expect("what was under way").to_bytes();
    assert!(cut_off.len() < CHUNK_BYTES * 3, "it was not read ahead for: {} bytes", cut_off.len());
    assert!(!cut_off.windows(10).any(|part| part == b"\"complete\""), "it is not whole, and does not say so");
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_the_end_of_a_token_are_told_in_the_last_line() {
    let desk = Desk::with_orders(2_000).await;
    for (code, is_stop) in [("UNAUTHENTICATED", false), ("SHUTTING_DOWN", true)] {
        let mut body = desk.get("").await.into_body();
        let mut text = Vec::new();
        if is_stop {
            desk.lifecycle.begin_stop();
        }
        // A client that reads slowly, but does.
        let pause = if is_stop { Duration::ZERO } else { CHUNK_TIMEOUT.mul_f32(0.9) };
        while let Some(frame) = body.frame().await {
            text.extend_from_slice(&frame.expect("a frame").into_data().expect("data"));
            sleep(pause).await;
        }
        let text = String::from_utf8(text).expect("UTF-8");
        let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!(last["error"]["extensions"]["code"], code, "{last}");
    }
}
