//! Kill -9 under load, again and again on the same data: nothing acknowledged is lost, doubled or partial.
//!
//! Sixteen clients place and change orders while the server is killed at a random moment. What was sent and what was
//! acknowledged stands in a journal outside the server. After each restart the new part of the log is held against the
//! journal, what was in flight is sent again with the same key, and the rows that were touched are held against a fresh
//! fold; at the end everything is, from the first event on.
//!
//! `MILLRACE_CRASH_CYCLES` says how often (100), `MILLRACE_CRASH_SEED` repeats the schedule of an earlier run.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use infrastructure::event_store::{SqliteEventStore, SqliteEventStoreOptions};
use serde_json::{Value, json};
use tests::{
    binary,
    client::{Answer, Client},
    faults::say,
    journal::{Entry, Journal, Step},
    log::{LoggedEvent, Orders, assert_whole, fold_order, fold_orders, position_of, position_token},
    random::Random,
    server::{Server, Start, temp_dir},
    shop::{self, ORDER_CANCEL, ORDER_DELIVER, ORDER_PLACE, ORDER_SHIP, order_input},
};
use tokio::task::JoinSet;

const CYCLES: u64 = 100;
const CLIENTS: usize = 16;
const KILL_AFTER_MS_MIN: u64 = 5;
const KILL_AFTER_MS_MAX: u64 = 700;

/// A command on its way.
#[derive(Clone, Debug)]
struct Command {
    key: String,
    step: Step,
    input: Value,
}

/// What the server said of a command.
#[derive(Clone, Debug)]
struct Acked {
    actor: String,
    step: Step,
    order: String,
    version: u64,
    position: u64,
}

/// One of the clients: a customer, and an operator who looks after this customer's orders only. So every command of
/// theirs is right, whatever the others do.
#[derive(Debug)]
struct Pair {
    customer: (String, Client),
    operator: (String, Client),
    product: String,
    random: Random,
    /// How many commands were made up.
    commands: u64,
    /// What is still to be done with the last order.
    plan: Vec<Step>,
    order: Option<String>,
    /// Sent, and not acknowledged.
    in_flight: Option<Command>,
    /// Acknowledged since the last look.
    acked: Vec<Acked>,
    repeats: u64,
}

impl Pair {
    fn new(server: &Server, number: usize, product: &str, random: Random) -> Self {
        let (customer, operator) = (format!("customer-{number}"), format!("operator-{number}"));
        Self {
            customer: (customer.clone(), server.customer(&customer)),
            operator: (operator.clone(), server.operator_called(&operator)),
            product: product.to_owned(),
            random,
            commands: 0,
            plan: Vec::new(),
            order: None,
            in_flight: None,
            acked: Vec::new(),
            repeats: 0,
        }
    }

    fn moves_to(&mut self, url: &str) {
        self.customer.1 = self.customer.1.at(url);
        self.operator.1 = self.operator.1.at(url);
    }

    /// Who takes this step.
    fn actor(&self, step: Step) -> &(String, Client) {
        match step {
            Step::Place | Step::Cancel => &self.customer,
            Step::Ship | Step::Deliver => &self.operator,
        }
    }

    fn next_command(&mut self) -> Command {
        let step = self.plan.pop().unwrap_or(Step::Place);
        self.commands += 1;
        let key = format!("{}/{}", self.customer.0, self.commands);
        let mut input = match (step, &self.order) {
            (Step::Place, _) => {
                // The last step first.
                self.plan = match self.random.below(4) {
                    0 => vec![],
                    1 => vec![Step::Cancel],
                    2 => vec![Step::Ship],
                    _ => vec![Step::Deliver, Step::Ship],
                };
                let quantity = i64::try_from(1 + self.random.below(9)).expect("a small number");
                order_input(&self.product, quantity)
            }
            (Step::Cancel | Step::Ship | Step::Deliver, Some(order)) => json!({ "id": order }),
            (Step::Cancel | Step::Ship | Step::Deliver, None) => unreachable!("an order is placed first"),
        };
        input["idempotencyKey"] = json!(key);
        Command { key, step, input }
    }

