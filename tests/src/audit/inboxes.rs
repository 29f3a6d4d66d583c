//! What the tables of notifications must hold: who is told of what, and what of it they see, computed at the end from all
//! that is the case then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::{
    fold::{Cell, Model, Rows, Table, happened, text, word},
    log::{Event, Happened, Social},
};

pub(super) const MODEL: Model = Model {
    name: "notifications",
    events: &[
        "follow.",
        "inbox.",
        "order.placed.",
        "order.confirmed.",
        "order.shipped.",
        "order.refunded.",
        "post.",
        "reaction.",
    ],
    tables: &[
        Table {
            suffix: "_items",
            key: &["recipient", "kind", "subject", "source"],
            columns: &["position", "moment", "what", "is_public", "is_shown"],
        },
        Table {
            suffix: "_groups",
            key: &["recipient", "kind", "subject"],
            columns: &["shown", "newest_moment", "newest_position", "unread_moment"],
        },
        Table { suffix: "_hidden", key: &["viewer", "other", "why"], columns: &[] },
        Table {
            suffix: "_posts",
            key: &["post_id"],
            columns: &["author", "of_post", "of_author", "parent_author", "quoted_author", "is_public", "is_deleted"],
        },
        Table { suffix: "_orders", key: &["order_id"], columns: &["customer"] },
        Table { suffix: "_inboxes", key: &["user_id"], columns: &["seen_up_to", "read_up_to"] },
        Table { suffix: "_reads", key: &["user_id", "kind", "subject"], columns: &["up_to"] },
        Table { suffix: "_preferences", key: &["user_id", "kind", "position"], columns: &["is_wanted"] },
    ],
    fold: |events| Inboxes::of(events).rows(),
};

const KINDS: [&str; 7] = ["like", "repost", "quote", "reply", "mention", "follow", "order"];

/// Whose it is, of which kind, about what.
type Group = (Uuid, String, Uuid);

/// Something that somebody did, or that happened to an order.
#[derive(Debug)]
struct Item {
    place: i64,
    at: i64,
    what: Option<&'static str>,
    is_public: bool,
}

#[derive(Debug)]
struct Post {
    author: Uuid,
    of: Option<(Uuid, Uuid)>,
    parent: Option<Uuid>,
    quoted: Option<Uuid>,
    is_public: bool,
    is_deleted: bool,
}

/// All that is the case.
#[derive(Debug, Default)]
struct Inboxes {
    items: BTreeMap<(Group, Uuid), Item>,
    hidden: BTreeSet<(Uuid, Uuid, &'static str)>,
    posts: BTreeMap<Uuid, Post>,
    customers: BTreeMap<Uuid, Uuid>,
    seen: BTreeMap<Uuid, i64>,
    read: BTreeMap<Uuid, i64>,
    groups_read: BTreeMap<Group, i64>,
    /// Whether they want a kind, from which place in the log on.
    wants: BTreeMap<(Uuid, String), BTreeMap<i64, bool>>,
}

impl Inboxes {
    fn of(events: &[&Event]) -> Self {
        let mut inboxes = Self::default();
        for event in events {
            inboxes.take(event);
        }
        inboxes
    }

