//! What is in every inbox, computed from all that happened, one person at a time and from the beginning.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Event,
    follow::FollowEvent,
    inbox::{InboxEvent, NotificationGroup, NotificationKind},
    order::OrderEvent,
    post::{PostEvent, Visibility},
    reaction::ReactionEvent,
    values::{OrderId, PostId, UserId},
};
use infrastructure::event_store::Position;

use super::super::{NEWEST_ACTORS_MAX, Notification, OrderNews};
use crate::{Decoded, values::micros};

/// One thing that somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) group: NotificationGroup,
    pub(super) actor: Option<UserId>,
    pub(super) what: Option<OrderNews>,
    pub(super) moment: i64,
    pub(super) position: u64,
}

/// A post or repost.
#[derive(Clone, Debug)]
struct Known {
    author: UserId,
    of: Option<(PostId, UserId)>,
    parent: Option<UserId>,
    quoted: Option<UserId>,
    is_public: bool,
    is_deleted: bool,
    /// Where it stands, and when it was published.
    place: (i64, u64),
    /// Where each mention stands.
    mentions: BTreeMap<UserId, (i64, u64)>,
}

/// All that is the case.
#[derive(Debug, Default)]
pub(super) struct Reference {
    follows: BTreeMap<(UserId, UserId), (i64, u64)>,
    hidden: BTreeSet<(UserId, UserId, &'static str)>,
    likes: BTreeMap<(PostId, UserId), (UserId, (i64, u64))>,
    posts: BTreeMap<PostId, Known>,
    customers: BTreeMap<OrderId, UserId>,
    orders: Vec<(OrderId, OrderNews, (i64, u64))>,
    unwanted: BTreeMap<UserId, BTreeMap<u64, BTreeSet<NotificationKind>>>,
    seen: BTreeMap<UserId, i64>,
    read: BTreeMap<UserId, i64>,
    groups_read: BTreeMap<(UserId, NotificationGroup), i64>,
}

impl Reference {
    /// After these events, in whatever order they were applied.
    pub(super) fn of(events: &[Decoded]) -> Self {
        let mut events: Vec<&Decoded> = events.iter().collect();
        events.sort_by_key(|event| event.position);
        let mut reference = Self::default();
        for event in events {
            reference.take(event.position.value(), &event.event);
        }
        reference
    }

