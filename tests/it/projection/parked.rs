//! Events that cannot be applied: parked by key, shown, tried again, passed over with a reason.

use serde_json::{Value, json};
use tests::{
    client::Client,
    events_db,
    log::{global_id, position_token},
    server::{Server, Start, eventually, temp_dir},
    shop,
};
use uuid::Uuid;

use super::{action, actions, done, last_key, order, projection, projection_once, serves};

const NAME: &str = "order_summary";
const ORDER: &str = "query O($id: ID!, $minPosition: Position) { order(id: $id, minPosition: $minPosition) {
    id version status behind { number position error attempts } } }";

/// A page of what is parked: its nodes and its page info.
async fn parked(operator: &Client, arguments: &str) -> (Vec<Value>, Value) {
    let query = format!(
        "{{ parkedEvents({arguments}) {{ pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {{
            id projection generation key number position eventType stream version state error attempts nextRetry }} }} }}"
    );
    let answer = operator.graphql(&query, json!({})).await;
    let nodes = answer.get("/parkedEvents/nodes").as_array().expect("a list").clone();
    (nodes, answer.get("/parkedEvents/pageInfo").clone())
}

fn numbers(nodes: &[Value]) -> Vec<u64> {
    nodes.iter().map(|node| node["number"].as_u64().expect("a number")).collect()
}

/// A server whose log has: a product (1), orders (2, 3), events that nobody can read for the first order (4) and of an
/// order without any other (6), and one behind the former (5).
struct Shop {
    server: Server,
    stuck: (String, String),
    well: String,
    rowless: (String, String),
}

impl Shop {
    async fn open(folder: &std::path::Path) -> Self {
        let server = Server::start_in(folder, Start::default()).await;
        let (operator, alice) = (server.operator(), server.customer("alice"));
        let tea = shop::register(&operator, "TEA-1").await;
        let stuck = shop::place(&alice, &tea.id).await.id;
        let key = last_key(&server);
        let well = shop::place(&alice, &tea.id).await.id;
        let order = server.events(0).pop().expect("an order").data["order"].clone();
        assert!(order.is_string(), "an event of an order names it");
        server.stop().await;
        let rowless = Uuid::from_u128(7);
        events_db::write(&folder.join("events.db"), |db| {
            let stream = key.parse().expect("a UUID");
            let shipped = json!({ "order": key, "tracking": null, "at": "2026-01-01T00:00:00Z" });
            db.append("order", stream, "order.shipped.v1", "{\"nobody\": \"reads this\"}");
            db.append("order", stream, "order.shipped.v1", &shipped.to_string());
            db.append("order", rowless, "order.placed.v1", "{}");
        });
        let server = Server::start_in(folder, Start::default()).await;
        projection_once(&server.operator(), NAME, "both keys wait", |now| now["parkedKeys"] == 2).await;
        let rowless = (rowless.to_string(), global_id("order", &rowless.to_string()));
        Self { server, stuck: (key, stuck), well, rowless }
    }
}

