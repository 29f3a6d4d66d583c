//! What the tests of an operator's work share: a hall with a log that can be falsified and models that fail as told.

mod doctored;
mod models;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use domain::{order::OrderEvent, testing::label};
use infrastructure::{
    codec,
    event_store::{EventStore, Name, TypeFilter},
};

pub(super) use self::{
    doctored::Doctored,
    models::{LIMIT, Ledger, Note, Notes},
};
use super::*;
use crate::{
    ParkedFilter, ParkedPage, ParkedState, Served, ServedTables, Tables, manager::Declared, shape::SetChangeShape,
    tests::moment,
};

static HALLS: AtomicU64 = AtomicU64::new(1);
/// Where one test takes place: a log, a read store in a file, and now and then a server over both.
pub(super) struct Hall {
    number: u64,
    pub(super) events: Arc<Doctored>,
    pub(super) rows: Arc<FaultRows>,
    pub(super) folder: TempDir,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: ProjectionOptions,
    pub(super) on_failure: OnFailure,
}

/// The rows by key, each as the positions of the events that made it.
pub(super) type Trails = BTreeMap<Uuid, Vec<u64>>;

impl Hall {
    /// With a policy that loses no time.
    pub(super) fn new() -> Self {
        Self::with_stride(1)
    }

    pub(super) fn with_stride(stride: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = FaultRows::new(open_rows(&folder.path().join("read.db")));
        let on_failure = OnFailure {
            pause_min: Duration::from_millis(4),
            pause_max: Duration::from_millis(30),
            attempts_max: 4,
            ..OnFailure::park()
        };
        Self {
            number: HALLS.fetch_add(1, Ordering::Relaxed),
            events: Arc::new(Doctored::new(stride)),
            rows: Arc::new(rows),
            folder,
            clock: Arc::new(SystemClock),
            options: ProjectionOptions::default(),
            on_failure,
        }
    }

    /// Nothing is tried again by itself.
    pub(super) fn patient() -> Self {
        let hall = Self::new();
        Self { on_failure: hall.on_failure.attempts(1), ..hall }
    }

    fn n(&self, n: u64) -> u128 {
        u128::from(self.number << 32 | n)
    }

    /// The key of its order `n`.
    pub(super) fn key(&self, n: u64) -> Uuid {
        order(self.n(n)).uuid()
    }

    /// The customer of its order `n`.
    pub(super) async fn place(&self, n: u64) -> Position {
        append(&*self.events, placed(self.n(n), 1, &[("TEA", 1)])).await
    }

    /// One more event of an order that was placed, harmless or not.
    pub(super) async fn ship(&self, n: u64, told: &str) -> Position {
        append(&*self.events, self.shipped(n, told)).await
    }

    /// One more event of an order, which cannot be read until the log is true again.
    pub(super) async fn ship_unreadable(&self, n: u64, type_name: &str, data: &str) -> Position {
        let head = self.events.head().await.unwrap().value();
        let at = Position::new(head + self.events.stride);
        self.events.falsify(at, type_name, data);
        assert_eq!(self.ship(n, "fine").await, at);
        at
    }

    /// The stored form of a harmless event.
    pub(super) fn harmless(&self, n: u64) -> (Name, String) {
        codec::encode(&Event::from(self.shipped(n, "fine")))
    }

    fn shipped(&self, n: u64, told: &str) -> OrderEvent {
        let (order, tracking) = (order(self.n(n)), Some(label(told)));
        OrderEvent::Shipped { order, shipment: 1, lines: vec![], tracking, at: moment(1) }
    }

    /// The models fail no more.
    pub(super) fn mend(&self) {
        models::mend(self.number, true);
    }

    /// The models fail again.
    pub(super) fn unmend(&self) {
        models::mend(self.number, false);
    }

    /// Every event by key.
    pub(super) async fn reference(&self) -> Trails {
        let mut trails = Trails::new();
        let mut after = Position::START;
        loop {
            let page = self.events.inner.read_all(after, &TypeFilter::All, 1_000).await.unwrap();
            for event in page.events {
                trails.entry(event.stream.id).or_default().push(self.events.outer(event.position).value());
            }
            after = page.scanned_to;
            if page.is_end {
                return trails;
            }
        }
    }

    /// The same without the events of these orders from these positions on.
    pub(super) async fn reference_before(&self, poison: &[(u64, Position)]) -> Trails {
        let mut trails = self.reference().await;
        for (n, position) in poison {
            if let Some(trail) = trails.get_mut(&self.key(*n)) {
                trail.retain(|at| *at < position.value());
            }
        }
        trails.retain(|_, trail| !trail.is_empty());
        trails
    }

