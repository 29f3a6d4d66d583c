//! An inbox's rules as sentences.

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    testing::{anna, fold, given, now},
    values::UserId,
};

fn user() -> UserId {
    anna()
}

fn minutes_ago(minutes: i64) -> Timestamp {
    now() - TimeDelta::minutes(minutes)
}

fn likes(subject: u128) -> NotificationGroup {
    NotificationGroup { kind: NotificationKind::Like, subject: Uuid::from_u128(subject) }
}

fn see(up_to: Timestamp) -> InboxCommand {
    InboxCommand::MarkSeen { user: user(), up_to }
}

fn read(group: Option<NotificationGroup>, up_to: Timestamp) -> InboxCommand {
    InboxCommand::MarkRead { user: user(), group, up_to }
}

fn want(wanted: &[(NotificationKind, bool)]) -> InboxCommand {
    InboxCommand::UpdatePreferences { user: user(), wanted: wanted.iter().copied().collect() }
}

fn was_seen(up_to: Timestamp) -> InboxEvent {
    InboxEvent::Seen { user: user(), up_to, at: now() }
}

fn was_read(group: Option<NotificationGroup>, up_to: Timestamp) -> InboxEvent {
    InboxEvent::Read { user: user(), group, up_to, at: now() }
}

fn unwanted(kinds: &[NotificationKind]) -> InboxEvent {
    InboxEvent::PreferencesChanged { user: user(), unwanted: kinds.iter().copied().collect(), at: now() }
}

#[test]
fn marks_move_forwards_only() {
    given::<Inbox>([]).when(see(minutes_ago(5))).then([was_seen(minutes_ago(5))]);
    for minutes in [5, 6] {
        given::<Inbox>([was_seen(minutes_ago(5))]).when(see(minutes_ago(minutes))).then([]);
        given::<Inbox>([was_read(None, minutes_ago(5))]).when(read(None, minutes_ago(minutes))).then([]);
    }
    given::<Inbox>([was_seen(minutes_ago(5))]).when(see(minutes_ago(4))).then([was_seen(minutes_ago(4))]);
}

#[test]
fn what_was_read_was_seen() {
    given::<Inbox>([was_read(None, minutes_ago(5))]).when(see(minutes_ago(5))).then([]);
    given::<Inbox>([was_seen(minutes_ago(5))]).when(read(None, minutes_ago(5))).then([was_read(None, minutes_ago(5))]);
}

#[test]
fn a_group_is_read_by_itself_until_all_of_it_is() {
    let of_group = was_read(Some(likes(1)), minutes_ago(3));
    given::<Inbox>([of_group.clone()]).when(read(Some(likes(1)), minutes_ago(4))).then([]);
    for (group, minutes) in [(likes(1), 2), (likes(2), 4)] {
        let (group, up_to) = (Some(group), minutes_ago(minutes));
        given::<Inbox>([of_group.clone()]).when(read(group, up_to)).then([was_read(group, up_to)]);
    }
    given::<Inbox>([of_group.clone()]).when(read(None, minutes_ago(3))).then([was_read(None, minutes_ago(3))]);
    given::<Inbox>([was_read(None, minutes_ago(2))]).when(read(Some(likes(1)), minutes_ago(2))).then([]);
}

#[test]
fn nobody_has_seen_what_is_still_to_come() {
    let (ahead, too_far) = (now() + MARK_MARGIN, now() + MARK_MARGIN + TimeDelta::milliseconds(1));
    given::<Inbox>([]).when(see(ahead)).then([was_seen(ahead)]);
    for command in [see(too_far), read(None, too_far), read(Some(likes(1)), too_far)] {
        given::<Inbox>([]).when(command).then_rejected(&InboxRejection::InFuture);
    }
}

