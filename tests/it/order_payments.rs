//! The payments of an order: every attempt, what became of its money, and how that was at an earlier time.

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    server::{Server, eventually},
    shop::{self, ORDER_PLACE, ORDER_SHIP, order_input},
};

const PAY: &str = "mutation Pay($input: OrderPayInput!) { orderPay(input: $input) {
    order { id payments { attempt } } userErrors { code } } }";
const REFUND: &str = "mutation Refund($input: OrderRefundInput!) { orderRefund(input: $input) {
    order { id } userErrors { code } } }";
const ORDER: &str = "query O($id: ID!, $asOf: OrderAsOf) { order(id: $id, asOf: $asOf) { version status paymentStatus
    captures { id amount { amount } } refunds { id status }
    history(first: 50) { nodes { version kind position } }
    payments { id attempt status declinedReason requestedAt authorisedAt closedAt
        requested { amount currencyCode } authorised { amount } captured { amount } refunded { amount }
        captures { id amount { amount } status requestedAt settledAt }
        refunds { id amount { amount } status requestedAt settledAt } } } }";

async fn send(client: &Client, mutation: &str, input: Value) -> Answer {
    client.graphql(mutation, json!({ "input": input })).await
}

/// An order of two pieces at 19.90 euros, paid with this token.
async fn placed(server: &Server, client: &Client, token: &str) -> String {
    let tea = shop::register(&server.operator(), "TEA-1").await;
    let mut input = order_input(&tea.id, 2);
    input["paymentToken"] = json!(token);
    send(client, ORDER_PLACE, input).await.text("/orderPlace/order/id")
}

/// The order once it has this payment status, and the payments what makes it so.
async fn until(client: &Client, order: &str, status: &str) -> Value {
    eventually(&format!("the order is {status}"), async || {
        let answer = client.graphql(ORDER, json!({ "id": order })).await;
        let found = answer.get("/order").clone();
        (found["paymentStatus"] == status).then_some(found)
    })
    .await
}

async fn as_of(client: &Client, order: &str, as_of: Value) -> Value {
    client.graphql(ORDER, json!({ "id": order, "asOf": as_of })).await.get("/order").clone()
}

#[tokio::test]
async fn every_attempt_is_told_of_with_what_became_of_its_money() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let order = placed(&server, &alice, "tok_declined").await;
    let declined = until(&alice, &order, "DECLINED").await;
    let [first] = &declined["payments"].as_array().expect("a list")[..] else { panic!("{declined}") };
    assert_eq!((&first["attempt"], &first["status"]), (&json!(1), &json!("DECLINED")));
    assert!(first["declinedReason"].is_string() && first["closedAt"].is_string(), "{first}");
    assert_eq!(first["requested"], json!({ "amount": "39.80", "currencyCode": "EUR" }));
    assert_eq!((&first["authorised"]["amount"], &first["authorisedAt"]), (&json!("0.00"), &Value::Null));

    send(&alice, PAY, json!({ "id": order, "paymentToken": "tok_visa" })).await.done("orderPay");
    until(&alice, &order, "AUTHORISED").await;
    let part = json!([{ "line": 0, "quantity": 1 }]);
    for lines in [part.clone(), json!(null)] {
        send(&operator, ORDER_SHIP, json!({ "id": order, "lines": lines })).await.done("orderShip");
    }
    until(&alice, &order, "PAID").await;
    let refund = json!({ "id": order, "lines": part, "reason": "broken" });
    send(&operator, REFUND, refund).await.done("orderRefund");
    let paid = until(&alice, &order, "PARTIALLY_REFUNDED").await;
    let payments = paid["payments"].as_array().expect("a list");
    assert_eq!((payments.len(), &payments[0]), (2, first), "the first attempt is as it was");
    let second = &payments[1];
    assert_eq!((&second["attempt"], &second["status"]), (&json!(2), &json!("AUTHORISED")));
    assert_eq!((&second["declinedReason"], &second["closedAt"]), (&Value::Null, &Value::Null));
    let amounts = ["requested", "authorised", "captured", "refunded"].map(|sum| second[sum]["amount"].clone());
    assert_eq!(amounts, ["39.80", "39.80", "39.80", "19.90"]);
    for (parts, count) in [("captures", 2), ("refunds", 1)] {
        let parts = second[parts].as_array().expect("a list");
        assert_eq!(parts.len(), count, "{second}");
        for part in parts {
            assert_eq!((&part["amount"]["amount"], &part["status"]), (&json!("19.90"), &json!("DONE")));
            assert!(part["requestedAt"].as_str() <= part["settledAt"].as_str(), "{part}");
        }
    }
    // The order calls them by the same names. It has them as they were done, the payment as they were asked for.
    for parts in ["captures", "refunds"] {
        let names = |of: &Value| -> Vec<String> {
            let mut names: Vec<_> =
                of[parts].as_array().expect("a list").iter().map(|part| part["id"].to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&paid), names(second));
    }
}

