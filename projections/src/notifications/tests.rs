//! Inboxes, held against a model that computes each of them from the events alone.

mod reference;
mod world;

use domain::{
    Timestamp,
    inbox::NotificationKind::{self, Follow, Like, Mention, Order, Quote, Reply, Repost},
};
use infrastructure::event_store::Position;
use proptest::prelude::*;

use self::world::{Op, World, user};
use super::{NEWEST_ACTORS_MAX, Notification, OrderNews, UNREAD_MAX, UnreadCount};
use crate::tests::block_on;

/// How many people there are.
const PEOPLE: usize = 6;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let who = || 0..PEOPLE;
    let post = || 0..16_usize;
    let some = || prop::option::weighted(0.3, 0..16_usize);
    let mentions = || prop::collection::vec(0..PEOPLE, 0..3);
    let say = (who(), prop::bool::weighted(0.7), some(), some(), mentions());
    let op = prop_oneof![
        6 => (who(), who()).prop_map(|(by, whom)| Op::Follow(by, whom)),
        2 => (who(), who()).prop_map(|(by, whom)| Op::Unfollow(by, whom)),
        2 => (who(), who()).prop_map(|(by, whom)| Op::Block(by, whom)),
        2 => (who(), who()).prop_map(|(by, whom)| Op::Unblock(by, whom)),
        2 => (who(), who()).prop_map(|(by, whom)| Op::Mute(by, whom)),
        2 => (who(), who()).prop_map(|(by, whom)| Op::Unmute(by, whom)),
        10 => say.prop_map(|(by, is_public, answers, quotes, mentions)| Op::Say { by, is_public, answers, quotes, mentions }),
        4 => (post(), mentions()).prop_map(|(post, mentions)| Op::Edit { post, mentions }),
        2 => post().prop_map(Op::Delete),
        4 => (who(), post()).prop_map(|(by, post)| Op::Repost { by, post }),
        2 => (who(), post()).prop_map(|(by, post)| Op::Undo { by, post }),
        8 => (who(), post()).prop_map(|(by, post)| Op::Like { by, post }),
        3 => (who(), post()).prop_map(|(by, post)| Op::Unlike { by, post }),
        2 => who().prop_map(Op::Buy),
        4 => (1..5_usize, 0..4_usize).prop_map(|(order, what)| Op::News { order, what }),
        3 => (who(), 0..NotificationKind::ALL.len(), any::<bool>()).prop_map(|(who, kind, is_wanted)| Op::Prefer { who, kind, is_wanted }),
        2 => (who(), -20..20_i64).prop_map(|(who, ago)| Op::MarkSeen { who, ago }),
        4 => (who(), prop::option::of(0..3_usize), -20..20_i64).prop_map(|(who, group, ago)| Op::MarkRead { who, group, ago }),
        1 => (-30..30_i64).prop_map(Op::Clock),
        2 => Just(Op::Park),
        2 => Just(Op::Release),
        5 => (who(), 1..4_usize).prop_map(|(who, first)| Op::Page { who, first }),
        3 => who().prop_map(Op::Receive),
    ];
    prop::collection::vec(op, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(crate::tests::cases(24)) })]

    #[test]
    fn every_inbox_is_what_the_events_say_live_and_rebuilt_and_whatever_came_late(ops in ops()) {
        block_on(async {
            let mut world = World::new().await;
            for op in ops {
                world.act(op).await;
            }
            world.agrees().await;
            world.act(Op::Release).await;
            world.agrees().await;
            world.agrees_rebuilt().await;
        });
    }
}

const fn say(by: usize) -> Op {
    Op::Say { by, is_public: true, answers: None, quotes: None, mentions: vec![] }
}

/// What somebody is told: of which kind, and of how many.
async fn told(world: &World, who: usize) -> Vec<(NotificationKind, u64)> {
    inbox(world, who).await.iter().map(|one| (one.group.kind, one.count)).collect()
}

