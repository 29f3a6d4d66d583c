//! The tables of `social_graph`, and which event changes what.

use domain::Event;
use infrastructure::read_store::{Statement, Value};

use super::{NAME, SocialGraph, VERSION, people::sql as people, posts::sql as posts};
use crate::{Decoded, Invariant, SetChange, Tables, bookkeeping::number_of};

/// People and their numbers.
const PEOPLE: &str = "people";
/// Who follows whom.
const FOLLOWS: &str = "follows";
/// Who does not want to see or hear whom.
const HIDDEN: &str = "hidden";
/// Posts and reposts by their places in the log.
const POSTS: &str = "posts";
/// Who likes what.
const LIKES: &str = "likes";
/// Which posts have which hashtag.
const TAGS: &str = "tags";
/// What was written into whose home feed.
const ENTRIES: &str = "entries";
/// Where the chunks of entries begin.
const CHUNKS: &str = "chunks";
/// The chunk that is being filled, in one row.
const STATE: &str = "state";

/// No position is as late: what holds from here on never does, and what is before here is everything.
pub(super) const NEVER: i64 = i64::MAX;

/// The full names of the tables.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) people: String,
    pub(super) follows: String,
    pub(super) hidden: String,
    pub(super) posts: String,
    pub(super) likes: String,
    pub(super) tags: String,
    pub(super) entries: String,
    pub(super) chunks: String,
    pub(super) state: String,
}

impl Names {
    pub(super) fn of(tables: &Tables) -> Self {
        Self {
            people: tables.name(PEOPLE),
            follows: tables.name(FOLLOWS),
            hidden: tables.name(HIDDEN),
            posts: tables.name(POSTS),
            likes: tables.name(LIKES),
            tags: tables.name(TAGS),
            entries: tables.name(ENTRIES),
            chunks: tables.name(CHUNKS),
            state: tables.name(STATE),
        }
    }
}

/// One event's change: the tables, its place in the log, and the numbers that decide who gets entries.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) names: Names,
    pub(super) position: i64,
    /// [`SocialGraph`]'s `LARGE`.
    pub(super) large: i64,
    /// [`SocialGraph`]'s `WIDE`.
    pub(super) wide: i64,
    /// [`SocialGraph`]'s `CHUNK`.
    pub(super) chunk: i64,
}

impl Change {
    /// The event's place in the log, as a value.
    pub(super) const fn place(&self) -> Value {
        Value::Int(self.position)
    }
}

impl<const LARGE: i64, const WIDE: i64, const CHUNK: i64> SetChange for SocialGraph<LARGE, WIDE, CHUNK> {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    // Posts stand in feeds where their events do in the log.
    const HOLDS_POSITIONS: bool = true;
    const EVENTS: &'static [&'static str] = &["follow.", "inbox.seen.", "inbox.read.", "post.", "reaction."];
    const TABLES: &'static [&'static str] = &[PEOPLE, FOLLOWS, HIDDEN, POSTS, LIKES, TAGS, ENTRIES, CHUNKS, STATE];

    fn invariants(tables: &Tables) -> Vec<Invariant> {
        let names = Names::of(tables);
        [people::invariants(&names, LARGE), posts::invariants(&names)].concat()
    }

    fn create(tables: &Tables) -> Vec<String> {
        let names = Names::of(tables);
        [people::create(&names), posts::create(&names)].concat()
    }

    fn finish(tables: &Tables) -> Vec<String> {
        let names = Names::of(tables);
        [people::finish(&names), posts::finish(&names)].concat()
    }

    fn changes(event: &Decoded, tables: &Tables) -> Vec<Statement> {
        let position = number_of(event.position);
        let change = Change { names: Names::of(tables), position, large: LARGE, wide: WIDE, chunk: CHUNK };
        match &*event.event {
            Event::Follow(happened) => people::between(&change, happened),
            Event::Post(happened) => posts::happened(&change, happened),
            Event::Reaction(happened) => posts::reacted(&change, happened),
            Event::Inbox(happened) => people::here(&change, happened.user(), happened.at()),
            Event::Product(_)
            | Event::Order(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Operator(_) => vec![],
        }
    }
}

/// How many people or posts one query asks for.
pub(super) const ASKED_AT_ONCE: usize = 32;
