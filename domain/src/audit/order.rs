//! The second book of one order: its pieces, and the money of all its payments.

use std::collections::BTreeMap;

use super::{Difference, difference::Sum, stock::number};
use crate::{
    order::{LinePart, OrderEvent, OrderLine},
    payment::{Moved, PaymentEvent},
    stock::{self, StockEvent},
    values::{Currency, Money, RefundId, StockId, Warehouse},
};

/// What is kept of an order. Few bytes, because an order that has arrived may still come back.
#[derive(Debug, Default)]
pub(super) struct OrderBook {
    /// Where its last event stands.
    pub(super) seen: u64,
    is_placed: bool,
    currency: Option<Currency>,
    lines: Box<[Line]>,
    /// What the pieces cost that left the house.
    shipped: i64,
    captured: i64,
    /// What was given back for pieces; then for other things.
    refunded: (i64, i64),
    refunding: i64,
    told_captured: i64,
    told_refunded: i64,
    /// The pieces that do not add up yet, by stock.
    pieces: BTreeMap<StockId, Counts>,
    /// What is on its way back, by number.
    returns: Vec<(u32, Box<[LinePart]>)>,
    /// The refunds for pieces.
    for_pieces: Vec<RefundId>,
}

/// A line, as far as it has to be known.
#[derive(Debug)]
struct Line {
    /// Where its pieces are counted, if they are.
    stock: Option<StockId>,
    price: i64,
    /// How many did not leave the house yet.
    left: u32,
}

/// Pieces of one stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Reserved for the order.
    held: i64,
    /// Left the house, and not the stock yet.
    shipped: i64,
    /// Came back, and not into the stock yet.
    returned: i64,
}

impl OrderBook {
    /// Takes in an event of the order; gives what cannot be after it.
    pub(super) fn take_in(&mut self, event: &OrderEvent) -> Vec<Difference> {
        match event {
            OrderEvent::Placed { lines, warehouse, total, .. } => {
                self.is_placed = true;
                self.currency = Some(total.currency());
                self.lines = lines.iter().map(|line| Line::of(line, warehouse)).collect();
            }
            // Nothing can be cancelled of which something has left.
            OrderEvent::Cancelled { .. } if self.shipped == 0 => self.lines = Box::default(),
            OrderEvent::Shipped { lines, .. } => return self.ship(lines),
            OrderEvent::Paid { amount, .. } => self.told_captured += amount.minor(),
            OrderEvent::ReturnRequested { number, lines, .. } => self.returns.push((*number, lines.clone().into())),
            OrderEvent::ReturnReceived { number, is_restocked, .. } => self.return_received(*number, *is_restocked),
            OrderEvent::RefundRequested { refund, lines, .. } if !lines.is_empty() => self.for_pieces.push(*refund),
            OrderEvent::Refunded { amount, .. } => self.told_refunded += amount.minor(),
            OrderEvent::Cancelled { .. }
            | OrderEvent::RefundRequested { .. }
            | OrderEvent::PaymentChosen { .. }
            | OrderEvent::PaymentFailed { .. }
            | OrderEvent::Confirmed { .. }
            | OrderEvent::Delivered { .. }
            | OrderEvent::Overdue { .. }
            | OrderEvent::RefundFailed { .. } => {}
        }
        Vec::new()
    }

    fn ship(&mut self, parts: &[LinePart]) -> Vec<Difference> {
        let all: Vec<(u32, u32)> = if parts.is_empty() {
            (0..).zip(&self.lines).map(|(index, line)| (index, line.left)).collect()
        } else {
            parts.iter().map(|part| (part.line, part.quantity.units())).collect()
        };
        let mut found = Vec::new();
        for (index, units) in all {
            let Some(line) = self.lines.get_mut(index as usize).filter(|line| line.left >= units) else {
                found.push(Difference::ShippedTooMuch { line: index });
                continue;
            };
            line.left -= units;
            self.shipped = self.shipped.saturating_add(line.price.saturating_mul(units.into()));
            if let Some(stock) = line.stock {
                self.count(stock, |counts| counts.shipped += i64::from(units));
            }
        }
        found
    }

