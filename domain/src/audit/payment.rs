//! The second book of one payment.

use std::collections::BTreeMap;

use super::{Difference, difference::Sum};
use crate::{
    payment::PaymentEvent,
    values::{Currency, Money, OrderId, RefundId},
};

/// What its events add up to, in minor units.
#[derive(Debug)]
pub(super) struct PaymentBook {
    pub(super) order: OrderId,
    currency: Option<Currency>,
    authorised: i64,
    captured: i64,
    refunded: i64,
    /// What the provider was asked to give back and has not answered.
    refunding: BTreeMap<RefundId, i64>,
}

impl PaymentBook {
    pub(super) const fn new(order: OrderId) -> Self {
        let refunding = BTreeMap::new();
        Self { order, currency: None, authorised: 0, captured: 0, refunded: 0, refunding }
    }

    /// Takes in an event of the payment; gives what cannot be after it.
    pub(super) fn take_in(&mut self, event: &PaymentEvent) -> Vec<Difference> {
        let mut found = Vec::new();
        match event {
            PaymentEvent::Requested { amount, .. } => self.currency = Some(amount.currency()),
            PaymentEvent::Authorised { amount, .. } => {
                found.extend(self.other_currency(*amount));
                self.authorised = self.authorised.saturating_add(amount.minor());
            }
            PaymentEvent::Captured { amount, .. } => {
                found.extend(self.other_currency(*amount));
                self.captured = self.captured.saturating_add(amount.minor());
                if self.captured > self.authorised {
                    let (authorised, captured) = (self.sum(self.authorised), self.sum(self.captured));
                    found.push(Difference::OverCaptured { authorised, captured });
                }
            }
            PaymentEvent::RefundRequested { refund, amount, .. } => {
                self.refunding.insert(*refund, amount.minor());
            }
            PaymentEvent::Refunded { refund, amount, .. } => {
                found.extend(self.other_currency(*amount));
                self.refunding.remove(refund);
                self.refunded = self.refunded.saturating_add(amount.minor());
                if self.refunded > self.captured {
                    let (captured, refunded) = (self.sum(self.captured), self.sum(self.refunded));
                    found.push(Difference::OverRefunded { captured, refunded });
                }
            }
            PaymentEvent::RefundFailed { refund, .. } => {
                self.refunding.remove(refund);
            }
            PaymentEvent::Declined { .. }
            | PaymentEvent::CaptureRequested { .. }
            | PaymentEvent::CaptureFailed { .. }
            | PaymentEvent::VoidRequested { .. }
            | PaymentEvent::Voided { .. }
            | PaymentEvent::Expired { .. }
            | PaymentEvent::Contradicted { .. } => {}
        }
        found
    }

    /// What is about to be given back.
    pub(super) fn refunding(&self) -> i64 {
        self.refunding.values().sum()
    }

    fn other_currency(&self, amount: Money) -> Option<Difference> {
        let (currency, other) = (self.currency?, amount.currency());
        (currency != other).then_some(Difference::OtherCurrency { currency, other })
    }

    const fn sum(&self, minor: i64) -> Sum {
        Sum { minor, currency: self.currency }
    }
}
