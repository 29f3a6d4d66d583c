//! Faults of the world around: a directory in use, wrong settings, a full disk, a failing fsync, a poisoned event.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tests::{
    binary::millrace,
    client::{Answer, Client},
    events_db,
    faults::{SmallDisk, failing_fsync, skip},
    log::{LoggedEvent, assert_whole, position_of},
    server::{Server, Start, eventually, temp_dir},
    shop::{self, ORDER, ORDER_PLACE, ORDER_SHIP, order_input},
};
use tokio::task::JoinSet;
use uuid::Uuid;

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let mut server = Server::start().await;
    let second = server.millrace(&["--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("error[DATA_DIR_IN_USE]"), "{second:?}");
    assert!(second.stderr.contains(&format!("process {}", server.pid)), "it names the other one: {second:?}");
    assert!(server.is_alive());
    shop::register(&server.operator(), "TEA-1").await;
}

#[test]
fn development_mode_serves_this_machine_only() {
    let data = temp_dir();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let ran = millrace(["--listen".as_ref(), address.as_ref(), "--data-dir".as_ref(), data.path().as_os_str()]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("error[CONFIG_NOT_LOOPBACK]") && ran.stderr.contains(address), "{ran:?}");
        assert!(ran.stdout.is_empty(), "it served: {ran:?}");
    }
}

#[test]
fn a_misspelt_setting_is_refused_with_the_nearest_name() {
    let folder = temp_dir();
    let file = folder.path().join("settings.toml");
    for (text, wrong, nearest) in [
        ("lisen = \"127.0.0.1:0\"", "lisen", "listen"),
        ("[limits]\nbody_byte = 1", "body_byte", "body_bytes"),
        ("[limits.ws]\nping_intervall_ms = 1", "ping_intervall_ms", "ping_interval_ms"),
    ] {
        fs::write(&file, text).expect("a file");
        let ran = millrace(["config".as_ref(), "--config".as_ref(), file.as_os_str()]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(wrong) && ran.stderr.contains(nearest), "{ran:?}");
        assert!(ran.stderr.contains("settings.toml"), "it says where: {ran:?}");
    }
}

/// Every order that was acknowledged is in the log, at its position, and the log is whole.
#[track_caller]
fn assert_all_there(log: &[LoggedEvent], acked: &[(String, String)]) {
    assert_whole(log);
    for (order, position) in acked {
        let at = usize::try_from(position_of(position)).expect("a small number");
        let event = log.get(at - 1).unwrap_or_else(|| panic!("lost: {order}"));
        assert_eq!((&event.object(), event.kind.as_str()), (order, "order.placed.v2"));
    }
}

/// Several customers place orders until each is refused, with one of these codes and as something to be tried again.
/// Gives id and position of what was acknowledged.
async fn place_until_refused(server: &Server, product: &str, codes: &[&str]) -> Vec<(String, String)> {
    const CUSTOMERS: usize = 8;
    let mut tasks = JoinSet::new();
    for number in 0..CUSTOMERS {
        let customer = server.customer(&format!("customer-{number}"));
        let input = json!({ "input": order_input(product, 1) });
        tasks.spawn(async move {
            let mut acked = Vec::new();
            loop {
                let answer = customer.graphql(ORDER_PLACE, input.clone()).await;
                if answer.error_code().is_some() {
                    return (acked, answer);
                }
                answer.done("orderPlace");
                acked.push((answer.text("/orderPlace/order/id"), answer.text("/orderPlace/position")));
            }
        });
    }
    let mut all = Vec::new();
    for (acked, refusal) in tasks.join_all().await {
        assert_refused(&refusal, codes);
        all.extend(acked);
    }
    all
}

