//! Somebody who wants to be told of every change of every order, and who comes back with a cursor whenever the connection
//! is lost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    client::Client,
    log::position_token,
    server::eventually,
    updates::{ORDERS_UPDATES, Update},
    ws::{WsClient, WsMessage},
};
use tokio::task::JoinSet;

/// The pause before a connection is made anew.
const PAUSE: Duration = Duration::from_millis(50);

/// One change of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) position: u64,
    pub(super) order: String,
    pub(super) version: u64,
}

/// What a subscriber has heard.
#[derive(Debug, Default)]
struct Heard {
    told: Vec<Told>,
    /// When it first heard of each order.
    since: HashMap<String, Instant>,
    /// How often it was connected.
    connections: u64,
}

/// A subscriber. Dropped, it leaves.
#[derive(Debug)]
pub(super) struct Subscriber {
    heard: Arc<Mutex<Heard>>,
    _task: JoinSet<()>,
}

impl Subscriber {
    /// Begins at the beginning.
    pub(super) fn start(client: Client) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let mut task = JoinSet::new();
        task.spawn(listen(client, Arc::clone(&heard)));
        Self { heard, _task: task }
    }

    /// Waits until it is connected.
    pub(super) async fn is_there(&self) {
        eventually("a subscriber is connected", async || (lock(&self.heard).connections > 0).then_some(())).await;
    }

    /// When it heard of this order; waits for it.
    pub(super) async fn heard_of(&self, order: &str) -> Instant {
        eventually("a subscriber is told of a new order", async || lock(&self.heard).since.get(order).copied()).await
    }

    /// All that it was told.
    pub(super) fn told(&self) -> Vec<Told> {
        lock(&self.heard).told.clone()
    }

    /// How often it had to come back.
    pub(super) fn reconnected(&self) -> u64 {
        lock(&self.heard).connections - 1
    }
}

async fn listen(client: Client, heard: Arc<Mutex<Heard>>) {
    let mut cursor = position_token(0);
    loop {
        let variables = json!({ "after": cursor });
        if let Some(mut socket) = WsClient::try_subscribe(&client.url, &client.token, ORDERS_UPDATES, variables).await {
            lock(&heard).connections += 1;
            while let Some(update) = next(&mut socket).await {
                update.cursor().clone_into(&mut cursor);
                hear(&mut lock(&heard), update);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The next message; none if the subscription has ended, which it may for reasons that pass.
async fn next(socket: &mut WsClient) -> Option<Update> {
    match socket.next().await {
        WsMessage::Next { payload, .. } if payload.get("errors").is_some() => {
            assert_passes(&payload["errors"]);
            None
        }
        WsMessage::Next { payload, .. } => Some(Update::of(&payload)),
        WsMessage::Error { errors, .. } => {
            assert_passes(&errors);
            None
        }
        WsMessage::Complete { .. } | WsMessage::Closed(_) => None,
        WsMessage::Ack => panic!("it was signed in before"),
    }
}

#[track_caller]
fn assert_passes(errors: &Value) {
    assert_eq!(errors.pointer("/0/extensions/retryable"), Some(&json!(true)), "{errors}");
}

fn hear(heard: &mut Heard, update: Update) {
    let position = update.position();
    match update {
        Update::Changed { order, version, .. } => {
            heard.since.entry(order.clone()).or_insert_with(Instant::now);
            heard.told.push(Told { position, order, version });
        }
        Update::CaughtUp { .. } => {}
        Update::Gap { .. } => panic!("a gap: {update:?}"),
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().expect("nobody panics")
}
