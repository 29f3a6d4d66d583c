//! Bad input at the edges of the real binary: every transport refuses it with a code, and the process lives.
//!
//! Each case in detail is tested beside the edges themselves; here the whole is, as it is wired together.

use std::time::{Duration, Instant};

use api::auth::{DevKey, Role};
use chrono::TimeDelta;
use infrastructure::clock::{Clock as _, SystemClock};
use reqwest::{
    Response,
    header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN},
};
use serde_json::{Value, json};
use tests::{
    client::Client,
    server::Server,
    ws::{WsClient, WsMessage},
};

async fn post(client: &Client, body: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> Response {
    let mut request = reqwest::Client::new().post(format!("{}/graphql", client.url)).body(body);
    let defaults = [(CONTENT_TYPE, "application/json".to_owned()), (AUTHORIZATION, format!("Bearer {}", client.token))];
    for (name, value) in defaults {
        if !headers.iter().any(|(other, _)| name == *other) {
            request = request.header(name, value);
        }
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.send().await.expect("the server answers")
}

/// The status and the code of the first error.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("a refusal is JSON");
    assert!(body.get("data").is_none(), "a request that is refused has no data: {body}");
    let code = body.pointer("/errors/0/extensions/code").and_then(Value::as_str);
    (status, code.unwrap_or_else(|| panic!("no code: {body}")).to_owned())
}

fn query(document: &str) -> String {
    json!({ "query": document }).to_string()
}

/// Documents that blow up, each in another way, with the code they get.
fn bombs() -> Vec<(&'static str, String)> {
    let nested =
        |open: &str, middle: &str, close: &str| format!("{}{middle}{}", open.repeat(5_000), close.repeat(5_000));
    let each = |count: u32, part: &dyn Fn(u32) -> String| (0..count).map(part).collect::<Vec<_>>().join(" ");
    let aliases = each(500, &|number| format!("a{number}: ping(message: \"x\")"));
    let fragments = each(20, &|n| format!("fragment F{n} on Query {{ ...F{m} ...F{m} }}", m = n + 1));
    vec![
        ("DOCUMENT_TOO_COMPLEX", nested("{a", "", "}")),
        ("DOCUMENT_TOO_COMPLEX", format!("{{ ping(message: {}) }}", nested("[", "1", "]"))),
        ("DOCUMENT_TOO_COMPLEX", format!("{{ ping(message: {}) }}", nested("{a:", "1", "}"))),
        ("DOCUMENT_TOO_COMPLEX", format!("{{ {aliases} }}")),
        ("DOCUMENT_TOO_COMPLEX", format!("{{ ...F0 }} {fragments} fragment F20 on Query {{ ping(message: \"x\") }}")),
        ("GRAPHQL_VALIDATION_FAILED", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned()),
        ("DOCUMENT_TOO_COMPLEX", format!("{{ ping(message: \"x\") {} }}", "@include(if: true) ".repeat(200))),
    ]
}

#[tokio::test]
async fn malformed_requests_are_refused_over_http() {
    let mut server = Server::start().await;
    let alice = server.customer("alice");
    let cases: [(u16, &str, String); 8] = [
        (400, "BAD_REQUEST", "{".to_owned()),
        (400, "BAD_REQUEST", "\u{0}".to_owned()),
        (422, "BAD_REQUEST", "[]".to_owned()),
        (422, "BAD_REQUEST", "{\"query\":1}".to_owned()),
        (400, "GRAPHQL_PARSE_FAILED", query("{")),
        (422, "GRAPHQL_VALIDATION_FAILED", query("{ nothing }")),
        (422, "GRAPHQL_VALIDATION_FAILED", query("query($id: ID!) { order(id: $id) { id } }")),
        (422, "OPERATION_NOT_SUPPORTED", query("subscription { ordersUpdates { cursor } }")),
    ];
    for (status, code, body) in cases {
        assert_eq!(refusal(post(&alice, body.clone(), &[]).await).await, (status, code.to_owned()), "{body}");
    }
    let good = query("{ ping(message: \"x\") }");
    let too_large = query(&format!("{{ ping(message: \"{}\") }}", "x".repeat(300_000)));
    assert_eq!(refusal(post(&alice, too_large, &[]).await).await, (413, "PAYLOAD_TOO_LARGE".to_owned()));
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"] {
        let response = post(&alice, good.clone(), &[("content-type", kind)]).await;
        assert_eq!(refusal(response).await, (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()), "{kind}");
    }
    let foreign = post(&alice, good.clone(), &[(ORIGIN.as_str(), "https://evil.example")]).await;
    assert_eq!(refusal(foreign).await, (403, "ORIGIN_NOT_ALLOWED".to_owned()));
    let by_url = reqwest::get(format!("{}/graphql?query=%7Bping%7D", server.url)).await.expect("an answer");
    assert_eq!(refusal(by_url).await, (405, "METHOD_NOT_ALLOWED".to_owned()));
    assert_eq!(post(&alice, good, &[]).await.status(), 200);
    assert!(server.is_alive());
}

