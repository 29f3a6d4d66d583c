//! Orders that fulfil themselves: reserved, paid, confirmed, shipped, brought back; with a provider that is late or says no,
//! and with a server that is killed while hundreds want the same pieces.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value, json};
use tests::{
    binary, books,
    client::{Answer, Client},
    random::Random,
    server::{Server, Start, eventually, temp_dir},
    shop::{self, ORDER_PLACE, ORDER_SHIP, PRODUCT_REGISTER},
};
use tokio::{sync::watch, task::JoinSet};

const ORDER: &str = "query O($id: ID!) { order(id: $id) { id status paymentStatus fulfilmentStatus cancelReason
    paid { amount } refunded { amount } refunds { status } isOverdue } }";
const STOCK: &str = "query S($sku: String!) { stock(sku: $sku) { onHand reserved available } }";
const PAY: &str = "mutation Pay($input: OrderPayInput!) { orderPay(input: $input) {
    order { id } userErrors { code field } } }";
const CANCEL: &str = "mutation Cancel($input: OrderCancelInput!) { orderCancel(input: $input) {
    order { id } userErrors { code field } } }";
const RETURN: &str = "mutation Return($input: OrderReturnRequestInput!) { orderReturnRequest(input: $input) {
    order { id } userErrors { code field } } }";
const RECEIVE: &str = "mutation Receive($input: OrderReturnReceiveInput!) { orderReturnReceive(input: $input) {
    order { id } userErrors { code field } } }";
const REFUND: &str = "mutation Refund($input: OrderRefundInput!) { orderRefund(input: $input) {
    order { id } userErrors { code field } } }";
const UPDATES: &str = "subscription U($id: ID!, $after: Position!) { orderUpdates(id: $id, after: $after) {
    __typename ... on OrderChanged { order { status paymentStatus } } } }";

async fn send(client: &Client, mutation: &str, input: Value) -> Answer {
    client.graphql(mutation, json!({ "input": input })).await
}

/// A product whose pieces are counted, at 19.90 euros, with so many of them.
async fn counted(operator: &Client, sku: &str, pieces: i64) -> String {
    let price = json!({ "amount": "19.90", "currencyCode": "EUR" });
    let answer = send(operator, PRODUCT_REGISTER, json!({ "sku": sku, "name": sku, "price": price })).await;
    if pieces > 0 {
        shop::receive(operator, sku, pieces, &format!("first {sku}")).await;
    }
    answer.text("/productRegister/product/id")
}

fn paid_with(token: &str, lines: &[(&str, i64)]) -> Value {
    let line = |(product, quantity): &(&str, i64)| json!({ "productId": product, "quantity": quantity });
    json!({ "lines": lines.iter().map(line).collect::<Vec<_>>(), "paymentToken": token })
}

async fn place(client: &Client, input: Value) -> String {
    send(client, ORDER_PLACE, input).await.text("/orderPlace/order/id")
}

/// The order once these fields of it have these values.
async fn until(client: &Client, order: &str, wanted: Value) -> Value {
    let is_there =
        |found: &Value| wanted.as_object().expect("fields").iter().all(|(name, value)| found[name] == *value);
    eventually(&format!("the order is {wanted}"), async || {
        let answer = client.graphql(ORDER, json!({ "id": order })).await;
        let found = answer.get("/order").clone();
        is_there(&found).then_some(found)
    })
    .await
}

/// Pieces in the house, reserved and available, once they are these.
async fn until_stock(operator: &Client, sku: &str, wanted: [i64; 3]) {
    eventually(&format!("{sku} has {wanted:?}"), async || {
        let answer = operator.graphql(STOCK, json!({ "sku": sku })).await;
        let stock = answer.get("/stock");
        (json!([stock["onHand"], stock["reserved"], stock["available"]]) == json!(wanted)).then_some(())
    })
    .await;
}

async fn server_with(data: &Path, settings: &[(&str, &str)]) -> Server {
    let environment = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Server::start_in(data, Start { environment, ..Start::default() }).await
}

#[tokio::test]
async fn an_order_is_reserved_paid_and_confirmed_and_its_customer_is_told() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 5).await;
    let placed = send(&alice, ORDER_PLACE, paid_with("tok_late", &[(&tea, 2)])).await;
    let order = placed.text("/orderPlace/order/id");
    let mut socket = alice.web_socket().await;
    socket.subscribe("1", UPDATES, json!({ "id": order, "after": placed.text("/orderPlace/position") })).await;
    let mut told = Vec::new();
    while told.last() != Some(&json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })) {
        let payload = socket.next_payload().await;
        let update = &payload["data"]["orderUpdates"];
        if update["__typename"] == "OrderChanged" {
            told.push(update["order"].clone());
        }
    }
    until_stock(&operator, "TEA-1", [5, 2, 3]).await;
}

