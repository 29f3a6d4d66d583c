//! What somebody may want of a handle.

use crate::{
    Timestamp,
    values::{Handle, UserId},
};

/// A command to one handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandleCommand {
    /// Keep it for somebody's profile to take.
    Claim {
        /// The handle.
        handle: Handle,
        /// Who wants it.
        by: UserId,
        /// That whoever claimed it last does not have it, if the caller has found it so.
        vacancy: Option<Vacancy>,
    },
}

/// A look into the profile of whoever claimed a handle last: it has another handle, or there is no such profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacancy {
    /// Whose profile it is.
    pub holder: UserId,
    /// When the look began. It has to be into the profile's own stream; a read model may be behind.
    pub seen_at: Timestamp,
}
