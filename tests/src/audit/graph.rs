//! What the tables of feeds must hold: who follows whom, who posted what, and what is in whose home feed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde_json::Value;
use uuid::Uuid;

use super::{
    fold::{Cell, Model, Rows, Table, happened, word},
    log::{Event, Happened, Social},
};

pub(super) const MODEL: Model = Model {
    name: "social_graph",
    events: &["follow.", "inbox.seen.", "inbox.read.", "post.", "reaction."],
    tables: &[
        Table {
            suffix: "_people",
            key: &["user_id"],
            columns: &["followers", "following", "posts", "was_large", "gets_entries", "heard_at"],
        },
        Table {
            suffix: "_follows",
            key: &["follower", "followee"],
            columns: &["since", "entries_after", "look_until"],
        },
        Table { suffix: "_hidden", key: &["viewer", "other", "why"], columns: &[] },
        Table {
            suffix: "_posts",
            key: &["position"],
            columns: &[
                "post_id",
                "author",
                "of_post",
                "of_author",
                "parent",
                "parent_author",
                "is_public",
                "has_entries",
                "is_deleted",
                "likes",
                "reposts",
                "replies",
            ],
        },
        Table { suffix: "_likes", key: &["post_id", "user_id"], columns: &["since"] },
        Table { suffix: "_tags", key: &["tag", "position"], columns: &["post_id"] },
        Table { suffix: "_entries", key: &["chunk", "reader", "position"], columns: &[] },
        Table { suffix: "_chunks", key: &["chunk"], columns: &["first_position"] },
        Table { suffix: "_state", key: &["id"], columns: &["chunk", "filled", "newest"] },
    ],
    fold: |events| Graph::of(events).rows(),
};

/// Nobody here has more followers, whose posts would be written into no feed.
const FOLLOWERS_MAX: usize = 20_000;
/// Nobody here follows more people, and would get no entries.
const FOLLOWING_MAX: usize = 2_000;
/// No more is written here than goes into the first chunk.
const CHUNK_MAX: i64 = 250_000;
/// What a post weighs there, beside its entries.
const POST_WEIGHT: i64 = 64;
/// Everything here happens within a day, in microseconds: nobody is away, and when they were heard of is when they first were.
const DAY: i64 = 86_400_000_000;

/// A post and whose it is.
type Other = Option<(Uuid, Uuid)>;

/// A post or a repost.
#[derive(Debug)]
struct Post {
    id: Uuid,
    author: Uuid,
    of: Other,
    parent: Other,
    is_public: bool,
    is_deleted: bool,
    tags: BTreeSet<String>,
}

/// All that is the case.
#[derive(Debug, Default)]
struct Graph {
    /// When each was heard of, or followed, first.
    people: BTreeMap<Uuid, i64>,
    /// Who follows whom since which place in the log.
    follows: BTreeMap<(Uuid, Uuid), i64>,
    /// From whom is who hidden, and why.
    hidden: BTreeSet<(Uuid, Uuid, &'static str)>,
    /// By their places in the log.
    posts: BTreeMap<i64, Post>,
    /// Who likes what since which place in the log.
    likes: BTreeMap<(Uuid, Uuid), i64>,
    /// Who got which post.
    entries: BTreeSet<(Uuid, i64)>,
    /// What all posts weigh.
    filled: i64,
    /// Where the newest post is.
    newest: i64,
}

impl Graph {
    fn of(events: &[&Event]) -> Self {
        let mut graph = Self::default();
        for event in events {
            graph.take(event);
        }
        graph
    }

