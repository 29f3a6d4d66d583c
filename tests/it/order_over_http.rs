//! Orders that are paid by a provider over real sockets, from placement to refund: whatever mood it is in, down for a while,
//! and with a server that is killed between call and answer. In the end its ledger, the orders and the books agree.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use domain::{
    fulfilment::{RENEWALS_MAX, renewal_of},
    order::payment_of,
    values::{OrderId, PaymentId},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    books,
    client::{Answer, Client},
    log,
    provider::{Fault, Notices, Provider, ProviderOptions, SECRET, WEBHOOK_SECRET},
    server::{Server, Start, eventually, temp_dir},
    shop::{self, ORDER_PLACE, ORDER_SHIP, PRODUCT_REGISTER},
};
use tokio::sync::watch;
use uuid::Uuid;

const ORDER: &str = "query O($id: ID!) { order(id: $id) { id status paymentStatus paid { amount } refunded { amount }
    refunds { status } payments { attempt captured { amount } refunded { amount } } } }";
const REFUND: &str = "mutation Refund($input: OrderRefundInput!) { orderRefund(input: $input) {
    order { id } userErrors { code field } } }";
const PROCESSES: &str = "{ processes { name inTrouble troubles { reason } } }";

/// Longer than any test waits for an answer.
const NEVER: Duration = Duration::from_secs(600);

/// A shop whose money is a provider's, who tells what it tells to wherever the server is.
struct Shop {
    data: TempDir,
    provider: Provider,
    address: watch::Sender<String>,
    settings: Vec<(&'static str, &'static str)>,
}

impl Shop {
    /// A provider, and a server that asks it, with these settings of `payments`.
    async fn open(settings: &[(&'static str, &'static str)]) -> (Self, Server) {
        let (address, url) = watch::channel(String::new());
        let notices = Some(Notices::to_server(url));
        let provider = Provider::start(ProviderOptions { notices, ..ProviderOptions::default() }).await;
        let shop = Self { data: temp_dir(), provider, address, settings: settings.to_vec() };
        let server = shop.server().await;
        (shop, server)
    }

    async fn server(&self) -> Server {
        let own = [
            ("PROVIDER", "http"),
            ("URL", self.provider.url.as_str()),
            ("SECRET", SECRET),
            ("WEBHOOK_SECRET", WEBHOOK_SECRET),
        ];
        let settings = own.iter().chain(&self.settings);
        let environment =
            settings.map(|(key, value)| (format!("MILLRACE_PAYMENTS__{key}"), (*value).to_owned())).collect();
        let data: &Path = self.data.path();
        let server = Server::start_in(data, Start { environment, ..Start::default() }).await;
        self.address.send_replace(server.url.clone());
        server
    }

    /// Kills the server once the provider has done what it does not tell, and starts it again.
    async fn killed_once(&self, server: Server, what: &str, is_done: impl Fn(&Provider) -> bool) -> Server {
        eventually(what, async || is_done(&self.provider).then_some(())).await;
        server.kill9();
        self.server().await
    }

    /// Fails unless the provider's ledger, these orders (all there are) and the books agree.
    async fn agrees(self, server: Server, orders: &[String]) {
        let operator = server.operator();
        let ledger = self.provider.ledger();
        let (mut earned, mut asked) = (0, 0);
        for id in orders {
            let order = operator.graphql(ORDER, json!({ "id": id })).await;
            let [paid, refunded] = ["paid", "refunded"].map(|sum| minor(&order.get("/order")[sum]["amount"]));
            let accounts: Vec<_> = payments(id).into_iter().filter_map(|payment| ledger.account(payment)).collect();
            let (held, lost) = accounts.split_last().unwrap_or_else(|| panic!("nothing was ever held for {order}"));
            assert_eq!((held.authorised, held.captured, held.refunded), (3980, paid, refunded), "{order}");
            assert!(!held.is_voided && lost.iter().all(|one| one.is_voided && one.captured == 0), "{order}");
            let sums = |payment: &Value| ["captured", "refunded"].map(|sum| minor(&payment[sum]["amount"]));
            let shown: Vec<_> = order.get("/order/payments").as_array().expect("a list").iter().map(sums).collect();
            assert_eq!(shown, accounts.iter().map(|one| [one.captured, one.refunded]).collect::<Vec<_>>(), "{order}");
            earned += paid - refunded;
            asked += accounts.len();
        }
        assert_eq!(ledger.earned(), earned, "the provider has money of nobody");
        let said = books::close(server).await;
        assert!(said.contains(&format!("{} orders, 1 stock, {asked} payments", orders.len())), "{said}");
        self.provider.check();
    }
}

/// The payments of an order's first attempt, in the order in which they are asked for.
fn payments(order: &str) -> Vec<Uuid> {
    let order = OrderId::new(log::key_of("order", order));
    let renewals = (1..=RENEWALS_MAX).map(|number| renewal_of(order, 1, number));
    [payment_of(order, 1)].into_iter().chain(renewals).map(PaymentId::uuid).collect()
}

