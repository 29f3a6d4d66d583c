//! The stores of a cluster go away while it runs, each in several ways: readiness says which, commands and queries answer
//! with codes that may be retried, nothing acknowledged is lost, and all goes on without a restart once they are back.

use std::{collections::BTreeSet, sync::Arc};

use infrastructure::event_store::MemoryEventStore;
use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    cluster::Cluster,
    postgres::{Durability, PostgresSchema, PostgresServer, run, with},
    server::{Server, Start, eventually},
    shop::{self, ORDER, ORDER_PLACE, order_input},
};

/// What `/health/ready` says: its status, and of what is not in order the name and the reason.
async fn health(server: &Server) -> (u16, Vec<(String, String)>) {
    let answer = reqwest::get(format!("{}/health/ready", server.url)).await.expect("an answer");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    let checks = body["checks"].as_array().expect("a list").iter().filter(|check| check["ready"] == false);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (status, checks.map(|check| (text(&check["name"]), text(&check["reason"]))).collect())
}

/// Waits until the process says that this store is away, and no other, and why.
async fn red(server: &Server, store: &str) -> String {
    eventually(&format!("readiness names the {store}"), async || {
        let (status, wrong) = health(server).await;
        let [(name, reason)] = &wrong[..] else { return None };
        (status == 503 && name == store).then(|| reason.clone())
    })
    .await
}

async fn green(server: &Server) {
    eventually("it is ready again", async || (health(server).await.0 == 200).then_some(())).await;
}

/// Fails unless the answer may be retried and has one of these codes.
#[track_caller]
fn assert_retryable(answer: &Answer, codes: &[&str]) {
    let code = answer.error_code().unwrap_or_else(|| panic!("one of {codes:?} was expected: {answer}"));
    assert!(codes.contains(&code), "{codes:?}: {answer}");
    assert_eq!(answer.body["errors"][0]["extensions"]["retryable"], true, "{answer}");
}

/// Places an order with this key; gives its id and position if it is acknowledged.
async fn place(alice: &Client, product: &str, key: &str) -> Result<(String, String), Answer> {
    let input = json!({ "lines": order_input(product, 1)["lines"], "idempotencyKey": key });
    let answer = alice.graphql(ORDER_PLACE, json!({ "input": input })).await;
    if answer.error_code().is_some() {
        return Err(answer);
    }
    answer.done("orderPlace");
    Ok((answer.text("/orderPlace/order/id"), answer.text("/orderPlace/position")))
}

async fn seen(alice: &Client, (id, position): &(String, String)) -> Answer {
    alice.graphql(ORDER, json!({ "id": id, "minPosition": position })).await
}

/// Short times, so that a fault is noticed soon.
fn hasty(mut start: Start) -> Start {
    let settings = [
        ("MILLRACE_EVENT_STORE__CALL_TIMEOUT_MS", "1000"),
        ("MILLRACE_EVENT_STORE__APPEND_BUDGET_MS", "1500"),
        ("MILLRACE_EXECUTOR__OUTCOME_WAIT_MS", "500"),
    ];
    start.environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    start
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_store_that_goes_away_is_told_and_waited_for() {
    let cluster = Cluster::new().await;
    let start = |role| Server::start_in(cluster.data_dir(), hasty(cluster.start(role, role)));
    let (mut worker, mut api) = tokio::join!(start("work"), start("serve"));
    let (operator, alice) = (api.operator(), api.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut acked = vec![place(&alice, &tea.id, "0").await.expect("all is well")];
    assert_eq!(seen(&alice, &acked[0]).await.get("/order/status"), "PLACED");
    for round in 1..=2 {
        cluster.double.kill().await;
        let key = round.to_string();
        let refused = place(&alice, &tea.id, &key).await.expect_err("nobody can write it");
        assert_retryable(&refused, &["STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"]);
        for server in [&api, &worker] {
            let reason = red(server, "event_store").await;
            assert!(reason.contains("tried again"), "{reason}");
        }
        // Reads go on with what is there.
        for order in &acked {
            assert_eq!(seen(&alice, order).await.get("/order/id"), &json!(order.0));
        }

        cluster.double.restart().await;
        green(&api).await;
        green(&worker).await;
        // The same command, perhaps for the second time, takes effect once.
        let placed = eventually("commands are taken again", async || place(&alice, &tea.id, &key).await.ok()).await;
        let again = place(&alice, &tea.id, &key).await.expect("it is done");
        assert_eq!(again, placed);
        assert_eq!(seen(&alice, &placed).await.get("/order/status"), "PLACED");
        acked.push(placed);
    }
    all_there(&operator, &acked).await;
    assert!(api.is_alive() && worker.is_alive());
    for log in [api.stderr(), worker.stderr()] {
        assert_eq!(log.matches("the event store is away").count(), 2, "once for each time, not with every try:\n{log}");
        assert_eq!(log.matches("the event store answers again").count(), 2, "{log}");
    }
    api.stop().await;
    worker.stop().await;
}

/// Every order that was acknowledged is there, and no other.
async fn all_there(operator: &Client, acked: &[(String, String)]) {
    let last = &acked.last().expect("there are orders").1;
    let rows = shop::all_orders(operator, last).await;
    let known: BTreeSet<&String> = acked.iter().map(|(id, _)| id).collect();
    assert_eq!(rows.keys().collect::<BTreeSet<_>>(), known);
}

/// The role that the processes use.
const ROLE: &str = "shop";
/// Ends every connection of theirs, so that a changed role is noticed.
const END_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'";

/// What happens to PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Stopped,
    Crashed,
    Frozen,
    LockedOut,
    WithoutConnections,
    ReadOnly,
}

impl Fault {
    const ALL: [Self; 6] =
        [Self::Stopped, Self::Crashed, Self::Frozen, Self::LockedOut, Self::WithoutConnections, Self::ReadOnly];

    async fn happens(self, server: &PostgresServer) {
        match self {
            Self::Stopped => tokio::task::block_in_place(|| server.stop()),
            Self::Crashed => tokio::task::block_in_place(|| server.crash()),
            Self::Frozen => tokio::task::block_in_place(|| server.freeze(true)),
            Self::LockedOut => change_role(server, "NOLOGIN").await,
            Self::WithoutConnections => change_role(server, "CONNECTION LIMIT 0").await,
            Self::ReadOnly => change_role(server, "SET default_transaction_read_only = on").await,
        }
    }

    async fn is_mended(self, server: &PostgresServer) {
        match self {
            Self::Stopped | Self::Crashed => tokio::task::block_in_place(|| server.start_again()),
            Self::Frozen => tokio::task::block_in_place(|| server.freeze(false)),
            Self::LockedOut => change_role(server, "LOGIN").await,
            Self::WithoutConnections => change_role(server, "CONNECTION LIMIT -1").await,
            Self::ReadOnly => change_role(server, "RESET default_transaction_read_only").await,
        }
    }

    /// What readiness says of it; none: it can be read, so it is not away.
    const fn says(self) -> Option<&'static str> {
        match self {
            Self::Stopped | Self::Crashed => Some("PostgreSQL"),
            Self::Frozen => Some(""),
            Self::LockedOut => Some("refuses the user"),
            Self::WithoutConnections => Some("max_connections"),
            Self::ReadOnly => None,
        }
    }
}

