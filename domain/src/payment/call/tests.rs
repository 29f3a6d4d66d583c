//! What is asked of the provider, and when.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::{
    Decider as _,
    payment::{DeclineReason, Payment, PaymentCommand, PaymentEvent, PaymentRejection},
    testing::{
        capture_failed, capture_requested, eur, fold, id, label, now, payment_authorised, payment_captured,
        payment_declined, payment_expired, payment_requested, payment_voided, refund_failed, refund_requested,
        the_order, the_payment, token, usd, void_requested,
    },
};

fn authorise() -> ProviderCall {
    let (payment, order, amount) = (the_payment(), the_order(), eur(5000));
    ProviderCall::Authorise { payment, order, amount, token: token("tok_visa") }
}

fn capture(n: u128, amount: Money) -> ProviderCall {
    ProviderCall::Capture { payment: the_payment(), reference: label("auth-1"), capture: id(n), amount }
}

fn refund(n: u128, amount: Money) -> ProviderCall {
    ProviderCall::Refund { payment: the_payment(), reference: label("auth-1"), refund: id(n), amount }
}

fn void() -> ProviderCall {
    ProviderCall::Void { payment: the_payment(), reference: label("auth-1") }
}

fn pending(events: impl IntoIterator<Item = PaymentEvent>) -> Vec<ProviderCall> {
    fold::<Payment>(events).pending_calls()
}

/// 50 euro are held, and then this happens.
fn pending_with(more: impl IntoIterator<Item = PaymentEvent>) -> Vec<ProviderCall> {
    pending([payment_requested(eur(5000)), payment_authorised(eur(5000))].into_iter().chain(more))
}

fn contradicted(fact: ProviderFact) -> PaymentEvent {
    PaymentEvent::Contradicted { payment: the_payment(), order: the_order(), fact, at: now() }
}

#[test]
fn nothing_but_the_hold_is_asked_for_before_there_is_an_answer() {
    assert_eq!(pending([]), []);
    assert_eq!(pending([payment_requested(eur(5000))]), [authorise()]);
    assert_eq!(pending([payment_requested(eur(5000)), void_requested()]), [authorise()]);
}

#[test]
fn what_is_answered_is_not_asked_again() {
    assert_eq!(pending_with([]), []);
    for end in [payment_declined(DeclineReason::Refused), payment_voided(), payment_expired()] {
        assert_eq!(pending([payment_requested(eur(5000)), void_requested(), end]), []);
    }
    let asked = capture_requested(id(1), eur(3000));
    assert_eq!(pending_with([asked.clone(), payment_captured(id(1), eur(3000))]), []);
    assert_eq!(pending_with([asked, capture_failed(id(1))]), []);
    let taken = payment_captured(id(1), eur(3000));
    assert_eq!(pending_with([taken, refund_requested(id(2), eur(3000)), refund_failed(id(2))]), []);
    assert_eq!(pending_with([void_requested(), payment_voided()]), []);
}

#[test]
fn what_is_left_is_let_go_of_after_all_that_is_taken() {
    assert_eq!(pending_with([void_requested()]), [void()]);
    let both = [capture_requested(id(1), eur(3000)), void_requested()];
    assert_eq!(pending_with(both.clone()), [capture(1, eur(3000))]);
    let taken = both.into_iter().chain([payment_captured(id(1), eur(3000)), refund_requested(id(2), eur(1000))]);
    assert_eq!(pending_with(taken), [void(), refund(2, eur(1000))]);
}

#[test]
fn a_capture_is_asked_for_although_the_hold_is_over() {
    // It may have come through before: only the provider knows.
    for end in [payment_voided(), payment_expired()] {
        let calls = pending_with([capture_requested(id(1), eur(3000)), end]);
        assert_eq!(calls, [capture(1, eur(3000))]);
    }
}

#[test]
fn no_more_is_given_back_than_is_there() {
    let asked = [
        payment_captured(id(1), eur(3000)),
        refund_requested(id(2), eur(2000)),
        refund_requested(id(3), eur(1000)),
        PaymentEvent::Refunded {
            payment: the_payment(),
            order: the_order(),
            refund: id(9),
            amount: eur(1500),
            at: now(),
        },
    ];
    assert_eq!(pending_with(asked), [refund(3, eur(1000))], "somebody gave some back by hand");
}

