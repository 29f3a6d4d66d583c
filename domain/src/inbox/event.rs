//! What happened to an inbox.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use super::{NotificationGroup, NotificationKind};
use crate::{EventPayload, Timestamp, values::UserId};

/// An event of one person's inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InboxEvent {
    /// They know of what happened until a moment.
    #[serde(rename = "inbox.seen.v1")]
    Seen {
        /// Whose inbox it is.
        user: UserId,
        /// The moment.
        up_to: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// They have read what happened until a moment, and so have seen it.
    #[serde(rename = "inbox.read.v1")]
    Read {
        /// Whose inbox it is.
        user: UserId,
        /// Only these; none: all.
        group: Option<NotificationGroup>,
        /// The moment.
        up_to: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// They want other kinds of notifications.
    #[serde(rename = "inbox.preferences_changed.v1")]
    PreferencesChanged {
        /// Whose inbox it is.
        user: UserId,
        /// The kinds that they do not want from now on: all of them.
        unwanted: BTreeSet<NotificationKind>,
        /// When.
        at: Timestamp,
    },
}

impl InboxEvent {
    /// The person whose inbox it is.
    pub const fn user(&self) -> UserId {
        match self {
            Self::Seen { user, .. } | Self::Read { user, .. } | Self::PreferencesChanged { user, .. } => *user,
        }
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Seen { at, .. } | Self::Read { at, .. } | Self::PreferencesChanged { at, .. } => *at,
        }
    }
}

impl EventPayload for InboxEvent {
    fn types() -> Vec<&'static str> {
        vec!["inbox.seen.v1", "inbox.read.v1", "inbox.preferences_changed.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
