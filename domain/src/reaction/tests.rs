//! The rules of reactions as sentences.

use super::*;
use crate::{
    follow::{Follow, FollowEvent},
    post::{PostEvent, Seen, Visibility, repost_of},
    testing::{
        anna, ben, blocked, deleted, fold, followed, given, liked, post_id, published, published_for, reposted, seen,
        unliked,
    },
};

fn like(events: impl IntoIterator<Item = PostEvent>, pair: impl IntoIterator<Item = FollowEvent>) -> ReactionCommand {
    let post = Box::new(Seen { pair: fold::<Follow>(pair), ..seen(events) });
    ReactionCommand::Like { by: anna(), has_profile: true, post }
}

fn of_ben() -> PostEvent {
    published(1, ben(), "Tea?")
}

#[test]
fn a_post_is_liked_once_and_unliked_once() {
    given::<Reaction>([]).when(like([of_ben()], [])).then([liked(1, ben(), anna())]);
    given::<Reaction>([liked(1, ben(), anna())]).when(like([of_ben()], [])).then([]);
    given::<Reaction>([liked(1, ben(), anna())]).when(ReactionCommand::Unlike).then([unliked(1, ben(), anna())]);
    let undone = [liked(1, ben(), anna()), unliked(1, ben(), anna())];
    given::<Reaction>(undone).when(ReactionCommand::Unlike).then([]);
    given::<Reaction>(undone).when(like([of_ben()], [])).then([liked(1, ben(), anna())]);
    given::<Reaction>([]).when(ReactionCommand::Unlike).then([]);
}

#[test]
fn an_own_post_may_be_liked() {
    given::<Reaction>([]).when(like([published(1, anna(), "Tea!")], [])).then([liked(1, anna(), anna())]);
}

#[test]
fn a_deleted_post_is_not_liked_but_may_be_unliked() {
    let gone = || [of_ben(), deleted(1, ben())];
    given::<Reaction>([]).when(like(gone(), [])).then_rejected(&ReactionRejection::Deleted);
    given::<Reaction>([liked(1, ben(), anna())]).when(like(gone(), [])).then([]);
    given::<Reaction>([liked(1, ben(), anna())]).when(ReactionCommand::Unlike).then([unliked(1, ben(), anna())]);
}

#[test]
fn what_is_not_seen_is_not_liked() {
    given::<Reaction>([]).when(like([], [])).then_rejected(&ReactionRejection::NotFound);
    for block in [blocked(anna(), ben()), blocked(ben(), anna())] {
        given::<Reaction>([]).when(like([of_ben()], [block])).then_rejected(&ReactionRejection::NotFound);
    }
    let for_followers = || [published_for(1, ben(), "Tea?", Visibility::Followers)];
    given::<Reaction>([]).when(like(for_followers(), [])).then_rejected(&ReactionRejection::NotFound);
    let follows = [followed(anna(), ben())];
    given::<Reaction>([]).when(like(for_followers(), follows)).then([liked(1, ben(), anna())]);
    let is_followed = [followed(ben(), anna())];
    given::<Reaction>([]).when(like(for_followers(), is_followed)).then_rejected(&ReactionRejection::NotFound);
}

#[test]
fn a_repost_is_not_liked_but_what_it_shows() {
    let expected = ReactionRejection::IsRepost { of: post_id(1) };
    given::<Reaction>([]).when(like([reposted(ben(), 1, anna())], [])).then_rejected(&expected);
}

#[test]
fn nobody_likes_without_a_profile() {
    let command = ReactionCommand::Like { by: anna(), has_profile: false, post: Box::new(seen([of_ben()])) };
    given::<Reaction>([]).when(command).then_rejected(&ReactionRejection::NoProfile);
}

#[test]
fn each_person_and_post_has_a_stream_of_its_own() {
    let ids = [id_of(post_id(1), anna()), id_of(post_id(1), ben()), id_of(post_id(2), anna())];
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    assert_eq!(liked(1, ben(), anna()).reaction(), ids[0]);
    assert_ne!(id_of(post_id(1), anna()).uuid(), repost_of(anna(), post_id(1)).uuid());
}
