//! The cluster under test: two processes that serve and two that work, each with ways of its own to both stores, and ways
//! for clients to those that serve.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    client::Client,
    cluster::{Cluster, Links},
    proxy::Proxy,
    server::{PATIENCE, Server, eventually},
};

use super::schedule::Planned;

/// How long a call of the event store may take here, in milliseconds.
pub(super) const CALL_TIMEOUT_MS: u64 = 1_000;

/// A kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    /// From a process to the event store.
    Events,
    /// From a process to the database.
    Rows,
    /// From clients to a process that serves.
    Clients,
}

impl Link {
    pub(super) const ALL: [Self; 3] = [Self::Events, Self::Rows, Self::Clients];
}

/// A store that readiness names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Events,
    Rows,
}

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    server: Server,
    links: Links,
    http: reqwest::Client,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) cluster: Cluster,
    /// Those that serve, and the ways of clients to them.
    serving: Vec<(Process, Proxy)>,
    working: Vec<Process>,
}

impl Bench {
    pub(super) async fn start() -> Self {
        let cluster = Cluster::new().await;
        let start = async |role, node| {
            let links = cluster.links().await;
            let mut start = cluster.start_over(role, node, &links);
            let settings = [
                ("MILLRACE_EVENT_STORE__CALL_TIMEOUT_MS", CALL_TIMEOUT_MS),
                ("MILLRACE_EVENT_STORE__APPEND_BUDGET_MS", 2 * CALL_TIMEOUT_MS),
                ("MILLRACE_EXECUTOR__OUTCOME_WAIT_MS", CALL_TIMEOUT_MS),
                ("MILLRACE_LIMITS__WS__PING_INTERVAL_MS", 1_000),
            ];
            start.environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_string())));
            Process { server: cluster.process(start).await, links, http: reqwest::Client::new() }
        };
        let (w1, w2) = tokio::join!(start("work", "w1"), start("work", "w2"));
        let (a1, a2) = tokio::join!(start("serve", "a1"), start("serve", "a2"));
        let mut serving = Vec::new();
        for process in [a1, a2] {
            let proxy = Proxy::to(&process.server.url).await;
            serving.push((process, proxy));
        }
        Self { cluster, serving, working: vec![w1, w2] }
    }

    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.serving.iter().map(|(process, _)| process).chain(&self.working)
    }

    /// A customer at each process that serves, by the way that may break.
    pub(super) fn customers(&self) -> Vec<Client> {
        self.serving.iter().map(|(process, proxy)| behind(&process.server.customer("alice"), proxy)).collect()
    }

    /// An operator at each process that serves, by a way that does not break.
    pub(super) fn operators(&self) -> Vec<Client> {
        self.serving.iter().map(|(process, _)| process.server.operator()).collect()
    }

    /// An operator at each process that serves, by the way that may break.
    pub(super) fn subscribers(&self) -> Vec<Client> {
        self.serving.iter().map(|(process, proxy)| behind(&process.server.operator(), proxy)).collect()
    }

    /// The ways that a fault is to break.
    pub(super) fn proxies(&self, planned: &Planned) -> Vec<&Proxy> {
        let all: Vec<&Proxy> = match planned.link {
            Link::Events => self.processes().map(|process| &process.links.events).collect(),
            Link::Rows => self.processes().map(|process| &process.links.rows).collect(),
            Link::Clients => self.serving.iter().map(|(_, proxy)| proxy).collect(),
        };
        match planned.process {
            None => all,
            Some(number) => vec![all[number % all.len()]],
        }
    }

    /// The processes that a fault at a store cuts off.
    pub(super) fn cut_off(&self, planned: &Planned) -> Vec<&Process> {
        let all: Vec<&Process> = self.processes().collect();
        match planned.process {
            None => all,
            Some(number) => vec![all[number % all.len()]],
        }
    }

    /// The ways of those that serve to the event store, and to the database.
    pub(super) fn serving_links(&self) -> Vec<&Links> {
        self.serving.iter().map(|(process, _)| &process.links).collect()
    }

    /// Waits until everybody is ready.
    pub(super) async fn ready(&self) {
        for process in self.processes() {
            eventually("a process is ready again", async || {
                process.health().await["checks"]
                    .as_array()
                    .is_some_and(|checks| checks.iter().all(|check| check["ready"] == true))
                    .then_some(())
            })
            .await;
        }
    }

    /// Every row is what its events make of it.
    pub(super) async fn verify(&self) {
        for name in projections::names() {
            crate::cluster::verify(&self.operators()[0], name).await;
        }
    }

    /// Nobody has ended.
    pub(super) fn assert_alive(&mut self) {
        let serving = self.serving.iter_mut().map(|(process, _)| process);
        for process in serving.chain(&mut self.working) {
            assert!(process.server.is_alive(), "a process has ended:\n{}", process.server.stderr());
        }
    }

    /// The connections of each way, by kind.
    pub(super) fn connections(&self) -> [Vec<usize>; 3] {
        [
            self.processes().map(|process| process.links.events.connections()).collect(),
            self.processes().map(|process| process.links.rows.connections()).collect(),
            self.serving.iter().map(|(_, proxy)| proxy.connections()).collect(),
        ]
    }
}

impl Process {
    async fn health(&self) -> Value {
        let answer = self.http.get(format!("{}/health/ready", self.server.url)).timeout(PATIENCE).send().await;
        answer.expect("a process that runs says how it is").json().await.expect("health is JSON")
    }

    /// Waits until it says that it does not reach this store.
    pub(super) async fn not_ready(&self, store: &str, deadline: Instant) {
        let is_missing = |health: &Value| {
            let checks = health["checks"].as_array().expect("checks");
            checks.iter().any(|check| check["name"] == store && check["ready"] == false)
        };
        loop {
            let health = self.health().await;
            if is_missing(&health) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "it is cut off from the {store} and says it is ready: {}",
                json!(health)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn behind(client: &Client, proxy: &Proxy) -> Client {
    client.at(&proxy.url(&client.url))
}