#[track_caller]
fn assert_refused(answer: &Answer, codes: &[&str]) {
    assert!(answer.error_code().is_some_and(|code| codes.contains(&code)), "{codes:?} expected: {answer}");
    assert_eq!(answer.body["errors"][0]["extensions"]["retryable"], true, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_serves_reads_and_goes_on_when_there_is_room() {
    const FILLER: &str = "filler";
    let disk = match SmallDisk::mount(8) {
        Ok(disk) => disk,
        Err(why) => return skip("a_full_disk_refuses_writes_serves_reads_and_goes_on_when_there_is_room", &why),
    };
    disk.fill(FILLER, 4 * 1024 * 1024);
    let data = disk.path().join("data");
    let start = || Start { wrapper: disk.wrapper(), ..Start::default() };
    let mut server = Server::start_in(&data, start()).await;
    let operator = server.operator();
    let tea = shop::register(&operator, "TEA-1").await;
    let mut acked = place_until_refused(&server, &tea.id, &["STORAGE_FULL"]).await;
    assert!(acked.len() > 10, "the disk was full too early: {}", acked.len());

    // Everything that was acknowledged is there, and reads go on. Asking again is refused again, not worse.
    assert_all_there(&server.events(0), &acked);
    assert_eq!(operator.graphql(ORDER, json!({ "id": acked[0].0 })).await.get("/order/id"), &json!(acked[0].0));
    let again = operator.graphql(ORDER_PLACE, json!({ "input": order_input(&tea.id, 1) })).await;
    assert_refused(&again, &["STORAGE_FULL"]);
    assert!(server.is_alive());

    // With room again it goes on by itself; the read models catch up.
    disk.free(FILLER);
    let order = eventually("orders are taken again", async || {
        let answer = operator.graphql(ORDER_PLACE, json!({ "input": order_input(&tea.id, 1) })).await;
        if answer.error_code().is_some() {
            assert_refused(&answer, &["STORAGE_FULL"]);
            return None;
        }
        answer.done("orderPlace");
        Some((answer.text("/orderPlace/order/id"), answer.text("/orderPlace/position")))
    })
    .await;
    let seen = eventually("the read model has caught up", async || {
        let answer = operator.graphql(ORDER, json!({ "id": order.0, "minPosition": order.1 })).await;
        answer.error_code().is_none().then(|| answer.text("/order/id"))
    })
    .await;
    assert_eq!(seen, order.0);
    acked.push(order);
    let before = server.events(0);
    assert_all_there(&before, &acked);
    server.stop().await;
    let server = Server::start_in(&data, start()).await;
    assert_eq!(server.events(0), before, "the restart changed the log");
    let head = tests::log::position_token(before.len() as u64);
    let rows = shop::all_orders(&operator.at(&server.url), &head).await;
    assert!(rows == tests::log::fold_orders(&before), "the read model is not what the log says");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_fsync_stops_the_writer_for_good_and_nothing_else() {
    const NTH: u32 = 12;
    let folder = temp_dir();
    let data = folder.path().join("data");
    let log = folder.path().join("strace.log");
    let wrapper = match failing_fsync(&data.join("events.db-wal"), NTH, &log) {
        Ok(wrapper) => wrapper,
        Err(why) => return skip("a_failed_fsync_stops_the_writer_for_good_and_nothing_else", &why),
    };
    let server = Server::start_in(&data, Start::default()).await;
    let tea = shop::register(&server.operator(), "TEA-1").await;
    server.stop().await;

    // One fsync fails; whatever comes after it would succeed again.
    let environment = vec![("MILLRACE_EXECUTOR__OUTCOME_WAIT_MS".to_owned(), "200".to_owned())];
    let mut server = Server::start_in(&data, Start { environment, wrapper, ..Start::default() }).await;
    let operator = server.operator();
    let acked = place_until_refused(&server, &tea.id, &["OUTCOME_UNKNOWN", "STORE_UNAVAILABLE"]).await;
    let trace = fs::read_to_string(&log).expect("strace writes its log");
    assert_eq!(trace.matches("(INJECTED)").count(), 1, "the fault did not happen:\n{trace}");
    assert!(!acked.is_empty(), "the fault came too early");
    for _ in 0..3 {
        let answer = operator.graphql(ORDER_PLACE, json!({ "input": order_input(&tea.id, 1) })).await;
        assert_refused(&answer, &["STORE_UNAVAILABLE"]);
    }
    assert!(server.is_alive());
    for (order, _) in &acked {
        assert_eq!(operator.graphql(ORDER, json!({ "id": order })).await.get("/order/id"), &json!(order));
    }
    // Not even a good end is hindered.
    server.stop().await;

    let server = Server::start_in(&data, Start::default()).await;
    assert_all_there(&server.events(0), &acked);
    shop::place(&operator.at(&server.url), &tea.id).await;
}

const PROJECTION: &str = "query P($name: String!) { projection(name: $name) {
    state lagEvents parkedKeys parkedEvents firstParked { key number error attempts } } }";

const PARKED_RETRY: &str = "mutation R($input: ParkedEventRetryInput!) { parkedEventRetry(input: $input) {
    userErrors { code } } }";

const BEHIND: &str = "query B($id: ID!, $minPosition: Position) { order(id: $id, minPosition: $minPosition) {
    status behind { number error } } }";

async fn projection(operator: &Client, name: &str) -> Value {
    operator.graphql(PROJECTION, json!({ "name": name })).await.get("/projection").clone()
}

