//! Posts as they are read: fold and row.

use domain::{
    EventPayload as _, Timestamp,
    post::{
        Content, Media, Mention, PostEvent, PostState, PublishedPost, Quoted, Reply, Repost, Tombstone, Visibility,
    },
    testing::{
        anna, ben, deleted, edited, fold, media_url, order_placed, post_id, published, published_for, published_post,
        reposted,
    },
    values::{AltText, Handle, Hashtag, PostId, PostText, ProductId, UserId},
};
use infrastructure::event_store::Revision;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    KeyedFold,
    tests::{block_on, decoded, folded, moment, serving, temp_rows},
};

#[test]
fn a_post_is_as_its_last_event_says() {
    let row = folded::<PostBoard, _>([published(1, anna(), "Tea"), edited(1, anna(), "Tea!")]).unwrap();
    assert_eq!((row.post, row.author, row.revision), (post_id(1), anna(), Revision::new(1)));
    let post = published_post(&row.state);
    assert_eq!((post.content.text.as_ref().unwrap().as_str(), post.edits), ("Tea!", 1));
}

#[test]
fn the_row_is_the_aggregate_s_own_state() {
    let lives = [
        vec![published(1, anna(), "Tea")],
        vec![published_for(1, anna(), "Tea", Visibility::Followers), edited(1, anna(), "Tea!"), deleted(1, anna())],
        vec![reposted(ben(), 1, anna())],
    ];
    for life in lives {
        let post = life[0].post();
        let (state, revision) = (fold::<domain::post::Post>(life.clone()), Revision::new(life.len() as u64 - 1));
        assert_eq!(folded::<PostBoard, _>(life), PostRow::of(post, state, revision));
    }
    assert_eq!(PostRow::of(post_id(1), PostState::Unpublished, Revision::new(0)), None);
}

#[test]
fn what_was_taken_back_leaves_a_tombstone_and_a_repost_comes_back() {
    let undone = PostEvent::Deleted { post: reposted(ben(), 1, anna()).post(), author: ben(), at: moment(1) };
    let life = [reposted(ben(), 1, anna()), undone, reposted(ben(), 1, anna())];
    let gone = folded::<PostBoard, _>(life[..2].to_vec()).unwrap();
    assert!(matches!(gone.state, PostState::Deleted(was) if was.repost_of == Some(post_id(1))), "{gone:?}");
    let back = folded::<PostBoard, _>(life).unwrap();
    assert!(matches!(back.state, PostState::Reposted(repost) if repost.of == post_id(1)), "{back:?}");
}

#[test]
fn a_post_that_was_never_published_has_no_row() {
    assert_eq!(folded::<PostBoard, _>([edited(1, anna(), "Tea!"), deleted(1, anna())]), None);
}

#[test]
fn only_publishing_and_reposting_make_a_row_anew_and_orders_are_no_concern() {
    let starts = |event: PostEvent| PostBoard::starts(&decoded(1, 0, event));
    assert!(starts(published(1, anna(), "Tea")) && starts(reposted(ben(), 1, anna())));
    assert!(!starts(edited(1, anna(), "Tea!")) && !starts(deleted(1, anna())));
    let order = decoded(1, 0, order_placed());
    assert_eq!(PostBoard::key(&order), None);
    let row = folded::<PostBoard, _>([published(1, anna(), "Tea")]);
    assert_eq!(PostBoard::fold(row.clone(), &order), row);
}

