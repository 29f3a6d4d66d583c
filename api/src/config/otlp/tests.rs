//! Which collectors are accepted, and that a key is never shown, not even one that is refused.

use super::*;

fn otlp(endpoint: &str, headers: Option<&str>) -> Otlp {
    let headers = headers.map(|headers| Secret::new(headers.to_owned()));
    Otlp { endpoint: Some(endpoint.to_owned()), headers, ..Otlp::default() }
}

#[test]
fn nothing_is_sent_by_default() {
    assert!(Otlp::default().target().unwrap().is_none());
    let headers = Some(Secret::new("a=b".to_owned()));
    assert!(Otlp { headers, ..Otlp::default() }.target().unwrap().is_none());
}

#[test]
fn a_collector_has_a_url_and_headers() {
    for (endpoint, expected) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("https://otlp.example.com/", "https://otlp.example.com"),
        ("https://[::1]:8443/otlp/", "https://[::1]:8443/otlp"),
    ] {
        let target = otlp(endpoint, Some("authorization=Bearer a=b==, x-tenant = 7 ,")).target().unwrap().unwrap();
        assert_eq!(target.endpoint, expected);
        assert_eq!(target.headers["authorization"], "Bearer a=b==");
        assert_eq!(target.headers["x-tenant"], "7");
        assert_eq!(target.headers.len(), 2);
    }
}

#[test]
fn what_is_no_url_of_a_collector_is_refused() {
    for endpoint in
        ["", "collector:4318", "/v1", "grpc://collector:4317", "http://", "http://a b", "http://c:4318/?key=1"]
    {
        let error = otlp(endpoint, None).target().expect_err(endpoint);
        assert_eq!(error.code(), "CONFIG_INVALID", "{endpoint}");
        assert!(error.to_string().contains("otlp.endpoint"), "{error}");
    }
}

#[test]
fn a_password_is_refused_where_it_would_be_shown_and_is_not_repeated() {
    let error = otlp("http://user:hunter2@collector:4318", None).target().unwrap_err();
    assert!(error.to_string().contains("otlp.headers"), "{error}");
    assert!(!format!("{error}{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn headers_that_no_request_can_carry_are_refused_without_being_shown() {
    for headers in ["hunter2", "a=b,hunter2", "hunter 2=x", "=hunter2", "a=hunter2\u{7f}b"] {
        // Also when nothing would be sent, so that it does not come out on the day it is switched on.
        for endpoint in [Some("http://c".to_owned()), None] {
            let settings = Otlp { endpoint, ..otlp("", Some(headers)) };
            let error = settings.target().expect_err(headers);
            assert!(error.to_string().contains("otlp.headers"), "{error}");
            assert!(!format!("{error}{error:?}").contains("hunter"), "{error:?}");
        }
    }
}

#[test]
fn a_key_is_not_shown_by_what_holds_it() {
    let settings = otlp("http://c", Some("authorization=hunter2"));
    let target = settings.target().unwrap().unwrap();
    assert!(!format!("{settings:?} {target:?} {:?}", target.headers).contains("hunter2"));
}

#[test]
fn a_share_of_traces_is_at_most_all_of_them() {
    assert!(Otlp { traces_per_mille: 1_001, ..Otlp::default() }.target().is_err());
    let all = Otlp { traces_per_mille: 1_000, ..Otlp::default() };
    assert!(all.target().is_ok());
    assert!((all.trace_ratio() - 1.0).abs() < f64::EPSILON);
    assert!((Otlp { traces_per_mille: 1, ..all }.trace_ratio() - 0.001).abs() < f64::EPSILON);
}