#[test]
fn an_answer_that_cannot_be_is_an_answer() {
    let wrong = ProviderFact::Authorised { reference: label("auth-2"), amount: eur(4000) };
    let asked = [payment_requested(eur(5000)), contradicted(wrong)];
    assert_eq!(pending(asked.clone()), []);
    let reference = label("auth-2");
    let let_go = ProviderCall::Void { payment: the_payment(), reference };
    assert_eq!(pending(asked.clone().into_iter().chain([void_requested()])), [let_go]);
    assert_eq!(pending(asked.into_iter().chain([void_requested(), payment_voided()])), []);

    let wrong = ProviderFact::Captured { capture: id(1), amount: eur(1) };
    assert_eq!(pending_with([capture_requested(id(1), eur(3000)), contradicted(wrong)]), []);
    let wrong = ProviderFact::Refunded { refund: id(2), amount: usd(3000) };
    let taken = payment_captured(id(1), eur(3000));
    assert_eq!(pending_with([taken, refund_requested(id(2), eur(3000)), contradicted(wrong)]), []);
}

#[test]
fn what_answers_nothing_changes_nothing() {
    let known = [capture_requested(id(1), eur(3000))];
    let other = ProviderFact::Captured { capture: id(7), amount: eur(9999) };
    let again = ProviderFact::Authorised { reference: label("auth-9"), amount: eur(1) };
    let nonsense = [contradicted(other), contradicted(again)];
    assert_eq!(pending_with(known.into_iter().chain(nonsense)), [capture(1, eur(3000))]);
}

#[test]
fn a_key_stays_and_is_the_key_of_one_call() {
    let calls = [authorise(), capture(1, eur(1)), refund(2, eur(1)), void()];
    let keys: HashSet<Uuid> = calls.iter().map(ProviderCall::key).collect();
    assert_eq!(keys.len(), calls.len());
    // Written out: a provider has seen these.
    let n = |n| format!("01900000-0000-7000-8000-00000000000{n}");
    let expected = [n(3), n(1), n(2), "321e3129-d48c-584a-8998-a09e9c589a70".to_owned()];
    assert_eq!(calls.each_ref().map(|call| call.key().to_string()), expected);
    assert_eq!(calls.map(|call| call.name()), ["authorise", "capture", "refund", "void"]);
}

/// One moment in the life of a payment.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody wants something.
    Want(PaymentCommand),
    /// The provider answers one of the pending calls.
    Answer { which: usize, how: How },
    /// It tells something that nobody asked about.
    Tell(ProviderFact),
}

#[derive(Clone, Copy, Debug)]
enum How {
    Well,
    Badly,
    WithOtherMoney,
}

fn any_step() -> impl Strategy<Value = Step> {
    let amount = || (0..4000_i64).prop_map(eur);
    // Ids are unique, whatever they are of: a key belongs to one call.
    let (capture, refund) = (move || (10..14_u128, amount()), move || (20..24_u128, amount()));
    let how = prop_oneof![3 => Just(How::Well), 1 => Just(How::Badly), 1 => Just(How::WithOtherMoney)];
    prop_oneof![
        4 => capture().prop_map(|(n, amount)| Step::Want(PaymentCommand::Capture { capture: id(n), amount })),
        4 => refund().prop_map(|(n, amount)| {
            Step::Want(PaymentCommand::Refund { refund: id(n), amount, reason: label("returned") })
        }),
        1 => Just(Step::Want(PaymentCommand::Void)),
        8 => (0..4_usize, how).prop_map(|(which, how)| Step::Answer { which, how }),
        1 => capture().prop_map(|(n, amount)| Step::Tell(ProviderFact::Captured { capture: id(n), amount })),
        1 => refund().prop_map(|(n, amount)| Step::Tell(ProviderFact::Refunded { refund: id(n), amount })),
        1 => Just(Step::Tell(ProviderFact::Expired)),
    ]
}

