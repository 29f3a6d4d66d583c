//! A payment as clients see it.

use std::collections::BTreeMap;

use async_graphql::{Enum, ID, SimpleObject};
use domain::{
    Timestamp, payment,
    payment::{Part, PaymentEvent, PaymentRecord},
    values::{Id, IdKind},
};
use uuid::Uuid;

use super::super::types::PaymentDeclineReason;
use crate::graphql::{node::global, scalars::MoneyValue};

/// How the money of a payment is held that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "payment::Hold")]
pub enum PaymentStatus {
    /// The payment provider has not answered.
    Pending,
    /// It is held; what is taken of it is in `captures`.
    #[graphql(name = "AUTHORISED")]
    Held,
    /// It is not, and never was.
    Declined,
    /// What was not taken was let go of.
    Voided,
    /// What was not taken was held too long.
    Expired,
}

/// What became of taking or giving back money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "payment::PartStatus")]
pub enum PaymentPartStatus {
    /// The payment provider is to do it.
    Requested,
    /// It did.
    Done,
    /// It did not, and will not.
    Failed,
}

/// One attempt to be paid for an order, as the payment provider tells of it.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "Payment")]
pub(in crate::graphql) struct PaymentObject {
    /// Its id, opaque.
    id: ID,
    /// Which of the order's attempts, counted from 1. Money that is asked for again is of the same attempt.
    attempt: u32,
    /// How its money is held.
    status: PaymentStatus,
    /// How much was asked for.
    requested: MoneyValue,
    /// How much was held at first: nothing before it was authorised.
    authorised: MoneyValue,
    /// How much was taken.
    captured: MoneyValue,
    /// How much was given back.
    refunded: MoneyValue,
    /// Why it was declined; null if it was not.
    declined_reason: Option<PaymentDeclineReason>,
    /// When it was asked for.
    requested_at: Timestamp,
    /// When the money was known to be held; null if it was not.
    authorised_at: Option<Timestamp>,
    /// When it was known to be declined, let go of or lost; null if it is not.
    closed_at: Option<Timestamp>,
    /// What is taken or was to be taken, oldest first.
    captures: Vec<PaymentPart>,
    /// What is given back or was to be given back, oldest first.
    refunds: Vec<PaymentPart>,
}

/// A part of a payment's money, taken or given back.
#[derive(Clone, Debug, SimpleObject)]
pub(in crate::graphql) struct PaymentPart {
    /// The provider's key for it, opaque.
    id: ID,
    /// How much.
    amount: MoneyValue,
    /// What became of it.
    status: PaymentPartStatus,
    /// When it was first heard of: when it was asked for, unless the provider did it unasked.
    requested_at: Timestamp,
    /// When it was known to be done, or to have failed; null as long as it is not.
    settled_at: Option<Timestamp>,
}

/// When what happened to a payment: what its own state does not remember.
#[derive(Debug, Default)]
pub(super) struct Times {
    requested: Option<Timestamp>,
    authorised: Option<Timestamp>,
    closed: Option<Timestamp>,
    /// By the key of a part.
    parts: BTreeMap<Uuid, PartTimes>,
}

#[derive(Clone, Copy, Debug)]
struct PartTimes {
    /// How many parts were heard of before it: two of one step have the same time.
    place: usize,
    requested: Timestamp,
    settled: Option<Timestamp>,
}

impl Times {
    pub(super) fn take_in(&mut self, event: &PaymentEvent) {
        let at = event.at();
        match event {
            PaymentEvent::Requested { .. } => *self = Self { requested: Some(at), ..Self::default() },
            PaymentEvent::Authorised { .. } => self.authorised = Some(at),
            PaymentEvent::Declined { .. } | PaymentEvent::Voided { .. } | PaymentEvent::Expired { .. } => {
                self.closed = Some(at);
            }
            PaymentEvent::CaptureRequested { capture, .. } => self.asked_for(capture.uuid(), at),
            PaymentEvent::RefundRequested { refund, .. } => self.asked_for(refund.uuid(), at),
            PaymentEvent::Captured { capture, .. } | PaymentEvent::CaptureFailed { capture, .. } => {
                self.settled(capture.uuid(), at);
            }
            PaymentEvent::Refunded { refund, .. } | PaymentEvent::RefundFailed { refund, .. } => {
                self.settled(refund.uuid(), at);
            }
            PaymentEvent::VoidRequested { .. } | PaymentEvent::Contradicted { .. } => {}
        }
    }

    fn asked_for(&mut self, part: Uuid, at: Timestamp) {
        let times = self.heard_of(part, at);
        (times.requested, times.settled) = (at, None);
    }

    fn settled(&mut self, part: Uuid, at: Timestamp) {
        self.heard_of(part, at).settled = Some(at);
    }

    fn heard_of(&mut self, part: Uuid, at: Timestamp) -> &mut PartTimes {
        let place = self.parts.len();
        self.parts.entry(part).or_insert(PartTimes { place, requested: at, settled: None })
    }

    /// These parts, oldest first.
    fn in_order<K: IdKind>(&self, parts: &BTreeMap<Id<K>, Part>) -> Vec<PaymentPart> {
        let timed = parts.iter().filter_map(|(id, part)| Some((*self.parts.get(&id.uuid())?, id, part)));
        let mut parts: Vec<(PartTimes, &Id<K>, &Part)> = timed.collect();
        parts.sort_by_key(|(times, ..)| times.place);
        parts
            .into_iter()
            .map(|(times, id, part)| PaymentPart {
                id: global(*id),
                amount: part.amount.into(),
                status: part.status.into(),
                requested_at: times.requested,
                settled_at: times.settled,
            })
            .collect()
    }
}

impl PaymentObject {
    pub(super) fn new(record: &PaymentRecord, attempt: u32, times: &Times) -> Self {
        Self {
            id: global(record.payment),
            attempt,
            status: record.hold.into(),
            requested: record.requested.into(),
            authorised: record.authorised.into(),
            captured: record.captured().into(),
            refunded: record.refunded().into(),
            declined_reason: record.declined.map(Into::into),
            // It is known because somebody asked for it.
            requested_at: times.requested.unwrap_or_default(),
            authorised_at: times.authorised,
            closed_at: times.closed,
            captures: times.in_order(&record.captures),
            refunds: times.in_order(&record.refunds),
        }
    }
}

#[cfg(test)]
mod tests;
