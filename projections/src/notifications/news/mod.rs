//! Whom an event concerns, and with what kind of news: pure.

pub(super) mod sql;

use domain::{
    Timestamp,
    inbox::NotificationKind,
    order::OrderEvent,
    post::{Published, Visibility},
    values::UserId,
};
use uuid::Uuid;

/// What became of an order, as far as its customer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderNews {
    /// The pieces are reserved, the money is held.
    Confirmed,
    /// Some or all of it left the house.
    Shipped,
    /// Money was given back.
    Refunded,
}

impl OrderNews {
    const ALL: [Self; 3] = [Self::Confirmed, Self::Shipped, Self::Refunded];

    /// What the customer is told of this event; none: nothing.
    pub(super) const fn of(event: &OrderEvent) -> Option<Self> {
        match event {
            OrderEvent::Confirmed { .. } => Some(Self::Confirmed),
            OrderEvent::Shipped { .. } => Some(Self::Shipped),
            OrderEvent::Refunded { .. } => Some(Self::Refunded),
            OrderEvent::Placed { .. }
            | OrderEvent::PaymentChosen { .. }
            | OrderEvent::PaymentFailed { .. }
            | OrderEvent::Cancelled { .. }
            | OrderEvent::Delivered { .. }
            | OrderEvent::Overdue { .. }
            | OrderEvent::Paid { .. }
            | OrderEvent::ReturnRequested { .. }
            | OrderEvent::ReturnReceived { .. }
            | OrderEvent::RefundRequested { .. }
            | OrderEvent::RefundFailed { .. } => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Refunded => "refunded",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|news| news.word() == word)
    }
}

/// The word for a kind in the tables.
pub(super) const fn word(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Like => "like",
        NotificationKind::Repost => "repost",
        NotificationKind::Quote => "quote",
        NotificationKind::Reply => "reply",
        NotificationKind::Mention => "mention",
        NotificationKind::Follow => "follow",
        NotificationKind::Order => "order",
    }
}

pub(super) fn parse(word_of: &str) -> Option<NotificationKind> {
    NotificationKind::ALL.into_iter().find(|kind| word(*kind) == word_of)
}

/// Something that somebody did and somebody else is told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    pub(super) recipient: UserId,
    pub(super) kind: NotificationKind,
    /// The post that is liked or reposted; the post that answers, quotes or mentions; for a follow whoever is followed.
    pub(super) subject: Uuid,
    pub(super) actor: UserId,
    /// Whether only those who follow the actor may see it.
    pub(super) visibility: Visibility,
    pub(super) at: Timestamp,
}

/// Who is told of a post, each once: whoever it answers, else quotes, else mentions.
pub(super) fn of_post(published: &Published) -> Vec<(UserId, NotificationKind)> {
    let Published { author, content, reply, quoted, .. } = published;
    let answered = reply.iter().map(|reply| (reply.parent_author, NotificationKind::Reply));
    let quoted = quoted.iter().map(|quoted| (quoted.author, NotificationKind::Quote));
    let mentioned = content.mentions.iter().map(|mention| (mention.user, NotificationKind::Mention));
    let mut told: Vec<(UserId, NotificationKind)> = Vec::new();
    for (user, kind) in answered.chain(quoted).chain(mentioned) {
        if user != *author && told.iter().all(|(other, _)| *other != user) {
            told.push((user, kind));
        }
    }
    told
}
