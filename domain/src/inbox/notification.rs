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

/// Notifications that are shown as one: "17 people liked your post".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NotificationGroup {
    /// Of what kind they are.
    pub kind: NotificationKind,
    /// The post, order or person that they are about.
    pub subject: Uuid,
}
