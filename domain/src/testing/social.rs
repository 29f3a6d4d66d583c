//! Builders for the social slices: Anna, Ben and Cleo, and what happens between them.

use super::{id, now};
use crate::{
    follow::{FollowEvent, HaveProfiles, PairState, UnfollowReason},
    post::{
        Content, Draft, Post, PostCommand, PostEvent, PostState, Publication, Published, PublishedPost, Seen,
        Visibility, repost_of,
    },
    profile::{
        ProfileEvent,
        handle::{CLAIM_KEPT, Claim, HandleEvent},
    },
    reaction::ReactionEvent,
    testing::fold,
    values::{AltText, Biography, DisplayName, Handle, Hashtag, MediaUrl, PostId, PostText, UserId},
};

/// Anna, of whom most tests are about.
pub fn anna() -> UserId {
    id(10)
}

/// Ben, whom she follows in most of them.
pub fn ben() -> UserId {
    id(11)
}

/// Cleo, who is neither.
pub fn cleo() -> UserId {
    id(12)
}

/// Both have a profile.
pub const HAVE_PROFILES: HaveProfiles = HaveProfiles { by: true, whom: true };

/// A handle.
pub fn handle(text: &str) -> Handle {
    Handle::parse(text).expect("a valid handle")
}

/// A display name.
pub fn display_name(text: &str) -> DisplayName {
    DisplayName::parse(text).expect("a valid name")
}

/// What somebody says of themselves.
pub fn biography(text: &str) -> Biography {
    Biography::parse(text).expect("a valid biography")
}

/// What a post says.
pub fn post_text(text: &str) -> PostText {
    PostText::parse(text).expect("a valid text")
}

/// What a picture shows.
pub fn alt_text(text: &str) -> AltText {
    AltText::parse(text).expect("a valid text")
}

/// A hashtag.
pub fn hashtag(text: &str) -> Hashtag {
    Hashtag::parse(text).expect("a valid hashtag")
}

/// Where a picture is.
pub fn media_url(text: &str) -> MediaUrl {
    MediaUrl::parse(text).expect("a valid address")
}

/// A claim made [`now`].
pub fn claim(handle_text: &str, by: UserId) -> Claim {
    Claim { handle: handle(handle_text), by, until: now() + CLAIM_KEPT }
}

/// A handle was claimed.
pub fn handle_claimed(handle_text: &str, by: UserId) -> HandleEvent {
    let Claim { handle, by, until } = claim(handle_text, by);
    HandleEvent::Claimed { handle, by, until, former: None, at: now() }
}

/// Somebody became visible, under a name that is their handle.
pub fn profile_created(user: UserId, handle_text: &str) -> ProfileEvent {
    let (handle, name) = (handle(handle_text), display_name(handle_text));
    ProfileEvent::Created { user, handle, name, biography: Biography::default(), at: now() }
}

/// They are found under another handle.
pub fn handle_changed(user: UserId, former: &str, handle_text: &str) -> ProfileEvent {
    ProfileEvent::HandleChanged { user, handle: handle(handle_text), former: handle(former), at: now() }
}

/// One follows another.
pub fn followed(by: UserId, whom: UserId) -> FollowEvent {
    FollowEvent::Followed { by, whom, at: now() }
}

/// And no longer.
pub fn unfollowed(by: UserId, whom: UserId, reason: UnfollowReason) -> FollowEvent {
    FollowEvent::Unfollowed { by, whom, reason, at: now() }
}

/// One blocks another.
pub fn blocked(by: UserId, whom: UserId) -> FollowEvent {
    FollowEvent::Blocked { by, whom, at: now() }
}

/// And no longer.
pub fn unblocked(by: UserId, whom: UserId) -> FollowEvent {
    FollowEvent::Unblocked { by, whom, at: now() }
}

/// The `n`-th post.
pub fn post_id(n: u128) -> PostId {
    id(1_000 + n)
}

/// What somebody wrote: words alone.
pub fn draft(text: &str) -> Draft {
    Draft { text: Some(post_text(text)), ..Draft::default() }
}

/// The command that publishes the `n`-th post for everybody.
pub fn publication(n: u128, author: UserId, text: &str) -> Publication {
    Publication {
        post: post_id(n),
        author,
        has_profile: true,
        draft: draft(text),
        visibility: Visibility::Public,
        reply_to: None,
        quotes: None,
    }
}

/// Words alone, without mentions and hashtags.
pub fn content(text: &str) -> Content {
    Content { text: Some(post_text(text)), media: vec![], product: None, mentions: vec![], hashtags: vec![] }
}

/// Somebody said something, to everybody.
pub fn published(n: u128, author: UserId, text: &str) -> PostEvent {
    published_for(n, author, text, Visibility::Public)
}

/// Somebody said something.
pub fn published_for(n: u128, author: UserId, text: &str, visibility: Visibility) -> PostEvent {
    let (post, content) = (post_id(n), content(text));
    PostEvent::Published(Box::new(Published {
        post,
        author,
        content,
        visibility,
        reply: None,
        quoted: None,
        at: now(),
    }))
}

/// The command that publishes it.
pub fn publish(publication: Publication) -> PostCommand {
    PostCommand::Publish(Box::new(publication))
}

/// They say it otherwise.
pub fn edited(n: u128, author: UserId, text: &str) -> PostEvent {
    PostEvent::Edited { post: post_id(n), author, content: content(text), at: now() }
}

/// Somebody shows the `n`-th post to their followers.
pub fn reposted(author: UserId, n: u128, of_author: UserId) -> PostEvent {
    let post = repost_of(author, post_id(n));
    PostEvent::Reposted { post, author, of: post_id(n), of_author, at: now() }
}

/// A post was taken back.
pub fn deleted(n: u128, author: UserId) -> PostEvent {
    PostEvent::Deleted { post: post_id(n), author, at: now() }
}

/// A post as somebody sees it, to whom its author is nobody in particular.
pub fn seen(events: impl IntoIterator<Item = PostEvent>) -> Seen {
    Seen { post: fold::<Post>(events), pair: PairState::default() }
}

/// A post that is there.
pub fn published_post(state: &PostState) -> &PublishedPost {
    match state {
        PostState::Published(post) => post,
        PostState::Unpublished | PostState::Reposted(_) | PostState::Deleted(_) => panic!("no post: {state:?}"),
    }
}

/// Somebody likes the `n`-th post.
pub fn liked(n: u128, author: UserId, by: UserId) -> ReactionEvent {
    ReactionEvent::Liked { post: post_id(n), author, by, at: now() }
}

/// And no longer.
pub fn unliked(n: u128, author: UserId, by: UserId) -> ReactionEvent {
    ReactionEvent::Unliked { post: post_id(n), author, by, at: now() }
}
