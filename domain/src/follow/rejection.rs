//! Why a command between two people is refused.

/// An answer to whoever asked; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowRejection {
    /// There are no two people.
    #[error("that is you: choose somebody else")]
    Yourself,
    /// Whoever asks is not visible to others.
    #[error("you have no profile: create one first")]
    NoProfile,
    /// Nobody has this profile.
    #[error("there is no such person: check the handle or id")]
    NotFound,
    /// Whoever asks blocks them.
    #[error("you block this person: unblock them first")]
    YouBlock,
    /// They block whoever asks.
    #[error("this person does not want to be followed by you")]
    BlocksYou,
}

crate::codes::codes!(FollowRejection {
    Self::Yourself => "YOURSELF",
    Self::NoProfile => "NO_PROFILE",
    Self::NotFound => "USER_NOT_FOUND",
    Self::YouBlock => "YOU_BLOCK_USER",
    Self::BlocksYou => "USER_BLOCKS_YOU",
});
