//! What notifications are about.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A kind of notification, each of which can be wanted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Somebody likes a post of theirs.
    Like,
    /// Somebody reposted a post of theirs.
    Repost,
    /// Somebody quoted a post of theirs.
    Quote,
    /// Somebody answered a post of theirs.
    Reply,
    /// Somebody mentioned them.
    Mention,
    /// Somebody follows them.
    Follow,
    /// Something happened to an order of theirs.
    Order,
}

impl NotificationKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Like, Self::Repost, Self::Quote, Self::Reply, Self::Mention, Self::Follow, Self::Order];
}

/// Notifications that are shown as one: "17 people liked your post".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NotificationGroup {
    /// Of what kind they are.
    pub kind: NotificationKind,
    /// What they are about. Likes and reposts: the post that is theirs. Quotes, replies and mentions: the post that quotes,
    /// answers or mentions, so each of them is a group by itself. Follows: whoever is followed. Orders: the order.
    pub subject: Uuid,
}
