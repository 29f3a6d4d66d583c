//! What is refused before execution, and what execution promises.

use std::time::{Duration, Instant};

use async_graphql::{Response, Schema, Value};
use infrastructure::lifecycle::Lifecycle;
use serde_json::json;

use super::{Engine, OperationKind, Prepared};
use crate::{
    engine::{
        GraphQlRequest, Outcome, RequestError, response_json,
        testing::{Mutation, Query, Subscriptions, TestSchema, call, engine},
    },
    error_code::ErrorCode,
};

fn prepare(engine: &Engine<TestSchema>, request: serde_json::Value) -> Result<Prepared, RequestError> {
    engine.prepare(GraphQlRequest::from_value(request)?)
}

fn prepared(request: serde_json::Value) -> Result<Prepared, RequestError> {
    prepare(&engine(&Lifecycle::new()), request)
}

#[track_caller]
fn assert_refused(request: serde_json::Value, code: ErrorCode, message: &str) {
    let error = prepared(request).expect_err("refused");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(message), "{error}");
    for error in error.errors() {
        assert!(error.extensions.is_some_and(|extensions| extensions.get("code").is_some()));
    }
}

async fn execute(engine: &Engine<TestSchema>, query: &str) -> Response {
    let prepared = prepare(engine, json!({ "query": query })).expect("prepared");
    engine.execute(prepared, call("r-1")).await
}

fn json_of(response: &Response) -> serde_json::Value {
    serde_json::from_slice(&response_json(response)).expect("JSON")
}

#[test]
fn the_operation_is_chosen_by_name_or_by_being_alone() {
    let several = "query A{hello} mutation B{echo(value:1)} subscription C{count(to:1){number}}";
    let kind = |name| prepared(json!({ "query": several, "operationName": name })).map(|prepared| prepared.kind());
    assert_eq!(kind("A").ok(), Some(OperationKind::Query));
    assert_eq!(kind("B").ok(), Some(OperationKind::Mutation));
    assert_eq!(kind("C").ok(), Some(OperationKind::Subscription));
    assert_eq!(prepared(json!({ "query": "query A{hello}" })).expect("prepared").kind(), OperationKind::Query);

    let invalid = ErrorCode::GraphqlValidationFailed;
    assert_refused(json!({ "query": several }), invalid, "several operations");
    assert_refused(json!({ "query": several, "operationName": "D" }), invalid, "no operation \"D\"");
    assert_refused(json!({ "query": "{hello}", "operationName": "A" }), invalid, "no operation \"A\"");
    assert_refused(json!({ "query": several, "operationName": "" }), invalid, "no operation \"\"");
}

#[test]
fn a_malformed_request_says_which_field_is_wrong() {
    let bad = ErrorCode::BadRequest;
    assert_refused(json!([{ "query": "{hello}" }]), bad, "batches");
    assert_refused(json!("{hello}"), bad, "a string, not an object");
    assert_refused(json!({}), bad, "\"query\" is missing");
    assert_refused(json!({ "query": null }), bad, "\"query\" is missing");
    assert_refused(json!({ "query": 1 }), bad, "\"query\" is a number");
    assert_refused(json!({ "query": "{hello}", "operationName": [] }), bad, "\"operationName\" is an array");
    assert_refused(json!({ "query": "{hello}", "variables": [] }), bad, "\"variables\" is an array");
    assert_refused(json!({ "query": "{hello}", "extensions": "x" }), bad, "\"extensions\" is a string");
    let lenient = json!({ "query": "{hello}", "operationName": null, "variables": null, "extensions": null, "new": 1 });
    assert!(prepared(lenient).is_ok());
}

