//! What happened to an order, and how it was: history in pages, and time travel.

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    log::{position_of, position_token},
    server::Server,
    shop,
};

const HISTORY: &str = "query($id: ID!, $first: Int, $after: Cursor, $last: Int, $before: Cursor, $p: Position) {
    order(id: $id, minPosition: $p) { version
        history(first: $first, after: $after, last: $last, before: $before) {
            edges { cursor node { __typename kind version occurredAt position actor { role name }
                ... on OrderPlacedEvent { total { amount } isOnAccount }
                ... on OrderShippedEvent { number lines { line quantity } trackingNumber } } }
            pageInfo { hasNextPage hasPreviousPage endCursor startCursor } position } } }";
const AS_OF: &str = "query($id: ID!, $asOf: OrderAsOf) {
    order(id: $id, asOf: $asOf) { status version history(first: 9) { nodes { kind } } } }";

/// An order of Alice's that was shipped and delivered by an operator.
struct Told {
    server: Server,
    operator: Client,
    alice: Client,
    order: String,
    /// The positions of its three events.
    positions: [String; 3],
}

impl Told {
    async fn new() -> Self {
        let server = Server::start().await;
        let (operator, alice) = (server.operator(), server.customer("alice"));
        let tea = shop::register(&operator, "TEA-1").await;
        let placed = shop::place(&alice, &tea.id).await;
        let shipped = shop::ship(&operator, &placed.id).await;
        let delivered = shop::deliver(&operator, &placed.id).await;
        let positions = [placed.position, shipped.position, delivered.position];
        Self { server, operator, alice, order: placed.id, positions }
    }

    async fn history(&self, client: &Client, mut page: Value) -> Answer {
        page["id"] = json!(self.order);
        page["p"] = json!(self.positions[2]);
        client.graphql(HISTORY, page).await
    }

    async fn as_of(&self, client: &Client, as_of: Value) -> Value {
        client.graphql(AS_OF, json!({ "id": self.order, "asOf": as_of })).await.get("/order").clone()
    }
}

fn kinds(answer: &Answer) -> Vec<String> {
    let edges = answer.get("/order/history/edges").as_array().expect("a list");
    edges.iter().map(|edge| edge["node"]["kind"].as_str().expect("a kind").to_owned()).collect()
}

#[tokio::test]
async fn the_history_says_what_happened_when_and_who_did_it() {
    let told = Told::new().await;
    let answer = told.history(&told.operator, json!({ "first": 10 })).await;
    assert_eq!(kinds(&answer), ["PLACED", "SHIPPED", "DELIVERED"]);
    let node = |index: usize| answer.get(&format!("/order/history/edges/{index}/node")).clone();
    let (placed, shipped) = (node(0), node(1));
    assert_eq!((&placed["__typename"], &placed["isOnAccount"]), (&json!("OrderPlacedEvent"), &json!(true)));
    assert_eq!(placed["total"]["amount"], "19.90");
    assert_eq!(placed["actor"], json!({ "role": "CUSTOMER", "name": "alice" }));
    assert_eq!(shipped["actor"], json!({ "role": "OPERATOR", "name": "olga" }));
    assert_eq!((&shipped["number"], &shipped["trackingNumber"]), (&json!(1), &json!("DHL 1")));
    assert_eq!(shipped["lines"], json!([{ "line": 0, "quantity": 1 }]));
    for (index, position) in told.positions.iter().enumerate() {
        assert_eq!((&node(index)["version"], &node(index)["position"]), (&json!(index), &json!(position)));
    }
    assert_eq!(answer.text("/order/history/position"), told.positions[2]);
    // Customers learn in which part somebody acted, and no names.
    let answer = told.history(&told.alice, json!({ "first": 10 })).await;
    let actor = answer.get("/order/history/edges/1/node/actor");
    assert_eq!(*actor, json!({ "role": "OPERATOR", "name": null }));
}

