//! Codes are what clients can rely on.

use std::collections::BTreeSet;

use super::*;

#[test]
fn codes_are_capitals_and_each_stands_for_one_refusal_of_its_type() {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
    for (slice, code) in error_codes() {
        assert!(code.split('_').all(is_word), "{slice}: {code}");
    }
    for codes in [
        values::HandleError::CODES,
        values::TextError::CODES,
        values::MediaUrlError::CODES,
        profile::handle::HandleRejection::CODES,
        profile::ProfileRejection::CODES,
        follow::FollowRejection::CODES,
        post::PostRejection::CODES,
        reaction::ReactionRejection::CODES,
        inbox::InboxRejection::CODES,
    ] {
        let distinct: BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len(), "{codes:?}");
    }
}

#[test]
fn a_refusal_says_its_code() {
    assert_eq!(post::PostRejection::TooManyMedia(5).code(), "TOO_MANY_MEDIA");
    assert_eq!(values::TextError::TooLong { graphemes: 2, max: 1 }.code(), "TEXT_TOO_LONG");
}
