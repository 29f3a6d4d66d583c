//! Clients as they should be: they send a command again, with the same key, until they know what became of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    log::{position_of, position_token},
    random::Random,
    shop::{self, ORDER_CANCEL, ORDER_PLACE, order_input},
};

use super::subscriber::Told;

/// The pause between two commands of a client.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a command is sent again and again: longer than any fault lasts, and what comes after it.
const INSIST_MAX: Duration = Duration::from_secs(60);
/// The pause before a command is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What an acknowledgement said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acked {
    pub(super) order: String,
    version: u64,
    pub(super) position: u64,
}

impl Acked {
    /// What subscribers must be told of it.
    pub(super) fn told(&self) -> Told {
        Told { position: self.position, order: self.order.clone(), version: self.version }
    }
}

/// What all clients know.
#[derive(Clone, Debug, Default)]
pub(super) struct Load(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    acked: BTreeMap<String, Acked>,
    repeats: u64,
    errors: BTreeMap<String, u64>,
}

impl Load {
    /// What each command was answered with.
    pub(super) fn acked(&self) -> BTreeMap<String, Acked> {
        self.0.lock().expect("nobody panics").acked.clone()
    }

    /// How many commands had taken effect when they were sent again.
    pub(super) fn repeats(&self) -> u64 {
        self.0.lock().expect("nobody panics").repeats
    }

    /// What else clients were told, and how often.
    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        self.0.lock().expect("nobody panics").errors.clone()
    }

    fn acknowledge(&self, key: &str, answer: &Answer, mutation: &str) -> Acked {
        let payload = answer.done(mutation);
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("incomplete: {answer}")).to_owned();
        let acked = Acked {
            order: text(&payload["order"]["id"]),
            version: payload["order"]["version"].as_u64().unwrap_or_else(|| panic!("no version: {answer}")),
            position: position_of(&text(&payload["position"])),
        };
        let mut known = self.0.lock().expect("nobody panics");
        known.repeats += u64::from(payload["isRepeat"] == true);
        assert_eq!(known.acked.insert(key.to_owned(), acked.clone()), None, "a command is sent until it is answered");
        acked
    }

    fn failed(&self, code: &str) {
        *self.0.lock().expect("nobody panics").errors.entry(code.to_owned()).or_default() += 1;
    }
}

/// Places orders and cancels some, until it is told to stop.
pub(super) async fn shop_until(
    stop: Arc<AtomicBool>,
    number: usize,
    servers: Vec<Client>,
    product: String,
    load: Load,
    mut random: Random,
) {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let key = format!("{number}/{count}");
        let placed = insist_on_order(&key, &product, &servers, &load, &mut random).await;
        if random.below(3) == 0 {
            let key = format!("cancel/{key}");
            let input = json!({ "input": { "id": placed.order, "idempotencyKey": key } });
            let answer = insist(ORDER_CANCEL, &input, &servers, &load, &mut random).await;
            let cancelled = load.acknowledge(&key, &answer, "orderCancel");
            assert_eq!((&cancelled.order, cancelled.version), (&placed.order, 1));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Places an order at one of these servers, until it is acknowledged.
pub(super) async fn insist_on_order(
    key: &str,
    product: &str,
    servers: &[Client],
    load: &Load,
    random: &mut Random,
) -> Acked {
    let input = json!({ "input": { "lines": order_input(product, 1)["lines"], "idempotencyKey": key } });
    let answer = insist(ORDER_PLACE, &input, servers, load, random).await;
    load.acknowledge(key, &answer, "orderPlace")
}

/// Reads an order at the position of its acknowledgement, until the read model has got there.
pub(super) async fn read_at(server: &Client, acked: &Acked, load: &Load) {
    let variables = json!({ "id": acked.order, "minPosition": position_token(acked.position) });
    let answer = insist(shop::ORDER, &variables, std::slice::from_ref(server), load, &mut Random::new(0)).await;
    assert_eq!(answer.get("/order/id"), &json!(acked.order));
}

/// Asks until there is an answer. Whatever else is said must be something to be tried again.
async fn insist(document: &str, variables: &Value, servers: &[Client], load: &Load, random: &mut Random) -> Answer {
    let began = Instant::now();
    loop {
        let server = &servers[random.index(servers.len())];
        match server.try_graphql(document, variables.clone()).await {
            Ok(answer) if answer.error_code().is_none() => return answer,
            Ok(answer) => {
                assert_eq!(answer.body.pointer("/errors/0/extensions/retryable"), Some(&json!(true)), "{answer}");
                load.failed(answer.error_code().unwrap_or_default());
            }
            Err(_) => load.failed("no connection"),
        }
        assert!(began.elapsed() < INSIST_MAX, "nobody answers {document}");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
