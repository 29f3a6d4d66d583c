//! Payments: one attempt to be paid for an order, as the provider tells of it.
//!
//! Money is asked for and held (authorised), taken in one or several parts (captured), and given back (refunded); what is
//! not taken is let go of (voided) or lost by time (expired). What is wanted and what the provider says are events of their
//! own: a request that stands in the log is carried out until there is an answer, and an answer may come twice, by another
//! way, or out of order. Each taking and giving back has an id of its own, the provider's key for it, so that the same fact is
//! known again however it comes.
//! **Invariant:** what is held is never less than what was taken, and what was taken never less than what was given back. A
//! fact that says otherwise is written down and changes nothing.
//! Slice map: domain/src/payment/decide.rs

mod asking;
mod call;
mod command;
mod decide;
mod event;
mod record;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use asking::Asking;
pub use call::ProviderCall;
pub use command::{PaymentCommand, ProviderFact};
pub use event::{DeclineReason, Moved, PaymentEvent, SECRETS};
pub use rejection::PaymentRejection;
pub use state::{Hold, Part, PartStatus, PaymentRecord, PaymentState};

use uuid::Uuid;

use crate::{
    Decider, Timestamp,
    values::{CaptureId, RefundId},
};

/// The payment aggregate.
#[derive(Debug)]
pub enum Payment {}

impl Decider for Payment {
    const CATEGORY: &'static str = "payment";
    type State = PaymentState;
    type Command = PaymentCommand;
    type Event = PaymentEvent;
    type Rejection = PaymentRejection;

    fn decide(
        state: &PaymentState,
        command: PaymentCommand,
        now: Timestamp,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: PaymentState, event: &PaymentEvent) -> PaymentState {
        state::evolve(state, event)
    }

    fn weight(state: &PaymentState) -> usize {
        let parts = state.known().map_or(0, |payment| {
            payment.captures.len() * size_of::<(CaptureId, Part)>()
                + payment.refunds.len() * size_of::<(RefundId, Part)>()
                + payment.in_doubt.len() * size_of::<Uuid>()
        });
        size_of::<PaymentState>() + parts
    }
}
