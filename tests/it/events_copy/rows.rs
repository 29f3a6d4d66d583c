//! The read store goes along: projections go on where they were, on the copy's positions.

use rusqlite::Connection;
use serde_json::{Value, json};
use tests::{
    client::Client,
    events_db,
    log::position_of,
    postgres::PostgresSchema,
    social::{PUBLISH, Person},
};

use super::*;

const NAME: &str = "order_summary";
/// What somebody has written into a row by hand. A rebuild would not.
const MARK: &str = "not in any event";

/// The rows of a shop, in either kind of store.
enum RowsIn {
    Sqlite,
    Postgres(PostgresSchema),
}

impl RowsIn {
    fn environment(&self) -> Vec<(String, String)> {
        match self {
            Self::Sqlite => vec![],
            Self::Postgres(schema) => vec![("MILLRACE_READ_STORE__URL".to_owned(), schema.url().to_owned())],
        }
    }

    /// How a server runs on them, with its events in the data directory or elsewhere.
    fn start(&self, elsewhere: Option<&Elsewhere>) -> Start {
        let events = elsewhere.map(Elsewhere::environment);
        let lease = ("MILLRACE_CLUSTER__LEASE_MS".to_owned(), "1000".to_owned());
        Start { environment: self.environment().into_iter().chain(events).chain([lease]).collect(), ..Start::default() }
    }

    fn copy(&self, elsewhere: &Elsewhere, data: &Path, arguments: &[&str]) -> Ran {
        let mut command = elsewhere.command(data, &[&["events", "copy", "--checkpoints"], arguments].concat());
        ran(command.envs(self.start(None).environment))
    }

    /// The checkpoints, as they are stored.
    async fn slices(&self, data: &Path) -> Vec<(String, u64)> {
        let sql = "SELECT name || ' ' || slice || ' ' || position FROM projection_slices ORDER BY name, slice";
        let found: Vec<String> = match self {
            Self::Sqlite => {
                let connection = Connection::open(data.join("read.db")).expect("the read store's file");
                let mut statement = connection.prepare(sql).expect("SQL");
                let rows = statement.query_map([], |row| row.get(0)).expect("rows");
                rows.collect::<Result<_, _>>().expect("texts")
            }
            Self::Postgres(schema) => schema.run(sql).await,
        };
        assert!(found.len() >= 3, "{found:?}");
        found.iter().map(|text| slice(text)).collect()
    }

    /// Changes a row behind everybody's back.
    async fn mark(&self, data: &Path) {
        let sql = |details: &str, kind: &str| {
            let marked = format!("replace({details}, 'DHL 1', '{MARK}'){kind}");
            format!("UPDATE {NAME}_g1 SET details = {marked} WHERE tracking IS NOT NULL")
        };
        let changed = match self {
            Self::Sqlite => {
                let connection = Connection::open(data.join("read.db")).expect("the read store's file");
                connection.execute(&sql("details", ""), []).expect("it can be changed")
            }
            Self::Postgres(schema) => {
                let sql = sql("details::text", "::jsonb");
                schema.run(&format!("{sql} RETURNING status")).await.len()
            }
        };
        assert_eq!(changed, 1);
    }
}

/// A checkpoint in words: which slice, and where.
fn slice(text: &str) -> (String, u64) {
    let (slice, position) = text.rsplit_once(' ').expect("a position stands last");
    (slice.to_owned(), position.parse().expect("a number"))
}

async fn projections(operator: &Client) -> Vec<Value> {
    let query = "{ projections { name state generation number lagEvents rebuild { phase } } }";
    operator.graphql(query, json!({})).await.get("/projections").as_array().expect("a list").clone()
}

async fn parked(operator: &Client) -> Vec<(String, u64, String, u64)> {
    let query = "{ parkedEvents(first: 50) { nodes { projection number state attempts } } }";
    let answer = operator.graphql(query, json!({})).await;
    let nodes = answer.get("/parkedEvents/nodes").as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let number = |value: &Value| value.as_u64().expect("a number");
    let entry = |node: &Value| {
        (text(&node["projection"]), number(&node["number"]), text(&node["state"]), number(&node["attempts"]))
    };
    nodes.iter().map(entry).collect()
}

/// Whether rows of this model say where events stand, which are elsewhere in a copy.
fn holds_positions(name: &Value) -> bool {
    ["notifications", "social_graph"].iter().any(|holds| name == holds)
}

/// Waits until every projection has applied everything.
async fn caught_up(operator: &Client) -> Vec<Value> {
    eventually("every projection runs at the end of the log", async || {
        let all = projections(operator).await;
        let is_built = |rebuild: &Value| rebuild.is_null() || rebuild["phase"] == "DONE";
        let is_there = |now: &Value| now["state"] == "RUNNING" && now["lagEvents"] == 0 && is_built(&now["rebuild"]);
        all.iter().all(is_there).then_some(all)
    })
    .await
}

