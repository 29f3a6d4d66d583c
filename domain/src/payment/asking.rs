//! The process that asks the provider: whatever was requested is asked until it is answered.

use uuid::Uuid;

use super::{Hold, Payment, PaymentEvent, PaymentState, ProviderCall};
use crate::{Decider as _, Event, Owner, Process, Timestamp, Unread, values::PaymentId};

/// Asks the provider. Its steps are no commands but calls; what comes of them is recorded in the payment.
#[derive(Clone, Copy, Debug)]
pub struct Asking;

impl Process for Asking {
    const NAME: &'static str = "payments";
    const VERSION: u32 = 1;
    const EVENTS: &'static [&'static str] = &["payment."];
    type State = PaymentState;
    type Step = ProviderCall;

    fn key(event: &Event) -> Option<Uuid> {
        match event {
            Event::Payment(event) => Some(PaymentId::uuid(event.payment())),
            Event::Product(_)
            | Event::Order(_)
            | Event::Stock(_)
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
        if unread.category == Payment::CATEGORY { Owner::Key(unread.stream) } else { Owner::Unknown }
    }

    fn starts(event: &Event) -> bool {
        matches!(event, Event::Payment(PaymentEvent::Requested { .. }))
    }

    fn evolve(state: PaymentState, event: &Event) -> PaymentState {
        let Event::Payment(event) = event else { return state };
        match Payment::evolve(state, event) {
            // Nothing can be asked of it any more.
            PaymentState::Known(payment) if payment.hold == Hold::Declined => PaymentState::Unrequested,
            state @ (PaymentState::Known(_) | PaymentState::Unrequested) => state,
        }
    }

    fn next(&self, state: &PaymentState, _now: Timestamp) -> Vec<ProviderCall> {
        state.pending_calls()
    }

    fn step_id(step: &ProviderCall) -> Uuid {
        step.key()
    }

    fn wake_at(&self, _state: &PaymentState, _now: Timestamp) -> Option<Timestamp> {
        None // Nobody but the provider knows how long money is held.
    }

    fn concern(state: &PaymentState) -> Option<String> {
        let payment = state.known()?;
        let keys: Vec<String> = payment.in_doubt.iter().map(Uuid::to_string).collect();
        (!keys.is_empty()).then(|| format!("the provider's answers cannot be, for the keys {}", keys.join(", ")))
    }
}
