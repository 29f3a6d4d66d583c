//! Nodes over one real store, each behind a door of its own that can be shut.
//!
//! Time stands still while the store works, so every test says exactly when something happens.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{sync::watch, time::sleep};

use super::*;
use crate::read_store::{Cost, Query, Row, SqliteReadStore, SqliteReadStoreOptions, Statement, Value};

pub(super) const LEASE: Duration = Duration::from_secs(5);

/// What a node meets when it asks the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    Refuses,
    Hangs,
    /// What is asked is done, but no answer comes.
    AnswerLost,
    /// Every answer takes this long.
    Slow(Duration),
}

/// The store, as one node reaches it.
#[derive(Debug)]
pub(super) struct Door {
    store: Arc<SqliteReadStore>,
    way: Mutex<Way>,
    /// What another one does just before this node buries somebody.
    before_burial: Mutex<Vec<Statement>>,
    calls: AtomicU64,
}

impl Door {
    pub(super) fn set(&self, way: Way) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    pub(super) fn before_burial(&self, statements: Vec<Statement>) {
        *self.before_burial.lock().unwrap_or_else(PoisonError::into_inner) = statements;
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    async fn pass<T>(&self, work: impl FnOnce() -> Result<T, ReadStoreError>) -> Result<T, ReadStoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let way = *self.way.lock().unwrap_or_else(PoisonError::into_inner);
        match way {
            Way::Open => work(),
            Way::Refuses => Err(ReadStoreError::Unavailable("it is away".to_owned())),
            Way::Hangs => std::future::pending().await,
            Way::AnswerLost => {
                work()?;
                std::future::pending().await
            }
            Way::Slow(time) => {
                sleep(time).await;
                work()
            }
        }
    }
}

#[async_trait]
impl ReadStore for Door {
    async fn query(&self, query: Query) -> Result<Vec<Row>, ReadStoreError> {
        self.pass(|| at_once(self.store.query(query))).await
    }

    async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        if statements.iter().any(|statement| statement.sql.contains("DELETE FROM nodes WHERE id = $1 AND beat")) {
            let before = std::mem::take(&mut *self.before_burial.lock().unwrap_or_else(PoisonError::into_inner));
            at_once(self.store.transaction(before))?;
        }
        self.pass(|| at_once(self.store.transaction(statements))).await
    }

    fn nudge(&self) {
        self.store.nudge();
    }

    fn nudges(&self) -> watch::Receiver<u64> {
        self.store.nudges()
    }
}

/// Does it without letting time pass: the clock of a test runs on whenever its thread waits for another one.
fn at_once<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let done = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work);
    thread::scope(|scope| scope.spawn(done).join().expect("the store does not panic"))
}

/// The store that all share.
pub(super) struct Cluster {
    store: Arc<SqliteReadStore>,
    _directory: TempDir,
}

/// One node.
pub(super) struct Node {
    pub(super) id: Uuid,
    pub(super) door: Arc<Door>,
    pub(super) leases: Leases,
    pub(super) lifecycle: Lifecycle,
}

impl Node {
    pub(super) fn held(&self) -> BTreeSet<String> {
        self.leases.held.borrow().as_ref().clone()
    }

    pub(super) fn view(&self) -> ClusterView {
        self.leases.view.borrow().as_ref().clone()
    }
}

impl Cluster {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("read.db");
        let store = Arc::new(SqliteReadStore::open(&path, SqliteReadStoreOptions::default()).expect("a store"));
        let cluster = Self { store, _directory: directory };
        prepare(&*cluster.door()).await.expect("the tables are made");
        cluster
    }

    pub(super) fn door(&self) -> Arc<Door> {
        let store = Arc::clone(&self.store);
        let way = Mutex::new(Way::Open);
        Arc::new(Door { store, way, before_burial: Mutex::default(), calls: AtomicU64::new(0) })
    }

    /// Starts node `id`, which knows `names` and holds at most `max` of them.
    pub(super) async fn node(&self, id: u128, names: &[String], max: Option<usize>) -> Node {
        let (door, lifecycle, id) = (self.door(), Lifecycle::new(), Uuid::from_u128(id));
        let store = Arc::clone(&door) as Arc<dyn ReadStore>;
        let leases = Leases::start(store, id, names.to_vec(), options(id, max), &lifecycle).await.expect("it joins");
        Node { id, door, leases, lifecycle }
    }

    /// A node that does a round only when the test says so, as if it were frozen in between.
    pub(super) async fn by_hand(&self, id: u128, names: &[String]) -> (Contender, Leases, Arc<Door>) {
        let (door, id) = (self.door(), Uuid::from_u128(id));
        let store = Arc::clone(&door) as Arc<dyn ReadStore>;
        let (mut contender, leases) = Contender::new(store, id, names.iter().cloned().collect(), options(id, None));
        contender.join().await.expect("it joins");
        (contender, leases, door)
    }

    /// What the tables say.
    pub(super) async fn table(&self) -> sql::Table {
        sql::Table::of(&self.door().query(sql::read()).await.expect("the tables are there")).expect("a table")
    }

    /// How often a lease was claimed.
    pub(super) async fn epoch(&self, name: &str) -> i64 {
        let sql = "SELECT epoch FROM leases WHERE name = $1".into();
        let query = Query { sql, params: vec![Value::Text(name.to_owned())], cost: Cost::Point };
        self.door().query(query).await.expect("the table is there")[0].int(0).expect("a number")
    }

    pub(super) async fn write(&self, sql: &str, params: Vec<Value>) {
        self.door().transaction(vec![Statement::once(sql, params)]).await.expect("the statement is right");
    }
}

fn options(id: Uuid, max: Option<usize>) -> LeaseOptions {
    let leases_max = max.map(|max| NonZeroUsize::new(max).expect("more than none"));
    LeaseOptions { node: format!("node {}", id.as_u128()), lease: LEASE, leases_max }
}

pub(super) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("work/{number:03}")).collect()
}

pub(super) fn counts(nodes: &[&Node]) -> Vec<usize> {
    let mut counts: Vec<_> = nodes.iter().map(|node| node.held().len()).collect();
    counts.sort_unstable();
    counts
}

/// That no two believe to hold the same, and how many are held.
#[track_caller]
pub(super) fn held_once(nodes: &[&Node]) -> usize {
    let all: Vec<_> = nodes.iter().flat_map(|node| node.held()).collect();
    let once: BTreeSet<_> = all.iter().collect();
    assert_eq!(once.len(), all.len(), "a lease is held twice: {all:?}");
    once.len()
}

/// Lets time pass, and looks all the while that no two hold the same.
pub(super) async fn pass(time: Duration, nodes: &[&Node]) {
    let step = Duration::from_millis(50);
    let end = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < end {
        sleep(step).await;
        held_once(nodes);
    }
}

/// How long it takes until `is_so`, looking all the while that no two hold the same.
pub(super) async fn time_until(nodes: &[&Node], is_so: impl Fn() -> bool) -> Duration {
    let start = tokio::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never came to be");
        pass(Duration::from_millis(50), nodes).await;
    }
    start.elapsed()
}
