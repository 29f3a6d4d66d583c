//! What the tests of this crate share: events with a place in the log, read stores that fail, models on a table.

mod engine;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    Event, EventPayload as _, Timestamp,
    order::{CancelReason, OrderEvent},
    testing::{eur, id, line},
    values::{CustomerId, OrderId, Warehouse},
};
use infrastructure::{
    codec,
    event_store::{Append, Direction, EventStore, ExpectedRevision, NewEvent, Position, Revision, StreamId},
    read_store::{Query, ReadStore, ReadStoreError, Row, Statement},
};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

use self::engine::Rows;
use crate::{
    Decoded, KeyedFold, Served,
    shape::{KeyedShape, Shape as _},
    status::Monitor,
};

/// As long as a test waits for what must come. Far more than it takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Microsecond `micros` after the moment at which everything happens.
pub(crate) fn moment(micros: i64) -> Timestamp {
    domain::testing::now() + chrono::TimeDelta::microseconds(micros)
}

/// An event at this place in the log and in its stream.
pub(crate) fn decoded(position: u64, revision: u64, event: impl Into<Event>) -> Decoded {
    let event = event.into();
    let type_name = codec::encode(&event).0;
    let (category, stream) = stream_of(&event);
    Decoded {
        position: Position::new(position),
        stream: StreamId::new(category, stream),
        revision: Revision::new(revision),
        recorded_at: domain::testing::now(),
        type_name,
        event: Arc::new(event),
        bytes: 100,
    }
}

fn stream_of(event: &Event) -> (&'static str, Uuid) {
    match event {
        Event::Product(event) => ("product", event.product().uuid()),
        Event::Order(event) => ("order", event.order().uuid()),
        Event::Stock(event) => ("stock", event.stock().uuid()),
        Event::Payment(event) => ("payment", event.payment().uuid()),
        Event::Profile(event) => ("profile", event.user().uuid()),
        Event::Handle(event) => ("handle", event.handle().uuid()),
        Event::Follow(event) => ("follow", event.pair().uuid()),
        Event::Post(event) => ("post", event.post().uuid()),
        Event::Reaction(event) => ("reaction", event.reaction().uuid()),
        Event::Inbox(event) => ("inbox", event.user().uuid()),
        Event::Operator(_) => ("operator", domain::operator::OPERATOR_LOG.uuid()),
    }
}

/// The row after these events of one stream, in order.
pub(crate) fn folded<M: KeyedFold, E: Into<Event>>(events: impl IntoIterator<Item = E>) -> Option<M::Row> {
    let events = events.into_iter().enumerate();
    events.fold(None, |row, (index, event)| M::fold(row, &decoded(index as u64 + 1, index as u64, event)))
}

/// Order `n` of customer `customer`: so many pieces of each product.
pub(crate) fn placed(n: u128, customer: u128, lines: &[(&str, i64)]) -> OrderEvent {
    let lines: Vec<_> = lines.iter().map(|(sku, units)| line(sku, *units, eur(100))).collect();
    let units: i64 = lines.iter().map(|line| i64::from(line.quantity.units())).sum();
    OrderEvent::Placed {
        order: order(n),
        customer: buyer(customer),
        lines,
        total: eur(units * 100),
        warehouse: Warehouse::default(),
        payment: None,
        at: moment(0),
    }
}

pub(crate) fn cancelled(n: u128) -> OrderEvent {
    OrderEvent::Cancelled { order: order(n), reason: CancelReason::OutOfStock, at: moment(1) }
}

pub(crate) fn shipped(n: u128) -> OrderEvent {
    OrderEvent::Shipped { order: order(n), shipment: 1, lines: vec![], tracking: None, at: moment(1) }
}

pub(crate) fn delivered(n: u128) -> OrderEvent {
    OrderEvent::Delivered { order: order(n), at: moment(2) }
}

pub(crate) fn order(n: u128) -> OrderId {
    id(0x1_0000 + n)
}

pub(crate) fn buyer(n: u128) -> CustomerId {
    id(0xff_0000 + n)
}

/// Appends an event to its stream. Gives its position.
pub(crate) async fn append(store: &dyn EventStore, event: impl Into<Event>) -> Position {
    let event = event.into();
    let (type_name, data) = codec::encode(&event);
    let (category, stream) = stream_of(&event);
    assert!(Event::types().contains(&&*type_name));
    append_raw(store, StreamId::new(category, stream), &type_name, &data).await
}

/// Appends whatever this is.
pub(crate) async fn append_raw(store: &dyn EventStore, stream: StreamId, type_name: &str, data: &str) -> Position {
    let last = store.read_stream(&stream, Revision::MAX, Direction::Backwards, 1).await.unwrap();
    let head = store.head().await.unwrap();
    let event = NewEvent {
        id: Uuid::from_u128(u128::from(head.value()) + 1),
        type_name: type_name.into(),
        at: domain::testing::now(),
        metadata: "{}".to_owned(),
        data: data.to_owned(),
    };
    let expected = ExpectedRevision::after(last.events.first().map(|event| event.revision));
    let appended = store.append(Append { stream, expected, events: vec![event].into() }).await.unwrap();
    appended.positions[0]
}

pub(crate) fn open_rows(path: &Path) -> Rows {
    Rows::open(path)
}

/// A read store in a folder of its own.
pub(crate) fn temp_rows() -> (TempDir, Arc<dyn ReadStore>) {
    let folder = tempfile::tempdir().unwrap();
    let rows = open_rows(&folder.path().join("read.db"));
    (folder, Arc::new(rows))
}

