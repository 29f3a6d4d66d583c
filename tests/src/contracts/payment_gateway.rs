//! The payment gateway's contract: the numbered promises of `PaymentGateway`, told by what the tokens of the sandbox do.
//!
//! What an adapter does when its provider fails in its own ways is tested in tests/it/payment_provider/faults.rs.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    payment::{DeclineReason, ProviderCall, ProviderFact},
    testing::{eur, token},
    values::{CaptureId, Label, Money, OrderId, PaymentId, RefundId},
};
use futures_util::future::join_all;
use infrastructure::{
    clock::{IdSource as _, SystemIds},
    payment_gateway::{Answer, GatewayError, NoticeError, PaymentGateway, ProviderNotice, ProviderNotices},
};

use crate::server::eventually;

/// The tests of this suite for one adapter.
#[macro_export]
macro_rules! payment_gateway_cases {
    ($adapter:ident => $factory:expr) => {
        $crate::contract_tests! {
            payment_gateway, $adapter => $factory, [
                a_good_card_is_charged_in_parts_and_given_back_to,
                a_bad_card_is_declined_with_its_reason,
                a_call_that_is_asked_again_is_answered_with_the_same_fact,
                a_call_that_is_asked_many_times_at_once_takes_effect_once,
                calls_of_many_payments_do_not_disturb_each_other,
                a_key_that_was_used_for_another_call_is_refused_without_effect,
                a_call_that_timed_out_tells_when_it_is_asked_again,
                a_provider_that_is_away_is_asked_until_it_is_back,
                no_more_is_taken_than_is_held_and_no_more_given_back_than_was_taken,
                a_capture_or_a_refund_may_fail,
                what_is_answered_later_is_told_in_the_end,
                what_is_answered_may_be_told_as_well,
            ]
        }
    };
}
pub use payment_gateway_cases as cases;

/// A gateway, and what its provider has told by itself.
#[derive(Debug)]
pub struct Subject {
    /// The gateway.
    pub gateway: Arc<dyn PaymentGateway>,
    /// The sink that it was made with.
    pub told: Arc<Told>,
}

/// Takes every notice.
#[derive(Debug, Default)]
pub struct Told(Mutex<Vec<ProviderNotice>>);

impl Told {
    /// What was told of a payment.
    fn of(&self, payment: PaymentId) -> Vec<ProviderFact> {
        let told = self.0.lock().expect("the lock");
        told.iter().filter(|notice| notice.payment == payment).map(|notice| notice.fact.clone()).collect()
    }
}

#[async_trait]
impl ProviderNotices for Told {
    async fn tell(&self, notice: ProviderNotice) -> Result<(), NoticeError> {
        self.0.lock().expect("the lock").push(notice);
        Ok(())
    }
}

/// One payment of 50 euro.
struct Payment<'a> {
    subject: &'a Subject,
    id: PaymentId,
    order: OrderId,
    token: &'static str,
}

impl<'a> Payment<'a> {
    fn new(subject: &'a Subject, token: &'static str) -> Self {
        Self { subject, id: PaymentId::new(SystemIds.fresh()), order: OrderId::new(SystemIds.fresh()), token }
    }

    fn authorise(&self) -> ProviderCall {
        let (payment, order, amount) = (self.id, self.order, eur(5000));
        ProviderCall::Authorise { payment, order, amount, token: token(self.token) }
    }

    /// Holds the money, however long it takes, and gives the provider's name for it.
    async fn held(&self) -> Label {
        let fact = self.settled(&self.authorise()).await;
        let ProviderFact::Authorised { reference, amount } = fact else { panic!("it is not held: {fact:?}") };
        assert_eq!(amount, eur(5000));
        reference
    }

    fn capture(&self, reference: &Label, amount: Money) -> (CaptureId, ProviderCall) {
        let (payment, capture, reference) = (self.id, CaptureId::new(SystemIds.fresh()), reference.clone());
        (capture, ProviderCall::Capture { payment, reference, capture, amount })
    }

    fn refund(&self, reference: &Label, amount: Money) -> (RefundId, ProviderCall) {
        let (payment, refund, reference) = (self.id, RefundId::new(SystemIds.fresh()), reference.clone());
        (refund, ProviderCall::Refund { payment, reference, refund, amount })
    }

    fn void(&self, reference: &Label) -> ProviderCall {
        ProviderCall::Void { payment: self.id, reference: reference.clone() }
    }

