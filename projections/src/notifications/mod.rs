//! What is news to whom: who likes, reposts, quotes and answers their posts, mentions or follows them, and what became of
//! their orders?
//!
//! One model of set changes for all recipients (ADR 0026). What happened is an item; items of one kind about one subject are
//! a group, which is shown as one: "17 people like your post". A group has one place in its inbox, that of its newest item.
//! What is shown is a matter of what is the case: who is blocked, muted or followed, which posts are there. So it does not
//! matter in which order the events of different streams are applied, and what could not be applied at once comes out the
//! same.
//! **Invariant:** a group counts exactly the items that are shown.
//! **Invariant:** nobody is told of what they do themselves, and of one post at most once.
//! Slice map: projections/src/notifications/news/mod.rs, projections/src/notifications/news/sql.rs,
//! projections/src/notifications/marks/sql.rs, projections/src/notifications/query.rs, domain/src/inbox/mod.rs

mod live;
mod marks;
mod news;
mod query;
mod sql;
#[cfg(test)]
mod tests;

use domain::{Timestamp, inbox::NotificationGroup, values::UserId};
use infrastructure::event_store::Position;

pub use live::{InboxWatcher, InboxWatchers};
pub use news::OrderNews;

/// The read model `notifications`.
#[derive(Debug)]
pub enum Notifications {}

/// Its name, for good.
pub(crate) const NAME: &str = "notifications";
/// Raised with every change of tables or statements.
pub(crate) const VERSION: u32 = 1;

/// How many of those who did something are named.
pub const NEWEST_ACTORS_MAX: usize = 3;
/// Unread groups are counted up to here.
pub const UNREAD_MAX: u64 = 100;

/// A group of notifications, as its recipient sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What it is about.
    pub group: NotificationGroup,
    /// How many people did it; for an order how often something happened to it.
    pub count: u64,
    /// Who did it, the newest first, at most [`NEWEST_ACTORS_MAX`]; nobody for an order.
    pub newest_actors: Vec<UserId>,
    /// What happened to the order last; none for other kinds.
    pub order_news: Option<OrderNews>,
    /// When the newest of it happened.
    pub moment: Timestamp,
    /// Where the newest of it stands in the log.
    pub position: Position,
    /// Whether the recipient knows of all of it: then it is counted no longer.
    pub is_seen: bool,
    /// Whether the recipient has read all of it.
    pub is_read: bool,
}

/// The place of a group in its inbox: when the newest of it happened, and where that stands in the log.
pub type InboxPlace = (Timestamp, Position);

impl Notification {
    /// Its place in the inbox.
    pub const fn place(&self) -> InboxPlace {
        (self.moment, self.position)
    }
}

/// Some of an inbox, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxPage {
    /// The groups.
    pub notifications: Vec<Notification>,
    /// Whether there are more of them beyond.
    pub has_more: bool,
    /// Everything up to here was applied when the page was read.
    pub as_of: Position,
}

/// How many groups somebody does not know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadCount {
    /// How many, at most [`UNREAD_MAX`].
    pub count: u64,
    /// Whether there are more.
    pub is_capped: bool,
}

/// What came into an inbox after some position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The groups that something came into, each once, as they are now, and where that stands; in this order.
    pub notifications: Vec<(Position, Notification)>,
    /// Everything up to here was looked at.
    pub reached: Position,
    /// Whether there may be more beyond.
    pub has_more: bool,
}
