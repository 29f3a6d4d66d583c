//! A cluster for each test: a double of EventStoreDB, a schema of PostgreSQL, and as many processes of the real binary as
//! the test wants.

use std::{ffi::OsString, path::Path, sync::Arc};

use infrastructure::event_store::{EventStore, MemoryEventStore};
use tempfile::TempDir;

use crate::{
    binary::{self, Ran},
    esdb::{Double, Options},
    postgres::PostgresSchema,
    proxy::Proxy,
    server::{Server, Start, temp_dir},
};

/// How long a process may be silent before others take its work, in milliseconds.
pub const LEASE_MS: u64 = 1_500;

/// The stores that processes share.
#[derive(Debug)]
pub struct Cluster {
    /// The events.
    pub double: Double,
    /// The rows.
    pub schema: PostgresSchema,
    /// The folder of the development key.
    folder: TempDir,
}

/// The way of one process to the stores, which may be broken.
#[derive(Debug)]
pub struct Links {
    /// To the events.
    pub events: Proxy,
    /// To the rows.
    pub rows: Proxy,
}

impl Cluster {
    /// Stores with nothing in them.
    pub async fn new() -> Self {
        Self::on(Arc::new(MemoryEventStore::new()), PostgresSchema::new().await).await
    }

    /// Stores with what these hold.
    pub async fn on(engine: Arc<dyn EventStore>, schema: PostgresSchema) -> Self {
        let options = Options { has_tls: false, ..Options::default() };
        Self { double: Double::start(engine, options).await, schema, folder: temp_dir() }
    }

    /// The data directory, with the development key.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// A process that serves.
    pub async fn api(&self, node: &str) -> Server {
        self.process(self.start("serve", node)).await
    }

    /// A process that works.
    pub async fn worker(&self, node: &str) -> Server {
        self.process(self.start("work", node)).await
    }

    /// Ways to the stores for one process.
    pub async fn links(&self) -> Links {
        Links { events: Proxy::start(self.double.address()).await, rows: Proxy::to(self.schema.url()).await }
    }

    /// How a process of this cluster is started that reaches the stores by these ways.
    pub fn start_over(&self, role: &str, node: &str, links: &Links) -> Start {
        let mut start = self.start(role, node);
        for (name, value) in &mut start.environment {
            let proxy = match name.as_str() {
                "MILLRACE_EVENT_STORE__URL" => &links.events,
                "MILLRACE_READ_STORE__URL" => &links.rows,
                _ => continue,
            };
            *value = proxy.url(value);
        }
        start
    }

    /// A process that is started like this.
    pub async fn process(&self, start: Start) -> Server {
        Server::start_in(self.folder.path(), start).await
    }

    /// Runs `millrace` with these arguments on the cluster's stores, to its end.
    pub fn millrace(&self, arguments: &[&str]) -> Ran {
        let own = ["--data-dir".into(), self.folder.path().as_os_str().to_owned()];
        let arguments = arguments.iter().map(OsString::from).chain(own);
        let mut command = binary::command(&[], arguments);
        command.envs(self.start("all", "console").environment);
        binary::ran(&mut command)
    }

    /// How a process of this cluster is started.
    pub fn start(&self, role: &str, node: &str) -> Start {
        let environment = settings(&self.double.connection_string(), self.schema.url(), node, LEASE_MS);
        Start { arguments: vec![role.into()], environment, ..Start::default() }
    }
}

/// What a process of this name is told of the stores that it shares.
pub(crate) fn settings(event_store: &str, read_store: &str, node: &str, lease_ms: u64) -> Vec<(String, String)> {
    let settings = [
        ("MILLRACE_EVENT_STORE__URL", event_store),
        ("MILLRACE_READ_STORE__URL", read_store),
        ("MILLRACE_READ_STORE__POINT_CONNECTIONS", "3"),
        ("MILLRACE_READ_STORE__SCAN_CONNECTIONS", "1"),
        ("MILLRACE_READ_STORE__WRITE_CONNECTIONS", "3"),
        ("MILLRACE_CLUSTER__NODE", node),
        ("MILLRACE_CLUSTER__LEASE_MS", &lease_ms.to_string()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
