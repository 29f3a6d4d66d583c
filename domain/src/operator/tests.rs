//! The rules of operators' actions as sentences.

use uuid::Uuid;

use super::*;
use crate::testing::{action_taken, actor, fold, given, label, now, projection, take_action};

const NOW: OperatorAction = OperatorAction::Pause { at: None };

fn keys(count: u128) -> Vec<Uuid> {
    (1..=count).map(Uuid::from_u128).collect()
}

#[test]
fn an_action_is_written_down_with_who_and_why() {
    given::<Operator>([]).when(take_action("order_summary", NOW, Some("The totals look wrong"))).then([
        OperatorEvent::ActionTaken {
            actor: actor("olga"),
            projection: projection("order_summary"),
            action: NOW,
            reason: Some(label("The totals look wrong")),
            at: now(),
        },
    ]);
}

#[test]
fn a_paused_projection_is_remembered_with_how_it_came_about() {
    let paused = fold::<Operator>([
        action_taken("order_summary", OperatorAction::Pause { at: Some(1200) }, Some("The totals look wrong")),
        action_taken("product_sales", NOW, None),
    ])
    .paused;
    assert_eq!(paused.keys().map(ToString::to_string).collect::<Vec<_>>(), ["order_summary", "product_sales"]);
    assert_eq!(
        paused[&projection("order_summary")],
        PausedProjection {
            by: actor("olga"),
            reason: Some(label("The totals look wrong")),
            since: now(),
            at: Some(1200),
        }
    );
    assert_eq!(paused[&projection("product_sales")].at, None);
}

#[test]
fn a_resumed_projection_is_forgotten() {
    let state = fold::<Operator>([
        action_taken("order_summary", NOW, None),
        action_taken("order_summary", OperatorAction::Resume, None),
    ]);
    assert_eq!(state, OperatorState::default());
}

#[test]
fn a_paused_projection_is_not_paused_again() {
    given::<Operator>([action_taken("order_summary", NOW, None)])
        .when(take_action("order_summary", OperatorAction::Pause { at: Some(7) }, None))
        .then_rejected(&OperatorRejection::AlreadyPaused { by: actor("olga"), since: now() });
}

#[test]
fn pausing_one_projection_leaves_the_others_to_be_paused() {
    given::<Operator>([action_taken("order_summary", NOW, None)])
        .when(take_action("product_sales", NOW, None))
        .then([action_taken("product_sales", NOW, None)]);
}

#[test]
fn a_projection_is_resumed_whatever_it_stands_still_for() {
    given::<Operator>([action_taken("order_summary", NOW, None)])
        .when(take_action("order_summary", OperatorAction::Resume, None))
        .then([action_taken("order_summary", OperatorAction::Resume, None)]);
    given::<Operator>([action_taken("product_sales", NOW, None)])
        .when(take_action("order_summary", OperatorAction::Resume, None))
        .then([action_taken("order_summary", OperatorAction::Resume, None)]);
}

#[test]
fn a_projection_is_paused_again_after_it_was_resumed() {
    given::<Operator>([
        action_taken("order_summary", NOW, None),
        action_taken("order_summary", OperatorAction::Resume, None),
    ])
    .when(take_action("order_summary", NOW, None))
    .then([action_taken("order_summary", NOW, None)]);
}

#[test]
fn an_event_is_skipped_for_a_reason_only() {
    let skip = OperatorAction::SkipParked { key: Uuid::from_u128(1), position: 1200 };
    given::<Operator>([])
        .when(take_action("order_summary", skip.clone(), None))
        .then_rejected(&OperatorRejection::ReasonMissing);
    given::<Operator>([])
        .when(take_action("order_summary", skip.clone(), Some("A defect wrote it")))
        .then([action_taken("order_summary", skip, Some("A defect wrote it"))]);
}

#[test]
fn a_repair_names_some_keys_not_too_many_and_each_once() {
    let repair = |keys| take_action("order_summary", OperatorAction::Repair { keys }, None);
    let most = keys(REPAIR_KEYS_MAX as u128);
    given::<Operator>([]).when(repair(most.clone())).then([action_taken(
        "order_summary",
        OperatorAction::Repair { keys: most },
        None,
    )]);
    given::<Operator>([]).when(repair(vec![])).then_rejected(&OperatorRejection::NoKeys);
    given::<Operator>([])
        .when(repair(keys(REPAIR_KEYS_MAX as u128 + 1)))
        .then_rejected(&OperatorRejection::TooManyKeys(REPAIR_KEYS_MAX + 1));
    let first = Uuid::from_u128(1);
    given::<Operator>([])
        .when(repair([keys(3), vec![first]].concat()))
        .then_rejected(&OperatorRejection::RepeatedKey(first));
}

#[test]
fn what_depends_on_the_projection_is_left_to_it_and_pauses_nothing() {
    for action in [
        OperatorAction::Rebuild { from: Some(1200) },
        OperatorAction::Rollback,
        OperatorAction::DiscardGeneration { generation: 7 },
        OperatorAction::RetryParked { key: None },
        OperatorAction::RetrySteps { key: Uuid::from_u128(1) },
    ] {
        let taken = action_taken("order_summary", action.clone(), None);
        given::<Operator>([action_taken("order_summary", NOW, None)])
            .when(take_action("order_summary", action, None))
            .then([taken.clone()]);
        assert_eq!(fold::<Operator>([taken]), OperatorState::default());
    }
}

#[test]
fn a_state_weighs_what_it_holds() {
    let long = "x".repeat(200);
    let one = Operator::weight(&fold::<Operator>([action_taken("order_summary", NOW, None)]));
    let with_reason = Operator::weight(&fold::<Operator>([action_taken("order_summary", NOW, Some(&long))]));
    assert_eq!(with_reason - one, 200);
    assert!(one > Operator::weight(&OperatorState::default()));
}
