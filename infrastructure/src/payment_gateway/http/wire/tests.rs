//! What is written to a provider, and what is read from it.

use domain::testing::{eur, id, label, the_order, the_payment, token};
use serde_json::{Value, json};

use super::*;

const PAYMENT: &str = "01900000-0000-7000-8000-000000000003";
const PART: &str = "01900000-0000-7000-8000-000000000007";

fn calls() -> [ProviderCall; 4] {
    let (payment, reference) = (the_payment(), label("auth-1"));
    [
        ProviderCall::Authorise { payment, order: the_order(), amount: eur(5000), token: token("tok_visa") },
        ProviderCall::Capture { payment, reference: reference.clone(), capture: id(7), amount: eur(3000) },
        ProviderCall::Void { payment, reference: reference.clone() },
        ProviderCall::Refund { payment, reference, refund: id(7), amount: eur(1000) },
    ]
}

fn money(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "EUR" })
}

fn answer(call: &ProviderCall, body: &Value) -> Result<Answer, String> {
    answered(call, body.to_string().as_bytes())
}

#[test]
fn a_call_is_written_as_it_is_documented() {
    let order = "01900000-0000-7000-8000-000000000001";
    let expected = [
        json!({ "payment": PAYMENT, "order": order, "amount": money(5000), "token": "tok_visa" }),
        json!({ "payment": PAYMENT, "reference": "auth-1", "capture": PART, "amount": money(3000) }),
        json!({ "payment": PAYMENT, "reference": "auth-1" }),
        json!({ "payment": PAYMENT, "reference": "auth-1", "refund": PART, "amount": money(1000) }),
    ];
    for (call, expected) in calls().iter().zip(expected) {
        assert_eq!(serde_json::from_slice::<Value>(&asked(call)).expect("it is JSON"), expected);
    }
}

#[test]
fn an_answer_is_a_fact_of_the_call() {
    let [authorise, capture, void, refund] = calls();
    let no = || label("so much is not there");
    let cases = [
        (
            &authorise,
            json!({ "status": "authorised", "reference": "r", "amount": money(5000) }),
            ProviderFact::Authorised { reference: label("r"), amount: eur(5000) },
        ),
        (
            &authorise,
            json!({ "status": "declined", "reason": "suspected_fraud" }),
            ProviderFact::Declined { reason: DeclineReason::SuspectedFraud },
        ),
        (
            &capture,
            json!({ "status": "captured", "amount": money(3000) }),
            ProviderFact::Captured { capture: id(7), amount: eur(3000) },
        ),
        (
            &capture,
            json!({ "status": "captured", "capture": PART, "amount": money(2000) }),
            ProviderFact::Captured { capture: id(7), amount: eur(2000) },
        ),
        (
            &capture,
            json!({ "status": "capture_failed", "reason": "so much is not there" }),
            ProviderFact::CaptureFailed { capture: id(7), reason: no() },
        ),
        (&void, json!({ "status": "voided" }), ProviderFact::Voided),
        (&void, json!({ "status": "expired", "more": 1 }), ProviderFact::Expired),
        (
            &refund,
            json!({ "status": "refunded", "amount": money(1000) }),
            ProviderFact::Refunded { refund: id(7), amount: eur(1000) },
        ),
        (
            &refund,
            json!({ "status": "refund_failed", "reason": "so much is not there" }),
            ProviderFact::RefundFailed { refund: id(7), reason: no() },
        ),
    ];
    for (call, body, fact) in cases {
        assert_eq!(answer(call, &body), Ok(Answer::Fact(fact)), "{body}");
    }
    for call in calls() {
        assert_eq!(answer(&call, &json!({ "status": "pending" })), Ok(Answer::Later));
    }
}

