//! What every feed, list and number is, computed from all that happened, one post at a time.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Event,
    follow::FollowEvent,
    post::{PostEvent, Visibility},
    reaction::ReactionEvent,
    values::{PostId, UserId},
};

/// A post that is or was there.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) position: u64,
    pub(super) post: PostId,
    pub(super) author: UserId,
    pub(super) of: Option<(PostId, UserId)>,
    pub(super) parent: Option<(PostId, UserId)>,
    pub(super) is_public: bool,
    pub(super) is_deleted: bool,
    pub(super) tags: Vec<String>,
}

/// All that is the case.
#[derive(Debug, Default)]
pub(super) struct Reference {
    /// Since which place in the log.
    pub(super) follows: BTreeMap<(UserId, UserId), u64>,
    pub(super) blocks: BTreeSet<(UserId, UserId)>,
    pub(super) mutes: BTreeSet<(UserId, UserId)>,
    pub(super) likes: BTreeSet<(PostId, UserId)>,
    pub(super) posts: Vec<Known>,
}

impl Reference {
    pub(super) fn take(&mut self, position: u64, event: &Event) {
        match event {
            Event::Follow(event) => self.between(position, event),
            Event::Post(event) => self.posted(position, event),
            Event::Reaction(ReactionEvent::Liked { post, by, .. }) => drop(self.likes.insert((*post, *by))),
            Event::Reaction(ReactionEvent::Unliked { post, by, .. }) => drop(self.likes.remove(&(*post, *by))),
            other @ (Event::Product(_)
            | Event::Order(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Inbox(_)
            | Event::Operator(_)) => panic!("{other:?} does not happen here"),
        }
    }

    fn between(&mut self, position: u64, event: &FollowEvent) {
        let parties = event.parties();
        match event {
            FollowEvent::Followed { .. } => drop(self.follows.insert(parties, position)),
            FollowEvent::Unfollowed { .. } => drop(self.follows.remove(&parties)),
            FollowEvent::Blocked { .. } => drop(self.blocks.insert(parties)),
            FollowEvent::Unblocked { .. } => drop(self.blocks.remove(&parties)),
            FollowEvent::Muted { .. } => drop(self.mutes.insert(parties)),
            FollowEvent::Unmuted { .. } => drop(self.mutes.remove(&parties)),
        }
    }

    fn posted(&mut self, position: u64, event: &PostEvent) {
        let (post, author) = (event.post(), event.author());
        let known =
            Known { position, post, author, of: None, parent: None, is_public: true, is_deleted: false, tags: vec![] };
        let tags = |tags: &[domain::values::Hashtag]| tags.iter().map(|tag| tag.as_str().to_owned()).collect();
        match event {
            PostEvent::Published(published) => self.posts.push(Known {
                parent: published.reply.map(|reply| (reply.parent, reply.parent_author)),
                is_public: published.visibility == Visibility::Public,
                tags: tags(&published.content.hashtags),
                ..known
            }),
            PostEvent::Reposted { of, of_author, .. } => {
                self.posts.push(Known { of: Some((*of, *of_author)), ..known });
            }
            PostEvent::Edited { content, .. } => {
                let known = self.posts.iter_mut().find(|known| known.post == post).expect("it was published");
                known.tags = tags(&content.hashtags);
            }
            PostEvent::Deleted { .. } => {
                self.posts.retain(|known| known.post != post || known.of.is_none());
                if let Some(known) = self.posts.iter_mut().find(|known| known.post == post) {
                    known.is_deleted = true;
                }
            }
        }
        self.posts.sort_by_key(|known| known.position);
    }

    pub(super) fn does_follow(&self, by: UserId, whom: UserId) -> bool {
        self.follows.contains_key(&(by, whom))
    }

    pub(super) fn is_blocked(&self, one: UserId, other: UserId) -> bool {
        self.blocks.contains(&(one, other)) || self.blocks.contains(&(other, one))
    }

    fn is_hidden(&self, reader: UserId, other: UserId) -> bool {
        self.is_blocked(reader, other) || self.mutes.contains(&(reader, other))
    }

    fn is_there(&self, post: PostId) -> bool {
        self.posts.iter().any(|known| known.post == post && !known.is_deleted)
    }

    /// Whether somebody may see it, wherever it is.
    pub(super) fn sees(&self, viewer: UserId, known: &Known) -> bool {
        let itself = viewer == known.author
            || (!self.is_blocked(viewer, known.author) && (known.is_public || self.does_follow(viewer, known.author)));
        itself && known.of.is_none_or(|(post, author)| self.is_there(post) && !self.is_blocked(viewer, author))
    }

    /// The feed of somebody, newest first.
    pub(super) fn home(&self, reader: UserId) -> Vec<&Known> {
        let is_shown = |known: &&Known| {
            let is_own = known.author == reader;
            let is_followed =
                is_own || (self.does_follow(reader, known.author) && !self.is_hidden(reader, known.author));
            let shows = known.of.is_none_or(|(post, author)| self.is_there(post) && !self.is_hidden(reader, author));
            let is_talk_of_theirs = is_own
                || known
                    .parent
                    .is_none_or(|(_, to)| to == known.author || to == reader || self.does_follow(reader, to));
            !known.is_deleted && is_followed && shows && is_talk_of_theirs
        };
        self.posts.iter().rev().filter(is_shown).collect()
    }

    pub(super) fn timeline(&self, author: UserId, viewer: UserId) -> Vec<&Known> {
        let theirs = self.posts.iter().rev().filter(|known| known.author == author && !known.is_deleted);
        theirs.filter(|known| self.sees(viewer, known)).collect()
    }

    pub(super) fn replies(&self, parent: PostId) -> Vec<&Known> {
        let answers = |known: &&Known| known.parent.is_some_and(|(post, _)| post == parent);
        self.posts.iter().filter(answers).collect()
    }

    pub(super) fn replies_seen(&self, parent: PostId, viewer: UserId) -> Vec<&Known> {
        self.replies(parent).into_iter().filter(|known| !known.is_deleted && self.sees(viewer, known)).collect()
    }

    pub(super) fn number_of_replies(&self, post: PostId) -> u64 {
        self.replies(post).iter().filter(|known| !known.is_deleted).count() as u64
    }

    pub(super) fn number_of_reposts(&self, post: PostId) -> u64 {
        self.posts.iter().filter(|known| known.of.is_some_and(|(of, _)| of == post)).count() as u64
    }

    pub(super) fn tagged(&self, tag: &str, viewer: UserId) -> Vec<&Known> {
        let has_it = |known: &&Known| {
            known.is_public && !known.is_deleted && known.tags.iter().any(|own| own == tag) && self.sees(viewer, known)
        };
        self.posts.iter().rev().filter(has_it).collect()
    }
}
