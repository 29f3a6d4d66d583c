//! A year of a shop: a log of a million events, the same in every run.
//!
//! A hundred products, orders of one to three lines; most are shipped and delivered, some cancelled, and some thousand
//! are on their way at any time, so that the events of one order lie far apart. Built once and kept in the target
//! directory; whoever uses it works on a copy.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::TimeDelta;
use domain::{
    EventPayload, Timestamp,
    order::{CancelReason, OrderEvent, OrderLine},
    product::ProductEvent,
    testing::{eur, label, now, quantity, sku},
    values::{CustomerId, OrderId, Sku, Warehouse},
};
use futures_util::future::try_join_all;
use infrastructure::{
    codec,
    event_store::{
        Append, EventStore as _, ExpectedRevision, NewEvent, Revision, SqliteEventStore, SqliteEventStoreOptions,
        StreamId,
    },
    execute::CommandMetadata,
};
use uuid::Uuid;

use crate::{
    machine::{Random, work_dir},
    report,
};

/// To be raised when the events below change: then the log is built anew.
const VERSION: u32 = 2;
/// How long the log is.
pub(crate) const EVENTS: usize = 1_000_000;
const PRODUCTS: usize = 100;
const CUSTOMERS: usize = 50_000;
/// Orders that are neither delivered nor cancelled yet, at any time.
const OPEN_ORDERS: usize = 5_000;
/// One order of so many is cancelled.
const CANCELLED_OF: usize = 10;
/// From one event to the next: a million of them take a year.
const SECONDS_BETWEEN_EVENTS: i64 = 31;
/// How many appends are under way at a time; fewer than the store's queue holds, so that they stay in order.
const APPENDS_AT_ONCE: usize = 1_024;

/// Puts a copy of the log into `directory`, as `events.db`.
pub(crate) async fn copy_to(directory: &Path) {
    let kept = work_dir().join(format!("history-v{VERSION}.db"));
    if !kept.exists() {
        report::progress("building a log of a million events, once");
        build(&kept).await;
    }
    let copy = directory.join("events.db");
    fs::copy(&kept, &copy).expect("the log can be copied");
    // Otherwise the device would still be writing it while something is measured.
    File::open(copy).and_then(|file| file.sync_all()).expect("the copy reaches the disk");
}

/// Writes a log of so many orders that were placed, and nothing else happened to them, into `directory`.
pub(crate) async fn placements_to(directory: &Path, orders: usize) {
    fill(&directory.join("events.db"), Shop::that_keeps(orders).take(PRODUCTS + orders)).await;
}

/// When the `nth` of those orders was placed.
pub(crate) fn placed_at(nth: usize) -> Timestamp {
    let events = i64::try_from(PRODUCTS + nth + 1).expect("a benchmark counts to millions");
    now() + TimeDelta::seconds(SECONDS_BETWEEN_EVENTS * events)
}

async fn build(kept: &Path) {
    let draft: PathBuf = kept.with_extension("draft");
    let leftovers = ["", "-wal", "-shm", "-lock"].map(|suffix| format!("{}{suffix}", draft.display()));
    for leftover in &leftovers {
        let _ = fs::remove_file(leftover);
    }
    fill(&draft, Shop::that_keeps(OPEN_ORDERS).take(EVENTS)).await;
    // It was closed, which moves everything from the write-ahead log into the file.
    assert!(!Path::new(&leftovers[1]).exists(), "the log is not whole without its write-ahead log");
    fs::rename(&draft, kept).expect("the log can be renamed");
    let _ = fs::remove_file(&leftovers[3]);
}

/// Writes these into a new log.
pub(crate) async fn fill(file: &Path, mut appends: impl Iterator<Item = Append>) {
    let store = SqliteEventStore::open(file, SqliteEventStoreOptions::default()).expect("the event store opens");
    loop {
        let appends: Vec<Append> = appends.by_ref().take(APPENDS_AT_ONCE).collect();
        if appends.is_empty() {
            return;
        }
        // All of them enter the queue before any is answered: unconstrained, or some would yield and be overtaken.
        let appends = try_join_all(appends.into_iter().map(|append| store.append(append)));
        tokio::task::unconstrained(appends).await.expect("the events are appended");
    }
}

/// An order that goes on.
struct Open {
    order: OrderId,
    last: Revision,
}

/// The shop, event by event.
struct Shop {
    random: Random,
    at: Timestamp,
    products: Vec<Sku>,
    open: Vec<Open>,
    /// Orders that are neither delivered nor cancelled yet, at any time.
    open_max: usize,
}

