//! The roles of the binary: rebuild, events, schema, config, token, and a stop that finishes what was begun.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::{Value, json};
use tests::{
    binary::{self, millrace, workspace},
    log::LoggedEvent,
    server::{PATIENCE, Server, Start, eventually, send_signal, temp_dir},
    shop::{self, ORDER_PLACE, order_input},
};
use tokio::task::JoinSet;

const GENERATION: &str = "{ projection(name: \"order_summary\") { generation state rebuild { phase done total } } }";

#[tokio::test]
async fn a_rebuild_works_with_a_running_server_and_without() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    for _ in 0..5 {
        let order = shop::place(&alice, &tea.id).await;
        shop::ship(&operator, &order.id).await;
    }
    let last = shop::place(&alice, &tea.id).await;
    let before = shop::all_orders(&operator, &last.position).await;
    assert_eq!(before.len(), 6);
    assert_eq!(operator.graphql(GENERATION, json!({})).await.get("/projection/generation"), 1);

    // Through the server: the switch is seen at once, and it serves on.
    let printed = server.millrace(&["rebuild", "order_summary"]).ok();
    assert!(printed.starts_with("order_summary serves generation 2: 11 events in "), "{printed}");
    let answer = operator.graphql(GENERATION, json!({})).await;
    assert_eq!(answer.get("/projection/generation"), 2);
    // The order to rebuild is an event too.
    assert_eq!(answer.get("/projection/rebuild"), &json!({ "phase": "DONE", "done": 13, "total": 13 }));
    assert_eq!(shop::all_orders(&operator, &last.position).await, before);
    for name in ["product_catalog", "product_sales"] {
        server.millrace(&["rebuild", name]).ok();
    }
    let product = operator.graphql("{ product(sku: \"TEA-1\") { sales { units orders } } }", json!({})).await;
    assert_eq!(product.get("/product/sales"), &json!({ "units": 6, "orders": 6 }));

    // By itself, when no server runs, even if the read models are gone.
    server.stop().await;
    let alone =
        |name: &str| millrace([OsStr::new("rebuild"), name.as_ref(), "--data-dir".as_ref(), data.path().as_ref()]);
    assert!(alone("order_summary").ok().starts_with("order_summary serves generation 3: 11 events in "));
    for file in ["read.db", "read.db-wal", "read.db-shm"] {
        // A clean stop leaves some of them only.
        let _ = fs::remove_file(data.path().join(file));
    }
    alone("order_summary").ok();
    let server = Server::start_in(data.path(), Start::default()).await;
    assert_eq!(shop::all_orders(&operator.at(&server.url), &last.position).await, before);
}

#[tokio::test]
async fn an_unknown_projection_is_refused_with_the_known_ones() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let running = server.millrace(&["rebuild", "order_sumary"]);
    server.stop().await;
    let alone = millrace([OsStr::new("rebuild"), "order_sumary".as_ref(), "--data-dir".as_ref(), data.path().as_ref()]);
    for ran in [running, alone] {
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("error[UNKNOWN_PROJECTION]") && ran.stderr.contains("order_summary"), "{ran:?}");
    }
}

#[tokio::test]
async fn events_are_printed_by_place_number_and_stream() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await;
    shop::place(&alice, &tea.id).await;
    shop::ship(&operator, &order.id).await;
    let print = |arguments: &[&str]| {
        let printed = server.millrace(&[&["events", "print"], arguments].concat()).ok();
        let lines = printed.lines().map(|line| LoggedEvent::new(&serde_json::from_str(line).expect("JSON")));
        lines.collect::<Vec<_>>()
    };
    let positions = |events: &[LoggedEvent]| events.iter().map(|event| event.position).collect::<Vec<_>>();
    let all = print(&[]);
    assert_eq!(positions(&all), [1, 2, 3, 4]);
    assert_eq!(positions(&print(&["--after", "1", "--limit", "2"])), [2, 3]);
    let stream = &all[1].stream;
    let of_stream = print(&["--stream", stream]);
    assert_eq!(positions(&of_stream), [2, 4]);
    assert_eq!(of_stream[0], all[1]);
    assert_eq!(positions(&print(&["--stream", stream, "--after", "2"])), [4]);
    assert!(print(&["--after", "4"]).is_empty());

    let bad = server.millrace(&["events", "print", "--stream", "order"]);
    assert_eq!((bad.code, bad.stderr.contains("error[BAD_STREAM]")), (2, true), "{bad:?}");
    let nowhere = temp_dir();
    let nothing = millrace([OsStr::new("events"), "print".as_ref(), "--data-dir".as_ref(), nowhere.path().as_ref()]);
    assert_eq!((nothing.code, nothing.stderr.contains("error[EVENT_STORE_UNUSABLE]")), (1, true), "{nothing:?}");
    assert_eq!(fs::read_dir(nowhere.path()).expect("a folder").count(), 0, "looking at events makes no files");
}

