//! What happened to a profile.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Timestamp,
    values::{Biography, DisplayName, Handle, UserId},
};

/// An event of one person's profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProfileEvent {
    /// Somebody became visible to others.
    #[serde(rename = "profile.created.v1")]
    Created {
        /// Who.
        user: UserId,
        /// The handle they are found under.
        handle: Handle,
        /// What others call them.
        name: DisplayName,
        /// What they say of themselves; may be empty.
        biography: Biography,
        /// When.
        at: Timestamp,
    },
    /// They say other things of themselves.
    #[serde(rename = "profile.updated.v1")]
    Updated {
        /// Who.
        user: UserId,
        /// What others call them from now on.
        name: DisplayName,
        /// What they say of themselves from now on; may be empty.
        biography: Biography,
        /// When.
        at: Timestamp,
    },
    /// They are found under another handle.
    #[serde(rename = "profile.handle_changed.v1")]
    HandleChanged {
        /// Who.
        user: UserId,
        /// The handle from now on.
        handle: Handle,
        /// The handle until now.
        former: Handle,
        /// When.
        at: Timestamp,
    },
}

impl ProfileEvent {
    /// The person whose profile it is.
    pub const fn user(&self) -> UserId {
        match self {
            Self::Created { user, .. } | Self::Updated { user, .. } | Self::HandleChanged { user, .. } => *user,
        }
    }
}

impl EventPayload for ProfileEvent {
    fn types() -> Vec<&'static str> {
        vec!["profile.created.v1", "profile.updated.v1", "profile.handle_changed.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
