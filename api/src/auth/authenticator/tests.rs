//! Good tokens of every algorithm are let in; forged, foreign, early and late ones are not.

mod forged;
mod kit;
mod rotation;

use chrono::TimeDelta;

use super::*;
use crate::auth::Role;
use kit::{Shop, claims};

#[test]
fn a_token_of_each_algorithm_tells_who_is_calling() {
    let shop = Shop::open();
    for key in ["ed", "rsa", "ec"] {
        let viewer = shop.by_jwks.authenticate(&shop.sign(key, &claims())).expect(key);
        assert_eq!((viewer.subject.as_str(), viewer.role), ("alice", Role::Customer), "{key}");
        assert_eq!(viewer.expires_at, timestamp(kit::NOW + 3600 + kit::LEEWAY).unwrap(), "{key}");
    }
    assert_eq!(shop.by_secret.authenticate(&shop.sign("secret", &claims())).unwrap().subject, "alice");
}

#[test]
fn an_operator_is_told_from_a_customer() {
    let shop = Shop::open();
    let mut claims = claims();
    claims["role"] = "operator".into();
    assert_eq!(shop.by_jwks.authenticate(&shop.sign("ed", &claims)).unwrap().role, Role::Operator);
}

#[test]
fn one_audience_among_others_is_enough() {
    let shop = Shop::open();
    let mut claims = claims();
    claims["aud"] = serde_json::json!(["other", "millrace"]);
    assert!(shop.by_jwks.authenticate(&shop.sign("ed", &claims)).is_ok());
}

#[test]
fn claims_that_nobody_asked_for_are_ignored() {
    let shop = Shop::open();
    let mut claims = claims();
    claims["scope"] = "everything".into();
    claims["roles"] = serde_json::json!(["admin"]);
    assert!(shop.by_jwks.authenticate(&shop.sign("ed", &claims)).is_ok());
}

#[test]
fn a_token_ends_at_its_time_plus_the_leeway_also_when_it_was_seen_before() {
    let shop = Shop::open();
    let token = shop.sign("ed", &claims());
    shop.clock.advance(TimeDelta::seconds(3600));
    assert!(shop.by_jwks.authenticate(&token).is_ok());
    shop.clock.advance(TimeDelta::seconds(30) - TimeDelta::microseconds(1));
    assert!(shop.by_jwks.authenticate(&token).is_ok());
    shop.clock.advance(TimeDelta::microseconds(1));
    for _ in 0..2 {
        assert!(matches!(shop.by_jwks.authenticate(&token), Err(AuthError::Expired { .. })));
    }
}

#[test]
fn a_token_begins_at_its_time_minus_the_leeway() {
    let shop = Shop::open();
    let mut claims = claims();
    claims["nbf"] = (kit::NOW + 100).into();
    let token = shop.sign("ed", &claims);
    shop.clock.advance(TimeDelta::seconds(70) - TimeDelta::microseconds(1));
    assert!(matches!(shop.by_jwks.authenticate(&token), Err(AuthError::NotYetValid { .. })));
    shop.clock.advance(TimeDelta::microseconds(1));
    assert!(shop.by_jwks.authenticate(&token).is_ok());
}

#[test]
fn a_token_seen_before_is_known_by_all_of_its_bytes() {
    let shop = Shop::open();
    let token = shop.sign("ed", &claims());
    assert!(shop.by_jwks.authenticate(&token).is_ok());
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    assert!(shop.by_jwks.authenticate(unsigned).is_err());
    assert!(shop.by_jwks.authenticate(&format!("{unsigned}.")).is_err());
    assert!(shop.by_jwks.authenticate(&token.to_uppercase()).is_err());
}

#[test]
fn the_key_id_may_be_left_out_if_there_is_only_one_key() {
    let shop = Shop::open();
    let one = shop.authenticator_for(&["ed"]);
    assert!(one.authenticate(&shop.sign_without_key_id("ed", &claims())).is_ok());
    assert!(matches!(
        shop.by_jwks.authenticate(&shop.sign_without_key_id("ed", &claims())),
        Err(AuthError::UnknownKey)
    ));
}

#[test]
fn a_development_token_is_accepted_here_and_nowhere_else() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shop = Shop::open();
    let key = DevKey::load_or_create(here.path()).unwrap();
    let token = key.token("bob", Role::Operator, shop.clock.now(), TimeDelta::hours(12));
    let clock = Arc::new(shop.clock.clone());
    let viewer = Authenticator::development(&key, clock.clone()).authenticate(&token).unwrap();
    assert_eq!((viewer.subject.as_str(), viewer.role), ("bob", Role::Operator));
    assert_eq!(viewer.expires_at, shop.clock.now() + TimeDelta::hours(12));

    let other = Authenticator::development(&DevKey::load_or_create(there.path()).unwrap(), clock);
    assert!(matches!(other.authenticate(&token), Err(AuthError::WrongSignature)));
    assert!(shop.by_secret.authenticate(&token).is_err());
}

#[test]
fn a_development_token_may_last_longer_than_any_calendar() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open();
    let key = DevKey::load_or_create(directory.path()).unwrap();
    let token = key.token("bob", Role::Operator, shop.clock.now(), TimeDelta::MAX);
    assert!(Authenticator::development(&key, Arc::new(shop.clock)).authenticate(&token).is_ok());
}

#[test]
fn nothing_of_a_key_is_shown() {
    let shop = Shop::open();
    for shown in [format!("{:?}", shop.by_secret), format!("{:?}", shop.by_jwks)] {
        assert!(!shown.contains(kit::SECRET) && !shown.contains("decoding"), "{shown}");
    }
}
