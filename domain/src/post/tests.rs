//! A post's rules as sentences.

mod entities;

use std::collections::BTreeMap;

use super::*;
use crate::{
    follow::{Follow, FollowEvent},
    product::ProductState,
    testing::{
        alt_text, anna, ben, blocked, cleo, content, deleted, draft, edited, eur, fold, followed, given, handle,
        hashtag, media_url, now, offered, post_id, post_text, product_of, publication, publish, published,
        published_for, published_post, reposted, seen,
    },
    values::ProductId,
};

fn edit(by: UserId, text: &str) -> PostCommand {
    PostCommand::Edit { by, draft: Box::new(draft(text)) }
}

fn repost(by: UserId, of: Seen) -> PostCommand {
    PostCommand::Repost { by, has_profile: true, of: Box::new(of) }
}

/// A post by Ben as Anna sees it, given what they are to each other.
fn seen_by_anna(visibility: Visibility, pair: impl IntoIterator<Item = FollowEvent>) -> Seen {
    Seen { pair: fold::<Follow>(pair), ..seen([published_for(2, ben(), "Tea?", visibility)]) }
}

fn answering(of: Seen) -> PostCommand {
    publish(Publication { reply_to: Some(of), ..publication(1, anna(), "Yes!") })
}

fn quoting(of: Seen) -> PostCommand {
    publish(Publication { quotes: Some(of), ..publication(1, anna(), "Look!") })
}

fn with_draft(draft: Draft) -> PostCommand {
    publish(Publication { draft, ..publication(1, anna(), "x") })
}

fn picture(n: usize) -> Media {
    Media { url: media_url(&format!("https://pictures.example/{n}.jpg")), alt: Some(alt_text("A cup of tea")) }
}

/// What was published, as the command that is accepted says it.
#[track_caller]
fn accepted(command: PostCommand) -> Published {
    let events = Post::decide(&PostState::default(), command, now()).expect("accepted");
    match events.as_slice() {
        [PostEvent::Published(published)] => (**published).clone(),
        other => panic!("not one post: {other:?}"),
    }
}

#[track_caller]
fn refused(command: PostCommand, expected: PostRejection) {
    given::<Post>([]).when(command).then_rejected(&expected);
}

#[test]
fn somebody_says_something() {
    given::<Post>([]).when(publish(publication(1, anna(), "Tea!"))).then([published(1, anna(), "Tea!")]);
}

#[test]
fn nobody_says_anything_without_a_profile() {
    let publication = Publication { has_profile: false, ..publication(1, anna(), "Tea!") };
    refused(publish(publication), PostRejection::NoProfile);
    let command =
        PostCommand::Repost { by: anna(), has_profile: false, of: Box::new(seen_by_anna(Visibility::Public, [])) };
    refused(command, PostRejection::NoProfile);
}

#[test]
fn an_id_is_published_once() {
    for before in [vec![published(1, anna(), "Tea!")], vec![published(1, anna(), "Tea!"), deleted(1, anna())]] {
        given::<Post>(before)
            .when(publish(publication(1, anna(), "Tea!")))
            .then_rejected(&PostRejection::AlreadyPublished);
    }
}

#[test]
fn a_post_has_words_or_pictures() {
    refused(with_draft(Draft::default()), PostRejection::NothingSaid);
    let of_product_alone = Draft { product: Some(offered("TEA-1", eur(1))), ..Draft::default() };
    refused(with_draft(of_product_alone), PostRejection::NothingSaid);
    let pictures = vec![picture(1), picture(2)];
    let published = accepted(with_draft(Draft { media: pictures.clone(), ..Draft::default() }));
    assert_eq!((published.content.text, published.content.media), (None, pictures));
}

#[test]
fn pictures_are_few_and_each_is_there_once() {
    let pictures = (0..=POST_MEDIA_MAX).map(picture).collect();
    refused(with_draft(Draft { media: pictures, ..Draft::default() }), PostRejection::TooManyMedia(POST_MEDIA_MAX + 1));
    let same = vec![picture(1), Media { alt: None, ..picture(1) }];
    refused(with_draft(Draft { media: same, ..Draft::default() }), PostRejection::MediaRepeated);
}

