//! What the tests of an operator's work share: models that fail when they are told to, a log that can be falsified.
//!
//! Whether a model fails is in the event: the tracking label of a shipment says how. Orders carry the number of their
//! hall, so that mending the models of one test leaves the others alone.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use domain::{order::OrderEvent, testing::label};
use infrastructure::{
    codec,
    event_store::{
        AllPage, Append, AppendError, Appended, Direction, EventStore, Name, RecordedEvent, Revision, StoreError,
        StreamPage, TypeFilter,
    },
    read_store::Row,
};
use tokio::sync::watch;

use super::*;
use crate::{
    ParkedFilter, ParkedPage, ParkedState, Served, ServedTables, SetChange, Tables,
    manager::Declared,
    shape::SetChangeShape,
    tests::moment,
};

/// How long a slow event takes, and how long it may.
pub(super) const SLOW: Duration = Duration::from_millis(700);
pub(super) const LIMIT: Duration = Duration::from_millis(350);

static HALLS: AtomicU64 = AtomicU64::new(1);
static MENDED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// What a model is told to do by an event; nothing once its hall is mended.
fn ill(event: &Decoded) -> Option<&str> {
    let Event::Order(OrderEvent::Shipped { tracking: Some(tracking), .. }) = &event.event else { return None };
    let number = event.stream.id.as_u64_pair().1 << 1 >> 33;
    (!MENDED.lock().unwrap().contains(&number)).then_some(tracking.as_str())
}

fn obey(told: Option<&str>) {
    match told {
        Some("fold") => panic!("the fold is defective, on purpose"),
        Some("slow") => std::thread::sleep(SLOW),
        Some(_) | None => {}
    }
}

/// One row for each order: which events made it, in order. Form 1 has a column more that may be NULL, form 2 one that
/// must not be.
#[derive(Debug)]
pub(super) enum Notes<const VERSION: u32 = 1, const FORM: u8 = 0> {}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Note {
    pub(super) id: Uuid,
    /// The positions of its events.
    pub(super) trail: String,
    /// How its row is to be written.
    told: Option<String>,
    pub(super) more: Option<i64>,
}

impl<const V: u32, const FORM: u8> KeyedFold for Notes<V, FORM> {
    const NAME: &'static str = "notes";
    const VERSION: u32 = V;
    const EVENTS: &'static [&'static str] = &["order."];
    const COLUMNS: &'static [(&'static str, &'static str)] = match FORM {
        0 => &[("id", "UUID NOT NULL"), ("trail", "TEXT NOT NULL"), ("weight", "BIGINT NOT NULL CHECK (weight < 9)")],
        1 => &[
            ("id", "UUID NOT NULL"),
            ("trail", "TEXT NOT NULL"),
            ("weight", "BIGINT NOT NULL CHECK (weight < 9)"),
            ("more", "BIGINT"),
        ],
        _ => &[
            ("id", "UUID NOT NULL"),
            ("trail", "TEXT NOT NULL"),
            ("weight", "BIGINT NOT NULL CHECK (weight < 9)"),
            ("more", "BIGINT NOT NULL"),
        ],
    };
    const INDEXES: &'static [&'static str] = &["weight, id"];
    type Row = Note;

    fn key(event: &Decoded) -> Option<Uuid> {
        assert!(ill(event) != Some("key"), "the key is defective, on purpose");
        Some(event.stream.id)
    }
    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new("order", key)])
    }
    fn starts(event: &Decoded) -> bool {
        matches!(event.event, Event::Order(OrderEvent::Placed { .. }))
    }
    fn fold(row: Option<Note>, event: &Decoded) -> Option<Note> {
        obey(ill(event));
        assert!(ill(event) != Some("notes"), "the fold is defective, on purpose");
        let told = ill(event).map(str::to_owned);
        let mut row = row.unwrap_or(Note { id: event.stream.id, trail: String::new(), told: None, more: None });
        row.trail = format!("{} {}", row.trail, event.position).trim().to_owned();
        row.told = row.told.or(told);
        row.more = (FORM > 0).then_some(7);
        Some(row)
    }
    fn write(row: &Note) -> Vec<Value> {
        let told = row.told.as_deref();
        assert!(told != Some("write"), "the writing is defective, on purpose");
        let weight = if told == Some("refuse") { 9 } else { 0 };
        let mut values = vec![Value::Uuid(row.id), Value::Text(row.trail.clone()), Value::Int(weight)];
        values.extend(row.more.map(Value::Int));
        values
    }
    fn read(row: &Row) -> Result<Note, ReadStoreError> {
        let more = if FORM > 0 && !row.is_null(3) { Some(row.int(3)?) } else { None };
        Ok(Note { id: row.uuid(0)?, trail: row.text(1)?.to_owned(), told: None, more })
    }
}

/// One row for each event.
#[derive(Debug)]
pub(super) enum Ledger {}

