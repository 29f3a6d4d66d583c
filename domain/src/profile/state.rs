//! What a profile remembers.

use super::ProfileEvent;
use crate::{
    Timestamp,
    values::{Biography, DisplayName, Handle, UserId},
};

/// Whether somebody is visible to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProfileState {
    /// Not yet.
    #[default]
    Missing,
    /// As this.
    Present(Person),
}

/// Who somebody is to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub user: UserId,
    /// The handle they are found under.
    pub handle: Handle,
    /// What others call them.
    pub name: DisplayName,
    /// What they say of themselves.
    pub biography: Biography,
    /// Since when.
    pub created_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
}

impl ProfileState {
    /// The profile, once there is one.
    pub const fn present(&self) -> Option<&Person> {
        match self {
            Self::Missing => None,
            Self::Present(profile) => Some(profile),
        }
    }

    /// Whether it has this handle: what a [`super::handle::Vacancy`] is about.
    pub fn has(&self, handle: &Handle) -> bool {
        self.present().is_some_and(|profile| profile.handle == *handle)
    }
}

pub(super) fn evolve(state: ProfileState, event: &ProfileEvent) -> ProfileState {
    match (state, event) {
        (_, ProfileEvent::Created { user, handle, name, biography, at }) => ProfileState::Present(Person {
            user: *user,
            handle: handle.clone(),
            name: name.clone(),
            biography: biography.clone(),
            created_at: *at,
            updated_at: *at,
        }),
        (ProfileState::Present(profile), ProfileEvent::Updated { name, biography, at, .. }) => {
            let (name, biography) = (name.clone(), biography.clone());
            ProfileState::Present(Person { name, biography, updated_at: *at, ..profile })
        }
        (ProfileState::Present(profile), ProfileEvent::HandleChanged { handle, at, .. }) => {
            ProfileState::Present(Person { handle: handle.clone(), updated_at: *at, ..profile })
        }
        // `decide` never lets these happen; a log that holds them all the same must still fold.
        (ProfileState::Missing, ProfileEvent::Updated { .. } | ProfileEvent::HandleChanged { .. }) => {
            ProfileState::Missing
        }
    }
}
