//! A handle's rules.

use super::{CLAIM_KEPT, CLAIM_MARGIN, Claim, HandleCommand, HandleEvent, HandleRejection, HandleState, Vacancy};
use crate::{
    Timestamp,
    values::{Handle, UserId},
};

pub(super) fn decide(
    state: &HandleState,
    command: HandleCommand,
    now: Timestamp,
) -> Result<Vec<HandleEvent>, HandleRejection> {
    match command {
        HandleCommand::Claim { handle, by, vacancy } => claim(state, handle, by, vacancy, now),
    }
}

fn claim(
    state: &HandleState,
    handle: Handle,
    by: UserId,
    vacancy: Option<Vacancy>,
    at: Timestamp,
) -> Result<Vec<HandleEvent>, HandleRejection> {
    let until = at + CLAIM_KEPT;
    match state {
        HandleState::Unclaimed => Ok(vec![HandleEvent::Claimed { handle, by, until, former: None, at }]),
        // There is time enough left: success, nothing new.
        HandleState::Claimed(claim) if claim.by == by && claim.until - at > CLAIM_KEPT / 2 => Ok(vec![]),
        HandleState::Claimed(claim) if claim.by == by => {
            Ok(vec![HandleEvent::Claimed { handle, by, until, former: None, at }])
        }
        HandleState::Claimed(claim) if vacancy.is_some_and(|vacancy| is_vacant(claim, vacancy)) => {
            Ok(vec![HandleEvent::Claimed { handle, by, until, former: Some(claim.by), at }])
        }
        HandleState::Claimed(_) => Err(HandleRejection::Taken),
    }
}

/// Whether the claim can never come to anything any more: the profile was looked into after it could have taken the handle.
fn is_vacant(claim: &Claim, vacancy: Vacancy) -> bool {
    vacancy.holder == claim.by && vacancy.seen_at >= claim.until + CLAIM_MARGIN
}