#[tokio::test]
async fn whatever_mood_the_provider_is_in_an_order_is_paid_once() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 100).await;
    let tokens = ["tok_visa", "tok_timeout", "tok_twice", "tok_unreachable", "tok_late"];
    let mut orders = Vec::new();
    for token in tokens {
        orders.push(place(&alice, paid_with(token, &[(&tea, 2)])).await);
    }
    for order in &orders {
        until(&alice, order, json!({ "status": "CONFIRMED" })).await;
        send(&operator, ORDER_SHIP, json!({ "id": order, "lines": [{ "line": 0, "quantity": 1 }] }))
            .await
            .done("orderShip");
        send(&operator, ORDER_SHIP, json!({ "id": order })).await.done("orderShip");
    }
    for order in &orders {
        let order = until(&alice, order, json!({ "status": "SHIPPED", "paymentStatus": "PAID" })).await;
        assert_eq!(order["paid"]["amount"], "39.80");
    }
    until_stock(&operator, "TEA-1", [90, 0, 90]).await;
}

#[tokio::test]
async fn a_declined_card_is_followed_by_another_one() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 5).await;
    let order = place(&alice, paid_with("tok_declined", &[(&tea, 2)])).await;
    until(&alice, &order, json!({ "status": "PLACED", "paymentStatus": "DECLINED" })).await;
    until_stock(&operator, "TEA-1", [5, 2, 3]).await;
    send(&alice, PAY, json!({ "id": order, "paymentToken": "tok_visa" })).await.done("orderPay");
    until(&alice, &order, json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })).await;
}

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_is_cancelled_also_after_a_restart() {
    let data = temp_dir();
    let settings = [("MILLRACE_ORDERS__UNPAID_AFTER_S", "3")];
    let server = server_with(data.path(), &settings).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 5).await;
    let order = place(&alice, paid_with("tok_declined", &[(&tea, 2)])).await;
    until(&alice, &order, json!({ "paymentStatus": "DECLINED" })).await;
    server.stop().await;
    let server = server_with(data.path(), &settings).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    until(&alice, &order, json!({ "status": "CANCELLED", "cancelReason": "UNPAID" })).await;
    until_stock(&operator, "TEA-1", [5, 0, 5]).await;
}

#[tokio::test]
async fn a_confirmed_order_that_nobody_ships_is_pointed_out() {
    let data = temp_dir();
    let server = server_with(data.path(), &[("MILLRACE_ORDERS__OVERDUE_AFTER_S", "1")]).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 5).await;
    let order = place(&alice, paid_with("tok_visa", &[(&tea, 2)])).await;
    until(&operator, &order, json!({ "status": "CONFIRMED", "isOverdue": true })).await;
}

#[tokio::test]
async fn a_cancelled_order_gives_back_its_pieces_and_its_money() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 5).await;
    let order = place(&alice, paid_with("tok_visa", &[(&tea, 2)])).await;
    until(&alice, &order, json!({ "status": "CONFIRMED" })).await;
    send(&alice, CANCEL, json!({ "id": order })).await.done("orderCancel");
    until(&alice, &order, json!({ "status": "CANCELLED", "paymentStatus": "VOIDED" })).await;
    until_stock(&operator, "TEA-1", [5, 0, 5]).await;
}

#[tokio::test]
async fn what_comes_back_is_sold_again_and_paid_back() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 5).await;
    let order = place(&alice, paid_with("tok_visa", &[(&tea, 2)])).await;
    until(&alice, &order, json!({ "status": "CONFIRMED" })).await;
    send(&operator, ORDER_SHIP, json!({ "id": order })).await.done("orderShip");
    shop::deliver(&operator, &order).await;
    until(&alice, &order, json!({ "status": "DELIVERED", "paymentStatus": "PAID" })).await;
    let back = json!({ "id": order, "lines": [{ "line": 0, "quantity": 1 }], "reason": "too small" });
    send(&alice, RETURN, back).await.done("orderReturnRequest");
    send(&operator, RECEIVE, json!({ "id": order, "number": 1, "restock": true })).await.done("orderReturnReceive");
    until_stock(&operator, "TEA-1", [4, 0, 4]).await;
    let refund = json!({ "id": order, "lines": [{ "line": 0, "quantity": 1 }], "reason": "came back" });
    send(&operator, REFUND, refund).await.done("orderRefund");
    let order = until(&alice, &order, json!({ "paymentStatus": "PARTIALLY_REFUNDED" })).await;
    assert_eq!((&order["refunded"]["amount"], &order["refunds"][0]["status"]), (&json!("19.90"), &json!("DONE")));
}

#[tokio::test]
async fn a_refund_that_the_provider_refuses_is_said_to_have_failed() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 5).await;
    let order = place(&alice, paid_with("tok_refund_fails", &[(&tea, 1)])).await;
    until(&alice, &order, json!({ "status": "CONFIRMED" })).await;
    send(&operator, ORDER_SHIP, json!({ "id": order })).await.done("orderShip");
    until(&alice, &order, json!({ "paymentStatus": "PAID" })).await;
    let refund = json!({ "id": order, "amount": { "amount": "5.00", "currencyCode": "EUR" }, "reason": "late" });
    send(&operator, REFUND, refund).await.done("orderRefund");
    let order = until(&alice, &order, json!({ "refunds": [{ "status": "FAILED" }] })).await;
    assert_eq!(order["refunded"]["amount"], "0.00");
}

