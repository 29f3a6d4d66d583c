//! A profile's rules.

use super::{Person, ProfileCommand, ProfileEvent, ProfileRejection, ProfileState, handle::Claim};
use crate::{
    Timestamp,
    values::{Biography, DisplayName, Handle, UserId},
};

pub(super) fn decide(
    state: &ProfileState,
    command: ProfileCommand,
    now: Timestamp,
) -> Result<Vec<ProfileEvent>, ProfileRejection> {
    match command {
        ProfileCommand::Create { user, claim, name, biography } => create(state, user, claim, name, biography, now),
        ProfileCommand::Update { claim, name, biography } => update(present(state)?, claim, name, biography, now),
    }
}

fn create(
    state: &ProfileState,
    user: UserId,
    claim: Claim,
    name: DisplayName,
    biography: Biography,
    at: Timestamp,
) -> Result<Vec<ProfileEvent>, ProfileRejection> {
    match state {
        ProfileState::Missing => {
            let handle = claimed(claim, user, at)?;
            Ok(vec![ProfileEvent::Created { user, handle, name, biography, at }])
        }
        ProfileState::Present(_) => Err(ProfileRejection::AlreadyCreated),
    }
}

fn update(
    profile: &Person,
    claim: Option<Claim>,
    name: Option<DisplayName>,
    biography: Option<Biography>,
    at: Timestamp,
) -> Result<Vec<ProfileEvent>, ProfileRejection> {
    // What is so already is success, and nothing new.
    let mut events = Vec::new();
    if let Some(claim) = claim.filter(|claim| claim.handle != profile.handle) {
        let handle = claimed(claim, profile.user, at)?;
        events.push(ProfileEvent::HandleChanged { user: profile.user, handle, former: profile.handle.clone(), at });
    }
    let name = name.unwrap_or_else(|| profile.name.clone());
    let biography = biography.unwrap_or_else(|| profile.biography.clone());
    if name != profile.name || biography != profile.biography {
        events.push(ProfileEvent::Updated { user: profile.user, name, biography, at });
    }
    Ok(events)
}

/// The handle, if it may be taken: after `until` others may find it vacant.
fn claimed(claim: Claim, user: UserId, now: Timestamp) -> Result<Handle, ProfileRejection> {
    if claim.by == user && now < claim.until { Ok(claim.handle) } else { Err(ProfileRejection::HandleNotClaimed) }
}

fn present(state: &ProfileState) -> Result<&Person, ProfileRejection> {
    match state {
        ProfileState::Missing => Err(ProfileRejection::NotFound),
        ProfileState::Present(profile) => Ok(profile),
    }
}
