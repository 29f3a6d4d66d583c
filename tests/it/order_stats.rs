//! Order statistics over real HTTP: counted by the hour, summed up, the same after a rebuild, and for operators alone.

use serde_json::{Value, json};
use tests::{
    client::Client,
    server::{Server, eventually},
    shop::{self, ORDER_PLACE, order_input},
};

const STATS: &str = "query S($from: DateTime!, $to: DateTime!, $bucket: OrderStatsBucket!, $currency: CurrencyCode!,
        $minPosition: Position) {
    orderStats(range: { from: $from, to: $to }, bucket: $bucket, currency: $currency, minPosition: $minPosition) {
        currencyCode position
        total { from to placed confirmed cancelled cancelledByReason { reason orders } shipped delivered units
            revenue { amount currencyCode } refunded { amount } }
        buckets { from placed } } }";
const NOW: &str = "query N($id: ID!) { order(id: $id) { placedAt status paymentStatus } }";
const PAY_BACK: &str = "mutation R($input: OrderRefundInput!) { orderRefund(input: $input) {
    userErrors { code message } position } }";

/// The day of the order, and the day after.
async fn day_of(operator: &Client, order: &str) -> (String, String) {
    let answer = operator.graphql(NOW, json!({ "id": order })).await;
    let at: chrono::DateTime<chrono::Utc> =
        answer.get("/order/placedAt").as_str().expect("a moment").parse().expect("a moment");
    (at.to_rfc3339(), (at + chrono::TimeDelta::days(1)).to_rfc3339())
}

async fn until(operator: &Client, order: &str, field: &str, value: &str) {
    eventually(&format!("{field} is {value}"), async || {
        let answer = operator.graphql(NOW, json!({ "id": order })).await;
        // The read model may not have it yet.
        (answer.body.pointer(&format!("/data/order/{field}")) == Some(&json!(value))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn everything_that_happens_to_orders_counts_once_and_a_rebuild_counts_the_same() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut input = order_input(&tea.id, 2);
    input["paymentToken"] = json!("tok_visa");
    let paid = alice.graphql(ORDER_PLACE, json!({ "input": input })).await;
    let paid = paid.done("orderPlace")["order"]["id"].as_str().expect("an id").to_owned();
    until(&operator, &paid, "status", "CONFIRMED").await;
    shop::ship(&operator, &paid).await;
    until(&operator, &paid, "paymentStatus", "PAID").await;
    shop::deliver(&operator, &paid).await;
    let back = json!({ "id": paid, "reason": "a scratch", "amount": { "amount": "1.50", "currencyCode": "EUR" } });
    operator.graphql(PAY_BACK, json!({ "input": back })).await.done("orderRefund");
    until(&operator, &paid, "paymentStatus", "PARTIALLY_REFUNDED").await;
    let given_up = shop::place(&operator, &tea.id).await;
    let last = shop::cancel(&operator, &given_up.id).await;

    let (from, to) = day_of(&operator, &paid).await;
    let variables = |bucket: &str, currency: &str| json!({ "from": from, "to": to, "bucket": bucket, "currency": currency, "minPosition": last.position });
    let total = async |bucket: &str, currency: &str| {
        let answer = operator.graphql(STATS, variables(bucket, currency)).await;
        let mut total = answer.get("/orderStats/total").clone();
        let fields = total.as_object_mut().expect("a total");
        fields.remove("from");
        fields.remove("to");
        (total, answer.get("/orderStats/buckets").as_array().expect("buckets").len())
    };
    let expected = json!({
        "placed": 2, "confirmed": 1, "cancelled": 1, "shipped": 1, "delivered": 1, "units": 3,
        "cancelledByReason": [{ "reason": "CUSTOMER_REQUEST", "orders": 1 }],
        "revenue": { "amount": "39.80", "currencyCode": "EUR" }, "refunded": { "amount": "1.50" },
    });
    assert_eq!(total("HOUR", "EUR").await, (expected.clone(), 25));
    let (days, months) = (total("DAY", "EUR").await, total("MONTH", "EUR").await);
    assert_eq!((&days.0, days.1, &months.0), (&expected, 2, &expected));
    assert_eq!(total("DAY", "USD").await.0["placed"], 0);

    let rebuilt = server.millrace(&["projections", "rebuild", "order_stats", "--reason", "to compare"]);
    assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
    assert_eq!(total("DAY", "EUR").await.0, expected);
    let verified = server.millrace(&["verify", "order_stats"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[tokio::test]
async fn statistics_are_for_operators_and_of_ranges_that_end() {
    let server = Server::start().await;
    let ask = async |client: &Client, from: &str, to: &str, currency: &str| {
        let variables = json!({ "from": from, "to": to, "bucket": "HOUR", "currency": currency });
        let answer = client.graphql(STATS, variables).await;
        answer.body.pointer("/errors/0/extensions/code").cloned().unwrap_or(Value::Null)
    };
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let (day, next, year) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(ask(&alice, day, next, "EUR").await, "FORBIDDEN");
    assert_eq!(ask(&operator, day, next, "EUR").await, Value::Null);
    assert_eq!(ask(&operator, next, day, "EUR").await, "BAD_USER_INPUT");
    assert_eq!(ask(&operator, day, day, "EUR").await, "BAD_USER_INPUT");
    assert_eq!(ask(&operator, day, year, "EUR").await, "BAD_USER_INPUT", "too many hours");
    assert_eq!(ask(&operator, day, next, "EURO").await, "BAD_USER_INPUT");
}