#[tokio::test]
async fn an_order_as_it_was_has_its_payments_as_they_were() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let order = placed(&server, &alice, "tok_declined").await;
    until(&alice, &order, "DECLINED").await;
    send(&alice, PAY, json!({ "id": order, "paymentToken": "tok_visa" })).await.done("orderPay");
    until(&alice, &order, "AUTHORISED").await;
    send(&operator, ORDER_SHIP, json!({ "id": order })).await.done("orderShip");
    let now = until(&alice, &order, "PAID").await;
    let statuses = |order: &Value| -> Vec<(Value, Value)> {
        let payments = order["payments"].as_array().expect("a list");
        payments.iter().map(|one| (one["status"].clone(), one["captured"]["amount"].clone())).collect()
    };
    let [declined, held, taken] =
        [("DECLINED", "0.00"), ("AUTHORISED", "0.00"), ("AUTHORISED", "39.80")].map(|(a, b)| (json!(a), json!(b)));
    assert_eq!(statuses(&now), [declined.clone(), taken.clone()]);
    for event in now["history"]["nodes"].as_array().expect("a list") {
        let expected = match event["kind"].as_str().expect("a kind") {
            "PLACED" => vec![],
            "PAYMENT_FAILED" | "PAYMENT_CHOSEN" => vec![declined.clone()],
            "CONFIRMED" | "SHIPPED" => vec![declined.clone(), held.clone()],
            "PAID" => vec![declined.clone(), taken.clone()],
            other => panic!("{other}"),
        };
        for point in [json!({ "version": event["version"] }), json!({ "position": event["position"] })] {
            let then = as_of(&alice, &order, point.clone()).await;
            assert_eq!(statuses(&then), expected, "{event}, {point}");
        }
    }
    let then = as_of(&alice, &order, json!({ "time": "2999-01-01T00:00:00Z" })).await;
    assert_eq!(then["payments"], now["payments"]);
}

#[tokio::test]
async fn customers_see_the_payments_of_their_own_orders_and_nobody_the_token() {
    const TOKEN: &str = "tok_secret_of_alice";
    let server = Server::start().await;
    let (operator, alice, bob) = (server.operator(), server.customer("alice"), server.customer("bob"));
    let order = placed(&server, &alice, TOKEN).await;
    until(&alice, &order, "AUTHORISED").await;
    let list = "{ orders(first: 9) { nodes { paymentStatus payments { attempt status } } } }";
    for client in [&operator, &alice] {
        let seen = client.graphql(ORDER, json!({ "id": order })).await;
        assert_eq!(seen.get("/order/payments/0/status"), "AUTHORISED");
        let listed = client.graphql(list, json!({})).await;
        assert_eq!(*listed.get("/orders/nodes/0/payments"), json!([{ "attempt": 1, "status": "AUTHORISED" }]));
        assert!(!seen.body.to_string().contains(TOKEN) && !listed.body.to_string().contains(TOKEN));
    }
    assert_eq!(*bob.graphql(ORDER, json!({ "id": order })).await.get("/order"), Value::Null);
    assert_eq!(*bob.graphql(list, json!({})).await.get("/orders/nodes"), json!([]));
    // On account there are none.
    let pot = shop::register(&operator, "POT-1").await;
    let on_account = shop::place(&bob, &pot.id).await;
    let seen = bob.graphql(ORDER, json!({ "id": on_account.id, "asOf": { "version": 0 } })).await;
    assert_eq!(*seen.get("/order/payments"), json!([]));
}

#[tokio::test]
async fn a_subscriber_is_told_the_payments_as_they_were_with_each_change() {
    let server = Server::start().await;
    let alice = server.customer("alice");
    let before = shop::register(&server.operator(), "POT-1").await.position;
    let order = placed(&server, &alice, "tok_visa").await;
    until(&alice, &order, "AUTHORISED").await;
    let mut socket = alice.web_socket().await;
    let updates = "subscription U($id: ID!, $after: Position) { orderUpdates(id: $id, after: $after) {
        __typename ... on OrderChanged { kind order { payments { status } } } } }";
    socket.subscribe("1", updates, json!({ "id": order, "after": before })).await;
    // A change is in the row a little before it is told: so the socket may have caught up before the second one.
    let (mut told, mut has_caught_up) = (Vec::new(), false);
    while told.len() < 2 || !has_caught_up {
        let payload = socket.next_payload().await;
        let update = payload["data"]["orderUpdates"].clone();
        if update["__typename"] == "OrderChanged" {
            told.push((update["kind"].clone(), update["order"]["payments"].clone()));
        } else {
            assert_eq!(update["__typename"], "CaughtUp");
            has_caught_up = true;
        }
    }
    let expected = [("PLACED", json!([])), ("CONFIRMED", json!([{ "status": "AUTHORISED" }]))];
    assert_eq!(told, expected.map(|(kind, payments)| (json!(kind), payments)));
}