async fn change_role(server: &PostgresServer, change: &str) {
    run(&server.url(), &format!("ALTER ROLE {ROLE} {change}")).await;
    run(&server.url(), END_ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_in_whatever_way_is_told_and_waited_for() {
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(Durability::Full)).await.expect("a server");
    let schema = PostgresSchema::on_server(&server).await;
    run(&server.url(), &format!("CREATE ROLE {ROLE} LOGIN; GRANT ALL ON SCHEMA {} TO {ROLE}", schema.name())).await;
    let url = with(&server.url_of(ROLE, "postgres"), &format!("options=-c%20search_path%3D{}", schema.name()));
    let cluster = Cluster::on(Arc::new(MemoryEventStore::new()), schema).await;
    let start = async |role| {
        let mut start = hasty(cluster.start(role, role));
        start.environment.push(("MILLRACE_READ_STORE__URL".to_owned(), url.clone()));
        Server::start_in(cluster.data_dir(), start).await
    };
    let (mut worker, mut api) = tokio::join!(start("work"), start("serve"));
    let (operator, alice) = (api.operator(), api.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut acked = vec![place(&alice, &tea.id, "first").await.expect("all is well")];
    assert_eq!(seen(&alice, &acked[0]).await.get("/order/status"), "PLACED");
    for fault in Fault::ALL {
        fault.happens(&server).await;
        if let Some(says) = fault.says() {
            for process in [&api, &worker] {
                let reason = red(process, "read_store").await;
                assert!(reason.contains(says) && reason.contains("tried again"), "{fault:?}: {reason}");
            }
            let refused = alice.graphql(ORDER, json!({ "id": acked[0].0 })).await;
            assert_retryable(&refused, &["READ_STORE_UNAVAILABLE"]);
            assert!(!refused.to_string().contains("PostgreSQL"), "what is inside is operators' business: {refused}");
        } else {
            assert_eq!(alice.graphql(ORDER, json!({ "id": acked[0].0 })).await.get("/order/id"), &json!(acked[0].0));
        }
        // Commands need the event store only.
        let placed = place(&alice, &tea.id, &format!("{fault:?}")).await;
        let placed = placed.unwrap_or_else(|answer| panic!("{fault:?}: {answer}"));
        if fault == Fault::ReadOnly {
            let is_told = async || worker.stderr().contains("read-only").then_some(());
            eventually("whoever works says that it cannot write", is_told).await;
        }

        fault.is_mended(&server).await;
        green(&api).await;
        green(&worker).await;
        let answer = eventually("what was placed meanwhile is seen", async || {
            let answer = seen(&alice, &placed).await;
            answer.error_code().is_none().then_some(answer)
        })
        .await;
        assert_eq!(answer.get("/order/status"), "PLACED", "{fault:?}");
        acked.push(placed);
        all_there(&operator, &acked).await;
        assert!(api.is_alive() && worker.is_alive(), "{fault:?}");
    }
    api.stop().await;
    worker.stop().await;
}
