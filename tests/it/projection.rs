//! What operators do with projections, over real HTTP and WebSocket: rebuild, roll back, pause, repair, release what is
//! parked. Everything that is done is in the operators' log; what is refused is not.

mod parked;
mod refusals;

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    events_db,
    log::position_token,
    profile::is_cluster,
    server::{Server, Start, change_rows, eventually, temp_dir},
    shop,
};
use uuid::Uuid;

/// As much of a projection as the tests look at.
const FIELDS: &str = "name version generation generationVersion number headNumber lagEvents lagSeconds rate applied
    state error stoppedAt { number wayOut } pausedBy { by reason since atNumber } nextRetry stall { reason }
    parkedKeys parkedEvents firstParked { key number error attempts } differences { key generation stored folded }
    standby { generation version number isFollowed } rebuild { projection generation phase done total events error
    verified { rows checksum sampled } }";

/// A mutation with its input, and what is asked of its payload.
async fn order(client: &Client, mutation: &str, input: Value) -> Answer {
    let selection = match mutation {
        "projectionRebuild" => {
            "rebuilds { projection generation phase } estimates { projection positions events seconds bytes basis }"
        }
        "projectionRepair" => "repaired { key before after }",
        "projectionVerify" => "report { rows events number isRight differences { key stored folded } }",
        "parkedEventRetry" => "released { applied waitsAtNumber error } keys",
        "parkedEventSkip" => "released { applied waitsAtNumber error }",
        _ => "projection { generation state standby { generation } pausedBy { by reason atNumber } }",
    };
    let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation M($input: {input_type}!) {{ {mutation}(input: $input) {{
            {selection} userErrors {{ code message field }} }} }}"
    );
    client.graphql(&document, json!({ "input": input })).await
}

/// The payload of an order that is carried out.
async fn done(client: &Client, mutation: &str, input: Value) -> Value {
    order(client, mutation, input).await.done(mutation).clone()
}

async fn projection(operator: &Client, name: &str) -> Value {
    let query = format!("query P($name: String!) {{ projection(name: $name) {{ {FIELDS} }} }}");
    operator.graphql(&query, json!({ "name": name })).await.get("/projection").clone()
}

/// The projection as soon as it is like that.
async fn projection_once(operator: &Client, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || Some(projection(operator, name).await).filter(&is_so)).await
}

async fn serves(operator: &Client, name: &str, generation: i64) -> Value {
    let what = format!("{name} serves generation {generation}");
    // The old generation stands by a moment later than the new one serves, and then the rebuild is over.
    let is_so = |now: &Value| now["generation"] == generation && now["rebuild"]["phase"] == "DONE";
    projection_once(operator, name, &what, is_so).await
}

async fn check(operator: &Client, name: &str, keys: &[&str]) -> Answer {
    let query = "query C($name: String!, $keys: [ID!]!) { projectionCheck(name: $name, keys: $keys) {
        rows differences { key generation stored folded } } }";
    operator.graphql(query, json!({ "name": name, "keys": keys })).await
}

/// What stands in the operators' log, the oldest first: action, projection, actor, reason.
async fn actions(operator: &Client) -> Vec<[String; 4]> {
    let query = "{ operatorActions(first: 100) { nodes { action projection actor reason } } }";
    let answer = operator.graphql(query, json!({})).await;
    let nodes = answer.get("/operatorActions/nodes").as_array().expect("a list").iter().rev();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    nodes.map(|node| ["action", "projection", "actor", "reason"].map(|field| text(&node[field]))).collect()
}

fn action(action: &str, projection: &str, actor: &str, reason: &str) -> [String; 4] {
    [action, projection, actor, reason].map(str::to_owned)
}

/// The key of the row that belongs to the last event of the log.
fn last_key(server: &Server) -> String {
    let stream = server.events(0).pop().expect("an event").stream;
    stream.split_once('-').expect("category and id").1.to_owned()
}

