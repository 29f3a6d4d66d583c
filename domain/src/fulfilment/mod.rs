//! Fulfilment: an order's way through stock and payment, as a process manager.
//!
//! Placed, every counted piece reserved, money held, confirmed; then, shipment by shipment, the pieces leave the stock and
//! their money is taken. Money that was held too long by then is asked for again. When anything fails, what was done is
//! undone: reservations are released, money is let go of or given back, the order is cancelled with a reason that its
//! customer can read. Two timers: what is not paid in time is given up, what is not shipped in time is pointed out.
//! **Invariant:** money is taken only for pieces that left the house; what is taken otherwise is given back.
//! **Invariant:** an order that is over holds neither pieces nor money.
//! Slice map: domain/src/fulfilment/next.rs, api/src/processes/fulfilment.rs

mod instruction;
mod next;
mod refusal;
mod state;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use uuid::Uuid;

pub use instruction::Instruction;
pub use refusal::AfterRefusal;
pub use state::{FulfilmentState, Held, RENEWALS_MAX, renewal_of};

use crate::{
    Decider as _, Event, Owner, Process, Rejection, Timestamp, Unread,
    order::{Order, OrderEvent},
    payment::Payment,
    stock::Stock,
    values::OrderId,
};

/// How the stored names of those events of a stock begin that are no order's.
const OF_NO_ORDER: [&str; 2] = ["stock.received.", "stock.adjusted."];

/// The process manager of orders.
#[derive(Clone, Copy, Debug)]
pub struct Fulfilment {
    /// How long an order may wait for its money. As long its pieces are reserved.
    pub unpaid_after: TimeDelta,
    /// How long a confirmed order may lie in the house before it is pointed out.
    pub overdue_after: TimeDelta,
}

impl Fulfilment {
    /// What follows when an instruction is refused.
    pub fn refused(state: &FulfilmentState, instruction: &Instruction, rejection: &Rejection) -> AfterRefusal {
        refusal::after(state, instruction, rejection)
    }
}

impl Process for Fulfilment {
    const NAME: &'static str = "fulfilment";
    const VERSION: u32 = 1;
    const EVENTS: &'static [&'static str] = &["order.", "stock.", "payment."];
    type State = FulfilmentState;
    type Step = Instruction;

    fn key(event: &Event) -> Option<Uuid> {
        match event {
            Event::Order(event) => Some(event.order().uuid()),
            Event::Stock(event) => event.order().map(OrderId::uuid),
            Event::Payment(event) => Some(event.order().uuid()),
            Event::Product(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Follow(_)
            | Event::Post(_)
            | Event::Reaction(_)
            | Event::Inbox(_)
            | Event::Operator(_) => None,
        }
    }

    fn owner(unread: &Unread<'_>) -> Owner {
        match unread.category {
            Order::CATEGORY => Owner::Key(unread.stream),
            // What comes into the house is for everybody.
            Stock::CATEGORY if OF_NO_ORDER.iter().any(|name| unread.type_name.starts_with(name)) => Owner::Nobody,
            Stock::CATEGORY | Payment::CATEGORY => unread.id("order").map_or(Owner::Unknown, Owner::Key),
            _ => Owner::Unknown,
        }
    }

    fn starts(event: &Event) -> bool {
        matches!(event, Event::Order(OrderEvent::Placed { .. }))
    }

    fn evolve(state: FulfilmentState, event: &Event) -> FulfilmentState {
        state::evolve(state, event)
    }

    fn next(&self, state: &FulfilmentState, now: Timestamp) -> Vec<Instruction> {
        next::next(self, state, now)
    }

    fn step_id(step: &Instruction) -> Uuid {
        step.id
    }

    fn wake_at(&self, state: &FulfilmentState, now: Timestamp) -> Option<Timestamp> {
        next::wake_at(self, state, now)
    }

    fn concern(state: &FulfilmentState) -> Option<String> {
        next::concern(state)
    }
}