fn about(product: ProductId, state: ProductState) -> Draft {
    Draft { product: Some((product, state)), ..draft("Look!") }
}

fn retired() -> (ProductId, ProductState) {
    match offered("TEA-1", eur(1)) {
        (product, ProductState::Offered(offer)) => (product, ProductState::Retired(offer)),
        (_, other) => panic!("not offered: {other:?}"),
    }
}

#[test]
fn a_post_is_about_a_product_that_is_offered() {
    let (product, state) = offered("TEA-1", eur(1));
    assert_eq!(accepted(with_draft(about(product, state))).content.product, Some(product));
    refused(with_draft(about(product, ProductState::Unregistered)), PostRejection::UnknownProduct);
    let (product, state) = retired();
    refused(with_draft(about(product, state)), PostRejection::RetiredProduct);
}

#[test]
fn a_product_that_is_retired_later_may_stay_in_the_post() {
    let product = product_of("TEA-1");
    let mut before = accepted(publish(publication(1, anna(), "Look!")));
    before.content.product = Some(product);
    let before = [PostEvent::Published(Box::new(before))];
    let (_, state) = retired();
    let draft = Draft { text: Some(post_text("See!")), ..about(product, state) };
    let command = PostCommand::Edit { by: anna(), draft: Box::new(draft) };
    let after = Content { product: Some(product), ..content("See!") };
    given::<Post>(before).when(command).then([PostEvent::Edited {
        post: post_id(1),
        author: anna(),
        content: after,
        at: now(),
    }]);
}

#[test]
fn those_who_are_mentioned_are_found_once_each_and_nobody_else() {
    let mentioned = BTreeMap::from([(handle("ben"), ben()), (handle("cleo"), cleo())]);
    let draft = Draft { mentioned, ..draft("@Ben, @nobody_here, and @ben: #Tea or #tea?") };
    let content = accepted(with_draft(draft)).content;
    assert_eq!(content.mentions, [Mention { user: ben(), handle: handle("ben") }]);
    assert_eq!(content.hashtags, [hashtag("tea")]);
}

#[test]
fn a_flood_of_mentions_or_hashtags_is_refused_whether_anybody_has_the_handles_or_not() {
    let flood = |mark: char, count: usize| {
        let words: Vec<_> = (0..count).map(|n| format!("{mark}some{n}")).collect();
        words.join(" ")
    };
    for (mark, max, expected) in [
        ('@', POST_MENTIONS_MAX, PostRejection::TooManyMentions(POST_MENTIONS_MAX + 1)),
        ('#', POST_HASHTAGS_MAX, PostRejection::TooManyHashtags(POST_HASHTAGS_MAX + 1)),
    ] {
        accepted(with_draft(draft(&flood(mark, max))));
        refused(with_draft(draft(&flood(mark, max + 1))), expected);
        let repeated = vec![flood(mark, 1); max + 1].join(" ");
        accepted(with_draft(draft(&repeated)));
    }
}

#[test]
fn an_answer_stands_below_what_it_answers() {
    let first = accepted(answering(seen_by_anna(Visibility::Public, [])));
    let expected = Reply { parent: post_id(2), parent_author: ben(), root: post_id(2), depth: 1 };
    assert_eq!(first.reply, Some(expected));
    let reply_to = Some(seen([PostEvent::Published(Box::new(first))]));
    let second = accepted(publish(Publication { reply_to, ..publication(3, ben(), "Good!") }));
    let expected = Reply { parent: post_id(1), parent_author: anna(), root: post_id(2), depth: 2 };
    assert_eq!(second.reply, Some(expected));
}

#[test]
fn a_thread_has_no_cycles_and_an_end() {
    let own = seen([published(1, anna(), "Tea!")]);
    refused(answering(own), PostRejection::AnswersItself);
    let at_depth = |depth| {
        let mut parent = accepted(publish(publication(2, ben(), "Tea?")));
        parent.reply = Some(Reply { parent: post_id(9), parent_author: ben(), root: post_id(8), depth });
        answering(seen([PostEvent::Published(Box::new(parent))]))
    };
    let last = accepted(at_depth(THREAD_DEPTH_MAX - 1));
    assert_eq!(last.reply.map(|reply| reply.depth), Some(THREAD_DEPTH_MAX));
    refused(at_depth(THREAD_DEPTH_MAX), PostRejection::ThreadTooDeep);
}