    fn take(&mut self, event: &Event) {
        let (id, place) = (event.key, event.position.cast_signed());
        match happened(event) {
            Happened::Published { author, content, visibility, reply, at, .. } => {
                let other = |of: &str| reply[of].as_str().map(|id| id.parse().expect("a UUID"));
                let parent = other("parent").zip(other("parent_author"));
                let is_public = visibility == "public";
                let tags = tags(content);
                let post = Post { id, author: *author, of: None, parent, is_public, is_deleted: false, tags };
                self.posted(place, post, micros(at));
            }
            Happened::Reposted { author, of, of_author, at } => {
                let (of, tags) = (Some((*of, *of_author)), BTreeSet::new());
                let post = Post { id, author: *author, of, parent: None, is_public: true, is_deleted: false, tags };
                self.posted(place, post, micros(at));
            }
            Happened::Edited { author, content, at } => {
                self.heard_of(*author, micros(at));
                if let Some(post) = self.posts.values_mut().find(|post| post.id == id) {
                    post.tags = tags(content);
                }
            }
            Happened::Deleted { author, at } => {
                self.heard_of(*author, micros(at));
                // A repost leaves nothing.
                self.posts.retain(|_, post| post.id != id || post.of.is_none());
                if let Some(post) = self.posts.values_mut().find(|post| post.id == id) {
                    post.is_deleted = true;
                }
            }
            Happened::Social { by, what, at } => self.between(place, *by, what, *at),
            other @ (Happened::Placed { .. }
            | Happened::Cancelled { .. }
            | Happened::Shipped { .. }
            | Happened::Delivered { .. }
            | Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }) => panic!("{other:?} is not about feeds"),
        }
    }

    fn heard_of(&mut self, user: Uuid, at: i64) {
        let first = *self.people.entry(user).or_insert(at);
        assert!((0..DAY).contains(&(at - first)), "{user} was heard of long before: the audit cannot tell who is away");
    }

    fn posted(&mut self, place: i64, post: Post, at: i64) {
        self.heard_of(post.author, at);
        let is_new = self.posts.values().all(|other| other.id != post.id);
        assert!(is_new, "{post:?} is there twice");
        let followers = self.follows.keys().filter(|(_, whom)| *whom == post.author).map(|(by, _)| *by);
        let followers: BTreeSet<Uuid> = followers.collect();
        assert!(followers.len() <= FOLLOWERS_MAX, "the audit does not know of authors with so many followers");
        assert!(self.filled < CHUNK_MAX, "the audit does not know of so many posts");
        self.filled += POST_WEIGHT + number(followers.len());
        self.newest = place;
        self.entries.extend(followers.into_iter().map(|reader| (reader, place)));
        self.posts.insert(place, post);
    }

    fn between(&mut self, place: i64, by: Uuid, what: &Social, at: i64) {
        match what {
            Social::Followed(whom) => {
                self.heard_of(*whom, at);
                self.heard_of(by, at);
                self.follows.entry((by, *whom)).or_insert(place);
                let following = self.follows.keys().filter(|(follower, _)| *follower == by).count();
                assert!(following <= FOLLOWING_MAX, "the audit does not know of readers who follow so many");
            }
            Social::Unfollowed(whom) => {
                self.heard_of(by, at);
                self.follows.remove(&(by, *whom));
            }
            // Whoever is blocked did nothing, and whoever blocks is not heard of by it.
            Social::Parted(whom) => drop(self.follows.remove(&(by, *whom))),
            Social::Blocked(whom) => self.hidden.extend([(by, *whom, "blocks"), (*whom, by, "blocked")]),
            Social::Unblocked(whom) => {
                self.hidden.remove(&(by, *whom, "blocks"));
                self.hidden.remove(&(*whom, by, "blocked"));
            }
            Social::Muted(whom) => drop(self.hidden.insert((by, *whom, "mutes"))),
            Social::Unmuted(whom) => drop(self.hidden.remove(&(by, *whom, "mutes"))),
            Social::Liked { post, .. } => {
                self.heard_of(by, at);
                self.likes.entry((*post, by)).or_insert(place);
            }
            Social::Unliked { post, .. } => {
                self.heard_of(by, at);
                self.likes.remove(&(*post, by));
            }
            Social::Saw { .. } | Social::Read { .. } => self.heard_of(by, at),
            Social::Wants { .. } => panic!("{what:?} is not about feeds"),
        }
    }

