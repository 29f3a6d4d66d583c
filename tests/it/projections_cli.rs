//! `millrace projections` and `millrace verify`: the same story through a running server and without one.

mod long;
mod remote;

use std::{ffi::OsString, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    binary::{self, Ran},
    events_db,
    profile::is_cluster,
    server::{Server, Start, change_rows, eventually, key_in_sql, temp_dir},
    shop::{self, Done},
};
use uuid::Uuid;

const ALL: [&str; 9] = [
    "notifications",
    "order_stats",
    "order_summary",
    "post_board",
    "product_catalog",
    "product_sales",
    "profile_directory",
    "social_graph",
    "stock_level",
];
/// Whom the operators' log names.
const ACTOR: &str = "millrace command line";

/// A shop's data, and perhaps a server that has it.
struct Shop {
    data: TempDir,
    server: Option<Server>,
    /// Whether commands ask the server. On the cluster profile they can use its stores instead, beside it.
    asks: bool,
}

impl Shop {
    fn path(&self) -> &Path {
        self.data.path()
    }

    /// Runs `millrace` on the data. Nobody watches: whatever it prints is plain text.
    #[track_caller]
    fn run(&self, line: &str) -> Ran {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[track_caller]
    fn run_words(&self, words: &[&str]) -> Ran {
        let ran = binary::ran(&mut self.command(words));
        for output in [&ran.stdout, &ran.stderr] {
            assert!(!output.contains('\u{1b}'), "an escape sequence in a pipe: {output:?}");
        }
        ran
    }

    /// `millrace` with these arguments on the data, yet to be run.
    fn command(&self, words: &[&str]) -> Command {
        match &self.server {
            // Nothing in the data directory of a cluster's process says where it is.
            Some(server) if is_cluster() && self.asks => {
                let own = ["--server", &server.url];
                let mut command = binary::command(&[], words.iter().chain(&own));
                command.env("MILLRACE_TOKEN", server.operator_called(ACTOR).token);
                command
            }
            Some(server) => server.command(words),
            None => {
                let own = ["--data-dir".into(), self.path().as_os_str().to_owned()];
                binary::command(&[], words.iter().map(OsString::from).chain(own))
            }
        }
    }

    /// Whether there is a server while commands are run: on the cluster profile others do what is ordered.
    fn is_served(&self) -> bool {
        self.asks || is_cluster()
    }

    #[track_caller]
    fn refused(&self, line: &str, exit_code: i32, code: &str) -> Ran {
        let ran = self.run(line);
        let start = format!("error[{code}]: ");
        let (error, help) = ran.stderr.rsplit_once("\n  = help: ").unwrap_or_else(|| panic!("{line}: {ran:?}"));
        assert!(error.lines().last().is_some_and(|error| error.starts_with(&start)), "{line}: {ran:?}");
        assert!(!help.trim().is_empty() && ran.code == exit_code, "{line}: {ran:?}");
        ran
    }

    /// What a listing prints with `--json`.
    #[track_caller]
    fn json(&self, line: &str) -> Vec<Value> {
        json_lines(&self.run(&format!("{line} --json")).ok())
    }

    #[track_caller]
    fn projection(&self, name: &str) -> Value {
        let [projection] = &self.json(&format!("projections show {name}"))[..] else { panic!("one projection") };
        projection.clone()
    }

    /// What operators did, newest first: to what, what, why.
    #[track_caller]
    fn actions(&self) -> Vec<(String, String, Value)> {
        let actions = self.json("projections actions");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        assert!(actions.iter().all(|action| action["actor"] == ACTOR), "{actions:?}");
        actions.iter().map(|a| (text(&a["projection"]), text(&a["action"]), a["reason"].clone())).collect()
    }

    /// What is listed, once it is like that: whoever has just started in a cluster has to see the others first.
    async fn list_once(&self, is_so: impl Fn(&str) -> bool) -> String {
        let list = async || Some(self.run("projections list").ok()).filter(|list| is_so(list));
        eventually("the list is as it should be", list).await
    }

    /// The last position of the log.
    fn head(&self) -> u64 {
        let server = self.server.as_ref().expect("a server that knows the log");
        server.events(0).last().expect("there are events").position
    }

    async fn start(&mut self) {
        self.server = Some(Server::start_in(self.data.path(), Start::default()).await);
    }

    async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
}

/// A shop with a product and three orders, one of them shipped, and a server that has seen all of it.
async fn shop_of_three() -> (Shop, Vec<Done>) {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(shop::place(&alice, &tea.id).await);
    }
    let shipped = shop::ship(&operator, &orders[0].id).await;
    assert_eq!(shop::all_orders(&operator, &shipped.position).await.len(), 3);
    (Shop { data, server: Some(server), asks: true }, orders)
}