#[test]
fn what_does_not_answer_the_call_is_no_answer() {
    let [authorise, capture, void, refund] = calls();
    let captured = json!({ "status": "captured", "amount": money(3000) });
    for call in [&authorise, &void, &refund] {
        answer(call, &captured).expect_err("it is about a capture");
    }
    let other = json!({ "status": "captured", "capture": PAYMENT, "amount": money(3000) });
    answer(&capture, &other).expect_err("it is about another capture");
    let other = json!({ "status": "refunded", "refund": PAYMENT, "amount": money(1000) });
    answer(&refund, &other).expect_err("it is about another refund");
    for body in [
        json!({}),
        json!([]),
        json!({ "status": "captured" }),
        json!({ "status": "done" }),
        json!({ "status": "captured", "amount": { "minor": -1, "currency": "EUR" } }),
        json!({ "status": "captured", "amount": { "minor": 1.5, "currency": "EUR" } }),
        json!({ "status": "captured", "amount": { "minor": 1, "currency": "XYZ" } }),
    ] {
        answer(&capture, &body).expect_err(&body.to_string());
    }
    for body in ["", "{", "<html>", "{\"status\":\"voided\"} more"] {
        answered(&void, body.as_bytes()).expect_err(body);
    }
}

#[test]
fn an_error_does_not_repeat_what_the_provider_says() {
    let [_, capture, ..] = calls();
    let body = json!({ "status": "captured", "amount": "Bearer secret" });
    let error = answer(&capture, &body).expect_err("it is no amount");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn reasons_that_are_not_known_are_a_plain_no_and_words_are_cut_to_a_line() {
    let [authorise, capture, ..] = calls();
    let body = json!({ "status": "declined", "reason": "do_not_honour" });
    assert_eq!(answer(&authorise, &body), Ok(Answer::Fact(ProviderFact::Declined { reason: DeclineReason::Refused })));
    for (said, kept) in
        [("a\nb\u{0}c", "abc".to_owned()), ("", "no reason given".to_owned()), (&"x".repeat(999), "x".repeat(200))]
    {
        let fact = ProviderFact::CaptureFailed { capture: id(7), reason: label(&kept) };
        let body = json!({ "status": "capture_failed", "reason": said });
        assert_eq!(answer(&capture, &body), Ok(Answer::Fact(fact)));
    }
}

#[test]
fn a_notice_names_itself_the_payment_and_the_part() {
    let told = |more: Value| {
        let mut body = json!({ "id": "evt-1", "payment": PAYMENT });
        let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) else { panic!("they are objects") };
        body.extend(more);
        noticed(Value::Object(body.clone()).to_string().as_bytes())
    };
    let cases = [
        (
            json!({ "status": "authorised", "reference": "r", "amount": money(5000) }),
            ProviderFact::Authorised { reference: label("r"), amount: eur(5000) },
        ),
        (
            json!({ "status": "declined", "reason": "card_expired" }),
            ProviderFact::Declined { reason: DeclineReason::CardExpired },
        ),
        (
            json!({ "status": "captured", "capture": PART, "amount": money(1) }),
            ProviderFact::Captured { capture: id(7), amount: eur(1) },
        ),
        (
            json!({ "status": "capture_failed", "capture": PART, "reason": "no" }),
            ProviderFact::CaptureFailed { capture: id(7), reason: label("no") },
        ),
        (json!({ "status": "voided" }), ProviderFact::Voided),
        (
            json!({ "status": "refunded", "refund": PART, "amount": money(1) }),
            ProviderFact::Refunded { refund: id(7), amount: eur(1) },
        ),
        (
            json!({ "status": "refund_failed", "refund": PART, "reason": "no" }),
            ProviderFact::RefundFailed { refund: id(7), reason: label("no") },
        ),
        (json!({ "status": "expired" }), ProviderFact::Expired),
    ];
    for (more, fact) in cases {
        let notice = ProviderNotice { id: label("evt-1"), payment: the_payment(), fact };
        assert_eq!(told(more.clone()), Ok(notice), "{more}");
    }
    for more in [
        json!({}),
        json!({ "status": "pending" }),
        json!({ "status": "captured", "amount": money(1) }),
        json!({ "status": "refund_failed", "reason": "no" }),
        json!({ "status": "voided", "id": "" }),
        json!({ "status": "voided", "payment": "x" }),
    ] {
        told(more.clone()).expect_err(&more.to_string());
    }
}