#[test]
fn what_is_deleted_or_not_seen_is_neither_answered_nor_passed_on() {
    let gone = || seen([published(2, ben(), "Tea?"), deleted(2, ben())]);
    let blocks = [blocked(anna(), ben()), blocked(ben(), anna())];
    let commands: [fn(Seen) -> PostCommand; 3] = [answering, quoting, |of| repost(anna(), of)];
    for command in commands {
        refused(command(Seen::default()), PostRejection::TargetNotFound);
        refused(command(gone()), PostRejection::TargetDeleted);
        for block in blocks {
            let of_block = seen_by_anna(Visibility::Public, [block]);
            refused(command(of_block), PostRejection::TargetNotFound);
            let gone = Seen { pair: fold::<Follow>([block]), ..gone() };
            refused(command(gone), PostRejection::TargetNotFound);
        }
        refused(command(seen_by_anna(Visibility::Followers, [])), PostRejection::TargetNotFound);
        let of_repost = seen([reposted(ben(), 7, cleo())]);
        refused(command(of_repost), PostRejection::TargetIsRepost { of: post_id(7) });
    }
}

#[test]
fn what_is_for_followers_is_answered_by_them_and_passed_on_by_nobody() {
    let for_anna: fn() -> Seen = || seen_by_anna(Visibility::Followers, [followed(anna(), ben())]);
    assert!(accepted(answering(for_anna())).reply.is_some());
    let own: fn() -> Seen = || seen([published_for(2, anna(), "Tea?", Visibility::Followers)]);
    for of in [for_anna, own] {
        refused(quoting(of()), PostRejection::NotPublic);
        refused(repost(anna(), of()), PostRejection::NotPublic);
    }
}

#[test]
fn a_post_quotes_another_one() {
    let quoted = accepted(quoting(seen_by_anna(Visibility::Public, []))).quoted;
    assert_eq!(quoted, Some(Quoted { post: post_id(2), author: ben() }));
}

#[test]
fn an_edit_says_all_that_the_post_says_from_now_on() {
    let before = || [published(1, anna(), "Tea!")];
    given::<Post>(before()).when(edit(anna(), "Coffee!")).then([edited(1, anna(), "Coffee!")]);
    given::<Post>(before()).when(edit(anna(), " Tea! ")).then([]);
    let state = fold::<Post>([published(1, anna(), "Tea!"), edited(1, anna(), "Coffee!")]);
    let post = published_post(&state);
    assert_eq!((post.edits, &post.content), (1, &content("Coffee!")));
}

#[test]
fn an_edit_is_checked_like_a_post() {
    let command = PostCommand::Edit { by: anna(), draft: Box::default() };
    given::<Post>([published(1, anna(), "Tea!")]).when(command).then_rejected(&PostRejection::NothingSaid);
}

#[test]
fn only_its_author_changes_a_post_and_what_others_do_not_see_looks_missing_to_them() {
    for command in [edit(ben(), "Coffee!"), PostCommand::Delete { by: ben() }] {
        given::<Post>([published(1, anna(), "Tea!")]).when(command.clone()).then_rejected(&PostRejection::NotAuthor);
        given::<Post>([published_for(1, anna(), "Tea!", Visibility::Followers)])
            .when(command)
            .then_rejected(&PostRejection::NotFound);
    }
    given::<Post>([reposted(anna(), 2, ben())])
        .when(PostCommand::Delete { by: ben() })
        .then_rejected(&PostRejection::NotAuthor);
}

#[test]
fn a_post_is_edited_so_often_and_not_more() {
    let events = |edits: u32| {
        let edits = (0..edits).map(|n| edited(1, anna(), &format!("Tea {n}")));
        std::iter::once(published(1, anna(), "Tea!")).chain(edits).collect::<Vec<_>>()
    };
    given::<Post>(events(POST_EDITS_MAX - 1)).when(edit(anna(), "Coffee!")).then([edited(1, anna(), "Coffee!")]);
    given::<Post>(events(POST_EDITS_MAX)).when(edit(anna(), "Coffee!")).then_rejected(&PostRejection::TooManyEdits);
}