/// The same, through a server and without one; on the cluster profile, with its stores.
async fn shops() -> [(Shop, Vec<Done>); 2] {
    let (served, alone) = tokio::join!(shop_of_three(), shop_of_three());
    let mut shops = [served, alone];
    shops[1].0.asks = false;
    if !is_cluster() {
        shops[1].0.stop().await;
    }
    shops
}

/// The key of the row of an order.
fn key(order: &Done) -> Uuid {
    let id = URL_SAFE_NO_PAD.decode(&order.id).expect("a global id is base64url");
    let id = String::from_utf8(id).expect("a global id is text");
    id.strip_prefix("order:").and_then(|key| key.parse().ok()).expect("the id of an order")
}

#[tokio::test]
async fn a_list_shows_every_projection_with_state_and_lag() {
    for (shop, _) in shops().await {
        let list = shop.run("projections list").ok();
        let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["NAME", "STATE", "GENERATION", "POSITION", "BEHIND", "PARKED", "REMARKS"]);
        let head = if is_cluster() { shop.head() } else { 5 };
        let number = head.to_string();
        let expected = ALL.map(|name| vec![name, "RUNNING", "1", &number, "-", "-"]);
        // In a cluster each is shown at the head event that concerned it.
        let skipped = if is_cluster() { 3 } else { usize::MAX };
        for (line, mut expected) in lines[1..].iter().zip(expected) {
            if let Some(position) = line.get(skipped) {
                expected[skipped] = position;
            }
            assert_eq!(*line, expected, "{list}");
        }
        assert_eq!(lines.len(), 1 + ALL.len(), "{list}");
        let json = shop.json("projections list");
        let seen = json.iter().map(|p| (p["name"].as_str(), p["state"].as_str(), p["lagEvents"].as_u64()));
        assert_eq!(seen.collect::<Vec<_>>(), ALL.map(|name| (Some(name), Some("RUNNING"), Some(0))));
        let without_rate = |status: &Value| {
            let mut status = status.clone();
            status["rate"] = Value::Null;
            status
        };
        assert_eq!(without_rate(&shop.projection("order_summary")), without_rate(&json[2]));
        let shown = shop.run("projections show order_summary").ok();
        assert!(
            shown.contains(&format!("position    {head} of {head}\n")) && shown.contains("standby     -\n"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_rebuild_of_several_is_waited_for_and_can_be_taken_back_or_made_final() {
    for (shop, _) in shops().await {
        let last = if is_cluster() { shop.head() } else { 5 };
        let dry = shop.run("projections rebuild order_summary product_sales --dry-run").ok();
        let estimates: Vec<&str> = dry.lines().collect();
        assert!(estimates[0].starts_with("order_summary: 4 events out of "), "{dry}");
        assert!(is_cluster() || estimates[0].contains(" out of 5 positions, about "), "{dry}");
        assert!(estimates[1].starts_with("product_sales: ") && estimates.len() == 2, "{dry}");
        assert_eq!(shop.json("projections rebuild order_summary --dry-run")[0]["events"], 4);
        assert_eq!(shop.actions(), [], "a dry run does nothing, so nothing is written down");

        let words = ["projections", "rebuild", "order_summary", "product_sales", "--reason", "The totals look wrong"];
        let done = shop.run_words(&words).ok();
        let done: Vec<&str> = done.lines().collect();
        assert!(done[0].starts_with("order_summary serves generation 2: 4 events in "), "{done:?}");
        assert!(done[1].starts_with("product_sales serves generation 2: ") && done.len() == 2, "{done:?}");
        let of = |name: &str| shop.projection(name);
        assert_eq!([of("order_summary")["generation"].clone(), of("product_catalog")["generation"].clone()], [2, 1]);
        assert_eq!(of("order_summary")["standby"]["generation"], 1);

        let back = shop.run("projections rollback order_summary").ok();
        assert_eq!(back, "order_summary serves generation 1\n");
        let now = of("order_summary");
        assert_eq!((&now["generation"], &now["standby"]["generation"]), (&json!(1), &json!(2)));
        shop.refused("projections discard order_summary 1", 1, "UNKNOWN_GENERATION");
        assert_eq!(shop.run("projections discard order_summary 2").ok(), "generation 2 of order_summary is gone\n");
        assert_eq!(of("order_summary")["standby"], Value::Null);
        shop.refused("projections rollback order_summary", 1, "NO_STANDBY");

        let [partial] = &shop.json(&format!("projections rebuild order_summary --from {last}"))[..] else {
            panic!("one rebuild")
        };
        assert_eq!((&partial["phase"], &partial["generation"]), (&json!("DONE"), &json!(3)), "2 was given out");
        shop.refused("projections rebuild order_summary --from 1000000", 2, "BEYOND_HEAD");
        shop.refused(&format!("projections rebuild product_sales --from {last}"), 1, "NOT_FROM_POSITION");
        assert!(
            shop.run("rebuild product_catalog").ok().starts_with("product_catalog serves generation 2: 1 event in ")
        );

        let why = json!("The totals look wrong");
        let expected = [
            ("product_catalog", "REBUILD", &Value::Null),
            ("order_summary", "REBUILD", &Value::Null),
            ("order_summary", "DISCARD_GENERATION", &Value::Null),
            ("order_summary", "ROLLBACK", &Value::Null),
            ("product_sales", "REBUILD", &why),
            ("order_summary", "REBUILD", &why),
        ];
        assert_eq!(
            shop.actions(),
            expected.map(|(name, action, why)| (name.to_owned(), action.to_owned(), why.clone()))
        );
        let printed = shop.run("projections actions order_summary --limit 3").ok();
        assert_eq!(printed.lines().count(), 4, "{printed}");
        let discarded = printed.lines().nth(2).expect("the second one");
        assert!(discarded.contains("DISCARD_GENERATION") && discarded.contains("generation 2"), "{printed}");
        assert!(printed.lines().nth(1).expect("the first one").contains(&format!("from {last}")), "{printed}");
    }
}

#[tokio::test]
async fn a_paused_projection_is_listed_with_who_paused_it_and_why_until_it_is_resumed() {
    for (mut shop, _) in shops().await {
        let words = ["projections", "pause", "order_summary", "--reason", "The totals look wrong"];
        let paused = shop.run_words(&words).ok();
        assert!(paused.starts_with("order_summary stands still at "), "{paused}");
        for is_restarted in [false, true] {
            let list = shop.list_once(|list| !list.contains("UNATTENDED")).await;
            let line = list.lines().find(|line| line.starts_with("order_summary")).expect("a line for each projection");
            let by = format!("paused by {ACTOR} since ");
            let is_shown = line.contains("PAUSED") && line.contains(&by) && line.ends_with(": The totals look wrong");
            assert!(is_shown, "{list}");
            assert_eq!(list.matches("RUNNING").count(), ALL.len() - 1, "{list}");
            let pause = &shop.projection("order_summary")["pausedBy"];
            assert_eq!((&pause["by"], &pause["reason"]), (&json!(ACTOR), &json!("The totals look wrong")));
            if !is_restarted && shop.is_served() {
                shop.stop().await;
                shop.start().await;
            }
        }
        shop.refused("projections pause order_summary", 1, "ALREADY_PAUSED");
        let resumed = shop.run("projections resume order_summary").ok();
        assert!(resumed.starts_with("order_summary goes on at "), "{resumed}");
        assert_eq!(shop.projection("order_summary")["pausedBy"], Value::Null);
        shop.refused("projections resume order_summary", 1, "NOT_PAUSED");

        let ahead = shop.run("projections pause order_summary --at 1000000").ok();
        assert!(ahead.contains("will stand still at 1000000"), "{ahead}");
        assert!(shop.run("projections list").ok().contains(&format!("to be paused at 1000000 by {ACTOR} since ")));
        shop.run("projections resume order_summary").ok();
        let kinds: Vec<String> = shop.actions().into_iter().map(|(_, action, _)| action).collect();
        assert_eq!(kinds, ["RESUME", "PAUSE", "RESUME", "PAUSE"]);
    }
}

/// Changes a row behind everybody's back, while no server has the data.
fn damage(shop: &Shop, key: Uuid) {
    let sql = format!("UPDATE order_summary_g1 SET total_minor = 4711 WHERE order_id = {}", key_in_sql(key));
    assert_eq!(change_rows(shop.path(), &sql), 1);
}

#[tokio::test]
async fn a_damaged_row_is_found_by_a_verification_and_a_check_and_then_repaired() {
    for (mut shop, orders) in shops().await {
        let is_served = shop.is_served();
        let (damaged, whole) = (key(&orders[1]), key(&orders[2]));
        let right = shop.run("verify").ok();
        let found: Vec<&str> = right.lines().filter(|line| line.ends_with(": right")).collect();
        // Every projection, and stock and money.
        let all = ALL.len() + 1;
        assert_eq!((found.len(), right.lines().count()), (all, all), "{right}");
        shop.stop().await;
        damage(&shop, damaged);
        if is_served {
            shop.start().await;
        }

        let both = |output: &str| {
            let at = output.find(&format!("order_summary {damaged}\n")).expect("the row is named");
            let mut lines = output[at..].lines().skip(1);
            let mut version = |name: &str| {
                let line = lines.next().expect("both versions").trim_start();
                line.strip_prefix(name).unwrap_or_else(|| panic!("{output}")).trim_start().to_owned()
            };
            (version("stored"), version("folded"))
        };
        let verified = shop.refused("verify", 1, "ROWS_DIFFER");
        assert_eq!(verified.stdout.matches(": right").count(), ALL.len(), "{verified:?}");
        let (stored, folded) = both(&verified.stdout);
        assert!(stored.contains("4711") && !folded.contains("4711") && folded.contains("1990"), "{verified:?}");
        let check = format!("projections check order_summary {whole} {damaged}");
        let checked = shop.refused(&check, 1, "ROWS_DIFFER");
        assert_eq!(both(&checked.stdout), (stored.clone(), folded.clone()));
        assert!(!checked.stdout.contains(&whole.to_string()), "{checked:?}");
        let json = json_lines(&shop.run(&format!("{check} --json")).stdout);
        assert_eq!((json.len(), &json[0]["key"]), (1, &json!(damaged)));
        let json = json_lines(&shop.run("verify order_summary --json").stdout);
        assert_eq!(
            (json.len(), &json[0]["isRight"], &json[0]["differences"][0]["key"]),
            (1, &json!(false), &json!(damaged))
        );

        let repaired = shop.run(&format!("projections repair order_summary {damaged} --reason drift")).ok();
        assert_eq!(repaired, format!("{damaged}\n  before  {stored}\n  after   {folded}\n"));
        let again = shop.run(&check).ok();
        assert_eq!(again, "order_summary: 2 rows are what their events make\n");
        shop.run("verify").ok();
        assert_eq!(shop.actions()[0], ("order_summary".to_owned(), "REPAIR".to_owned(), json!("drift")));
    }
}

#[tokio::test]
async fn parked_events_are_listed_tried_again_and_passed_over() {
    for (mut shop, orders) in shops().await {
        let is_served = shop.is_served();
        shop.stop().await;
        // An event in words that nobody understands, and one behind it.
        let key = key(&orders[1]);
        let delivered = json!({ "order": key, "at": "2026-01-01T00:00:00Z" }).to_string();
        events_db::write(&shop.path().join("events.db"), |events| {
            events.append("order", key, "order.shipped.v1", r#"{"broken":1}"#);
            events.append("order", key, "order.delivered.v1", &delivered);
        });
        if is_served {
            shop.start().await;
        }
        let [number, behind] = [6, 7].map(|nth| shop.server.as_ref().map_or(nth as u64, |server| server.position(nth)));
        let parked = || shop.json("projections parked list order_summary");
        let given_up = async || {
            let events = parked();
            let is_given_up = |event: &Value| event["state"] == "QUEUED" || event["nextRetry"].is_null();
            (events.len() == 2 && events.iter().all(is_given_up)).then_some(events)
        };
        // Without a server, the projection goes on with each command for as long as that lasts.
        let events = eventually("the event is given up", given_up).await;
        let seen: Vec<_> = events.iter().map(|event| (&event["number"], &event["state"], &event["key"])).collect();
        let expected = [(json!(number), json!("FAILED")), (json!(behind), json!("QUEUED"))];
        assert_eq!(
            seen,
            [(&expected[0].0, &expected[0].1, &json!(key)), (&expected[1].0, &expected[1].1, &json!(key))]
        );
        let list = shop.run(&format!("projections parked list --key {key} --state failed")).ok();
        let line = list.lines().find(|line| line.starts_with("order_summary")).expect("one parked event");
        // The statistics and the inboxes read orders, too.
        assert!(list.lines().count() == 4 && line.contains("order.shipped.v1") && line.contains("decode"), "{list}");
        assert_eq!(shop.json("projections parked list --state skipped"), Vec::<Value>::new());
        assert_eq!(shop.json("projections parked list --limit 1").len(), 1);
        let of_all = shop.projection("order_summary");
        assert_eq!(
            (&of_all["state"], &of_all["parkedKeys"], &of_all["parkedEvents"]),
            (&json!("RUNNING"), &json!(1), &json!(2))
        );
        assert!(shop.run("projections list").ok().contains("1 key"));

        let tried = shop.run(&format!("projections parked retry order_summary {key}")).ok();
        assert!(tried.starts_with(&format!("{key} waits at event {number}: ")), "{tried}");
        let all = shop.run("projections parked retry order_summary").ok();
        assert_eq!(all, "order_summary: 1 key to be tried\n0 keys released, 1 key still waiting\n");
        shop.refused("projections parked retry product_catalog", 1, "NOT_PARKED");
        let skip = |number: u64| format!("projections parked skip order_summary {key} {number} --reason made-up");
        shop.refused(&skip(behind), 1, "NOT_WAITING");
        let skipped = shop.run(&skip(number)).ok();
        assert!(
            skipped.starts_with(&format!("event {number} is passed over for {key}\n{key} waits no more: ")),
            "{skipped}"
        );
        let skipped = shop.json("projections parked list --state skipped");
        assert_eq!((skipped.len(), &skipped[0]["number"]), (1, &json!(number)));
        assert!(skipped[0]["error"].as_str().is_some_and(|error| error.contains("made-up")), "{skipped:?}");
        assert_eq!(shop.projection("order_summary")["parkedKeys"], 0);
        let actions = shop.actions();
        let kinds: Vec<&str> = actions.iter().map(|(_, action, _)| action.as_str()).collect();
        assert_eq!(kinds, ["SKIP_PARKED", "RETRY_PARKED", "RETRY_PARKED"]);
    }
}

#[tokio::test]
async fn unknown_names_and_malformed_arguments_are_refused_and_leave_no_trace() {
    for (shop, orders) in shops().await {
        let key = key(&orders[0]);
        for verb in ["show", "rebuild", "rebuild order_summary", "rebuild --dry-run", "pause", "resume", "rollback"] {
            shop.refused(&format!("projections {verb} order_sumary"), 2, "UNKNOWN_PROJECTION");
        }
        for line in [
            "rebuild order_sumary".to_owned(),
            "verify order_sumary".to_owned(),
            "projections discard order_sumary 1".to_owned(),
            format!("projections check order_sumary {key}"),
            format!("projections repair order_sumary {key}"),
            "projections parked list order_sumary".to_owned(),
            "projections parked retry order_sumary".to_owned(),
            format!("projections parked retry order_sumary {key}"),
            format!("projections parked skip order_sumary {key} 1 --reason x"),
        ] {
            let ran = shop.refused(&line, 2, "UNKNOWN_PROJECTION");
            assert!(ran.stderr.contains("order_summary"), "the known names are shown: {ran:?}");
        }
        shop.refused(&format!("projections repair order_summary {key} {key}"), 2, "REPEATED_KEY");
        shop.refused(&format!("projections repair order_summary {}", Uuid::nil()), 1, "UNKNOWN_KEYS");
        shop.refused(&format!("projections check order_summary {}", Uuid::nil()), 2, "BAD_USER_INPUT");
        shop.refused(&format!("projections repair product_sales {key}"), 1, "NOT_BY_KEY");
        let empty = shop.run_words(&["projections", "pause", "order_summary", "--reason", ""]);
        assert!(empty.code == 2 && empty.stderr.contains("error[INVALID_REASON]"), "{empty:?}");
        // What is no key or has no reason does not even leave the house.
        for line in ["projections check order_summary x", "projections parked skip order_summary x 1"] {
            assert_eq!(shop.run(line).code, 2, "{line}");
        }
        assert_eq!(shop.actions(), []);
    }
}

#[tokio::test]
async fn a_folder_without_events_is_left_as_it_is() {
    let shop = Shop { data: temp_dir(), server: None, asks: false };
    shop.refused("projections list", 1, "EVENT_STORE_UNUSABLE");
    shop.refused("projections watch order_summary", 1, "SERVER_NOT_RUNNING");
    assert_eq!(std::fs::read_dir(shop.path()).expect("a folder").count(), 0);
}