    /// Sends command after command until nobody answers.
    async fn work(&mut self, journal: &Journal) {
        loop {
            let command = self.next_command();
            let actor = self.actor(command.step).0.clone();
            self.in_flight = Some(command.clone());
            journal.write(Entry::Sent { key: command.key.clone(), actor, step: command.step }).await;
            if !self.send(command, journal).await {
                return;
            }
        }
    }

    /// Sends again what was never answered.
    async fn resend(&mut self, journal: &Journal) {
        if let Some(command) = self.in_flight.clone() {
            assert!(self.send(command, journal).await, "a server that is not killed answers");
        }
    }

    /// False if nobody answers.
    async fn send(&mut self, command: Command, journal: &Journal) -> bool {
        let (mutation, document) = match command.step {
            Step::Place => ("orderPlace", ORDER_PLACE),
            Step::Cancel => ("orderCancel", ORDER_CANCEL),
            Step::Ship => ("orderShip", ORDER_SHIP),
            Step::Deliver => ("orderDeliver", ORDER_DELIVER),
        };
        let (actor, client) = self.actor(command.step).clone();
        let Ok(answer) = client.try_graphql(document, json!({ "input": command.input })).await else { return false };
        let acked = acked(&answer, mutation, actor, command.step);
        let (order, version, position) = (acked.order.clone(), acked.version, acked.position);
        journal.write(Entry::Acked { key: command.key, order: order.clone(), version, position }).await;
        self.repeats += u64::from(answer.get(&format!("/{mutation}/isRepeat")) == true);
        self.order = Some(order);
        self.acked.push(acked);
        self.in_flight = None;
        true
    }
}

fn acked(answer: &Answer, mutation: &str, actor: String, step: Step) -> Acked {
    let payload = answer.done(mutation);
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("incomplete: {answer}")).to_owned();
    let version = payload["order"]["version"].as_u64().unwrap_or_else(|| panic!("incomplete: {answer}"));
    Acked {
        actor,
        step,
        order: text(&payload["order"]["id"]),
        version,
        position: position_of(&text(&payload["position"])),
    }
}

/// The whole experiment.
struct Experiment {
    pairs: Vec<Pair>,
    journal: Journal,
    /// The log up to here was held against what was acknowledged.
    checked: u64,
    /// The orders as the checked part of the log leaves them.
    orders: Orders,
    stats: Stats,
}

/// What happened, so that a run without faults is no success.
#[derive(Debug, Default)]
struct Stats {
    acked: u64,
    in_flight: u64,
    /// In flight at a kill, and durable all the same.
    in_flight_durable: u64,
    cycles_with_acks: u64,
    cycles_with_in_flight: u64,
    restart_max: Duration,
}

impl Experiment {
    async fn load_and_kill(&mut self, server: Server, delay: Duration) {
        let mut tasks = JoinSet::new();
        for mut pair in self.pairs.drain(..) {
            let journal = self.journal.clone();
            tasks.spawn(async move {
                pair.work(&journal).await;
                pair
            });
        }
        tokio::time::sleep(delay).await;
        server.kill9();
        self.pairs = tasks.join_all().await;
        let count = |counts: &mut dyn Iterator<Item = usize>| counts.sum::<usize>() as u64;
        let acked = count(&mut self.pairs.iter().map(|pair| pair.acked.len()));
        let in_flight = count(&mut self.pairs.iter().map(|pair| usize::from(pair.in_flight.is_some())));
        self.stats.acked += acked;
        self.stats.in_flight += in_flight;
        self.stats.cycles_with_acks += u64::from(acked > 0);
        self.stats.cycles_with_in_flight += u64::from(in_flight > 0);
    }

