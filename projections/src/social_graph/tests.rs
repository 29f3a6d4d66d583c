//! Follows, posts, likes and home feeds, held against a model that computes all of it from the events alone.

mod reference;
mod world;

use domain::{
    Timestamp,
    post::Visibility,
    testing::now,
    values::{Hashtag, PostId, UserId},
};
use infrastructure::event_store::Position;
use proptest::prelude::*;

use self::world::{Op, World};
use crate::tests::block_on;

/// How many people there are.
const PEOPLE: usize = 6;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let who = || 0..PEOPLE;
    let op = prop_oneof![
        8 => (who(), who()).prop_map(|(by, whom)| Op::Follow(by, whom)),
        2 => (who(), who()).prop_map(|(by, whom)| Op::Unfollow(by, whom)),
        1 => (who(), who()).prop_map(|(by, whom)| Op::Block(by, whom)),
        1 => (who(), who()).prop_map(|(by, whom)| Op::Unblock(by, whom)),
        1 => (who(), who()).prop_map(|(by, whom)| Op::Mute(by, whom)),
        1 => (who(), who()).prop_map(|(by, whom)| Op::Unmute(by, whom)),
        10 => (who(), any::<bool>(), 0..3_usize).prop_map(|(by, is_public, tags)| Op::Publish { by, is_public, tags }),
        4 => (who(), 0..40_usize).prop_map(|(by, post)| Op::Reply { by, post }),
        3 => (who(), 0..40_usize).prop_map(|(by, post)| Op::Repost { by, post }),
        1 => (0..40_usize, 0..3_usize).prop_map(|(post, tags)| Op::Edit { post, tags }),
        2 => (0..40_usize).prop_map(Op::Delete),
        1 => (0..40_usize).prop_map(Op::Undo),
        2 => (who(), 0..40_usize).prop_map(|(by, post)| Op::Like { by, post }),
        1 => (who(), 0..40_usize).prop_map(|(by, post)| Op::Unlike { by, post }),
        1 => (1..40_i64).prop_map(Op::Days),
        1 => Just(Op::Park),
        1 => Just(Op::Release),
        6 => (who(), 1..5_usize).prop_map(|(reader, first)| Op::Page { reader, first }),
        2 => (who(), 1..5_usize).prop_map(|(reader, first)| Op::Newer { reader, first }),
    ];
    prop::collection::vec(op, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(crate::tests::cases(24)) })]

    #[test]
    fn every_feed_list_and_count_is_what_the_events_say_whatever_way_posts_take(ops in ops()) {
        block_on(async {
            let mut world = World::new().await;
            for op in ops {
                world.act(op).await;
            }
            world.act(Op::Release).await;
            world.agrees().await;
            world.agrees_rebuilt().await;
        });
    }
}

/// The posts of a feed, oldest first, by their numbers.
async fn feed(world: &World, reader: usize) -> Vec<usize> {
    let page = world.served.home_feed(world::user(reader), None, 100).await.unwrap();
    page.entries.iter().rev().map(|entry| world.number_of(entry.post)).collect()
}

const fn post(by: usize) -> Op {
    Op::Publish { by, is_public: true, tags: 0 }
}

#[tokio::test]
async fn crossing_a_threshold_in_either_direction_neither_loses_nor_doubles_a_post() {
    // Of two followers at most are entries written: with the third one, posts are looked up.
    let mut world = World::new().await;
    for op in [Op::Follow(1, 0), post(0), Op::Follow(2, 0), post(0), Op::Follow(3, 0), post(0), post(0)] {
        world.act(op).await;
    }
    assert_eq!(world.entries().await, 3, "one for the first, two for the second, none for the others");
    for op in [Op::Unfollow(3, 0), post(0)] {
        world.act(op).await;
    }
    assert_eq!(world.entries().await, 5);
    assert_eq!(feed(&world, 1).await, [0, 1, 2, 3, 4]);
    assert_eq!(feed(&world, 2).await, [0, 1, 2, 3, 4], "what was there before they followed is there, too");
    assert_eq!(feed(&world, 3).await, [] as [usize; 0]);
    world.agrees().await;
}

#[tokio::test]
async fn the_follow_that_is_one_too_many_marks_all_of_them_and_the_next_post_nobody() {
    let mut world = World::new().await;
    for op in [Op::Follow(1, 0), Op::Follow(2, 0), Op::Follow(3, 0)] {
        world.act(op).await;
    }
    // Among the invariants: whoever has too many followers is looked up by all of them.
    world.agrees().await;
    for op in [Op::Follow(4, 0), Op::Unfollow(1, 0), Op::Unfollow(2, 0), Op::Follow(5, 0), post(0)] {
        world.act(op).await;
        world.agrees().await;
    }
    assert_eq!(world.entries().await, 0, "three follow them still");
}