#[tokio::test]
async fn a_rebuild_is_estimated_carried_out_and_rolled_back_and_forward() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let first = shop::place(&alice, &tea.id).await;
    let name = "order_summary";

    let input = json!({ "name": name, "together": ["product_sales"], "dryRun": true });
    let dry = done(&operator, "projectionRebuild", input).await;
    assert_eq!(dry["rebuilds"], json!([]));
    let estimated: Vec<_> = dry["estimates"].as_array().expect("a list").iter().map(|it| &it["projection"]).collect();
    assert_eq!(estimated, [name, "product_sales"]);
    assert_eq!((&dry["estimates"][0]["positions"], &dry["estimates"][0]["events"]), (&json!(2), &json!(1)));
    assert_eq!(projection(&operator, name).await["generation"], 1);

    let input = json!({ "name": name, "together": ["product_catalog", name], "reason": "just because" });
    let begun = done(&operator, "projectionRebuild", input).await;
    let begun: Vec<_> =
        begun["rebuilds"].as_array().expect("a list").iter().map(|it| (&it["projection"], &it["generation"])).collect();
    assert_eq!(begun, [(&json!(name), &json!(2)), (&json!("product_catalog"), &json!(2))]);
    serves(&operator, "product_catalog", 2).await;
    let rebuilt = serves(&operator, name, 2).await;
    assert_eq!(rebuilt["generationVersion"], rebuilt["version"]);
    assert_eq!(rebuilt["rebuild"]["verified"]["rows"], 1);

    let input = json!({ "name": name, "fromPosition": first.position });
    done(&operator, "projectionRebuild", input).await;
    let partly =
        projection_once(&operator, name, "the old one stands by", |now| now["standby"]["generation"] == 2).await;
    assert_eq!((&partly["generation"], &partly["standby"]["isFollowed"]), (&json!(3), &json!(true)));

    // An order of now shows in whichever generation serves.
    let second = shop::place(&alice, &tea.id).await;
    for (serving, standby) in [(2, 3), (3, 2)] {
        let rolled = done(&operator, "projectionRollback", json!({ "name": name, "reason": "to and fro" })).await;
        assert_eq!(rolled["projection"]["generation"], serving);
        assert_eq!(rolled["projection"]["standby"]["generation"], standby);
        for order in [&first, &second] {
            let variables = json!({ "id": order.id, "minPosition": second.position });
            let answer = alice.graphql(shop::ORDER, variables).await;
            assert_eq!(answer.get("/order/status"), "PLACED");
        }
    }
    let discarded = done(&operator, "projectionDiscardGeneration", json!({ "name": name, "generation": 2 })).await;
    assert_eq!(
        (&discarded["projection"]["generation"], &discarded["projection"]["standby"]),
        (&json!(3), &Value::Null)
    );
    let refused = order(&operator, "projectionRollback", json!({ "name": name })).await;
    assert_eq!(refused.refusal("projectionRollback"), ("NO_STANDBY".to_owned(), "input.name".to_owned()));

    let expected = [
        action("REBUILD", name, "olga", "just because"),
        action("REBUILD", "product_catalog", "olga", "just because"),
        action("REBUILD", name, "olga", "-"),
        action("ROLLBACK", name, "olga", "to and fro"),
        action("ROLLBACK", name, "olga", "to and fro"),
        action("DISCARD_GENERATION", name, "olga", "-"),
    ];
    assert_eq!(actions(&operator).await, expected);
}

#[tokio::test]
async fn a_paused_projection_stands_serves_and_goes_on() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator_called("otto"), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let known = shop::place(&alice, &tea.id).await;
    alice.graphql(shop::ORDER, json!({ "id": known.id, "minPosition": known.position })).await.get("/order/id");
    let name = "order_summary";

    let paused = done(&operator, "projectionPause", json!({ "name": name, "reason": "a look" })).await;
    let by = json!({ "by": "otto", "reason": "a look", "atNumber": null });
    assert_eq!((&paused["projection"]["state"], &paused["projection"]["pausedBy"]), (&json!("PAUSED"), &by));
    let unknown = shop::place(&alice, &tea.id).await;
    let stands = projection(&operator, name).await;
    // The order to pause is an event too, which it may have passed before it took the order.
    let seen = [2, 3].map(|nth| server.position(nth)).into_iter().position(|number| stands["number"] == number);
    let behind = 2 - seen.unwrap_or_else(|| panic!("it stands elsewhere: {stands}"));
    assert_eq!((&stands["headNumber"], &stands["lagEvents"]), (&json!(server.position(4)), &json!(behind)));
    assert_eq!(alice.graphql(shop::ORDER, json!({ "id": known.id })).await.get("/order/status"), "PLACED");
    assert_eq!(alice.graphql(shop::ORDER, json!({ "id": unknown.id })).await.get("/order"), &Value::Null);
    let goes_on = done(&operator, "projectionResume", json!({ "name": name, "reason": "seen" })).await;
    assert_eq!(
        (&goes_on["projection"]["state"], &goes_on["projection"]["pausedBy"]),
        (&json!("RUNNING"), &Value::Null)
    );
    let variables = json!({ "id": unknown.id, "minPosition": unknown.position });
    assert_eq!(alice.graphql(shop::ORDER, variables).await.get("/order/status"), "PLACED");

    // A pause that is still to come: it goes on to exactly there, or, where that is no position of the log, to the last
    // event before.
    let at = server.events(0).last().expect("there are events").position + if is_cluster() { 1_200 } else { 2 };
    let input = json!({ "name": name, "atPosition": position_token(at) });
    let to_come = done(&operator, "projectionPause", input).await;
    assert_eq!(to_come["projection"]["state"], "RUNNING");
    assert_eq!(to_come["projection"]["pausedBy"]["atNumber"], at);
    for _ in 0..5 {
        shop::place(&alice, &tea.id).await;
    }
    let stands = projection_once(&operator, name, "it stands there", |now| now["state"] == "PAUSED").await;
    let log = server.events(0);
    let at = log.iter().rev().find(|event| event.position <= at).expect("there are events before").position;
    assert_eq!((&stands["number"], &stands["pausedBy"]["atNumber"]), (&json!(at), &json!(at)));
    assert!(at < log.last().expect("there are events").position, "there is something behind it");
    done(&operator, "projectionResume", json!({ "name": name })).await;
    projection_once(&operator, name, "it has caught up", |now| now["lagEvents"] == 0).await;

    let expected = [
        action("PAUSE", name, "otto", "a look"),
        action("RESUME", name, "otto", "seen"),
        action("PAUSE", name, "otto", "-"),
        action("RESUME", name, "otto", "-"),
    ];
    assert_eq!(actions(&operator).await, expected);
}