    fn rows(&self) -> Vec<Rows> {
        let pair = |one: &Uuid, other: &Uuid| [*one.as_bytes(), *other.as_bytes()].concat();
        let follows = self.follows.iter().map(|((by, whom), since)| (pair(by, whom), vec![Cell::Number(*since); 3]));
        let hidden = self.hidden.iter();
        let hidden = hidden.map(|(from, whom, why)| ([pair(from, whom), word(why.as_bytes())].concat(), vec![]));
        let likes = self.likes.iter().map(|((post, by), since)| (pair(post, by), vec![Cell::Number(*since)]));
        let tags = self.posts.iter().filter(|(_, post)| !post.is_deleted).flat_map(|(place, post)| {
            let key = |tag: &String| [word(tag.as_bytes()), place.to_be_bytes().to_vec()].concat();
            post.tags.iter().map(move |tag| (key(tag), vec![uuid(post.id)]))
        });
        let first = 0_i64.to_be_bytes();
        let entries = self.entries.iter();
        let entries = entries.map(|(to, place)| ([&first[..], to.as_bytes(), &place.to_be_bytes()].concat(), vec![]));
        let chunk = (first.to_vec(), vec![Cell::Number(0)]);
        let state =
            (1_i64.to_be_bytes().to_vec(), vec![Cell::Number(0), Cell::Number(self.filled), Cell::Number(self.newest)]);
        vec![
            self.people.iter().map(|(user, heard_at)| self.person(*user, *heard_at)).collect(),
            follows.collect(),
            hidden.collect(),
            self.posts.iter().map(|(place, post)| (place.to_be_bytes().to_vec(), self.post(post))).collect(),
            likes.collect(),
            tags.collect(),
            entries.collect(),
            Rows::from([chunk]),
            Rows::from([state]),
        ]
    }

    fn person(&self, user: Uuid, heard_at: i64) -> (Vec<u8>, Vec<Cell>) {
        let followers = self.follows.keys().filter(|(_, whom)| *whom == user).count();
        let following = self.follows.keys().filter(|(by, _)| *by == user).count();
        let is_theirs = |post: &&Post| post.author == user && post.of.is_none() && !post.is_deleted;
        let posts = self.posts.values().filter(is_theirs).count();
        let numbers = [number(followers), number(following), number(posts), 0, 1, heard_at];
        (user.as_bytes().to_vec(), numbers.map(Cell::Number).to_vec())
    }

    fn post(&self, post: &Post) -> Vec<Cell> {
        let is_it = |other: &Other| other.is_some_and(|(other, _)| other == post.id);
        let likes = self.likes.keys().filter(|(liked, _)| *liked == post.id).count();
        let reposts = self.posts.values().filter(|other| is_it(&other.of)).count();
        let replies = self.posts.values().filter(|other| is_it(&other.parent) && !other.is_deleted).count();
        let other = |other: Other| other.map_or([Cell::Null, Cell::Null], |(post, author)| [uuid(post), uuid(author)]);
        let numbers =
            [post.is_public.into(), 1, post.is_deleted.into(), number(likes), number(reposts), number(replies)];
        let others = [other(post.of), other(post.parent)].concat();
        [[uuid(post.id), uuid(post.author)].to_vec(), others, numbers.map(Cell::Number).to_vec()].concat()
    }
}

fn tags(content: &Value) -> BTreeSet<String> {
    let tags = content["hashtags"].as_array().expect("hashtags are a list");
    tags.iter().map(|tag| tag.as_str().expect("a hashtag is a text").to_owned()).collect()
}

pub(super) fn micros(at: &str) -> i64 {
    DateTime::parse_from_rfc3339(at).expect("a moment").timestamp_micros()
}

fn uuid(id: Uuid) -> Cell {
    Cell::Bytes(id.as_bytes().to_vec())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).expect("a small number")
}