/// How many buy at the same time, and how many pieces there are of each of the three things they want.
const BUYERS: usize = 500;
const PIECES: i64 = 100;

/// What a buyer wants: one or two lines of the first thing, or some of the other two together.
fn wish(random: &mut Random, [tea, cup, pot]: &[String; 3]) -> Vec<(String, i64)> {
    let some = |random: &mut Random| 1 + i64::try_from(random.below(2)).expect("few");
    match random.below(10) {
        0..4 => vec![(tea.clone(), 1)],
        4..7 => vec![(tea.clone(), 1), (tea.clone(), 1)],
        _ => vec![(cup.clone(), some(random)), (pot.clone(), some(random)), (cup.clone(), some(random))],
    }
}

/// Buys, and asks again under the same key until there is an answer, wherever the server is then.
async fn buy(client: Client, url: watch::Receiver<String>, input: Value) -> String {
    for _ in 0..2_000 {
        let client = client.at(&url.borrow());
        match client.try_graphql(ORDER_PLACE, json!({ "input": input })).await {
            Ok(answer) if answer.error_code().is_none() => return answer.text("/orderPlace/order/id"),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("nobody answers {input}");
}

#[tokio::test]
async fn hundreds_want_the_same_pieces_the_server_is_killed_and_exactly_what_was_there_is_sold() {
    let rounds: u64 = binary::variable("MILLRACE_OVERSELL_ROUNDS").map_or(1, |text| text.parse().expect("a number"));
    let seed = Random::seed("MILLRACE_OVERSELL_SEED");
    eprintln!("MILLRACE_OVERSELL_SEED={seed}");
    let mut random = Random::new(seed);
    for _ in 0..rounds {
        oversell_round(&mut random).await;
    }
}

async fn oversell_round(random: &mut Random) {
    let data = temp_dir();
    let mut server = server_with(data.path(), &[]).await;
    let (address, url) = watch::channel(server.url.clone());
    let operator = server.operator();
    let skus = ["TEA-1", "CUP-1", "POT-1"];
    let [tea, cup, pot] = skus.map(|sku| counted(&operator, sku, PIECES));
    let goods = [tea.await, cup.await, pot.await];
    let clients: Vec<Client> = (0..10).map(|n| server.customer(&format!("buyer{n}"))).collect();
    let mut buyers = JoinSet::new();
    for n in 0..BUYERS {
        let lines = wish(random, &goods);
        let lines: Vec<(&str, i64)> = lines.iter().map(|(product, quantity)| (product.as_str(), *quantity)).collect();
        let mut input = paid_with("tok_visa", &lines);
        input["idempotencyKey"] = json!(format!("buyer {n}"));
        buyers.spawn(buy(clients[n % clients.len()].clone(), url.clone(), input));
    }
    // In the middle of it, twice.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200 + random.below(600))).await;
        server.kill9();
        server = server_with(data.path(), &[]).await;
        address.send_replace(server.url.clone());
    }
    let orders: Vec<String> = buyers.join_all().await;
    let operator = server.operator();
    let ended = until_all_are_decided(&operator, &orders).await;

    let mut sold: BTreeMap<String, i64> = goods.iter().map(|product| (product.clone(), 0)).collect();
    for order in &ended {
        if order["status"] != "CONFIRMED" {
            assert_eq!((&order["status"], &order["cancelReason"]), (&json!("CANCELLED"), &json!("INSUFFICIENT_STOCK")));
            continue;
        }
        for line in order["lines"].as_array().expect("lines") {
            let quantity = line["quantity"].as_i64().expect("a number");
            *sold.get_mut(line["product"]["id"].as_str().expect("an id")).expect("one of the goods") += quantity;
        }
    }
    assert_eq!(sold[&goods[0]], PIECES, "not exactly what was there was sold");
    for (sku, product) in skus.into_iter().zip(&goods) {
        let sold = sold[product];
        // Pieces that an order kept until its other thing was refused may be left over.
        assert!((1..=PIECES).contains(&sold), "{sold} pieces of {sku} were sold");
        until_stock(&operator, sku, [PIECES, sold, PIECES - sold]).await;
    }
    // What is left behind is read once more by another process: rows, stock and money.
    let said = books::close(server).await;
    assert!(said.starts_with(&format!("shop: {BUYERS} orders, 3 stocks, ")), "{said}");
}

/// Every order, once none of them is waiting for anything.
async fn until_all_are_decided(operator: &Client, orders: &[String]) -> Vec<Value> {
    let query = "query N($ids: [ID!]!) { nodes(ids: $ids) { ... on Order {
        id status cancelReason lines { quantity product { id } } } } }";
    eventually("every order is decided", async || {
        let mut all = Vec::new();
        for ids in orders.chunks(20) {
            let answer = operator.graphql(query, json!({ "ids": ids })).await;
            all.extend(answer.get("/nodes").as_array().expect("nodes").iter().cloned());
        }
        let is_open = |order: &Value| order.is_null() || order["status"] == "PLACED";
        (!all.iter().any(is_open)).then_some(all)
    })
    .await
}
