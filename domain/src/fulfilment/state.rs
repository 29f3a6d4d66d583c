//! What the process remembers of an order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Decider as _, Event,
    order::{Order, OrderEvent, OrderState, OrderStatus, PlacedOrder},
    payment::{Hold, Payment, PaymentRecord, PaymentState},
    stock::StockEvent,
    values::{OrderId, PaymentId, PaymentToken, Pieces, StockId},
};

/// How often money that was held too long is asked for again.
pub const RENEWALS_MAX: u32 = 5;

/// The payment that asks an order's `attempt` for its money again, for the `number`-th time, counted from 1.
pub fn renewal_of(order: OrderId, attempt: u32, number: u32) -> PaymentId {
    PaymentId::named(&format!("{order}/{attempt}/{number}"))
}

/// An order, the pieces that are reserved for it, and its payments, as the log shows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FulfilmentState {
    /// Whose state this is; none while there is nothing to remember.
    pub id: Option<OrderId>,
    /// The order.
    pub order: OrderState,
    /// With what the attempt that counts is paid.
    pub token: Option<PaymentToken>,
    /// What is, or was, reserved for it.
    pub stocks: BTreeMap<StockId, Held>,
    /// Its payments, of all attempts.
    pub payments: BTreeMap<PaymentId, PaymentState>,
    /// The returns whose pieces are back in their stock, counted from 1.
    pub restocked: Vec<(u32, StockId)>,
}

/// Pieces of one stock that are, or were, reserved for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How many are still in the house.
    pub left: Pieces,
    /// How many left it.
    pub committed: Pieces,
}

impl FulfilmentState {
    /// The payment, if somebody asked for it.
    pub(super) fn payment(&self, payment: PaymentId) -> Option<&PaymentRecord> {
        self.payments.get(&payment).and_then(PaymentState::known)
    }

    /// The payment that is to hold the order's money, if somebody asked for it.
    pub(super) fn held_by(&self, placed: &PlacedOrder) -> Option<&PaymentRecord> {
        self.payment(self.holding(placed)?)
    }

    /// Every payment that somebody asked for.
    pub(super) fn known_payments(&self) -> impl Iterator<Item = &PaymentRecord> {
        self.payments.values().filter_map(PaymentState::known)
    }

    /// The payment that is to hold the order's money: of the attempt that counts the one that was asked for last.
    pub(super) fn holding(&self, placed: &PlacedOrder) -> Option<PaymentId> {
        let first = placed.current_payment()?;
        if self.payments.len() < 2 {
            return Some(first); // Nothing was asked for again.
        }
        let renewals = renewals(placed).take_while(|payment| self.payment(*payment).is_some());
        Some(renewals.last().unwrap_or(first))
    }

    /// The payment to ask for the money again that was held too long, if none of it was taken: what was taken of it stays with
    /// it, and a part of the money is nothing that a provider is asked to hold again.
    pub(super) fn renewal(&self, placed: &PlacedOrder) -> Option<PaymentId> {
        let lost = self.held_by(placed)?;
        let is_whole = lost.captured().is_zero() && lost.capturing().is_zero();
        let is_due = is_whole && lost.hold == Hold::Expired;
        is_due.then(|| renewals(placed).find(|payment| self.payment(*payment).is_none()))?
    }

    /// Whether nothing is left to do for it, whatever may come: then there is nothing to remember, either. A payment may
    /// still be asked for by a command that is under way, and a provider may change its mind; so whoever pays is remembered.
    fn is_over(&self, placed: &PlacedOrder) -> bool {
        let is_cancelled = placed.status == OrderStatus::Cancelled;
        is_cancelled && placed.payment.is_none() && self.holds_nothing()
    }

    fn holds_nothing(&self) -> bool {
        self.stocks.values().all(|held| held.left.is_zero())
    }
}

/// The payments that may ask for the money again, of the attempt that counts.
fn renewals(placed: &PlacedOrder) -> impl Iterator<Item = PaymentId> {
    let (order, attempt) = (placed.order, placed.payment.map_or(0, |payment| payment.attempt));
    (1..=RENEWALS_MAX).map(move |number| renewal_of(order, attempt, number))
}

pub(super) fn evolve(mut state: FulfilmentState, event: &Event) -> FulfilmentState {
    match event {
        Event::Order(event) => {
            state.id = Some(event.order());
            state.order = Order::evolve(state.order, event);
            if let OrderEvent::Placed { payment: token, .. } = event {
                state.token.clone_from(token);
            }
            if let OrderEvent::PaymentChosen { token, .. } = event {
                state.token = Some(token.clone());
            }
        }
        Event::Stock(event) => {
            state.id = event.order().or(state.id);
            take_in(&mut state, event);
        }
        Event::Payment(event) => {
            state.id = Some(event.order());
            let payment = state.payments.entry(event.payment()).or_default();
            *payment = Payment::evolve(std::mem::take(payment), event);
        }
        Event::Product(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Follow(_)
        | Event::Post(_)
        | Event::Reaction(_)
        | Event::Inbox(_)
        | Event::Operator(_) => {}
    }
    match state.order.placed() {
        // The shop sees to everything itself.
        Some(placed) if !placed.has_to_be_confirmed() => FulfilmentState::default(),
        Some(placed) if state.is_over(placed) => FulfilmentState::default(),
        None if state.holds_nothing() => FulfilmentState::default(),
        Some(_) | None => state,
    }
}

fn take_in(state: &mut FulfilmentState, event: &StockEvent) {
    match event {
        StockEvent::Received { .. } | StockEvent::Adjusted { .. } => {}
        StockEvent::Reserved { stock, pieces, .. } => {
            state.stocks.insert(*stock, Held { left: *pieces, committed: Pieces::ZERO });
        }
        StockEvent::Released { stock, .. } => {
            if let Some(held) = state.stocks.get_mut(stock) {
                held.left = Pieces::ZERO;
            }
        }
        StockEvent::Committed { stock, pieces, .. } => {
            if let Some(held) = state.stocks.get_mut(stock) {
                held.left = held.left.saturating_sub(*pieces);
                held.committed = held.committed.saturating_add(*pieces);
            }
        }
        StockEvent::Restocked { stock, number, .. } => state.restocked.push((*number, *stock)),
    }
}
