//! Stock over real HTTP and live: receipts, changes, what is refused, who sees what, and levels as they move.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    events_db,
    log::{global_id, position_of, position_token},
    server::{Server, Start, temp_dir},
    shop::{self, STOCK_ADJUST, STOCK_RECEIVE},
    ws::{WsClient, WsMessage},
};
use tokio::task::JoinSet;
use uuid::Uuid;

const STOCK: &str = "query S($sku: String!, $minPosition: Position) { stock(sku: $sku, minPosition: $minPosition) {
    sku onHand reserved available levels { id sku warehouse onHand reserved available version updatedAt
        behind { error } } } }";
/// What customers may see of it.
const AVAILABLE: &str = "query A($sku: String!, $minPosition: Position) { stock(sku: $sku, minPosition: $minPosition) {
    sku available levels { warehouse available version } } }";
const STOCK_UPDATES: &str = "subscription W($sku: String!, $warehouse: String! = \"main\", $after: Position) {
    stockUpdates(sku: $sku, warehouse: $warehouse, after: $after) {
    __typename cursor ... on StockChanged { occurredAt version level { id sku warehouse available version } }
    ... on Gap { from to reason } } }";

async fn receive(operator: &Client, input: Value) -> Answer {
    operator.graphql(STOCK_RECEIVE, json!({ "input": input })).await
}

async fn adjust(operator: &Client, input: Value) -> Answer {
    operator.graphql(STOCK_ADJUST, json!({ "input": input })).await
}

/// The input that receives three pieces of TEA-1, with these fields instead.
fn receipt(with: &Value) -> Value {
    over(json!({ "sku": "TEA-1", "quantity": 3, "reference": "note 7", "idempotencyKey": "r" }), with)
}

/// The input that finds one piece of TEA-1 broken, with these fields instead.
fn change(with: &Value) -> Value {
    over(json!({ "sku": "TEA-1", "change": -1, "reason": "broken", "idempotencyKey": "a" }), with)
}

fn over(mut input: Value, with: &Value) -> Value {
    for (field, value) in with.as_object().expect("fields") {
        input[field] = value.clone();
    }
    input
}

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// A level as an operator sees it, without id and time.
fn level(answer: &Answer, pointer: &str) -> Value {
    let level = answer.get(pointer);
    json!([level["sku"], level["warehouse"], level["onHand"], level["reserved"], level["available"], level["version"]])
}

/// The stock of a SKU in a warehouse, as streams call it.
fn key_of(level: &str) -> Uuid {
    let id = URL_SAFE_NO_PAD.decode(level).expect("an id");
    let id = String::from_utf8(id).expect("an id");
    id.strip_prefix("stock:").expect("a stock's id").parse().expect("a UUID")
}

#[tokio::test]
async fn pieces_come_in_and_are_counted_anew() {
    let server = Server::start().await;
    let operator = server.operator();
    shop::register(&operator, "tea-1").await;

    let received = receive(&operator, receipt(&json!({ "sku": "Tea-1", "quantity": 10 }))).await;
    received.done("stockReceive");
    assert_eq!(level(&received, "/stockReceive/level"), json!(["TEA-1", "main", 10, 0, 10, 0]));
    let more = receive(&operator, receipt(&json!({ "reference": null, "idempotencyKey": "r2" }))).await;
    assert_eq!(level(&more, "/stockReceive/level"), json!(["TEA-1", "main", 13, 0, 13, 1]));
    let fewer = adjust(&operator, change(&json!({ "change": -4 }))).await;
    fewer.done("stockAdjust");
    assert_eq!(level(&fewer, "/stockAdjust/level"), json!(["TEA-1", "main", 9, 0, 9, 2]));

    // The read model says the same, by SKU and by id.
    let seen =
        operator.graphql(STOCK, json!({ "sku": "tea-1", "minPosition": fewer.get("/stockAdjust/position") })).await;
    assert_eq!(seen.get("/stock/onHand"), 9);
    assert_eq!(level(&seen, "/stock/levels/0"), json!(["TEA-1", "main", 9, 0, 9, 2]));
    assert_eq!(seen.get("/stock/levels/0/updatedAt"), fewer.get("/stockAdjust/level/updatedAt"));
    assert_eq!(seen.get("/stock/levels/0/behind"), &Value::Null);
    let id = seen.text("/stock/levels/0/id");
    assert_eq!(id, received.text("/stockReceive/level/id"));
    let node = "query N($id: ID!) { node(id: $id) { id ... on StockLevel { warehouse available } } }";
    let node = server.customer("alice").graphql(node, json!({ "id": id })).await;
    assert_eq!(node.get("/node"), &json!({ "id": id, "warehouse": "main", "available": 9 }));

    // What nobody ever received is nowhere.
    for sku in ["TEA-2", "no sku"] {
        assert_eq!(operator.graphql(STOCK, json!({ "sku": sku })).await.get("/stock"), &Value::Null);
    }
}

