//! Orders over real HTTP: the whole life, everything that is refused, paging, and reading one's own writes.

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    log::{global_id, position_of, position_token},
    server::Server,
    shop::{
        self, ORDER, ORDER_CANCEL, ORDER_DELIVER, ORDER_PLACE, ORDER_SHIP, PRODUCT_REGISTER, PRODUCT_RETIRE,
        order_input,
    },
};

const NOBODYS: &str = "01900000-0000-7000-8000-000000000001";

const ORDERS: &str = "query Orders($first: Int, $after: Cursor, $last: Int, $before: Cursor, $where: OrderWhere,
        $orderBy: OrderOrderBy, $minPosition: Position) {
    orders(first: $first, after: $after, last: $last, before: $before, where: $where, orderBy: $orderBy,
           minPosition: $minPosition) {
        edges { cursor node { id } } nodes { id }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } position } }";

async fn place(client: &Client, input: Value) -> Answer {
    client.graphql(ORDER_PLACE, json!({ "input": input })).await
}

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// The ids on a page.
fn ids(answer: &Answer) -> Vec<String> {
    let nodes = answer.get("/orders/nodes").as_array().expect("a list");
    nodes.iter().map(|node| node["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn an_order_is_placed_at_the_catalogues_price_shipped_and_delivered() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register_at(&operator, "TEA-1", "19.90", "EUR").await;
    let pot = shop::register_at(&operator, "POT-1", "40", "EUR").await;
    let lines = json!([{ "productId": tea.id, "quantity": 3 }, { "productId": pot.id, "quantity": 1 }]);
    let placed = place(&alice, json!({ "lines": lines })).await;
    let order = placed.done("orderPlace")["order"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(placed.get("/orderPlace/order/total"), &json!({ "amount": "99.70", "currencyCode": "EUR" }));
    assert_eq!(placed.get("/orderPlace/isRepeat"), false);

    shop::ship(&operator, &order).await;
    let delivered = shop::deliver(&operator, &order).await;
    // Delivering what is delivered is done already: nothing new happens.
    let again = operator.graphql(ORDER_DELIVER, json!({ "input": { "id": order } })).await;
    assert_eq!(again.done("orderDeliver")["order"]["version"], 2);

    let query = "query O($id: ID!, $minPosition: Position) { order(id: $id, minPosition: $minPosition) {
        number status trackingNumber cancelReason version
        lines { product { id } sku name quantity unitPrice { amount } total { amount } } } }";
    let answer = alice.graphql(query, json!({ "id": order, "minPosition": delivered.position })).await;
    let seen = answer.get("/order");
    assert_eq!(seen["number"].as_str().map(str::len), Some(8));
    assert_eq!(
        (&seen["status"], &seen["trackingNumber"], &seen["cancelReason"], &seen["version"]),
        (&json!("DELIVERED"), &json!("DHL 1"), &Value::Null, &json!(2))
    );
    assert_eq!(
        seen["lines"][0],
        json!({
            "product": { "id": tea.id }, "sku": "TEA-1", "name": "The TEA-1", "quantity": 3,
            "unitPrice": { "amount": "19.90" }, "total": { "amount": "59.70" },
        })
    );
    assert_eq!(seen["lines"][1]["product"]["id"], pot.id, "each line has its own product");
    let types: Vec<String> = server.events(server.position(2)).into_iter().map(|event| event.kind).collect();
    assert_eq!(types, ["order.placed.v2", "order.shipped.v2", "order.delivered.v1"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_lines_product_or_quantity_is_said_by_line() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let retired = shop::register(&operator, "OLD-1").await;
    operator.graphql(PRODUCT_RETIRE, json!({ "input": { "id": retired.id } })).await.done("productRetire");
    let events = server.events(0).len();

    for unknown in [global_id("product", NOBODYS), global_id("order", NOBODYS), String::new(), "zzz".to_owned()] {
        let answer = place(&alice, order_input(&unknown, 1)).await;
        let expected = refusal("UNKNOWN_PRODUCT", "input.lines.0.productId");
        assert_eq!(answer.refusal("orderPlace"), expected, "{unknown:?}");
    }
    let answer = place(&alice, order_input(&retired.id, 1)).await;
    assert_eq!(answer.refusal("orderPlace"), refusal("RETIRED_PRODUCT", "input.lines.0.productId"));
    for quantity in [0, -1, 100_001, i64::from(i32::MAX)] {
        let answer = place(&alice, order_input(&tea.id, quantity)).await;
        let expected = refusal("INVALID_QUANTITY", "input.lines.0.quantity");
        assert_eq!(answer.refusal("orderPlace"), expected, "{quantity}");
    }
    // What is no 32-bit number is no value of the type at all.
    place(&alice, order_input(&tea.id, 3_000_000_000)).await.expect_error(200, "BAD_USER_INPUT");

    let lines = json!([
        { "productId": tea.id, "quantity": 1 },
        { "productId": "zzz", "quantity": 0 },
        { "productId": tea.id, "quantity": 0 },
    ]);
    let errors = place(&alice, json!({ "lines": lines })).await.user_errors("orderPlace");
    let fields: Vec<String> = errors.iter().map(|error| error.field.join(".")).collect();
    assert_eq!(fields, ["input.lines.1.productId", "input.lines.1.quantity", "input.lines.2.quantity"]);
    assert_eq!(server.events(0).len(), events, "a refused order left something in the log");
}

#[tokio::test]
async fn what_is_wrong_with_an_order_as_a_whole_is_said() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let foreign = shop::register_at(&operator, "TEA-2", "19.90", "USD").await;
    let dear = shop::register_at(&operator, "TEA-3", "9999999999999.99", "EUR").await;
    let line = |product: &str, quantity: i64| json!({ "productId": product, "quantity": quantity });
    let refused = async |lines: Vec<Value>| place(&alice, json!({ "lines": lines })).await.refusal("orderPlace");

    assert_eq!(refused(vec![]).await, refusal("NO_LINES", "input.lines"));
    assert_eq!(refused(vec![line(&tea.id, 1); 501]).await, refusal("TOO_MANY_LINES", "input.lines"));
    let mixed = vec![line(&tea.id, 1), line(&foreign.id, 1)];
    assert_eq!(refused(mixed).await, refusal("MIXED_CURRENCIES", "input.lines.1.productId"));
    assert_eq!(refused(vec![line(&dear.id, 2)]).await, refusal("TOTAL_TOO_LARGE", "input.lines.0.quantity"));
    assert_eq!(refused(vec![line(&dear.id, 1); 2]).await, refusal("TOTAL_TOO_LARGE", "input.lines"));
    // The largest order that there can be is no problem.
    place(&alice, json!({ "lines": vec![line(&tea.id, 100_000); 500] })).await.done("orderPlace");
    assert_eq!(server.events(0).len(), 4);
}

#[tokio::test]
async fn the_rules_of_an_orders_life_are_kept() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let cancel = async |id: &str| alice.graphql(ORDER_CANCEL, json!({ "input": { "id": id } })).await;
    let ship = async |id: &str| operator.graphql(ORDER_SHIP, json!({ "input": { "id": id } })).await;
    let deliver = async |id: &str| operator.graphql(ORDER_DELIVER, json!({ "input": { "id": id } })).await;

    let one = shop::place(&alice, &tea.id).await.id;
    assert_eq!(deliver(&one).await.refusal("orderDeliver"), refusal("NOT_SHIPPED", "input.id"));
    ship(&one).await.done("orderShip");
    assert_eq!(ship(&one).await.refusal("orderShip"), refusal("ALREADY_SHIPPED", "input.id"));
    assert_eq!(cancel(&one).await.refusal("orderCancel"), refusal("ALREADY_SHIPPED", "input.id"));
    deliver(&one).await.done("orderDeliver");
    assert_eq!(cancel(&one).await.refusal("orderCancel"), refusal("ALREADY_DELIVERED", "input.id"));
    assert_eq!(ship(&one).await.refusal("orderShip"), refusal("ALREADY_DELIVERED", "input.id"));

    let two = shop::place(&alice, &tea.id).await.id;
    shop::cancel(&alice, &two).await;
    // Cancelling what is cancelled is done already.
    shop::cancel(&alice, &two).await;
    assert_eq!(ship(&two).await.refusal("orderShip"), refusal("CANCELLED", "input.id"));
    assert_eq!(deliver(&two).await.refusal("orderDeliver"), refusal("CANCELLED", "input.id"));

    let missing = global_id("order", NOBODYS);
    assert_eq!(ship(&missing).await.refusal("orderShip"), refusal("NOT_FOUND", "input.id"));
    cancel(&global_id("product", NOBODYS)).await.expect_error(200, "BAD_USER_INPUT");
    for tracking in ["", " ", "a\u{0}b", &"x".repeat(201)] {
        let input = json!({ "id": two, "trackingNumber": tracking });
        let answer = operator.graphql(ORDER_SHIP, json!({ "input": input })).await;
        let expected = refusal("INVALID_TRACKING_NUMBER", "input.trackingNumber");
        assert_eq!(answer.refusal("orderShip"), expected, "{tracking:?}");
    }
    // Only operators ship and deliver.
    alice.graphql(ORDER_SHIP, json!({ "input": { "id": one } })).await.expect_error(200, "FORBIDDEN");
    alice.graphql(ORDER_DELIVER, json!({ "input": { "id": one } })).await.expect_error(200, "FORBIDDEN");
}

#[tokio::test]
async fn a_foreign_order_looks_like_a_missing_one_everywhere() {
    let server = Server::start().await;
    let (operator, alice, mallory) = (server.operator(), server.customer("alice"), server.customer("mallory"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await;
    let missing = global_id("order", NOBODYS);

    for id in [&order.id, &missing] {
        let variables = json!({ "id": id, "minPosition": order.position });
        assert_eq!(mallory.graphql(ORDER, variables.clone()).await.get("/order"), &Value::Null);
        let node = "query N($id: ID!, $minPosition: Position) { node(id: $id, minPosition: $minPosition) { id } }";
        assert_eq!(mallory.graphql(node, variables).await.get("/node"), &Value::Null);
        let answer = mallory.graphql(ORDER_CANCEL, json!({ "input": { "id": id } })).await;
        assert_eq!(answer.refusal("orderCancel"), refusal("NOT_FOUND", "input.id"));
        // Nor does a guess at its version say anything.
        for version in [0, 1] {
            let input = json!({ "id": id, "expectedVersion": version });
            let answer = mallory.graphql(ORDER_CANCEL, json!({ "input": input })).await;
            assert_eq!(answer.refusal("orderCancel"), refusal("NOT_FOUND", "input.id"), "version {version}");
        }
    }
    let mine = mallory.graphql(ORDERS, json!({ "first": 10, "minPosition": order.position })).await;
    assert_eq!(ids(&mine), Vec::<String>::new());
    // A filter widens nothing.
    let filter = json!({ "or": [{ "status": ["PLACED"] }, { "status": ["CANCELLED"] }] });
    let variables = json!({ "first": 10, "where": filter, "minPosition": order.position });
    assert_eq!(ids(&mallory.graphql(ORDERS, variables).await), Vec::<String>::new());
    assert_eq!(ids(&alice.graphql(ORDERS, json!({ "first": 10 })).await), [order.id.as_str()]);
    assert_eq!(ids(&operator.graphql(ORDERS, json!({ "first": 10 })).await), [order.id]);
}

#[tokio::test]
async fn a_wrong_version_changes_nothing_and_says_the_right_one() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await.id;
    let input = json!({ "id": order, "expectedVersion": 3 });
    let answer = operator.graphql(ORDER_SHIP, json!({ "input": input })).await;
    assert_eq!(answer.refusal("orderShip"), refusal("VERSION_CONFLICT", "input.expectedVersion"));
    assert_eq!(answer.user_errors("orderShip")[0].current_version, Some(0));
    let input = json!({ "id": order, "expectedVersion": 0 });
    let answer = operator.graphql(ORDER_SHIP, json!({ "input": input })).await;
    assert_eq!(answer.done("orderShip")["order"]["version"], 1);
    // Somebody who acts on what was there before learns that it has changed.
    let input = json!({ "id": order, "expectedVersion": 0 });
    let answer = alice.graphql(ORDER_CANCEL, json!({ "input": input })).await;
    assert_eq!(answer.refusal("orderCancel"), refusal("VERSION_CONFLICT", "input.expectedVersion"));
    assert_eq!(answer.user_errors("orderCancel")[0].current_version, Some(1));
}

#[tokio::test]
async fn a_repeat_with_the_same_key_gets_the_first_outcome() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let input = |quantity: i64| {
        let mut input = order_input(&tea.id, quantity);
        input["idempotencyKey"] = json!("order-1");
        input
    };
    let first = place(&alice, input(1)).await;
    let events = server.events(0).len();
    let repeat = place(&alice, input(1)).await;
    for part in ["order", "position"] {
        assert_eq!(first.done("orderPlace")[part], repeat.done("orderPlace")[part]);
    }
    assert_eq!((first.get("/orderPlace/isRepeat"), repeat.get("/orderPlace/isRepeat")), (&json!(false), &json!(true)));

    // The same key with another input, or for another mutation, is a mistake.
    place(&alice, input(2)).await.expect_error(200, "IDEMPOTENCY_KEY_REUSED");
    let order = first.text("/orderPlace/order/id");
    let cancel = json!({ "id": order, "idempotencyKey": "cancel-1" });
    let cancelled = alice.graphql(ORDER_CANCEL, json!({ "input": cancel })).await;
    let again = alice.graphql(ORDER_CANCEL, json!({ "input": cancel })).await;
    assert_eq!(cancelled.done("orderCancel")["position"], again.done("orderCancel")["position"]);
    let other = json!({ "id": order, "reason": "OUT_OF_STOCK", "idempotencyKey": "cancel-1" });
    alice.graphql(ORDER_CANCEL, json!({ "input": other })).await.expect_error(200, "IDEMPOTENCY_KEY_REUSED");

    // Placing repeats even now that the order has gone on, and another customer's key is another key.
    assert_eq!(place(&alice, input(1)).await.done("orderPlace")["position"], first.done("orderPlace")["position"]);
    let bobs = place(&server.customer("bob"), input(1)).await;
    assert_ne!(bobs.text("/orderPlace/order/id"), order);
    assert_eq!(server.events(0).len(), events + 2, "one cancellation and one order of Bob's");
    for key in [String::new(), "k".repeat(256)] {
        let mut input = order_input(&tea.id, 1);
        input["idempotencyKey"] = json!(key);
        place(&alice, input).await.expect_error(200, "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn a_key_is_good_for_ever_across_restarts_and_for_many_at_once() {
    let data = tests::server::temp_dir();
    let server = Server::start_in(data.path(), tests::server::Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut input = order_input(&tea.id, 1);
    input["idempotencyKey"] = json!("once");
    let requests = (0..20).map(|_| place(&alice, input.clone()));
    let answers = futures_util::future::join_all(requests).await;
    let first = answers[0].done("orderPlace").clone();
    for answer in &answers {
        let payload = answer.done("orderPlace");
        assert_eq!((&payload["order"]["id"], &payload["position"]), (&first["order"]["id"], &first["position"]));
    }
    let fresh = answers.iter().filter(|answer| answer.get("/orderPlace/isRepeat") == false).count();
    assert_eq!(fresh, 1, "exactly one of them took effect");
    server.stop().await;

    let server = Server::start_in(data.path(), tests::server::Start::default()).await;
    let answer = place(&alice.at(&server.url), input).await;
    assert_eq!(answer.done("orderPlace")["position"], first["position"]);
    assert_eq!(answer.get("/orderPlace/isRepeat"), true);
    assert_eq!(server.events(0).len(), 2);
}

#[tokio::test]
async fn a_query_with_the_mutations_position_is_never_stale() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    for round in 0..100 {
        let placed = shop::place(&alice, &tea.id).await;
        let variables = json!({ "id": placed.id, "minPosition": placed.position });
        let seen = alice.graphql(ORDER, variables).await;
        assert_eq!(seen.get("/order/status"), "PLACED", "round {round}");
        let reflected = seen.body.pointer("/extensions/position").and_then(Value::as_str).expect("a position");
        assert!(position_of(reflected) >= position_of(&placed.position), "round {round}: {seen}");

        let shipped = shop::ship(&operator, &placed.id).await;
        let newest = json!({ "first": 1, "minPosition": shipped.position, "where": { "status": ["SHIPPED"] } });
        assert_eq!(ids(&alice.graphql(ORDERS, newest).await), [placed.id], "round {round}");
    }
}

#[tokio::test]
async fn a_position_that_does_not_come_ends_the_wait_with_where_it_is() {
    let data = tests::server::temp_dir();
    let environment = vec![("MILLRACE_LIMITS__MIN_POSITION_WAIT_MS".to_owned(), "1000".to_owned())];
    let start = tests::server::Start { environment, ..Default::default() };
    let server = Server::start_in(data.path(), start).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await;
    shop::orders_by_id(&operator, std::slice::from_ref(&order.id), &order.position).await;

    let future = position_token(position_of(&order.position) + 1);
    let answer = alice.graphql(ORDER, json!({ "id": order.id, "minPosition": future })).await;
    answer.expect_error(200, "PROJECTION_TIMEOUT");
    assert_eq!(answer.body["errors"][0]["extensions"]["position"], order.position);
    assert_eq!(answer.body["errors"][0]["extensions"]["retryable"], true);
    let answer = alice.graphql(ORDER, json!({ "id": order.id, "minPosition": "nonsense" })).await;
    assert!(answer.error_code().is_some_and(|code| code != "INTERNAL"), "{answer}");
}

#[tokio::test]
async fn orders_are_paged_both_ways_without_a_hole_or_a_repeat() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut placed = Vec::new();
    for _ in 0..11 {
        placed.push(shop::place(&alice, &tea.id).await);
    }
    let newest: Vec<String> = placed.iter().rev().map(|order| order.id.clone()).collect();
    let position = &placed.last().expect("there are orders").position;
    let ask = async |mut variables: Value| {
        variables["minPosition"] = json!(position);
        alice.graphql(ORDERS, variables).await
    };
    let info = |answer: &Answer, field: &str| answer.get(&format!("/orders/pageInfo/{field}")).clone();

    let mut seen = Vec::new();
    let mut page = ask(json!({ "first": 3 })).await;
    assert_eq!(info(&page, "hasPreviousPage"), false);
    loop {
        assert_eq!(info(&page, "startCursor"), *page.get("/orders/edges/0/cursor"));
        seen.extend(ids(&page));
        if info(&page, "hasNextPage") == false {
            break;
        }
        page = ask(json!({ "first": 3, "after": info(&page, "endCursor") })).await;
        assert_eq!(info(&page, "hasPreviousPage"), true);
    }
    assert_eq!(seen, newest);

    let mut seen = Vec::new();
    let mut page = ask(json!({ "last": 4 })).await;
    loop {
        seen.splice(0..0, ids(&page));
        if info(&page, "hasPreviousPage") == false {
            break;
        }
        page = ask(json!({ "last": 4, "before": info(&page, "startCursor") })).await;
        assert_eq!(info(&page, "hasNextPage"), true);
    }
    assert_eq!(seen, newest);

    // An order placed while somebody turns the pages moves nothing.
    let page = ask(json!({ "first": 3 })).await;
    shop::place(&alice, &tea.id).await;
    let next = ask(json!({ "first": 3, "after": info(&page, "endCursor") })).await;
    assert_eq!(ids(&next), newest[3..6]);
    // Between two cursors, from either side.
    let bounds = json!({
        "first": 50, "after": page.get("/orders/edges/0/cursor"), "before": info(&next, "endCursor"),
    });
    assert_eq!(ids(&ask(bounds).await), newest[1..5]);
}

#[tokio::test]
async fn a_page_is_asked_for_with_exactly_one_sensible_size_and_a_cursor_of_its_list() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await;
    let ask = async |variables: Value| alice.graphql(ORDERS, variables).await;
    let wrong_sizes = [
        json!({}),
        json!({ "first": 1, "last": 1 }),
        json!({ "first": 0 }),
        json!({ "first": -1 }),
        json!({ "last": 101 }),
    ];
    let few_fields = "query($first: Int, $last: Int) { orders(first: $first, last: $last) { nodes { id } } }";
    for variables in wrong_sizes {
        alice.graphql(few_fields, variables).await.expect_error(200, "BAD_USER_INPUT");
    }

    let page = ask(json!({ "first": 1, "minPosition": order.position })).await;
    let cursor = page.get("/orders/pageInfo/endCursor").clone();
    let updated = json!({ "field": "UPDATED_AT", "direction": "DESC" });
    ask(json!({ "first": 1, "after": cursor, "orderBy": updated })).await.expect_error(200, "BAD_CURSOR");
    let oldest = json!({ "field": "PLACED_AT", "direction": "ASC" });
    ask(json!({ "first": 1, "after": cursor, "orderBy": oldest })).await.expect_error(200, "BAD_CURSOR");
    let products = "query P($after: Cursor) { products(first: 1, after: $after) { nodes { id } } }";
    alice.graphql(products, json!({ "after": cursor })).await.expect_error(200, "BAD_CURSOR");
    let of_products = "query P($p: Position) { products(first: 1, minPosition: $p) { pageInfo { endCursor } } }";
    let answer = alice.graphql(of_products, json!({ "p": tea.position })).await;
    let foreign = answer.get("/products/pageInfo/endCursor");
    ask(json!({ "first": 1, "after": foreign })).await.expect_error(200, "BAD_CURSOR");
    for nonsense in ["", "???", "b3JkZXJzLnBsYWNlZC5kZXNjfHg"] {
        ask(json!({ "first": 1, "before": nonsense })).await.expect_error(200, "BAD_CURSOR");
    }
}

#[tokio::test]
async fn orders_are_filtered_and_sorted() {
    let server = Server::start().await;
    let (operator, alice, bob) = (server.operator(), server.customer("alice"), server.customer("bob"));
    let tea = shop::register_at(&operator, "TEA-1", "10", "EUR").await;
    let pot = shop::register_at(&operator, "POT-1", "50", "EUR").await;
    let dollars = shop::register_at(&operator, "CUP-1", "50", "USD").await;
    let one = shop::place(&alice, &tea.id).await.id;
    let two = shop::place(&bob, &pot.id).await.id;
    let three = shop::place(&alice, &dollars.id).await.id;
    let four = shop::place(&bob, &tea.id).await.id;
    shop::ship(&operator, &two).await;
    let position = shop::cancel(&alice, &one).await.position;
    let ask = async |filter: Value| {
        let variables = json!({ "first": 50, "where": filter, "minPosition": position });
        ids(&operator.graphql(ORDERS, variables).await)
    };

    assert_eq!(ask(json!({})).await, [&four, &three, &two, &one].map(Clone::clone));
    assert_eq!(ask(json!({ "status": ["SHIPPED", "CANCELLED"] })).await, [two.clone(), one.clone()]);
    assert_eq!(ask(json!({ "status": [] })).await, Vec::<String>::new());
    assert_eq!(ask(json!({ "total": { "currencyCode": "USD" } })).await, [three.as_str()]);
    let range = json!({ "total": { "currencyCode": "EUR", "gte": "10", "lte": "49.99" } });
    assert_eq!(ask(range).await, [four.clone(), one.clone()]);
    let either = json!({ "or": [{ "status": ["SHIPPED"] }, { "total": { "currencyCode": "USD" } }] });
    assert_eq!(ask(either.clone()).await, [three.clone(), two.clone()]);
    let both = json!({ "and": [either, { "status": ["PLACED"] }] });
    assert_eq!(ask(both).await, [three.as_str()]);
    let by_alice = alice.graphql("{ orders(first: 1) { nodes { customer { id } } } }", json!({})).await;
    let customer = by_alice.get("/orders/nodes/0/customer/id");
    assert_eq!(ask(json!({ "customerId": customer })).await, [three.clone(), one.clone()]);
    let placed_at = operator.graphql("query($id: ID!) { order(id: $id) { placedAt } }", json!({ "id": three })).await;
    let at = placed_at.get("/order/placedAt");
    assert_eq!(ask(json!({ "placedAt": { "gte": at } })).await, [four.clone(), three.clone()]);
    assert_eq!(ask(json!({ "placedAt": { "lt": at } })).await, [two.clone(), one.clone()]);

    let sorted = async |field: &str, direction: &str| {
        let variables = json!({ "first": 50, "orderBy": { "field": field, "direction": direction } });
        ids(&operator.graphql(ORDERS, variables).await)
    };
    assert_eq!(sorted("PLACED_AT", "ASC").await, [&one, &two, &three, &four].map(Clone::clone));
    assert_eq!(sorted("UPDATED_AT", "DESC").await, [&one, &two, &four, &three].map(Clone::clone));

    let wrong = [
        json!({ "customerId": one }),
        json!({ "total": { "currencyCode": "XQQ" } }),
        json!({ "total": { "currencyCode": "EUR", "gte": "1.999" } }),
        json!({ "or": vec![json!({ "status": ["PLACED"] }); 51] }),
    ];
    for filter in wrong {
        let answer = operator.graphql(ORDERS, json!({ "first": 1, "where": filter })).await;
        answer.expect_error(200, "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn nodes_keep_their_order_and_are_null_for_what_is_not_there() {
    let server = Server::start().await;
    let (operator, alice, bob) = (server.operator(), server.customer("alice"), server.customer("bob"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mine = shop::place(&alice, &tea.id).await;
    let foreign = shop::place(&bob, &tea.id).await;
    let query = "query N($ids: [ID!]!, $minPosition: Position) { nodes(ids: $ids, minPosition: $minPosition) {
        __typename id } }";
    let wanted = [&mine.id, "nonsense", &tea.id, &foreign.id, &global_id("order", NOBODYS), &mine.id];
    let answer = alice.graphql(query, json!({ "ids": wanted, "minPosition": foreign.position })).await;
    let order = json!({ "__typename": "Order", "id": mine.id });
    let product = json!({ "__typename": "Product", "id": tea.id });
    assert_eq!(answer.get("/nodes"), &json!([order, null, product, null, null, order]));
    assert_eq!(alice.graphql(query, json!({ "ids": [] })).await.get("/nodes"), &json!([]));
    alice.graphql(query, json!({ "ids": vec![mine.id; 101] })).await.expect_error(200, "BAD_USER_INPUT");
}

#[tokio::test]
async fn several_commands_of_one_document_run_in_their_order() {
    let server = Server::start().await;
    let operator = server.operator();
    let document = "mutation($a: ProductRegisterInput!, $b: ProductRegisterInput!) {
        a: productRegister(input: $a) { product { sku } position }
        b: productRegister(input: $b) { product { sku } position } }";
    let input = |sku: &str| json!({ "sku": sku, "name": "Tea", "price": { "amount": "1", "currencyCode": "EUR" } });
    let answer = operator.graphql(document, json!({ "a": input("T-1"), "b": input("T-2") })).await;
    assert_eq!((answer.get("/a/product/sku"), answer.get("/b/product/sku")), (&json!("T-1"), &json!("T-2")));
    assert!(position_of(&answer.text("/a/position")) < position_of(&answer.text("/b/position")));
    let answer = operator.graphql(PRODUCT_REGISTER, json!({ "input": input("T-1") })).await;
    assert_eq!(answer.refusal("productRegister"), refusal("SKU_TAKEN", "input.sku"));
}
