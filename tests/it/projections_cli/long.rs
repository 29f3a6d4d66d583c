//! What takes its time: a second order while a rebuild runs, an interruption, a watch.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tests::{
    client::Client,
    events_db,
    log::LoggedEvent,
    profile::is_cluster,
    server::{PATIENCE, Server, Start, eventually, send_signal, temp_dir},
    shop,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Shop;

/// So many that a rebuild takes longer than a command needs to be interrupted.
const ORDERS: u128 = 30_000;
/// How much of the time a rebuild works while somebody changes something, in percent: it lasts as long as that goes on,
/// however fast the machine and however slow the commands beside it are.
const SHARE: &str = "10";
/// Well within the second for which a change counts as traffic.
const BETWEEN_CHANGES: Duration = Duration::from_millis(100);

/// A running `millrace`, until it is dropped.
struct Running {
    child: Child,
    /// What it prints.
    lines: mpsc::Receiver<String>,
    /// What it says besides.
    notes: mpsc::Receiver<String>,
}

impl Running {
    fn start(shop: &Shop, line: &str) -> Self {
        let mut command = shop.command(&line.split_whitespace().collect::<Vec<_>>());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = lines_of(child.stdout.take().expect("the output is a pipe"));
        let notes = lines_of(child.stderr.take().expect("the errors are a pipe"));
        Self { child, lines, notes }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line is printed")
    }

    async fn ended(&mut self) -> ExitStatus {
        eventually("it ends", async || self.child.try_wait().expect("it is our child")).await
    }

    async fn interrupted(&mut self) -> (ExitStatus, String) {
        assert!(send_signal("INT", self.child.id()));
        let status = self.ended().await;
        (status, self.notes.iter().collect::<Vec<_>>().join("\n"))
    }
}

fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let output = BufReader::new(output).lines().map_while(Result::ok);
    thread::spawn(move || output.map(|line| sender.send(line)).find(Result::is_err));
    lines
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shop with many orders, and a server that has read them all.
async fn shop_of_many() -> Shop {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let tea = shop::register(&server.operator(), "TEA-1").await;
    shop::place(&server.customer("alice"), &tea.id).await;
    let placed: LoggedEvent = server.events(server.position(1)).swap_remove(0);
    server.stop().await;
    events_db::write(&data.path().join("events.db"), |events| {
        for number in 1..=ORDERS {
            let key = Uuid::from_u128(number << 64);
            let mut data = placed.data.clone();
            data["order"] = json!(key);
            events.append("order", key, &placed.kind, &data.to_string());
        }
    });
    let environment = vec![("MILLRACE_PROJECTIONS__REBUILD_SHARE".to_owned(), SHARE.to_owned())];
    let server = Server::start_in(data.path(), Start { environment, ..Start::default() }).await;
    let shop = Shop { data, server: Some(server), asks: true };
    // It takes the time that it takes, as long as it goes on.
    let mut lag = u64::MAX;
    while lag > 0 {
        lag = eventually("more is read", async || {
            let now = shop.projection("order_summary")["lagEvents"].as_u64().expect("a number");
            (now < lag).then_some(now)
        })
        .await;
    }
    shop
}

/// Changes what is no order's, again and again, until it is dropped.
fn traffic(operator: Client) -> JoinSet<()> {
    let mut traffic = JoinSet::new();
    traffic.spawn(async move {
        for number in 0_u64.. {
            shop::register(&operator, &format!("POT-{number}")).await;
            tokio::time::sleep(BETWEEN_CHANGES).await;
        }
    });
    traffic
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_order_joins_the_rebuild_that_runs_and_an_interruption_leaves_it_running() {
    let mut shop = shop_of_many().await;
    let traffic = traffic(shop.server.as_ref().expect("it runs").operator());
    let mut first = Running::start(&shop, "projections rebuild order_summary");
    let progress = first.notes.recv_timeout(PATIENCE).expect("its progress is shown");
    assert!(progress.starts_with("order_summary: ") && progress.contains(" events, "), "{progress}");
    assert_eq!(shop.projection("order_summary")["rebuild"]["generation"], 2);
    // One that is to be another one is refused; one that is to be the same shows the same.
    shop.refused("projections rebuild order_summary --from 1", 1, "ALREADY_REBUILDING");
    shop.refused("projections rebuild order_summary product_sales", 1, "ALREADY_REBUILDING");
    shop.refused("projections rollback order_summary", 1, "ALREADY_REBUILDING");
    let second = Running::start(&shop, "projections rebuild order_summary");
    second.notes.recv_timeout(PATIENCE).expect("its progress is shown");
    let (status, complaint) = first.interrupted().await;
    assert_eq!(status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("error[REBUILD_GOES_ON]: the rebuild of order_summary goes on"), "{complaint}");
    drop(traffic);
    let done = format!("order_summary serves generation 2: {} events in ", ORDERS + 1);
    assert!(second.next().starts_with(&done));
    assert_eq!(shop.projection("order_summary")["generation"], 2);

    if is_cluster() {
        // A command leaves the work to those who work.
        return;
    }
    // Without a server it ends with the command; what serves is as it was.
    shop.stop().await;
    let mut alone = Running::start(&shop, "projections rebuild order_summary");
    alone.notes.recv_timeout(PATIENCE).expect("its progress is shown");
    let (status, complaint) = alone.interrupted().await;
    assert_eq!(status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("error[REBUILD_UNFINISHED]: the rebuild of order_summary "), "{complaint}");
    shop.start().await;
    let again = shop.run("projections rebuild order_summary").ok();
    // Whether the one that was interrupted had come to have a number is a matter of moments.
    assert!(again.starts_with("order_summary serves generation "), "{again}");
}

#[tokio::test]
async fn a_watch_prints_a_line_for_each_change_and_ends_well() {
    let data = temp_dir();
    let mut shop = Shop { data, server: None, asks: true };
    shop.start().await;
    let mut watch = Running::start(&shop, "projections watch order_summary");
    let line = watch.next();
    // A cluster's log begins with what others have written.
    let is_well = line.starts_with("order_summary RUNNING at ") && line.contains(", not behind, 0/s");
    assert!(is_well && (is_cluster() || line.contains(" at 0 of 0,")), "{line}");
    shop.run("projections pause order_summary --reason tea").ok();
    let mut line = watch.next();
    // That somebody ordered it may be seen before it stands still: the order is in the log, too.
    while line.starts_with("order_summary RUNNING at ") {
        line = watch.next();
    }
    assert!(line.starts_with("order_summary PAUSED at ") && line.ends_with(": tea"), "{line}");
    let mut json = Running::start(&shop, "projections watch order_summary --json");
    let seen: Value = serde_json::from_str(&json.next()).expect("JSON");
    assert_eq!(seen["state"], "PAUSED");
    for watch in [&mut watch, &mut json] {
        let (status, complaint) = watch.interrupted().await;
        assert_eq!((status.code(), complaint.as_str()), (Some(0), ""));
    }
    shop.refused("projections watch order_sumary", 2, "UNKNOWN_PROJECTION");
}
