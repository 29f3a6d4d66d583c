//! The sandbox, token by token.

use domain::{
    payment::DeclineReason,
    testing::{eur, id, the_order, the_payment, token},
    values::Money,
};

use super::*;
use crate::payment_gateway::NoticeError;

/// Takes notices, after it has refused the first ones.
#[derive(Debug, Default)]
struct Told {
    refusals: Mutex<Vec<NoticeError>>,
    taken: Mutex<Vec<ProviderNotice>>,
}

#[async_trait]
impl ProviderNotices for Told {
    async fn tell(&self, notice: ProviderNotice) -> Result<(), NoticeError> {
        if let Some(refusal) = self.refusals.lock().expect("the lock").pop() {
            return Err(refusal);
        }
        self.taken.lock().expect("the lock").push(notice);
        Ok(())
    }
}

struct Setup {
    sandbox: Sandbox,
    told: Arc<Told>,
}

impl Setup {
    fn new() -> Self {
        Self::with(SandboxOptions::default())
    }

    fn with(options: SandboxOptions) -> Self {
        let told = Arc::new(Told::default());
        Self { sandbox: Sandbox::new(options, told.clone(), Lifecycle::new()), told }
    }

    async fn ask(&self, call: &ProviderCall) -> Result<Answer, GatewayError> {
        self.sandbox.call(call).await
    }

    /// The fact that answers this call now.
    async fn fact(&self, call: &ProviderCall) -> ProviderFact {
        match self.ask(call).await {
            Ok(Answer::Fact(fact)) => fact,
            other => panic!("{call:?} is answered with {other:?}"),
        }
    }

    /// Holds 50 euro and gives the reference.
    async fn held(&self, token_text: &str) -> Label {
        let fact = self.fact(&authorise(token_text)).await;
        let ProviderFact::Authorised { reference, amount } = fact else { panic!("it is not held: {fact:?}") };
        assert_eq!(amount, eur(5000));
        reference
    }

    fn notices(&self) -> Vec<ProviderNotice> {
        self.told.taken.lock().expect("the lock").clone()
    }
}

fn authorise(token_text: &str) -> ProviderCall {
    let (payment, order, amount) = (the_payment(), the_order(), eur(5000));
    ProviderCall::Authorise { payment, order, amount, token: token(token_text) }
}

fn capture(reference: &Label, n: u128, amount: Money) -> ProviderCall {
    ProviderCall::Capture { payment: the_payment(), reference: reference.clone(), capture: id(n), amount }
}

fn refund(reference: &Label, n: u128, amount: Money) -> ProviderCall {
    ProviderCall::Refund { payment: the_payment(), reference: reference.clone(), refund: id(n), amount }
}

