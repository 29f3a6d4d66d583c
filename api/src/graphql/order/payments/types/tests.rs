//! The times of a payment's parts, and their order.

use chrono::TimeDelta;
use domain::{
    payment::{Part, PartStatus},
    testing::{eur, id, now},
    values::{CaptureId, OrderId, PaymentId},
};

use super::*;

fn asked_for(capture: CaptureId, at: Timestamp) -> PaymentEvent {
    let (payment, order): (PaymentId, OrderId) = (id(1), id(2));
    PaymentEvent::CaptureRequested { payment, order, capture, amount: eur(5), at }
}

fn captured(capture: CaptureId, at: Timestamp) -> PaymentEvent {
    let (payment, order): (PaymentId, OrderId) = (id(1), id(2));
    PaymentEvent::Captured { payment, order, capture, amount: eur(5), at }
}

/// The parts of these events, in the order in which they are shown: id, asked for, settled.
fn shown(events: &[PaymentEvent]) -> Vec<(ID, Timestamp, Option<Timestamp>)> {
    let mut times = Times::default();
    let mut parts: BTreeMap<CaptureId, Part> = BTreeMap::new();
    for event in events {
        times.take_in(event);
        if let PaymentEvent::CaptureRequested { capture, amount, .. } | PaymentEvent::Captured { capture, amount, .. } =
            event
        {
            parts.insert(*capture, Part { amount: *amount, status: PartStatus::Requested });
        }
    }
    times.in_order(&parts).into_iter().map(|part| (part.id, part.requested_at, part.settled_at)).collect()
}

#[test]
fn parts_of_one_moment_come_as_they_were_asked_for_and_not_by_their_ids() {
    for (first, second) in [(id(1), id(2)), (id(2), id(1))] {
        let later = now() + TimeDelta::seconds(1);
        let parts = shown(&[asked_for(first, now()), asked_for(second, now()), captured(second, later)]);
        assert_eq!(parts, [(global(first), now(), None), (global(second), now(), Some(later))]);
    }
}

#[test]
fn a_part_that_is_asked_for_anew_is_not_settled() {
    let later = now() + TimeDelta::seconds(1);
    let parts = shown(&[asked_for(id(1), now()), captured(id(1), now()), asked_for(id(1), later)]);
    assert_eq!(parts, [(global::<domain::values::CaptureKind>(id(1)), later, None)]);
}
