//! An inbox's rules.

use std::collections::BTreeMap;

use super::{InboxCommand, InboxEvent, InboxRejection, InboxState, MARK_MARGIN, NotificationGroup, NotificationKind};
use crate::{Timestamp, values::UserId};

pub(super) fn decide(
    state: &InboxState,
    command: InboxCommand,
    now: Timestamp,
) -> Result<Vec<InboxEvent>, InboxRejection> {
    match command {
        InboxCommand::MarkSeen { user, up_to } => mark_seen(state, user, up_to, now),
        InboxCommand::MarkRead { user, group, up_to } => mark_read(state, user, group, up_to, now),
        InboxCommand::UpdatePreferences { user, wanted } => Ok(update_preferences(state, user, wanted, now)),
    }
}

fn mark_seen(
    state: &InboxState,
    user: UserId,
    up_to: Timestamp,
    at: Timestamp,
) -> Result<Vec<InboxEvent>, InboxRejection> {
    happened(up_to, at)?;
    if state.seen_up_to >= Some(up_to) {
        return Ok(vec![]); // Already so: success, nothing new.
    }
    Ok(vec![InboxEvent::Seen { user, up_to, at }])
}

fn mark_read(
    state: &InboxState,
    user: UserId,
    group: Option<NotificationGroup>,
    up_to: Timestamp,
    at: Timestamp,
) -> Result<Vec<InboxEvent>, InboxRejection> {
    happened(up_to, at)?;
    if state.is_read(group, up_to) {
        return Ok(vec![]); // Already so: success, nothing new.
    }
    Ok(vec![InboxEvent::Read { user, group, up_to, at }])
}

fn update_preferences(
    state: &InboxState,
    user: UserId,
    wanted: BTreeMap<NotificationKind, bool>,
    at: Timestamp,
) -> Vec<InboxEvent> {
    let mut unwanted = state.unwanted.clone();
    for (kind, is_wanted) in wanted {
        if is_wanted {
            unwanted.remove(&kind)
        } else {
            unwanted.insert(kind)
        };
    }
    if unwanted == state.unwanted {
        return vec![]; // Already so: success, nothing new.
    }
    vec![InboxEvent::PreferencesChanged { user, unwanted, at }]
}

/// Nobody has seen or read what is still to come.
fn happened(up_to: Timestamp, now: Timestamp) -> Result<(), InboxRejection> {
    if up_to > now + MARK_MARGIN { Err(InboxRejection::InFuture) } else { Ok(()) }
}
