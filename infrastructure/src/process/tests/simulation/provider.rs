//! A provider whose moods are the dice's, with a ledger that forgives nothing.

use std::collections::HashMap;

use domain::{
    payment::{DeclineReason, ProviderCall, ProviderFact},
    testing::label,
    values::PaymentId,
};
use uuid::Uuid;

use super::{Dice, Tally};

/// What the provider says when it is asked.
pub(super) enum Said {
    Fact(ProviderFact),
    Later,
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Provider {
    /// Everything that took effect, under its key.
    pub(super) ledger: HashMap<Uuid, (ProviderCall, ProviderFact)>,
    notices: Vec<(PaymentId, ProviderFact)>,
}

impl Provider {
    pub(super) fn call(&mut self, call: &ProviderCall, dice: &mut Dice, has_faults: bool) -> Said {
        if has_faults && dice.percent(8) {
            return Said::Nothing; // It never heard of it.
        }
        let fact = if let Some((known, fact)) = self.ledger.get(&call.key()) {
            assert_eq!(known, call, "one key stands for two calls");
            fact.clone()
        } else {
            let fact = decide(call, dice, has_faults);
            self.ledger.insert(call.key(), (call.clone(), fact.clone()));
            fact
        };
        match dice.roll(100) {
            0..8 if has_faults => Said::Nothing, // It did it, and the answer got lost.
            8..18 if has_faults => {
                self.notices.push((call.payment(), fact));
                Said::Later
            }
            _ => Said::Fact(fact),
        }
    }

    pub(super) fn tell_again(&mut self, payment: PaymentId, fact: ProviderFact) {
        self.notices.push((payment, fact));
    }

    pub(super) fn take_notice(&mut self, dice: &mut Dice) -> Option<(PaymentId, ProviderFact)> {
        (!self.notices.is_empty()).then(|| self.notices.swap_remove(dice.index(self.notices.len())))
    }

    pub(super) fn has_told_all(&self) -> bool {
        self.notices.is_empty()
    }

    /// Money taken and given back for a payment, in cents.
    pub(super) fn moved(&self, payment: PaymentId) -> (i64, i64) {
        let facts = self.ledger.values().filter(|(call, _)| call.payment() == payment);
        facts.fold((0, 0), |(taken, given), (_, fact)| match fact {
            ProviderFact::Captured { amount, .. } => (taken + amount.minor(), given),
            ProviderFact::Refunded { amount, .. } => (taken, given + amount.minor()),
            ProviderFact::Authorised { .. }
            | ProviderFact::Declined { .. }
            | ProviderFact::CaptureFailed { .. }
            | ProviderFact::RefundFailed { .. }
            | ProviderFact::Voided
            | ProviderFact::Expired => (taken, given),
        })
    }

    pub(super) fn tally(&self, tally: &mut Tally) {
        let is_refund = |fact: &ProviderFact| matches!(fact, ProviderFact::Refunded { .. });
        tally.refunded += self.ledger.values().filter(|(_, fact)| is_refund(fact)).count();
    }
}

fn decide(call: &ProviderCall, dice: &mut Dice, has_faults: bool) -> ProviderFact {
    match call {
        ProviderCall::Authorise { token, .. } if token.as_str() == "tok_declined" => {
            ProviderFact::Declined { reason: DeclineReason::InsufficientFunds }
        }
        ProviderCall::Authorise { payment, amount, .. } => {
            ProviderFact::Authorised { reference: label(&format!("ref-{payment}")), amount: *amount }
        }
        ProviderCall::Capture { capture, amount, .. } => ProviderFact::Captured { capture: *capture, amount: *amount },
        ProviderCall::Void { .. } => ProviderFact::Voided,
        ProviderCall::Refund { refund, .. } if has_faults && dice.percent(10) => {
            ProviderFact::RefundFailed { refund: *refund, reason: label("no") }
        }
        ProviderCall::Refund { refund, amount, .. } => ProviderFact::Refunded { refund: *refund, amount: *amount },
    }
}