#[tokio::test]
async fn a_pause_outlives_a_restart_and_says_who_made_it() {
    let folder = temp_dir();
    let server = Server::start_in(folder.path(), Start::default()).await;
    let tea = shop::register(&server.operator(), "TEA-1").await;
    let name = "order_summary";
    let before = done(&server.operator(), "projectionPause", json!({ "name": name, "reason": "the night" })).await;
    let since = projection(&server.operator(), name).await["pausedBy"]["since"].clone();
    server.stop().await;

    let server = Server::start_in(folder.path(), Start::default()).await;
    let operator = server.operator_called("otto");
    let placed = shop::place(&server.customer("alice"), &tea.id).await;
    let after = projection_once(&operator, name, "it is paused", |now| now["state"] == "PAUSED").await;
    assert_eq!(before["projection"]["pausedBy"]["by"], "olga");
    assert_eq!(after["pausedBy"], json!({ "by": "olga", "reason": "the night", "since": since, "atNumber": null }));
    projection_once(&operator, "product_catalog", "only one is paused", |now| now["state"] == "RUNNING").await;
    done(&operator, "projectionResume", json!({ "name": name, "reason": "morning" })).await;
    let variables = json!({ "id": placed.id, "minPosition": placed.position });
    assert_eq!(operator.graphql(shop::ORDER, variables).await.get("/order/status"), "PLACED");
    server.stop().await;

    // What is resumed stays so.
    let server = Server::start_in(folder.path(), Start::default()).await;
    let operator = server.operator();
    projection_once(&operator, name, "it runs", |now| now["state"] == "RUNNING").await;
    let expected = [action("PAUSE", name, "olga", "the night"), action("RESUME", name, "otto", "morning")];
    assert_eq!(actions(&operator).await, expected);
}

#[tokio::test]
async fn a_row_that_is_not_what_its_events_say_is_found_and_repaired() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let placed = shop::place(&alice, &tea.id).await;
    operator.graphql(shop::ORDER, json!({ "id": placed.id, "minPosition": placed.position })).await.get("/order/id");
    let (name, key) = ("order_summary", last_key(&server));
    let right = json!({ "rows": 1, "differences": [] });
    assert_eq!(check(&operator, name, &[&key]).await.get("/projectionCheck"), &right);

    assert_eq!(change_rows(server.data_dir(), "UPDATE order_summary_g1 SET status = 'shipped'"), 1);
    let found = check(&operator, name, &[&key]).await;
    let difference = found.get("/projectionCheck/differences/0");
    let stored = difference["stored"].as_str().expect("a row").to_owned();
    assert!(stored.contains("\"shipped\""), "{stored}");
    assert!(difference["folded"].as_str().is_some_and(|row| row.contains("\"placed\"")), "{found}");
    assert_eq!(projection(&operator, name).await["differences"][0]["key"], key);
    let report = &done(&operator, "projectionVerify", json!({ "name": name })).await["report"];
    assert_eq!((&report["isRight"], &report["rows"], &report["events"]), (&json!(false), &json!(1), &json!(1)));
    assert_eq!(report["differences"][0]["key"], key);
    assert_eq!(actions(&operator).await, Vec::<[String; 4]>::new(), "a look is no action");

    let repaired = done(&operator, "projectionRepair", json!({ "name": name, "keys": [key], "reason": "drift" })).await;
    assert_eq!((&repaired["repaired"][0]["key"], &repaired["repaired"][0]["before"]), (&json!(key), &json!(stored)));
    assert!(repaired["repaired"][0]["after"].as_str().is_some_and(|row| row.contains("\"placed\"")), "{repaired}");
    assert_eq!(check(&operator, name, &[&key]).await.get("/projectionCheck"), &right);
    assert_eq!(projection(&operator, name).await["differences"], json!([]));
    let report = &done(&operator, "projectionVerify", json!({ "name": name })).await["report"];
    assert_eq!((&report["isRight"], &report["differences"]), (&json!(true), &json!([])));
    assert_eq!(actions(&operator).await, [action("REPAIR", name, "olga", "drift")]);
}

