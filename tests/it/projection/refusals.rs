//! What makes no sense is refused, with a code and a place, and leaves no trace.

use serde_json::{Value, json};
use tests::{
    log::position_token,
    server::{Server, Start, temp_dir},
    shop,
};

use super::{action, actions, check, done, last_key, order, projection};

const NOBODYS: &str = "0190c2f0-0000-7000-8000-00000000dead";

#[tokio::test]
async fn what_makes_no_sense_changes_nothing_and_is_not_written_down() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    shop::place(&alice, &tea.id).await;
    let (name, key, sets) = ("order_summary", last_key(&server), "product_sales");
    let beyond = position_token(1_000_000_000);
    let long = "x".repeat(201);
    let many: Vec<String> = (0..1_001).map(|number| format!("{number:032x}")).collect();
    let events = server.events(0).len();
    let before = projection(&operator, name).await;

    let refused = [
        ("projectionRebuild", json!({ "name": "orders" }), "UNKNOWN_PROJECTION", "name"),
        ("projectionRebuild", json!({ "name": name, "together": [sets, "x"] }), "UNKNOWN_PROJECTION", "together.1"),
        ("projectionRebuild", json!({ "name": "x", "dryRun": true }), "UNKNOWN_PROJECTION", "name"),
        ("projectionRebuild", json!({ "name": name, "fromPosition": beyond }), "BEYOND_HEAD", "fromPosition"),
        (
            "projectionRebuild",
            json!({ "name": sets, "fromPosition": position_token(1) }),
            "NOT_FROM_POSITION",
            "fromPosition",
        ),
        ("projectionRebuild", json!({ "name": name, "reason": " " }), "INVALID_REASON", "reason"),
        ("projectionRollback", json!({ "name": "orders" }), "UNKNOWN_PROJECTION", "name"),
        ("projectionRollback", json!({ "name": name }), "NO_STANDBY", "name"),
        ("projectionRollback", json!({ "name": name, "reason": long }), "INVALID_REASON", "reason"),
        ("projectionDiscardGeneration", json!({ "name": "orders", "generation": 1 }), "UNKNOWN_PROJECTION", "name"),
        ("projectionDiscardGeneration", json!({ "name": name, "generation": 1 }), "UNKNOWN_GENERATION", "generation"),
        ("projectionPause", json!({ "name": "orders" }), "UNKNOWN_PROJECTION", "name"),
        ("projectionPause", json!({ "name": name, "reason": "a\u{0}b" }), "INVALID_REASON", "reason"),
        ("projectionResume", json!({ "name": "orders" }), "UNKNOWN_PROJECTION", "name"),
        ("projectionResume", json!({ "name": name }), "NOT_PAUSED", "name"),
        ("projectionRepair", json!({ "name": "orders", "keys": [key] }), "UNKNOWN_PROJECTION", "name"),
        ("projectionRepair", json!({ "name": sets, "keys": [key] }), "NOT_BY_KEY", "name"),
        ("projectionRepair", json!({ "name": name, "keys": [key, NOBODYS] }), "UNKNOWN_KEYS", "keys"),
        ("projectionRepair", json!({ "name": name, "keys": [key, tea.id] }), "INVALID_KEY", "keys.1"),
        ("projectionRepair", json!({ "name": name, "keys": [key, key] }), "REPEATED_KEY", "keys"),
        ("projectionRepair", json!({ "name": name, "keys": [] }), "NO_KEYS", "keys"),
        ("projectionRepair", json!({ "name": name, "keys": many }), "TOO_MANY_KEYS", "keys"),
        ("projectionVerify", json!({ "name": "orders" }), "UNKNOWN_PROJECTION", "name"),
        ("parkedEventRetry", json!({ "projection": "orders" }), "UNKNOWN_PROJECTION", "projection"),
        ("parkedEventRetry", json!({ "projection": "orders", "key": key }), "UNKNOWN_PROJECTION", "projection"),
        ("parkedEventRetry", json!({ "projection": name }), "NOT_PARKED", "projection"),
        ("parkedEventRetry", json!({ "projection": name, "key": key }), "NOT_PARKED", "key"),
        ("parkedEventRetry", json!({ "projection": name, "key": "x" }), "INVALID_KEY", "key"),
        ("parkedEventSkip", skip("orders", &key, "no"), "UNKNOWN_PROJECTION", "projection"),
        ("parkedEventSkip", skip(name, &key, "no"), "NOT_PARKED", "key"),
        ("parkedEventSkip", skip(name, "x", "no"), "INVALID_KEY", "key"),
        ("parkedEventSkip", skip(name, &key, " "), "REASON_MISSING", "reason"),
        ("parkedEventSkip", skip(name, &key, &long), "INVALID_REASON", "reason"),
    ];
    for (mutation, input, code, field) in refused {
        let answer = order(&operator, mutation, input.clone()).await;
        assert_eq!(answer.refusal(mutation), (code.to_owned(), format!("input.{field}")), "{mutation} {input}");
        for object in ["released", "report", "projection"] {
            let shown = answer.get(&format!("/{mutation}")).get(object);
            assert!(shown.is_none_or(Value::is_null), "{answer}");
        }
    }
    let keys = [key.as_str(), "x", "y"];
    let errors = order(&operator, "projectionRepair", json!({ "name": name, "keys": keys })).await;
    assert_eq!(errors.user_errors("projectionRepair").len(), 2, "all that is wrong is said at once: {errors}");
    for (projection, keys) in [("orders", [key.as_str()]), (sets, [&key]), (name, ["x"]), (name, [NOBODYS])] {
        check(&operator, projection, &keys).await.expect_error(200, "BAD_USER_INPUT");
    }

    assert_eq!(server.events(0).len(), events, "something was written down");
    let after = projection(&operator, name).await;
    for field in ["generation", "state", "pausedBy", "standby", "rebuild", "differences"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    done(&operator, "projectionPause", json!({ "name": name })).await;
    let again = order(&operator, "projectionPause", json!({ "name": name })).await;
    assert_eq!(again.refusal("projectionPause"), ("ALREADY_PAUSED".to_owned(), "input.name".to_owned()));
    assert_eq!(actions(&operator).await, [action("PAUSE", name, "olga", "-")]);
}

