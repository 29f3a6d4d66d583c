//! What happened to a handle.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Timestamp,
    values::{Handle, HandleId, UserId},
};

/// An event of one handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandleEvent {
    /// It is kept for somebody's profile to take, or to take again.
    #[serde(rename = "handle.claimed.v1")]
    Claimed {
        /// The handle.
        handle: Handle,
        /// For whom.
        by: UserId,
        /// Until when their profile may take it. It is theirs beyond that if it did.
        until: Timestamp,
        /// Who had claimed it before, if that was somebody else, whose profile does not have it.
        former: Option<UserId>,
        /// When.
        at: Timestamp,
    },
}

impl HandleEvent {
    /// The handle it happened to.
    pub fn handle(&self) -> HandleId {
        match self {
            Self::Claimed { handle, .. } => super::id_of(handle),
        }
    }
}

impl EventPayload for HandleEvent {
    fn types() -> Vec<&'static str> {
        vec!["handle.claimed.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
