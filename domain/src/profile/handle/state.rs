//! What a handle remembers.

use super::HandleEvent;
use crate::{
    Timestamp,
    values::{Handle, UserId},
};

/// Whose a handle is, or may become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandleState {
    /// Nobody ever wanted it.
    #[default]
    Unclaimed,
    /// Somebody did, and nobody after them.
    Claimed(Claim),
}

/// The last claim of a handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The handle.
    pub handle: Handle,
    /// Who wants it.
    pub by: UserId,
    /// Until when their profile may take it.
    pub until: Timestamp,
}

impl Claim {
    /// One that is over, and always was. It takes nothing; whoever has the handle already needs no other.
    pub const fn over(handle: Handle, by: UserId) -> Self {
        Self { handle, by, until: Timestamp::MIN_UTC }
    }
}

pub(super) fn evolve(event: &HandleEvent) -> HandleState {
    match event {
        HandleEvent::Claimed { handle, by, until, former: _, at: _ } => {
            HandleState::Claimed(Claim { handle: handle.clone(), by: *by, until: *until })
        }
    }
}