#[tokio::test]
async fn the_warehouses_of_a_sku_add_up() {
    let server = Server::start().await;
    let operator = server.operator();
    shop::register(&operator, "TEA-1").await;
    shop::register(&operator, "TEA-2").await;
    let mut position = Value::Null;
    for (number, (sku, warehouse, quantity)) in
        [("TEA-1", "North", 5), ("TEA-2", "main", 100), ("TEA-1", "main", 7), ("TEA-1", "attic", 1)]
            .into_iter()
            .enumerate()
    {
        let with =
            json!({ "sku": sku, "warehouse": warehouse, "quantity": quantity, "idempotencyKey": number.to_string() });
        let answer = receive(&operator, receipt(&with)).await;
        position = answer.done("stockReceive")["position"].clone();
    }
    let stock = operator.graphql(STOCK, json!({ "sku": "TEA-1", "minPosition": position })).await;
    assert_eq!((stock.get("/stock/onHand"), stock.get("/stock/available")), (&json!(13), &json!(13)));
    let levels = stock.get("/stock/levels").as_array().expect("a list");
    let levels: Vec<_> = levels.iter().map(|level| (level["warehouse"].clone(), level["onHand"].clone())).collect();
    assert_eq!(levels, [("attic", 1), ("main", 7), ("north", 5)].map(|(name, pieces)| (json!(name), json!(pieces))));
}

