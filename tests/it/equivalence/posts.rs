//! Posts in memory: what is said, said otherwise, passed on and taken back, in plain maps and ifs.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    post::{PostState, PublishedPost, Visibility, repost_of},
    values::{Hashtag, PostId},
};
use projections::post_board::PostRow;
use uuid::Uuid;

use super::people::{PEOPLE, person};

/// How many posts there are, beside reposts.
pub(super) const POSTS: u8 = 5;

pub(super) fn post(n: u8) -> PostId {
    PostId::new(Uuid::from_u128(0xb000 + u128::from(n)))
}

/// Every post there can be, and every repost.
pub(super) fn all() -> Vec<PostId> {
    let reposts = (0..PEOPLE).flat_map(|who| (0..=POSTS).map(move |n| repost_of(person(who), post(n))));
    (0..=POSTS).map(post).chain(reposts).collect()
}

pub(super) fn text(n: u8) -> String {
    format!("What I think of {n}.\n#tea")
}

#[derive(Clone, Debug)]
struct Said {
    author: u8,
    text: u8,
    is_for_followers: bool,
    /// The answered post, its author, the first of the thread, and how deep this one is.
    reply: Option<(u8, u8, u8, u32)>,
    edits: u32,
    is_deleted: bool,
    published_at: Timestamp,
    updated_at: Timestamp,
    events: u64,
}

/// A repost that was done, and perhaps undone, any number of times.
#[derive(Clone, Copy, Debug)]
struct PassedOn {
    is_undone: bool,
    at: Timestamp,
    events: u64,
}

/// What was said so far. Nobody follows or blocks anybody.
#[derive(Debug, Default)]
pub(super) struct Posts {
    said: BTreeMap<u8, Said>,
    /// By who passed on what.
    reposts: BTreeMap<(u8, u8), PassedOn>,
}

impl Posts {
    pub(super) fn publish(
        &mut self,
        n: u8,
        author: u8,
        (text, is_for_followers): (u8, bool),
        reply_to: Option<u8>,
        now: Timestamp,
    ) -> bool {
        if self.said.contains_key(&n) {
            return false;
        }
        let mut reply = None;
        if let Some(parent) = reply_to {
            let Some(answered) = self.seen(parent, author) else { return false };
            let (root, depth) = answered.reply.map_or((parent, 0), |(_, _, root, depth)| (root, depth));
            reply = Some((parent, answered.author, root, depth + 1));
        }
        let (published_at, updated_at) = (now, now);
        let said = Said {
            author,
            text,
            is_for_followers,
            reply,
            edits: 0,
            is_deleted: false,
            published_at,
            updated_at,
            events: 1,
        };
        self.said.insert(n, said);
        true
    }

    pub(super) fn edit(&mut self, n: u8, by: u8, text: u8, now: Timestamp) -> bool {
        let own = |said: &&mut Said| said.author == by && !said.is_deleted;
        let Some(said) = self.said.get_mut(&n).filter(own) else { return false };
        if said.text != text {
            (said.text, said.edits, said.updated_at, said.events) = (text, said.edits + 1, now, said.events + 1);
        }
        true
    }

    pub(super) fn delete(&mut self, n: u8, by: u8) -> bool {
        let Some(said) = self.said.get_mut(&n).filter(|said| said.author == by) else { return false };
        said.events += u64::from(!said.is_deleted);
        said.is_deleted = true;
        true
    }

    pub(super) fn repost(&mut self, n: u8, by: u8, now: Timestamp) -> bool {
        if self.reposts.get(&(by, n)).is_some_and(|repost| !repost.is_undone) {
            return true;
        }
        if self.seen(n, by).is_none_or(|said| said.is_for_followers) {
            return false;
        }
        let events = self.reposts.get(&(by, n)).map_or(0, |repost| repost.events) + 1;
        self.reposts.insert((by, n), PassedOn { is_undone: false, at: now, events });
        true
    }

    pub(super) fn undo_repost(&mut self, n: u8, by: u8) -> bool {
        let Some(repost) = self.reposts.get_mut(&(by, n)) else { return false };
        repost.events += u64::from(!repost.is_undone);
        repost.is_undone = true;
        true
    }

