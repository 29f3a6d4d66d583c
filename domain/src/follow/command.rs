//! What somebody may want of somebody else.

use crate::values::UserId;

/// A command to two people's stream: `by` does it, to `whom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowCommand {
    /// See what they post.
    Follow {
        /// Who.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// Which of the two have a profile.
        have_profiles: HaveProfiles,
    },
    /// See it no longer.
    Unfollow {
        /// Who.
        by: UserId,
        /// Whom.
        whom: UserId,
    },
    /// Have nothing to do with them: neither sees the other, and follows end in both directions.
    Block {
        /// Who.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// Which of the two have a profile.
        have_profiles: HaveProfiles,
    },
    /// Be visible to them again. Follows do not come back.
    Unblock {
        /// Who.
        by: UserId,
        /// Whom.
        whom: UserId,
    },
    /// Hear nothing of them, without their knowing. Follows stay.
    Mute {
        /// Who.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// Which of the two have a profile.
        have_profiles: HaveProfiles,
    },
    /// Hear of them again.
    Unmute {
        /// Who.
        by: UserId,
        /// Whom.
        whom: UserId,
    },
}

/// Which of the two have a profile, as the caller has looked up. A profile does not go away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HaveProfiles {
    /// Whether who does it has one.
    pub by: bool,
    /// Whether to whom it is done has one.
    pub whom: bool,
}
