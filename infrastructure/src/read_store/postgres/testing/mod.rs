//! PostgreSQL for tests: a private server for the process, and a schema of its own for each test.
//!
//! The server starts with the first test that needs it and ends with the process, however that ends. If
//! `MILLRACE_TEST_POSTGRES_URL` names another one, schemas are made there. Without the programs of PostgreSQL, tests fail
//! and say so: what is not tested must not look as if it were.

mod server;

use std::{
    env,
    fmt::Write as _,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio_postgres::{Error, SimpleQueryMessage};

pub use self::server::{Durability, PostgresServer};
use super::{PostgresReadStore, PostgresReadStoreOptions, PostgresUrl, pool::Connector, tls};

/// The private server of this process.
static SERVER: LazyLock<PostgresServer> = LazyLock::new(|| PostgresServer::start(Durability::None));
static SCHEMAS: AtomicU64 = AtomicU64::new(1);

/// A schema of its own in the server that the tests share. One on another server is dropped with it.
#[derive(Debug)]
pub struct PostgresSchema {
    url: String,
    name: String,
    server_url: String,
    is_private: bool,
}

impl PostgresSchema {
    /// A new one, empty.
    pub async fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "which server tests use is a matter of who runs them")]
        match env::var("MILLRACE_TEST_POSTGRES_URL") {
            Ok(url) => Self::on(url, false).await,
            Err(_) => Self::on(SERVER.url(), true).await,
        }
    }

    /// A new one on this server.
    pub async fn on_server(server: &PostgresServer) -> Self {
        Self::on(server.url(), true).await
    }

    async fn on(server_url: String, is_private: bool) -> Self {
        let mut random = [0; 4];
        getrandom::fill(&mut random).expect("the system gives random bytes");
        let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}_{:08x}", u32::from_le_bytes(random));
        run(&server_url, &format!("CREATE SCHEMA {name}")).await;
        let url = with(&server_url, &format!("options=-c%20search_path%3D{name}"));
        Self { url, name, server_url, is_private }
    }

    /// The address of the database, with the schema.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The schema's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Options that suffice for a test.
    pub fn options(&self) -> PostgresReadStoreOptions {
        options(&self.url)
    }

    /// A store on it.
    pub async fn open(&self) -> PostgresReadStore {
        PostgresReadStore::open(&self.options()).await.expect("the tests' own schema is fit for a store")
    }

    /// Runs any SQL in it, as the tests' own superuser. Gives the first column of what it finds.
    pub async fn run(&self, sql: &str) -> Vec<String> {
        run(&self.url, sql).await
    }
}

impl Drop for PostgresSchema {
    fn drop(&mut self) {
        if self.is_private {
            return;
        }
        let (url, name) = (self.server_url.clone(), self.name.clone());
        // A runtime cannot wait for another one on its own thread.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(&url, &format!("DROP SCHEMA {name} CASCADE")));
        });
        drop(dropping.join());
    }
}

/// The options of a test for the database at this address.
pub fn options(url: &str) -> PostgresReadStoreOptions {
    let url: PostgresUrl = url.parse().expect("an address of a database");
    PostgresReadStoreOptions {
        point_connections: 4,
        scan_connections: 3,
        write_connections: 3,
        connect_timeout: Duration::from_secs(30),
        point_timeout: Duration::from_secs(60),
        ..PostgresReadStoreOptions::new(url)
    }
}

/// An address with one more parameter.
pub fn with(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut url = url.to_owned();
    write!(url, "{separator}{parameter}").expect("a String takes it");
    url
}

/// Runs any SQL at this address. Gives the first column of what it finds.
pub async fn run(url: &str, sql: &str) -> Vec<String> {
    match try_run(url, sql).await {
        Ok(found) => found,
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

async fn try_run(url: &str, sql: &str) -> Result<Vec<String>, Error> {
    let options = options(url);
    let mode = options.tls();
    let tls = (mode != super::PostgresTls::Disable).then(|| tls::connector(options.root_certificate()));
    let tls = tls.transpose().expect("certificates to trust");
    let connector = Connector { config: options.url.config(mode), tls, timeout: options.connect_timeout };
    let (client, _task) = connector.open().await?;
    let messages = client.simple_query(sql).await?;
    let mut found = Vec::new();
    for message in &messages {
        if let SimpleQueryMessage::Row(row) = message {
            found.push(row.get(0).unwrap_or_default().to_owned());
        }
    }
    Ok(found)
}
