//! What the owner of an inbox says of it, and what they see of that.

use async_graphql::{Enum, Error, ID, InputObject, SimpleObject};
use domain::{
    Timestamp,
    inbox::{self, InboxState},
    values::{OrderKind, PostKind, UserKind},
};

use crate::graphql::node::target;

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "inbox::NotificationKind")]
pub(in crate::graphql) enum NotificationKind {
    /// Somebody likes a post of the caller's.
    Like,
    /// Somebody reposted a post of the caller's.
    Repost,
    /// Somebody quoted a post of the caller's.
    Quote,
    /// Somebody answered a post of the caller's.
    Reply,
    /// Somebody mentioned the caller.
    Mention,
    /// Somebody follows the caller.
    Follow,
    /// Something happened to an order of the caller's.
    Order,
}

/// Notifications that are shown as one.
#[derive(Debug, InputObject)]
pub(super) struct NotificationGroupInput {
    /// Of what kind they are.
    kind: NotificationKind,
    /// The `subjectId` of the notification.
    subject_id: ID,
}

impl NotificationGroupInput {
    pub(super) fn group(&self) -> Result<inbox::NotificationGroup, Error> {
        let kind = inbox::NotificationKind::from(self.kind);
        let subject = match kind {
            inbox::NotificationKind::Like
            | inbox::NotificationKind::Repost
            | inbox::NotificationKind::Quote
            | inbox::NotificationKind::Reply
            | inbox::NotificationKind::Mention => target::<PostKind>(&self.subject_id)?.uuid(),
            inbox::NotificationKind::Follow => target::<UserKind>(&self.subject_id)?.uuid(),
            inbox::NotificationKind::Order => target::<OrderKind>(&self.subject_id)?.uuid(),
        };
        Ok(inbox::NotificationGroup { kind, subject })
    }
}

/// Whether a kind of notifications is wanted.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct NotificationPreferenceInput {
    /// The kind.
    pub(super) kind: NotificationKind,
    /// Whether it is wanted.
    pub(super) is_wanted: bool,
}

/// Whether a kind of notifications is wanted.
#[derive(Clone, Copy, Debug, SimpleObject)]
struct NotificationPreference {
    /// The kind.
    kind: NotificationKind,
    /// Whether it is wanted.
    is_wanted: bool,
}

/// What the caller says of their inbox.
#[derive(Clone, Debug, SimpleObject)]
pub(in crate::graphql) struct Inbox {
    /// Until when the caller knows of everything; null if nothing was marked yet.
    seen_up_to: Option<Timestamp>,
    /// Until when the caller has read everything; null if nothing was marked yet.
    read_up_to: Option<Timestamp>,
    /// Each kind of notifications, and whether it is wanted.
    preferences: Vec<NotificationPreference>,
}

impl From<&InboxState> for Inbox {
    fn from(InboxState { seen_up_to, read_up_to, groups: _, unwanted }: &InboxState) -> Self {
        let preference = |kind: inbox::NotificationKind| NotificationPreference {
            kind: kind.into(),
            is_wanted: !unwanted.contains(&kind),
        };
        let preferences = inbox::NotificationKind::ALL.into_iter().map(preference).collect();
        Self { seen_up_to: *seen_up_to, read_up_to: *read_up_to, preferences }
    }
}
