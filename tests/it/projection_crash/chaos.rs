//! Operators who do this and that with projections while customers order, until the server is killed.

use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tests::{
    audit::MODELS,
    binary,
    client::Client,
    log::position_of,
    operations::{Order, Outcome},
    random::Random,
    server::Server,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{cases::keys, load, settle::Promises, world::World};

const KILL_AFTER_MS_MIN: u64 = 5;
const KILL_AFTER_MS_MAX: u64 = 600;
const OPERATORS: usize = 2;
const PAUSE_MS_MAX: u64 = 30;

/// What was done, so that a run in which nothing happened is no success.
#[derive(Clone, Debug, Default)]
pub(super) struct Chaos {
    /// Orders that were carried out.
    pub(super) done: u64,
    /// Orders that made no sense, such as a rebuild beside a rebuild.
    refused: u64,
    /// Orders whose answer never came.
    cut: u64,
    /// Orders of customers.
    orders: u64,
}

impl Chaos {
    /// Lets everybody work with the server, and kills it at some moment.
    pub(super) async fn run_and_kill(
        &mut self,
        server: Server,
        world: &World,
        random: &mut Random,
        promises: &mut Promises,
    ) {
        let mut customers = load::start(&world.people, &server.url, random);
        let shared = Arc::new(Mutex::new((std::mem::take(promises), std::mem::take(self))));
        let mut operators = JoinSet::new();
        for number in 0..OPERATORS {
            let operator = world.people.operator.at(&server.url);
            let material = Material { head: world.log.head(), keys: keys(world, "order", random) };
            // Each has projections of its own, so that what was promised last is clear.
            let names = MODELS.iter().map(|model| model.name).enumerate();
            let names = names.filter(|(index, _)| index % OPERATORS == number).map(|(_, name)| name).collect();
            operators.spawn(operate(operator, names, material, random.fork(), Arc::clone(&shared)));
        }
        let delay = KILL_AFTER_MS_MIN + random.below(KILL_AFTER_MS_MAX - KILL_AFTER_MS_MIN);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        server.kill9();
        while let Some(ended) = operators.join_next().await {
            ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
        (*promises, *self) =
            Arc::into_inner(shared).expect("everybody has gone").into_inner().expect("nobody panicked");
        while let Some(ended) = customers.join_next().await {
            self.orders += ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
    }
}

/// What orders are made from.
#[derive(Clone, Debug)]
struct Material {
    head: u64,
    keys: Vec<Uuid>,
}

async fn operate(
    operator: Client,
    names: Vec<&'static str>,
    material: Material,
    mut random: Random,
    shared: Arc<Mutex<(Promises, Chaos)>>,
) {
    loop {
        let name = names[random.index(names.len())];
        for order in orders(&operator, name, &material, &mut random).await {
            let locked = || shared.lock().expect("nobody panicked");
            locked().0.is_ordered(name, &order);
            let outcome = order.give(&operator, name).await;
            let mut all = locked();
            all.0.is_answered(name, &order, &outcome);
            match outcome {
                Outcome::Done(_) => all.1.done += 1,
                Outcome::Refused(_) => all.1.refused += 1,
                Outcome::Gone => {
                    all.1.cut += 1;
                    return;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(random.below(PAUSE_MS_MAX))).await;
    }
}

/// What comes into an operator's mind.
async fn orders(operator: &Client, name: &'static str, material: &Material, random: &mut Random) -> Vec<Order> {
    match random.below(16) {
        0..=4 => vec![Order::Rebuild],
        5 | 6 => vec![Order::RebuildFrom(1 + random.below(material.head))],
        7 | 8 => vec![Order::Rollback],
        9 | 10 => vec![Order::Pause, Order::Resume],
        11 => vec![Order::Pause, Order::Rebuild, Order::Resume],
        12 => vec![Order::Repair(material.keys.clone())],
        13 => vec![Order::Verify],
        14 => vec![Order::Retry(None)],
        _ => skip(operator, name).await.into_iter().collect(),
    }
}

/// Passes over the first event that waits, if there is one.
async fn skip(operator: &Client, name: &str) -> Option<Order> {
    let query =
        format!("{{ parkedEvents(first: 1, projection: {name:?}, state: FAILED) {{ nodes {{ key position }} }} }}");
    let answer = operator.try_graphql(&query, Value::Null).await.ok()?;
    let node = answer.get("/parkedEvents/nodes").get(0)?;
    let key = node["key"].as_str()?.parse().expect("a UUID");
    Some(Order::Skip(key, position_of(node["position"].as_str()?)))
}

/// Starts a server and kills it, ready or not.
pub(super) async fn kill_while_it_starts(data: &Path, delay: Duration) {
    let mut command =
        binary::command(&[], ["--listen".as_ref(), "127.0.0.1:0".as_ref(), "--data-dir".as_ref(), data.as_os_str()]);
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    tokio::time::sleep(delay).await;
    assert!(server.try_wait().expect("it is our child").is_none(), "it ended by itself");
    server.kill().expect("it runs");
    server.wait().expect("it is our child");
}
