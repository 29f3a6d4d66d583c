//! People who go on ordering until nobody answers.

use std::time::Duration;

use serde_json::json;
use tests::{
    client::Client,
    random::Random,
    shop::{ORDER_CANCEL, ORDER_PLACE, PRODUCT_CHANGE_PRICE, order_input},
};
use tokio::task::JoinSet;

use super::world::People;

/// How long everybody thinks between two orders: the log must not grow faster than it can be held against.
const PAUSE: Duration = Duration::from_millis(12);

/// Customers who order and cancel, and somebody who changes prices. They end when the server does.
pub(super) fn start(people: &People, url: &str, random: &mut Random) -> JoinSet<u64> {
    let mut tasks = JoinSet::new();
    for customer in &people.customers {
        let (customer, products) = (customer.at(url), people.products.clone());
        tasks.spawn(order(customer, products, random.fork()));
    }
    tasks.spawn(change_prices(people.operator.at(url), people.products.clone(), random.fork()));
    tasks
}

async fn order(customer: Client, products: Vec<String>, mut random: Random) -> u64 {
    let mut done = 0;
    loop {
        let input = order_input(&products[random.index(products.len())], 1 + i64::from(random.below(5) == 0));
        let Ok(answer) = customer.try_graphql(ORDER_PLACE, json!({ "input": input })).await else { return done };
        let order = answer.done("orderPlace")["order"]["id"].clone();
        done += 1;
        if random.below(4) == 0 {
            let input = json!({ "input": { "id": order } });
            let Ok(answer) = customer.try_graphql(ORDER_CANCEL, input).await else { return done };
            answer.done("orderCancel");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn change_prices(operator: Client, products: Vec<String>, mut random: Random) -> u64 {
    let mut done = 0;
    loop {
        let price = json!({ "amount": format!("{}.90", 1 + random.below(90)), "currencyCode": "EUR" });
        let input = json!({ "input": { "id": products[random.index(products.len())], "price": price } });
        let Ok(answer) = operator.try_graphql(PRODUCT_CHANGE_PRICE, input).await else { return done };
        answer.done("productChangePrice");
        done += 1;
        tokio::time::sleep(PAUSE).await;
    }
}