impl SetChange for Ledger {
    const NAME: &'static str = "ledger";
    const VERSION: u32 = 1;
    const EVENTS: &'static [&'static str] = &["order."];
    const TABLES: &'static [&'static str] = &["lines"];

    fn key(event: &Decoded) -> Uuid {
        assert!(ill(event) != Some("key"), "the key is defective, on purpose");
        event.stream.id
    }
    fn create(tables: &Tables) -> Vec<String> {
        let lines = tables.name("lines");
        vec![format!("CREATE TABLE IF NOT EXISTS {lines} (id UUID NOT NULL, position BIGINT NOT NULL PRIMARY KEY)")]
    }
    fn changes(event: &Decoded, tables: &Tables) -> Vec<Statement> {
        let told = ill(event);
        obey(told);
        assert!(told != Some("write"), "the writing is defective, on purpose");
        let id = if told == Some("refuse") { Value::Null } else { Value::Uuid(event.stream.id) };
        let position = Value::Int(i64::try_from(event.position.value()).unwrap());
        let sql = format!("INSERT INTO {} (id, position) VALUES ($1, $2)", tables.name("lines"));
        vec![Statement::once(sql, vec![id, position])]
    }
}

/// An event store that tells what it was asked, and that hands out other data for some events than were appended.
#[derive(Debug)]
pub(super) struct Doctored {
    inner: MemoryEventStore,
    /// How far events are apart.
    stride: u64,
    tail: watch::Sender<Position>,
    ill: Mutex<HashMap<Position, (Name, String)>>,
    /// How many events were read by a scan of the log from its start.
    pub(super) scanned: AtomicU64,
}

impl Doctored {
    pub(super) fn new(stride: u64) -> Self {
        let tail = watch::Sender::new(Position::START);
        Self { inner: MemoryEventStore::new(), stride, tail, ill: Mutex::default(), scanned: AtomicU64::new(0) }
    }

    /// From now on this event is read with this type and these data.
    pub(super) fn falsify(&self, at: Position, type_name: &str, data: &str) {
        self.ill.lock().unwrap().insert(at, (type_name.into(), data.to_owned()));
    }

    /// Everything is read as it was appended.
    pub(super) fn is_true_again(&self) {
        self.ill.lock().unwrap().clear();
    }

    fn outer(&self, inner: Position) -> Position {
        Position::new(inner.value() * self.stride)
    }

    fn shown(&self, events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        let ill = self.ill.lock().unwrap();
        let show = |mut event: RecordedEvent| {
            event.position = self.outer(event.position);
            if let Some((type_name, data)) = ill.get(&event.position) {
                (event.type_name, event.data) = (type_name.clone(), data.clone());
            }
            event
        };
        events.into_iter().map(show).collect()
    }
}

#[async_trait]
impl EventStore for Doctored {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let mut appended = self.inner.append(append).await?;
        for position in &mut appended.positions {
            *position = self.outer(*position);
        }
        let head = self.outer(self.inner.head().await.expect("memory does not fail"));
        self.tail.send_replace(head);
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        let mut page = self.inner.read_stream(stream, from, direction, limit).await?;
        page.events = self.shown(page.events);
        Ok(page)
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        let inner = Position::new(after.value() / self.stride);
        let mut page = self.inner.read_all(inner, filter, limit).await?;
        page.events = self.shown(page.events);
        page.scanned_to = self.outer(page.scanned_to).max(after);
        self.scanned.fetch_add(page.events.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.outer(self.inner.head().await?))
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }
}

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
        let shipped = OrderEvent::Shipped { order: order(self.n(n)), tracking: Some(label(told)), at: moment(1) };
        append(&*self.events, shipped).await
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
        let event = OrderEvent::Shipped { order: order(self.n(n)), tracking: Some(label("fine")), at: moment(1) };
        codec::encode(&Event::from(event))
    }

    /// The models fail no more.
    pub(super) fn mend(&self) {
        MENDED.lock().unwrap().insert(self.number);
    }

    /// The models fail again.
    pub(super) fn unmend(&self) {
        MENDED.lock().unwrap().remove(&self.number);
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
        declared.push((Arc::clone(&shape) as _, monitor, self.on_failure));
        let changes = Arc::new(SetChangeShape::<Ledger>::new());
        let monitor = Arc::new(Monitor::new("ledger", 1));
        let ledger = ServedTables::new(&changes, Arc::clone(&rows), Arc::clone(&monitor));
        declared.push((changes, monitor, self.on_failure));
        let lifecycle = Lifecycle::new();
        let surroundings = Surroundings {
            events: Arc::clone(&self.events) as Arc<dyn EventStore>,
            rows,
            clock: Arc::clone(&self.clock),
            lifecycle: lifecycle.clone(),
            options: self.options.clone(),
        };
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