#[test]
fn syntax_and_limits_have_codes_of_their_own() {
    assert_refused(json!({ "query": "{" }), ErrorCode::GraphqlParseFailed, "");
    assert_refused(json!({ "query": "" }), ErrorCode::GraphqlParseFailed, "");
    assert_refused(json!({ "query": "fragment F on Query{hello}" }), ErrorCode::GraphqlParseFailed, "");
    assert_refused(json!({ "query": "{a".repeat(33) }), ErrorCode::DocumentTooComplex, "33 levels of nesting");
    assert_refused(
        json!({ "query": "{...F} fragment F on Query{...F}" }),
        ErrorCode::GraphqlValidationFailed,
        "itself",
    );
    let deep = (0..40).fold(json!(1), |value, _| json!([value]));
    let request = json!({ "query": "{hello}", "variables": { "v": deep } });
    assert_refused(request, ErrorCode::DocumentTooComplex, "in the variables");
}

#[test]
fn a_subscription_has_exactly_one_root_field_chosen_without_doubt() {
    let invalid = ErrorCode::GraphqlValidationFailed;
    for (query, message) in [
        ("subscription{count(to:1){number} forbidden}", "exactly one root field"),
        ("subscription{...on Subscriptions{forbidden}}", "not through a fragment"),
        ("subscription{...F} fragment F on Subscriptions{forbidden}", "not through a fragment"),
        ("subscription{__typename}", "introspection"),
        ("subscription($x:Boolean=true){forbidden @skip(if:$x)}", "@skip"),
        ("subscription{forbidden @include(if:false)}", "@include"),
    ] {
        assert_refused(json!({ "query": query }), invalid, message);
    }
    let other = json!({ "query": "query A{hello who} subscription B{forbidden}", "operationName": "A" });
    assert!(prepared(other).is_ok());
}

#[test]
fn variables_that_must_have_a_value_are_asked_for_at_once() {
    let query = "query($a:Int!,$b:[Int!]!,$c:Int,$d:Int!=1){x:echo(value:$a) y:echo(value:$d)}";
    let error = prepared(json!({ "query": query, "variables": { "a": null } })).expect_err("refused");
    let messages: Vec<_> = error.errors().into_iter().map(|error| error.message).collect();
    let expected =
        ["variable \"$a\" of type \"Int!\" must have a value", "variable \"$b\" of type \"[Int!]!\" must have a value"];
    assert_eq!(messages, expected);
    assert!(prepared(json!({ "query": query, "variables": { "a": 1, "b": [] } })).is_ok());
    assert!(prepared(json!({ "query": query, "variables": { "a": 1, "b": [], "d": null } })).is_err());
}

