//! The rules between two people.

use super::{FollowCommand, FollowEvent, FollowRejection, HaveProfiles, PairState, UnfollowReason};
use crate::{Timestamp, values::UserId};

pub(super) fn decide(
    state: PairState,
    command: FollowCommand,
    now: Timestamp,
) -> Result<Vec<FollowEvent>, FollowRejection> {
    match command {
        FollowCommand::Follow { by, whom, have_profiles } => {
            two_people(by, whom, have_profiles)?;
            follow(state, by, whom, now)
        }
        FollowCommand::Unfollow { by, whom } => Ok(unfollow(state, by, whom, UnfollowReason::Asked, now)),
        FollowCommand::Block { by, whom, have_profiles } => {
            two_people(by, whom, have_profiles)?;
            Ok(block(state, by, whom, now))
        }
        FollowCommand::Unblock { by, whom } => Ok(unblock(state, by, whom, now)),
        FollowCommand::Mute { by, whom, have_profiles } => {
            two_people(by, whom, have_profiles)?;
            Ok(mute(state, by, whom, now))
        }
        FollowCommand::Unmute { by, whom } => Ok(unmute(state, by, whom, now)),
    }
}

/// Nobody is somebody else to themselves, and nobody to others without a profile.
fn two_people(by: UserId, whom: UserId, have_profiles: HaveProfiles) -> Result<(), FollowRejection> {
    if by == whom {
        return Err(FollowRejection::Yourself);
    }
    if !have_profiles.by {
        return Err(FollowRejection::NoProfile);
    }
    if have_profiles.whom { Ok(()) } else { Err(FollowRejection::NotFound) }
}

fn follow(state: PairState, by: UserId, whom: UserId, at: Timestamp) -> Result<Vec<FollowEvent>, FollowRejection> {
    if state.blocks(by, whom) {
        return Err(FollowRejection::YouBlock);
    }
    if state.blocks(whom, by) {
        return Err(FollowRejection::BlocksYou);
    }
    if state.follows(by, whom) {
        return Ok(vec![]); // Already so: success, nothing new.
    }
    Ok(vec![FollowEvent::Followed { by, whom, at }])
}

fn unfollow(state: PairState, by: UserId, whom: UserId, reason: UnfollowReason, at: Timestamp) -> Vec<FollowEvent> {
    if state.follows(by, whom) { vec![FollowEvent::Unfollowed { by, whom, reason, at }] } else { vec![] }
}

/// The follows it ends stand before it, each as an event of its own: whoever counts or fans out follows has to know of
/// nothing else.
fn block(state: PairState, by: UserId, whom: UserId, at: Timestamp) -> Vec<FollowEvent> {
    if state.blocks(by, whom) {
        return vec![]; // Already so: success, nothing new.
    }
    let mut events = unfollow(state, by, whom, UnfollowReason::Blocked, at);
    events.extend(unfollow(state, whom, by, UnfollowReason::Blocked, at));
    events.push(FollowEvent::Blocked { by, whom, at });
    events
}

fn unblock(state: PairState, by: UserId, whom: UserId, at: Timestamp) -> Vec<FollowEvent> {
    if state.blocks(by, whom) { vec![FollowEvent::Unblocked { by, whom, at }] } else { vec![] }
}

fn mute(state: PairState, by: UserId, whom: UserId, at: Timestamp) -> Vec<FollowEvent> {
    if state.mutes(by, whom) { vec![] } else { vec![FollowEvent::Muted { by, whom, at }] }
}

fn unmute(state: PairState, by: UserId, whom: UserId, at: Timestamp) -> Vec<FollowEvent> {
    if state.mutes(by, whom) { vec![FollowEvent::Unmuted { by, whom, at }] } else { vec![] }
}