#[test]
fn whoever_says_nothing_wants_all_and_the_event_names_all_that_is_not_wanted() {
    use NotificationKind::{Follow, Like, Order};
    given::<Inbox>([]).when(want(&[(Like, true), (Order, true)])).then([]);
    given::<Inbox>([]).when(want(&[(Like, false)])).then([unwanted(&[Like])]);
    given::<Inbox>([unwanted(&[Like])]).when(want(&[(Follow, false)])).then([unwanted(&[Like, Follow])]);
    given::<Inbox>([unwanted(&[Like, Follow])]).when(want(&[(Follow, false)])).then([]);
    given::<Inbox>([unwanted(&[Like])]).when(want(&[(Like, true), (Order, false)])).then([unwanted(&[Order])]);
    given::<Inbox>([unwanted(&[Like])]).when(want(&[(Like, true)])).then([unwanted(&[])]);
}

#[test]
fn the_oldest_groups_are_forgotten_and_a_mark_of_all_forgets_what_it_covers() {
    let total = READ_GROUPS_MAX as u128 + 1;
    let state = fold::<Inbox>((0..total).map(|subject| was_read(Some(likes(subject)), minutes_ago(5))));
    assert_eq!(state.groups.len(), READ_GROUPS_MAX);
    assert!(!state.is_read(Some(likes(0)), minutes_ago(5)) && state.is_read(Some(likes(1)), minutes_ago(5)));
    let state = Inbox::evolve(state, &was_read(Some(likes(1)), minutes_ago(1)));
    assert_eq!((state.groups.len(), state.groups.last().map(|mark| mark.group)), (READ_GROUPS_MAX, Some(likes(1))));
    let state = Inbox::evolve(state, &was_read(None, minutes_ago(2)));
    assert_eq!(state.groups, [GroupMark { group: likes(1), up_to: minutes_ago(1) }]);
}

#[test]
fn the_text_of_a_snapshot_is_that_of_its_version() {
    let form = Inbox::SNAPSHOT.expect("an inbox has snapshots");
    let state = fold::<Inbox>([
        was_seen(now()),
        was_read(None, now()),
        was_read(Some(likes(1)), now() + MARK_MARGIN),
        unwanted(&[NotificationKind::Order]),
    ]);
    let text = r#"{"seen_up_to":"2026-01-02T03:04:05Z","read_up_to":"2026-01-02T03:04:05Z","groups":[{"group":{"kind":"like","subject":"00000000-0000-0000-0000-000000000001"},"up_to":"2026-01-02T03:05:05Z"}],"unwanted":["order"]}"#;
    assert_eq!((form.version, (form.write)(&state).as_str()), (1, text), "raise SNAPSHOT_VERSION");
    assert_eq!((form.read)(text), Some(state));
}

fn commands() -> impl Strategy<Value = Vec<InboxCommand>> {
    let command = prop_oneof![
        (0..30_i64).prop_map(|minutes| see(minutes_ago(minutes))),
        (0..30_i64).prop_map(|minutes| read(None, minutes_ago(minutes))),
        (0..3_u128, 0..30_i64).prop_map(|(subject, minutes)| read(Some(likes(subject)), minutes_ago(minutes))),
        any::<bool>().prop_map(|is_wanted| want(&[(NotificationKind::Like, is_wanted)])),
    ];
    prop::collection::vec(command, 1..40)
}

proptest! {
    #[test]
    fn what_was_read_or_seen_stays_so_and_a_repeat_changes_nothing(commands in commands()) {
        let mut state = InboxState::default();
        for command in commands {
            let before = state.clone();
            let events = Inbox::decide(&state, command.clone(), now()).expect("nothing of it is in the future");
            state = events.iter().fold(state, Inbox::evolve);
            prop_assert_eq!(Inbox::decide(&state, command, now()), Ok(vec![]));
            prop_assert!(state.seen_up_to >= before.seen_up_to && state.read_up_to >= before.read_up_to);
            for subject in 0..3 {
                for minutes in 0..30 {
                    let (group, up_to) = (Some(likes(subject)), minutes_ago(minutes));
                    prop_assert!(state.is_read(group, up_to) || !before.is_read(group, up_to));
                }
            }
        }
    }
}
