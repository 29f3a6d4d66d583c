//! GraphQL over HTTP, case by case.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode},
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tower::ServiceExt as _;

use crate::edge::testing::{Setup, json, post, send, text};

const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const HELLO: &str = r#"{"query":"{hello}"}"#;

/// The status and the code of the first error.
async fn refusal(request: Request<Body>) -> (u16, String) {
    let response = send(request).await;
    let status = response.status().as_u16();
    let answer = json(response).await;
    assert_eq!(answer.get("data"), None, "{answer}");
    (status, answer["errors"][0]["extensions"]["code"].as_str().expect("a code").to_owned())
}

async fn refusal_of_body(body: impl Into<Body>) -> (u16, String) {
    refusal(post("/graphql").body(body.into()).expect("a request")).await
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_query_is_answered() {
    let response = send(post("/graphql").body(HELLO.into()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], GRAPHQL);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(text(response).await, r#"{"data":{"hello":"world"}}"#);
}

#[tokio::test]
async fn a_mutation_with_variables_is_answered() {
    let body = json!({ "query": "mutation M($v:Int!){echo(value:$v)}", "variables": { "v": 3 }, "operationName": "M" });
    let response = send(post("/graphql").body(body.to_string().into()).expect("a request")).await;
    assert_eq!((response.status(), json(response).await), (StatusCode::OK, json!({ "data": { "echo": 3 } })));
}

#[tokio::test]
async fn the_answer_has_the_type_that_was_asked_for() {
    for (accept, expected) in [("application/json", JSON), ("*/*", GRAPHQL), ("application/json;q=0.5, */*", GRAPHQL)] {
        for (body, status) in [(HELLO, 200), ("{", 400), (r#"{"query":"{unknown}"}"#, 422)] {
            let response = send(post("/graphql").header("accept", accept).body(body.into()).expect("a request")).await;
            assert_eq!(
                (response.status().as_u16(), &response.headers()["content-type"]),
                (status, &expected.parse().expect("a value"))
            );
        }
    }
    let request = post("/graphql").header("accept", "text/html").body(HELLO.into()).expect("a request");
    assert_eq!(refusal(request).await, code(406, "NOT_ACCEPTABLE"));
}

#[tokio::test]
async fn only_post_executes() {
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"] {
        for path in ["/graphql?query={hello}", "/graphql/stream?query={hello}"] {
            let request = post(path).method(method).header("accept", "*/*").body(HELLO.into()).expect("a request");
            let response = send(request).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(response.headers()["allow"], "POST, OPTIONS");
        }
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let with = |name: &'static str, value: &'static str| {
        let mut request = post("/graphql").body(Body::from(HELLO)).expect("a request");
        request.headers_mut().insert(name, value.parse().expect("a value"));
        request
    };
    let expected = code(415, "UNSUPPORTED_MEDIA_TYPE");
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql"]
    {
        assert_eq!(refusal(with("content-type", media)).await, expected, "{media}");
    }
    let mut request = with("content-type", "x");
    request.headers_mut().remove("content-type");
    assert_eq!(refusal(request).await, expected);
    for encoding in ["gzip", "br", "deflate"] {
        assert_eq!(refusal(with("content-encoding", encoding)).await, expected, "{encoding}");
    }
    assert_eq!(send(with("content-encoding", "identity")).await.status(), StatusCode::OK);
    assert_eq!(send(with("content-type", "application/json; charset=UTF-8")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_wrong_decides_the_status() {
    let malformed = code(422, "BAD_REQUEST");
    let invalid = code(422, "GRAPHQL_VALIDATION_FAILED");
    let too_complex = code(422, "DOCUMENT_TOO_COMPLEX");
    for (body, expected) in [
        ("", code(400, "BAD_REQUEST")),
        ("{\"query\":", code(400, "BAD_REQUEST")),
        ("\u{feff}{}", code(400, "BAD_REQUEST")),
        (r#"{"query":"{"}"#, code(400, "GRAPHQL_PARSE_FAILED")),
        (r#"{"query":""}"#, code(400, "GRAPHQL_PARSE_FAILED")),
        ("{}", malformed.clone()),
        ("null", malformed.clone()),
        (r#"[{"query":"{hello}"}]"#, malformed.clone()),
        (r#"{"query":7}"#, malformed.clone()),
        (r#"{"query":"{hello}","variables":[]}"#, malformed.clone()),
        (r#"{"query":"{hello}","variables":"{}"}"#, malformed.clone()),
        (r#"{"query":"{hello}","operationName":7}"#, malformed),
        (r#"{"query":"{unknown}"}"#, invalid.clone()),
        (r#"{"query":"{hello}","operationName":"A"}"#, invalid.clone()),
        (r#"{"query":"query($v:Int!){echo(value:$v)}"}"#, invalid.clone()),
        (r#"{"query":"query($v:Int!){echo(value:$v)}","variables":{"v":"x"}}"#, invalid.clone()),
        (r#"{"query":"subscription{count(to:1){number}}"}"#, code(422, "OPERATION_NOT_SUPPORTED")),
        (r#"{"query":"{panics}"}"#, code(500, "INTERNAL")),
    ] {
        assert_eq!(refusal_of_body(body).await, expected, "{body}");
    }
    assert_eq!(refusal_of_body(json!({ "query": "{a".repeat(33) }).to_string()).await, too_complex);
    let deep = json!({ "query": "{hello}", "variables": { "v": (0..40).fold(json!(1), |value, _| json!([value])) } });
    assert_eq!(refusal_of_body(deep.to_string()).await, too_complex);
    let deeper = format!(r#"{{"query":"{{hello}}","variables":{{"v":{}"#, "[".repeat(100_000));
    assert_eq!(refusal_of_body(deeper).await, code(400, "BAD_REQUEST"));
    assert_eq!(refusal_of_body(Bytes::from_static(b"{\"query\":\"\xff\"}")).await, code(400, "BAD_REQUEST"));
}

#[tokio::test]
async fn a_field_that_failed_leaves_the_rest() {
    let response = send(post("/graphql").body(r#"{"query":"{hello forbidden}"}"#.into()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer = json(response).await;
    assert_eq!(answer["data"], json!({ "hello": "world", "forbidden": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn a_bearer_token_is_required() {
    let with = |authorization: Option<&'static str>| {
        let mut request = post("/graphql").body(Body::from("{")).expect("a request");
        request.headers_mut().remove("authorization");
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().expect("a value"));
        }
        request
    };
    for (authorization, challenge) in [
        (None, "Bearer realm=\"millrace\""),
        (Some("Bearer forged"), "Bearer realm=\"millrace\", error=\"invalid_token\""),
        (Some("Basic token-ann"), "Bearer realm=\"millrace\", error=\"invalid_token\""),
        (Some("Bearer"), "Bearer realm=\"millrace\", error=\"invalid_token\""),
        (Some("token-ann"), "Bearer realm=\"millrace\", error=\"invalid_token\""),
    ] {
        let response = send(with(authorization)).await;
        assert_eq!(response.headers()["www-authenticate"], challenge);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{authorization:?}");
        assert_eq!(json(response).await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
    // Whoever is signed in learns that the body is broken.
    assert_eq!(refusal(with(Some("bearer token-ann"))).await, code(400, "BAD_REQUEST"));

    let mut twice = with(Some("Bearer token-ann"));
    twice.headers_mut().append("authorization", "Bearer token-bob".parse().expect("a value"));
    assert_eq!(refusal(twice).await, code(401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn the_body_is_limited_whether_its_length_is_told_or_not() {
    let padded = |length: usize| format!("{HELLO}{}", " ".repeat(length - HELLO.len()));
    let limit = 256 * 1024;
    let response = send(post("/graphql").body(padded(limit).into()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::OK);

    let told = post("/graphql").header("content-length", limit + 1).body(padded(limit + 1).into()).expect("a request");
    assert_eq!(refusal(told).await, code(413, "PAYLOAD_TOO_LARGE"));
    let endless = stream::repeat(Bytes::from_static(&[b' '; 4096])).map(Ok::<_, std::io::Error>);
    assert_eq!(refusal_of_body(Body::from_stream(endless)).await, code(413, "PAYLOAD_TOO_LARGE"));
    let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
    assert_eq!(refusal_of_body(Body::from_stream(broken)).await, code(400, "BAD_REQUEST"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut setup = Setup::new();
    setup.limits.body_timeout = Duration::from_millis(50);
    let slow = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]).chain(stream::pending());
    let request = post("/graphql").body(Body::from_stream(slow)).expect("a request");
    let response = setup.router().oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(response.headers()["connection"], "close");
}

#[tokio::test]
async fn a_request_keeps_the_name_its_caller_gave_it() {
    let who = |request_id: &'static str| async move {
        let request = post("/graphql").header("x-request-id", request_id).body(r#"{"query":"{who}"}"#.into());
        let response = send(request.expect("a request")).await;
        let header = response.headers()["x-request-id"].to_str().expect("text").to_owned();
        let answer = json(response).await;
        assert_eq!(answer["data"]["who"], format!("ann {header}"));
        header
    };
    assert_eq!(who("job-7.retry_2").await, "job-7.retry_2");
    for bad in
        ["", "two words", "semi;colon", "é", "0123456789012345678901234567890123456789012345678901234567890123456789"]
    {
        let fresh = who(bad).await;
        assert!(fresh != bad && fresh.len() == 36, "{fresh}");
    }
    let request = post("/graphql").header("x-request-id", "r-9").body(r#"{"query":"{broken}"}"#.into());
    let answer = json(send(request.expect("a request")).await).await;
    assert_eq!(answer["errors"][0]["extensions"]["requestId"], "r-9");
}

#[tokio::test]
async fn foreign_pages_are_refused_and_allowed_ones_can_read_the_answer() {
    let from = |origin: &'static str| post("/graphql").header("origin", origin).body(HELLO.into()).expect("a request");
    assert_eq!(refusal(from("https://evil.example")).await, code(403, "ORIGIN_NOT_ALLOWED"));
    let response = send(from("https://shop.example")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example");
    assert_eq!(response.headers()["vary"], "Origin");

    let rebound = Request::post("/graphql").header("host", "evil.example").body(HELLO.into()).expect("a request");
    assert_eq!(refusal(rebound).await, code(403, "ORIGIN_NOT_ALLOWED"));
    let preflight = post("/graphql").method("OPTIONS").header("origin", "https://shop.example");
    let preflight = preflight.header("access-control-request-method", "POST").body(Body::empty()).expect("a request");
    assert_eq!(send(preflight).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_stopping_server_sends_its_clients_elsewhere() {
    let setup = Setup::new();
    setup.lifecycle.begin_stop();
    let request = post("/graphql").body(Body::from(HELLO)).expect("a request");
    let response = setup.router().oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(json(response).await["errors"][0]["extensions"]["code"], "SHUTTING_DOWN");
}
