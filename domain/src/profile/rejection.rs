//! Why a profile's command is refused.

/// An answer to whoever asked; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileRejection {
    /// One person has one profile.
    #[error("you have a profile already: change it instead")]
    AlreadyCreated,
    /// There is none.
    #[error("there is no such profile: create it first")]
    NotFound,
    /// The claim is over, or somebody else's.
    #[error("the handle is not kept for you any more: claim it again")]
    HandleNotClaimed,
}

crate::codes::codes!(ProfileRejection {
    Self::AlreadyCreated => "PROFILE_EXISTS",
    Self::NotFound => "PROFILE_NOT_FOUND",
    Self::HandleNotClaimed => "HANDLE_NOT_CLAIMED",
});