    /// Holds the new part of the log against what was acknowledged, settles what was in flight, and holds the read
    /// model against the log.
    async fn check(&mut self, server: &Server) {
        for pair in &mut self.pairs {
            pair.moves_to(&server.url);
        }
        let survived = server.events(self.checked);
        self.check_survived(&survived);
        join_all(self.pairs.iter_mut().map(|pair| pair.resend(&self.journal))).await;

        // Now everything that was ever sent has an answer, and the log holds exactly that.
        let events = server.events(self.checked);
        assert_eq!(events[..survived.len()], survived, "the log changed behind its end");
        let acked = self.pairs.iter_mut().flat_map(|pair| pair.acked.drain(..));
        let mut acked: HashMap<u64, Acked> = acked.map(|acked| (acked.position, acked)).collect();
        for (expected, event) in (self.checked + 1..).zip(&events) {
            assert_eq!(event.position, expected, "a position is missing before {event:?}");
            let acked = acked.remove(&event.position).unwrap_or_else(|| panic!("nobody asked for {event:?}"));
            assert_is(event, &acked);
        }
        assert!(acked.is_empty(), "acknowledged and lost: {acked:?}");
        self.check_rows(&events).await;
        self.checked += events.len() as u64;
    }

    /// Right after a crash: everything acknowledged is there, and of the rest at most what was in flight.
    fn check_survived(&mut self, survived: &[LoggedEvent]) {
        let by_position: HashMap<u64, &LoggedEvent> = survived.iter().map(|event| (event.position, event)).collect();
        let mut unexplained: BTreeSet<u64> = by_position.keys().copied().collect();
        for pair in &self.pairs {
            for acked in &pair.acked {
                let event = by_position.get(&acked.position).unwrap_or_else(|| panic!("lost: {acked:?}"));
                assert_is(event, acked);
                assert!(unexplained.remove(&acked.position), "one event was acknowledged twice: {acked:?}");
            }
        }
        for pair in &self.pairs {
            let Some(command) = &pair.in_flight else { continue };
            let actor = &pair.actor(command.step).0;
            let is_its = |position: &u64| {
                let event = by_position[position];
                event.actor == *actor && event.kind == command.step.event_type()
            };
            let durable: Vec<u64> = unexplained.iter().copied().filter(is_its).collect();
            assert!(durable.len() <= 1, "{command:?} took effect twice");
            for position in durable {
                unexplained.remove(&position);
                self.stats.in_flight_durable += 1;
            }
        }
        assert!(unexplained.is_empty(), "nobody asked for the events at {unexplained:?}");
    }

    /// The rows that the new events touched are as a fold of the log leaves them.
    async fn check_rows(&mut self, events: &[LoggedEvent]) {
        let Some(last) = events.last() else { return };
        for event in events {
            fold_order(&mut self.orders, event);
        }
        let touched: BTreeSet<String> = events.iter().map(LoggedEvent::object).collect();
        let touched: Vec<String> = touched.into_iter().collect();
        let operator = &self.pairs[0].operator.1;
        let rows = shop::orders_by_id(operator, &touched, &position_token(last.position)).await;
        for id in &touched {
            assert_eq!(rows.get(id), self.orders.get(id), "the read model is not what the log says");
        }
    }