#[test]
fn a_deleted_post_stays_deleted() {
    let gone = || [published(1, anna(), "Tea!"), deleted(1, anna())];
    given::<Post>([published(1, anna(), "Tea!")]).when(PostCommand::Delete { by: anna() }).then([deleted(1, anna())]);
    given::<Post>(gone()).when(PostCommand::Delete { by: anna() }).then([]);
    given::<Post>(gone()).when(PostCommand::Delete { by: ben() }).then_rejected(&PostRejection::Deleted);
    given::<Post>(gone()).when(edit(anna(), "Coffee!")).then_rejected(&PostRejection::Deleted);
    let again = repost(anna(), seen_by_anna(Visibility::Public, []));
    given::<Post>(gone()).when(again).then_rejected(&PostRejection::AlreadyPublished);
    let state = fold::<Post>([published(1, anna(), "Tea!"), deleted(1, anna()), edited(1, anna(), "Coffee!")]);
    let was = Tombstone { author: anna(), visibility: Visibility::Public, repost_of: None };
    assert_eq!(state, PostState::Deleted(was));
}

#[test]
fn what_was_never_said_is_neither_edited_nor_deleted() {
    refused(edit(anna(), "Tea!"), PostRejection::NotFound);
    refused(PostCommand::Delete { by: anna() }, PostRejection::NotFound);
}

#[test]
fn a_post_is_reposted_once_at_a_time() {
    let again = || repost(anna(), seen_by_anna(Visibility::Public, []));
    let (shown, undone) = (reposted(anna(), 2, ben()), repost_of(anna(), post_id(2)));
    let undone = PostEvent::Deleted { post: undone, author: anna(), at: now() };
    given::<Post>([]).when(again()).then([shown.clone()]);
    given::<Post>([shown.clone()]).when(again()).then([]);
    given::<Post>([shown.clone()]).when(PostCommand::Delete { by: anna() }).then([undone.clone()]);
    given::<Post>([shown.clone(), undone.clone()]).when(again()).then([shown.clone()]);
    given::<Post>([shown, undone]).when(edit(anna(), "x")).then_rejected(&PostRejection::Deleted);
}

#[test]
fn a_repost_has_no_words_to_edit() {
    given::<Post>([reposted(anna(), 2, ben())])
        .when(edit(anna(), "x"))
        .then_rejected(&PostRejection::TargetIsRepost { of: post_id(2) });
}

#[test]
fn each_person_and_post_has_one_repost() {
    assert_eq!(repost_of(anna(), post_id(1)), repost_of(anna(), post_id(1)));
    assert_ne!(repost_of(anna(), post_id(1)), repost_of(ben(), post_id(1)));
    assert_ne!(repost_of(anna(), post_id(1)), repost_of(anna(), post_id(2)));
}

#[test]
fn its_author_sees_a_post_whatever_and_a_block_hides_it_in_both_directions() {
    let of = |visibility, pair: Vec<_>| seen_by_anna(visibility, pair);
    for visibility in [Visibility::Public, Visibility::Followers] {
        let alone = of(visibility, vec![]);
        assert!(alone.by(ben()).is_ok(), "{visibility:?}");
        for block in [blocked(anna(), ben()), blocked(ben(), anna())] {
            assert_eq!(of(visibility, vec![block]).by(anna()), Err(Unseen::NotFound), "{visibility:?}");
        }
    }
    assert!(of(Visibility::Public, vec![]).by(anna()).is_ok());
    assert!(of(Visibility::Followers, vec![followed(anna(), ben())]).by(anna()).is_ok());
    assert_eq!(of(Visibility::Followers, vec![followed(ben(), anna())]).by(anna()), Err(Unseen::NotFound));
}

#[test]
fn a_log_that_the_rules_would_not_have_written_still_folds() {
    for events in [vec![edited(1, anna(), "x")], vec![deleted(1, anna())]] {
        assert_eq!(fold::<Post>(events), PostState::Unpublished);
    }
    let state = fold::<Post>([reposted(anna(), 2, ben()), edited(1, anna(), "x")]);
    assert!(matches!(state, PostState::Reposted(_)));
}
