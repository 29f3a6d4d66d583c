//! What somebody may want of their inbox.

use std::collections::BTreeMap;

use super::{NotificationGroup, NotificationKind};
use crate::{Timestamp, values::UserId};

/// A command to one person's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxCommand {
    /// They know that there is something: it is counted no longer.
    MarkSeen {
        /// Whose inbox it is.
        user: UserId,
        /// What happened until then.
        up_to: Timestamp,
    },
    /// They have read it.
    MarkRead {
        /// Whose inbox it is.
        user: UserId,
        /// Only these; none: all.
        group: Option<NotificationGroup>,
        /// What happened until then.
        up_to: Timestamp,
    },
    /// Say which kinds are wanted; what is not named stays as it is. Whoever says nothing wants all.
    UpdatePreferences {
        /// Whose inbox it is.
        user: UserId,
        /// Whether it is wanted, for each kind that changes.
        wanted: BTreeMap<NotificationKind, bool>,
    },
}