    /// Everything, from the first event on: the journal, the log and the read models agree.
    async fn check_all(&self, server: &Server) {
        let log = server.events(0);
        assert_whole(&log);
        let mut sent: HashMap<String, (String, Step)> = HashMap::new();
        let mut acked: HashMap<u64, Acked> = HashMap::new();
        for entry in self.journal.read() {
            match entry {
                Entry::Sent { key, actor, step } => {
                    assert!(sent.insert(key, (actor, step)).is_none(), "a key was used twice");
                }
                Entry::Acked { key, order, version, position } => {
                    let (actor, step) = sent.remove(&key).unwrap_or_else(|| panic!("{key} was answered twice"));
                    let entry = Acked { actor, step, order, version, position };
                    assert!(acked.insert(position, entry).is_none(), "two commands are at position {position}");
                }
            }
        }
        assert!(sent.is_empty(), "never answered: {sent:?}");
        let events = log.iter().filter(|event| event.stream.starts_with("order-"));
        for event in events.clone() {
            let acked = acked.remove(&event.position).unwrap_or_else(|| panic!("nobody asked for {event:?}"));
            assert_is(event, &acked);
        }
        assert!(acked.is_empty(), "acknowledged and lost: {acked:?}");

        let fold = fold_orders(events);
        let operator = &self.pairs[0].operator.1;
        let head = position_token(log.last().expect("there are events").position);
        assert!(shop::all_orders(operator, &head).await == fold, "the read model is not what the log says");
        let sold = fold.values().filter(|order| order["status"] != "CANCELLED");
        let units: u64 = sold.clone().filter_map(|order| order["lines"][0]["quantity"].as_u64()).sum();
        let query = "query($id: ID!) { product(id: $id) { sales { units orders } } }";
        let answer = operator.graphql(query, json!({ "id": self.pairs[0].product })).await;
        assert_eq!(answer.get("/product/sales"), &json!({ "units": units, "orders": sold.count() }));
        server.millrace(&["rebuild", "order_summary"]).ok();
        assert!(shop::all_orders(operator, &head).await == fold, "the rebuilt read model is not what the log says");
    }
}

/// The event is what was acknowledged.
#[track_caller]
fn assert_is(event: &LoggedEvent, acked: &Acked) {
    let found = (event.kind.as_str(), event.object(), event.revision, event.actor.as_str());
    let wanted = (acked.step.event_type(), acked.order.clone(), acked.version, acked.actor.as_str());
    assert_eq!(found, wanted, "{event:?} is not what was acknowledged");
}

async fn start(data: &Path) -> Server {
    Server::start_in(data, Start::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_kill_everything_acknowledged_is_there_once_and_nothing_else() {
    let cycles = binary::variable("MILLRACE_CRASH_CYCLES").map_or(CYCLES, |text| text.parse().expect("a number"));
    let seed = Random::seed("MILLRACE_CRASH_SEED");
    say(&format!("crash test: {cycles} cycles, MILLRACE_CRASH_SEED={seed}"));
    let began = Instant::now();
    let mut random = Random::new(seed);
    let (data, outside) = (temp_dir(), temp_dir());

    let mut server = start(data.path()).await;
    let tea = shop::register(&server.operator(), "TEA-1").await;
    let pairs = (0..CLIENTS).map(|number| Pair::new(&server, number, &tea.id, random.fork())).collect();
    let journal = Journal::create(&outside.path().join("journal"));
    let checked = position_of(&tea.position);
    let mut experiment = Experiment { pairs, journal, checked, orders: Orders::new(), stats: Stats::default() };
    for _ in 0..cycles {
        let delay = KILL_AFTER_MS_MIN + random.below(KILL_AFTER_MS_MAX - KILL_AFTER_MS_MIN);
        experiment.load_and_kill(server, Duration::from_millis(delay)).await;
        let restarted = Instant::now();
        server = start(data.path()).await;
        experiment.stats.restart_max = experiment.stats.restart_max.max(restarted.elapsed());
        experiment.check(&server).await;
    }
    experiment.check_all(&server).await;
    server.stop().await;
    let store = SqliteEventStore::open(&data.path().join("events.db"), SqliteEventStoreOptions::default());
    store.expect("the event store opens").verify().await.expect("the event store is whole");

    let stats = &experiment.stats;
    let repeats: u64 = experiment.pairs.iter().map(|pair| pair.repeats).sum();
    let took = began.elapsed();
    say(&format!("crash test: {cycles} cycles in {took:.1?}: {stats:?}, {repeats} repeats recognised"));
    assert_eq!(repeats, stats.in_flight_durable, "what was durable is recognised when it is sent again");
    // A kill that hit nothing proves nothing.
    assert!(stats.cycles_with_acks * 10 >= cycles * 8, "too few kills after something was acknowledged: {stats:?}");
    assert!(stats.cycles_with_in_flight * 10 >= cycles * 8, "too few kills with commands in flight: {stats:?}");
}
