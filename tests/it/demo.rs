//! `millrace demo`, the real binary: a shop comes to life, everything that can happen in it happens, and it ends well.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{
    binary,
    client::Client,
    server::{Server, Start, eventually, temp_dir},
};

/// The first orders that a filter finds, with what says what became of them.
const ORDERS: &str = "query O($where: OrderWhere!) { orders(first: 50, where: $where) {
    nodes { id cancelReason shipments { number } refunds { status } } } }";

fn demo(more: &[&str]) -> Start {
    let arguments = ["demo", "--rate", "60", "--customers", "5", "--seed", "7"];
    Start { arguments: arguments.iter().chain(more).map(Into::into).collect(), ..Start::default() }
}

async fn orders(operator: &Client, filter: Value) -> Vec<Value> {
    let answer = operator.graphql(ORDERS, json!({ "where": filter })).await;
    answer.get("/orders/nodes").as_array().expect("a list").clone()
}

/// Waits until there is an order that the filter finds and that is as `is` wants it.
async fn sees(operator: &Client, what: &str, filter: Value, is: impl Fn(&Value) -> bool) -> Vec<Value> {
    eventually(what, async || {
        let found: Vec<Value> = orders(operator, filter.clone()).await.into_iter().filter(|order| is(order)).collect();
        (!found.is_empty()).then_some(found)
    })
    .await
}

fn ids(orders: &[Value]) -> BTreeSet<String> {
    orders.iter().map(|order| order["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_demonstration_shows_everything_that_can_happen_ends_well_and_goes_on() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), demo(&[])).await;
    let operator = server.operator();
    sees(&operator, "an order is confirmed", json!({ "status": ["CONFIRMED"] }), |_| true).await;
    let out_of_stock = |order: &Value| order["cancelReason"] == "INSUFFICIENT_STOCK";
    sees(&operator, "stock runs out", json!({ "status": ["CANCELLED"] }), out_of_stock).await;
    let changed = |order: &Value| order["cancelReason"] == "CUSTOMER_REQUEST";
    sees(&operator, "somebody cancels", json!({ "status": ["CANCELLED"] }), changed).await;
    sees(&operator, "a card is declined", json!({ "paymentStatus": ["DECLINED"] }), |_| true).await;
    sees(&operator, "an order leaves the house", json!({ "status": ["SHIPPED"] }), |_| true).await;
    let is_split = |order: &Value| order["shipments"].as_array().is_some_and(|all| all.len() == 2);
    sees(&operator, "one leaves it in two shipments", json!({ "status": ["SHIPPED", "DELIVERED"] }), is_split).await;
    let returned = json!({ "fulfilmentStatus": ["RETURNED"], "paymentStatus": ["REFUNDED"] });
    let returned = sees(&operator, "one comes back and is paid back", returned, |_| true).await;
    server.stop().await;

    let verified = binary::millrace(["verify".as_ref(), "--data-dir".as_ref(), data.path().as_os_str()]);
    assert_eq!(verified.code, 0, "{verified:?}");

    let server = Server::start_in(data.path(), demo(&["--for", "4"])).await;
    let operator = server.operator();
    let known = orders(&operator, json!({ "fulfilmentStatus": ["RETURNED"], "paymentStatus": ["REFUNDED"] })).await;
    assert!(ids(&known).is_superset(&ids(&returned)) || known.len() == 50, "what was there is there: {known:?}");
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "it ends by itself: {log}");
}

#[test]
fn a_demonstration_leaves_the_data_of_a_real_shop_alone() {
    let data = temp_dir();
    std::fs::write(data.path().join("events.db"), "").expect("a file");
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--data-dir"].map(std::ffi::OsStr::new);
    let refused = binary::millrace(arguments.into_iter().chain([data.path().as_os_str()]));
    assert_eq!((refused.code, refused.stderr.contains("error[DEMO_REFUSED]")), (2, true), "{refused:?}");
}