impl Iterator for Shop {
    type Item = Append;

    /// What happens next; there is always something.
    fn next(&mut self) -> Option<Append> {
        self.at += TimeDelta::seconds(SECONDS_BETWEEN_EVENTS);
        if self.products.len() < PRODUCTS {
            return Some(self.register());
        }
        if self.open.len() < self.open_max {
            return Some(self.place());
        }
        Some(self.go_on())
    }
}

impl Shop {
    fn that_keeps(open_max: usize) -> Self {
        Self { random: Random::new(7), at: now(), products: Vec::new(), open: Vec::new(), open_max }
    }

    fn register(&mut self) -> Append {
        let number = self.products.len();
        let sku = sku(&format!("TEA-{number}"));
        let product = domain::product::id_of(&sku);
        self.products.push(sku.clone());
        let (name, price) = (label(&format!("Tea number {number}")), price(number));
        let event = ProductEvent::Registered { product, sku, name, price, is_stocked: false, at: self.at };
        self.append("product", product.uuid(), None, &event)
    }

    fn place(&mut self) -> Append {
        let order = OrderId::new(self.fresh_id());
        let customer = CustomerId::named(&format!("customer-{}", self.random.below(CUSTOMERS)));
        let lines: Vec<OrderLine> = (0..=self.random.below(3)).map(|_| self.line()).collect();
        let totals = lines.iter().map(|line| line.unit_price.checked_mul(line.quantity).expect("it is small"));
        let total = totals.reduce(|sum, line| sum.checked_add(line).expect("it is small"));
        let total = total.expect("there is at least one line");
        self.open.push(Open { order, last: Revision::FIRST });
        let (warehouse, payment, at) = (Warehouse::default(), None, self.at);
        let event = OrderEvent::Placed { order, customer, lines, total, warehouse, payment, at };
        self.append("order", order.uuid(), None, &event)
    }

    fn line(&mut self) -> OrderLine {
        let number = self.random.below(self.products.len());
        let sku = self.products[number].clone();
        OrderLine {
            product: domain::product::id_of(&sku),
            sku,
            name: label(&format!("Tea number {number}")),
            quantity: quantity(i64::try_from(self.random.below(5)).expect("it is small") + 1),
            unit_price: price(number),
            is_stocked: false,
        }
    }

    /// Some order is shipped, delivered or cancelled.
    fn go_on(&mut self) -> Append {
        let index = self.random.below(self.open.len());
        let Open { order, last } = self.open[index];
        let at = self.at;
        let event = if last != Revision::FIRST {
            OrderEvent::Delivered { order, at }
        } else if self.random.below(CANCELLED_OF) == 0 {
            OrderEvent::Cancelled { order, reason: CancelReason::CustomerRequest, at }
        } else {
            let tracking = Some(label(&format!("MR-{:012}", self.random.below(1_000_000_000_000))));
            OrderEvent::Shipped { order, shipment: 1, lines: vec![], tracking, at }
        };
        if matches!(event, OrderEvent::Shipped { .. }) {
            self.open[index].last = last.next();
        } else {
            self.open.swap_remove(index);
        }
        self.append("order", order.uuid(), Some(last), &event)
    }

    fn append(&mut self, category: &str, id: Uuid, last: Option<Revision>, event: &impl EventPayload) -> Append {
        let metadata = CommandMetadata {
            command_id: self.fresh_id(),
            actor: format!("customer-{}", self.random.below(CUSTOMERS)).into(),
            correlation_id: self.fresh_id(),
            causation_id: None,
            input_hash: None,
        };
        append(StreamId::new(category, id), last, event, self.at, &metadata)
    }

    fn fresh_id(&mut self) -> Uuid {
        self.random.id_of(self.at)
    }
}

/// One event behind the last one of its stream.
pub(crate) fn append(
    stream: StreamId,
    last: Option<Revision>,
    event: &impl EventPayload,
    at: Timestamp,
    metadata: &CommandMetadata,
) -> Append {
    let (type_name, data) = codec::encode(event);
    let event = NewEvent { id: metadata.event_id(0), type_name, at, metadata: metadata.to_json(), data };
    Append { stream, expected: ExpectedRevision::after(last), events: Arc::new([event]) }
}

fn price(number: usize) -> domain::values::Money {
    eur(i64::try_from(number).expect("it is small") * 10 + 490)
}