    fn return_received(&mut self, number: u32, is_restocked: bool) {
        let Some(place) = self.returns.iter().position(|(known, _)| *known == number) else { return };
        let (_, parts) = self.returns.swap_remove(place);
        for part in parts.iter().filter(|_| is_restocked) {
            if let Some(stock) = self.lines.get(part.line as usize).and_then(|line| line.stock) {
                self.count(stock, |counts| counts.returned += i64::from(part.quantity.units()));
            }
        }
    }

    /// Takes in what happened to a stock for this order.
    pub(super) fn take_in_stock(&mut self, event: &StockEvent) {
        let stock = event.stock();
        match event {
            StockEvent::Received { .. } | StockEvent::Adjusted { .. } => {}
            StockEvent::Reserved { pieces, .. } => self.count(stock, |counts| counts.held += number(*pieces)),
            StockEvent::Released { .. } => self.count(stock, |counts| counts.held = 0),
            StockEvent::Committed { pieces, .. } => self.count(stock, |counts| {
                counts.held -= number(*pieces);
                counts.shipped -= number(*pieces);
            }),
            StockEvent::Restocked { pieces, .. } => self.count(stock, |counts| counts.returned -= number(*pieces)),
        }
    }

    /// Takes in what happened to one of its payments.
    pub(super) fn take_in_payment(&mut self, event: &PaymentEvent) {
        match event.moved() {
            Some(Moved::Taken(amount)) => self.captured = self.captured.saturating_add(amount.minor()),
            Some(Moved::GivenBack(refund, amount)) => {
                let (for_pieces, otherwise) = &mut self.refunded;
                let sum = if self.for_pieces.contains(&refund) { for_pieces } else { otherwise };
                *sum = sum.saturating_add(amount.minor());
            }
            Some(Moved::Held(_)) | None => {}
        }
    }

    /// So much more is about to be given back.
    pub(super) fn is_given_back(&mut self, minor: i64) {
        self.refunding += minor;
    }

    fn count(&mut self, stock: StockId, change: impl FnOnce(&mut Counts)) {
        let counts = self.pieces.entry(stock).or_default();
        change(counts);
        if *counts == Counts::default() {
            self.pieces.remove(&stock);
        }
    }

    /// What its stocks and payments say otherwise, now that nothing is to be done for it.
    pub(super) fn close(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        let is_over = self.lines.iter().all(|line| line.left == 0);
        for (stock, counts) in &self.pieces {
            let stock = *stock;
            if is_over && counts.held != 0 {
                found.push(Difference::StillReserved { stock, pieces: counts.held });
            }
            if counts.shipped != 0 {
                found.push(Difference::ShippedOtherwise { stock, pieces: counts.shipped });
            }
            if counts.returned != 0 {
                found.push(Difference::RestockedOtherwise { stock, pieces: counts.returned });
            }
        }
        let otherwise = self.refunded.1.saturating_add(self.refunding);
        let sum = |minor| Sum { minor, currency: self.currency };
        if self.captured > self.shipped.saturating_add(otherwise) {
            let (captured, shipped, refunded) = (sum(self.captured), sum(self.shipped), sum(otherwise));
            found.push(Difference::TakenForNothing { captured, shipped, refunded });
        }
        if self.is_placed && self.told_captured != self.captured {
            let (told, captured) = (sum(self.told_captured), sum(self.captured));
            found.push(Difference::CapturedOtherwise { told, captured });
        }
        let refunded = self.refunded.0.saturating_add(self.refunded.1);
        if self.is_placed && self.told_refunded != refunded {
            let (told, refunded) = (sum(self.told_refunded), sum(refunded));
            found.push(Difference::RefundedOtherwise { told, refunded });
        }
        found
    }
}

impl Line {
    fn of(line: &OrderLine, warehouse: &Warehouse) -> Self {
        let stock = line.is_stocked.then(|| stock::id_of(&line.sku, warehouse));
        Self { stock, price: Money::minor(line.unit_price), left: line.quantity.units() }
    }
}