    fn seen(&self, n: u8, viewer: u8) -> Option<&Said> {
        let said = self.said.get(&n).filter(|said| !said.is_deleted)?;
        (said.author == viewer || !said.is_for_followers).then_some(said)
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        let reposts: u64 = self.reposts.values().map(|repost| repost.events).sum();
        reposts + self.said.values().map(|said| said.events).sum::<u64>()
    }

    pub(super) fn view(&self) -> PostsView {
        let mut view = PostsView::new();
        for (n, said) in &self.said {
            let what = if said.is_deleted {
                What::Tombstone { is_for_followers: said.is_for_followers, of: None }
            } else {
                What::Post {
                    text: text(said.text),
                    is_for_followers: said.is_for_followers,
                    reply: said.reply.map(|(parent, author, root, depth)| {
                        (post(parent).uuid(), person(author).uuid(), post(root).uuid(), depth)
                    }),
                    edits: said.edits,
                    times: (said.published_at, said.updated_at),
                }
            };
            view.insert(post(*n).uuid(), (person(said.author).uuid(), what, said.events - 1));
        }
        for ((by, n), repost) in &self.reposts {
            let of = post(*n).uuid();
            let what = if repost.is_undone {
                What::Tombstone { is_for_followers: false, of: Some(of) }
            } else {
                What::Repost { of, of_author: person(self.said[n].author).uuid(), at: repost.at }
            };
            view.insert(repost_of(person(*by), post(*n)).uuid(), (person(*by).uuid(), what, repost.events - 1));
        }
        view
    }

    pub(super) fn heard(&self) -> HeardView {
        let view = |(n, said): (&u8, &Said)| {
            let is_answer = |other: &&Said| !other.is_deleted && other.reply.is_some_and(|(parent, ..)| parent == *n);
            let replies = self.said.values().filter(is_answer).count() as u64;
            let passed_on = self.reposts.iter().filter(|((_, of), repost)| of == n && !repost.is_undone).count() as u64;
            (post(*n).uuid(), (said.is_deleted, replies, passed_on))
        };
        self.said.iter().map(view).collect()
    }
}

/// What is known of each post without what it says: whether it was taken back, its direct answers, and its reposts.
pub(super) type HeardView = BTreeMap<Uuid, (bool, u64, u64)>;

/// What the board says, in plain words: whose each post is, what it is, and its revision.
pub(super) type PostsView = BTreeMap<Uuid, (Uuid, What, u64)>;

#[derive(Debug, PartialEq)]
pub(super) enum What {
    Post {
        text: String,
        is_for_followers: bool,
        reply: Option<(Uuid, Uuid, Uuid, u32)>,
        edits: u32,
        times: (Timestamp, Timestamp),
    },
    Repost {
        of: Uuid,
        of_author: Uuid,
        at: Timestamp,
    },
    Tombstone {
        is_for_followers: bool,
        of: Option<Uuid>,
    },
}

/// What these rows say. No row is there twice.
pub(super) fn read(rows: &[PostRow]) -> PostsView {
    let view: PostsView =
        rows.iter().map(|row| (row.post.uuid(), (row.author.uuid(), what(&row.state), row.revision.value()))).collect();
    assert_eq!(view.len(), rows.len(), "a row is there twice");
    view
}

fn what(state: &PostState) -> What {
    let is_for_followers = |visibility| visibility == Visibility::Followers;
    match state {
        PostState::Published(post) => post_view(post),
        PostState::Reposted(repost) => {
            What::Repost { of: repost.of.uuid(), of_author: repost.of_author.uuid(), at: repost.at }
        }
        PostState::Deleted(was) => {
            What::Tombstone { is_for_followers: is_for_followers(was.visibility), of: was.repost_of.map(PostId::uuid) }
        }
        PostState::Unpublished => panic!("a row of a post that nobody published"),
    }
}

fn post_view(post: &PublishedPost) -> What {
    let hashtags: Vec<&str> = post.content.hashtags.iter().map(Hashtag::as_str).collect();
    assert_eq!(hashtags, ["tea"]);
    What::Post {
        text: post.content.text.as_ref().expect("a text").to_string(),
        is_for_followers: post.visibility == Visibility::Followers,
        reply: post
            .reply
            .map(|reply| (reply.parent.uuid(), reply.parent_author.uuid(), reply.root.uuid(), reply.depth)),
        edits: post.edits,
        times: (post.published_at, post.updated_at),
    }
}