#[test]
fn every_event_of_a_post_is_read() {
    let events =
        [published(1, anna(), "Tea"), edited(1, anna(), "Tea!"), deleted(1, anna()), reposted(ben(), 1, anna())];
    assert_eq!(events.len(), PostEvent::types().len());
    for event in events {
        let post = event.post().uuid();
        assert_eq!(PostBoard::key(&decoded(1, 0, event)), Some(post));
    }
    for name in PostEvent::types() {
        assert!(PostBoard::EVENTS.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
}

fn some_moment() -> impl Strategy<Value = Timestamp> {
    (-1_000_000_000_000_000_i64..1_000_000_000_000_000).prop_map(moment)
}

fn some_user() -> impl Strategy<Value = UserId> {
    any::<u128>().prop_map(|number| UserId::new(Uuid::from_u128(number)))
}

fn some_post() -> impl Strategy<Value = PostId> {
    any::<u128>().prop_map(|number| PostId::new(Uuid::from_u128(number)))
}

fn some_visibility() -> impl Strategy<Value = Visibility> {
    prop::sample::select(vec![Visibility::Public, Visibility::Followers])
}

prop_compose! {
    // What was stored is read, whether it could be written today or not.
    fn some_content()(
        text in prop::option::of(r"(\PC|[\n\t]){1,50}"),
        media in prop::collection::vec(("[a-z]{1,9}", prop::option::of(r"\PC{1,20}")), 0..4),
        product in prop::option::of(any::<u128>()),
        mentions in prop::collection::vec((some_user(), r"[^\pC\pZ]{1,20}"), 0..4),
        hashtags in prop::collection::vec(r"[^\pC\pZ]{1,20}", 0..4),
    ) -> Content {
        let picture = |(name, alt): (String, Option<String>)| Media {
            url: media_url(&format!("https://pictures.example/{name}.jpg")),
            alt: alt.map(|text| AltText::stored(&text)),
        };
        let mention = |(user, handle): (UserId, String)| Mention { user, handle: Handle::stored(&handle) };
        let hashtag = |text: String| serde_json::from_value::<Hashtag>(text.into()).unwrap();
        Content {
            text: text.map(|text| PostText::stored(&text)),
            media: media.into_iter().map(picture).collect(),
            product: product.map(|number| ProductId::new(Uuid::from_u128(number))),
            mentions: mentions.into_iter().map(mention).collect(),
            hashtags: hashtags.into_iter().map(hashtag).collect(),
        }
    }
}

prop_compose! {
    fn some_published()(
        post in some_post(),
        author in some_user(),
        content in some_content(),
        visibility in some_visibility(),
        reply in prop::option::of((some_post(), some_user(), some_post(), any::<u32>())),
        quoted in prop::option::of((some_post(), some_user())),
        edits in any::<u32>(),
        times in (some_moment(), some_moment()),
    ) -> PublishedPost {
        let reply = reply.map(|(parent, parent_author, root, depth)| Reply { parent, parent_author, root, depth });
        let quoted = quoted.map(|(post, author)| Quoted { post, author });
        let (published_at, updated_at) = times;
        PublishedPost { post, author, content, visibility, reply, quoted, edits, published_at, updated_at }
    }
}

fn some_state() -> impl Strategy<Value = (PostId, PostState)> {
    let repost = (some_post(), some_user(), some_post(), some_user(), some_moment());
    let tombstone = (some_post(), some_user(), some_visibility(), prop::option::of(some_post()));
    prop_oneof![
        3 => some_published().prop_map(|post| (post.post, PostState::Published(post))),
        1 => repost.prop_map(|(post, author, of, of_author, at)| {
            (post, PostState::Reposted(Repost { post, author, of, of_author, at }))
        }),
        1 => tombstone.prop_map(|(post, author, visibility, repost_of)| {
            (post, PostState::Deleted(Tombstone { author, visibility, repost_of }))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_comes_back_as_it_was_written((post, state) in some_state(), revision in 0..=u64::from(u32::MAX)) {
        let row = PostRow::of(post, state, Revision::new(revision)).unwrap();
        block_on(async {
            let (_folder, store) = temp_rows();
            let board = serving::<PostBoard>(&store, std::slice::from_ref(&row)).await;
            assert_eq!(board.row(post.uuid()).await.unwrap(), Some(row));
        });
    }
}