    fn take(&mut self, event: &Event) {
        let (id, place) = (event.key, event.position.cast_signed());
        match happened(event) {
            Happened::Placed { customer, .. } => drop(self.customers.insert(id, *customer)),
            Happened::Shipped { at, .. } => {
                if let Some(customer) = self.customers.get(&id) {
                    let number = Uuid::from_u128(u128::from(event.revision.cast_unsigned()));
                    let item = Item { place, at: *at, what: Some("shipped"), is_public: true };
                    self.items.insert(((*customer, "order".to_owned(), id), number), item);
                }
            }
            Happened::Published { author, content, visibility, reply, quoted, at, .. } => {
                let other = |of: &Value, name: &str| of[name].as_str().map(|id| id.parse().expect("a UUID"));
                let (parent, quoted) = (other(reply, "parent_author"), other(quoted, "author"));
                let is_public = visibility == "public";
                let post = Post { author: *author, of: None, parent, quoted, is_public, is_deleted: false };
                self.posts.insert(id, post);
                let mut told: BTreeMap<Uuid, &str> = BTreeMap::new();
                let mentioned = mentions(content).into_iter().map(|user| (user, "mention"));
                // The first word that is said of somebody holds.
                for (user, kind) in parent
                    .map(|user| (user, "reply"))
                    .into_iter()
                    .chain(quoted.map(|user| (user, "quote")))
                    .chain(mentioned)
                {
                    told.entry(user).or_insert(kind);
                }
                for (user, kind) in told {
                    self.tell((user, kind, id), *author, place, super::graph::micros(at), is_public);
                }
            }
            Happened::Edited { content, at, .. } => {
                self.edited(id, &mentions(content), place, super::graph::micros(at));
            }
            Happened::Reposted { author, of, of_author, at } => {
                let (of, none) = ((*of, *of_author), None);
                let post = Post {
                    author: *author,
                    of: Some(of),
                    parent: none,
                    quoted: none,
                    is_public: true,
                    is_deleted: false,
                };
                self.posts.insert(id, post);
                self.tell((of.1, "repost", of.0), *author, place, super::graph::micros(at), true);
            }
            Happened::Deleted { .. } => {
                let of = self.posts.get(&id).and_then(|post| Some((post.author, post.of?)));
                if let Some((author, (post, of_author))) = of {
                    self.items.remove(&((of_author, "repost".to_owned(), post), author));
                    self.posts.remove(&id);
                } else if let Some(post) = self.posts.get_mut(&id) {
                    post.is_deleted = true;
                }
            }
            Happened::Social { by, what, at } => self.social(place, *by, what, *at),
            other @ (Happened::Cancelled { .. }
            | Happened::Delivered { .. }
            | Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }) => panic!("{other:?} is no news to anybody"),
        }
    }

    fn tell(&mut self, (user, kind, subject): (Uuid, &str, Uuid), by: Uuid, place: i64, at: i64, is_public: bool) {
        if user != by {
            let item = Item { place, at, what: None, is_public };
            self.items.entry(((user, kind.to_owned(), subject), by)).or_insert(item);
        }
    }

    fn edited(&mut self, id: Uuid, mentioned: &[Uuid], place: i64, at: i64) {
        let Some(Post { author, of: None, parent, quoted, is_public, is_deleted: false }) = self.posts.get(&id) else {
            return;
        };
        let (author, is_public) = (*author, *is_public);
        let others = [*parent, *quoted];
        self.items
            .retain(|((user, kind, subject), _), _| kind != "mention" || *subject != id || mentioned.contains(user));
        for user in mentioned.iter().filter(|user| !others.contains(&Some(**user))) {
            self.tell((*user, "mention", id), author, place, at, is_public);
        }
    }

    fn social(&mut self, place: i64, by: Uuid, what: &Social, at: i64) {
        let follow = |whom: &Uuid| ((*whom, "follow".to_owned(), *whom), by);
        match what {
            Social::Followed(whom) => self.tell((*whom, "follow", *whom), by, place, at, true),
            Social::Unfollowed(whom) | Social::Parted(whom) => drop(self.items.remove(&follow(whom))),
            Social::Blocked(whom) => self.hidden.extend([(by, *whom, "blocks"), (*whom, by, "blocked")]),
            Social::Unblocked(whom) => {
                self.hidden.remove(&(by, *whom, "blocks"));
                self.hidden.remove(&(*whom, by, "blocked"));
            }
            Social::Muted(whom) => drop(self.hidden.insert((by, *whom, "mutes"))),
            Social::Unmuted(whom) => drop(self.hidden.remove(&(by, *whom, "mutes"))),
            Social::Liked { post, author } => self.tell((*author, "like", *post), by, place, at, true),
            Social::Unliked { post, author } => {
                self.items.remove(&((*author, "like".to_owned(), *post), by));
            }
            Social::Saw { up_to } => later(&mut self.seen, by, *up_to),
            Social::Read { group: None, up_to } => {
                later(&mut self.seen, by, *up_to);
                later(&mut self.read, by, *up_to);
            }
            Social::Read { group: Some((kind, subject)), up_to } => {
                later(&mut self.groups_read, (by, kind.clone(), *subject), *up_to);
            }
            Social::Wants { unwanted } => {
                for kind in KINDS {
                    let wants = !unwanted.iter().any(|other| other == kind);
                    self.wants.entry((by, kind.to_owned())).or_default().insert(place, wants);
                }
            }
        }
    }

    fn is_shown(&self, (user, kind, _): &Group, source: Uuid, item: &Item) -> bool {
        let is_hidden = self
            .hidden
            .range((*user, source, "")..)
            .next()
            .is_some_and(|(viewer, other, _)| (viewer, other) == (user, &source));
        let wants = self.wants.get(&(*user, kind.clone()));
        let is_wanted = wants.and_then(|wants| wants.range(..item.place).next_back()).is_none_or(|(_, wants)| *wants);
        let follow = ((source, "follow".to_owned(), source), *user);
        !is_hidden && is_wanted && (item.is_public || self.items.contains_key(&follow))
    }

