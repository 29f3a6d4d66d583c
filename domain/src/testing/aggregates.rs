//! Every order, stock and payment of a shop, in memory.

use std::collections::BTreeMap;

use crate::{
    Command, Decider, Event, Rejection, Timestamp,
    order::{Order, OrderState},
    payment::{Payment, PaymentRecord, PaymentState},
    stock::{Stock, StockState},
    values::{OrderId, PaymentId, StockId},
};

/// What a shop's processes command.
#[derive(Debug, Default)]
pub struct Aggregates {
    /// Its orders.
    pub orders: BTreeMap<OrderId, OrderState>,
    /// Its stocks.
    pub stocks: BTreeMap<StockId, StockState>,
    /// Its payments.
    pub payments: BTreeMap<PaymentId, PaymentState>,
}

impl Aggregates {
    /// Carries out a command, and gives what has happened.
    ///
    /// # Panics
    /// For products, everything social and the operators' log.
    pub fn execute(&mut self, command: Command, at: Timestamp) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Order(id, command) => {
                decide::<Order>(self.orders.entry(id).or_default(), command, at).map_err(Rejection::Order)
            }
            Command::Stock(id, command) => {
                decide::<Stock>(self.stocks.entry(id).or_default(), command, at).map_err(Rejection::Stock)
            }
            Command::Payment(id, command) => {
                decide::<Payment>(self.payments.entry(id).or_default(), command, at).map_err(Rejection::Payment)
            }
            Command::Product(..)
            | Command::Profile(..)
            | Command::Handle(..)
            | Command::Follow(..)
            | Command::Post(..)
            | Command::Reaction(..)
            | Command::Inbox(..)
            | Command::Operator(_) => unreachable!("no process commands these"),
        }
    }

    /// Every payment that somebody asked for.
    pub fn known_payments(&self) -> impl Iterator<Item = &PaymentRecord> {
        self.payments.values().filter_map(PaymentState::known)
    }
}

fn decide<D: Decider>(state: &mut D::State, command: D::Command, at: Timestamp) -> Result<Vec<Event>, D::Rejection>
where
    Event: From<D::Event>,
{
    let events = D::decide(state, command, at)?;
    for event in &events {
        *state = D::evolve(std::mem::take(state), event);
    }
    Ok(events.into_iter().map(Event::from).collect())
}