#[tokio::test]
async fn a_row_whose_events_cannot_be_folded_is_not_repaired() {
    let folder = temp_dir();
    let server = Server::start_in(folder.path(), Start::default()).await;
    let tea = shop::register(&server.operator(), "TEA-1").await;
    let key = last_key(&server);
    // It is applied while it can still be read.
    let row = "query P($id: ID!, $minPosition: Position) { product(id: $id, minPosition: $minPosition) { id } }";
    let variables = json!({ "id": tea.id, "minPosition": tea.position });
    server.operator().graphql(row, variables).await.get("/product/id");
    server.stop().await;
    tests::events_db::write(&folder.path().join("events.db"), |db| db.replace_nth(1, "{}"));
    let server = Server::start_in(folder.path(), Start::default()).await;
    let operator = server.operator();
    let name = "product_catalog";
    let found = check(&operator, name, &[&key]).await;
    assert!(found.text("/projectionCheck/differences/0/folded").contains("cannot be folded"), "{found}");
    let refused = order(&operator, "projectionRepair", json!({ "name": name, "keys": [key] })).await;
    assert_eq!(refused.refusal("projectionRepair"), ("UNFOLDABLE".to_owned(), "input.keys".to_owned()));
    assert_eq!(server.events(0).len(), 1);
}

#[tokio::test]
async fn customers_may_neither_look_nor_order() {
    let server = Server::start().await;
    let alice = server.customer("alice");
    let name = "order_summary";
    let orders = [
        ("projectionRebuild", json!({ "name": name })),
        ("projectionRebuild", json!({ "name": name, "dryRun": true })),
        ("projectionRollback", json!({ "name": name })),
        ("projectionDiscardGeneration", json!({ "name": name, "generation": 1 })),
        ("projectionPause", json!({ "name": name })),
        ("projectionResume", json!({ "name": name })),
        ("projectionRepair", json!({ "name": name, "keys": [NOBODYS] })),
        ("projectionVerify", json!({ "name": name })),
        ("parkedEventRetry", json!({ "projection": name })),
        ("parkedEventSkip", skip(name, NOBODYS, "why not")),
        // Nor do they learn what there is.
        ("projectionPause", json!({ "name": "nothing" })),
    ];
    for (mutation, input) in orders {
        order(&alice, mutation, input).await.expect_error(200, "FORBIDDEN");
    }
    check(&alice, name, &[NOBODYS]).await.expect_error(200, "FORBIDDEN");
    for query in [
        "{ projections { name } }",
        "{ projection(name: \"order_summary\") { name } }",
        "{ parkedEvents(first: 1) { nodes { number } } }",
    ] {
        alice.graphql(query, json!({})).await.expect_error(200, "FORBIDDEN");
    }
    let mut socket = alice.web_socket().await;
    let subscription = "subscription { projectionProgress(name: \"order_summary\") { name } }";
    socket.subscribe("one", subscription, json!({})).await;
    assert_eq!(socket.next_error_code().await, "FORBIDDEN");
    let mut socket = server.operator().web_socket().await;
    socket.subscribe("one", &subscription.replace("order_summary", "orders"), json!({})).await;
    assert_eq!(socket.next_error_code().await, "BAD_USER_INPUT");
    assert_eq!(server.events(0).len(), 0);
}

fn skip(projection: &str, key: &str, reason: &str) -> Value {
    json!({ "projection": projection, "key": key, "position": position_token(1), "reason": reason })
}
