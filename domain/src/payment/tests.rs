//! A payment's rules as sentences.

use proptest::prelude::*;

use super::*;
use crate::{
    testing::{
        capture_failed, capture_requested, eur, fold, given, id, label, now, payment_authorised, payment_captured,
        payment_declined, payment_expired, payment_refunded, payment_requested, payment_voided, refund_failed,
        refund_requested, the_order, the_payment, token, usd, void_requested,
    },
    values::Money,
};

fn request(amount: Money) -> PaymentCommand {
    PaymentCommand::Request { payment: the_payment(), order: the_order(), amount, token: token("tok_visa") }
}

fn capture(n: u128, amount: Money) -> PaymentCommand {
    PaymentCommand::Capture { capture: id(n), amount }
}

fn refund(n: u128, amount: Money) -> PaymentCommand {
    PaymentCommand::Refund { refund: id(n), amount, reason: label("returned") }
}

const fn record(fact: ProviderFact) -> PaymentCommand {
    PaymentCommand::Record(fact)
}

fn is_authorised(amount: Money) -> ProviderFact {
    ProviderFact::Authorised { reference: label("auth-1"), amount }
}

fn is_captured(n: u128, amount: Money) -> ProviderFact {
    ProviderFact::Captured { capture: id(n), amount }
}

fn capture_fails(n: u128) -> ProviderFact {
    ProviderFact::CaptureFailed { capture: id(n), reason: label("no") }
}

fn is_refunded(n: u128, amount: Money) -> ProviderFact {
    ProviderFact::Refunded { refund: id(n), amount }
}

fn refund_fails(n: u128) -> ProviderFact {
    ProviderFact::RefundFailed { refund: id(n), reason: label("no") }
}

const DECLINED: ProviderFact = ProviderFact::Declined { reason: DeclineReason::Refused };

fn contradicted(fact: ProviderFact) -> PaymentEvent {
    PaymentEvent::Contradicted { payment: the_payment(), order: the_order(), fact, at: now() }
}

/// 50 euro are held.
fn held() -> Vec<PaymentEvent> {
    vec![payment_requested(eur(5000)), payment_authorised(eur(5000))]
}

fn held_and(more: impl IntoIterator<Item = PaymentEvent>) -> Vec<PaymentEvent> {
    held().into_iter().chain(more).collect()
}

#[test]
fn money_is_asked_for_once() {
    given::<Payment>([]).when(request(eur(5000))).then([payment_requested(eur(5000))]);
    given::<Payment>([]).when(request(eur(0))).then_rejected(&PaymentRejection::NoAmount);
    given::<Payment>(held()).when(request(eur(5000))).then_rejected(&PaymentRejection::AlreadyRequested);
}

#[test]
fn what_nobody_asked_for_is_not_found() {
    let commands = [capture(1, eur(1)), PaymentCommand::Void, refund(1, eur(1)), record(ProviderFact::Voided)];
    for command in commands {
        given::<Payment>([]).when(command).then_rejected(&PaymentRejection::NotFound);
    }
}

#[test]
fn money_is_held_or_it_is_not() {
    let asked = || given::<Payment>([payment_requested(eur(5000))]);
    asked().when(record(is_authorised(eur(5000)))).then([payment_authorised(eur(5000))]);
    asked().when(record(DECLINED)).then([payment_declined(DeclineReason::Refused)]);
    asked().when(record(ProviderFact::Voided)).then([payment_voided()]);
    asked().when(record(ProviderFact::Expired)).then([payment_expired()]);
}

#[test]
fn a_part_of_the_money_buys_nothing() {
    for amount in [eur(4999), eur(5001), usd(5000)] {
        let fact = is_authorised(amount);
        given::<Payment>([payment_requested(eur(5000))]).when(record(fact.clone())).then([contradicted(fact)]);
    }
}

#[test]
fn what_is_told_twice_changes_nothing() {
    let refunded = held_and([payment_captured(id(1), eur(3000)), payment_refunded(id(1), eur(1000))]);
    for fact in [is_authorised(eur(5000)), is_captured(1, eur(3000)), is_refunded(1, eur(1000))] {
        given::<Payment>(refunded.clone()).when(record(fact)).then([]);
    }
    let declined = [payment_requested(eur(5000)), payment_declined(DeclineReason::Refused)];
    for fact in [DECLINED, ProviderFact::Voided, ProviderFact::Expired] {
        given::<Payment>(declined.clone()).when(record(fact)).then([]);
    }
    let failed = held_and([capture_requested(id(1), eur(1)), capture_failed(id(1))]);
    given::<Payment>(failed).when(record(capture_fails(1))).then([]);
}

