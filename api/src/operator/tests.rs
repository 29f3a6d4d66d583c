//! What is written down is kept, and says who did it.

use std::sync::Arc;

use domain::{
    Decider as _,
    testing::{actor, label, projection},
};
use infrastructure::{
    clock::{CountingIds, IdSource, ManualClock},
    event_store::{Direction, EventStore, MemoryEventStore, Position, Revision, StreamId},
    execute::ExecutorOptions,
    lifecycle::Lifecycle,
};

use super::*;

const NOW: OperatorAction = OperatorAction::Pause { at: None };

/// A process over these events.
fn process(events: &Arc<MemoryEventStore>) -> Executor<Operator> {
    let events: Arc<dyn EventStore> = Arc::clone(events) as Arc<dyn EventStore>;
    let clock = Arc::new(ManualClock::at(domain::testing::now()));
    Executor::new(events, clock, Lifecycle::new(), ExecutorOptions::default())
}

/// Writes an action down as a command of its own, without anybody calling. Gives its position.
pub(crate) async fn record_as(
    executor: &Executor<Operator>,
    ids: &dyn IdSource,
    command: OperatorCommand,
) -> Result<Position, ExecuteError<OperatorRejection>> {
    let OperatorCommand::TakeAction { actor, .. } = &command;
    let metadata = CommandMetadata {
        command_id: ids.fresh(),
        actor: actor.as_str().into(),
        correlation_id: ids.fresh(),
        causation_id: None,
        input_hash: None,
    };
    Ok(executor.execute(request(command, metadata)).await?.position)
}

fn pause(reason: Option<&str>) -> OperatorCommand {
    command("olga", "order_summary", NOW, reason).expect("well formed")
}

#[tokio::test]
async fn a_pause_outlives_the_process_with_who_and_why() {
    let events = Arc::new(MemoryEventStore::new());
    let position = record_as(&process(&events), &CountingIds::new(1), pause(Some("Totals look wrong"))).await.unwrap();
    assert_eq!(position, events.head().await.unwrap());

    let state = paused(&process(&events)).await.unwrap();
    let paused = &state.paused[&projection("order_summary")];
    assert_eq!((&paused.by, &paused.reason), (&actor("olga"), &Some(label("Totals look wrong"))));
    assert_eq!((paused.since, paused.at), (domain::testing::now(), None));
}

#[tokio::test]
async fn what_the_rules_refuse_is_not_written_down() {
    let events = Arc::new(MemoryEventStore::new());
    let (executor, ids) = (process(&events), CountingIds::new(1));
    record_as(&executor, &ids, pause(None)).await.unwrap();
    let head = events.head().await.unwrap();
    let again = record_as(&executor, &ids, pause(None)).await;
    assert!(matches!(again, Err(ExecuteError::Rejected(OperatorRejection::AlreadyPaused { .. }))), "{again:?}");
    assert_eq!(events.head().await.unwrap(), head);
}

#[tokio::test]
async fn the_event_names_the_actor_in_its_metadata_too() {
    let events = Arc::new(MemoryEventStore::new());
    record_as(&process(&events), &CountingIds::new(1), pause(None)).await.unwrap();
    let stream = StreamId::new(Operator::CATEGORY, OPERATOR_LOG.uuid());
    let page = events.read_stream(&stream, Revision::FIRST, Direction::Forwards, 10).await.unwrap();
    let [event] = page.events.as_slice() else { panic!("one event, not {page:?}") };
    let metadata: CommandMetadata = serde_json::from_str(&event.metadata).unwrap();
    assert_eq!((&*event.type_name, &*metadata.actor), ("operator.action_taken.v1", "olga"));
    assert_ne!(metadata.command_id, metadata.correlation_id);
}

#[test]
fn text_that_is_no_part_of_an_action_is_named() {
    let malformed = |actor, projection, reason| command(actor, projection, NOW, reason).expect_err("malformed");
    assert_eq!(malformed("", "order_summary", None), MalformedAction::Actor(ActorError));
    assert_eq!(malformed("olga", "Order Summary", None), MalformedAction::Projection(ProjectionNameError));
    let long = "x".repeat(201);
    for reason in ["", "  ", "a\nb", "\u{1b}[31m", &long] {
        assert_eq!(malformed("olga", "order_summary", Some(reason)), MalformedAction::Reason(LabelError), "{reason:?}");
    }
    assert!(malformed("olga", "order_summary", Some("")).to_string().starts_with("the reason: "));
}

#[test]
fn every_subject_that_may_sign_in_can_act() {
    for subject in [" ann ", "日本", "auth0|1", &"x".repeat(255)] {
        assert!(crate::auth::is_usable_subject(subject) && Actor::parse(subject).is_ok(), "{subject:?}");
    }
    for subject in ["", "a\nb", &"x".repeat(256)] {
        assert!(!crate::auth::is_usable_subject(subject) && Actor::parse(subject).is_err(), "{subject:?}");
    }
}