    fn take(&mut self, position: u64, event: &Event) {
        match event {
            Event::Follow(event) => self.between(position, event),
            Event::Post(event) => self.posted(position, event),
            Event::Reaction(ReactionEvent::Liked { post, author, by, at }) => {
                self.likes.insert((*post, *by), (*author, (micros(*at), position)));
            }
            Event::Reaction(ReactionEvent::Unliked { post, by, .. }) => drop(self.likes.remove(&(*post, *by))),
            Event::Order(event) => self.ordered(position, event),
            Event::Inbox(event) => self.said(position, event),
            other @ (Event::Product(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Operator(_)) => panic!("{other:?} does not happen here"),
        }
    }

    fn between(&mut self, position: u64, event: &FollowEvent) {
        let (by, whom) = event.parties();
        match event {
            FollowEvent::Followed { at, .. } => drop(self.follows.insert((by, whom), (micros(*at), position))),
            FollowEvent::Unfollowed { .. } => drop(self.follows.remove(&(by, whom))),
            FollowEvent::Blocked { .. } => drop(self.hidden.insert((by, whom, "blocks"))),
            FollowEvent::Unblocked { .. } => drop(self.hidden.remove(&(by, whom, "blocks"))),
            FollowEvent::Muted { .. } => drop(self.hidden.insert((by, whom, "mutes"))),
            FollowEvent::Unmuted { .. } => drop(self.hidden.remove(&(by, whom, "mutes"))),
        }
    }

    fn posted(&mut self, position: u64, event: &PostEvent) {
        match event {
            PostEvent::Published(published) => {
                let place = (micros(published.at), position);
                let mentions = published.content.mentions.iter().map(|mention| (mention.user, place)).collect();
                let known = Known {
                    author: published.author,
                    of: None,
                    parent: published.reply.map(|reply| reply.parent_author),
                    quoted: published.quoted.map(|quoted| quoted.author),
                    is_public: published.visibility == Visibility::Public,
                    is_deleted: false,
                    place,
                    mentions,
                };
                self.posts.insert(published.post, known);
            }
            PostEvent::Reposted { post, author, of, of_author, at } => {
                let known = Known {
                    author: *author,
                    of: Some((*of, *of_author)),
                    parent: None,
                    quoted: None,
                    is_public: true,
                    is_deleted: false,
                    place: (micros(*at), position),
                    mentions: BTreeMap::new(),
                };
                self.posts.insert(*post, known);
            }
            PostEvent::Edited { post, content, at, .. } => {
                let known = self.posts.get_mut(post).expect("it was published");
                let before = std::mem::take(&mut known.mentions);
                for mention in &content.mentions {
                    let place = before.get(&mention.user).copied().unwrap_or((micros(*at), position));
                    known.mentions.insert(mention.user, place);
                }
            }
            PostEvent::Deleted { post, .. } => {
                if let Some(known) = self.posts.get_mut(post) {
                    known.is_deleted = true;
                }
            }
        }
    }

    fn ordered(&mut self, position: u64, event: &OrderEvent) {
        if let OrderEvent::Placed { order, customer, .. } = event {
            self.customers.insert(*order, (*customer).into());
        }
        if let Some(news) = OrderNews::of(event) {
            self.orders.push((event.order(), news, (micros(event.at()), position)));
        }
    }

    fn said(&mut self, position: u64, event: &InboxEvent) {
        let user = event.user();
        let mark = |marks: &mut BTreeMap<UserId, i64>, up_to: i64| {
            let before = marks.get(&user).copied().unwrap_or(i64::MIN);
            marks.insert(user, before.max(up_to));
        };
        match event {
            InboxEvent::Seen { up_to, .. } => mark(&mut self.seen, micros(*up_to)),
            InboxEvent::Read { group: None, up_to, .. } => {
                mark(&mut self.seen, micros(*up_to));
                mark(&mut self.read, micros(*up_to));
            }
            InboxEvent::Read { group: Some(group), up_to, .. } => {
                let before = self.groups_read.get(&(user, *group)).copied().unwrap_or(i64::MIN);
                self.groups_read.insert((user, *group), before.max(micros(*up_to)));
            }
            InboxEvent::PreferencesChanged { unwanted, .. } => {
                self.unwanted.entry(user).or_default().insert(position, unwanted.clone());
            }
        }
    }

    fn wants(&self, user: UserId, kind: NotificationKind, position: u64) -> bool {
        let changes = self.unwanted.get(&user);
        let last = changes.and_then(|changes| changes.range(..position).next_back());
        last.is_none_or(|(_, unwanted)| !unwanted.contains(&kind))
    }

    fn hides(&self, user: UserId, other: UserId) -> bool {
        let is = |one, other, why| self.hidden.contains(&(one, other, why));
        is(user, other, "blocks") || is(other, user, "blocks") || is(user, other, "mutes")
    }

    /// All that somebody is told of, in the order of the log.
    pub(super) fn items(&self, user: UserId) -> Vec<Item> {
        let mut items = Vec::new();
        let mut add = |kind, subject, actor, (moment, position)| {
            let group = NotificationGroup { kind, subject };
            items.push(Item { group, actor: Some(actor), what: None, moment, position });
        };
        let is_there = |post: &PostId| self.posts.get(post).is_none_or(|known| !known.is_deleted);
        for ((post, by), (author, place)) in &self.likes {
            if *author == user && is_there(post) {
                add(NotificationKind::Like, post.uuid(), *by, *place);
            }
        }
        for ((by, whom), place) in &self.follows {
            if *whom == user {
                add(NotificationKind::Follow, user.uuid(), *by, *place);
            }
        }
        for (post, known) in self.posts.iter().filter(|(_, known)| !known.is_deleted) {
            if let Some((of, of_author)) = known.of {
                if of_author == user && is_there(&of) {
                    add(NotificationKind::Repost, of.uuid(), known.author, known.place);
                }
                continue;
            }
            let is_theirs = known.is_public || self.follows.contains_key(&(user, known.author));
            let told = if known.parent == Some(user) {
                Some((NotificationKind::Reply, known.place))
            } else if known.quoted == Some(user) {
                Some((NotificationKind::Quote, known.place))
            } else {
                known.mentions.get(&user).map(|place| (NotificationKind::Mention, *place))
            };
            if let (true, Some((kind, place))) = (is_theirs, told) {
                add(kind, post.uuid(), known.author, place);
            }
        }
        for (order, news, (moment, position)) in &self.orders {
            if self.customers.get(order) == Some(&user) {
                let group = NotificationGroup { kind: NotificationKind::Order, subject: order.uuid() };
                let (moment, position) = (*moment, *position);
                items.push(Item { group, actor: None, what: Some(*news), moment, position });
            }
        }
        items.retain(|item| {
            self.wants(user, item.group.kind, item.position)
                && item.actor.is_none_or(|actor| actor != user && !self.hides(user, actor))
        });
        items.sort_by_key(|item| item.position);
        items
    }

    /// The whole inbox, newest first.
    pub(super) fn inbox(&self, user: UserId) -> Vec<Notification> {
        let mut groups: BTreeMap<NotificationGroup, Vec<Item>> = BTreeMap::new();
        for item in self.items(user) {
            groups.entry(item.group).or_default().push(item);
        }
        let mut inbox: Vec<_> = groups.into_iter().map(|(group, items)| self.shown(user, group, items)).collect();
        inbox.sort_by_key(|notification| std::cmp::Reverse(notification.place()));
        inbox
    }

    fn shown(&self, user: UserId, group: NotificationGroup, mut items: Vec<Item>) -> Notification {
        items.sort_by_key(|item| std::cmp::Reverse((item.moment, item.position)));
        let newest = items[0];
        let by_itself = self.groups_read.get(&(user, group)).is_some_and(|up_to| *up_to >= newest.moment);
        let covers = |marks: &BTreeMap<UserId, i64>| marks.get(&user).is_some_and(|up_to| *up_to >= newest.moment);
        let actors: BTreeSet<_> = items.iter().filter_map(|item| item.actor).collect();
        let count = if newest.actor.is_some() { actors.len() } else { items.len() };
        Notification {
            group,
            count: count as u64,
            newest_actors: items.iter().filter_map(|item| item.actor).take(NEWEST_ACTORS_MAX).collect(),
            order_news: newest.what,
            moment: domain::Timestamp::from_timestamp_micros(newest.moment).unwrap(),
            position: Position::new(newest.position),
            is_seen: covers(&self.seen) || by_itself,
            is_read: covers(&self.read) || by_itself,
        }
    }
}