#[tokio::test]
async fn a_poisoned_event_parks_its_order_alone_and_everybody_is_told() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let poisoned = shop::place(&alice, &tea.id).await;
    let other = shop::place(&alice, &tea.id).await;
    let key = server.events(server.position(1))[0].data["order"].clone();
    server.stop().await;
    // An event that says it was shipped, but not in words that anybody understands.
    let broken = format!("{{\"broken\":\"{}\"}}", "x".repeat(100));
    let order: Uuid = serde_json::from_value(key.clone()).expect("an order's id");
    events_db::write(&data.path().join("events.db"), |db| {
        db.append("order", order, "order.shipped.v1", &broken);
    });

    // Whoever waits for what cannot come would wait for a minute.
    let environment = vec![("MILLRACE_LIMITS__MIN_POSITION_WAIT_MS".to_owned(), "60000".to_owned())];
    let server = Server::start_in(data.path(), Start { environment, ..Start::default() }).await;
    let (operator, alice) = (operator.at(&server.url), alice.at(&server.url));
    let status = eventually("the order is parked", async || {
        let status = projection(&operator, "order_summary").await;
        (status["parkedKeys"] == 1).then_some(status)
    })
    .await;
    assert_eq!((&status["state"], &status["parkedEvents"]), (&json!("RUNNING"), &json!(1)));
    let fourth = server.position(4);
    assert_eq!(status["firstParked"]["number"], fourth);
    let error = status["firstParked"]["error"].as_str().expect("an error");
    assert!(error.contains("does not decode"), "{status}");
    assert!(server.stderr().contains("projection order_summary parked key"), "the log says so too");

    // Everything else goes on: other projections, commands, and other orders of the same projection.
    let coffee = shop::register(&operator, "COFFEE-1").await;
    let query = "query($sku: String, $p: Position) { product(sku: $sku, minPosition: $p) { id } }";
    let answer = operator.graphql(query, json!({ "sku": "COFFEE-1", "p": coffee.position })).await;
    assert_eq!(answer.get("/product/id"), &json!(coffee.id));
    let placed = shop::place(&alice, &coffee.id).await;
    let shipped = shop::ship(&operator, &other.id).await;
    let later = |id: &str| json!({ "id": id, "minPosition": shipped.position });
    assert_eq!(alice.graphql(BEHIND, later(&other.id)).await.get("/order/status"), "SHIPPED");
    // The parked order is as it was and says so; whoever wants to see more than that is told.
    let behind = alice.graphql(BEHIND, json!({ "id": poisoned.id })).await;
    assert_eq!((behind.get("/order/status"), behind.get("/order/behind/number")), (&json!("PLACED"), &json!(fourth)));
    assert_eq!(behind.get("/order/behind/error"), &Value::Null, "what went wrong is the operators' business");
    let answer = tokio::time::timeout(Duration::from_secs(20), alice.graphql(BEHIND, later(&poisoned.id))).await;
    answer.expect("it does not wait for what cannot come").expect_error(200, "READ_MODEL_BEHIND");
    // The order itself cannot be decided about; that is a failure of ours, with nothing of the inside in it.
    let answer = operator.graphql(ORDER_SHIP, json!({ "input": { "id": poisoned.id } })).await;
    answer.expect_error(200, "INTERNAL");
    assert!(!answer.to_string().contains("broken"), "{answer}");
    let metrics = reqwest::get(format!("{}/metrics", server.url)).await.expect("metrics").text().await.expect("text");
    assert!(metrics.contains("millrace_projection_parked_keys{projection=\"order_summary\"} 1"), "{metrics}");

    // A rebuild meets the same event, parks it again and serves all the same.
    let rebuild = server.millrace(&["rebuild", "order_summary"]);
    assert_eq!(rebuild.code, 0, "{rebuild:?}");
    assert_eq!(projection(&operator, "order_summary").await["parkedKeys"], 1);
    assert_eq!(alice.graphql(ORDER, json!({ "id": other.id })).await.get("/order/status"), "SHIPPED");
    server.stop().await;

    // Once the event can be applied, the next try releases the order: one of the projection itself, or, when it has tried often
    // enough, the operator's.
    let mended = json!({ "order": key, "tracking": null, "at": "2026-01-01T00:00:00Z" });
    events_db::write(&data.path().join("events.db"), |db| db.replace_nth(4, &mended.to_string()));
    let server = Server::start_in(data.path(), Start::default()).await;
    let operator = operator.at(&server.url);
    eventually("nothing is parked any more", async || {
        if projection(&operator, "order_summary").await["parkedKeys"] == 0 {
            return Some(());
        }
        // Refused when it was released in between, and while nobody has the projection yet.
        operator.graphql(PARKED_RETRY, json!({ "input": { "projection": "order_summary" } })).await;
        None
    })
    .await;
    let rows = shop::all_orders(&operator, &shipped.position).await;
    let seen = [&poisoned.id, &other.id, &placed.id].map(|id| rows[id]["status"].clone());
    assert_eq!(seen, [json!("SHIPPED"), json!("SHIPPED"), json!("PLACED")]);
}