    async fn ask(&self, call: &ProviderCall) -> Result<Answer, GatewayError> {
        self.subject.gateway.call(call).await
    }

    /// The fact that a call ends in, asked as often as it takes.
    async fn settled(&self, call: &ProviderCall) -> ProviderFact {
        eventually("the call is answered", async || match self.ask(call).await {
            Ok(Answer::Fact(fact)) => Some(fact),
            Ok(Answer::Later) => None,
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                None
            }
        })
        .await
    }
}

/// Promise 3: each call ends in a fact of its own.
pub async fn a_good_card_is_charged_in_parts_and_given_back_to(subject: Subject) {
    for name in ["tok_visa", "tok_of_somebody"] {
        let payment = Payment::new(&subject, name);
        let reference = payment.held().await;
        for amount in [eur(3000), eur(1999)] {
            let (capture, call) = payment.capture(&reference, amount);
            assert_eq!(payment.settled(&call).await, ProviderFact::Captured { capture, amount });
        }
        assert_eq!(payment.settled(&payment.void(&reference)).await, ProviderFact::Voided);
        for amount in [eur(1), eur(4998)] {
            let (refund, call) = payment.refund(&reference, amount);
            assert_eq!(payment.settled(&call).await, ProviderFact::Refunded { refund, amount });
        }
    }
}

/// Promise 3: a decline is an answer.
pub async fn a_bad_card_is_declined_with_its_reason(subject: Subject) {
    for (name, reason) in [
        ("tok_declined", DeclineReason::InsufficientFunds),
        ("tok_fraud", DeclineReason::SuspectedFraud),
        ("tok_expired_card", DeclineReason::CardExpired),
    ] {
        let payment = Payment::new(&subject, name);
        assert_eq!(payment.ask(&payment.authorise()).await, Ok(Answer::Fact(ProviderFact::Declined { reason })));
    }
}

/// Promise 2.
pub async fn a_call_that_is_asked_again_is_answered_with_the_same_fact(subject: Subject) {
    let payment = Payment::new(&subject, "tok_visa");
    let reference = payment.held().await;
    let (capture, refund) = (payment.capture(&reference, eur(3000)).1, payment.refund(&reference, eur(1000)).1);
    for call in [payment.authorise(), capture, refund, payment.void(&reference), payment.authorise()] {
        let first = payment.ask(&call).await.expect("it is answered");
        for _ in 0..3 {
            assert_eq!(payment.ask(&call).await, Ok(first.clone()));
        }
    }
}

/// Promise 1: what is left tells how often it took effect.
pub async fn a_call_that_is_asked_many_times_at_once_takes_effect_once(subject: Subject) {
    let payment = Payment::new(&subject, "tok_visa");
    let reference = payment.held().await;
    let (capture, call) = payment.capture(&reference, eur(3000));
    for fact in join_all((0..20).map(|_| payment.settled(&call))).await {
        assert_eq!(fact, ProviderFact::Captured { capture, amount: eur(3000) });
    }
    let (_, over) = payment.capture(&reference, eur(2001));
    assert!(matches!(payment.settled(&over).await, ProviderFact::CaptureFailed { .. }));
    let (_, rest) = payment.capture(&reference, eur(2000));
    assert!(matches!(payment.settled(&rest).await, ProviderFact::Captured { .. }));
}

/// Calls of one payment answer for that payment.
pub async fn calls_of_many_payments_do_not_disturb_each_other(subject: Subject) {
    let payments: Vec<_> = (0..30).map(|_| Payment::new(&subject, "tok_visa")).collect();
    let references = join_all(payments.iter().map(Payment::held)).await;
    for (payment, reference) in payments.iter().zip(&references) {
        let (capture, call) = payment.capture(reference, eur(5000));
        assert_eq!(payment.settled(&call).await, ProviderFact::Captured { capture, amount: eur(5000) });
    }
}

/// Promise 5.
pub async fn a_key_that_was_used_for_another_call_is_refused_without_effect(subject: Subject) {
    let payment = Payment::new(&subject, "tok_visa");
    let reference = payment.held().await;
    let (capture, call) = payment.capture(&reference, eur(3000));
    payment.settled(&call).await;
    let other = ProviderCall::Capture { payment: payment.id, reference: reference.clone(), capture, amount: eur(1000) };
    let error = payment.ask(&other).await.expect_err("the key is the other call's");
    assert!(matches!(error, GatewayError::Refused { .. }) && !error.is_retryable(), "{error}");
    let (_, rest) = payment.capture(&reference, eur(2000));
    assert!(matches!(payment.settled(&rest).await, ProviderFact::Captured { .. }), "the rest was still there");
}

