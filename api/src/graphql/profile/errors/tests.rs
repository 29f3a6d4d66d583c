//! What the rules refuse has a code for clients.

use super::*;
use crate::graphql::user_error::testing::assert_all_coded;

#[test]
fn every_refusal_of_profiles_and_handles_has_a_code() {
    assert_all_coded::<ProfileErrorCode>("ProfileErrorCode");
}
