//! What somebody may want of their profile.

use super::handle::Claim;
use crate::values::{Biography, DisplayName, UserId};

/// A command to one person's profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileCommand {
    /// Become visible to others.
    Create {
        /// Who.
        user: UserId,
        /// The claim of the handle, as its stream has it.
        claim: Claim,
        /// What others call them.
        name: DisplayName,
        /// What they say of themselves.
        biography: Biography,
    },
    /// Change what is given, all of it or nothing; what is not stays.
    Update {
        /// The claim of a new handle, as its stream has it. The one before is free for others once its claim is over.
        claim: Option<Claim>,
        /// What others call them.
        name: Option<DisplayName>,
        /// What they say of themselves.
        biography: Option<Biography>,
    },
}