fn answer(call: &ProviderCall, how: How) -> ProviderFact {
    let said = |amount: &Money| match how {
        How::Well | How::Badly => *amount,
        How::WithOtherMoney => eur(amount.minor() + 1),
    };
    let reason = label("no");
    match (call, how) {
        (ProviderCall::Authorise { .. }, How::Badly) => ProviderFact::Declined { reason: DeclineReason::Refused },
        (ProviderCall::Authorise { amount, .. }, How::Well | How::WithOtherMoney) => {
            ProviderFact::Authorised { reference: label("auth-1"), amount: said(amount) }
        }
        (ProviderCall::Capture { capture, .. }, How::Badly) => {
            ProviderFact::CaptureFailed { capture: *capture, reason }
        }
        (ProviderCall::Capture { capture, amount, .. }, How::Well | How::WithOtherMoney) => {
            ProviderFact::Captured { capture: *capture, amount: said(amount) }
        }
        (ProviderCall::Void { .. }, How::Badly) => ProviderFact::Expired,
        (ProviderCall::Void { .. }, How::Well | How::WithOtherMoney) => ProviderFact::Voided,
        (ProviderCall::Refund { refund, .. }, How::Badly) => ProviderFact::RefundFailed { refund: *refund, reason },
        (ProviderCall::Refund { refund, amount, .. }, How::Well | How::WithOtherMoney) => {
            ProviderFact::Refunded { refund: *refund, amount: said(amount) }
        }
    }
}

fn after(state: PaymentState, command: PaymentCommand) -> Result<PaymentState, PaymentRejection> {
    let events = Payment::decide(&state, command, now())?;
    Ok(events.iter().fold(state, Payment::evolve))
}

/// What must hold at any time.
fn check(state: &PaymentState) {
    let calls = state.pending_calls();
    let record = state.known().expect("it was requested");
    let keys: HashSet<Uuid> = calls.iter().map(ProviderCall::key).collect();
    assert_eq!(keys.len(), calls.len(), "two calls with one key");
    let (mut capturing, mut refunding) = (0, 0);
    for call in &calls {
        match call {
            ProviderCall::Authorise { .. } => assert_eq!(calls.len(), 1, "nothing beside it"),
            ProviderCall::Void { .. } => assert_eq!(capturing, 0, "it is let go of while it is taken"),
            ProviderCall::Capture { amount, .. } => capturing += amount.minor(),
            ProviderCall::Refund { amount, .. } => refunding += amount.minor(),
        }
    }
    let (captured, refunded) = (record.captured().minor(), record.refunded().minor());
    assert!(record.authorised.minor() >= captured && captured >= refunded);
    assert!(captured >= refunded + refunding, "more is given back than was taken");
}

proptest! {
    #[test]
    fn a_provider_that_answers_everything_comes_to_an_end(steps in proptest::collection::vec(any_step(), 0..40)) {
        let mut state = fold::<Payment>([payment_requested(eur(5000))]);
        for step in steps {
            let (command, asked) = match step {
                Step::Want(command) => (command, None),
                Step::Tell(fact) => (PaymentCommand::Record(fact), None),
                Step::Answer { which, how } => {
                    let calls = state.pending_calls();
                    let Some(call) = calls.get(which % calls.len().max(1)) else { continue };
                    (PaymentCommand::Record(answer(call, how)), Some(call.key()))
                }
            };
            match after(state.clone(), command) {
                Ok(next) => state = next,
                Err(rejection) => prop_assert!(asked.is_none(), "an answer is not taken: {rejection}"),
            }
            check(&state);
            prop_assert!(state.pending_calls().iter().all(|call| Some(call.key()) != asked), "it is asked again");
        }
        let mut answered = HashSet::new();
        while let Some(call) = state.pending_calls().first() {
            prop_assert!(answered.insert(call.key()), "it is asked again");
            let fact = PaymentCommand::Record(answer(call, How::Well));
            state = after(state, fact).map_err(|rejection| TestCaseError::fail(rejection.to_string()))?;
            check(&state);
        }
    }
}
