//! Logs of people who follow each other and post, written without deciding; the same in every run but for the moments.

use std::path::Path;

use chrono::TimeDelta;
use domain::{
    EventPayload, Timestamp,
    follow::{self, FollowEvent},
    post::{Content, PostEvent, Published, Visibility},
    profile::ProfileEvent,
    testing::{display_name, handle, post_text},
    values::{Biography, CustomerId, PostId, UserId},
};
use infrastructure::{
    clock::{Clock as _, SystemClock},
    event_store::{Append, StreamId},
    execute::CommandMetadata,
};
use uuid::Uuid;

use crate::{history, machine::Random};

/// The subject of the reader whose feed is read.
pub(crate) const READER: &str = "reader";
/// Whom they follow: so many large authors, and so many others.
const LARGE_FOLLOWED: usize = 20;
const SMALL_FOLLOWED: usize = 980;
/// Authors whom they do not follow.
const STRANGERS: usize = 9_000;
/// How many follow a large author: one more than are written into.
const FANS: usize = 20_001;
/// How many follow any other.
const FRIENDS: usize = 10;

/// The subject of the author whom everybody follows.
pub(crate) const STAR: &str = "star";
pub(crate) const STAR_FOLLOWERS: usize = 1_000_000;
/// The subject of the author with as many followers as are written into, and none more.
pub(crate) const LOUD: &str = "loud";
pub(crate) const LOUD_FOLLOWERS: usize = 20_000;
/// The subject of the author whom live readers follow.
pub(crate) const HOST: &str = "host";
pub(crate) const LIVE_READERS: usize = 1_000;

/// The subject of one of the many.
pub(crate) fn fan(number: usize) -> String {
    format!("fan-{number}")
}

/// A log of a reader, ten thousand authors and so many posts of theirs.
pub(crate) async fn of_posts(directory: &Path, posts: usize) {
    let mut log = Log::new();
    let author = |number: usize| person(&format!("author-{number}"));
    let followed = LARGE_FOLLOWED + SMALL_FOLLOWED;
    let profiles = (0..followed).map(|number| (author(number), format!("author_{number}")));
    let reader = person(READER);
    let of_reader = (0..followed).map(|number| (reader, author(number)));
    let of_fans = (0..LARGE_FOLLOWED).flat_map(|large| (0..FANS).map(move |number| (user(number), author(large))));
    let of_friends = (LARGE_FOLLOWED..followed + STRANGERS).flat_map(|number| {
        (0..FRIENDS).map(move |friend| (user((number * 7 + friend * 1_999) % FANS), author(number)))
    });
    let mut random = Random::new(11);
    let said = (0..posts).map(|number| (number, author(random.below(followed + STRANGERS))));
    let profiles = profiles.map(|(who, handle)| Happening::Joined(who, handle));
    let follows = of_reader.chain(of_fans).chain(of_friends).map(|(by, whom)| Happening::Followed(by, whom));
    let said = said.map(|(number, author)| Happening::Said(number, author));
    let all = profiles.chain(follows).chain(said).map(|happening| log.next(happening));
    history::fill(&directory.join("events.db"), all).await;
}

/// A log in which a million follow one author, as many as are written into another one, and a thousand a third.
pub(crate) async fn of_followers(directory: &Path) {
    let mut log = Log::new();
    let followers = |whom: &str, count: usize| {
        let whom = person(whom);
        (0..count).map(move |number| Happening::Followed(user(number), whom))
    };
    let all =
        followers(HOST, LIVE_READERS).chain(followers(LOUD, LOUD_FOLLOWERS)).chain(followers(STAR, STAR_FOLLOWERS));
    history::fill(&directory.join("events.db"), all.map(|happening| log.next(happening))).await;
}

/// Who a subject is, as the server sees it.
fn person(subject: &str) -> UserId {
    CustomerId::named(subject).into()
}

fn user(number: usize) -> UserId {
    person(&fan(number))
}

/// Something that happens.
enum Happening {
    /// Somebody has a profile, under this handle.
    Joined(UserId, String),
    /// One follows another.
    Followed(UserId, UserId),
    /// Somebody publishes the post with this number.
    Said(usize, UserId),
}

/// What is written down, an event after the other.
struct Log {
    at: Timestamp,
    random: Random,
}

impl Log {
    /// It begins a few hours ago: nobody in it has been away for long.
    fn new() -> Self {
        Self { at: SystemClock.now() - TimeDelta::hours(6), random: Random::new(5) }
    }

    fn next(&mut self, happening: Happening) -> Append {
        self.at += TimeDelta::milliseconds(5);
        let at = self.at;
        match happening {
            Happening::Joined(user, called) => {
                let (handle, name) = (handle(&called), display_name(&called));
                let event = ProfileEvent::Created { user, handle, name, biography: Biography::default(), at };
                self.append("profile", user.uuid(), &event)
            }
            Happening::Followed(by, whom) => {
                let pair = follow::id_of(by, whom).uuid();
                self.append("follow", pair, &FollowEvent::Followed { by, whom, at })
            }
            Happening::Said(number, author) => {
                let text = Some(post_text(&format!("post number {number}, about nothing in particular")));
                let content = Content { text, media: vec![], product: None, mentions: vec![], hashtags: vec![] };
                let post = PostId::new(self.fresh_id());
                let (visibility, reply, quoted) = (Visibility::Public, None, None);
                let published = Published { post, author, content, visibility, reply, quoted, at };
                self.append("post", post.uuid(), &PostEvent::Published(Box::new(published)))
            }
        }
    }

    fn append(&mut self, category: &str, id: Uuid, event: &impl EventPayload) -> Append {
        let metadata = CommandMetadata {
            command_id: self.fresh_id(),
            actor: "headline".into(),
            correlation_id: self.fresh_id(),
            causation_id: None,
            input_hash: None,
        };
        history::append(StreamId::new(category, id), None, event, self.at, &metadata)
    }

    fn fresh_id(&mut self) -> Uuid {
        self.random.id_of(self.at)
    }
}
