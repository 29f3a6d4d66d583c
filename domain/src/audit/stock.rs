//! The second book of one stock.

use std::{collections::BTreeMap, mem};

use super::Difference;
use crate::{
    Decider as _,
    stock::{Stock, StockEvent, StockState},
    values::{OrderId, Pieces},
};

/// What its events add up to, beside what the stock itself makes of them.
#[derive(Debug, Default)]
pub(super) struct StockBook {
    state: StockState,
    on_hand: i64,
    reserved: i64,
    /// What is promised and still in the house, by order.
    open: BTreeMap<OrderId, i64>,
}

impl StockBook {
    /// Takes in an event of the stock; gives what cannot be after it.
    pub(super) fn take_in(&mut self, event: &StockEvent) -> Vec<Difference> {
        self.state = Stock::evolve(mem::take(&mut self.state), event);
        let mut found = Vec::new();
        match event {
            StockEvent::Received { pieces, .. } | StockEvent::Restocked { pieces, .. } => {
                self.on_hand += number(*pieces);
            }
            StockEvent::Adjusted { change, .. } => self.on_hand = self.on_hand.saturating_add(*change),
            StockEvent::Reserved { order, pieces, .. } => {
                self.reserved += number(*pieces);
                let held = self.open.entry(*order).or_default();
                if *held > 0 {
                    found.push(Difference::PromisedTwice { order: *order });
                }
                *held += number(*pieces);
            }
            StockEvent::Released { order, pieces, .. } => {
                found.extend(self.go(*order, number(*pieces)));
                // Whatever is released is all that was left of it.
                self.reserved -= self.open.remove(order).unwrap_or_default();
            }
            StockEvent::Committed { order, pieces, .. } => {
                self.on_hand -= number(*pieces);
                found.extend(self.go(*order, number(*pieces)));
            }
        }
        if self.on_hand < 0 {
            found.push(Difference::LessThanNothing { on_hand: self.on_hand });
        }
        if self.reserved > self.on_hand {
            found.push(Difference::Oversold { reserved: self.reserved, on_hand: self.on_hand });
        }
        found
    }

    /// Pieces of an order's reservation are reserved no longer.
    fn go(&mut self, order: OrderId, pieces: i64) -> Option<Difference> {
        let held = self.open.get(&order).copied().unwrap_or_default();
        let gone = pieces.min(held);
        self.reserved -= gone;
        if held == gone {
            self.open.remove(&order);
        } else {
            self.open.insert(order, held - gone);
        }
        (pieces > held).then_some(Difference::NotReserved { order, pieces, held })
    }

    /// What the stock says otherwise.
    pub(super) fn close(&self) -> Vec<Difference> {
        let (on_hand, reserved) = (self.state.on_hand, self.state.reserved);
        let sum: i64 = self.open.values().sum();
        let mut found = Vec::new();
        if number(on_hand) != self.on_hand {
            found.push(Difference::OnHand { on_hand: on_hand.number(), sum: self.on_hand });
        }
        if number(reserved) != sum {
            found.push(Difference::Reserved { reserved: reserved.number(), sum });
        }
        found
    }
}

pub(super) fn number(pieces: Pieces) -> i64 {
    i64::try_from(pieces.number()).unwrap_or(i64::MAX)
}