#[tokio::test]
async fn bombs_are_refused_quickly_over_every_transport() {
    let mut server = Server::start().await;
    let alice = server.customer("alice");
    for (code, bomb) in bombs() {
        let began = Instant::now();
        let http = refusal(post(&alice, query(&bomb), &[]).await).await;
        assert_eq!(http, (422, code.to_owned()), "{}", &bomb[..60]);
        let mut socket = alice.web_socket().await;
        socket.subscribe("1", &bomb, json!({})).await;
        assert_eq!(socket.next_error_code().await, code, "{}", &bomb[..60]);
        let stream = tests::sse::SseClient::ask(&alice, &bomb, json!({}), None).await;
        assert_eq!(refusal(stream).await, (422, code.to_owned()), "{}", &bomb[..60]);
        // Generous for a slow machine, and far below what any of them would take unguarded.
        assert!(began.elapsed() < Duration::from_secs(5), "{}", &bomb[..60]);
    }
    // Variables nest too.
    let deep = format!(
        "{{\"query\":\"{{ ping(message: \\\"x\\\") }}\",\"variables\":{{\"a\":{}1{}}}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert_eq!(refusal(post(&alice, deep, &[]).await).await.0 / 100, 4);
    assert!(server.is_alive());
}

#[tokio::test]
async fn only_a_genuine_token_that_is_not_over_opens_the_door() {
    let server = Server::start().await;
    let alice = server.customer("alice");
    let key = DevKey::load_or_create(server.data_dir()).expect("the server's key");
    let now = SystemClock.now();
    let expired = key.token("alice", Role::Customer, now - TimeDelta::hours(2), TimeDelta::hours(1));
    let foreign_dir = tests::server::temp_dir();
    let foreign_key = DevKey::load_or_create(foreign_dir.path()).expect("a key");
    let forged = foreign_key.token("alice", Role::Operator, now, TimeDelta::hours(1));
    let mut parts: Vec<&str> = alice.token.split('.').collect();
    // {"alg":"none"}
    parts[0] = "eyJhbGciOiJub25lIn0";
    parts[2] = "";
    let unsigned = parts.join(".");
    let body = query("{ ping(message: \"x\") }");
    for token in [expired, forged, unsigned, "x".repeat(10_000), String::new()] {
        let header = format!("Bearer {token}");
        let response = post(&alice, body.clone(), &[("authorization", &header)]).await;
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(refusal(response).await, (401, "UNAUTHENTICATED".to_owned()), "{token:.40}");
        let mut socket = WsClient::open(&server.url).await;
        socket.init(&token).await;
        assert_eq!(socket.next().await, WsMessage::Closed(4403), "{token:.40}");
    }
    let nobody = post(&alice, body.clone(), &[("authorization", "")]).await;
    assert_eq!(refusal(nobody).await, (401, "UNAUTHENTICATED".to_owned()));
    let mut socket = WsClient::open(&server.url).await;
    socket.subscribe("1", "{ ping(message: \"x\") }", json!({})).await;
    assert_eq!(socket.next().await, WsMessage::Closed(4401));
    assert_eq!(post(&alice, body, &[]).await.status(), 200);
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let server = Server::start().await;
    let key = DevKey::load_or_create(server.data_dir()).expect("the server's key");
    let token = key.token("alice", Role::Customer, SystemClock.now(), TimeDelta::seconds(2));
    let mut socket = WsClient::connect(&server.url, &token).await;
    assert_eq!(socket.next().await, WsMessage::Closed(4403));
}

#[tokio::test]
async fn what_operators_tools_ask_for_needs_no_token_and_tells_no_customer() {
    let server = Server::start().await;
    let alice = server.customer("alice-the-customer");
    let tea = tests::shop::register(&server.operator(), "TEA-1").await;
    let order = tests::shop::place(&alice, &tea.id).await;
    let mut socket = alice.web_socket().await;
    socket.subscribe("1", tests::updates::ORDER_UPDATES, json!({ "id": order.id })).await;
    socket.next_update().await;
    let get = async |path: &str| {
        let response = reqwest::get(format!("{}{path}", server.url)).await.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.expect("text")
    };
    assert!(get("/health/live").await.contains("alive"));
    assert!(get("/health/ready").await.contains("projection:order_summary"));
    assert!(get("/graphiql").await.contains("graphiql"));
    let metrics = get("/metrics").await;
    for part in ["append", "command", "batch", "lag_events", "lag_seconds", "subscribers"] {
        assert!(metrics.contains(part), "no metric of {part}:\n{metrics}");
    }
    assert!(!metrics.contains("alice-the-customer"), "{metrics}");
}
