//! Every error has a code, and none tells what is inside.

use async_graphql::Response;
use infrastructure::lifecycle::Lifecycle;
use serde_json::{Value, json};

use super::{Outcome, RESPONSE_ERRORS_MAX, response_json};
use crate::engine::{
    GraphQlRequest,
    testing::{call, engine},
};

async fn response(request: Value) -> Response {
    let engine = engine(&Lifecycle::new());
    let prepared = engine.prepare(GraphQlRequest::from_value(request).expect("a request")).expect("prepared");
    engine.execute(prepared, call("r-7")).await
}

async fn answer(request: Value) -> Value {
    serde_json::from_slice(&response_json(&response(request).await)).expect("JSON")
}

fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().expect("errors");
    errors.iter().map(|error| error["extensions"]["code"].as_str().expect("a code")).collect()
}

#[tokio::test]
async fn internals_are_hidden_and_traceable() {
    for field in ["broken", "careless"] {
        let answer = answer(json!({ "query": format!("{{hello {field}}}") })).await;
        let expected = json!({
            "data": { "hello": "world", field: null },
            "errors": [{
                "message": "something went wrong on our side",
                "path": [field],
                "extensions": { "code": "INTERNAL", "requestId": "r-7" },
            }],
        });
        assert_eq!(answer, expected);
    }
}

#[tokio::test]
async fn expected_errors_keep_message_and_code() {
    let answer = answer(json!({ "query": "{nested{hello forbidden}}" })).await;
    assert_eq!(answer["data"], json!({ "nested": { "hello": "world", "forbidden": null } }));
    assert_eq!(answer["errors"][0]["message"], "operators only");
    assert_eq!(answer["errors"][0]["path"], json!(["nested", "forbidden"]));
    assert_eq!(codes(&answer), ["FORBIDDEN"]);
}

#[tokio::test]
async fn a_request_that_was_never_executed_has_no_data() {
    let response = response(json!({ "query": "{unknown}" })).await;
    assert_eq!(Outcome::of(&response), Outcome::Refused);
    let answer: Value = serde_json::from_slice(&response_json(&response)).expect("JSON");
    assert_eq!(answer.get("data"), None);
    assert_eq!(codes(&answer), ["GRAPHQL_VALIDATION_FAILED"]);
}

#[tokio::test]
async fn a_request_whose_only_field_failed_has_null_data() {
    let response = response(json!({ "query": "{forbidden}" })).await;
    assert_eq!(Outcome::of(&response), Outcome::NoData);
    let answer: Value = serde_json::from_slice(&response_json(&response)).expect("JSON");
    assert_eq!(answer.get("data"), Some(&Value::Null));
}

#[tokio::test]
async fn wrong_values_are_the_clients_errors() {
    let query = "query($v:Int!){echo(value:$v)}";
    let wrong_type = answer(json!({ "query": query, "variables": { "v": "one" } })).await;
    assert_eq!(wrong_type.get("data"), None, "{wrong_type}");
    assert_eq!(codes(&wrong_type), ["GRAPHQL_VALIDATION_FAILED"]);

    let query = "query($at:DateTime!){time(at:$at)}";
    let no_time = answer(json!({ "query": query, "variables": { "at": "yesterday" } })).await;
    assert_eq!(codes(&no_time), ["BAD_USER_INPUT"], "{no_time}");
}

#[tokio::test]
async fn documents_over_the_limits_of_the_schema_are_too_complex() {
    let too_deep = answer(json!({ "query": format!("{}hello{}", "{nested".repeat(12) + "{", "}".repeat(13)) })).await;
    assert_eq!(codes(&too_deep), ["DOCUMENT_TOO_COMPLEX"], "{too_deep}");
    let too_complex = answer(json!({ "query": format!("{{nested{{{}}}}}", "hello ".repeat(600)) })).await;
    assert_eq!(codes(&too_complex), ["DOCUMENT_TOO_COMPLEX"], "{too_complex}");
    let too_recursive = "{nested".repeat(31) + "{hello" + &"}".repeat(32);
    assert_eq!(codes(&answer(json!({ "query": too_recursive })).await), ["DOCUMENT_TOO_COMPLEX"]);
}

#[tokio::test]
async fn errors_are_not_amplified() {
    let many = format!("{{nested{{{}}}}}", "unknown ".repeat(300));
    let response = response(json!({ "query": many })).await;
    assert_eq!(response.errors.len(), RESPONSE_ERRORS_MAX);
    assert!(response_json(&response).len() < 10 * 1024);
}

#[tokio::test]
async fn resolvers_know_who_calls() {
    let answer = answer(json!({ "query": "{who}" })).await;
    assert_eq!(answer, json!({ "data": { "who": "ann r-7" } }));
}