/// The position in the copy of the event at this position of the log.
fn moved(log: &[RecordedEvent], copy: &[RecordedEvent], position: u64) -> u64 {
    if position == 0 {
        return 0;
    }
    let index = log.iter().position(|event| event.position.value() == position).expect("an event");
    copy[index].position.value()
}

#[tokio::test(flavor = "multi_thread")]
async fn projections_go_on_where_they_were_with_rows_in_a_file() {
    go_there_and_back(&RowsIn::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projections_go_on_where_they_were_with_rows_in_postgresql() {
    go_there_and_back(&RowsIn::Postgres(PostgresSchema::new().await)).await;
}

async fn go_there_and_back(rows: &RowsIn) {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let mut elsewhere = Elsewhere::new().await;
    // A shop with an event that nobody can apply, and another one behind it.
    let server = Server::start_in(&data, rows.start(None)).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let stuck = shop::place(&alice, &tea.id).await;
    let shipped = shop::place(&alice, &tea.id).await;
    shop::ship(&operator, &shipped.id).await;
    let key: Uuid = server.events(1).remove(0).stream["order-".len()..].parse().expect("a UUID");
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    anna.to("userFollow", &ben.id).await.done("userFollow");
    says(&server, &ben, "one").await;
    server.stop().await;
    let bad = events_db::write(&events_db(&data), |db| {
        let bad = db.append("order", key, "order.shipped.v1", "{\"nobody\": \"reads this\"}");
        let order = json!({ "order": key, "tracking": null, "at": "2026-01-01T00:00:00Z" });
        db.append("order", key, "order.shipped.v1", &order.to_string());
        bad
    });
    let server = Server::start_in(&data, rows.start(None)).await;
    let operator = operator.at(&server.url);
    let parked_at_first = eventually("it is parked", async || {
        let parked = parked(&operator).await;
        (parked.iter().filter(|(projection, ..)| projection == NAME).count() == 2).then_some(parked)
    })
    .await;
    let last = shop::place(&alice.at(&server.url), &tea.id).await;
    let orders = shop::all_orders(&operator, &last.position).await;
    let before = caught_up(&operator).await;
    server.stop().await;
    rows.mark(&data).await;
    let slices = rows.slices(&data).await;

    let said = rows.copy(&elsewhere, &data, &TO_THE_CLUSTER).ok();
    assert!(said.contains("the read store belongs to the copy now"), "{said}");
    assert!(said.contains("ready to switch"), "{said}");
    let log = whole_log(&open(&data)).await;
    let copy = whole_log(&elsewhere.open().await).await;
    let expected = slices.iter().map(|(slice, position)| (slice.clone(), moved(&log, &copy, *position)));
    assert_eq!(rows.slices(&data).await, expected.collect::<Vec<_>>());
    // Twice is once.
    let again = rows.copy(&elsewhere, &data, &TO_THE_CLUSTER).ok();
    assert!(again.contains("the read store belongs to the copy already"), "{again}");
    // The old log does not get it back by accident.
    let refused = Server::try_start_in(&data, rows.start(None)).await.expect_err("it is of the copy");
    assert!(refused.stderr.contains("READ_STORE_OF_ANOTHER_LOG"), "{}", refused.stderr);

    let server = Server::start_in(&data, rows.start(Some(&elsewhere))).await;
    let operator = operator.at(&server.url);
    let after = projections(&operator).await;
    for (before, after) in before.iter().zip(&after).filter(|(_, after)| !holds_positions(&after["name"])) {
        assert_eq!((&after["name"], &after["generation"]), (&before["name"], &before["generation"]));
        assert!(after["rebuild"].is_null(), "{after}");
    }
    let expected: Vec<_> = parked_at_first
        .iter()
        .map(|(projection, number, state, attempts)| {
            (projection.clone(), moved(&log, &copy, *number), state.clone(), *attempts)
        })
        .collect();
    // What is built anew parks it, too, once it is there.
    caught_up(&operator).await;
    let parked_now: Vec<_> = parked(&operator).await;
    assert_eq!(places(&parked_now), places(&expected));
    assert!(parked_now.iter().any(|(_, number, ..)| *number == moved(&log, &copy, bad)));

    // What stands by position in rows is built anew.
    let position = says(&server, &ben, "two").await;
    assert_eq!(feed(&server, &anna, &position).await, ["two", "one"]);

    // The rows are those of before, and new events are applied to them.
    let next = shop::place(&alice.at(&server.url), &tea.id).await;
    assert!(position_of(&next.position) > copy.last().expect("events").position.value());
    let mut seen = shop::all_orders(&operator, &next.position).await;
    assert!(seen.remove(&next.id).is_some());
    let mark = seen.get_mut(&shipped.id).expect("an order")["trackingNumber"].take();
    assert_eq!(mark, MARK);
    seen.get_mut(&shipped.id).expect("an order")["trackingNumber"] = orders[&shipped.id]["trackingNumber"].clone();
    assert_eq!(seen, orders);
    // A skip finds its event at the new position.
    skip(&server, &stuck.id, key, moved(&log, &copy, bad));
    caught_up(&operator).await;
    server.stop().await;

    // Back into the same directory: what is new is copied, the positions are counters again.
    elsewhere.write_of_others().await;
    let said = rows.copy(&elsewhere, &data, &BACK).ok();
    assert!(said.contains("copied 3 events"), "{said}");
    assert!(said.contains("the read store belongs to the copy now"), "{said}");
    let server = Server::start_in(&data, rows.start(None)).await;
    let operator = operator.at(&server.url);
    for after in caught_up(&operator).await {
        let generation = if holds_positions(&after["name"]) { 3 } else { 1 };
        assert_eq!(after["generation"], generation, "{after}");
    }
    let numbers: Vec<_> = parked(&operator).await.into_iter().map(|(_, number, state, _)| (number, state)).collect();
    assert!(numbers.contains(&(bad, "SKIPPED".to_owned())), "{numbers:?}");
    let very_last = shop::place(&alice.at(&server.url), &tea.id).await;
    assert_eq!(position_of(&very_last.position), log.len() as u64 + 4);
    let seen = shop::all_orders(&operator, &very_last.position).await;
    assert_eq!(seen.len(), orders.len() + 2);
    assert_eq!(seen[&shipped.id]["trackingNumber"], MARK);
    let position = says(&server, &ben, "three").await;
    assert_eq!(
        feed(&server, &anna, &position).await,
        ["three", "two", "one"],
        "the newest is not at the smallest position"
    );
    server.stop().await;
}

/// What is parked where, and why, however often it was tried.
fn places(parked: &[(String, u64, String, u64)]) -> Vec<(&str, u64, &str)> {
    parked.iter().map(|(projection, number, state, _)| (projection.as_str(), *number, state.as_str())).collect()
}

/// Somebody posts this. Gives the position.
async fn says(server: &Server, person: &Person, text: &str) -> Value {
    let answer = person.client.at(&server.url).graphql(PUBLISH, json!({ "input": { "text": text } })).await;
    answer.done("postPublish")["position"].clone()
}

/// What is in somebody's home feed at this position.
async fn feed(server: &Server, person: &Person, position: &Value) -> Vec<String> {
    let query = "query F($position: Position) { homeFeed(first: 9, minPosition: $position) { nodes { text } } }";
    let answer = person.client.at(&server.url).graphql(query, json!({ "position": position })).await;
    let nodes = answer.get("/homeFeed/nodes").as_array().expect("a list");
    nodes.iter().map(|node| node["text"].as_str().expect("words").to_owned()).collect()
}

fn skip(server: &Server, order: &str, key: Uuid, number: u64) {
    let arguments =
        ["projections", "parked", "skip", NAME, &key.to_string(), &number.to_string(), "--reason", "a test"];
    let ran = server.millrace(&arguments);
    assert_eq!(ran.code, 0, "{order}: {ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_store_of_another_log_or_none_is_told_and_left_alone() {
    let folder = temp_dir();
    let [data, other] = ["data", "other"].map(|name| folder.path().join(name));
    let elsewhere = Elsewhere::new().await;
    let rows = RowsIn::Sqlite;
    write_history(&open(&data), &mut Random::new(5), 10, 30).await;
    let said = rows.copy(&elsewhere, &data, &TO_THE_CLUSTER).ok();
    assert!(said.contains("there is no read store yet"), "{said}");

    let server = Server::start_in(&other, Start::default()).await;
    let tea = shop::register(&server.operator(), "TEA-1").await;
    shop::all_orders(&server.operator(), &tea.position).await;
    server.stop().await;
    // From its second start on a read store knows its log.
    Server::start_in(&other, Start::default()).await.stop().await;
    fs::copy(other.join("read.db"), data.join("read.db")).expect("a file");
    assert_refused(&rows.copy(&elsewhere, &data, &TO_THE_CLUSTER), "READ_STORE_OF_ANOTHER_LOG");
    let origin = |data: &Path| {
        let connection = Connection::open(data.join("read.db")).expect("the read store's file");
        let sql = "SELECT hex(event_id) FROM projection_origin";
        connection.query_row(sql, [], |row| row.get::<_, String>(0)).expect("an origin")
    };
    assert_eq!(origin(&data), origin(&other));

    // One that has seen what the log has lost.
    let server = Server::start_in(&other, Start::default()).await;
    let tea = shop::register(&server.operator(), "TEA-2").await;
    shop::all_orders(&server.operator(), &tea.position).await;
    server.stop().await;
    let connection = Connection::open(events_db(&other)).expect("the event store's file");
    connection.execute("DELETE FROM events WHERE position = 2", []).expect("it can be changed");
    drop(connection);
    let empty = Elsewhere::new().await;
    assert_refused(&rows.copy(&empty, &other, &TO_THE_CLUSTER), "READ_STORE_AHEAD");
}