#[test]
fn equal_requests_have_equal_keys() {
    let engine = engine(&Lifecycle::new());
    let query = "subscription C($a:Int,$b:Int){count(to:1){number}}";
    let of = |query: &str, variables| {
        let prepared = prepare(&engine, json!({ "query": query, "variables": variables })).expect("prepared");
        (prepared.document_hash(), prepared.variables_json())
    };
    let request: serde_json::Value = serde_json::from_str(r#"{"b":2,"a":1}"#).expect("JSON");
    assert_eq!(of(query, json!({ "a": 1, "b": 2 })), of(query, request));
    assert_ne!(of(query, json!({ "a": 1 })).1, of(query, json!({ "a": 2 })).1);
    assert_ne!(of(query, json!({})).0, of(&format!("{query} "), json!({})).0);
}

#[test]
fn root_fields_are_told_by_their_names_in_the_schema() {
    let query = "query A{hello} mutation B{a:echo(value:1) slow(millis:1)}";
    let prepared = prepared(json!({ "query": query, "operationName": "B" })).expect("prepared");
    assert_eq!(prepared.root_fields().collect::<Vec<_>>(), ["echo", "slow"]);
}

#[tokio::test]
async fn a_known_document_is_not_parsed_again() {
    let engine = engine(&Lifecycle::new());
    let request = || json!({ "query": "query($v:Int!){echo(value:$v)}", "variables": { "v": 1 } });
    let first = prepare(&engine, request()).expect("prepared");
    let second = prepare(&engine, request()).expect("prepared");
    assert!(std::sync::Arc::ptr_eq(&first.document, &second.document));
    for prepared in [first, second] {
        assert_eq!(json_of(&engine.execute(prepared, call("r-1")).await), json!({ "data": { "echo": 1 } }));
    }
}

#[tokio::test]
async fn a_mutation_goes_on_when_its_caller_leaves() {
    let lifecycle = Lifecycle::new();
    let engine = engine(&lifecycle);
    let prepared = prepare(&engine, json!({ "query": "mutation{slow(millis:30)}" })).expect("prepared");
    let left = tokio::time::timeout(Duration::from_millis(5), engine.execute(prepared, call("r-1"))).await;
    assert!(left.is_err(), "the caller has left before the end");
    assert!(lifecycle.stop(Duration::from_secs(5)).await);
    assert_eq!(json_of(&execute(&engine, "{finished}").await), json!({ "data": { "finished": 1 } }));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_nothing_more() {
    let engine = engine(&Lifecycle::new());
    for query in ["{panics}", "mutation{panics}"] {
        let response = execute(&engine, query).await;
        assert_eq!(Outcome::of(&response), Outcome::Refused);
        let expected = json!({ "errors": [{
            "message": "something went wrong on our side",
            "extensions": { "code": "INTERNAL", "requestId": "r-1" },
        }] });
        assert_eq!(json_of(&response), expected);
    }
    assert_eq!(execute(&engine, "{hello}").await.data, Value::from_json(json!({ "hello": "world" })).expect("a value"));
}

#[tokio::test]
async fn a_subscription_is_validated_without_being_started() {
    let engine = engine(&Lifecycle::new());
    let validate = async |query: &str| {
        let prepared = prepare(&engine, json!({ "query": query })).expect("prepared");
        engine.validate_subscription(&prepared, &call("r-1")).await
    };
    assert!(validate("subscription{forbidden}").await.is_ok());
    for query in ["subscription{unknown}", "subscription{count{number}}", "subscription{count(to:1){nothing}}"] {
        let error = validate(query).await.expect_err("refused");
        assert_eq!(error.code(), ErrorCode::GraphqlValidationFailed, "{error}");
    }
}

#[tokio::test]
async fn the_worst_legal_documents_are_answered_quickly() {
    let engine = engine(&Lifecycle::new());
    let fragment = |index: usize| format!("fragment F{index} on Query{{...F{next} ...F{next}}}", next = index + 1);
    let fragments = (0..9).map(fragment).collect::<Vec<_>>().concat();
    let documents = [
        format!("{{nested{{...F0}}}}{fragments}fragment F9 on Query{{hello}}"),
        format!("{{nested{{{}}}}}", "hello ".repeat(1_990)),
        format!("{{nested{{{}}}}}", "unknown ".repeat(1_990)),
    ];
    for document in documents {
        let started = Instant::now();
        let response = execute(&engine, &document).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{:?} for {document}", started.elapsed());
        assert!(response.errors.len() <= 20 && response_json(&response).len() < 64 * 1024);
    }
}

/// As deep as what tools ask: nine times `ofType`.
const DEEP_INTROSPECTION: &str = "{ __schema { types { fields { args { type { ofType { ofType { ofType { ofType { \
     ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } } } } } }";

#[tokio::test]
async fn tools_may_ask_for_the_schema_more_deeply_than_for_data() {
    let lifecycle = Lifecycle::new();
    let strict = engine(&lifecycle);
    let refused = execute(&strict, DEEP_INTROSPECTION).await;
    assert_eq!(refused.errors.len(), 1, "{:?}", refused.errors);

    let lenient = Schema::build(Query, Mutation, Subscriptions).finish();
    let engine = strict.with_introspection(lenient);
    let answered = execute(&engine, DEEP_INTROSPECTION).await;
    assert!(answered.errors.is_empty(), "{:?}", answered.errors);

    // Data beside it brings the strict limits back.
    let mixed = DEEP_INTROSPECTION.replacen('{', "{ hello ", 1);
    let refused = execute(&engine, &mixed).await;
    assert_eq!(refused.errors.len(), 1, "{:?}", refused.errors);
}