/// How many products the long log has: enough that a rebuild takes longer than two messages are apart.
const MANY: u32 = 40_000;

/// A data directory with a log that takes a while to fold.
async fn long_log() -> tempfile::TempDir {
    let folder = temp_dir();
    let server = Server::start_in(folder.path(), Start::default()).await;
    shop::register(&server.operator(), "TEA-1").await;
    let registered = server.events(0).remove(0).data;
    server.stop().await;
    events_db::write(&folder.path().join("events.db"), |db| {
        for number in 0..MANY {
            let (key, mut data) = (Uuid::from_u128(u128::from(number) + 1), registered.clone());
            data["product"] = json!(key);
            data["sku"] = json!(format!("SKU-{number}"));
            db.append("product", key, "product.registered.v2", &data.to_string());
        }
    });
    folder
}

#[tokio::test]
async fn progress_shows_a_rebuild_and_a_pause_as_they_go() {
    let folder = long_log().await;
    let server = Server::start_in(folder.path(), Start::default()).await;
    let (operator, name) = (server.operator(), "product_catalog");
    projection_once(&operator, name, "it has caught up", |now| now["lagEvents"] == 0).await;
    let mut socket = operator.web_socket().await;
    let subscription = format!("subscription P($name: String!) {{ projectionProgress(name: $name) {{ {FIELDS} }} }}");
    socket.subscribe("one", &subscription, json!({ "name": name })).await;
    let next = async |socket: &mut tests::ws::WsClient| {
        let payload = socket.next_payload().await;
        assert!(payload.get("errors").is_none(), "{payload}");
        payload["data"]["projectionProgress"].clone()
    };
    let now = next(&mut socket).await;
    assert_eq!((&now["generation"], &now["state"]), (&json!(1), &json!("RUNNING")));

    let begun = Instant::now();
    done(&operator, "projectionRebuild", json!({ "name": name })).await;
    // One at a time: whoever comes second changes nothing, and leaves no trace.
    for mutation in ["projectionRebuild", "projectionRollback", "projectionVerify"] {
        let refused = order(&operator, mutation, json!({ "name": name })).await;
        assert_eq!(refused.refusal(mutation), ("ALREADY_REBUILDING".to_owned(), "input.name".to_owned()));
    }
    let (mut phases, mut looked_at, mut messages) = (BTreeSet::new(), 0, 0_u32);
    loop {
        let now = next(&mut socket).await;
        messages += 1;
        let rebuild = &now["rebuild"];
        if rebuild["generation"] != 2 {
            continue;
        }
        phases.insert(rebuild["phase"].as_str().expect("a phase").to_owned());
        let done = rebuild["done"].as_u64().expect("a number");
        assert!(done >= looked_at, "it went back from {looked_at} to {done}");
        looked_at = done;
        if rebuild["phase"] == "DONE" {
            assert_eq!((&now["generation"], &rebuild["verified"]["rows"]), (&json!(2), &json!(MANY + 1)));
            break;
        }
        // In a cluster what serves and what is being built are told by two ways, the latter later.
        if rebuild["phase"] != "SWITCHING" && !is_cluster() {
            assert_eq!(now["generation"], 1, "it serves before it is ready");
        }
    }
    assert!(phases.contains("FILLING"), "{phases:?}");
    assert!(f64::from(messages) <= begun.elapsed().as_secs_f64() * 4.0 + 2.0, "{messages} messages");

    // Whoever comes later begins with what is.
    socket.subscribe("two", &subscription, json!({ "name": name })).await;
    done(&operator, "projectionPause", json!({ "name": name, "reason": "a look" })).await;
    let mut told = 0;
    while told < 2 {
        let now = next(&mut socket).await;
        if now["state"] == "PAUSED" {
            assert_eq!((&now["pausedBy"]["by"], &now["pausedBy"]["reason"]), (&json!("olga"), &json!("a look")));
            told += 1;
        }
    }
    let expected = [action("REBUILD", name, "olga", "-"), action("PAUSE", name, "olga", "a look")];
    assert_eq!(actions(&operator).await, expected);
}
