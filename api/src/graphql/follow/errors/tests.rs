//! What the rules refuse has a code for clients.

use super::*;
use crate::graphql::user_error::testing::assert_all_coded;

#[test]
fn every_refusal_of_follows_has_a_code() {
    assert_all_coded::<FollowErrorCode>("FollowErrorCode");
}