async fn send(client: &Client, mutation: &str, input: Value) -> Answer {
    client.graphql(mutation, json!({ "input": input })).await
}

/// A product whose pieces are counted, at 19.90 euros.
async fn counted(operator: &Client, sku: &str, pieces: i64) -> String {
    let price = json!({ "amount": "19.90", "currencyCode": "EUR" });
    let answer = send(operator, PRODUCT_REGISTER, json!({ "sku": sku, "name": sku, "price": price })).await;
    shop::receive(operator, sku, pieces, &format!("first {sku}")).await;
    answer.text("/productRegister/product/id")
}

/// Orders two pieces.
async fn place(client: &Client, product: &str, token: &str) -> String {
    let lines = json!([{ "productId": product, "quantity": 2 }]);
    send(client, ORDER_PLACE, json!({ "lines": lines, "paymentToken": token })).await.text("/orderPlace/order/id")
}

async fn ship_one(operator: &Client, order: &str) {
    let lines = json!([{ "line": 0, "quantity": 1 }]);
    send(operator, ORDER_SHIP, json!({ "id": order, "lines": lines })).await.done("orderShip");
}

async fn refund(operator: &Client, order: &str) {
    let amount = json!({ "amount": "5.00", "currencyCode": "EUR" });
    send(operator, REFUND, json!({ "id": order, "amount": amount, "reason": "late" })).await.done("orderRefund");
}

/// The order once these fields of it have these values.
async fn until(client: &Client, order: &str, wanted: Value) {
    eventually(&format!("the order is {wanted}"), async || {
        let answer = client.graphql(ORDER, json!({ "id": order })).await;
        let found = answer.get("/order");
        let is_so = wanted.as_object().expect("fields").iter().all(|(name, value)| found[name] == *value);
        is_so.then_some(())
    })
    .await;
}

fn paid(amount: &str, status: &str) -> Value {
    json!({ "paymentStatus": status, "paid": { "amount": amount } })
}

fn refunded() -> Value {
    json!({ "paymentStatus": "PARTIALLY_REFUNDED", "refunded": { "amount": "5.00" } })
}

/// An amount of an answer, in cents.
fn minor(amount: &Value) -> i64 {
    amount.as_str().expect("an amount").replace('.', "").parse().expect("an amount")
}

#[tokio::test]
async fn whatever_the_provider_answers_and_tells_an_order_goes_its_whole_way_and_is_paid_once() {
    // Nobody waits long for the one who is silent, and nobody is left alone for it.
    let (shop, server) = Shop::open(&[("TIMEOUT_MS", "1000"), ("BREAKER_FAILURES", "1000")]).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 100).await;
    let tokens =
        ["tok_visa", "tok_told_alone", "tok_told_first", "tok_twice", "tok_late", "tok_timeout", "tok_unreachable"];
    let mut orders = Vec::new();
    for token in tokens {
        orders.push(place(&alice, &tea, token).await);
    }
    for order in &orders {
        until(&alice, order, json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })).await;
        ship_one(&operator, order).await;
    }
    for order in &orders {
        until(&alice, order, paid("19.90", "PARTIALLY_PAID")).await;
        ship_one(&operator, order).await;
    }
    for order in &orders {
        until(&alice, order, paid("39.80", "PAID")).await;
        refund(&operator, order).await;
    }
    for order in &orders {
        until(&alice, order, refunded()).await;
    }
    shop.agrees(server, &orders).await;
}