#[test]
fn money_is_taken_in_parts_and_never_more_than_is_held() {
    given::<Payment>(held()).when(capture(1, eur(3000))).then([capture_requested(id(1), eur(3000))]);
    let taking = held_and([capture_requested(id(1), eur(3000))]);
    given::<Payment>(taking.clone()).when(capture(2, eur(2000))).then([capture_requested(id(2), eur(2000))]);
    let over = PaymentRejection::OverAuthorised { left: eur(2000) };
    given::<Payment>(taking.clone()).when(capture(2, eur(2001))).then_rejected(&over);
    let taken = [taking.as_slice(), &[payment_captured(id(1), eur(3000))]].concat();
    given::<Payment>(taken).when(capture(2, eur(2001))).then_rejected(&over);
    let failed = [taking.as_slice(), &[capture_failed(id(1))]].concat();
    given::<Payment>(failed).when(capture(2, eur(5000))).then([capture_requested(id(2), eur(5000))]);
}

#[test]
fn a_key_stands_for_one_amount() {
    let taking = held_and([capture_requested(id(1), eur(3000))]);
    given::<Payment>(taking.clone()).when(capture(1, eur(3000))).then([]);
    let reused = PaymentRejection::KeyReused { amount: eur(3000) };
    given::<Payment>(taking).when(capture(1, eur(2000))).then_rejected(&reused);
    let giving = held_and([payment_captured(id(1), eur(5000)), refund_requested(id(1), eur(3000))]);
    given::<Payment>(giving.clone()).when(refund(1, eur(3000))).then([]);
    given::<Payment>(giving).when(refund(1, eur(2000))).then_rejected(&reused);
}

#[test]
fn a_payment_keeps_its_currency_and_nothing_is_done_with_no_money() {
    let taken = held_and([payment_captured(id(9), eur(100))]);
    for command in [capture(1, usd(1)), refund(1, usd(1))] {
        let other = PaymentRejection::OtherCurrency { expected: "EUR" };
        given::<Payment>(taken.clone()).when(command).then_rejected(&other);
    }
    for command in [capture(1, eur(0)), refund(1, eur(0))] {
        given::<Payment>(taken.clone()).when(command).then_rejected(&PaymentRejection::NoAmount);
    }
}

#[test]
fn nothing_is_taken_that_is_not_held() {
    let asked = [payment_requested(eur(5000))];
    given::<Payment>(asked.clone()).when(capture(1, eur(1))).then_rejected(&PaymentRejection::NotAuthorised);
    for end in [payment_voided(), payment_expired(), void_requested()] {
        given::<Payment>(held_and([end])).when(capture(1, eur(1))).then_rejected(&PaymentRejection::NotHeld);
    }
    let declined = [asked.as_slice(), &[payment_declined(DeclineReason::CardExpired)]].concat();
    given::<Payment>(declined).when(capture(1, eur(1))).then_rejected(&PaymentRejection::NotHeld);
}

#[test]
fn what_is_left_is_let_go_of_once() {
    given::<Payment>([payment_requested(eur(5000))]).when(PaymentCommand::Void).then([void_requested()]);
    given::<Payment>(held()).when(PaymentCommand::Void).then([void_requested()]);
    let partly = held_and([payment_captured(id(1), eur(3000))]);
    given::<Payment>(partly).when(PaymentCommand::Void).then([void_requested()]);
    for end in [void_requested(), payment_voided(), payment_expired()] {
        given::<Payment>(held_and([end])).when(PaymentCommand::Void).then([]);
    }
    let taking = held_and([capture_requested(id(1), eur(3000))]);
    given::<Payment>(taking).when(PaymentCommand::Void).then_rejected(&PaymentRejection::CaptureUnderWay);
}

#[test]
fn money_is_given_back_in_parts_and_never_more_than_was_taken() {
    let taken = held_and([payment_captured(id(1), eur(3000))]);
    given::<Payment>(taken.clone()).when(refund(1, eur(1000))).then([refund_requested(id(1), eur(1000))]);
    let giving = [taken.as_slice(), &[refund_requested(id(1), eur(1000))]].concat();
    let over = PaymentRejection::OverCaptured { left: eur(2000) };
    given::<Payment>(giving.clone()).when(refund(2, eur(2001))).then_rejected(&over);
    given::<Payment>(giving.clone()).when(record(is_refunded(1, eur(1000)))).then([payment_refunded(id(1), eur(1000))]);
    given::<Payment>(giving.clone()).when(record(refund_fails(1))).then([refund_failed(id(1))]);
    let failed = [giving.as_slice(), &[refund_failed(id(1))]].concat();
    given::<Payment>(failed).when(refund(2, eur(3000))).then([refund_requested(id(2), eur(3000))]);
    given::<Payment>(held()).when(refund(1, eur(1))).then_rejected(&PaymentRejection::OverCaptured { left: eur(0) });
}

#[test]
fn money_that_was_taken_is_given_back_when_nothing_is_held_any_more() {
    for end in [payment_voided(), payment_expired()] {
        let over = held_and([payment_captured(id(1), eur(3000)), end]);
        given::<Payment>(over).when(refund(1, eur(3000))).then([refund_requested(id(1), eur(3000))]);
    }
}

