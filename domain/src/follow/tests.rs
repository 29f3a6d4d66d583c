//! The rules between two people as sentences.

use proptest::prelude::*;

use super::*;
use crate::testing::{HAVE_PROFILES, anna, ben, blocked, cleo, fold, followed, given, id, now, unblocked, unfollowed};

const fn follow(by: UserId, whom: UserId) -> FollowCommand {
    FollowCommand::Follow { by, whom, have_profiles: HAVE_PROFILES }
}

const fn block(by: UserId, whom: UserId) -> FollowCommand {
    FollowCommand::Block { by, whom, have_profiles: HAVE_PROFILES }
}

const fn mute(by: UserId, whom: UserId) -> FollowCommand {
    FollowCommand::Mute { by, whom, have_profiles: HAVE_PROFILES }
}

fn muted(by: UserId, whom: UserId) -> FollowEvent {
    FollowEvent::Muted { by, whom, at: now() }
}

fn unmuted(by: UserId, whom: UserId) -> FollowEvent {
    FollowEvent::Unmuted { by, whom, at: now() }
}

#[test]
fn two_people_are_one_stream_in_whichever_order_they_are_named() {
    assert_eq!(id_of(anna(), ben()), id_of(ben(), anna()));
    assert_ne!(id_of(anna(), ben()), id_of(anna(), cleo()));
    assert_eq!(followed(anna(), ben()).pair(), blocked(ben(), anna()).pair());
}

#[test]
fn one_follows_the_other_in_one_direction() {
    given::<Follow>([]).when(follow(anna(), ben())).then([followed(anna(), ben())]);
    given::<Follow>([followed(anna(), ben())]).when(follow(ben(), anna())).then([followed(ben(), anna())]);
    let state = fold::<Follow>([followed(anna(), ben())]);
    assert!(state.follows(anna(), ben()) && !state.follows(ben(), anna()));
}

#[test]
fn following_and_unfollowing_twice_changes_nothing() {
    given::<Follow>([followed(anna(), ben())]).when(follow(anna(), ben())).then([]);
    let unfollow = FollowCommand::Unfollow { by: anna(), whom: ben() };
    let ended = unfollowed(anna(), ben(), UnfollowReason::Asked);
    given::<Follow>([followed(anna(), ben())]).when(unfollow).then([ended]);
    given::<Follow>([followed(anna(), ben()), ended]).when(unfollow).then([]);
    given::<Follow>([followed(ben(), anna())]).when(unfollow).then([]);
}

#[test]
fn nobody_follows_blocks_or_mutes_themselves() {
    for command in [follow(anna(), anna()), block(anna(), anna()), mute(anna(), anna())] {
        given::<Follow>([]).when(command).then_rejected(&FollowRejection::Yourself);
    }
}

#[test]
fn nobody_follows_blocks_or_mutes_whom_there_is_not_or_without_being_there() {
    let (by, whom) = (anna(), ben());
    for (have_profiles, expected) in [
        (HaveProfiles { by: true, whom: false }, FollowRejection::NotFound),
        (HaveProfiles { by: false, whom: true }, FollowRejection::NoProfile),
    ] {
        for command in [
            FollowCommand::Follow { by, whom, have_profiles },
            FollowCommand::Block { by, whom, have_profiles },
            FollowCommand::Mute { by, whom, have_profiles },
        ] {
            given::<Follow>([]).when(command).then_rejected(&expected);
        }
    }
}

#[test]
fn nobody_follows_whom_they_block_or_who_blocks_them() {
    given::<Follow>([blocked(anna(), ben())]).when(follow(anna(), ben())).then_rejected(&FollowRejection::YouBlock);
    given::<Follow>([blocked(anna(), ben())]).when(follow(ben(), anna())).then_rejected(&FollowRejection::BlocksYou);
    let both = [blocked(anna(), ben()), blocked(ben(), anna())];
    given::<Follow>(both).when(follow(anna(), ben())).then_rejected(&FollowRejection::YouBlock);
}

#[test]
fn a_block_ends_follows_in_both_directions_in_the_same_decision() {
    let by_block = |one, other| unfollowed(one, other, UnfollowReason::Blocked);
    given::<Follow>([followed(anna(), ben()), followed(ben(), anna())]).when(block(anna(), ben())).then([
        by_block(anna(), ben()),
        by_block(ben(), anna()),
        blocked(anna(), ben()),
    ]);
    given::<Follow>([followed(ben(), anna())])
        .when(block(anna(), ben()))
        .then([by_block(ben(), anna()), blocked(anna(), ben())]);
}

#[test]
fn a_block_that_ends_brings_no_follow_back() {
    let unblock = FollowCommand::Unblock { by: anna(), whom: ben() };
    given::<Follow>([blocked(anna(), ben())]).when(unblock).then([unblocked(anna(), ben())]);
    given::<Follow>([]).when(unblock).then([]);
    given::<Follow>([blocked(ben(), anna())]).when(unblock).then([]);
    let state = fold::<Follow>([
        followed(anna(), ben()),
        unfollowed(anna(), ben(), UnfollowReason::Blocked),
        blocked(anna(), ben()),
        unblocked(anna(), ben()),
    ]);
    assert_eq!(state, PairState::default());
}