#[tokio::test]
async fn a_provider_that_fails_once_at_every_call_does_everything_once() {
    let (shop, server) = Shop::open(&[("TIMEOUT_MS", "1000"), ("BREAKER_FAILURES", "1000")]).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 100).await;
    let faults = [
        Fault::Slow(NEVER),
        Fault::Status(500),
        Fault::StatusAfter(500),
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::HalfAnswer,
        Fault::Garbage,
    ];
    let mut orders = Vec::new();
    for fault in faults {
        shop.provider.fail([fault.clone()]);
        let order = place(&alice, &tea, "tok_visa").await;
        until(&alice, &order, json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })).await;
        shop.provider.fail([fault.clone()]);
        shop::ship(&operator, &order).await;
        until(&alice, &order, paid("39.80", "PAID")).await;
        shop.provider.fail([fault]);
        refund(&operator, &order).await;
        until(&alice, &order, refunded()).await;
        orders.push(order);
    }
    shop.provider.heal();
    let ledger = shop.provider.ledger();
    for path in ["/authorise", "/capture", "/refund"] {
        let tries = ledger.tries_of(path);
        assert_eq!(tries.len(), orders.len(), "{path} was asked for under other keys: {tries:?}");
    }
    shop.agrees(server, &orders).await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_and_orders_wait_and_go_on() {
    const REST: Duration = Duration::from_millis(500);
    let settings = [("TRIES", "1"), ("BREAKER_FAILURES", "3"), ("BREAKER_REST_MS", "500")];
    let (shop, server) = Shop::open(&settings).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 100).await;
    let shipped = place(&alice, &tea, "tok_visa").await;
    until(&alice, &shipped, json!({ "status": "CONFIRMED" })).await;

    shop.provider.be_down(true);
    shop::ship(&operator, &shipped).await;
    let mut orders = vec![shipped.clone()];
    for _ in 0..10 {
        orders.push(place(&alice, &tea, "tok_visa").await);
    }
    eventually("it is left alone", async || server.stderr().contains("is left alone").then_some(())).await;
    let (before, since) = (shop.provider.requests(), Instant::now());
    tokio::time::sleep(4 * REST).await;
    let asked = shop.provider.requests() - before;
    let probes = usize::try_from(since.elapsed().as_millis() / REST.as_millis()).expect("few") + 1;
    assert!(asked <= probes, "it was asked {asked} times, not {probes} at most");
    // Goods leave the house and orders are taken; what hangs is their money, and it is seen why.
    until(&operator, &shipped, json!({ "status": "SHIPPED", "paymentStatus": "AUTHORISED" })).await;
    for order in &orders[1..] {
        until(&alice, order, json!({ "status": "PLACED", "paymentStatus": "PENDING" })).await;
    }
    eventually("all are in trouble", async || {
        let answer = operator.graphql(PROCESSES, json!({})).await;
        let processes = answer.get("/processes").as_array().expect("a list").clone();
        let payments = processes.into_iter().find(|process| process["name"] == "payments").expect("it is there");
        (payments["inTrouble"] == 11).then_some(())
    })
    .await;

    shop.provider.be_down(false);
    until(&operator, &shipped, paid("39.80", "PAID")).await;
    for order in &orders[1..] {
        until(&alice, order, json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })).await;
    }
    assert!(server.stderr().contains("answers again"), "{}", server.stderr());
    shop.agrees(server, &orders).await;
}

#[tokio::test]
async fn a_server_that_is_killed_between_call_and_answer_asks_again_under_the_same_key() {
    let (shop, server) = Shop::open(&[("TIMEOUT_MS", "600000")]).await;
    let tea = counted(&server.operator(), "TEA-1", 10).await;
    let was_tried = |path: &'static str| {
        move |provider: &Provider| provider.ledger().tries_of(path).first().is_some_and(|tries| *tries > 0)
    };

    shop.provider.fail([Fault::Slow(NEVER)]);
    let order = place(&server.customer("alice"), &tea, "tok_visa").await;
    let server = shop.killed_once(server, "the money is held", was_tried("/authorise")).await;
    until(&server.operator(), &order, json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })).await;

    shop.provider.fail([Fault::Slow(NEVER)]);
    shop::ship(&server.operator(), &order).await;
    let server = shop.killed_once(server, "the money is taken", was_tried("/capture")).await;
    until(&server.operator(), &order, paid("39.80", "PAID")).await;

    shop.provider.fail([Fault::Slow(NEVER)]);
    refund(&server.operator(), &order).await;
    let server = shop.killed_once(server, "some is given back", was_tried("/refund")).await;
    until(&server.operator(), &order, refunded()).await;

    // What is told while nobody listens is told again until somebody does.
    let other = place(&server.customer("alice"), &tea, "tok_told_alone").await;
    let authorised = |provider: &Provider| provider.ledger().tries_of("/authorise").len() == 2;
    let server = shop.killed_once(server, "the other one's money is held", authorised).await;
    until(&server.operator(), &other, json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })).await;

    shop.provider.heal();
    let ledger = shop.provider.ledger();
    for path in ["/capture", "/refund"] {
        let tries = ledger.tries_of(path);
        assert!(matches!(tries[..], [tries] if tries >= 2), "not one effect of several tries of {path}: {tries:?}");
    }
    shop.agrees(server, &[order, other]).await;
}

#[tokio::test]
async fn money_that_was_held_too_long_is_held_again_and_taken_once() {
    let (shop, server) = Shop::open(&[]).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1", 10).await;
    let mut orders = Vec::new();
    for token in ["tok_visa", "tok_late"] {
        let order = place(&alice, &tea, token).await;
        until(&alice, &order, json!({ "status": "CONFIRMED", "paymentStatus": "AUTHORISED" })).await;
        let [first, again, ..] = payments(&order)[..] else { panic!("there are several") };
        shop.provider.expire(first);
        eventually("it is held again", async || shop.provider.ledger().account(again).map(drop)).await;
        ship_one(&operator, &order).await;
        until(&alice, &order, paid("19.90", "PARTIALLY_PAID")).await;
        ship_one(&operator, &order).await;
        until(&alice, &order, paid("39.80", "PAID")).await;
        orders.push(order);
    }
    shop.agrees(server, &orders).await;
}
