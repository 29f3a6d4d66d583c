//! What becomes of a call when the provider fails: asked again it is answered, and money is taken once.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use domain::{
    Decider as _,
    payment::{Payment, PaymentCommand, PaymentEvent, PaymentState, ProviderCall, ProviderFact},
    testing::{eur, fold, id, label, now, token},
    values::PaymentId,
};
use futures_util::future::join_all;
use infrastructure::payment_gateway::{Answer, GatewayError, HttpGateway, HttpGatewayOptions, PaymentGateway as _};
use tests::{
    faults::say,
    provider::{Fault, Provider, ProviderOptions},
    random::Random,
    server::eventually,
};

use super::{count, options};

fn authorise(n: u128) -> ProviderCall {
    ProviderCall::Authorise { payment: id(n), order: id(n + 1_000), amount: eur(5000), token: token("tok_visa") }
}

fn gateway(provider: &Provider, change: impl FnOnce(&mut HttpGatewayOptions)) -> HttpGateway {
    let mut options = options(&provider.url);
    change(&mut options);
    HttpGateway::try_new(&options).expect("a gateway")
}

fn tries(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

/// What the gateway says of a provider that fails once, if it may try as often.
async fn answer_after(fault: Fault, tries_max: u32) -> Result<Answer, GatewayError> {
    let provider = Provider::start(ProviderOptions::default()).await;
    let is_slow = matches!(fault, Fault::Slow(_));
    provider.fail([fault]);
    let gateway = gateway(&provider, |options| {
        options.tries = tries(tries_max);
        options.timeout = Duration::from_secs(if is_slow { 1 } else { 20 });
    });
    let answer = gateway.call(&authorise(1)).await;
    provider.heal();
    answer
}

#[tokio::test]
async fn whatever_fails_once_is_asked_again_with_the_same_key() {
    let faults = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(409),
        Fault::Throttle(1),
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::StatusAfter(500),
        Fault::HalfAnswer,
        Fault::Garbage,
        Fault::Huge,
        Fault::Slow(Duration::from_secs(60)),
    ];
    for fault in faults {
        let answer = answer_after(fault.clone(), 10).await;
        assert!(matches!(answer, Ok(Answer::Fact(ProviderFact::Authorised { .. }))), "{fault:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_failure_says_what_it_is() {
    let unavailable = |error: &GatewayError| matches!(error, GatewayError::Unavailable { .. });
    let garbled = |error: &GatewayError| matches!(error, GatewayError::Garbled { .. });
    let second = Duration::from_secs(1);
    for fault in [
        Fault::Status(500),
        Fault::Status(409),
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::StatusAfter(502),
        Fault::HalfAnswer,
    ] {
        let error = answer_after(fault.clone(), 1).await.expect_err("it failed");
        assert!(unavailable(&error) && error.is_retryable(), "{fault:?}: {error:?}");
    }
    for fault in [Fault::Garbage, Fault::Huge] {
        let error = answer_after(fault.clone(), 1).await.expect_err("it failed");
        assert!(garbled(&error) && error.is_retryable(), "{fault:?}: {error:?}");
    }
    let throttled = Err(GatewayError::Throttled { retry_after: second });
    assert_eq!(answer_after(Fault::Throttle(1), 1).await, throttled);
    let slow = answer_after(Fault::Slow(Duration::from_secs(60)), 1).await;
    assert_eq!(slow, Err(GatewayError::Timeout { after: second }));
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    for status in [400, 401, 403, 404, 405, 413, 422] {
        let provider = Provider::start(ProviderOptions::default()).await;
        provider.fail([Fault::Status(status)]);
        let error = gateway(&provider, |_| {}).call(&authorise(1)).await.expect_err("it is refused");
        assert!(matches!(error, GatewayError::Refused { .. }) && !error.is_retryable(), "{error:?}");
        assert_eq!(provider.requests(), 1);
    }
}

#[tokio::test]
async fn a_long_pause_is_left_to_the_caller() {
    let provider = Provider::start(ProviderOptions::default()).await;
    provider.fail([Fault::Throttle(120)]);
    let answer = gateway(&provider, |_| {}).call(&authorise(1)).await;
    assert_eq!(answer, Err(GatewayError::Throttled { retry_after: Duration::from_secs(120) }));
    assert_eq!(provider.requests(), 1);
}

#[tokio::test]
async fn the_secret_goes_nowhere_else() {
    let (provider, elsewhere) =
        (Provider::start(ProviderOptions::default()).await, Provider::start(ProviderOptions::default()).await);
    provider.fail([Fault::Redirect(elsewhere.url.clone())]);
    let error = gateway(&provider, |_| {}).call(&authorise(1)).await.expect_err("it is sent elsewhere");
    assert!(matches!(error, GatewayError::Refused { .. }), "{error:?}");
    assert_eq!((provider.requests(), elsewhere.requests()), (1, 0));
}

#[tokio::test]
async fn a_wrong_secret_is_told_to_the_operator_and_not_shown() {
    let provider = Provider::start(ProviderOptions::default()).await;
    let gateway = gateway(&provider, |options| options.secret = "open-sesame".to_owned());
    let error = gateway.call(&authorise(1)).await.expect_err("it does not know us");
    let shown = format!("{gateway:?} {error:?} {error}");
    assert!(shown.contains("payments.secret") && !shown.contains("sesame"), "{shown}");
}

#[tokio::test]
async fn a_provider_that_nobody_answers_for_is_unavailable() {
    let gone = Provider::start(ProviderOptions::default()).await;
    let gateway = gateway(&gone, |_| {});
    drop(gone);
    let error = gateway.call(&authorise(1)).await.expect_err("nobody is there");
    assert!(matches!(error, GatewayError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_the_settings_say() {
    let options = ProviderOptions { answer_after: Duration::from_millis(20), ..ProviderOptions::default() };
    let provider = Provider::start(options).await;
    let gateway = gateway(&provider, |options| {
        options.concurrency = count(3);
        options.timeout = Duration::from_secs(20);
    });
    let calls: Vec<_> = (1..=30).map(authorise).collect();
    for answer in join_all(calls.iter().map(|call| gateway.call(call))).await {
        answer.expect("it is answered");
    }
    assert_eq!(provider.at_work_max(), 3);
}

#[tokio::test]
async fn a_provider_that_fails_again_and_again_is_left_alone_and_then_asked_once() {
    let provider = Provider::start(ProviderOptions::default()).await;
    let resting = |rest: Duration| {
        gateway(&provider, |options| {
            options.tries = tries(1);
            options.breaker_failures = tries(4);
            options.breaker_rest = rest;
        })
    };
    // Longer than anything here takes.
    let (rest, gateway) = (Duration::from_secs(600), resting(Duration::from_secs(600)));
    provider.fail([Fault::Status(500), Fault::ResetBefore, Fault::Garbage, Fault::Status(503)]);
    for n in 1..=4 {
        gateway.call(&authorise(n)).await.expect_err("it fails");
    }
    for n in 5..=50 {
        let error = gateway.call(&authorise(n)).await.expect_err("it is left alone");
        assert!(matches!(error, GatewayError::Resting { retry_after } if retry_after <= rest), "{error:?}");
    }
    assert_eq!(provider.requests(), 4, "it was left alone");

    let (rest, gateway) = (Duration::from_millis(500), resting(Duration::from_millis(500)));
    provider.fail(vec![Fault::Status(500); 5]);
    for n in 1..=4 {
        gateway.call(&authorise(n)).await.expect_err("it fails");
    }
    let opened = Instant::now();
    // The first probe fails, the next one does not.
    let is_asked = async |requests: usize| {
        eventually("it is asked again", async || {
            let answer = gateway.call(&authorise(51)).await;
            (provider.requests() == requests).then_some(answer)
        })
        .await
    };
    is_asked(9).await.expect_err("it still fails");
    is_asked(10).await.expect("it is back");
    assert!(opened.elapsed() >= rest, "it had its rest");
    gateway.call(&authorise(52)).await.expect("it is asked as before");
}

#[tokio::test]
async fn a_contradiction_is_passed_on_and_written_down() {
    let provider = Provider::start(ProviderOptions::default()).await;
    let gateway = gateway(&provider, |_| {});
    provider.fail([Fault::Contradict]);
    let answer = gateway.call(&authorise(1)).await.expect("it is an answer");
    let Answer::Fact(fact) = answer else { panic!("it is told later") };
    let state = fold::<Payment>([requested(1)]);
    let events = Payment::decide(&state, PaymentCommand::Record(fact), now()).expect("it is recorded");
    assert!(matches!(events.as_slice(), [PaymentEvent::Contradicted { .. }]), "{events:?}");
    assert_eq!(after(state, &events).pending_calls(), []);
}

/// A whole life of a payment, with a provider that fails more often than not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_every_payment_ends_and_the_money_adds_up() {
    let seed = Random::seed("MILLRACE_PROVIDER_SEED");
    say(&format!("seed {seed}: set MILLRACE_PROVIDER_SEED to run it again"));
    let provider = Provider::start(ProviderOptions::default()).await;
    provider.fail_by_chance(seed, 60);
    let gateway = gateway(&provider, |options| options.tries = tries(2));
    let mut random = Random::new(seed);
    let lives: Vec<_> = (1..=40).map(|n| (n, random.fork())).collect();
    let states = join_all(lives.into_iter().map(|(n, random)| life(&gateway, n, random))).await;
    let ledger = provider.ledger();
    let mut earned = 0;
    for state in states {
        let record = state.known().expect("it was requested");
        let account = ledger.account(record.payment.uuid()).expect("it was held");
        let known = (record.authorised.minor(), record.captured().minor(), record.refunded().minor());
        assert_eq!((account.authorised, account.captured, account.refunded), known, "seed {seed}");
        assert_eq!(account.is_voided, record.is_void_requested, "seed {seed}");
        earned += known.1 - known.2;
    }
    assert_eq!(ledger.earned(), earned, "seed {seed}");
}

fn requested(n: u128) -> PaymentEvent {
    PaymentEvent::Requested {
        payment: id(n),
        order: id(n + 1_000),
        amount: eur(5000),
        token: token("tok_visa"),
        at: now(),
    }
}

fn after(state: PaymentState, events: &[PaymentEvent]) -> PaymentState {
    events.iter().fold(state, Payment::evolve)
}

async fn life(gateway: &HttpGateway, n: u128, mut random: Random) -> PaymentState {
    let mut state = carried_out(gateway, fold::<Payment>([requested(n)])).await;
    for step in 1..=4 {
        let key = n * 100 + 10_000 + step;
        let amount = eur(i64::try_from(random.below(2_500)).expect("it is small") + 1);
        let command = match random.below(5) {
            0 | 1 => PaymentCommand::Capture { capture: id(key), amount },
            2 | 3 => PaymentCommand::Refund { refund: id(key), amount, reason: label("returned") },
            _ => PaymentCommand::Void,
        };
        // What the rules refuse is not asked.
        if let Ok(events) = Payment::decide(&state, command, now()) {
            state = carried_out(gateway, after(state, &events)).await;
        }
    }
    state
}

/// Asks for everything that is pending, until nothing is.
async fn carried_out(gateway: &HttpGateway, mut state: PaymentState) -> PaymentState {
    while let Some(call) = state.pending_calls().first() {
        let payment: PaymentId = call.payment();
        let fact = eventually("the call is answered", async || match gateway.call(call).await {
            Ok(Answer::Fact(fact)) => Some(fact),
            Ok(Answer::Later) => panic!("nobody promised that"),
            Err(error) => {
                assert!(error.is_retryable(), "{payment}: {error}");
                None
            }
        })
        .await;
        let events = Payment::decide(&state, PaymentCommand::Record(fact), now()).expect("it is recorded");
        state = after(state, &events);
    }
    state
}