/// A `millrace events tail` and what it prints, until it is dropped.
struct Tail {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Tail {
    fn start(server: &Server, arguments: &[&str]) -> Self {
        let all = ["events", "tail", "--data-dir"].map(OsStr::new).into_iter();
        let all = all.chain([server.data_dir().as_os_str()]).chain(arguments.iter().map(OsStr::new));
        let mut child = binary::command(&[], all).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    fn next(&self) -> LoggedEvent {
        let line = self.lines.recv_timeout(PATIENCE).expect("an event is printed");
        LoggedEvent::new(&serde_json::from_str(&line).expect("JSON"))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_tail_prints_events_as_they_come_and_ends_well() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut tail = Tail::start(&server, &["--after", "0"]);
    assert_eq!(tail.next().kind, "product.registered.v2");
    shop::place(&alice, &tea.id).await;
    assert_eq!(tail.next().kind, "order.placed.v2");
    shop::place(&alice, &tea.id).await;
    assert_eq!(tail.next().position, 3);
    assert!(send_signal("TERM", tail.child.id()));
    let status = eventually("the tail ends", async || tail.child.try_wait().expect("it is our child")).await;
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_committed_schema_is_the_one_of_this_build() {
    let path = workspace().join("api/schema.graphql");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let printed = millrace(["schema"]).ok();
    assert!(
        committed == printed,
        "the schema has changed. If it should: cargo run -- schema > api/schema.graphql, and read the difference as a \
         client would"
    );
}

#[test]
fn the_settings_that_apply_are_printed_without_secrets() {
    let folder = temp_dir();
    let file = folder.path().join("settings.toml");
    let secret = "a secret of more than thirty-two bytes";
    fs::write(&file, format!("shutdown_grace_s = 7\n[auth]\nhs256_secret = \"{secret}\"")).expect("a file");
    let arguments = ["config", "--listen", "127.0.0.1:1234", "--config"].map(OsStr::new);
    let printed = millrace(arguments.into_iter().chain([file.as_os_str()])).ok();
    for line in ["listen = \"127.0.0.1:1234\"", "shutdown_grace_s = 7", "mode = \"development\""] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is missing:\n{printed}");
    }
    assert!(!printed.contains(secret), "{printed}");
    // What is printed without any setting is what is committed.
    let defaults = millrace(["config"]).ok();
    let committed = fs::read_to_string(workspace().join("api/config.default.toml")).expect("the committed defaults");
    assert_eq!(defaults.trim(), committed.trim());
}

#[test]
fn there_is_no_token_for_production() {
    let folder = temp_dir();
    let (file, data) = (folder.path().join("settings.toml"), folder.path().join("data"));
    let auth = "issuer = \"https://id.example.com/\"\naudience = \"millrace\"\nhs256_secret_file = \"secret\"";
    fs::write(&file, format!("mode = \"production\"\n[auth]\n{auth}")).expect("a file");
    let arguments = ["token", "--subject", "alice", "--role", "customer", "--config"].map(OsStr::new).into_iter();
    let ran = millrace(arguments.chain([file.as_os_str(), "--data-dir".as_ref(), data.as_os_str()]));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("error[TOKEN_NOT_OURS]") && ran.stderr.contains("id.example.com"), "{ran:?}");
    assert!(!data.exists(), "it left a key behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_was_begun_and_answers_it() {
    const AT_ONCE: usize = 200;
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let input = json!({ "input": order_input(&tea.id, 1) });
    let (acked_one, mut acks) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (alice, input, acked_one) = (alice.clone(), input.clone(), acked_one.clone());
        tasks.spawn(async move {
            let mut acked = Vec::new();
            loop {
                match alice.try_graphql(ORDER_PLACE, input.clone()).await {
                    Ok(answer) if answer.error_code().is_none() => {
                        answer.done("orderPlace");
                        acked.push(answer.text("/orderPlace/order/id"));
                        let _ = acked_one.send(());
                    }
                    Ok(answer) => {
                        let retryable = &answer.body["errors"][0]["extensions"]["retryable"];
                        assert_eq!(retryable, &Value::Bool(true), "{answer}");
                        return (acked, answer.error_code().map(ToOwned::to_owned));
                    }
                    // Nobody is there any more.
                    Err(_) => return (acked, None),
                }
            }
        });
    }
    for _ in 0..AT_ONCE {
        acks.recv().await.expect("orders are placed");
    }
    server.ask_to_stop();
    let mut acked = BTreeSet::new();
    for (orders, code) in tasks.join_all().await {
        let count = acked.len() + orders.len();
        acked.extend(orders);
        assert_eq!(acked.len(), count, "one order was given to two customers");
        assert!(code.as_deref().is_none_or(|code| code == "SHUTTING_DOWN"), "{code:?}");
    }
    server.stopped().await;

    // What took effect was answered, and what was answered took effect.
    let server = Server::start_in(data.path(), Start::default()).await;
    let log = server.events(0);
    tests::log::assert_whole(&log);
    let placed: BTreeSet<String> = log[1..].iter().map(LoggedEvent::object).collect();
    assert_eq!(placed, acked);
}
