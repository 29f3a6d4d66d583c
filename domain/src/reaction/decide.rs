//! The rules of reactions.

use super::{ReactionCommand, ReactionEvent, ReactionRejection, ReactionState};
use crate::{Timestamp, post::Seen, values::UserId};

pub(super) fn decide(
    state: &ReactionState,
    command: ReactionCommand,
    now: Timestamp,
) -> Result<Vec<ReactionEvent>, ReactionRejection> {
    match command {
        ReactionCommand::Like { by, has_profile, post } => like(state, by, has_profile, &post, now),
        ReactionCommand::Unlike => Ok(unlike(state, now)),
    }
}

fn like(
    state: &ReactionState,
    by: UserId,
    has_profile: bool,
    seen: &Seen,
    at: Timestamp,
) -> Result<Vec<ReactionEvent>, ReactionRejection> {
    match state {
        ReactionState::Liked { .. } => return Ok(vec![]), // Already so: success, nothing new.
        ReactionState::Neutral => {}
    }
    if !has_profile {
        return Err(ReactionRejection::NoProfile);
    }
    let post = seen.by(by)?;
    Ok(vec![ReactionEvent::Liked { post: post.post, author: post.author, by, at }])
}

fn unlike(state: &ReactionState, at: Timestamp) -> Vec<ReactionEvent> {
    match *state {
        ReactionState::Neutral => vec![], // Already so: success, nothing new.
        ReactionState::Liked { post, author, by } => vec![ReactionEvent::Unliked { post, author, by, at }],
    }
}
