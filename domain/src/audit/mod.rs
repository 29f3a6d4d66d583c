//! Stock and money, booked a second time: from the events alone, without the aggregates that wrote them.
//!
//! An [`Audit`] takes in the whole log once, in order. It keeps a few numbers for each stock, payment and order, so its
//! memory grows with what was sold and not with what happened to it. What one stream alone decides is looked at with every
//! event: never more promised than there is, never more taken than is held, never more given back than was taken. What
//! several streams have to agree on is looked at in the end, and only for orders with which the fulfilment is through: the
//! caller says which those are.
//! Slice map: api/src/processes/books.rs, infrastructure/src/process/outlook.rs, api/src/roles/verify.rs, tests/it/processes.rs

mod difference;
mod order;
mod payment;
mod stock;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    mem::{Discriminant, discriminant},
};

pub use difference::{Difference, Found, Subject};

use self::{order::OrderBook, payment::PaymentBook, stock::StockBook};
use crate::{
    Event, Process as _,
    fulfilment::Fulfilment,
    payment::PaymentEvent,
    values::{OrderId, PaymentId, StockId},
};

/// The most differences that are listed. They are counted beyond.
pub const DIFFERENCES_MAX: usize = 100;

/// How the names of the events begin that it has to see: those of the process that it holds to them.
pub const EVENTS: &[&str] = Fulfilment::EVENTS;

/// The second books.
#[derive(Debug, Default)]
pub struct Audit {
    stocks: HashMap<StockId, StockBook>,
    payments: HashMap<PaymentId, PaymentBook>,
    orders: HashMap<OrderId, OrderBook>,
    events: u64,
    differences: Differences,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many events were taken in.
    pub events: u64,
    /// How many stocks there are.
    pub stocks: u64,
    /// How many payments.
    pub payments: u64,
    /// How many orders.
    pub orders: u64,
    /// How many of these orders the fulfilment is at: what they have to agree on with others was not looked at.
    pub under_way: u64,
    /// How many differences there are.
    pub differing: u64,
    /// The first of them, at most [`DIFFERENCES_MAX`].
    pub differences: Vec<Found>,
}

/// The differences so far, each kind once for each subject.
#[derive(Debug, Default)]
struct Differences {
    found: Vec<Found>,
    known: HashSet<(Subject, Discriminant<Difference>)>,
}

impl Differences {
    fn add(&mut self, subject: Subject, difference: Difference) {
        if self.known.insert((subject, discriminant(&difference))) && self.found.len() < DIFFERENCES_MAX {
            self.found.push(Found { subject, difference });
        }
    }

    fn extend(&mut self, subject: Subject, differences: impl IntoIterator<Item = Difference>) {
        for difference in differences {
            self.add(subject, difference);
        }
    }
}

impl Audit {
    /// Takes in the next event of the log, which stands at `position`.
    pub fn take_in(&mut self, event: &Event, position: u64) {
        match event {
            Event::Stock(event) => {
                let stock = event.stock();
                let found = self.stocks.entry(stock).or_default().take_in(event);
                self.differences.extend(Subject::Stock(stock), found);
                if let Some(order) = event.order() {
                    self.order(order, position).take_in_stock(event);
                }
            }
            Event::Payment(event) => self.take_in_payment(event, position),
            Event::Order(event) => {
                let order = event.order();
                let found = self.order(order, position).take_in(event);
                self.differences.extend(Subject::Order(order), found);
            }
            Event::Product(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Follow(_)
            | Event::Post(_)
            | Event::Reaction(_)
            | Event::Inbox(_)
            | Event::Operator(_) => return,
        }
        self.events += 1;
    }

    fn take_in_payment(&mut self, event: &PaymentEvent, position: u64) {
        let payment = event.payment();
        let found = self.payments.entry(payment).or_insert_with(|| PaymentBook::new(event.order())).take_in(event);
        self.differences.extend(Subject::Payment(payment), found);
        self.order(event.order(), position).take_in_payment(event);
    }

    fn order(&mut self, order: OrderId, position: u64) -> &mut OrderBook {
        let book = self.orders.entry(order).or_default();
        book.seen = position;
        book
    }

    /// Closes the books. `is_settled`: whether the fulfilment is through with this order, whose last event stands there.
    pub fn close(mut self, is_settled: impl Fn(OrderId, u64) -> bool) -> Report {
        for (stock, book) in &self.stocks {
            self.differences.extend(Subject::Stock(*stock), book.close());
        }
        for book in self.payments.values() {
            if let Some(order) = self.orders.get_mut(&book.order) {
                order.is_given_back(book.refunding());
            }
        }
        let mut under_way = 0;
        for (order, book) in &self.orders {
            if is_settled(*order, book.seen) {
                self.differences.extend(Subject::Order(*order), book.close());
            } else {
                under_way += 1;
            }
        }
        let mut differences = self.differences.found;
        differences.sort_by_key(|found| found.subject);
        Report {
            events: self.events,
            stocks: self.stocks.len() as u64,
            payments: self.payments.len() as u64,
            orders: self.orders.len() as u64,
            under_way,
            differing: self.differences.known.len() as u64,
            differences,
        }
    }
}

impl Report {
    /// Whether everything agrees.
    pub const fn is_right(&self) -> bool {
        self.differing == 0
    }
}
