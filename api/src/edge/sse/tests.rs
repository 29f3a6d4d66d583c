//! GraphQL over server-sent events, distinct connections mode.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
    response::Response,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::edge::testing::{Setup, json, post, send, text};

fn request(query: &str) -> Request<Body> {
    let body = json!({ "query": query }).to_string();
    post("/graphql/stream").header("accept", "text/event-stream").body(body.into()).expect("a request")
}

/// One event: name, id, data.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: String,
}

/// The events of a text; comments and hints are left out.
fn events(text: &str) -> Vec<Event> {
    text.split("\n\n")
        .filter(|block| block.starts_with("event: "))
        .map(|block| {
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
            };
            Event {
                name: field("event:").expect("a name"),
                id: field("id:"),
                data: field("data:").expect("data, or a browser would drop the event"),
            }
        })
        .collect()
}

async fn all_events(response: Response) -> Vec<Event> {
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    events(&text(response).await)
}

async fn chunk(body: &mut BodyDataStream) -> Option<String> {
    let chunk = timeout(Duration::from_secs(10), body.next()).await.expect("something happens")?;
    Some(String::from_utf8(chunk.expect("a whole body").to_vec()).expect("UTF-8"))
}

#[tokio::test]
async fn a_subscription_streams_its_events_with_their_cursors() {
    let events = all_events(send(request("subscription{count(to:3){number}}")).await).await;
    let (complete, ticks) = events.split_last().expect("events");
    assert_eq!(*complete, Event { name: "complete".to_owned(), id: None, data: String::new() });
    let numbers: Vec<Value> = ticks.iter().map(|tick| serde_json::from_str(&tick.data).expect("JSON")).collect();
    let expected: Vec<Value> = (1..=3).map(|number| json!({ "data": { "count": { "number": number } } })).collect();
    assert_eq!(numbers, expected);
    let mut ids: Vec<_> = ticks.iter().map(|tick| tick.id.clone().expect("a cursor")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test]
async fn the_last_event_id_reaches_the_resolver() {
    let mut resuming = request("subscription{count(to:1){resumedAfter}}");
    resuming.headers_mut().insert("last-event-id", "cursor-7".parse().expect("a value"));
    let events = all_events(send(resuming).await).await;
    assert_eq!(events[0].data, r#"{"data":{"count":{"resumedAfter":"cursor-7"}}}"#);

    let mut fresh = request("subscription{count(to:1){number resumedAfter}}");
    fresh.headers_mut().insert("last-event-id", "".parse().expect("a value"));
    let events = all_events(send(fresh).await).await;
    assert_eq!(events[0].data, r#"{"data":{"count":{"number":1,"resumedAfter":null}}}"#);

    let mut forged = request("subscription{count(to:1){number}}");
    forged.headers_mut().insert("last-event-id", "x".repeat(300).parse().expect("a value"));
    assert_eq!(send(forged).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_query_streams_its_one_answer() {
    let events = all_events(send(request("{hello}")).await).await;
    let expected = [
        Event { name: "next".to_owned(), id: None, data: r#"{"data":{"hello":"world"}}"#.to_owned() },
        Event { name: "complete".to_owned(), id: None, data: String::new() },
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_before_the_stream() {
    for (query, status, code) in [
        ("{", 400, "GRAPHQL_PARSE_FAILED"),
        ("subscription{unknown}", 422, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{count{number}}", 422, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{forbidden count(to:1){number}}", 422, "GRAPHQL_VALIDATION_FAILED"),
        ("{unknown}", 422, "GRAPHQL_VALIDATION_FAILED"),
        ("mutation{echo(value:1)}", 422, "OPERATION_NOT_SUPPORTED"),
    ] {
        let response = send(request(query)).await;
        assert_eq!(response.status().as_u16(), status, "{query}");
        assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
        assert_eq!(json(response).await["errors"][0]["extensions"]["code"], code, "{query}");
    }
    let mut plain = request("subscription{count(to:1){number}}");
    plain.headers_mut().insert("accept", "application/json".parse().expect("a value"));
    assert_eq!(send(plain).await.status(), StatusCode::NOT_ACCEPTABLE);
    let mut anonymous = request("subscription{count(to:1){number}}");
    anonymous.headers_mut().remove("authorization");
    assert_eq!(send(anonymous).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_subscription_that_fails_says_so_and_ends() {
    let events = all_events(send(request("subscription{forbidden}")).await).await;
    assert_eq!(events.len(), 2, "{events:?}");
    let payload: Value = serde_json::from_str(&events[0].data).expect("JSON");
    assert_eq!(payload["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(events[1].name, "complete");
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives() {
    let mut setup = Setup::new();
    setup.limits.stream.keep_alive_interval = Duration::from_millis(20);
    let quiet = request("subscription{count(to:1,millis:60000){number}}");
    let mut body = setup.router().oneshot(quiet).await.expect("an answer").into_body().into_data_stream();
    for _ in 0..3 {
        assert_eq!(chunk(&mut body).await.as_deref(), Some(":\n\n"));
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let mut short = request("subscription{count(to:1,millis:60000){number}}");
    short.headers_mut().insert("authorization", "Bearer short-ann".parse().expect("a value"));
    let events = all_events(send(short).await).await;
    let payload: Value = serde_json::from_str(&events[0].data).expect("JSON");
    assert_eq!(payload["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(events[1].name, "complete");
}

#[tokio::test]
async fn a_stopping_server_asks_its_clients_to_come_back() {
    let setup = Setup::new();
    let lifecycle = setup.lifecycle.clone();
    let quiet = request("subscription{count(to:1,millis:60000){number}}");
    let response = setup.router().oneshot(quiet).await.expect("an answer");
    lifecycle.begin_stop();
    let text = text(response).await;
    assert!(text.contains("retry: 2000\n") && events(&text).is_empty(), "{text}");
}

#[tokio::test]
async fn a_client_that_leaves_or_does_not_read_frees_its_place() {
    let mut setup = Setup::new();
    setup.limits.connections_per_subject_max = 1;
    setup.limits.send_timeout = Duration::from_millis(50);
    let router = setup.router();
    let quiet = || request("subscription{count(to:1,millis:60000){number}}");
    let busy = || request("subscription{count(to:100000){number}}");
    let open = async |request| router.clone().oneshot(request).await.expect("an answer");

    let first = open(quiet()).await;
    let refused = open(quiet()).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(json(refused).await["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    drop(first);
    let opens_again = async || {
        for _ in 0..200 {
            let response = open(busy()).await;
            if response.status() == StatusCode::OK {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the place is still taken");
    };
    let _never_read = opens_again().await;
    let _again = opens_again().await;
}
