//! Which addresses and secrets are taken.

use super::*;

pub(in crate::payment_gateway::http) fn options(url: &str) -> HttpGatewayOptions {
    HttpGatewayOptions {
        url: url.to_owned(),
        secret: "open sesame".to_owned(),
        timeout: Duration::from_secs(1),
        concurrency: NonZeroUsize::MIN,
        tries: NonZeroU32::MIN,
        breaker_failures: NonZeroU32::MIN,
        breaker_rest: Duration::from_secs(1),
    }
}

#[test]
fn a_secret_goes_through_the_network_with_tls_only() {
    for url in [
        "https://pay.example.com",
        "https://pay.example.com:8443/v1/",
        "http://localhost:1",
        "http://127.0.0.1:1",
        "http://127.1.2.3",
        "http://[::1]:1/x",
    ] {
        Target::try_new(&options(url)).expect(url);
    }
    for url in ["http://pay.example.com", "http://10.0.0.1", "http://localhost.example.com", "http://127.0.0.1.nip.io"]
    {
        let error = Target::try_new(&options(url)).expect_err(url);
        assert!(matches!(error, HttpGatewayError::NotSecure), "{url}: {error}");
    }
    for url in
        ["", "pay.example.com", "/pay", "ftp://pay.example.com", "https://me:pass@pay.example.com", "https://p.com?x=1"]
    {
        let error = Target::try_new(&options(url)).expect_err(url);
        assert!(matches!(error, HttpGatewayError::Url), "{url}: {error}");
    }
}

#[test]
fn a_secret_that_no_header_may_have_is_refused() {
    for secret in ["", "two\nlines", "nul\0"] {
        let options = HttpGatewayOptions { secret: secret.to_owned(), ..options("https://pay.example.com") };
        let error = Target::try_new(&options).expect_err(secret);
        assert!(matches!(error, HttpGatewayError::Secret), "{error}");
    }
}

#[test]
fn the_secret_is_not_shown() {
    let options = options("https://pay.example.com");
    let target = Target::try_new(&options).expect("a target");
    let shown = format!("{options:?} {target:?} {target} {:?}", target.headers(Uuid::nil()));
    assert!(!shown.contains("sesame"), "{shown}");
    assert_eq!(target.headers(Uuid::nil())[header::AUTHORIZATION], "Bearer open sesame");
}

#[test]
fn a_call_has_a_path_of_its_own() {
    let target = Target::try_new(&options("https://pay.example.com/v1/")).expect("a target");
    let void =
        ProviderCall::Void { payment: domain::testing::the_payment(), reference: domain::testing::label("auth-1") };
    assert_eq!(target.uri(&void).to_string(), "https://pay.example.com/v1/void");
}
