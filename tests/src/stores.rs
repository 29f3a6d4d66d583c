//! The stores of a server on the cluster profile, where the embedded one has files: a double of EventStoreDB in this
//! process, and a schema of PostgreSQL.
//!
//! They belong to a data directory, as the files do. The double keeps its log in `events.db` there, so what a test writes
//! into that file while no server runs is in the log at the next start; rows are in the same schema then.

use std::{
    collections::HashMap,
    fs,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, mpsc},
    time::Instant,
};

use infrastructure::event_store::{
    EventStore, EventStoreDb, EventStoreDbOptions, PAGE_EVENTS_MAX, Position, RecordedEvent, SqliteEventStore,
    SqliteEventStoreOptions, TypeFilter,
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::{
    cluster,
    esdb::{Double, Options},
    log::LoggedEvent,
    postgres::PostgresSchema,
    server::{PATIENCE, POLL_INTERVAL},
};

/// Runs the doubles: a test that waits for a command blocks its own thread, and the double must answer that command.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads"));

/// The schemas by data directory.
static SCHEMAS: LazyLock<Mutex<HashMap<PathBuf, Arc<PostgresSchema>>>> = LazyLock::new(Mutex::default);

/// How long a process may be silent before another one takes its work: long, since the only one that works is rarely
/// lost, and a machine with many tests is slow.
const LEASE_MS: u64 = 8_000;

/// The stores of a data directory, as long as a server has them. Dropped, the events can be had by another one.
#[derive(Debug)]
pub(crate) struct Stores {
    double: Option<Double>,
    schema: Arc<PostgresSchema>,
    /// For the tests' own look at the log, once one was taken.
    reader: Mutex<Option<Arc<EventStoreDb>>>,
}

impl Stores {
    /// Opens or makes them.
    pub(crate) fn open(data_dir: &Path) -> Self {
        fs::create_dir_all(data_dir).expect("a data directory");
        let file = data_dir.join("events.db");
        let double = wait(async move {
            Double::start(engine(&file).await, Options { has_tls: false, ..Options::default() }).await
        });
        Self { double: Some(double), schema: schema(data_dir), reader: Mutex::default() }
    }

    fn double(&self) -> &Double {
        self.double.as_ref().expect("it is open until it is dropped")
    }

    /// What a process of this name is told of them.
    pub(crate) fn settings(&self, node: &str) -> Vec<(String, String)> {
        cluster::settings(&self.double().connection_string(), self.schema.url(), node, LEASE_MS)
    }

    /// Every event of Millrace's, in order.
    pub(crate) fn events(&self) -> Vec<RecordedEvent> {
        let reader = self.reader();
        wait(async move {
            let (mut events, mut scanned_to) = (Vec::new(), Position::START);
            loop {
                let page = reader.read_all(scanned_to, &TypeFilter::All, PAGE_EVENTS_MAX).await.expect("a page");
                events.extend(page.events);
                scanned_to = page.scanned_to;
                if page.is_end {
                    return events;
                }
            }
        })
    }

    fn reader(&self) -> Arc<EventStoreDb> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let url = self.double().connection_string();
            let options = EventStoreDbOptions::try_new(&url).expect("the double's own connection string");
            Arc::new(wait(EventStoreDb::open(options)).expect("the double answers"))
        };
        Arc::clone(reader.get_or_insert_with(open))
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        let Some(double) = self.double.take() else { return };
        wait(async move {
            double.kill().await;
            double.database().close().await;
        });
    }
}

/// The events' file. A process that this one has just started holds copies of its locks until it is itself.
async fn engine(file: &Path) -> Arc<dyn EventStore> {
    let began = Instant::now();
    loop {
        match SqliteEventStore::open(file, SqliteEventStoreOptions::default()) {
            Ok(engine) => return Arc::new(engine),
            Err(error) => assert!(began.elapsed() < PATIENCE, "the events' file does not open: {error}"),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Changes rows of this data directory's read models, server or not. Gives how many.
pub(crate) fn change_rows(data_dir: &Path, sql: &str) -> usize {
    let (schema, sql) = (schema(data_dir), format!("WITH changed AS ({sql} RETURNING 1) SELECT count(*) FROM changed"));
    let counted = wait(async move { schema.run(&sql).await });
    counted[0].parse().expect("a number")
}

fn schema(data_dir: &Path) -> Arc<PostgresSchema> {
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || Arc::new(wait(PostgresSchema::new()));
    Arc::clone(schemas.entry(data_dir.to_owned()).or_insert_with(new))
}

/// The event as `millrace events print` shows it.
pub(crate) fn logged(event: &RecordedEvent) -> LoggedEvent {
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    LoggedEvent::new(&json!({
        "position": event.position.value(), "stream": event.stream.to_string(), "revision": event.revision.value(),
        "id": event.id.to_string(), "type": *event.type_name, "metadata": json(&event.metadata),
        "data": json(&event.data),
    }))
}

/// Waits for what runs where the doubles do, whether or not the caller's thread belongs to a runtime.
fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    RUNTIME.spawn(async move {
        let _ = sender.send(work.await);
    });
    receiver.recv().expect("it did not panic")
}
