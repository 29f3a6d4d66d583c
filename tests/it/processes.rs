//! The processes of the shop as operators see them: over GraphQL, on the command line, in metrics and health; and stock and
//! money booked a second time.

use std::path::Path;

use serde_json::{Value, json};
use tests::{
    binary, books,
    client::Client,
    events_db, log,
    profile::is_cluster,
    server::{Server, Start, eventually, temp_dir},
    shop::{self, ORDER_PLACE, PRODUCT_REGISTER, order_input},
};
use uuid::Uuid;

const PROCESSES: &str =
    "{ processes { name isRunning node isCaughtUp position number lagEvents keys waiting underWay done error
    inTrouble stuck troubles { key orderId step reason tries isStuck } concerned concerns(first: 5) { key orderId text }
    parked parkedKeys(first: 5) { key orderId number eventType code reason } } }";
const RETRY: &str = "mutation Retry($input: ProcessRetryInput!) { processRetry(input: $input) {
    process { name } userErrors { code field message } position isRepeat } }";
const VERIFY: &str = "mutation { shopVerify { report { events number stocks payments orders underWay isRight differing
    differences { subject key id text } } userErrors { code field message } } }";

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// A process by its name.
async fn process(operator: &Client, name: &str) -> Value {
    let answer = operator.graphql(PROCESSES, json!({})).await;
    let processes = answer.get("/processes").as_array().expect("a list").clone();
    processes.into_iter().find(|process| process["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// A product whose pieces are counted, five of them here.
async fn counted(operator: &Client, sku: &str) -> String {
    let price = json!({ "amount": "19.90", "currencyCode": "EUR" });
    let input = json!({ "sku": sku, "name": sku, "price": price });
    let answer = operator.graphql(PRODUCT_REGISTER, json!({ "input": input })).await;
    let id = answer.done("productRegister")["product"]["id"].as_str().expect("an id").to_owned();
    shop::receive(operator, sku, 5, "first").await;
    id
}

/// An order of two pieces, paid in advance.
async fn order(customer: &Client, product: &str) -> String {
    let mut input = order_input(product, 2);
    input["paymentToken"] = json!("tok_visa");
    let answer = customer.graphql(ORDER_PLACE, json!({ "input": input })).await;
    answer.done("orderPlace")["order"]["id"].as_str().expect("an id").to_owned()
}

async fn until_status(client: &Client, order: &str, status: &str) {
    eventually(&format!("the order is {status}"), async || {
        let answer = client.graphql("query($id: ID!) { order(id: $id) { status } }", json!({ "id": order })).await;
        (answer.body["data"]["order"]["status"] == status).then_some(())
    })
    .await;
}

/// A server whose payment provider does not answer.
async fn without_provider(data: &Path) -> Server {
    let environment = [
        ("PROVIDER", "http"),
        ("URL", "http://127.0.0.1:9"),
        ("SECRET", "a secret of the provider"),
        ("WEBHOOK_SECRET", "a secret of its notices"),
        ("TRIES", "1"),
    ];
    let environment = environment.map(|(key, value)| (format!("MILLRACE_PAYMENTS__{key}"), value.to_owned())).to_vec();
    Server::start_in(data, Start { environment, ..Start::default() }).await
}

#[tokio::test]
async fn an_operator_sees_that_processes_run_and_where() {
    let server = Server::start().await;
    let operator = server.operator();
    for name in ["fulfilment", "payments"] {
        let seen = eventually("it runs", async || {
            let seen = process(&operator, name).await;
            (seen["isCaughtUp"] == true && seen["error"].is_null()).then_some(seen)
        })
        .await;
        // The node that serves runs none, where one serves and another one works; it says which one does.
        assert_eq!((&seen["isRunning"], seen["node"].is_string()), (&json!(!is_cluster()), is_cluster()), "{seen}");
        assert_eq!((&seen["inTrouble"], &seen["concerned"], &seen["concerns"]), (&json!(0), &json!(0), &json!([])));
    }
    let one =
        operator.graphql("{ process(name: \"payments\") { name } none: process(name: \"x\") { name } }", json!({}));
    let one = one.await;
    assert_eq!((one.get("/process/name"), one.get("/none")), (&json!("payments"), &Value::Null));
    for document in ["{ processes { name } }", "{ process(name: \"payments\") { name } }", VERIFY] {
        server.customer("alice").graphql(document, json!({})).await.expect_error(200, "FORBIDDEN");
    }
    let input = json!({ "name": "payments", "key": Uuid::nil() });
    let retry = server.customer("alice").graphql(RETRY, json!({ "input": input })).await;
    retry.expect_error(200, "FORBIDDEN");
    let many = operator.graphql("{ processes { concerns(first: 101) { key } } }", json!({})).await;
    many.expect_error(200, "BAD_USER_INPUT");
}

#[tokio::test]
async fn what_does_not_move_is_shown_with_its_reason_and_tried_again_on_demand() {
    let data = temp_dir();
    let server = without_provider(data.path()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1").await;
    order(&alice, &tea).await;
    let seen = eventually("the payment is in trouble", async || {
        let seen = process(&operator, "payments").await;
        (seen["inTrouble"] == 1).then_some(seen)
    })
    .await;
    let trouble = &seen["troubles"][0];
    assert!(trouble["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{seen}");
    assert_eq!((&trouble["isStuck"], &trouble["orderId"]), (&json!(false), &Value::Null), "the key is a payment");

    let retry = async |input: Value| operator.graphql(RETRY, json!({ "input": input })).await;
    let key = &trouble["key"];
    let unknown = retry(json!({ "name": "shipping", "key": key })).await;
    assert_eq!(unknown.refusal("processRetry"), refusal("UNKNOWN_PROCESS", "input.name"));
    let invalid = retry(json!({ "name": "payments", "key": "x" })).await;
    assert_eq!(invalid.refusal("processRetry"), refusal("INVALID_KEY", "input.key"));
    let other = retry(json!({ "name": "payments", "key": Uuid::nil() })).await;
    assert_eq!(other.refusal("processRetry"), refusal("NOT_IN_TROUBLE", "input.key"));
    let reason = retry(json!({ "name": "payments", "key": key, "reason": "" })).await;
    assert_eq!(reason.refusal("processRetry"), refusal("INVALID_REASON", "input.reason"));
    let input = json!({ "name": "payments", "key": key, "reason": "It is back", "idempotencyKey": "once" });
    let first = retry(input.clone()).await.done("processRetry").clone();
    assert_eq!((&first["process"]["name"], &first["isRepeat"]), (&json!("payments"), &json!(false)));
    let again = retry(input.clone()).await.done("processRetry").clone();
    assert_eq!((&again["position"], &again["isRepeat"]), (&first["position"], &json!(true)), "{again}");
    let mut other = input;
    other["reason"] = json!("It is away");
    retry(other).await.expect_error(200, "IDEMPOTENCY_KEY_REUSED");
    let log = "{ operatorActions(first: 5) { nodes { action projection key reason } } }";
    let log = operator.graphql(log, json!({})).await;
    let written = json!([{ "action": "RETRY_STEPS", "projection": "payments", "key": key, "reason": "It is back" }]);
    assert_eq!(log.get("/operatorActions/nodes"), &written, "what was refused is not there");
}

#[tokio::test]
async fn the_command_line_shows_processes_with_a_server_and_without() {
    let data = temp_dir();
    let server = without_provider(data.path()).await;
    let tea = counted(&server.operator(), "TEA-1").await;
    order(&server.customer("alice"), &tea).await;
    let list = eventually("it is listed", async || {
        let list = server.millrace(&["processes", "list"]).ok();
        (list.contains("payments") && list.contains("provider")).then_some(list)
    })
    .await;
    assert!(list.lines().count() == 3 && list.contains("running"), "{list}");
    let show = server.millrace(&["processes", "show", "payments"]).ok();
    let key = show.lines().find_map(|line| line.strip_prefix("failing")).expect("a failing step").trim();
    let key = key.split(',').next().expect("a key").to_owned();
    let retried = server.millrace(&["processes", "retry", "payments", &key, "--reason", "again"]).ok();
    assert!(retried.starts_with("payments tries "), "{retried}");
    for (line, exit_code, code) in [
        (["processes", "show", "shipping"].as_slice(), 2, "UNKNOWN_PROCESS"),
        (&["processes", "retry", "shipping", &key], 2, "UNKNOWN_PROCESS"),
        (&["processes", "retry", "payments", "00000000-0000-0000-0000-000000000000"], 1, "NOT_IN_TROUBLE"),
    ] {
        let ran = server.millrace(line);
        assert!(ran.code == exit_code && ran.stderr.contains(code), "{ran:?}");
    }
    let path = data.path().to_str().expect("a path").to_owned();
    server.stop().await;
    let alone = |words: &[&str]| binary::millrace([words, &["--data-dir", &path]].concat());
    let list = alone(&["processes", "list", "--json"]).ok();
    let first: Value = serde_json::from_str(list.lines().next().expect("two lines")).expect("JSON");
    assert_eq!((&first["name"], &first["isRunning"]), (&json!("fulfilment"), &json!(false)));
    assert!(first["error"].as_str().is_some_and(|error| error.contains("does not run")), "{first}");
    let retry = alone(&["processes", "retry", "payments", &key]);
    assert!(retry.code == 1 && retry.stderr.contains("SERVER_NOT_RUNNING"), "{retry:?}");
}

#[tokio::test]
async fn metrics_and_health_tell_of_processes() {
    let server = Server::start().await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", server.url)).await.expect("an answer");
        answer.text().await.expect("a text")
    };
    let metrics = get("/metrics").await;
    for name in [
        "lag_events",
        "running",
        "failed",
        "keys",
        "under_way_steps",
        "troubles",
        "stuck_steps",
        "concerns",
        "parked_keys",
    ] {
        for process in ["fulfilment", "payments"] {
            let gauge = format!("millrace_process_{name}{{process=\"{process}\"}}");
            assert!(metrics.contains(&gauge), "no {gauge} in {metrics}");
        }
    }
    let health = get("/health/ready").await;
    assert_eq!(health.contains("process:fulfilment"), !is_cluster(), "only where it can run: {health}");
}

#[tokio::test]
async fn stock_and_money_add_up_and_what_does_not_is_named() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1").await;
    let sold = order(&alice, &tea).await;
    until_status(&operator, &sold, "CONFIRMED").await;
    shop::ship(&operator, &sold).await;
    shop::deliver(&operator, &sold).await;
    let given_up = order(&alice, &tea).await;
    shop::cancel(&alice, &given_up).await;
    let too_much = order(&alice, &tea).await;
    until_status(&operator, &too_much, "CONFIRMED").await;
    let books = books::settled(&operator).await;
    assert_eq!((&books["isRight"], &books["differences"]), (&json!(true), &json!([])), "{books}");
    assert_eq!((&books["orders"], &books["stocks"]), (&json!(3), &json!(1)), "{books}");
    let words = server.millrace(&["verify", "shop"]).ok();
    assert!(words.starts_with("shop: 3 orders") && words.trim_end().ends_with(": right"), "{words}");
    server.stop().await;

    // Somebody promises what is not there, to an order that nobody placed.
    let stock = Uuid::parse_str(&stock_key(data.path())).expect("a UUID");
    let nobody = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0077);
    let reserved = json!({
        "stock": stock, "order": nobody, "pieces": 99, "until": "2030-01-02T03:04:05Z", "at": "2026-01-02T03:04:05Z"
    });
    let data_text = reserved.to_string();
    events_db::write(&data.path().join("events.db"), |db| db.append("stock", stock, "stock.reserved.v1", &data_text));
    let server = Server::start_in(data.path(), Start::default()).await;
    let operator = server.operator();
    let books = books::settled(&operator).await;
    assert_eq!(books["isRight"], false, "{books}");
    let found = &books["differences"][0];
    assert_eq!((&found["subject"], &found["key"]), (&json!("STOCK"), &json!(stock)), "{books}");
    assert!(found["text"].as_str().is_some_and(|text| text.contains("were promised")), "{books}");
    let ran = server.millrace(&["verify", "shop"]);
    assert!(ran.code == 1 && ran.stderr.contains("error[BOOKS_DIFFER]"), "{ran:?}");
    assert!(ran.stdout.contains(&format!("stock {stock}: ")), "{ran:?}");
    server.stop().await;
}

#[tokio::test]
async fn an_order_whose_event_cannot_be_read_waits_alone_until_it_can() {
    let data = temp_dir();
    let start = || Server::start_in(data.path(), Start::default());
    let server = start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = counted(&operator, "TEA-1").await;
    let held = order(&alice, &tea).await;
    until_status(&operator, &held, "CONFIRMED").await;
    server.stop().await;
    let key = log::key_of("order", &held);
    let file = data.path().join("events.db");
    let position = events_db::write(&file, |db| db.append("order", key, "order.overdue.v1", r#"{"at":0}"#));

    let server = start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let seen = eventually("its order waits", async || {
        let seen = process(&operator, "fulfilment").await;
        (seen["parked"] == 1).then_some(seen)
    })
    .await;
    let parked = &seen["parkedKeys"][0];
    assert_eq!((&parked["key"], &parked["orderId"]), (&json!(key), &json!(held)), "{seen}");
    assert_eq!((&parked["number"], &parked["code"]), (&json!(position), &json!("MALFORMED")), "{seen}");
    assert_eq!((&parked["eventType"], &seen["error"]), (&json!("order.overdue.v1"), &Value::Null), "{seen}");
    let show = server.millrace(&["processes", "show", "fulfilment"]).ok();
    assert!(show.contains(&format!("{key}, for order.overdue.v1 at {position} (MALFORMED): ")), "{show}");
    let metrics = reqwest::get(format!("{}/metrics", server.url)).await.expect("an answer").text().await;
    let gauge = "millrace_process_parked_keys{process=\"fulfilment\"} 1";
    assert!(metrics.as_ref().is_ok_and(|metrics| metrics.contains(gauge)), "{metrics:?}");
    // All others go on, also after it was tried in vain.
    let retry = || async { server.millrace(&["processes", "retry", "fulfilment", &key.to_string()]).ok() };
    retry().await;
    let other = order(&alice, &tea).await;
    until_status(&operator, &other, "CONFIRMED").await;
    assert_eq!(process(&operator, "fulfilment").await["parked"], 1);
    server.stop().await;

    // Somebody puts it right.
    let right = json!({ "order": key, "at": "2026-01-02T03:04:05Z" }).to_string();
    events_db::write(&file, |db| db.replace(position, &right));
    let server = start().await;
    let operator = server.operator();
    shop::ship(&operator, &held).await;
    let paid = || server.millrace(&["events", "print"]).ok().matches("payment.captured.v1").count();
    eventually("it runs", async || (process(&operator, "fulfilment").await["isCaughtUp"] == true).then_some(())).await;
    assert_eq!((paid(), &process(&operator, "fulfilment").await["parked"]), (0, &json!(1)), "nobody has said so yet");
    let retried = server.millrace(&["processes", "retry", "fulfilment", &held, "--reason", "put right"]).ok();
    assert!(retried.starts_with("fulfilment tries "), "{retried}");
    eventually("it goes on where it waited", async || (paid() == 1).then_some(())).await;
    eventually("nothing waits", async || (process(&operator, "fulfilment").await["parked"] == 0).then_some(())).await;
    assert_eq!(books::settled(&operator).await["isRight"], true);
    server.stop().await;
}

#[tokio::test]
async fn an_event_of_which_nobody_can_tell_whose_it_is_is_seen_from_outside() {
    let data = temp_dir();
    Server::start_in(data.path(), Start::default()).await.stop().await;
    let file = data.path().join("events.db");
    let nobody = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0077);
    events_db::write(&file, |db| db.append("stock", nobody, "stock.reserved.v9", "{}"));
    let server = Server::start_in(data.path(), Start::default()).await;
    let health = eventually("the server says so", async || {
        let answer = reqwest::get(format!("{}/health/ready", server.url)).await.expect("an answer");
        let (status, body) = (answer.status(), answer.json::<Value>().await.expect("JSON"));
        (body["status"] == "degraded").then_some((status, body))
    })
    .await;
    let (status, body) = health;
    let check = body["checks"].as_array().into_iter().flatten().find(|check| check["name"] == "process:fulfilment");
    let reason = check.and_then(|check| check["reason"].as_str()).unwrap_or_default();
    assert!(status == 200 && reason.contains("stock.reserved.v9") && reason.contains("not known whose"), "{body}");
    let list = server.millrace(&["processes", "list"]).ok();
    assert!(list.contains("standing") && list.contains("stock.reserved.v9"), "{list}");
    server.stop().await;
}

/// The key of the one stock that there is.
fn stock_key(data: &Path) -> String {
    let connection = rusqlite::Connection::open(data.join("events.db")).expect("the events");
    let sql = "SELECT data FROM events JOIN streams ON streams.id = events.stream WHERE category = 'stock' LIMIT 1";
    let data: String = connection.query_row(sql, [], |row| row.get(0)).expect("an event of a stock");
    let data: Value = serde_json::from_str(&data).expect("JSON");
    data["stock"].as_str().expect("a key").to_owned()
}