#[tokio::test]
async fn whoever_follows_very_many_or_was_long_away_gets_no_entries_and_misses_nothing() {
    let mut world = World::new().await;
    for op in [Op::Follow(5, 0), Op::Follow(5, 1), Op::Follow(5, 2), post(0), Op::Follow(5, 3), post(1), post(3)] {
        world.act(op).await;
    }
    assert_eq!(world.entries().await, 1, "with the fourth they follow too many");
    for op in [Op::Unfollow(5, 3), post(1), Op::Unfollow(5, 2), post(0)] {
        world.act(op).await;
    }
    assert_eq!(world.entries().await, 3, "from three on they have entries again");
    assert_eq!(feed(&world, 5).await, [0, 1, 3, 4]);

    for op in [Op::Days(31), post(0), post(1)] {
        world.act(op).await;
    }
    assert_eq!(world.entries().await, 3, "nobody has heard of them for long");
    assert_eq!(feed(&world, 5).await, [0, 1, 3, 4, 5, 6]);
    for op in [Op::Like { by: 5, post: 6 }, post(0)] {
        world.act(op).await;
    }
    assert_eq!(world.entries().await, 4, "they are back");
    assert_eq!(feed(&world, 5).await, [0, 1, 3, 4, 5, 6, 7]);
    world.agrees().await;
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn what_could_not_be_applied_at_once_is_as_if_it_had_been() {
    let mut world = World::new().await;
    // A follow that waits while somebody posts; a post that waits while it is liked and answered and three chunks go by.
    for op in [Op::Park, Op::Follow(1, 0), post(0), Op::Release, Op::Follow(2, 0), Op::Park, post(0)] {
        world.act(op).await;
    }
    for op in [Op::Like { by: 2, post: 1 }, Op::Reply { by: 0, post: 1 }, Op::Repost { by: 3, post: 1 }] {
        world.act(op).await;
    }
    for _ in 0..10 {
        world.act(post(0)).await;
    }
    world.act(Op::Release).await;
    assert_eq!(feed(&world, 1).await, (0..13).collect::<Vec<_>>());
    assert_eq!(feed(&world, 2).await, (0..13).collect::<Vec<_>>());
    world.agrees().await;
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn a_block_takes_the_posts_out_at_once_and_for_good() {
    let mut world = World::new().await;
    for op in [Op::Follow(1, 0), Op::Follow(0, 1), post(0), post(1)] {
        world.act(op).await;
    }
    assert_eq!((feed(&world, 1).await, feed(&world, 0).await), (vec![0, 1], vec![0, 1]));
    world.act(Op::Block(0, 1)).await;
    assert_eq!((feed(&world, 1).await, feed(&world, 0).await), (vec![1], vec![0]));
    world.act(Op::Unblock(0, 1)).await;
    assert_eq!(feed(&world, 1).await, [1], "follows do not come back");
    world.act(Op::Follow(1, 0)).await;
    assert_eq!(feed(&world, 1).await, [0, 1], "with the follow they do, each once");
}

#[tokio::test]
async fn a_page_is_full_however_much_of_what_was_written_is_not_shown() {
    let mut world = World::new().await;
    for op in [Op::Follow(1, 0), Op::Follow(1, 2), post(2), post(2), post(2)] {
        world.act(op).await;
    }
    for _ in 0..60 {
        world.act(post(0)).await;
    }
    world.act(Op::Mute(1, 0)).await;
    let page = world.served.home_feed(world::user(1), None, 2).await.unwrap();
    let numbers: Vec<_> = page.entries.iter().map(|entry| world.number_of(entry.post)).collect();
    assert_eq!((numbers, page.has_more), (vec![2, 1], true));
    let rest = world.served.home_feed(world::user(1), Some(page.entries[1].position), 2).await.unwrap();
    assert_eq!((world.number_of(rest.entries[0].post), rest.entries.len(), rest.has_more), (0, 1, false));
}

#[tokio::test]
async fn people_who_did_nothing_have_empty_feeds_and_no_numbers() {
    let world = World::new().await;
    let nobody = world::user(0);
    let page = world.served.home_feed(nobody, None, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.has_more, page.as_of), (0, false, Position::START));
    let since = world.served.home_feed_since(nobody, Position::START, 10).await.unwrap();
    assert_eq!((since.entries.len(), since.has_more), (0, false));
    assert!(world.served.counts(&[nobody]).await.unwrap().is_empty());
    assert!(world.served.regards(nobody, &[world::user(1)]).await.unwrap().is_empty());
    assert!(world.served.facts(nobody, &[]).await.unwrap().is_empty());
}
