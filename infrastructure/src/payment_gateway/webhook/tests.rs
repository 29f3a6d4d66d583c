//! Which notices are genuine.

use domain::testing::{label, now, the_payment};

use super::*;

const SECRET: &[u8] = b"a secret of the shop";
const BODY: &[u8] = br#"{"id":"evt_1"}"#;
/// Of that body, sent at `now()` with that secret; made with another implementation.
const SIGNATURE: &str = "44851b6d30eafc48f41af5cad1c691da80709e3c5e84d9ef948d41a1e7b3a2ae";
/// The same with another secret.
const OTHER: &str = "65efe1c0e1167beef32d963a53ba08d390e3a37903cee19a1671598a173e59de";

fn verify(header: &str, body: &[u8], at: Timestamp) -> Result<(), SignatureError> {
    NoticeVerifier::try_new(SECRET).expect("a secret").verify(header, body, at)
}

fn header() -> String {
    format!("t=1767323045,v1={SIGNATURE}")
}

#[test]
fn what_the_provider_signed_is_genuine() {
    assert_eq!(verify(&header(), BODY, now()), Ok(()));
    let spaced = format!("t=1767323045, v1={}", SIGNATURE.to_uppercase());
    assert_eq!(verify(&spaced, BODY, now()), Ok(()));
}

#[test]
fn one_signature_of_several_is_enough() {
    let several = format!("v1={OTHER},t=1767323045,v0=whatever,v1={SIGNATURE}");
    assert_eq!(verify(&several, BODY, now()), Ok(()));
    let many = format!("t=1767323045{},v1={SIGNATURE}", format!(",v1={OTHER}").repeat(SIGNATURES_MAX));
    assert_eq!(verify(&many, BODY, now()), Err(SignatureError::Malformed));
}

#[test]
fn whatever_is_changed_does_not_fit() {
    let mismatch = Err(SignatureError::Mismatch);
    assert_eq!(verify(&header(), b"{\"id\":\"evt_2\"}", now()), mismatch);
    assert_eq!(verify(&header(), b"", now()), mismatch);
    assert_eq!(verify(&header().replace("045", "046"), BODY, now()), mismatch);
    // The same moment, written in another way, was not signed.
    assert_eq!(verify(&header().replace("t=", "t=0"), BODY, now()), mismatch);
    assert_eq!(verify(&format!("t=1767323045,v1={OTHER}"), BODY, now()), mismatch);
    for digit in 0..SIGNATURE.len() {
        let mut forged = SIGNATURE.to_owned();
        let other = if &SIGNATURE[digit..=digit] == "0" { "1" } else { "0" };
        forged.replace_range(digit..=digit, other);
        assert_eq!(verify(&format!("t=1767323045,v1={forged}"), BODY, now()), mismatch);
    }
    for short in ["", "00", &SIGNATURE[..62], &format!("{SIGNATURE}00")] {
        assert_eq!(verify(&format!("t=1767323045,v1={short}"), BODY, now()), mismatch);
    }
}

#[test]
fn what_was_sent_at_another_time_is_refused() {
    for seconds in [-300, -299, 0, 299, 300] {
        assert_eq!(verify(&header(), BODY, now() + TimeDelta::seconds(seconds)), Ok(()), "{seconds}");
    }
    let age = TimeDelta::seconds(301);
    assert_eq!(verify(&header(), BODY, now() + age), Err(SignatureError::TooOld { age }));
    assert_eq!(verify(&header(), BODY, now() - age), Err(SignatureError::FromTheFuture { ahead: age }));
}

#[test]
fn headers_of_another_form_are_refused() {
    let malformed = [
        String::new(),
        "t".to_owned(),
        "t=1767323045".to_owned(),
        format!("v1={SIGNATURE}"),
        format!("t=,x=1,v2={SIGNATURE}"),
        format!("t=-1,v1={SIGNATURE}"),
        format!("t=1767323045,t=1767323045,v1={SIGNATURE}"),
        "t=1767323045,v1=abc".to_owned(),
        "t=1767323045,v1=zz".to_owned(),
        format!("t=1767323045,v1={SIGNATURE},"),
        format!("{},x={}", header(), "y".repeat(HEADER_BYTES_MAX)),
    ];
    for header in malformed {
        assert_eq!(verify(&header, BODY, now()), Err(SignatureError::Malformed), "{header}");
    }
}

#[test]
fn a_moment_that_is_none_is_refused_even_if_it_is_signed() {
    for moment in ["", "99999999999999999999", "9999999999999999"] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        let tag = hmac::sign(&key, &[moment.as_bytes(), b".", BODY].concat());
        let hex = tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(verify(&format!("t={moment},v1={hex}"), BODY, now()), Err(SignatureError::Malformed), "{moment}");
    }
}

#[test]
fn a_secret_that_can_be_guessed_is_refused_and_none_is_shown() {
    assert_eq!(NoticeVerifier::try_new(b"too short").err(), Some(WeakSecret));
    let verifier = NoticeVerifier::try_new(SECRET).expect("a secret");
    assert_eq!(format!("{verifier:?}"), "NoticeVerifier(..)");
}

#[test]
fn a_body_says_what_has_happened_or_is_malformed() {
    let body = r#"{"id":"evt-1","payment":"01900000-0000-7000-8000-000000000003","status":"voided"}"#;
    let said =
        ProviderNotice { id: label("evt-1"), payment: the_payment(), fact: domain::payment::ProviderFact::Voided };
    assert_eq!(notice(body.as_bytes()), Ok(said));
    for body in ["", "{}", "null", "[]", "\u{0}"] {
        notice(body.as_bytes()).expect_err(body);
    }
}
