//! Who is answered, and what a browser is told.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{OriginError, OriginRules};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn rules(loopback_only: bool) -> OriginRules {
    OriginRules { loopback_only, allowed_origins: vec!["https://shop.example".to_owned()] }
}

fn refused(loopback_only: bool, pairs: &[(&'static str, &'static str)]) -> Option<OriginError> {
    rules(loopback_only).check(&headers(pairs)).err()
}

#[test]
fn in_development_only_loopback_hosts_are_answered() {
    for host in ["localhost", "LOCALHOST:4000", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:4000"] {
        assert_eq!(refused(true, &[("host", host)]), None, "{host}");
    }
    for host in
        ["evil.example", "localhost.evil.example", "localhost:", "localhost:x", "127.0.0.1.evil", "", "[::2]", "::1"]
    {
        assert_eq!(refused(true, &[("host", host)]), Some(OriginError::Host), "{host}");
        assert_eq!(refused(false, &[("host", host)]), None, "{host}");
    }
    assert_eq!(refused(false, &[]), Some(OriginError::Host));
}

#[test]
fn pages_of_the_same_host_and_allowed_ones_are_answered() {
    let host = ("host", "api.example:4000");
    for origin in ["http://api.example:4000", "https://API.example:4000", "https://shop.example"] {
        assert_eq!(refused(false, &[host, ("origin", origin)]), None, "{origin}");
    }
    for origin in [
        "null",
        "https://api.example",
        "https://evil.example",
        "https://shop.example.evil",
        "http://shop.example",
        "file://api.example:4000",
    ] {
        assert_eq!(refused(false, &[host, ("origin", origin)]), Some(OriginError::Origin), "{origin}");
    }
}

#[test]
fn a_request_that_the_browser_calls_cross_site_needs_an_allowed_origin() {
    let host = ("host", "localhost:4000");
    let site = |value| ("sec-fetch-site", value);
    assert_eq!(refused(true, &[host, site("cross-site")]), Some(OriginError::Origin));
    assert_eq!(refused(true, &[host, site("cross-site"), ("origin", "https://shop.example")]), None);
    assert_eq!(
        refused(true, &[host, site("cross-site"), ("origin", "https://evil.example")]),
        Some(OriginError::Origin)
    );
    for value in ["same-origin", "same-site", "none"] {
        assert_eq!(refused(true, &[host, site(value)]), None, "{value}");
    }
}

#[test]
fn a_preflight_names_the_one_origin_it_is_for() {
    let request = headers(&[
        ("host", "localhost:4000"),
        ("origin", "https://shop.example"),
        ("access-control-request-method", "POST"),
    ]);
    let origin = rules(true).check(&request).expect("allowed");
    let mut response = origin.preflight(&request);
    origin.put_headers(response.headers_mut());
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let answer = response.headers();
    assert_eq!(answer["access-control-allow-origin"], "https://shop.example");
    assert_eq!(answer["access-control-allow-methods"], "POST");
    assert!(answer["access-control-allow-headers"].to_str().expect("text").contains("authorization"));
    assert_eq!(answer["vary"], "Origin");
    assert!(!answer.contains_key("access-control-allow-credentials"));

    let plain = headers(&[("host", "localhost:4000")]);
    let response = rules(true).check(&plain).expect("allowed").preflight(&plain);
    assert!(!response.headers().contains_key("access-control-allow-methods"));
}