/// Promise 4: it had taken effect.
pub async fn a_call_that_timed_out_tells_when_it_is_asked_again(subject: Subject) {
    let payment = Payment::new(&subject, "tok_timeout");
    let reference = payment.held().await;
    let (capture, call) = payment.capture(&reference, eur(5000));
    assert_eq!(payment.settled(&call).await, ProviderFact::Captured { capture, amount: eur(5000) });
}

/// Promise 4: it had no effect.
pub async fn a_provider_that_is_away_is_asked_until_it_is_back(subject: Subject) {
    let payment = Payment::new(&subject, "tok_unreachable");
    let reference = payment.held().await;
    let (capture, call) = payment.capture(&reference, eur(5000));
    assert_eq!(payment.settled(&call).await, ProviderFact::Captured { capture, amount: eur(5000) });
}

/// The provider guards the money, too.
pub async fn no_more_is_taken_than_is_held_and_no_more_given_back_than_was_taken(subject: Subject) {
    let payment = Payment::new(&subject, "tok_visa");
    let reference = payment.held().await;
    let failed = payment.settled(&payment.capture(&reference, eur(5001)).1).await;
    assert!(matches!(failed, ProviderFact::CaptureFailed { .. }), "{failed:?}");
    payment.settled(&payment.capture(&reference, eur(3000)).1).await;
    let failed = payment.settled(&payment.refund(&reference, eur(3001)).1).await;
    assert!(matches!(failed, ProviderFact::RefundFailed { .. }), "{failed:?}");
    payment.settled(&payment.void(&reference)).await;
    let failed = payment.settled(&payment.capture(&reference, eur(1)).1).await;
    assert!(matches!(failed, ProviderFact::CaptureFailed { .. }), "{failed:?}");
}

/// Promise 3: a failure is an answer, under the key of its call.
pub async fn a_capture_or_a_refund_may_fail(subject: Subject) {
    let payment = Payment::new(&subject, "tok_capture_fails");
    let reference = payment.held().await;
    let (asked, call) = payment.capture(&reference, eur(1));
    let failed = payment.settled(&call).await;
    assert!(matches!(failed, ProviderFact::CaptureFailed { capture, .. } if capture == asked), "{failed:?}");

    let payment = Payment::new(&subject, "tok_refund_fails");
    let reference = payment.held().await;
    payment.settled(&payment.capture(&reference, eur(3000)).1).await;
    let (asked, call) = payment.refund(&reference, eur(1));
    let failed = payment.settled(&call).await;
    assert!(matches!(failed, ProviderFact::RefundFailed { refund, .. } if refund == asked), "{failed:?}");
}

/// Promise 6.
pub async fn what_is_answered_later_is_told_in_the_end(subject: Subject) {
    let payment = Payment::new(&subject, "tok_late");
    assert_eq!(payment.ask(&payment.authorise()).await, Ok(Answer::Later));
    let told = eventually("it is told", async || subject.told.of(payment.id).pop()).await;
    let reference = payment.held().await;
    assert_eq!(told, ProviderFact::Authorised { reference: reference.clone(), amount: eur(5000) });

    let (capture, call) = payment.capture(&reference, eur(5000));
    let taken = ProviderFact::Captured { capture, amount: eur(5000) };
    assert_eq!(payment.ask(&call).await, Ok(Answer::Later));
    eventually("it is told", async || subject.told.of(payment.id).contains(&taken).then_some(())).await;
    assert_eq!(payment.settled(&call).await, taken);
}

/// The same fact may come twice.
pub async fn what_is_answered_may_be_told_as_well(subject: Subject) {
    let payment = Payment::new(&subject, "tok_twice");
    let reference = payment.held().await;
    let told = eventually("it is told", async || subject.told.of(payment.id).pop()).await;
    assert_eq!(told, ProviderFact::Authorised { reference, amount: eur(5000) });
}

/// How long the suite's providers wait before they tell.
pub const TELL_AFTER: Duration = Duration::from_millis(50);
