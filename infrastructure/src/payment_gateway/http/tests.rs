//! How long a failing provider is given. How it is asked is tested over real sockets, in tests/it/payment_provider/faults.rs.

use domain::testing::{label, the_payment};

use super::{options::tests::options, *};

const UNAVAILABLE: fn() -> GatewayError = || GatewayError::Unavailable { reason: "it is away".to_owned() };

#[test]
fn pauses_grow_and_are_spread_and_stay_the_same_for_the_same_try() {
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for tried in 1..40 {
        let pause = |key| pause(&UNAVAILABLE(), key, tried).expect("a pause");
        let full = (RETRY_PAUSE_MIN * (1 << (tried - 1).min(10))).min(RETRY_PAUSE_MAX);
        assert!(pause(one) >= full / 2 && pause(one) <= full, "{tried}: {:?}", pause(one));
        assert_eq!(pause(one), pause(one));
        assert_ne!(pause(one), pause(other));
    }
}

#[test]
fn a_pause_that_the_provider_asks_for_is_kept_or_left_to_the_caller() {
    let throttled = |retry_after| pause(&GatewayError::Throttled { retry_after }, Uuid::nil(), 1);
    let second = Duration::from_secs(1);
    assert_eq!(throttled(second), Some(second));
    assert_eq!(throttled(RETRY_PAUSE_MAX), Some(RETRY_PAUSE_MAX));
    assert_eq!(throttled(RETRY_PAUSE_MAX + second), None);
}

#[test]
fn retry_after_is_read_in_seconds() {
    let of = |text: &'static str| {
        retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, header::HeaderValue::from_static(text))]))
    };
    assert_eq!(of("7"), Some(Duration::from_secs(7)));
    assert_eq!(of(" 0 "), Some(Duration::ZERO));
    assert_eq!(of("99999999"), Some(THROTTLE_PAUSE_MAX));
    for text in ["", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999999"] {
        assert_eq!(of(text), None, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_way_does_not_wait_for_ever() {
    let gateway = HttpGateway::try_new(&options("http://127.0.0.1:9")).expect("a gateway");
    let _taken = gateway.ways.acquire().await.expect("the only way");
    let call = ProviderCall::Void { payment: the_payment(), reference: label("auth-1") };
    let error = gateway.call(&call).await.expect_err("there is no way");
    assert!(matches!(error, GatewayError::Unavailable { .. }), "{error:?}");
}

#[test]
fn the_secret_is_not_shown() {
    let gateway = HttpGateway::try_new(&options("http://127.0.0.1:9")).expect("a gateway");
    let shown = format!("{gateway:?}");
    assert!(shown.contains("127.0.0.1") && !shown.contains("sesame"), "{shown}");
}
