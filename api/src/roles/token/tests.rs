//! A printed token signs in on this machine's server, and only in development mode.

use std::sync::Arc;

use chrono::TimeDelta;
use infrastructure::clock::ManualClock;

use super::*;
use crate::auth::{AuthError, Authenticator, Role};

fn setting(mode: Mode, directory: &std::path::Path) -> (Config, TokenArgs, ManualClock) {
    let config = Config { mode, data_dir: directory.join("data"), ..Config::default() };
    let args = TokenArgs { subject: "alice".to_owned(), role: Role::Customer, ttl: TimeDelta::hours(1) };
    (config, args, ManualClock::at(domain::Timestamp::from_timestamp(1_800_000_000, 0).unwrap()))
}

#[test]
fn a_token_printed_before_the_first_start_signs_in_later_until_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (config, args, clock) = setting(Mode::Development, directory.path());
    let token = run(&config, &args, &clock).unwrap();

    let key = DevKey::load_or_create(&config.data_dir).unwrap();
    let authenticator = Authenticator::development(&key, Arc::new(clock.clone()));
    let viewer = authenticator.authenticate(&token).unwrap();
    assert_eq!((viewer.subject.as_str(), viewer.role), ("alice", Role::Customer));
    clock.advance(TimeDelta::hours(1));
    assert!(matches!(authenticator.authenticate(&token), Err(AuthError::Expired { .. })));
}

#[test]
fn in_production_no_token_is_signed_and_no_key_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let (mut config, args, clock) = setting(Mode::Production, directory.path());
    config.auth.issuer = Some("https://id.test/".to_owned());
    let error = run(&config, &args, &clock).unwrap_err();
    assert_eq!(error.to_string(), "in production mode tokens come from the issuer https://id.test/");
    assert!(!config.data_dir.exists());
}