    fn rows(&self) -> Vec<Rows> {
        let (mut items, mut groups) = (Rows::new(), BTreeMap::<&Group, Vec<&Item>>::new());
        for ((group, source), item) in &self.items {
            let is_shown = self.is_shown(group, *source, item);
            let shown = groups.entry(group).or_default();
            if is_shown {
                shown.push(item);
            }
            let what = item.what.map_or(Cell::Null, text);
            let numbers = [i64::from(item.is_public), i64::from(is_shown)].map(Cell::Number);
            let cells = [vec![Cell::Number(item.place), Cell::Number(item.at), what], numbers.into()].concat();
            items.insert([key(group), source.as_bytes().to_vec()].concat(), cells);
        }
        let groups = groups.into_iter().map(|(group, shown)| (key(group), self.group(group, &shown))).collect();
        let hidden = self.hidden.iter().map(|(from, whom, why)| {
            ([from.as_bytes().to_vec(), whom.as_bytes().to_vec(), word(why.as_bytes())].concat(), vec![])
        });
        let posts = self.posts.iter().map(|(id, post)| (id.as_bytes().to_vec(), cells_of(post)));
        let orders = self.customers.iter().map(|(id, customer)| (id.as_bytes().to_vec(), vec![uuid(*customer)]));
        let inboxes = self.seen.iter().map(|(user, seen)| {
            let read = self.read.get(user).map_or(Cell::Null, |read| Cell::Number(*read));
            (user.as_bytes().to_vec(), vec![Cell::Number(*seen), read])
        });
        let reads = self.groups_read.iter().map(|(group, up_to)| (key(group), vec![Cell::Number(*up_to)]));
        let preferences = self.wants.iter().flat_map(|((user, kind), wants)| {
            let of = [user.as_bytes().to_vec(), word(kind.as_bytes())].concat();
            wants.iter().map(move |(place, wants)| {
                ([of.clone(), place.to_be_bytes().to_vec()].concat(), vec![Cell::Number(i64::from(*wants))])
            })
        });
        vec![
            items,
            groups,
            hidden.collect(),
            posts.collect(),
            orders.collect(),
            inboxes.collect(),
            reads.collect(),
            preferences.collect(),
        ]
    }

    fn group(&self, group: &Group, shown: &[&Item]) -> Vec<Cell> {
        let count = i64::try_from(shown.len()).expect("a small number");
        let is_gone = self.posts.get(&group.2).is_some_and(|post| post.is_deleted);
        let newest = shown.iter().filter(|_| !is_gone).map(|item| (item.at, item.place)).max();
        let Some((at, place)) = newest else { return vec![Cell::Number(count), Cell::Null, Cell::Null, Cell::Null] };
        let is_read = self.groups_read.get(group).is_some_and(|up_to| *up_to >= at);
        let unread = if is_read { Cell::Null } else { Cell::Number(at) };
        vec![Cell::Number(count), Cell::Number(at), Cell::Number(place), unread]
    }
}

fn later<K: Ord>(marks: &mut BTreeMap<K, i64>, whose: K, up_to: i64) {
    let mark = marks.entry(whose).or_insert(up_to);
    *mark = up_to.max(*mark);
}

fn key((user, kind, subject): &Group) -> Vec<u8> {
    [user.as_bytes().to_vec(), word(kind.as_bytes()), subject.as_bytes().to_vec()].concat()
}

fn cells_of(post: &Post) -> Vec<Cell> {
    let others = [post.of.map(|of| of.0), post.of.map(|of| of.1), post.parent, post.quoted];
    let others = others.map(|other| other.map_or(Cell::Null, uuid));
    let numbers = [post.is_public, post.is_deleted].map(|is| Cell::Number(i64::from(is)));
    [vec![uuid(post.author)], others.into(), numbers.into()].concat()
}

fn mentions(content: &Value) -> Vec<Uuid> {
    let mentions = content["mentions"].as_array().expect("mentions are a list");
    mentions.iter().map(|one| one["user"].as_str().expect("a person").parse().expect("a UUID")).collect()
}

fn uuid(id: Uuid) -> Cell {
    Cell::Bytes(id.as_bytes().to_vec())
}