async fn inbox(world: &World, who: usize) -> Vec<Notification> {
    world.served.inbox(user(who), None, 100).await.unwrap().notifications
}

async fn unread(world: &World, who: usize) -> u64 {
    world.served.unread_count(user(who)).await.unwrap().count
}

#[tokio::test]
async fn who_likes_a_post_is_one_group_with_the_newest_of_them_by_name() {
    let mut world = World::new().await;
    world.act(say(0)).await;
    world.all((0..6).map(|by| Op::Like { by, post: 0 })).await;
    let all = inbox(&world, 0).await;
    assert_eq!((all.len(), all[0].group.kind, all[0].count), (1, Like, 5), "nobody is told of what they do themselves");
    assert_eq!(all[0].newest_actors, [5, 4, 3].map(user));
    assert_eq!(all[0].newest_actors.len(), NEWEST_ACTORS_MAX);
    world.all([Op::Unlike { by: 5, post: 0 }, Op::Like { by: 1, post: 0 }]).await;
    let all = inbox(&world, 0).await;
    assert_eq!((all[0].count, all[0].newest_actors.as_slice()), (4, [4, 3, 2].map(user).as_slice()));
    world.all((0..5).map(|by| Op::Unlike { by, post: 0 })).await;
    assert_eq!(told(&world, 0).await, []);
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn of_one_post_somebody_is_told_once_and_only_if_they_may_see_it() {
    let mut world = World::new().await;
    let answer = |is_public, answers, quotes, mentions: &[usize]| Op::Say {
        by: 1,
        is_public,
        answers,
        quotes,
        mentions: mentions.to_vec(),
    };
    world.all([say(0), say(2)]).await;
    world.act(answer(true, Some(0), Some(1), &[0, 2, 3])).await;
    for (who, kind) in [(0, Reply), (2, Quote), (3, Mention)] {
        assert_eq!(told(&world, who).await, [(kind, 1)]);
    }
    world.act(answer(false, Some(0), None, &[0, 3])).await;
    assert_eq!(told(&world, 0).await, [(Reply, 1)], "it is not for them");
    world.act(Op::Follow(0, 1)).await;
    assert_eq!(told(&world, 0).await, [(Reply, 1), (Reply, 1)], "now it is");
    world.act(Op::Unfollow(0, 1)).await;
    assert_eq!(told(&world, 0).await, [(Reply, 1)]);
    world.act(Op::Delete(2)).await;
    assert_eq!((told(&world, 0).await, told(&world, 2).await, told(&world, 3).await), (vec![], vec![], vec![]));
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn an_edit_tells_who_is_mentioned_since_and_takes_back_who_is_no_longer() {
    let mut world = World::new().await;
    world.act(say(0)).await;
    world.act(Op::Say { by: 1, is_public: true, answers: Some(0), quotes: None, mentions: vec![2] }).await;
    let before = inbox(&world, 2).await;
    world.act(Op::Edit { post: 1, mentions: vec![0, 1, 2, 3] }).await;
    assert_eq!(inbox(&world, 2).await, before, "that was told already");
    assert_eq!((told(&world, 0).await, told(&world, 3).await), (vec![(Reply, 1)], vec![(Mention, 1)]));
    world.act(Op::Edit { post: 1, mentions: vec![3] }).await;
    assert_eq!((told(&world, 2).await, told(&world, 3).await), (vec![], vec![(Mention, 1)]));
    world.act(Op::Edit { post: 1, mentions: vec![] }).await;
    assert_eq!((told(&world, 3).await, told(&world, 1).await), (vec![], vec![]));
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn whoever_is_blocked_or_muted_vanishes_from_every_group_and_comes_back_with_the_end_of_it() {
    let mut world = World::new().await;
    world.all([say(0), Op::Like { by: 1, post: 0 }, Op::Like { by: 2, post: 0 }, Op::Repost { by: 1, post: 0 }]).await;
    let all = [(Repost, 1), (Like, 2)];
    assert_eq!(told(&world, 0).await, all);
    for [hide, unhide] in
        [[Op::Mute(0, 1), Op::Unmute(0, 1)], [Op::Block(0, 1), Op::Unblock(0, 1)], [Op::Block(1, 0), Op::Unblock(1, 0)]]
    {
        world.act(hide).await;
        assert_eq!(told(&world, 0).await, [(Like, 1)]);
        world.act(unhide).await;
        assert_eq!(told(&world, 0).await, all);
    }
    world.all([Op::Mute(0, 1), Op::Follow(1, 0), Op::Like { by: 1, post: 0 }]).await;
    assert_eq!(told(&world, 0).await, [(Like, 1)], "nor is what they do meanwhile told");
    world.all([Op::Undo { by: 1, post: 0 }, Op::Unmute(0, 1)]).await;
    assert_eq!(told(&world, 0).await, [(Follow, 1), (Like, 2)]);
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn what_was_not_wanted_when_it_happened_is_not_told_later_either() {
    let mut world = World::new().await;
    let likes = NotificationKind::ALL.iter().position(|kind| *kind == Like).unwrap();
    let prefer = |is_wanted| Op::Prefer { who: 0, kind: likes, is_wanted };
    world.all([say(0), Op::Like { by: 1, post: 0 }, prefer(false), Op::Like { by: 2, post: 0 }]).await;
    world.all([Op::Follow(2, 0), prefer(true), Op::Like { by: 3, post: 0 }]).await;
    assert_eq!(told(&world, 0).await, [(Like, 2), (Follow, 1)]);
    assert_eq!(inbox(&world, 0).await[0].newest_actors, [3, 1].map(user));
    // The change of mind waits while somebody likes the post; it counts from its place in the log on.
    world.all([Op::Park, prefer(false), Op::Like { by: 4, post: 0 }]).await;
    assert_eq!(told(&world, 0).await, [(Like, 3), (Follow, 1)]);
    world.act(Op::Release).await;
    assert_eq!(told(&world, 0).await, [(Like, 2), (Follow, 1)]);
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn customers_hear_of_their_orders_in_the_same_inbox() {
    let mut world = World::new().await;
    world.all([say(0), Op::Buy(0), Op::Like { by: 1, post: 0 }]).await;
    world.all((0..4).map(|what| Op::News { order: 1, what })).await;
    let all = inbox(&world, 0).await;
    assert_eq!(told(&world, 0).await, [(Order, 3), (Like, 1)], "that it was delivered they know");
    assert_eq!((all[0].order_news, all[0].newest_actors.len()), (Some(OrderNews::Refunded), 0));
    assert_eq!((all[1].order_news, unread(&world, 0).await), (None, 2));
    assert_eq!(told(&world, 1).await, []);
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn what_was_seen_is_counted_no_longer_and_a_group_that_was_read_is_new_with_what_comes_after() {
    let mut world = World::new().await;
    world.all([say(0), Op::Clock(5), Op::Like { by: 1, post: 0 }, Op::Follow(1, 0), Op::Clock(5)]).await;
    let marks = async |world: &World| {
        let all = inbox(world, 0).await;
        all.into_iter().map(|one| (one.group.kind, one.is_seen, one.is_read)).collect::<Vec<_>>()
    };
    assert_eq!(unread(&world, 0).await, 2);
    world.act(Op::MarkRead { who: 0, group: Some(1), ago: 0 }).await;
    assert_eq!((unread(&world, 0).await, marks(&world).await), (1, vec![(Follow, false, false), (Like, true, true)]));
    world.act(Op::MarkSeen { who: 0, ago: 0 }).await;
    assert_eq!((unread(&world, 0).await, marks(&world).await), (0, vec![(Follow, true, false), (Like, true, true)]));
    world.all([Op::Clock(5), Op::Like { by: 2, post: 0 }]).await;
    assert_eq!((unread(&world, 0).await, marks(&world).await), (1, vec![(Like, false, false), (Follow, true, false)]));
    assert_eq!(told(&world, 0).await[0], (Like, 2), "it is still one group");
    world.act(Op::Unlike { by: 2, post: 0 }).await;
    assert_eq!((unread(&world, 0).await, marks(&world).await), (0, vec![(Follow, true, false), (Like, true, true)]));
    // Somebody's clock is slow: what happened before the mark was seen, wherever it stands in the log.
    world.all([Op::Clock(-60), Op::Like { by: 3, post: 0 }]).await;
    assert_eq!((unread(&world, 0).await, told(&world, 0).await[1]), (0, (Like, 2)));
    world.act(Op::MarkRead { who: 0, group: None, ago: -60 }).await;
    assert_eq!(marks(&world).await, [(Follow, true, true), (Like, true, true)]);
    world.agrees_rebuilt().await;
}

#[tokio::test]
async fn more_than_a_hundred_new_groups_are_not_counted_one_by_one() {
    let mut world = World::new().await;
    let mention = || Op::Say { by: 1, is_public: true, answers: None, quotes: None, mentions: vec![0] };
    for _ in 0..UNREAD_MAX {
        world.act(mention()).await;
    }
    let count = |count, is_capped| UnreadCount { count, is_capped };
    assert_eq!(world.served.unread_count(user(0)).await.unwrap(), count(UNREAD_MAX, false));
    world.all([mention(), mention()]).await;
    assert_eq!(world.served.unread_count(user(0)).await.unwrap(), count(UNREAD_MAX, true));
    assert_eq!(world.served.unread_count(user(1)).await.unwrap(), count(0, false));
    let page = world.served.inbox(user(0), None, 100).await.unwrap();
    let rest = world.served.inbox(user(0), page.notifications.last().map(Notification::place), 100).await.unwrap();
    assert_eq!(
        (page.notifications.len(), page.has_more, rest.notifications.len(), rest.has_more),
        (100, true, 2, false)
    );
}

#[tokio::test]
async fn what_came_in_is_told_once_for_each_group_and_nothing_is_passed_over() {
    let mut world = World::new().await;
    world.all([say(0), Op::Like { by: 1, post: 0 }, Op::Follow(1, 0), Op::Like { by: 2, post: 0 }]).await;
    let received = world.served.received(user(0), Position::START).await.unwrap();
    let kinds: Vec<_> = received.notifications.iter().map(|(_, one)| (one.group.kind, one.count)).collect();
    assert_eq!((kinds, received.has_more), (vec![(Follow, 1), (Like, 2)], false));
    let again = world.served.received(user(0), received.reached).await.unwrap();
    assert_eq!((again.notifications.len(), again.reached), (0, received.reached));
    world.act(Op::Like { by: 3, post: 0 }).await;
    let newer = world.served.received(user(0), received.reached).await.unwrap();
    assert_eq!(newer.notifications.iter().map(|(_, one)| one.count).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn events_that_no_rule_lets_happen_leave_the_numbers_right() {
    let mut world = World::new().await;
    let (post, author, by) = (domain::testing::post_id(0), user(0), user(1));
    let at = domain::testing::now();
    let like = || domain::reaction::ReactionEvent::Liked { post, author, by, at };
    world.act(say(0)).await;
    world.happens(like()).await;
    world.happens(like()).await;
    assert_eq!(told(&world, 0).await, [(Like, 1)]);
    let unlike = domain::reaction::ReactionEvent::Unliked { post, author, by, at };
    world.happens(unlike).await;
    world.happens(unlike).await;
    assert_eq!(told(&world, 0).await, []);
    // Of a post that was never there, of one that nobody published, and news of an order that nobody placed.
    let edited = domain::testing::edited(90, by, "never there");
    world.happens(edited).await;
    world.happens(domain::testing::deleted(91, by)).await;
    let lost = crate::tests::order(77);
    world.happens(domain::order::OrderEvent::Confirmed { order: lost, payment: None, at }).await;
    assert_eq!(told(&world, 0).await, []);
}