#[tokio::test]
async fn what_cannot_be_applied_keeps_its_own_row_back_and_no_other() {
    let folder = temp_dir();
    let Shop { server, stuck: (key, stuck), well, rowless: (rowless_key, rowless) } = Shop::open(folder.path()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let ask = async |client: &Client, id: &str, min: Option<u64>| {
        client.graphql(ORDER, json!({ "id": id, "minPosition": min.map(position_token) })).await
    };

    let status = projection(&operator, NAME).await;
    assert_eq!(
        (&status["state"], &status["lagEvents"], &status["parkedEvents"]),
        (&json!("RUNNING"), &json!(0), &json!(3))
    );
    let [third, fourth, fifth, sixth] = [3, 4, 5, 6].map(|nth| server.position(nth));
    assert_eq!((&status["firstParked"]["key"], &status["firstParked"]["number"]), (&json!(key), &json!(fourth)));

    // Its row is as it was before the event, and says so; why is for operators.
    let seen = ask(&operator, &stuck, None).await;
    assert_eq!((seen.get("/order/status"), seen.get("/order/behind/number")), (&json!("PLACED"), &json!(fourth)));
    assert_eq!(seen.get("/order/behind/position"), &json!(position_token(fourth)));
    assert!(seen.text("/order/behind/error").contains("order.shipped.v1"), "{seen}");
    let seen = ask(&alice, &stuck, Some(third)).await;
    assert_eq!((seen.get("/order/behind/number"), seen.get("/order/behind/error")), (&json!(fourth), &Value::Null));
    for min in [fourth, sixth] {
        let refused = ask(&alice, &stuck, Some(min)).await;
        refused.expect_error(200, "READ_MODEL_BEHIND");
        assert_eq!(refused.body["errors"][0]["extensions"]["retryable"], true);
    }
    // Somebody else's looks like a missing one, as ever.
    assert_eq!(ask(&server.customer("mallory"), &stuck, Some(fourth)).await.get("/order"), &Value::Null);
    // Without a row there is nothing to show, which is not the same as no order.
    ask(&operator, &rowless, None).await.expect_error(200, "READ_MODEL_BEHIND");
    assert_eq!(ask(&alice, &well, Some(sixth)).await.get("/order/behind"), &Value::Null);
    let product = operator.graphql("{ product(sku: \"TEA-1\") { sku behind { number } } }", json!({})).await;
    assert_eq!(product.get("/product"), &json!({ "sku": "TEA-1", "behind": null }));

    let (nodes, _) = parked(&operator, &format!("first: 10, projection: \"{NAME}\"")).await;
    assert_eq!(numbers(&nodes), [fourth, fifth, sixth]);
    let kinds: Vec<_> = nodes.iter().map(|node| (&node["state"], &node["version"])).collect();
    let expected = [("FAILED", 1), ("QUEUED", 2), ("FAILED", 0)].map(|(state, version)| (json!(state), json!(version)));
    assert_eq!(kinds, expected.iter().map(|(state, version)| (state, version)).collect::<Vec<_>>());
    assert_eq!((&nodes[0]["key"], &nodes[0]["stream"]), (&json!(key), &json!(format!("order-{key}"))));
    assert_eq!(
        (&nodes[0]["eventType"], &nodes[0]["position"]),
        (&json!("order.shipped.v1"), &json!(position_token(fourth)))
    );
    assert_eq!((&nodes[1]["error"], &nodes[1]["attempts"]), (&Value::Null, &json!(0)));
    for (filter, expected) in [
        (format!("key: \"{key}\""), vec![fourth, fifth]),
        ("state: QUEUED".to_owned(), vec![fifth]),
        ("state: SKIPPED".to_owned(), vec![]),
        ("eventType: \"order.placed.v1\"".to_owned(), vec![sixth]),
        (format!("key: \"{rowless_key}\", state: FAILED"), vec![sixth]),
    ] {
        let (nodes, _) = parked(&operator, &format!("first: 10, projection: \"{NAME}\", {filter}")).await;
        assert_eq!(numbers(&nodes), expected, "{filter}");
    }
    let (nodes, _) = parked(&operator, "first: 10, projection: \"product_catalog\"").await;
    assert_eq!(numbers(&nodes), [0_u64; 0]);
}

#[tokio::test]
async fn what_is_parked_is_listed_page_by_page_in_both_directions() {
    let folder = temp_dir();
    let Shop { server, .. } = Shop::open(folder.path()).await;
    let operator = server.operator();
    // `product_sales` reads orders too.
    let all = eventually("every projection has parked", async || {
        let (nodes, _) = parked(&operator, "first: 100").await;
        nodes.iter().any(|node| node["projection"] == "product_sales").then_some(nodes)
    })
    .await;
    let ids = |nodes: &[Value]| nodes.iter().map(|node| node["id"].clone()).collect::<Vec<_>>();
    for (size, edge) in [("first", "after"), ("last", "before")] {
        let (mut seen, mut place) = (Vec::new(), String::new());
        loop {
            let (nodes, info) = parked(&operator, &format!("{size}: 1{place}")).await;
            let (cursor, more) = match size {
                "first" => ("endCursor", &info["hasNextPage"]),
                _ => ("startCursor", &info["hasPreviousPage"]),
            };
            seen.extend(ids(&nodes));
            if *more == false {
                break;
            }
            place = format!(", {edge}: {}", info[cursor]);
        }
        if size == "last" {
            seen.reverse();
        }
        assert_eq!(seen, ids(&all), "{size}");
    }
    for wrong in [
        "first: 1, after: \"b3JkZXJzfDE\"",
        "first: 1, after: \"cGFya2VkRXZlbnRzfDE\"",
        "first: 1, projection: \"orders\"",
        "first: 1, key: \"x\"",
        "first: 101",
        "first: 1, last: 1",
    ] {
        let answer = operator.graphql(&format!("{{ parkedEvents({wrong}) {{ nodes {{ id }} }} }}"), json!({})).await;
        let code = if wrong.contains("after") { "BAD_CURSOR" } else { "BAD_USER_INPUT" };
        answer.expect_error(200, code);
    }
}

#[tokio::test]
async fn a_parked_event_is_tried_again_skipped_and_stays_skipped_in_a_rebuild() {
    let folder = temp_dir();
    let Shop { server, stuck: (key, stuck), rowless: (rowless, _), .. } = Shop::open(folder.path()).await;
    let operator = server.operator();
    let [fourth, fifth, sixth] = [4, 5, 6].map(|nth| server.position(nth));
    let skip = |number: u64, reason: &str| json!({ "projection": NAME, "key": key, "position": position_token(number), "reason": reason });
    let refused = order(&operator, "parkedEventSkip", skip(fifth, "no")).await;
    assert_eq!(refused.refusal("parkedEventSkip"), ("NOT_WAITING".to_owned(), "input.position".to_owned()));
    let refused = order(&operator, "parkedEventSkip", skip(fourth, "")).await;
    assert_eq!(refused.refusal("parkedEventSkip"), ("REASON_MISSING".to_owned(), "input.reason".to_owned()));

    let input = json!({ "projection": NAME, "key": key, "reason": "perhaps now" });
    let tried = done(&operator, "parkedEventRetry", input).await;
    assert_eq!((&tried["keys"], &tried["released"]["applied"]), (&json!(1), &json!(0)));
    assert_eq!(tried["released"]["waitsAtNumber"], fourth);
    assert!(tried["released"]["error"].as_str().is_some_and(|error| error.contains("order.shipped.v1")), "{tried}");
    let tried = done(&operator, "parkedEventRetry", json!({ "projection": NAME })).await;
    assert_eq!((&tried["keys"], &tried["released"]), (&json!(2), &Value::Null));

    let skipped = done(&operator, "parkedEventSkip", skip(fourth, "written by mistake")).await;
    assert_eq!(skipped["released"], json!({ "applied": 1, "waitsAtNumber": null, "error": null }));
    let looks_well = async |generation: i64| {
        let answer = operator.graphql(ORDER, json!({ "id": stuck, "minPosition": position_token(sixth) })).await;
        assert_eq!(answer.get("/order"), &json!({ "id": stuck, "version": 2, "status": "SHIPPED", "behind": null }));
        let (nodes, _) = parked(&operator, &format!("first: 10, key: \"{key}\", projection: \"{NAME}\"")).await;
        let [node] = &nodes[..] else { panic!("one event is skipped: {nodes:?}") };
        assert_eq!((&node["state"], &node["generation"]), (&json!("SKIPPED"), &json!(generation)));
        assert!(node["error"].as_str().is_some_and(|error| error.contains("written by mistake")), "{node}");
    };
    looks_well(1).await;
    let again = order(&operator, "parkedEventSkip", skip(fourth, "once more")).await;
    assert_eq!(again.refusal("parkedEventSkip"), ("NOT_PARKED".to_owned(), "input.key".to_owned()));

    done(&operator, "projectionRebuild", json!({ "name": NAME })).await;
    let rebuilt = serves(&operator, NAME, 2).await;
    assert_eq!((&rebuilt["parkedKeys"], &rebuilt["firstParked"]["key"]), (&json!(1), &json!(rowless)));
    looks_well(2).await;

    let expected = [
        action("RETRY_PARKED", NAME, "olga", "perhaps now"),
        action("RETRY_PARKED", NAME, "olga", "-"),
        action("SKIP_PARKED", NAME, "olga", "written by mistake"),
        action("REBUILD", NAME, "olga", "-"),
    ];
    assert_eq!(actions(&operator).await, expected);
}