#[tokio::test]
async fn a_request_that_is_sent_again_counts_once() {
    let server = Server::start().await;
    let operator = server.operator();
    shop::register(&operator, "TEA-1").await;
    let first = receive(&operator, receipt(&json!({}))).await;
    let again = receive(&operator, receipt(&json!({}))).await;
    assert_eq!(
        (first.get("/stockReceive/isRepeat"), again.get("/stockReceive/isRepeat")),
        (&json!(false), &json!(true))
    );
    assert_eq!(again.get("/stockReceive/position"), first.get("/stockReceive/position"));
    assert_eq!(level(&again, "/stockReceive/level"), json!(["TEA-1", "main", 3, 0, 3, 0]));
    let other = receive(&operator, receipt(&json!({ "quantity": 4 }))).await;
    other.expect_error(200, "IDEMPOTENCY_KEY_REUSED");
    adjust(&operator, change(&json!({ "idempotencyKey": "r" }))).await.expect_error(200, "IDEMPOTENCY_KEY_REUSED");
    // In another warehouse the key says nothing.
    let elsewhere = receive(&operator, receipt(&json!({ "warehouse": "north" }))).await;
    assert_eq!(elsewhere.done("stockReceive")["isRepeat"], false);

    let counted = adjust(&operator, change(&json!({}))).await;
    let again = adjust(&operator, change(&json!({}))).await;
    assert_eq!(again.get("/stockAdjust/position"), counted.get("/stockAdjust/position"));
    assert_eq!(level(&again, "/stockAdjust/level"), json!(["TEA-1", "main", 2, 0, 2, 1]));
    let types: Vec<String> = server.events(0).into_iter().map(|event| event.kind).collect();
    let received = "stock.received.v1";
    assert_eq!(types, ["product.registered.v2", received, received, "stock.adjusted.v1"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_stock_is_said_with_code_and_field() {
    let server = Server::start().await;
    let operator = server.operator();
    let tea = shop::register(&operator, "TEA-1").await;
    let refused = async |with: Value| receive(&operator, receipt(&with)).await.refusal("stockReceive");

    for sku in ["", "-tea", "tea 1"] {
        assert_eq!(refused(json!({ "sku": sku })).await, refusal("INVALID_SKU", "input.sku"), "{sku:?}");
    }
    for warehouse in ["", "the attic", &"x".repeat(33)] {
        let expected = refusal("INVALID_WAREHOUSE", "input.warehouse");
        assert_eq!(refused(json!({ "warehouse": warehouse })).await, expected, "{warehouse:?}");
    }
    for quantity in [0, -1, 1_000_000_001] {
        let expected = refusal("INVALID_QUANTITY", "input.quantity");
        assert_eq!(refused(json!({ "quantity": quantity })).await, expected, "{quantity}");
    }
    assert_eq!(refused(json!({ "reference": "" })).await, refusal("INVALID_REFERENCE", "input.reference"));
    assert_eq!(refused(json!({ "sku": "TEA-2" })).await, refusal("UNKNOWN_PRODUCT", "input.sku"));
    let not_there = adjust(&operator, change(&json!({}))).await;
    assert_eq!(not_there.refusal("stockAdjust"), refusal("NOT_FOUND", "input.sku"));

    // All at once, not one by one.
    let wrong = json!({ "sku": "", "warehouse": "", "quantity": -1, "reference": "\u{7}" });
    let answer = receive(&operator, receipt(&wrong)).await;
    let codes: Vec<String> = answer.user_errors("stockReceive").into_iter().map(|error| error.code).collect();
    assert_eq!(codes, ["INVALID_SKU", "INVALID_WAREHOUSE", "INVALID_QUANTITY", "INVALID_REFERENCE"]);
    assert_eq!((answer.get("/stockReceive/level"), answer.get("/stockReceive/position")), (&Value::Null, &Value::Null));
    let answer = adjust(&operator, change(&json!({ "sku": "", "warehouse": "", "reason": " " }))).await;
    let codes: Vec<String> = answer.user_errors("stockAdjust").into_iter().map(|error| error.code).collect();
    assert_eq!(codes, ["INVALID_SKU", "INVALID_WAREHOUSE", "INVALID_REASON"]);
    receive(&operator, receipt(&json!({ "idempotencyKey": "" }))).await.expect_error(200, "BAD_USER_INPUT");
    let mut keyless = receipt(&json!({}));
    keyless.as_object_mut().expect("fields").remove("idempotencyKey");
    receive(&operator, keyless).await.expect_error(422, "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(server.events(0).len(), 1, "a refused receipt left something in the log");

    // A product that is offered no longer still comes back.
    operator.graphql(shop::PRODUCT_RETIRE, json!({ "input": { "id": tea.id } })).await.done("productRetire");
    receive(&operator, receipt(&json!({}))).await.done("stockReceive");
    let full = receive(&operator, receipt(&json!({ "quantity": 1_000_000_000, "idempotencyKey": "full" }))).await;
    assert_eq!(full.refusal("stockReceive"), refusal("TOO_MANY_PIECES", "input.quantity"));
    let refused = async |with: Value| adjust(&operator, change(&with)).await;
    let full = refused(json!({ "change": 1_000_000_000 })).await;
    assert_eq!(full.refusal("stockAdjust"), refusal("TOO_MANY_PIECES", "input.change"));
    let nothing = refused(json!({ "change": 0 })).await;
    assert_eq!(nothing.refusal("stockAdjust"), refusal("INVALID_QUANTITY", "input.change"));
    let below = refused(json!({ "change": -4 })).await;
    assert_eq!(below.refusal("stockAdjust"), refusal("BELOW_RESERVED", "input.change"));
    assert_eq!(below.get("/stockAdjust/userErrors/0/reserved"), 0);
}

#[tokio::test]
async fn a_customer_sees_what_is_available_and_nothing_more() {
    let server = Server::start().await;
    let operator = server.operator();
    shop::register(&operator, "TEA-1").await;
    let done = shop::receive(&operator, "TEA-1", 10, "1").await;
    let customer = server.customer("alice");
    let seen = customer.graphql(AVAILABLE, json!({ "sku": "TEA-1", "minPosition": done.position })).await;
    let levels = json!([{ "warehouse": "main", "available": 10, "version": 0 }]);
    assert_eq!(seen.get("/stock"), &json!({ "sku": "TEA-1", "available": 10, "levels": levels }));

    for fields in ["onHand", "reserved", "levels { onHand }", "levels { reserved }"] {
        let query = format!("{{ stock(sku: \"TEA-1\") {{ available {fields} }} }}");
        let answer = customer.graphql(&query, json!({})).await;
        answer.expect_error(200, "FORBIDDEN");
        assert_eq!(answer.body.pointer("/data/stock/available"), Some(&json!(10)), "the rest of the stock stays");
    }
    receive(&customer, receipt(&json!({}))).await.expect_error(200, "FORBIDDEN");
    adjust(&customer, change(&json!({}))).await.expect_error(200, "FORBIDDEN");
    let stranger = Client::new(&server.url, String::new());
    stranger.graphql(AVAILABLE, json!({ "sku": "TEA-1" })).await.expect_error(401, "UNAUTHENTICATED");
    assert_eq!(server.events(0).len(), 2);
}

#[tokio::test]
async fn what_is_promised_to_orders_is_not_available_and_not_counted_away() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let operator = server.operator();
    shop::register(&operator, "TEA-1").await;
    let received = shop::receive(&operator, "TEA-1", 10, "1").await;
    server.stop().await;
    let tea = domain::product::id_of(&domain::testing::sku("TEA-1"));
    let (stock, order) = (key_of(&received.id), Uuid::from_u128(7));
    let price = |minor: i64| json!({ "minor": minor, "currency": "EUR" });
    let (at, until) = ("2026-01-02T03:04:05Z", "2026-01-02T03:34:05Z");
    events_db::write(&data.path().join("events.db"), |events| {
        let append = |kind: &str, pieces: i64, with: Value| {
            let fields = json!({ "stock": stock, "order": order, "pieces": pieces, "at": at });
            events.append("stock", stock, kind, &over(fields, &with).to_string());
        };
        // What is promised to an order that nobody knows would be given back.
        let line = json!({ "product": tea, "sku": "TEA-1", "name": "Tea", "quantity": 8, "unit_price": price(1),
                           "is_stocked": true });
        let placed = json!({ "order": order, "customer": order, "lines": [line], "total": price(8),
                             "warehouse": "main", "payment": null, "at": at });
        events.append("order", order, "order.placed.v2", &placed.to_string());
        append("stock.reserved.v1", 8, json!({ "until": until }));
        append("stock.committed.v1", 3, json!({}));
    });

    let server = Server::start_in(data.path(), Start::default()).await;
    let operator = operator.at(&server.url);
    let counted = adjust(&operator, change(&json!({}))).await;
    counted.done("stockAdjust");
    assert_eq!(level(&counted, "/stockAdjust/level"), json!(["TEA-1", "main", 6, 5, 1, 3]));
    let below = adjust(&operator, change(&json!({ "change": -2, "idempotencyKey": "b" }))).await;
    assert_eq!(below.refusal("stockAdjust"), refusal("BELOW_RESERVED", "input.change"));
    assert_eq!(below.get("/stockAdjust/userErrors/0/reserved"), 5);
    let variables = json!({ "sku": "TEA-1", "minPosition": counted.get("/stockAdjust/position") });
    let stock = operator.graphql(STOCK, variables).await;
    let sums = ["onHand", "reserved", "available"].map(|field| stock.get("/stock")[field].clone());
    assert_eq!(sums, [6, 5, 1]);
    assert_eq!(level(&stock, "/stock/levels/0"), json!(["TEA-1", "main", 6, 5, 1, 3]));

    // Whoever comes back gets the level of that moment, taken back from what it is now.
    let mut socket = watch(&operator, "TEA-1", Some(&received.position)).await;
    assert_eq!(next(&mut socket).await, Update::Changed { version: 3, available: 1 });
    assert_eq!(next(&mut socket).await, Update::CaughtUp);
}

/// A message, without its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Update {
    Changed { version: u64, available: u64 },
    CaughtUp,
}

/// The message in this payload, and its cursor.
#[track_caller]
fn update(payload: &Value) -> (Update, String) {
    assert!(payload.get("errors").is_none(), "unexpected errors: {payload}");
    let update = &payload["data"]["stockUpdates"];
    let cursor = update["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {payload}")).to_owned();
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number: {payload}"));
    let update = match update["__typename"].as_str() {
        Some("StockChanged") => {
            let level = &update["level"];
            assert_eq!(level["version"], update["version"], "{payload}");
            Update::Changed { version: number(&level["version"]), available: number(&level["available"]) }
        }
        Some("CaughtUp") => Update::CaughtUp,
        other => panic!("a message of type {other:?}: {payload}"),
    };
    (update, cursor)
}

/// A WebSocket on which the main warehouse is watched, from `after` on if given.
async fn watch(client: &Client, sku: &str, after: Option<&str>) -> WsClient {
    let mut socket = client.web_socket().await;
    socket.subscribe("1", STOCK_UPDATES, json!({ "sku": sku, "after": after })).await;
    socket
}

async fn next(socket: &mut WsClient) -> Update {
    update(&socket.next_payload().await).0
}

#[tokio::test]
async fn a_level_is_watched_live_and_after_a_lost_connection() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    shop::register(&operator, "TEA-1").await;
    // What was never received can be waited for, in whatever case it is written.
    let mut socket = watch(&alice, "tea-1", None).await;
    let mut stream = alice.event_stream(STOCK_UPDATES, json!({ "sku": "TEA-1" }), None).await;
    assert_eq!(next(&mut socket).await, Update::CaughtUp);
    assert_eq!(update(&stream.next().await.expect("an event").data).0, Update::CaughtUp);
    let first = shop::receive(&operator, "TEA-1", 5, "1").await;
    let (by_socket, cursor) = update(&socket.next_payload().await);
    assert_eq!((by_socket, &cursor), (Update::Changed { version: 0, available: 5 }, &first.position));
    let event = stream.next().await.expect("an event");
    assert_eq!(update(&event.data), (Update::Changed { version: 0, available: 5 }, first.position.clone()));
    assert_eq!(event.id, Some(cursor.clone()));
    // Another warehouse and another SKU are not its concern.
    receive(&operator, receipt(&json!({ "warehouse": "north" }))).await.done("stockReceive");

    drop((socket, stream));
    shop::receive(&operator, "TEA-1", 5, "2").await;
    let last = shop::receive(&operator, "TEA-1", 5, "3").await;
    let variables = json!({ "sku": "TEA-1", "minPosition": last.position });
    assert_eq!(alice.graphql(AVAILABLE, variables).await.get("/stock/available"), 18);
    // As somebody else, who shares nothing with those who may not have left yet.
    let bob = server.customer("bob");
    let mut socket = watch(&bob, "TEA-1", Some(&cursor)).await;
    let (missed, cursor) = update(&socket.next_payload().await);
    assert_eq!((missed, &cursor), (Update::Changed { version: 2, available: 15 }, &last.position));
    assert_eq!(next(&mut socket).await, Update::CaughtUp);

    // Nothing was missed: nothing comes before `CaughtUp`.
    let mut stream = bob.event_stream(STOCK_UPDATES, json!({ "sku": "TEA-1" }), Some(&cursor)).await;
    assert_eq!(update(&stream.next().await.expect("an event").data).0, Update::CaughtUp);
    shop::receive(&operator, "TEA-1", 1, "4").await;
    assert_eq!(next(&mut socket).await, Update::Changed { version: 3, available: 16 });
    assert_eq!(update(&stream.next().await.expect("an event").data).0, Update::Changed { version: 3, available: 16 });
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_with_a_code() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    shop::register(&operator, "TEA-1").await;
    let done = shop::receive(&operator, "TEA-1", 5, "1").await;
    for variables in [json!({ "sku": "no sku" }), json!({ "sku": "TEA-1", "warehouse": "the attic" })] {
        let mut socket = alice.web_socket().await;
        socket.subscribe("1", STOCK_UPDATES, variables).await;
        assert_eq!(socket.next_error_code().await, "BAD_USER_INPUT");
    }
    let future = position_token(position_of(&done.position) + 1_000_000);
    let mut socket = watch(&alice, "TEA-1", Some(&future)).await;
    assert_eq!(socket.next_error_code().await, "BAD_CURSOR");

    // Rights are asked for with each level: a customer who wants more gets an error beside what is theirs.
    let query =
        "subscription { stockUpdates(sku: \"TEA-1\") { cursor ... on StockChanged { level { available onHand } } } }";
    let mut socket = alice.web_socket().await;
    socket.subscribe("1", query, json!({})).await;
    socket.next_payload().await;
    shop::receive(&operator, "TEA-1", 5, "2").await;
    // The first receipt may be told late.
    for _ in 0..2 {
        let payload = socket.next_payload().await;
        let level = &payload["data"]["stockUpdates"]["level"];
        assert_eq!(
            (&level["onHand"], &payload["errors"][0]["extensions"]["code"]),
            (&json!(null), &json!("FORBIDDEN"))
        );
        if level["available"] == 10 {
            return;
        }
    }
    panic!("the second receipt is not told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_fast_a_stock_moves_its_watchers_end_up_with_what_it_is() {
    const WRITERS: u64 = 8;
    const RECEIPTS: u64 = 25;
    const LAST: u64 = WRITERS * RECEIPTS - 1;
    let server = Server::start().await;
    let (operator, alice, bob) = (server.operator(), server.customer("alice"), server.customer("bob"));
    shop::register(&operator, "TEA-1").await;
    let mut watched = watch(&alice, "TEA-1", None).await;
    assert_eq!(next(&mut watched).await, Update::CaughtUp);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let operator = operator.clone();
        writers.spawn(async move {
            for number in 0..RECEIPTS {
                shop::receive(&operator, "TEA-1", 1, &format!("{writer}-{number}")).await;
            }
        });
    }

    // One watches all the time; another one leaves after each message, and comes back with its cursor.
    let follow = async |socket: &mut WsClient| {
        let (mut messages, mut last) = (0, None);
        while last != Some(LAST) {
            let Update::Changed { version, available } = next(socket).await else { panic!("caught up twice") };
            assert!(last.is_none_or(|last| version > last), "{version} came after {last:?}");
            assert_eq!(available, version + 1, "the level is that of its version");
            (messages, last) = (messages + 1, Some(version));
        }
        messages
    };
    let come_and_go = async || {
        let (mut cursor, mut last) = (position_token(0), None);
        while last != Some(LAST) {
            let mut socket = watch(&bob, "TEA-1", Some(&cursor)).await;
            loop {
                let (message, at) = update(&socket.next_payload().await);
                assert!(position_of(&at) >= position_of(&cursor));
                cursor = at;
                if let Update::Changed { version, available } = message {
                    assert!(last.is_none_or(|last| version > last), "{version} came after {last:?}");
                    assert_eq!(available, version + 1, "the level is that of its version");
                    last = Some(version);
                    break;
                }
            }
        }
    };
    let (messages, ()) = tokio::join!(follow(&mut watched), come_and_go());
    while let Some(written) = writers.join_next().await {
        written.expect("everything is received");
    }
    assert!((1..=LAST + 1).contains(&messages), "{messages} messages");
    // Nothing more comes: the next word is the answer to another question.
    watched.subscribe("2", "{ ping(message: \"still there\") }", json!({})).await;
    let payload = json!({ "data": { "ping": "still there" } });
    assert_eq!(watched.next().await, WsMessage::Next { id: "2".to_owned(), payload });
}

#[tokio::test]
async fn the_id_of_no_stock_is_no_node() {
    let server = Server::start().await;
    let missing = global_id("stock", "01900000-0000-7000-8000-000000000001");
    let alice = server.customer("alice");
    let node = alice.graphql("query N($id: ID!) { node(id: $id) { id } }", json!({ "id": missing })).await;
    assert_eq!(node.get("/node"), &Value::Null);
}
