//! What an inbox remembers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{InboxEvent, NotificationGroup, NotificationKind, READ_GROUPS_MAX};
use crate::Timestamp;

/// The version of what is written as a snapshot, and of the fold that made it.
pub(super) const SNAPSHOT_VERSION: u32 = 1;

/// What its owner has seen and read, and does not want. Written as a snapshot: whoever changes fields or fold raises
/// `SNAPSHOT_VERSION`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxState {
    /// Until when everything was seen.
    pub seen_up_to: Option<Timestamp>,
    /// Until when everything was read.
    pub read_up_to: Option<Timestamp>,
    /// The groups of which more was read, the last one marked last; at most [`READ_GROUPS_MAX`].
    pub groups: Vec<GroupMark>,
    /// The kinds that are not wanted.
    pub unwanted: BTreeSet<NotificationKind>,
}

/// How far a group was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMark {
    /// The group.
    pub group: NotificationGroup,
    /// Until when.
    pub up_to: Timestamp,
}

impl InboxState {
    /// Whether everything until this moment is marked as read, as far as is remembered: of one group, or of all.
    pub fn is_read(&self, group: Option<NotificationGroup>, up_to: Timestamp) -> bool {
        let of_group = || self.groups.iter().any(|mark| Some(mark.group) == group && mark.up_to >= up_to);
        self.read_up_to >= Some(up_to) || of_group()
    }
}

pub(super) fn evolve(mut state: InboxState, event: &InboxEvent) -> InboxState {
    match event {
        InboxEvent::Seen { up_to, .. } => state.seen_up_to = state.seen_up_to.max(Some(*up_to)),
        InboxEvent::Read { group: None, up_to, .. } => {
            let read_up_to = (*up_to).max(state.read_up_to.unwrap_or(*up_to));
            state.read_up_to = Some(read_up_to);
            state.seen_up_to = state.seen_up_to.max(Some(read_up_to));
            state.groups.retain(|mark| mark.up_to > read_up_to);
        }
        InboxEvent::Read { group: Some(group), up_to, .. } => read_group(&mut state.groups, *group, *up_to),
        InboxEvent::PreferencesChanged { unwanted, .. } => state.unwanted.clone_from(unwanted),
    }
    state
}

fn read_group(groups: &mut Vec<GroupMark>, group: NotificationGroup, up_to: Timestamp) {
    let before = groups.iter().position(|mark| mark.group == group).map(|index| groups.remove(index).up_to);
    if before.is_none() && groups.len() >= READ_GROUPS_MAX {
        groups.remove(0);
    }
    groups.push(GroupMark { group, up_to: before.map_or(up_to, |before| before.max(up_to)) });
}
