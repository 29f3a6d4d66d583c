//! Several processes of the real binary on one event store and one database: what one writes all others serve and tell,
//! and whichever of them is lost or stands still, nothing else is.
//!
//! `MILLRACE_CLUSTER_SECONDS` says how long processes are killed at random (15), `MILLRACE_CLUSTER_FREEZES` how often a
//! worker stands still beyond its lease (4), `MILLRACE_CLUSTER_SEED` repeats a schedule.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    binary,
    client::{Client, UserError},
    cluster::{Cluster, LEASE_MS},
    esdb::{Double, Options},
    faults::say,
    log::{position_of, position_token},
    random::Random,
    server::{PATIENCE, Server, eventually, send_signal, temp_dir},
    shop::{self, ORDER_CANCEL, ORDER_PLACE, ORDER_SHIP, order_input},
    updates::{ORDERS_UPDATES, Update},
};
use tokio::task::JoinSet;

const CLIENTS: usize = 6;
/// A takeover comes within the lease and two seconds.
const TAKEOVER: Duration = Duration::from_millis(LEASE_MS + 2_000);

fn number(name: &str, default: u64) -> u64 {
    binary::variable(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_writes_all_others_serve_and_tell() {
    let cluster = Cluster::new().await;
    let (worker, second) = tokio::join!(cluster.worker("w1"), cluster.worker("w2"));
    let (one, two) = tokio::join!(cluster.api("a1"), cluster.api("a2"));
    let tea = shop::register(&one.operator(), "TEA-1").await;
    let mut socket = two.operator().web_socket().await;
    socket.subscribe("1", ORDERS_UPDATES, json!({ "after": position_token(0) })).await;
    assert_eq!(socket.next_summaries(1).await, ["CAUGHT UP"]);

    let alice = |server: &Server| server.customer("alice");
    let input = json!({ "lines": order_input(&tea.id, 1)["lines"], "idempotencyKey": "first" });
    let placed = alice(&one).graphql(ORDER_PLACE, json!({ "input": input })).await;
    let again = alice(&two).graphql(ORDER_PLACE, json!({ "input": input })).await;
    assert_eq!(again.get("/orderPlace/isRepeat"), true);
    assert_eq!(again.get("/orderPlace/order/id"), placed.get("/orderPlace/order/id"));
    let (id, position) = (placed.text("/orderPlace/order/id"), placed.text("/orderPlace/position"));
    let seen = alice(&two).graphql(shop::ORDER, json!({ "id": id, "minPosition": position })).await;
    assert_eq!(seen.get("/order/status"), "PLACED");
    assert_eq!(socket.next_summaries(1).await, ["PLACED 0"]);

    // A number inside an event is no position: it is not guessed which one was meant.
    let inside = position_token(position_of(&position) - 1);
    let mut refused = one.operator().web_socket().await;
    refused.subscribe("1", ORDERS_UPDATES, json!({ "after": inside })).await;
    assert_eq!(refused.next_error_code().await, "BAD_CURSOR");

    // Each knows only what it has seen of the order itself: the other one's step must not be missed.
    let shipped = two.operator().graphql(ORDER_SHIP, json!({ "input": { "id": id } })).await;
    shipped.done("orderShip");
    let late = alice(&one).graphql(ORDER_CANCEL, json!({ "input": { "id": id } })).await;
    assert_eq!(late.user_errors("orderCancel").len(), 1, "it has left the house: {late}");
    assert_eq!(socket.next_summaries(1).await, ["SHIPPED 1"]);

    let listed = cluster.millrace(&["projections", "list"]).ok();
    assert!(listed.contains("order_summary"), "{listed}");
    for server in [one, two, worker, second] {
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_whose_event_store_is_set_back_end_and_say_so_even_when_the_log_has_grown_since() {
    let cluster = Cluster::new().await;
    let (worker, api) = tokio::join!(cluster.worker("w1"), cluster.api("a1"));
    let tea = shop::register(&api.operator(), "TEA-1").await;
    let alice = api.customer("alice");
    let placed = async || {
        eventually("an order is placed", async || {
            let answer = alice.graphql(ORDER_PLACE, json!({ "input": order_input(&tea.id, 1) })).await;
            answer.error_code().is_none().then(|| answer.done("orderPlace").clone())
        })
        .await
    };
    placed().await;
    let backup = cluster.double.database().backup().await;
    placed().await;
    placed().await;
    let marked = "SELECT position FROM projection_origin WHERE id = 2";
    eventually("the processes remember how far the log is", async || {
        let head = api.operator().graphql("{ projection(name: \"order_summary\") { headNumber } }", json!({})).await;
        let head = head.get("/projection/headNumber").to_string();
        (cluster.schema.run(marked).await == [head]).then_some(())
    })
    .await;

    cluster.double.kill().await;
    let options = Options { port: cluster.double.address().port(), ..Options::default() };
    let restored = Double::start(backup, options).await;
    // It takes a moment to be noticed. What is written meanwhile makes the log longer than it was.
    for _ in 0..4 {
        placed().await;
    }
    for process in [worker, api] {
        let (status, said) = process.ended().await;
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("READ_STORE_AHEAD") && said.contains("set back to an older copy"), "{said}");
    }
    let refused = Server::try_start_in(&temp_dir().path().join("data"), cluster.start("serve", "a2")).await;
    let refused = refused.expect_err("the log has lost what the read models have seen");
    assert!(refused.stderr.contains("READ_STORE_AHEAD"), "{}", refused.stderr);
    drop(restored);
}

/// What the clients know.
#[derive(Debug, Default)]
struct Journal {
    /// The order that each key was answered with.
    acked: BTreeMap<String, String>,
    /// Commands that took effect on a resend.
    repeats: u64,
    errors: BTreeMap<String, u64>,
}

/// Places orders, and cancels some, at whichever server is there; sends each again until it is acknowledged.
async fn shop_until(
    stop: Arc<AtomicBool>,
    number: usize,
    servers: Arc<Mutex<Vec<Client>>>,
    product: String,
    journal: Arc<Mutex<Journal>>,
    mut random: Random,
) {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let key = format!("{number}/{count}");
        let input = json!({ "lines": order_input(&product, 1)["lines"], "idempotencyKey": key });
        let answer = insist(ORDER_PLACE, &input, &servers, &journal, &mut random).await;
        let order = answer.text("/orderPlace/order/id");
        if answer.get("/orderPlace/isRepeat") == true {
            journal.lock().expect("nobody panics").repeats += 1;
        }
        let known = journal.lock().expect("nobody panics").acked.insert(key.clone(), order.clone());
        assert_eq!(known, None);
        if random.below(3) == 0 {
            let input = json!({ "id": order, "idempotencyKey": format!("cancel/{key}") });
            let answer = insist(ORDER_CANCEL, &input, &servers, &journal, &mut random).await;
            assert_eq!(answer.user_errors("orderCancel"), [], "{answer}");
        }
    }
}

async fn insist(
    mutation: &str,
    input: &serde_json::Value,
    servers: &Mutex<Vec<Client>>,
    journal: &Mutex<Journal>,
    random: &mut Random,
) -> tests::client::Answer {
    let began = Instant::now();
    loop {
        let server = {
            let servers = servers.lock().expect("nobody panics");
            servers[random.index(servers.len())].clone()
        };
        let error = match server.try_graphql(mutation, json!({ "input": input })).await {
            Ok(answer) if answer.error_code().is_none() => return answer,
            Ok(answer) => {
                let code = answer.error_code().unwrap_or_default().to_owned();
                assert_eq!(answer.body.pointer("/errors/0/extensions/retryable"), Some(&json!(true)), "{answer}");
                code
            }
            Err(_) => "no connection".to_owned(),
        };
        *journal.lock().expect("nobody panics").errors.entry(error).or_default() += 1;
        assert!(began.elapsed() < PATIENCE, "nobody answers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_killed_at_random_under_load_take_nothing_with_them() {
    let seed = Random::seed("MILLRACE_CLUSTER_SEED");
    let seconds = number("MILLRACE_CLUSTER_SECONDS", 15);
    say(&format!("crash test: cluster, {seconds} s, MILLRACE_CLUSTER_SEED={seed}"));
    let mut random = Random::new(seed);
    let cluster = Cluster::new().await;
    let (w0, w1) = tokio::join!(cluster.worker("w0"), cluster.worker("w1"));
    let mut workers = vec![w0, w1];
    let (survivor, other) = tokio::join!(cluster.api("a0"), cluster.api("a1"));
    let mut other = Some(other);
    let product = shop::register(&survivor.operator(), "TEA-1").await;
    let mut socket = survivor.operator().web_socket().await;
    socket.subscribe("1", ORDERS_UPDATES, json!({ "after": position_token(0) })).await;
    assert_eq!(socket.next_summaries(1).await, ["CAUGHT UP"]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut listener = JoinSet::new();
    listener.spawn({
        let heard = Arc::clone(&heard);
        async move {
            loop {
                let update = socket.next_update().await;
                heard.lock().expect("nobody panics").push(update);
            }
        }
    });
    let alice = |server: &Server| server.customer("alice");
    let servers = Arc::new(Mutex::new(vec![alice(&survivor), alice(other.as_ref().expect("it is there"))]));
    let (stop, journal) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Journal::default())));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (stop, servers, journal) = (Arc::clone(&stop), Arc::clone(&servers), Arc::clone(&journal));
        clients.spawn(shop_until(stop, number, servers, product.id.clone(), journal, random.fork()));
    }
    let (began, mut kills, mut next) = (Instant::now(), [0_u32; 2], 2_u32);
    // Until one of each kind was killed, however long a machine without breath takes for that.
    while began.elapsed() < Duration::from_secs(seconds) || kills.contains(&0) {
        tokio::time::sleep(Duration::from_millis(300 + random.below(1_500))).await;
        next += 1;
        let is_worker = match kills {
            // One of each kind at least, however few rounds there are.
            [0, others] if others > 0 => true,
            [others, 0] if others > 0 => false,
            [_, _] => random.below(2) == 0,
        };
        if is_worker {
            let dies = random.index(workers.len());
            workers.swap_remove(dies).kill9();
            workers.push(cluster.worker(&format!("w{next}")).await);
            kills[0] += 1;
        } else if let Some(dies) = other.take() {
            dies.kill9();
            kills[1] += 1;
            let new = cluster.api(&format!("a{next}")).await;
            *servers.lock().expect("nobody panics") = vec![alice(&survivor), alice(&new)];
            other = Some(new);
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client came to its end");
    }
    let journal = Arc::into_inner(journal).expect("everybody has left").into_inner().expect("nobody panicked");
    let last = shop::place(&alice(&survivor), &product.id).await;
    let orders = shop::all_orders(&survivor.operator(), &last.position).await;
    let mut acked: BTreeSet<&String> = journal.acked.values().collect();
    assert_eq!(acked.len(), journal.acked.len(), "two keys have the same order");
    acked.insert(&last.id);
    let there: BTreeSet<&String> = orders.keys().collect();
    assert_eq!(there, acked, "every acknowledged order is there, and no other");
    let total: usize = orders
        .values()
        .map(|order| usize::try_from(order["version"].as_u64().expect("a version")).expect("small") + 1)
        .sum();
    eventually("everything is told", async || (heard.lock().expect("nobody panics").len() >= total).then_some(()))
        .await;
    listener.shutdown().await;
    let heard = std::mem::take(&mut *heard.lock().expect("nobody panics"));
    let mut versions: BTreeMap<&String, u64> = BTreeMap::new();
    for update in &heard {
        let Update::Changed { order, version, .. } = update else {
            panic!("a subscriber of a survivor heard {update:?}")
        };
        let expected = versions.entry(order).or_default();
        assert_eq!(*version, *expected, "{order}: each change once and in order");
        *expected += 1;
    }
    assert_eq!(heard.len(), total);
    assert!(heard.windows(2).all(|pair| pair[0].position() < pair[1].position()), "in the order of the log");
    for name in projections::names() {
        verify(&survivor.operator(), name).await;
    }
    say(&format!(
        "crash test: cluster, {} workers and {} APIs killed, {} orders, {} recognised on resend, {:?}",
        kills[0],
        kills[1],
        orders.len(),
        journal.repeats,
        journal.errors
    ));
}

/// Every row is what its events make of it.
pub(crate) async fn verify(operator: &Client, name: &str) {
    let mutation = "mutation V($input: ProjectionVerifyInput!) { projectionVerify(input: $input) {
        report { rows isRight differences { key stored folded } } userErrors { code message field } } }";
    let began = Instant::now();
    loop {
        let answer = operator.graphql(mutation, json!({ "input": { "name": name } })).await;
        let errors = answer.user_errors("projectionVerify");
        // A machine without breath may pause for so long in a transaction that the database ends it.
        let is_away =
            |error: &UserError| error.code == "NOT_VERIFIED" && error.message.contains("the read store is unavailable");
        if errors.iter().any(|error| ["NO_LEAD", "ALREADY_REBUILDING"].contains(&&*error.code) || is_away(error)) {
            assert!(began.elapsed() < PATIENCE, "{name} is not verified: {errors:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        assert_eq!(answer.done("projectionVerify")["report"]["isRight"], true, "{name}: {answer}");
        return;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_still_beyond_its_lease_writes_nothing_any_more() {
    let freezes = number("MILLRACE_CLUSTER_FREEZES", 4);
    let cluster = Cluster::new().await;
    let (w0, w1) = tokio::join!(cluster.worker("w0"), cluster.worker("w1"));
    let api = cluster.api("api").await;
    let (workers, operator, alice) = ([w0, w1], api.operator(), api.customer("alice"));
    let product = shop::register(&operator, "TEA-1").await;
    let (stop, servers) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(vec![alice.clone()])));
    let journal = Arc::new(Mutex::new(Journal::default()));
    let mut load = JoinSet::new();
    load.spawn(shop_until(
        Arc::clone(&stop),
        0,
        Arc::clone(&servers),
        product.id.clone(),
        Arc::clone(&journal),
        Random::new(7),
    ));
    let mut longest = Duration::ZERO;
    for round in 0..freezes {
        let frozen = &workers[usize::try_from(round % 2).expect("small")];
        assert!(send_signal("STOP", frozen.pid));
        let began = Instant::now();
        // What it holds stands still until the other one has it; then everything moves again.
        let mut is_seen = false;
        while !is_seen || began.elapsed() < TAKEOVER {
            assert!(began.elapsed() < PATIENCE, "nobody has taken over");
            let placed = shop::place(&alice, &product.id).await;
            let (asked, variables) = (Instant::now(), json!({ "id": placed.id, "minPosition": placed.position }));
            is_seen = alice.graphql(shop::ORDER, variables).await.error_code().is_none();
            // Who waits for what nobody writes waits for the lease to end.
            if !is_seen || asked.elapsed() > Duration::from_millis(300) {
                longest = longest.max(began.elapsed());
            }
        }
        assert!(send_signal("CONT", frozen.pid));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    stop.store(true, Ordering::Relaxed);
    load.join_next().await.expect("there is one").expect("the client came to its end");
    let last = shop::place(&alice, &product.id).await;
    shop::all_orders(&operator, &last.position).await;
    for name in projections::names() {
        verify(&operator, name).await;
    }
    say(&format!("crash test: cluster, {freezes} freezes beyond the lease, orders seen late for at most {longest:?}"));
}