#[tokio::test]
async fn the_history_is_paged_both_ways() {
    let told = Told::new().await;
    let info = |answer: &Answer, field: &str| answer.get(&format!("/order/history/pageInfo/{field}")).clone();
    let first = told.history(&told.alice, json!({ "first": 2 })).await;
    assert_eq!((kinds(&first), info(&first, "hasNextPage")), (vec!["PLACED".into(), "SHIPPED".into()], json!(true)));
    assert_eq!(first.text("/order/history/position"), told.positions[2]);
    let next = told.history(&told.alice, json!({ "first": 2, "after": info(&first, "endCursor") })).await;
    assert_eq!((kinds(&next), info(&next, "hasNextPage")), (vec!["DELIVERED".to_owned()], json!(false)));
    let last = told.history(&told.alice, json!({ "last": 2 })).await;
    assert_eq!(
        (kinds(&last), info(&last, "hasPreviousPage")),
        (vec!["SHIPPED".into(), "DELIVERED".into()], json!(true))
    );
    let before = told.history(&told.alice, json!({ "last": 2, "before": info(&last, "startCursor") })).await;
    assert_eq!((kinds(&before), info(&before, "hasPreviousPage")), (vec!["PLACED".to_owned()], json!(false)));
    let none = told.history(&told.alice, json!({ "last": 2, "before": info(&before, "startCursor") })).await;
    assert_eq!(kinds(&none), Vec::<String>::new());

    told.history(&told.alice, json!({})).await.expect_error(200, "BAD_USER_INPUT");
    // A cursor belongs to one order's history.
    let tea = shop::register(&told.operator, "TEA-2").await;
    let other = shop::place(&told.alice, &tea.id).await;
    let variables = json!({ "id": other.id, "first": 1, "after": info(&first, "endCursor"), "p": other.position });
    told.alice.graphql(HISTORY, variables).await.expect_error(200, "BAD_CURSOR");
}

#[tokio::test]
async fn an_order_is_read_as_it_was() {
    let told = Told::new().await;
    let all = told.history(&told.operator, json!({ "first": 9 })).await;
    let at = |index: usize| all.get(&format!("/order/history/edges/{index}/node/occurredAt")).clone();
    for (index, status) in ["PLACED", "SHIPPED", "DELIVERED"].into_iter().enumerate() {
        let mut expected =
            vec![json!({ "kind": "PLACED" }), json!({ "kind": "SHIPPED" }), json!({ "kind": "DELIVERED" })];
        expected.truncate(index + 1);
        let expected = json!({ "status": status, "version": index, "history": { "nodes": expected } });
        for as_of in
            [json!({ "version": index }), json!({ "position": told.positions[index] }), json!({ "time": at(index) })]
        {
            let seen = told.as_of(&told.alice, as_of.clone()).await;
            // Two events may be recorded in one moment: then the later one counts.
            let is_tie = index < 2 && as_of.get("time").is_some() && at(index) == at(index + 1);
            assert!(is_tie || seen == expected, "{as_of}: {seen}");
        }
    }
    // Before it was placed, and at a version that it never came to, there is none; the future is not known yet.
    let before = position_token(position_of(&told.positions[0]) - 1);
    if !tests::profile::is_cluster() {
        assert_eq!(told.as_of(&told.alice, json!({ "position": before })).await, Value::Null);
    }
    assert_eq!(told.as_of(&told.alice, json!({ "version": 3 })).await, Value::Null);
    assert_eq!(told.as_of(&told.alice, json!({ "time": "2020-01-01T00:00:00Z" })).await, Value::Null);
    assert_eq!(told.as_of(&told.alice, json!({ "time": "2999-01-01T00:00:00Z" })).await["version"], 2);
}

#[tokio::test]
async fn the_past_is_asked_for_in_one_way_and_only_ones_own_is_seen() {
    let told = Told::new().await;
    let mallory = told.server.customer("mallory");
    assert_eq!(told.as_of(&mallory, json!({ "version": 0 })).await, Value::Null);
    let ask = async |as_of: Value| told.alice.graphql(AS_OF, json!({ "id": told.order, "asOf": as_of })).await;
    for wrong in [json!({}), json!({ "version": 0, "time": "2999-01-01T00:00:00Z" })] {
        let answer = ask(wrong.clone()).await;
        assert!(answer.error_code().is_some_and(|code| code != "INTERNAL"), "{wrong}: {answer}");
    }
    ask(json!({ "version": -1 })).await.expect_error(200, "BAD_USER_INPUT");
    let beyond = position_token(position_of(&told.positions[2]) + 1_000_000);
    ask(json!({ "position": beyond })).await.expect_error(200, "BAD_CURSOR");
}
