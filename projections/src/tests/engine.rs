//! The engine under the tests of this crate: SQLite, or PostgreSQL where `MILLRACE_TEST_READ_STORE` says so.
//!
//! One test runs all others once more over PostgreSQL. To run one of them so: `MILLRACE_TEST_READ_STORE=postgres`.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock, Mutex},
};

use async_trait::async_trait;
use infrastructure::read_store::{
    PostgresReadStore, Query, ReadStore, ReadStoreError, Row, SqliteReadStore, SqliteReadStoreOptions, Statement,
    testing::PostgresSchema,
};
use tokio::sync::{OnceCell, watch};

const ENGINE: &str = "MILLRACE_TEST_READ_STORE";

/// The tables that queries about tables read, by the name that SQLite has for them.
const CATALOGUE: &str = "CREATE VIEW sqlite_master AS \
    SELECT tablename::text COLLATE \"C\" AS name, 'table' AS type FROM pg_tables WHERE schemaname = current_schema() \
    UNION ALL SELECT indexname::text, 'index' FROM pg_indexes WHERE schemaname = current_schema()";

/// By the path that SQLite would have.
static SCHEMAS: LazyLock<Mutex<HashMap<PathBuf, Arc<PostgresSchema>>>> = LazyLock::new(Mutex::default);

fn is_postgres() -> bool {
    #[expect(clippy::disallowed_methods, reason = "which engine is tested is a matter of who runs the tests")]
    env::var(ENGINE).is_ok_and(|engine| engine == "postgres")
}

/// The rows of a test, on the engine that is tested.
#[derive(Debug)]
pub(crate) enum Rows {
    Sqlite(SqliteReadStore),
    Postgres(Lazy),
}

/// A store in a schema. It is opened when it is used first, because opening waits for the server.
#[derive(Debug)]
pub(crate) struct Lazy {
    schema: Arc<PostgresSchema>,
    store: OnceCell<PostgresReadStore>,
    nudges: watch::Sender<u64>,
}

impl Rows {
    /// The same path is the same database.
    pub(super) fn open(path: &Path) -> Self {
        if !is_postgres() {
            return Self::Sqlite(SqliteReadStore::open(path, SqliteReadStoreOptions::default()).unwrap());
        }
        let mut schemas = SCHEMAS.lock().unwrap();
        let schema = schemas.entry(path.to_owned()).or_insert_with(|| Arc::new(new_schema()));
        Self::Postgres(Lazy { schema: Arc::clone(schema), store: OnceCell::new(), nudges: watch::Sender::new(0) })
    }
}

/// Tests make their rows before they wait for anything, so somebody else waits.
fn new_schema() -> PostgresSchema {
    let making = std::thread::spawn(|| {
        super::block_on(async {
            let schema = PostgresSchema::new().await;
            schema.run(CATALOGUE).await;
            schema
        })
    });
    making.join().unwrap()
}

impl Lazy {
    async fn get(&self) -> &PostgresReadStore {
        self.store.get_or_init(|| self.schema.open()).await
    }
}

#[async_trait]
impl ReadStore for Rows {
    async fn query(&self, query: Query) -> Result<Vec<Row>, ReadStoreError> {
        match self {
            Self::Sqlite(store) => store.query(query).await,
            Self::Postgres(lazy) => lazy.get().await.query(query).await,
        }
    }

    async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        match self {
            Self::Sqlite(store) => store.transaction(statements).await,
            Self::Postgres(lazy) => lazy.get().await.transaction(statements.into_iter().map(spoken).collect()).await,
        }
    }

    fn nudge(&self) {
        match self {
            Self::Sqlite(store) => store.nudge(),
            Self::Postgres(lazy) => lazy.nudges.send_modify(|count| *count += 1),
        }
    }

    fn nudges(&self) -> watch::Receiver<u64> {
        match self {
            Self::Sqlite(store) => store.nudges(),
            Self::Postgres(lazy) => lazy.nudges.subscribe(),
        }
    }
}

/// A uuid as tests write it into a statement, in PostgreSQL's words.
fn spoken(statement: Statement) -> Statement {
    let is_spoken = !statement.sql.contains("x'");
    if is_spoken { statement } else { Statement { sql: statement.sql.replace("x'", "UUID '").into(), ..statement } }
}

#[test]
fn every_test_of_this_crate_passes_on_postgresql_too() {
    if is_postgres() {
        return;
    }
    let tests = env::current_exe().unwrap();
    let output = Command::new(tests).env(ENGINE, "postgres").output().unwrap();
    let says = String::from_utf8_lossy(&output.stdout);
    let failed = says.find("\nfailures:\n").map_or("", |at| &says[at..]);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "on PostgreSQL ({ENGINE}=postgres):\n{failed}\n{complaints}");
    assert!(says.contains("test result: ok."), "no test was run:\n{says}");
}