#[test]
fn what_is_told_before_its_beginning_is_to_be_told_again() {
    let asked = [payment_requested(eur(5000))];
    for fact in [is_captured(1, eur(3000)), is_refunded(1, eur(3000))] {
        given::<Payment>(asked.clone()).when(record(fact)).then_rejected(&PaymentRejection::NotYet);
    }
    let taking = held_and([capture_requested(id(1), eur(3000))]);
    given::<Payment>(taking).when(record(is_refunded(1, eur(3000)))).then_rejected(&PaymentRejection::NotYet);
}

#[test]
fn what_is_done_by_hand_at_the_provider_is_taken_in_as_far_as_it_can_be() {
    given::<Payment>(held()).when(record(is_captured(7, eur(5000)))).then([payment_captured(id(7), eur(5000))]);
    let taken = held_and([payment_captured(id(7), eur(5000))]);
    given::<Payment>(taken).when(record(is_refunded(8, eur(5000)))).then([payment_refunded(id(8), eur(5000))]);
}

#[test]
fn a_capture_that_is_said_to_have_failed_may_have_come_through_all_the_same() {
    let failed = held_and([capture_requested(id(1), eur(3000)), capture_failed(id(1))]);
    given::<Payment>(failed).when(record(is_captured(1, eur(3000)))).then([payment_captured(id(1), eur(3000))]);
    let late = held_and([capture_requested(id(1), eur(3000)), payment_expired()]);
    given::<Payment>(late).when(record(is_captured(1, eur(3000)))).then([payment_captured(id(1), eur(3000))]);
}

#[test]
fn what_cannot_be_is_written_down_and_changes_nothing() {
    let taken = held_and([payment_captured(id(1), eur(3000)), payment_refunded(id(1), eur(1000))]);
    let impossible = [
        is_authorised(eur(4000)),
        DECLINED,
        is_captured(1, eur(2000)),
        is_captured(2, eur(2001)),
        is_captured(2, usd(1)),
        is_captured(2, eur(0)),
        capture_fails(1),
        capture_fails(2),
        is_refunded(1, eur(999)),
        is_refunded(2, eur(2001)),
        refund_fails(1),
        refund_fails(2),
    ];
    for fact in impossible {
        given::<Payment>(taken.clone()).when(record(fact.clone())).then([contradicted(fact)]);
    }
    for end in [payment_voided(), payment_expired()] {
        for fact in [is_authorised(eur(5000)), DECLINED] {
            let over = [payment_requested(eur(5000)), end.clone()];
            given::<Payment>(over).when(record(fact.clone())).then([contradicted(fact)]);
        }
    }
    let before = fold::<Payment>(taken);
    assert_eq!(Payment::evolve(before.clone(), &contradicted(DECLINED)), before);
}

fn any_command() -> impl Strategy<Value = PaymentCommand> {
    let amount = || (0..4000_i64).prop_map(eur);
    let part = move || (0..4_u128, amount());
    prop_oneof![
        1 => Just(request(eur(5000))),
        4 => part().prop_map(|(key, amount)| capture(key, amount)),
        1 => Just(PaymentCommand::Void),
        4 => part().prop_map(|(key, amount)| refund(key, amount)),
        3 => prop_oneof![Just(eur(5000)), amount()].prop_map(|amount| record(is_authorised(amount))),
        1 => Just(record(DECLINED)),
        4 => part().prop_map(|(key, amount)| record(is_captured(key, amount))),
        1 => (0..4_u128).prop_map(|key| record(capture_fails(key))),
        1 => Just(record(ProviderFact::Voided)),
        4 => part().prop_map(|(key, amount)| record(is_refunded(key, amount))),
        1 => (0..4_u128).prop_map(|key| record(refund_fails(key))),
        1 => Just(record(ProviderFact::Expired)),
    ]
}

proptest! {
    #[test]
    fn whatever_the_provider_says_the_money_adds_up(commands in proptest::collection::vec(any_command(), 0..60)) {
        let mut state = fold::<Payment>([payment_requested(eur(5000))]);
        let (mut authorised, mut captured, mut refunded) = (0, 0, 0);
        for command in commands {
            let Ok(events) = Payment::decide(&state, command.clone(), now()) else { continue };
            for event in &events {
                match event.moved() {
                    Some(Moved::Held(amount)) => {
                        prop_assert_eq!(authorised, 0, "held twice");
                        authorised += amount.minor();
                    }
                    Some(Moved::Taken(amount)) => captured += amount.minor(),
                    Some(Moved::GivenBack(_, amount)) => refunded += amount.minor(),
                    None => {}
                }
                state = Payment::evolve(state, event);
            }
            prop_assert!(authorised >= captured && captured >= refunded, "{authorised} {captured} {refunded}");
            let Some(payment) = state.known() else { continue };
            prop_assert_eq!((payment.captured().minor(), payment.refunded().minor()), (captured, refunded));
            // Sent again, it changes nothing, unless it cannot be and is written down once more.
            let again = Payment::decide(&state, command, now());
            let is_quiet = |events: &[PaymentEvent]| {
                events.iter().all(|event| matches!(event, PaymentEvent::Contradicted { .. }))
            };
            prop_assert!(again.as_deref().map_or(true, is_quiet), "{again:?}");
        }
    }
}
