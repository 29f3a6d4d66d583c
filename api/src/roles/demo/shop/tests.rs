//! What is read out of answers, and what steps are in the API's words.

use super::*;

#[test]
fn an_order_is_read_as_it_was_answered() {
    let order = json!({
        "status": "SHIPPED", "paymentStatus": "PARTIALLY_PAID",
        "total": { "amount": "25.00" }, "paid": { "amount": "12.50" }, "refunded": { "amount": "0.05" },
        "lines": [{ "index": 0, "quantity": 2 }, { "index": 1, "quantity": 7 }],
        "shipments": [{ "lines": [] }], "returns": [{ "receivedAt": null }, { "receivedAt": "2026-01-01T00:00:00Z" }],
        "refunds": [{ "status": "REQUESTED" }, { "status": "DONE" }],
    });
    let expected = Seen {
        status: Status::Shipped,
        is_declined: false,
        lines: vec![(0, 2), (1, 7)],
        shipments: 1,
        returns: vec![false, true],
        refunds: 2,
        refunds_open: 1,
        paid: 1_250,
        refunded: 5,
        total: 2_500,
    };
    assert_eq!(seen(&order), expected);
}

#[test]
fn customers_take_their_own_steps_and_the_shop_the_others() {
    let input = |step: &Step| mutation(step).map(|(name, input)| (name, Value::Object(input)));
    let returned = Step::RequestReturn(vec![(1, 2)]);
    assert!(is_the_customers(&returned) && !is_the_customers(&Step::Deliver));
    let expected = json!({ "lines": [{ "line": 1, "quantity": 2 }], "reason": "not what I expected" });
    assert_eq!(input(&returned), Some(("orderReturnRequest", expected)));
    let amount = json!({ "amount": { "amount": "1.05", "currencyCode": "EUR" }, "reason": "a scratch" });
    assert_eq!(input(&Step::RefundAmount(105)), Some(("orderRefund", amount)));
    assert_eq!((input(&Step::Wait), input(&Step::Done)), (None, None));
}