/// A model that serves exactly these rows.
pub(crate) async fn serving<M: KeyedFold>(store: &Arc<dyn ReadStore>, rows: &[M::Row]) -> Served<M> {
    let shape = KeyedShape::<M>::new();
    let table = crate::table::TableSql::new::<M>(1);
    let mut statements = shape.create(1);
    statements.push(table.upsert(rows.iter().map(M::write).collect()));
    statements.extend(table.insert_beside(M::beside(&rows.iter().map(|row| (None, row)).collect::<Vec<_>>())));
    statements.extend(shape.finish(1));
    store.transaction(statements).await.unwrap();
    let served = Served::new(&shape, Arc::clone(store), Arc::new(Monitor::new(M::NAME, M::VERSION)));
    shape.serve(1, Position::START, false);
    served
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn eventually<'a>(what: &'a str, is_so: impl Fn() -> bool + 'a) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        for _ in 0..LONG.as_millis() / 2 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{caller}: it never came to pass: {what}");
    }
}

/// Runs to its end on a thread of its own making.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A number that whoever runs the tests gives.
#[expect(clippy::disallowed_methods, reason = "how much a property is tried is not a setting of the server")]
pub(crate) fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("a number"))
}

/// So many cases of a property, unless `MILLRACE_PROPERTY_CASES` says otherwise.
pub(crate) fn cases(usual: u32) -> u32 {
    number_from("MILLRACE_PROPERTY_CASES").map_or(usual, |cases| u32::try_from(cases).unwrap())
}

/// A read store that fails as often as it is told, and remembers what it was asked to write.
#[derive(Debug)]
pub(crate) struct FaultRows {
    inner: Rows,
    transactions: Mutex<Vec<ReadStoreError>>,
    queries: Mutex<Vec<ReadStoreError>>,
    unanswered: Mutex<Vec<ReadStoreError>>,
    hooks: Mutex<Vec<(&'static str, String)>>,
    armed: Mutex<Option<(&'static str, Vec<ReadStoreError>)>>,
    fired: Mutex<usize>,
    written: Mutex<Vec<Arc<str>>>,
}

impl FaultRows {
    pub(crate) fn new(inner: Rows) -> Self {
        Self {
            inner,
            transactions: Mutex::default(),
            queries: Mutex::default(),
            unanswered: Mutex::default(),
            hooks: Mutex::default(),
            armed: Mutex::default(),
            fired: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// The next transactions that write to a table fail with these, the last one first.
    pub(crate) fn fail_transactions(&self, errors: &[ReadStoreError]) {
        self.transactions.lock().unwrap().extend_from_slice(errors);
    }

    /// The next queries fail with these, the last one first.
    pub(crate) fn fail_queries(&self, errors: &[ReadStoreError]) {
        self.queries.lock().unwrap().extend_from_slice(errors);
    }

    /// The next transactions come through all the same, but whoever asked hears this.
    pub(crate) fn lose_answers(&self, errors: &[ReadStoreError]) {
        self.unanswered.lock().unwrap().extend_from_slice(errors);
    }

    /// The next transactions that follow one with this text in a statement fail with these.
    pub(crate) fn fail_after(&self, text: &'static str, errors: &[ReadStoreError]) {
        *self.armed.lock().unwrap() = (!errors.is_empty()).then(|| (text, errors.to_vec()));
    }

    /// Nothing fails any more.
    pub(crate) fn is_well(&self) {
        self.transactions.lock().unwrap().clear();
        self.queries.lock().unwrap().clear();
    }

    /// Right after the next transaction that has this text in a statement, somebody else does that.
    pub(crate) fn after(&self, text: &'static str, sql: impl Into<String>) {
        self.hooks.lock().unwrap().push((text, sql.into()));
    }

    /// Whether everything that was planned came to pass.
    pub(crate) fn is_done(&self) -> bool {
        self.hooks.lock().unwrap().is_empty()
            && self.armed.lock().unwrap().is_none()
            && [&self.transactions, &self.queries, &self.unanswered].iter().all(|plan| plan.lock().unwrap().is_empty())
    }

    /// How many failures happened so far.
    pub(crate) fn fired(&self) -> usize {
        *self.fired.lock().unwrap()
    }

    /// How many statements so far had this in their text.
    pub(crate) fn written(&self, text: &str) -> usize {
        self.written.lock().unwrap().iter().filter(|sql| sql.contains(text)).count()
    }

    fn next(&self, errors: &Mutex<Vec<ReadStoreError>>) -> Result<(), ReadStoreError> {
        match errors.lock().unwrap().pop() {
            None => Ok(()),
            Some(error) => {
                *self.fired.lock().unwrap() += 1;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl ReadStore for FaultRows {
    async fn query(&self, query: Query) -> Result<Vec<Row>, ReadStoreError> {
        self.next(&self.queries)?;
        self.inner.query(query).await
    }

    async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        self.next(&self.transactions)?;
        let texts: Vec<Arc<str>> = statements.iter().map(|statement| Arc::clone(&statement.sql)).collect();
        self.written.lock().unwrap().extend(texts.iter().cloned());
        self.inner.transaction(statements).await?;
        let hook = {
            let mut hooks = self.hooks.lock().unwrap();
            let hit = hooks.iter().position(|(text, _)| texts.iter().any(|sql| sql.contains(text)));
            hit.map(|index| hooks.remove(index))
        };
        let armed = self.armed.lock().unwrap().take_if(|(text, _)| texts.iter().any(|sql| sql.contains(*text)));
        if let Some((_, errors)) = armed {
            self.fail_transactions(&errors);
        }
        if let Some((_, sql)) = hook {
            self.inner.transaction(vec![Statement::once(sql, vec![])]).await?;
        }
        self.next(&self.unanswered)
    }

    fn nudge(&self) {
        self.inner.nudge();
    }

    fn nudges(&self) -> watch::Receiver<u64> {
        self.inner.nudges()
    }
}
