//! A notification as its recipient sees it.

use std::sync::Arc;

use async_graphql::{Context, Error, ID, Object, SimpleObject};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Timestamp,
    inbox::{self, NotificationGroup},
    values::{OrderId, PostId, UserId},
};
use projections::notifications::{self, Notification, OrderNews};

use crate::graphql::{
    PositionToken,
    call::services,
    inbox::NotificationKind,
    node::global,
    order::{OrderChangeKind, OrderObject, OrdersTogether},
    post::{PostObject, PostsTogether},
    profile::{ProfileObject, ProfilesTogether},
    read::ready,
};

/// Notifications that are shown as one.
#[derive(Clone, Debug)]
pub(crate) struct NotificationObject {
    notification: Notification,
    near: Arc<Near>,
}

/// What notifications of one answer name, each kind looked up together.
#[derive(Debug)]
struct Near {
    people: ProfilesTogether,
    posts: PostsTogether,
    orders: OrdersTogether,
}

/// What a notification is about.
enum Subject {
    Post(PostId),
    Order(OrderId),
    Person(UserId),
}

impl Subject {
    fn of(group: NotificationGroup) -> Self {
        match group.kind {
            inbox::NotificationKind::Like
            | inbox::NotificationKind::Repost
            | inbox::NotificationKind::Quote
            | inbox::NotificationKind::Reply
            | inbox::NotificationKind::Mention => Self::Post(PostId::new(group.subject)),
            inbox::NotificationKind::Follow => Self::Person(UserId::new(group.subject)),
            inbox::NotificationKind::Order => Self::Order(OrderId::new(group.subject)),
        }
    }

    fn post(&self) -> Option<PostId> {
        match self {
            Self::Post(post) => Some(*post),
            Self::Order(_) | Self::Person(_) => None,
        }
    }

    fn order(&self) -> Option<OrderId> {
        match self {
            Self::Order(order) => Some(*order),
            Self::Post(_) | Self::Person(_) => None,
        }
    }

    fn id(&self) -> ID {
        match self {
            Self::Post(post) => global(*post),
            Self::Order(order) => global(*order),
            Self::Person(user) => global(*user),
        }
    }
}

impl NotificationObject {
    /// Notifications of one answer; what they name is looked up together.
    pub(super) fn all(notifications: Vec<Notification>) -> Vec<Self> {
        let subjects = || notifications.iter().map(|one| Subject::of(one.group));
        let actors: Vec<UserId> = notifications.iter().flat_map(|one| one.newest_actors.iter().copied()).collect();
        let near = Arc::new(Near {
            people: ProfilesTogether::new(actors, vec![]),
            posts: PostsTogether::new(subjects().filter_map(|subject| subject.post()), vec![]),
            orders: OrdersTogether::new(subjects().filter_map(|subject| subject.order())),
        });
        notifications.into_iter().map(|notification| Self { notification, near: Arc::clone(&near) }).collect()
    }

    pub(super) const fn place(&self) -> notifications::InboxPlace {
        self.notification.place()
    }

    /// What happened is in the other read models, too, once they are as far.
    const fn position(&self) -> PositionToken {
        PositionToken(self.notification.position)
    }
}

/// Notifications of one kind about one subject, shown as one. It stands in the inbox where the newest of them does.
#[Object(name = "Notification")]
impl NotificationObject {
    /// Names it among the caller's notifications; opaque, and the same whatever comes into it.
    async fn id(&self) -> ID {
        let NotificationGroup { kind, subject } = self.notification.group;
        ID(URL_SAFE_NO_PAD.encode(format!("notification:{kind:?}:{subject}")))
    }

    /// What happened.
    async fn kind(&self) -> NotificationKind {
        self.notification.group.kind.into()
    }

    /// What it is about, for `notificationsMarkRead`: a post, an order, or for `FOLLOW` the caller's own profile.
    async fn subject_id(&self) -> ID {
        Subject::of(self.notification.group).id()
    }

    /// How many people did it; for an order, how often something happened to it.
    async fn count(&self) -> u64 {
        self.notification.count
    }

    /// Who did it, the newest first, at most three; nobody for an order.
    #[graphql(complexity = "5 + 3 * child_complexity")]
    async fn actors(&self, context: &Context<'_>) -> Result<Vec<ProfileObject>, Error> {
        let mut actors = Vec::new();
        for actor in &self.notification.newest_actors {
            actors.extend(self.near.people.get(context, *actor).await?);
        }
        Ok(actors)
    }

    /// The caller's post that is liked or reposted, or the post that quotes, answers or mentions; null for other kinds, and
    /// for one that is not there.
    #[graphql(complexity = "5 + child_complexity")]
    async fn post(&self, context: &Context<'_>) -> Result<Option<PostObject>, Error> {
        let Some(post) = Subject::of(self.notification.group).post() else { return Ok(None) };
        ready(context, &services(context).read_models.post_board, Some(self.position())).await?;
        self.near.posts.get(context, post).await
    }

    /// The order; null for other kinds.
    #[graphql(complexity = "5 + child_complexity")]
    async fn order(&self, context: &Context<'_>) -> Result<Option<OrderObject>, Error> {
        let Some(order) = Subject::of(self.notification.group).order() else { return Ok(None) };
        ready(context, &services(context).read_models.order_summary, Some(self.position())).await?;
        self.near.orders.get(context, order).await
    }

    /// What happened to the order last: `CONFIRMED`, `SHIPPED` or `REFUNDED`; null for other kinds.
    async fn order_change(&self) -> Option<OrderChangeKind> {
        self.notification.order_news.map(|news| match news {
            OrderNews::Confirmed => OrderChangeKind::Confirmed,
            OrderNews::Shipped => OrderChangeKind::Shipped,
            OrderNews::Refunded => OrderChangeKind::Refunded,
        })
    }

    /// When the newest of it happened. Give it as `upTo` to mark it as seen or read.
    async fn occurred_at(&self) -> Timestamp {
        self.notification.moment
    }

    /// Whether the caller knows of all of it: it is counted no longer.
    async fn is_seen(&self) -> bool {
        self.notification.is_seen
    }

    /// Whether the caller has read all of it. What comes into it later makes it unread again.
    async fn is_read(&self) -> bool {
        self.notification.is_read
    }
}

/// How many notifications the caller does not know of.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct UnreadCount {
    /// How many groups, at most 100.
    count: u64,
    /// Whether there are more: "100+".
    is_capped: bool,
}

impl From<notifications::UnreadCount> for UnreadCount {
    fn from(notifications::UnreadCount { count, is_capped }: notifications::UnreadCount) -> Self {
        Self { count, is_capped }
    }
}