#[test]
fn blocking_twice_changes_nothing_and_both_may_block() {
    given::<Follow>([blocked(anna(), ben())]).when(block(anna(), ben())).then([]);
    given::<Follow>([blocked(anna(), ben())]).when(block(ben(), anna())).then([blocked(ben(), anna())]);
    let state = fold::<Follow>([blocked(anna(), ben()), blocked(ben(), anna()), unblocked(anna(), ben())]);
    assert!(state.is_blocked() && !state.blocks(anna(), ben()) && state.blocks(ben(), anna()));
}

#[test]
fn a_mute_is_apart_from_everything_else() {
    let unmute = FollowCommand::Unmute { by: anna(), whom: ben() };
    given::<Follow>([followed(anna(), ben())]).when(mute(anna(), ben())).then([muted(anna(), ben())]);
    given::<Follow>([muted(anna(), ben())]).when(mute(anna(), ben())).then([]);
    given::<Follow>([muted(anna(), ben())]).when(follow(anna(), ben())).then([followed(anna(), ben())]);
    given::<Follow>([muted(anna(), ben())]).when(unmute).then([unmuted(anna(), ben())]);
    given::<Follow>([]).when(unmute).then([]);
    let state = fold::<Follow>([followed(anna(), ben()), muted(anna(), ben())]);
    assert!(state.follows(anna(), ben()) && state.mutes(anna(), ben()) && !state.mutes(ben(), anna()));
}

#[test]
fn a_log_with_a_follow_past_a_block_still_folds() {
    let state = fold::<Follow>([followed(ben(), anna()), blocked(anna(), ben())]);
    assert!(!state.follows(ben(), anna()) && state.blocks(anna(), ben()));
    let state = fold::<Follow>([blocked(anna(), ben()), unfollowed(anna(), ben(), UnfollowReason::Asked)]);
    assert!(state.blocks(anna(), ben()));
}

fn commands() -> impl Strategy<Value = Vec<FollowCommand>> {
    let make = |(kind, is_other): (u8, bool)| {
        let (by, whom) = if is_other { (id(2), id(1)) } else { (id(1), id(2)) };
        match kind {
            0 => follow(by, whom),
            1 => FollowCommand::Unfollow { by, whom },
            2 => block(by, whom),
            3 => FollowCommand::Unblock { by, whom },
            4 => mute(by, whom),
            _ => FollowCommand::Unmute { by, whom },
        }
    };
    prop::collection::vec((0..6_u8, any::<bool>()).prop_map(make), 1..60)
}

/// What a reader who knows nothing of the rules makes of the events: sets of ordered pairs.
#[derive(Default)]
struct Naive {
    follows: std::collections::BTreeSet<(UserId, UserId)>,
    blocks: std::collections::BTreeSet<(UserId, UserId)>,
    mutes: std::collections::BTreeSet<(UserId, UserId)>,
}

impl Naive {
    /// Each event must change something: none is written twice.
    fn take_in(&mut self, event: &FollowEvent) -> bool {
        match event {
            FollowEvent::Followed { by, whom, .. } => self.follows.insert((*by, *whom)),
            FollowEvent::Unfollowed { by, whom, .. } => self.follows.remove(&(*by, *whom)),
            FollowEvent::Blocked { by, whom, .. } => self.blocks.insert((*by, *whom)),
            FollowEvent::Unblocked { by, whom, .. } => self.blocks.remove(&(*by, *whom)),
            FollowEvent::Muted { by, whom, .. } => self.mutes.insert((*by, *whom)),
            FollowEvent::Unmuted { by, whom, .. } => self.mutes.remove(&(*by, *whom)),
        }
    }
}

proptest! {
    #[test]
    fn whatever_two_people_do_neither_follows_past_a_block_and_the_events_alone_tell_all(commands in commands()) {
        let (mut state, mut naive) = (PairState::default(), Naive::default());
        for command in commands {
            for event in Follow::decide(&state, command, now()).unwrap_or_default() {
                state = Follow::evolve(state, &event);
                prop_assert!(naive.take_in(&event), "{event:?} changes nothing");
                let (one, other) = (id(1), id(2));
                for (by, whom) in [(one, other), (other, one)] {
                    prop_assert_eq!(state.follows(by, whom), naive.follows.contains(&(by, whom)));
                    prop_assert_eq!(state.blocks(by, whom), naive.blocks.contains(&(by, whom)));
                    prop_assert_eq!(state.mutes(by, whom), naive.mutes.contains(&(by, whom)));
                }
                prop_assert!(!state.is_blocked() || naive.follows.is_empty());
            }
            // What was done is done: the same again changes nothing, or is refused as before.
            prop_assert_eq!(Follow::decide(&state, command, now()).unwrap_or_default(), vec![]);
        }
    }
}
