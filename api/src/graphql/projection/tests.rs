//! How refusals and failures are told apart and told, and what an order may say.

use async_graphql::{ErrorExtensions as _, ID, resolver_utils::EnumType as _};
use domain::operator::{OperatorRejection, REPAIR_KEYS_MAX};
use infrastructure::{
    event_store::{Position, StoreError},
    read_store::ReadStoreError,
};
use projections::{LogFault, ManagerError};
use uuid::Uuid;

use super::{
    error::{ProjectionErrorCode, Trouble, settled},
    input,
};
use crate::{error_code::ErrorCode, graphql::user_error::path};

const KEY: Uuid = Uuid::from_u128(7);

fn head() -> (Position, Position) {
    (Position::new(9), Position::new(3))
}

/// Everything that a manager says to an order that makes no sense, with its code and field.
fn refusals() -> Vec<(ManagerError, &'static str, &'static str)> {
    let name = "order_summary";
    let (position, end) = head();
    vec![
        (ManagerError::Unknown { name: "x".into(), known: name.into() }, "UNKNOWN_PROJECTION", "name"),
        (ManagerError::AlreadyRebuilding(name), "ALREADY_REBUILDING", "name"),
        (ManagerError::NotFromPosition { name, why: "it is not".into() }, "NOT_FROM_POSITION", "fromPosition"),
        (ManagerError::BeyondHead { position, head: end }, "BEYOND_HEAD", "fromPosition"),
        (ManagerError::NoStandby(name), "NO_STANDBY", "name"),
        (ManagerError::CannotServe { name, generation: 2, why: "old".into() }, "CANNOT_SERVE", "name"),
        (ManagerError::UnknownGeneration { name, generation: 2 }, "UNKNOWN_GENERATION", "generation"),
        (ManagerError::AlreadyPaused(name), "ALREADY_PAUSED", "name"),
        (ManagerError::NotPaused(name), "NOT_PAUSED", "name"),
        (ManagerError::NotParked { name, key: KEY }, "NOT_PARKED", "key"),
        (ManagerError::NotWaiting { name, key: KEY, position }, "NOT_WAITING", "position"),
        (ManagerError::NotByKey(name), "NOT_BY_KEY", "name"),
        (ManagerError::UnknownKeys("no such keys".into()), "UNKNOWN_KEYS", "keys"),
        (ManagerError::Unfoldable("it cannot be folded".into()), "UNFOLDABLE", "keys"),
        (ManagerError::NotServing(name), "NOT_SERVING", "name"),
        (ManagerError::NotVerified("it was killed".into()), "NOT_VERIFIED", "name"),
        (ManagerError::NoLead(name), "NO_LEAD", "name"),
    ]
}

fn code(code: ProjectionErrorCode) -> &'static str {
    let item = ProjectionErrorCode::items().iter().find(|item| item.value == code);
    item.expect("every value is an item").name
}

/// The one user error that it is: code, field, message.
#[track_caller]
fn refused(trouble: Trouble) -> (&'static str, Vec<String>, String) {
    let (nothing, errors) = settled::<()>(Err(trouble)).expect("an answer for the payload");
    assert_eq!(nothing, None);
    let [error] = &errors[..] else { panic!("one error was expected: {errors:?}") };
    (code(error.code), error.field.clone(), error.message.clone())
}

#[test]
fn what_a_projection_refuses_has_a_code_a_place_and_its_words() {
    for (error, code, field) in refusals() {
        let message = error.to_string();
        assert_eq!(refused(Trouble::of(error, path([&"name"]))), (code, path([&field]), message));
    }
}

#[test]
fn what_is_broken_is_no_answer_for_the_payload() {
    let (checkpoint, end) = head();
    let broken = [
        LogFault::Ahead { name: "order_summary", checkpoint, head: end }.into(),
        LogFault::Other.into(),
        ManagerError::Rows(ReadStoreError::Corrupt("a page".into())),
        ManagerError::Events(StoreError::Full),
    ];
    for error in broken {
        let error = settled::<()>(Err(Trouble::of(error, path([&"name"])))).expect_err("an error of the field");
        assert!(error.source.is_some(), "the log gets the cause, the client none: {error:?}");
    }
    let away = [
        (ManagerError::Rows(ReadStoreError::Unavailable("away".into())), ErrorCode::ReadStoreUnavailable),
        (ManagerError::Events(StoreError::Unavailable("away".into())), ErrorCode::StoreUnavailable),
    ];
    for (error, expected) in away {
        let error = settled::<()>(Err(Trouble::of(error, vec![]))).expect_err("an error of the field");
        assert!(!error.message.contains("away"), "{error:?}");
        assert_eq!(error.extensions.expect("extensions").get("code").cloned(), Some(expected.as_str().into()));
    }
    let stopping = settled::<()>(Err(Trouble::of(ManagerError::Stopping, vec![]))).expect_err("an error of the field");
    let code = stopping.extend().extensions.expect("extensions").get("code").cloned();
    assert_eq!(code, Some(ErrorCode::ShuttingDown.as_str().into()));
}

#[test]
fn without_a_payload_a_refusal_is_an_error_of_the_argument() {
    for (error, _, _) in refusals() {
        let message = error.to_string();
        let error = Trouble::of(error, path([&"name"])).into_error();
        assert_eq!(error.message, message);
        let code = error.extensions.expect("extensions").get("code").cloned();
        assert_eq!(code, Some(ErrorCode::BadUserInput.as_str().into()));
    }
}

#[test]
fn keys_are_uuids_and_not_too_many() {
    let text = |count: usize| vec![ID::from(KEY.to_string()); count];
    assert_eq!(input::keys(&text(REPAIR_KEYS_MAX)).expect("keys").len(), REPAIR_KEYS_MAX);
    let (code, field, _) = refused(input::keys(&text(REPAIR_KEYS_MAX + 1)).expect_err("too many"));
    assert_eq!((code, field), ("TOO_MANY_KEYS", path([&"keys"])));
    let mut texts = text(3);
    texts[1] = ID::from("order-7");
    let (code, field, message) = refused(input::keys(&texts).expect_err("no UUID"));
    assert_eq!((code, field), ("INVALID_KEY", path([&"keys", &1])));
    assert!(message.contains("order-7"), "{message}");
}

#[test]
fn a_reason_is_one_line_and_sometimes_needed() {
    assert_eq!(input::reason(None).expect("none is needed"), None);
    assert_eq!(input::reason(Some("drift".into())).expect("a reason").as_deref(), Some("drift"));
    for wrong in ["", " ", "a\nb", &"x".repeat(201)] {
        assert_eq!(refused(input::reason(Some(wrong.into())).expect_err("no reason")).0, "INVALID_REASON", "{wrong:?}");
    }
    assert_eq!(input::needed_reason("drift".into()).expect("a reason"), "drift");
    let (code, field, message) = refused(input::needed_reason(" ".into()).expect_err("no reason"));
    assert_eq!((code, field), ("REASON_MISSING", path([&"reason"])));
    assert_eq!(message, OperatorRejection::ReasonMissing.to_string());
}