    pub(super) async fn sql(&self, sql: impl Into<String>) {
        self.rows.transaction(vec![Statement::once(sql.into(), vec![])]).await.unwrap();
    }

    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        let query = Query { sql: sql.into(), params: vec![], cost: Cost::Scan };
        self.rows.query(query).await.unwrap().iter().map(|row| row.text(0).unwrap().to_owned()).collect()
    }

    /// The tables of generations, without their indexes.
    pub(super) async fn tables(&self) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%\\_g%' ESCAPE '\\' \
                   AND name NOT LIKE 'projection%' ORDER BY name";
        self.texts(sql).await
    }

    /// A server that has looked at everything there is so far.
    pub(super) async fn open(&self) -> Open<1, 0> {
        let open = self.try_open::<1, 0>(Arc::clone(&self.rows) as Arc<dyn ReadStore>).await.unwrap();
        open.catch_up(self).await;
        open
    }

    /// One of another build, which may not have come as far yet.
    pub(super) async fn open_as<const V: u32, const FORM: u8>(&self) -> Open<V, FORM> {
        self.try_open(Arc::clone(&self.rows) as Arc<dyn ReadStore>).await.unwrap()
    }

    pub(super) async fn try_open<const V: u32, const FORM: u8>(
        &self,
        rows: Arc<dyn ReadStore>,
    ) -> Result<Open<V, FORM>, ManagerError> {
        let mut declared: Vec<Declared> = Vec::new();
        let shape = Arc::new(KeyedShape::<Notes<V, FORM>>::new());
        let monitor = Arc::new(Monitor::new("notes", V));
        let notes = Served::new(&shape, Arc::clone(&rows), Arc::clone(&monitor));
        declared.push(Declared::keyed(Arc::clone(&shape), monitor, self.on_failure));
        let changes = Arc::new(SetChangeShape::<Ledger>::new());
        let monitor = Arc::new(Monitor::new("ledger", 1));
        let ledger = ServedTables::new(&changes, Arc::clone(&rows), Arc::clone(&monitor));
        declared.push(Declared::set_change(changes, monitor, self.on_failure));
        let lifecycle = Lifecycle::new();
        let events = Arc::clone(&self.events) as Arc<dyn EventStore>;
        let surroundings =
            Surroundings::new(events, rows, Arc::clone(&self.clock), lifecycle.clone(), self.options.clone());
        let manager = ProjectionManager::start(declared, surroundings).await?;
        Ok(Open { notes, ledger, shape, manager, lifecycle })
    }
}

/// A server's projections.
pub(super) struct Open<const V: u32, const FORM: u8> {
    pub(super) notes: Served<Notes<V, FORM>>,
    pub(super) ledger: ServedTables<Ledger>,
    pub(super) shape: Arc<KeyedShape<Notes<V, FORM>>>,
    pub(super) manager: ProjectionManager,
    pub(super) lifecycle: Lifecycle,
}

impl<const V: u32, const FORM: u8> Open<V, FORM> {
    pub(super) async fn stop(self) {
        assert!(self.lifecycle.stop(LONG).await, "the workers did not stop");
    }

    /// Waits until everything there is was looked at, and no first build is going on.
    pub(super) async fn catch_up(&self, hall: &Hall) {
        let head = hall.events.head().await.unwrap();
        self.notes.wait(head, LONG).await.unwrap();
        self.ledger.wait(head, LONG).await.unwrap();
        for name in ["notes", "ledger"] {
            self.settle(name).await;
        }
    }

    pub(super) fn status(&self, name: &str) -> ProjectionStatus {
        self.manager.status(name).unwrap()
    }

    pub(super) fn state(&self, name: &str) -> ProjectionState {
        self.status(name).state
    }

    pub(super) async fn settle(&self, name: &str) -> Option<RebuildProgress> {
        let mut last = self.manager.watch_rebuild(name).unwrap();
        let over = tokio::time::timeout(LONG, last.wait_for(|last| last.as_ref().is_none_or(RebuildProgress::is_over)));
        over.await.expect("the rebuild came to no end").unwrap().clone()
    }

    pub(super) async fn rebuilt(&self, name: &str) -> RebuildProgress {
        self.settle(name).await;
        self.manager.rebuild(name).await.unwrap();
        self.settle(name).await.expect("it is over")
    }

    /// What queries read of the notes.
    pub(super) async fn trails(&self) -> Trails {
        let query = |columns: &str, table: &str| Query {
            sql: format!("SELECT {columns} FROM {table}").into(),
            params: vec![],
            cost: Cost::Scan,
        };
        let rows = self.notes.select(query).await.unwrap();
        rows.into_iter().map(|row| (row.id, numbers(&row.trail))).collect()
    }

    /// What queries read of the ledger.
    pub(super) async fn lines(&self) -> Trails {
        let query = |tables: &Tables| Query {
            sql: format!("SELECT id, position FROM {} ORDER BY position", tables.name("lines")).into(),
            params: vec![],
            cost: Cost::Scan,
        };
        let mut trails = Trails::new();
        for row in self.ledger.select(query).await.unwrap() {
            trails.entry(row.uuid(0).unwrap()).or_default().push(u64::try_from(row.int(1).unwrap()).unwrap());
        }
        trails
    }

    /// What is parked in a projection, in order.
    pub(super) async fn parked(&self, name: &str) -> Vec<(Uuid, u64, ParkedState)> {
        let filter = ParkedFilter { projection: Some(name.to_owned()), ..ParkedFilter::default() };
        let page = ParkedPage { filter, limit: 10_000, ..ParkedPage::default() };
        let parked = self.manager.parked(&page).await.unwrap();
        parked.into_iter().map(|entry| (entry.key, entry.position.value(), entry.state)).collect()
    }

    /// Waits until nothing is parked any more.
    pub(super) async fn is_released(&self) {
        let is_so = || ["notes", "ledger"].iter().all(|name| self.status(name).parked.events == 0);
        eventually("everything is released", is_so).await;
    }
}

pub(super) fn numbers(trail: &str) -> Vec<u64> {
    trail.split_whitespace().map(|number| number.parse().unwrap()).collect()
}
