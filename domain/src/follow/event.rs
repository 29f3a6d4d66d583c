//! What happened between two people.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Timestamp,
    values::{PairId, UserId},
};

/// An event between two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FollowEvent {
    /// One follows the other.
    #[serde(rename = "follow.followed.v1")]
    Followed {
        /// Who follows.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// When.
        at: Timestamp,
    },
    /// One follows the other no longer.
    #[serde(rename = "follow.unfollowed.v1")]
    Unfollowed {
        /// Who followed.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// Why.
        reason: UnfollowReason,
        /// When.
        at: Timestamp,
    },
    /// One blocks the other. Follows that ended by it stand right before.
    #[serde(rename = "follow.blocked.v1")]
    Blocked {
        /// Who blocks.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// When.
        at: Timestamp,
    },
    /// One blocks the other no longer.
    #[serde(rename = "follow.unblocked.v1")]
    Unblocked {
        /// Who blocked.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// When.
        at: Timestamp,
    },
    /// One does not want to hear of the other.
    #[serde(rename = "follow.muted.v1")]
    Muted {
        /// Who mutes.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// When.
        at: Timestamp,
    },
    /// One wants to hear of the other again.
    #[serde(rename = "follow.unmuted.v1")]
    Unmuted {
        /// Who muted.
        by: UserId,
        /// Whom.
        whom: UserId,
        /// When.
        at: Timestamp,
    },
}

/// Why somebody follows somebody no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnfollowReason {
    /// They wanted it so.
    Asked,
    /// One of the two blocked the other.
    Blocked,
}

impl FollowEvent {
    /// Who did it to whom.
    pub const fn parties(&self) -> (UserId, UserId) {
        match self {
            Self::Followed { by, whom, .. }
            | Self::Unfollowed { by, whom, .. }
            | Self::Blocked { by, whom, .. }
            | Self::Unblocked { by, whom, .. }
            | Self::Muted { by, whom, .. }
            | Self::Unmuted { by, whom, .. } => (*by, *whom),
        }
    }

    /// The two people it happened between.
    pub fn pair(&self) -> PairId {
        let (one, other) = self.parties();
        super::id_of(one, other)
    }
}

impl EventPayload for FollowEvent {
    fn types() -> Vec<&'static str> {
        vec![
            "follow.followed.v1",
            "follow.unfollowed.v1",
            "follow.blocked.v1",
            "follow.unblocked.v1",
            "follow.muted.v1",
            "follow.unmuted.v1",
        ]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
