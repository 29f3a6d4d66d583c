//! What becomes of answers, from a server of this version and from something else.

use serde_json::json;

use super::*;

#[test]
fn an_answer_without_errors_is_its_data() {
    assert_eq!(data(json!({ "data": { "a": 1 } }), "X_Y").unwrap(), json!({ "a": 1 }));
}

#[test]
fn an_error_keeps_its_code_and_what_was_typed_is_told_from_what_is_broken() {
    let failed = |code: &str| {
        let answer = json!({ "data": null, "errors": [{ "message": "no", "extensions": { "code": code } }] });
        data(answer, "X_Y").unwrap_err()
    };
    for (code, exit_code) in [("BAD_USER_INPUT", 2), ("FORBIDDEN", 1), ("INTERNAL", 1), ("FROM_THE_FUTURE", 1)] {
        let failure = failed(code);
        assert_eq!((&*failure.code, failure.exit_code, failure.message.as_str()), (code, exit_code, "no"));
        assert!(!failure.advice.is_empty(), "{code}");
    }
    let unnamed = data(json!({ "errors": [{ "message": "no" }] }), "X_Y").unwrap_err();
    assert_eq!(unnamed.code, "X_Y");
    let answer = json!({ "errors": [{ "message": "no", "extensions": { "code": "INTERNAL", "requestId": "r1" } }] });
    assert_eq!(data(answer, "X_Y").unwrap_err().message, "no (request r1)");
}

#[test]
fn a_refused_order_says_all_that_was_wrong_under_the_first_code() {
    let errors = [("NO_KEYS", "there are no keys"), ("INVALID_REASON", "the reason is empty")];
    let errors = errors.map(|(code, message)| json!({ "code": code, "message": message, "field": [] }));
    let failure = refusal(&json!({ "userErrors": errors })).unwrap_err();
    assert_eq!((&*failure.code, failure.exit_code), ("NO_KEYS", 2));
    assert_eq!(failure.message, "there are no keys; the reason is empty");
    assert!(refusal(&json!({ "userErrors": [] })).is_ok());
}

#[test]
fn an_answer_of_another_form_is_no_success() {
    assert_eq!(refusal(&json!({})).unwrap_err().code, "ANSWER_UNREADABLE");
    assert_eq!(refusal(&json!({ "userErrors": [{ "kode": "A" }] })).unwrap_err().code, "ANSWER_UNREADABLE");
    assert_eq!(parsed::<Vec<u64>>(json!(["a"])).unwrap_err().code, "ANSWER_UNREADABLE");
}