fn void(reference: &Label) -> ProviderCall {
    ProviderCall::Void { payment: the_payment(), reference: reference.clone() }
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_card_that_is_good_pays() {
    for text in ["tok_visa", "tok_of_somebody", "anything"] {
        let setup = Setup::new();
        let reference = setup.held(text).await;
        let taken = setup.fact(&capture(&reference, 1, eur(3000))).await;
        assert_eq!(taken, ProviderFact::Captured { capture: id(1), amount: eur(3000) });
        assert_eq!(setup.fact(&void(&reference)).await, ProviderFact::Voided);
        let given = setup.fact(&refund(&reference, 2, eur(1000))).await;
        assert_eq!(given, ProviderFact::Refunded { refund: id(2), amount: eur(1000) });
        let account = Account { authorised: 5000, captured: 3000, refunded: 1000, is_voided: true };
        assert_eq!(setup.sandbox.account(the_payment()), Some(account));
    }
}

#[tokio::test]
async fn cards_are_declined_as_their_token_says() {
    for (text, reason) in [
        ("tok_declined", DeclineReason::InsufficientFunds),
        ("tok_fraud", DeclineReason::SuspectedFraud),
        ("tok_expired_card", DeclineReason::CardExpired),
    ] {
        let setup = Setup::new();
        assert_eq!(setup.fact(&authorise(text)).await, ProviderFact::Declined { reason });
        assert_eq!(setup.sandbox.account(the_payment()), None, "nothing is held");
    }
}

#[tokio::test]
async fn what_is_asked_twice_is_done_once() {
    let setup = Setup::new();
    let reference = setup.held("tok_visa").await;
    for call in [capture(&reference, 1, eur(3000)), refund(&reference, 2, eur(1000)), authorise("tok_visa")] {
        assert_eq!(setup.fact(&call).await, setup.fact(&call).await);
    }
    let account = setup.sandbox.account(the_payment()).expect("it is known");
    assert_eq!((account.captured, account.refunded), (3000, 1000));
}

#[tokio::test]
async fn a_key_is_the_key_of_one_call() {
    let setup = Setup::new();
    let reference = setup.held("tok_visa").await;
    setup.fact(&capture(&reference, 1, eur(3000))).await;
    let error = setup.ask(&capture(&reference, 1, eur(3001))).await.expect_err("another amount");
    assert!(matches!(error, GatewayError::Refused { .. }) && !error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn no_more_is_taken_than_is_held_and_no_more_given_back_than_was_taken() {
    let setup = Setup::new();
    let reference = setup.held("tok_visa").await;
    let over = setup.fact(&capture(&reference, 1, eur(5001))).await;
    assert!(matches!(over, ProviderFact::CaptureFailed { .. }), "{over:?}");
    setup.fact(&capture(&reference, 12, eur(3000))).await;
    let over = setup.fact(&refund(&reference, 13, eur(3001))).await;
    assert!(matches!(over, ProviderFact::RefundFailed { .. }), "{over:?}");
    setup.fact(&void(&reference)).await;
    let over = setup.fact(&capture(&reference, 14, eur(1))).await;
    assert!(matches!(over, ProviderFact::CaptureFailed { .. }), "{over:?}");
}

#[tokio::test]
async fn a_call_that_timed_out_has_taken_effect() {
    let setup = Setup::new();
    assert!(matches!(setup.ask(&authorise("tok_timeout")).await, Err(GatewayError::Timeout { .. })));
    assert_eq!(setup.sandbox.account(the_payment()).map(|account| account.authorised), Some(5000));
    let reference = setup.held("tok_timeout").await;
    let call = capture(&reference, 1, eur(3000));
    assert!(matches!(setup.ask(&call).await, Err(GatewayError::Timeout { .. })));
    setup.fact(&call).await;
    assert_eq!(setup.sandbox.account(the_payment()).map(|account| account.captured), Some(3000));
}

#[tokio::test]
async fn a_provider_that_is_away_has_done_nothing_and_comes_back() {
    let setup = Setup::new();
    for _ in 0..SandboxOptions::default().unreachable_times {
        let error = setup.ask(&authorise("tok_unreachable")).await.expect_err("it is away");
        assert!(matches!(error, GatewayError::Unavailable { .. }) && error.is_retryable(), "{error:?}");
        assert_eq!(setup.sandbox.account(the_payment()), None);
    }
    setup.held("tok_unreachable").await;
}

#[tokio::test]
async fn what_a_card_refuses_fails_and_the_rest_succeeds() {
    let setup = Setup::new();
    let reference = setup.held("tok_capture_fails").await;
    let failed = setup.fact(&capture(&reference, 1, eur(1))).await;
    assert!(matches!(failed, ProviderFact::CaptureFailed { .. }), "{failed:?}");
    assert_eq!(setup.fact(&void(&reference)).await, ProviderFact::Voided);

    let setup = Setup::new();
    let reference = setup.held("tok_refund_fails").await;
    setup.fact(&capture(&reference, 1, eur(3000))).await;
    let failed = setup.fact(&refund(&reference, 2, eur(1))).await;
    assert!(matches!(failed, ProviderFact::RefundFailed { .. }), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_told_once_and_then_known() {
    let setup = Setup::new();
    for _ in 0..3 {
        assert_eq!(setup.ask(&authorise("tok_late")).await, Ok(Answer::Later));
    }
    assert_eq!(setup.notices(), []);
    tokio::time::sleep(LONG).await;
    let reference = setup.held("tok_late").await;
    let [notice] = <[_; 1]>::try_from(setup.notices()).expect("one notice");
    assert_eq!(notice.payment, the_payment());
    assert_eq!(notice.fact, ProviderFact::Authorised { reference: reference.clone(), amount: eur(5000) });

    assert_eq!(setup.ask(&capture(&reference, 1, eur(3000))).await, Ok(Answer::Later));
    tokio::time::sleep(LONG).await;
    let taken = ProviderFact::Captured { capture: id(1), amount: eur(3000) };
    assert_eq!(setup.notices().pop().map(|notice| notice.fact), Some(taken));
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_told_as_well() {
    let setup = Setup::new();
    let answered = setup.fact(&authorise("tok_twice")).await;
    tokio::time::sleep(LONG).await;
    setup.fact(&authorise("tok_twice")).await;
    tokio::time::sleep(LONG).await;
    let told: Vec<_> = setup.notices().into_iter().map(|notice| notice.fact).collect();
    assert_eq!(told, [answered]);
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_told_until_it_is_taken() {
    let setup = Setup::new();
    setup.told.refusals.lock().expect("the lock").extend([NoticeError::NotYet, NoticeError::NotYet]);
    setup.fact(&authorise("tok_twice")).await;
    tokio::time::sleep(SandboxOptions::default().tell_after * 2 + Duration::from_millis(1)).await;
    assert_eq!(setup.notices(), []);
    tokio::time::sleep(LONG).await;
    assert_eq!(setup.notices().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_is_refused_for_good_is_not_told_again() {
    let setup = Setup::new();
    setup.told.refusals.lock().expect("the lock").push(NoticeError::IdReused);
    assert_eq!(setup.ask(&authorise("tok_late")).await, Ok(Answer::Later));
    tokio::time::sleep(LONG).await;
    assert_eq!(setup.notices(), []);
    setup.held("tok_late").await;
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_nobody_takes_is_told_again_after_the_next_call() {
    let setup = Setup::new();
    let refusals = (0..TELL_TRIES_MAX).map(|_| NoticeError::NotYet);
    setup.told.refusals.lock().expect("the lock").extend(refusals);
    assert_eq!(setup.ask(&authorise("tok_late")).await, Ok(Answer::Later));
    tokio::time::sleep(LONG).await;
    assert_eq!(setup.notices(), []);
    assert_eq!(setup.ask(&authorise("tok_late")).await, Ok(Answer::Later));
    tokio::time::sleep(LONG).await;
    assert_eq!(setup.notices().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_its_time() {
    let setup = Setup::with(SandboxOptions { answer_after: LONG, ..SandboxOptions::default() });
    let before = tokio::time::Instant::now();
    setup.held("tok_visa").await;
    assert_eq!(before.elapsed(), LONG);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_has_forgotten_everything_answers_from_the_call_alone() {
    let tokens = [
        "tok_visa",
        "tok_timeout",
        "tok_late",
        "tok_twice",
        "tok_unreachable",
        "tok_capture_fails",
        "tok_refund_fails",
    ];
    for text in tokens {
        let first = Setup::new();
        let reference = loop {
            if let Ok(Answer::Fact(ProviderFact::Authorised { reference, .. })) = first.ask(&authorise(text)).await {
                break reference;
            }
            tokio::time::sleep(LONG).await;
        };
        let mut calls = vec![capture(&reference, 1, eur(5000)), void(&reference)];
        // Where nothing was taken, only somebody who has forgotten that would give it back.
        calls.extend((text != "tok_capture_fails").then(|| refund(&reference, 2, eur(5000))));
        for call in calls {
            let (before, after) = (answers(&first, &call).await, answers(&Setup::new(), &call).await);
            assert_eq!(before, after, "{text}");
        }
    }
}

/// What a call is answered with, until it is answered with a fact.
async fn answers(setup: &Setup, call: &ProviderCall) -> Vec<Result<Answer, GatewayError>> {
    let mut answers = vec![];
    while !matches!(answers.last(), Some(Ok(Answer::Fact(_)))) {
        answers.push(setup.ask(call).await);
        tokio::time::sleep(LONG).await;
    }
    answers
}

#[tokio::test]
async fn what_is_remembered_is_bounded_and_a_payment_is_forgotten_whole() {
    let setup = Setup::with(SandboxOptions { calls_max: 3, ..SandboxOptions::default() });
    let reference = setup.held("tok_visa").await;
    setup.fact(&capture(&reference, 1, eur(3000))).await;
    for n in 100..110 {
        let (payment, order, amount) = (id(n), the_order(), eur(1));
        setup.fact(&ProviderCall::Authorise { payment, order, amount, token: token("tok_visa") }).await;
    }
    assert_eq!(locked(&setup.sandbox.ledger).remembered_calls(), 3);
    assert_eq!(setup.sandbox.account(the_payment()), None);
    let again = setup.fact(&capture(&reference, 1, eur(3000))).await;
    assert_eq!(again, ProviderFact::Captured { capture: id(1), amount: eur(3000) });
}
