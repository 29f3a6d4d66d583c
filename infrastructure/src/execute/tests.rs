//! What the executor promises, as sentences, over a store that fails by a script.

mod counter;
mod faults;
mod seeds;
mod snapshots;
mod social;

use std::future::ready;

use domain::Timestamp;

use self::{
    counter::{Count, CountCommand, Counter, HEAVY, NotEnough, POISON},
    faults::{Fault, FaultStore},
};
use super::*;
use crate::{
    clock::ManualClock,
    event_store::{
        APPEND_EVENTS_MAX, Direction, EVENT_BYTES_MAX, MemoryEventStore, RecordedEvent, StoreError, StreamId,
    },
};

type Answer = Result<Executed<Count>, ExecuteError<NotEnough>>;

/// The stream that most tests are about.
const STREAM: u128 = 7;

fn now() -> Timestamp {
    Timestamp::from_timestamp_micros(1_800_000_000_000_000).expect("a valid moment")
}

fn executor_with(store: &Arc<FaultStore>, options: ExecutorOptions) -> Executor<Counter> {
    let store = Arc::clone(store) as Arc<dyn EventStore>;
    Executor::new(store, Arc::new(ManualClock::at(now())), Lifecycle::new(), options)
}

fn with_faults(script: impl IntoIterator<Item = Fault>) -> (Arc<FaultStore>, Executor<Counter>) {
    let store = Arc::new(FaultStore::with(script));
    let executor = executor_with(&store, ExecutorOptions::default());
    (store, executor)
}

/// Command `id`, for the stream most tests are about.
fn request(id: u128, command: CountCommand) -> Request<CountCommand> {
    let metadata = CommandMetadata {
        command_id: Uuid::from_u128(id),
        actor: "somebody".into(),
        correlation_id: Uuid::from_u128(1),
        causation_id: None,
        input_hash: None,
    };
    Request { stream: Uuid::from_u128(STREAM), command, metadata, expected: None, is_fresh: false }
}

fn add(id: u128, by: i64) -> Request<CountCommand> {
    request(id, CountCommand::Add(by))
}

/// Executes them so that all but the first wait while the first is being appended.
async fn execute_behind_a_slow_one(
    executor: &Executor<Counter>,
    requests: impl IntoIterator<Item = Request<CountCommand>>,
) -> Vec<Answer> {
    let tasks = Lifecycle::new();
    let mut running = Vec::new();
    for request in requests {
        let executor = executor.clone();
        running.push(tasks.spawn(async move { executor.execute(request).await }));
        // Time stands still until everybody waits: so they arrive in this order.
        tokio::time::sleep(Duration::from_micros(10)).await;
    }
    let mut answers = Vec::new();
    for task in running {
        answers.push(task.await.expect("no executor panics"));
    }
    answers
}

async fn stored(store: &dyn EventStore, stream: u128) -> Vec<RecordedEvent> {
    let stream = StreamId::new("counter", Uuid::from_u128(stream));
    let mut events = Vec::new();
    loop {
        let from = Revision::new(events.len() as u64);
        let page = store.read_stream(&stream, from, Direction::Forwards, 10_000).await.unwrap();
        events.extend(page.events);
        if page.is_end {
            return events;
        }
    }
}

fn positions(answers: &[Answer]) -> Vec<u64> {
    answers.iter().map(|answer| answer.as_ref().expect("executed").position.value()).collect()
}

#[tokio::test]
async fn a_repeated_command_is_executed_once_and_gives_the_first_position() {
    let (store, executor) = with_faults([]);
    let first = executor.execute(add(1, 5)).await.unwrap();
    executor.execute(add(2, 7)).await.unwrap();
    let again = executor.execute(add(1, 5)).await.unwrap();
    assert_eq!((again.position, again.is_repeat), (first.position, true));
    assert_eq!((again.state.sum, again.revision), (12, Some(Revision::new(1))), "a repeat shows today's state");
    assert_eq!(stored(&*store, STREAM).await.len(), 2);
}

#[tokio::test]
async fn a_repeat_is_recognised_by_another_process_too() {
    let (store, executor) = with_faults([]);
    let first = executor.execute(request(1, CountCommand::AddOnes(3))).await.unwrap();
    assert_eq!(first.position.value(), 3, "the position is that of the last event");
    let restarted = executor_with(&store, ExecutorOptions::default());
    let again = restarted.execute(request(1, CountCommand::AddOnes(3))).await.unwrap();
    assert_eq!((again.position, again.is_repeat), (first.position, true));
    assert_eq!(stored(&*store, STREAM).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_in_the_same_batch_gives_the_first_position_too() {
    let (store, executor) = with_faults([Fault::Slow(1_000)]);
    let answers = execute_behind_a_slow_one(&executor, [add(1, 1), add(2, 2), add(3, 3), add(2, 2)]).await;
    assert_eq!(positions(&answers), [1, 2, 3, 2]);
    let is_repeat: Vec<bool> = answers.iter().map(|answer| answer.as_ref().unwrap().is_repeat).collect();
    assert_eq!(is_repeat, [false, false, false, true]);
    assert_eq!(store.append_sizes(), [1, 2]);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test]
async fn the_same_command_id_with_another_input_is_refused() {
    let (store, executor) = with_faults([]);
    let hashed = |by: i64| {
        let mut request = add(1, by);
        request.metadata.input_hash = Some(Uuid::from_u128(by.unsigned_abs().into()));
        request
    };
    executor.execute(hashed(5)).await.unwrap();
    let refused = executor.execute(hashed(6)).await;
    assert!(matches!(refused, Err(ExecuteError::CommandReused(id)) if id == Uuid::from_u128(1)), "{refused:?}");
    assert!(executor.execute(hashed(5)).await.unwrap().is_repeat);
    assert_eq!(stored(&*store, STREAM).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_are_decided_in_turn_and_go_out_as_one_append() {
    let (store, executor) = with_faults([Fault::Slow(1_000)]);
    let waiting = (2..=100_u32).map(|id| add(id.into(), i64::from(id)));
    let answers = execute_behind_a_slow_one(&executor, std::iter::once(add(1, 1)).chain(waiting)).await;
    assert_eq!(store.append_sizes(), [1, 99]);
    let mut sum = 0;
    for (index, answer) in answers.into_iter().enumerate() {
        let executed = answer.unwrap();
        sum += i64::try_from(index).unwrap() + 1;
        assert_eq!(executed.state.sum, sum, "each sees the ones before it and none after");
        assert_eq!(executed.revision, Some(Revision::new(index as u64)));
        assert_eq!(executed.position.value(), index as u64 + 1);
    }
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_inside_a_batch_does_not_touch_its_neighbours() {
    let (store, executor) = with_faults([Fault::Slow(1_000)]);
    let requests = [
        add(1, 1),
        request(2, CountCommand::Take(2)),
        add(3, 1),
        request(4, CountCommand::Take(2)),
        request(5, CountCommand::Nothing),
    ];
    let answers = execute_behind_a_slow_one(&executor, requests).await;
    assert!(matches!(answers[1], Err(ExecuteError::Rejected(NotEnough))), "{:?}", answers[1]);
    let sums: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|done| done.state.sum).ok()).collect();
    assert_eq!(sums, [Some(1), None, Some(2), Some(0), Some(0)]);
    assert_eq!(answers[4].as_ref().unwrap().position.value(), 3, "what changes nothing rests on what is before it");
    assert_eq!(store.append_sizes(), [1, 2]);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test]
async fn a_command_that_changes_nothing_appends_nothing() {
    let (store, executor) = with_faults([]);
    let on_nothing = executor.execute(request(1, CountCommand::Nothing)).await.unwrap();
    assert_eq!((on_nothing.position, on_nothing.revision), (Position::START, None));
    executor.execute(add(2, 1)).await.unwrap();
    let on_one = executor.execute(request(3, CountCommand::Nothing)).await.unwrap();
    assert_eq!((on_one.position.value(), on_one.revision), (1, Some(Revision::FIRST)));
    assert_eq!(store.append_sizes(), [1]);
}

#[tokio::test]
async fn a_command_that_relies_on_an_older_revision_is_refused() {
    let (store, executor) = with_faults([]);
    executor.execute(add(1, 1)).await.unwrap();
    executor.execute(add(2, 1)).await.unwrap();
    let late = Request { expected: Some(Revision::FIRST), ..add(3, 1) };
    let refused = executor.execute(late).await;
    let actual = Some(Revision::new(1));
    assert!(matches!(&refused, Err(ExecuteError::VersionConflict { actual: at, .. }) if *at == actual), "{refused:?}");
    executor.execute(Request { expected: actual, ..add(4, 1) }).await.unwrap();
    assert_eq!(stored(&*store, STREAM).await.len(), 3);
}

#[tokio::test]
async fn a_foreign_append_in_between_is_met_by_a_reload_and_another_decision() {
    let (store, executor) = with_faults([Fault::Works, Fault::Foreign]);
    executor.execute(add(1, 1)).await.unwrap();
    let executed = executor.execute(request(2, CountCommand::Take(1))).await.unwrap();
    assert_eq!((executed.state.sum, executed.revision), (100, Some(Revision::new(2))));
    store.assert_fired(&[Fault::Foreign]);
}

#[tokio::test]
async fn a_foreign_append_turns_an_expected_revision_into_a_conflict() {
    let (store, executor) = with_faults([Fault::Works, Fault::Foreign]);
    executor.execute(add(1, 1)).await.unwrap();
    let refused = executor.execute(Request { expected: Some(Revision::FIRST), ..add(2, 1) }).await;
    assert!(matches!(refused, Err(ExecuteError::VersionConflict { .. })), "{refused:?}");
    assert_eq!(stored(&*store, STREAM).await.len(), 2);
    store.assert_fired(&[Fault::Foreign]);
}

#[tokio::test]
async fn a_stream_that_others_keep_changing_is_given_up_after_the_last_attempt() {
    let faults = [Fault::Foreign; EXECUTE_ATTEMPTS_MAX as usize];
    let (store, executor) = with_faults(faults);
    let answer = executor.execute(add(1, 1)).await;
    assert!(matches!(answer, Err(ExecuteError::Contended { attempts: EXECUTE_ATTEMPTS_MAX, .. })), "{answer:?}");
    assert_eq!(executor.current(Uuid::from_u128(STREAM)).await.unwrap().state.sum, 500, "only the others wrote");
    assert_eq!(executor.execute(add(1, 1)).await.unwrap().state.sum, 501);
    store.assert_fired(&faults);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_resolved_by_sending_the_same_bytes_again() {
    for fault in [Fault::RequestLost, Fault::AnswerLost, Fault::Hangs, Fault::HangsAfterWriting] {
        let (store, executor) = with_faults([Fault::Works, fault]);
        executor.execute(add(1, 1)).await.unwrap();
        let executed = executor.execute(request(2, CountCommand::AddOnes(3))).await.unwrap();
        assert_eq!((executed.position.value(), executed.state.sum, executed.is_repeat), (4, 4, false), "{fault:?}");
        assert_eq!(stored(&*store, STREAM).await.len(), 4, "{fault:?}");
        store.assert_fired(&[fault]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_stays_unknown_when_the_next_try_is_not_written() {
    let faults = [Fault::AnswerLost, Fault::NotWritten];
    let (store, executor) = with_faults(faults);
    let executed = executor.execute(add(1, 1)).await.unwrap();
    assert_eq!(executed.position.value(), 1);
    assert_eq!(stored(&*store, STREAM).await.len(), 1);
    store.assert_fired(&faults);
}

#[tokio::test]
async fn a_foreign_append_after_a_lost_request_is_decided_again() {
    let faults = [Fault::RequestLost, Fault::Foreign];
    let (store, executor) = with_faults(faults);
    assert_eq!(executor.execute(add(1, 1)).await.unwrap().state.sum, 101);
    assert_eq!(stored(&*store, STREAM).await.len(), 2);
    store.assert_fired(&faults);
}

#[tokio::test(start_paused = true)]
async fn when_the_budget_is_spent_the_client_is_told_and_a_retry_tells_the_truth() {
    for (fault, was_written) in [(Fault::AnswerLost, true), (Fault::RequestLost, false), (Fault::Hangs, false)] {
        let (store, executor) = with_faults([]);
        store.always(Some(fault));
        let started = tokio::time::Instant::now();
        let answer = executor.execute(add(1, 5)).await;
        assert!(matches!(answer, Err(ExecuteError::OutcomeUnknown(id)) if id == Uuid::from_u128(1)), "{answer:?}");
        let options = ExecutorOptions::default();
        assert!(started.elapsed() <= options.unknown_outcome_budget + options.append_timeout, "{fault:?}");
        assert!(store.fired(fault) > 1, "{fault:?} happened once only");

        store.always(None);
        let retried = executor.execute(add(1, 5)).await.unwrap();
        assert_eq!((retried.is_repeat, retried.state.sum), (was_written, 5), "{fault:?}");
        assert_eq!(stored(&*store, STREAM).await.len(), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_of_a_store_that_has_stopped_is_told_at_once() {
    let (store, executor) = with_faults([Fault::Stops]);
    let started = tokio::time::Instant::now();
    let answer = executor.execute(add(1, 1)).await;
    assert!(matches!(answer, Err(ExecuteError::OutcomeUnknown(_))), "{answer:?}");
    assert_eq!(started.elapsed(), Duration::ZERO);
    store.assert_fired(&[Fault::Stops]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_not_written_fails_as_a_whole_and_leaves_nothing() {
    let faults = [Fault::Slow(1_000), Fault::NotWritten];
    let (store, executor) = with_faults(faults);
    let requests = [
        add(1, 1),
        request(2, CountCommand::Take(9)),
        add(3, 1),
        request(4, CountCommand::Nothing),
        // Refused because of what was not written in the end: so that is no answer.
        request(5, CountCommand::Take(9)),
    ];
    let answers = execute_behind_a_slow_one(&executor, requests).await;
    assert!(matches!(answers[1], Err(ExecuteError::Rejected(NotEnough))), "decided before anything of the batch");
    for answer in &answers[2..] {
        assert!(matches!(answer, Err(ExecuteError::Store(StoreError::Unavailable(_)))), "{answer:?}");
    }
    assert_eq!(stored(&*store, STREAM).await.len(), 1);
    assert_eq!(executor.current(Uuid::from_u128(STREAM)).await.unwrap().state.sum, 1);
    assert!(!executor.execute(add(3, 1)).await.unwrap().is_repeat);
    store.assert_fired(&faults);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_panics_harms_only_its_own_command() {
    let (store, executor) = with_faults([Fault::Slow(1_000)]);
    let requests = [add(1, 1), add(2, 1), request(3, CountCommand::Panic), add(4, POISON), add(5, 1)];
    let answers = execute_behind_a_slow_one(&executor, requests).await;
    for defective in [&answers[2], &answers[3]] {
        assert!(matches!(defective, Err(ExecuteError::Panicked(_))), "{defective:?}");
    }
    assert_eq!(answers[4].as_ref().unwrap().state.sum, 3);
    assert_eq!(executor.execute(add(6, 1)).await.unwrap().state.sum, 4, "the lane lives");
    assert_eq!(stored(&*store, STREAM).await.len(), 4);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test]
async fn a_stream_that_does_not_fold_is_said_to_be_undecodable_and_others_go_on() {
    let (store, executor) = with_faults([]);
    let unreadable =
        [(1, "counter.added.v9", "{}".to_owned()), (2, "counter.added.v1", format!(r#"{{"by":{POISON},"text":""}}"#))];
    for (stream, type_name, data) in unreadable {
        let id = Uuid::from_u128(stream);
        store.append_foreign(&StreamId::new("counter", id), type_name, data).await;
        let answer = executor.execute(Request { stream: id, ..add(1, 1) }).await;
        assert!(matches!(answer, Err(ExecuteError::Undecodable { .. })), "{type_name}: {answer:?}");
        assert!(matches!(executor.current(id).await, Err(ExecuteError::Undecodable { .. })));
    }
    executor.execute(add(1, 1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_abort_the_command() {
    let (store, executor) = with_faults([Fault::Slow(1_000)]);
    tokio::select! {
        biased;
        answer = executor.execute(add(1, 5)) => panic!("nobody is that fast: {answer:?}"),
        () = ready(()) => {}
    }
    assert_eq!(executor.current(Uuid::from_u128(STREAM)).await.unwrap().state.sum, 5);
    assert_eq!(stored(&*store, STREAM).await.len(), 1);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_server_waits_for_commands_in_flight() {
    let store = Arc::new(FaultStore::with([Fault::Slow(1_000)]));
    let lifecycle = Lifecycle::new();
    let clock = Arc::new(ManualClock::at(now()));
    let events = Arc::clone(&store) as Arc<dyn EventStore>;
    let executor = Executor::<Counter>::new(events, clock, lifecycle.clone(), ExecutorOptions::default());
    tokio::select! {
        biased;
        answer = executor.execute(add(1, 5)) => panic!("nobody is that fast: {answer:?}"),
        () = ready(()) => {}
    }
    assert!(lifecycle.stop(Duration::from_secs(60)).await);
    assert_eq!(stored(&*store, STREAM).await.len(), 1);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_finds_the_lane_full_is_refused() {
    let store = Arc::new(FaultStore::with([Fault::Slow(1_000)]));
    let executor = executor_with(&store, ExecutorOptions { lane_commands_max: 2, ..ExecutorOptions::default() });
    let elsewhere = Request { stream: Uuid::from_u128(8), ..add(9, 1) };
    let requests = [add(1, 1), add(2, 1), add(3, 1), add(4, 1), elsewhere];
    let answers = execute_behind_a_slow_one(&executor, requests).await;
    assert!(matches!(answers[3], Err(ExecuteError::Overloaded(_))), "{:?}", answers[3]);
    assert_eq!(answers[2].as_ref().unwrap().state.sum, 3);
    assert_eq!(answers[4].as_ref().unwrap().state.sum, 1, "another stream is not concerned");
    assert_eq!(stored(&*store, STREAM).await.len(), 3);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test]
async fn a_command_that_is_too_large_is_refused_alone() {
    let (store, executor) = with_faults([]);
    for too_large in [CountCommand::AddWithText(EVENT_BYTES_MAX), CountCommand::AddOnes(APPEND_EVENTS_MAX + 1)] {
        let answer = executor.execute(request(1, too_large)).await;
        assert!(matches!(answer, Err(ExecuteError::TooLarge(_))), "{answer:?}");
    }
    let all_at_once = executor.execute(request(2, CountCommand::AddOnes(APPEND_EVENTS_MAX))).await.unwrap();
    assert_eq!(all_at_once.position.value(), APPEND_EVENTS_MAX as u64);
    assert_eq!(store.append_sizes(), [APPEND_EVENTS_MAX]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_over_the_limits_of_an_append_is_split() {
    let (store, executor) = with_faults([Fault::Slow(1_000)]);
    let many = [2, 3, 4].map(|id| request(id, CountCommand::AddOnes(600)));
    let large = [5, 6, 7].map(|id| request(id, CountCommand::AddWithText(200 * 1024)));
    let answers = execute_behind_a_slow_one(&executor, [add(1, 1)].into_iter().chain(many).chain(large)).await;
    assert_eq!(positions(&answers), [1, 601, 1201, 1801, 1802, 1803, 1804]);
    assert_eq!(answers[6].as_ref().unwrap().state.sum, 1804);
    assert_eq!(store.append_sizes(), [1, 600, 600, 602, 1]);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn no_batch_has_more_commands_than_the_limit() {
    let (store, executor) = with_faults([Fault::Slow(1_000)]);
    let requests = (0..=BATCH_COMMANDS_MAX as u128 + 10).map(|id| add(id, 1));
    let answers = execute_behind_a_slow_one(&executor, requests).await;
    assert_eq!(positions(&answers), (1..=BATCH_COMMANDS_MAX as u64 + 11).collect::<Vec<_>>());
    assert_eq!(store.append_sizes(), [1, BATCH_COMMANDS_MAX, 10]);
    store.assert_fired(&[Fault::Slow(1_000)]);
}

#[tokio::test]
async fn nothing_observable_depends_on_the_cache() {
    let mut seen = Vec::new();
    let mut reads = Vec::new();
    for cache_bytes_max in [1, ExecutorOptions::default().cache_bytes_max] {
        let store = Arc::new(FaultStore::with([]));
        let executor = executor_with(&store, ExecutorOptions { cache_bytes_max, ..ExecutorOptions::default() });
        let mut answers = Vec::new();
        for step in 0..200_u32 {
            let stream = Uuid::from_u128(u128::from(step % 5));
            // Every seventh command is a repeat of an earlier one, every third is refused now and then.
            let id = u128::from(if step % 7 == 6 { step - 5 } else { step });
            let units = i64::from(step % 11);
            let command = if step % 3 == 0 { CountCommand::Take(units) } else { CountCommand::Add(units) };
            let answer = executor.execute(Request { stream, ..request(id, command) }).await;
            answers.push(format!("{answer:?} {:?}", executor.current(stream).await));
        }
        seen.push(answers);
        reads.push(store.reads());
    }
    assert_eq!(seen[0], seen[1]);
    assert!(reads[0] > 200 && reads[1] == 5, "one of them was to evict all the time, the other never: {reads:?}");
}

#[tokio::test]
async fn a_stream_of_ten_megabytes_stays_in_memory_however_many_cores_there_are() {
    let (store, executor) = with_faults([]);
    executor.execute(add(1, HEAVY)).await.unwrap();
    let reads = store.reads();
    for id in 2..50 {
        executor.execute(request(id, CountCommand::Nothing)).await.unwrap();
    }
    assert_eq!(store.reads(), reads);
}

#[tokio::test]
async fn the_current_state_holds_every_acknowledged_command() {
    let (_store, executor) = with_faults([]);
    let stream = Uuid::from_u128(STREAM);
    let empty = executor.current(stream).await.unwrap();
    assert_eq!((empty.revision, empty.position, empty.state.sum), (None, Position::START, 0));
    for id in 1..=50_u32 {
        let executed = executor.execute(add(id.into(), 1)).await.unwrap();
        let current = executor.current(stream).await.unwrap();
        assert_eq!((current.revision, current.position), (executed.revision, executed.position));
        assert_eq!(current.state.sum, i64::from(id));
    }
}

#[tokio::test]
async fn a_fresh_stream_is_not_looked_at_first() {
    let (store, executor) = with_faults([]);
    executor.execute(Request { is_fresh: true, ..add(1, 1) }).await.unwrap();
    assert_eq!(store.reads(), 0);
}

#[tokio::test]
async fn a_stream_that_only_seems_fresh_is_found_out_by_the_append() {
    let (store, executor) = with_faults([]);
    executor.execute(add(1, 1)).await.unwrap();
    let restarted = executor_with(&store, ExecutorOptions::default());
    let executed = restarted.execute(Request { is_fresh: true, ..add(2, 1) }).await.unwrap();
    assert_eq!((executed.state.sum, executed.position.value()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stampede_on_a_few_streams_loses_and_doubles_nothing() {
    const TASKS: u32 = 64;
    const COMMANDS: u32 = 200;
    const STREAMS: u32 = 8;
    let store = Arc::new(MemoryEventStore::new());
    let events = Arc::clone(&store) as Arc<dyn EventStore>;
    let clock = Arc::new(ManualClock::at(now()));
    let executor = Executor::<Counter>::new(events, clock, Lifecycle::new(), ExecutorOptions::default());
    let tasks = Lifecycle::new();
    let mut running = Vec::new();
    for task in 0..TASKS {
        let executor = executor.clone();
        running.push(tasks.spawn(async move {
            for step in 0..COMMANDS {
                let number = task * COMMANDS + step;
                let stream = Uuid::from_u128((number % STREAMS).into());
                let request = Request { stream, ..add(number.into(), number.into()) };
                let executed = executor.execute(request).await.expect("nothing fails");
                let current = executor.current(stream).await.expect("nothing fails");
                assert!(current.revision >= executed.revision && current.position >= executed.position);
            }
        }));
    }
    for task in running {
        task.await.unwrap();
    }
    for stream in 0..STREAMS {
        let expected: i64 = (0..TASKS * COMMANDS).filter(|number| number % STREAMS == stream).map(i64::from).sum();
        let current = executor.current(Uuid::from_u128(stream.into())).await.unwrap();
        assert_eq!((current.state.sum, current.state.events), (expected, (TASKS * COMMANDS / STREAMS).into()));
        let events = stored(&*store, stream.into()).await;
        assert!(events.iter().enumerate().all(|(index, event)| event.revision == Revision::new(index as u64)));
        assert!(events.is_sorted_by(|one, next| one.position < next.position));
    }
}

#[tokio::test]
async fn where_others_append_too_nothing_is_refused_or_shown_on_the_word_of_the_cache() {
    let store = Arc::new(FaultStore::with([]));
    let shared = || ExecutorOptions { is_shared: true, ..ExecutorOptions::default() };
    let (ours, theirs) = (executor_with(&store, shared()), executor_with(&store, shared()));
    ours.execute(add(1, 1)).await.unwrap();
    theirs.execute(add(2, 10)).await.unwrap();
    let taken = ours.execute(request(3, CountCommand::Take(5))).await.expect("there is enough by now");
    assert_eq!(taken.state.sum, 6);
    theirs.execute(request(4, CountCommand::Take(6))).await.unwrap();
    let refused = ours.execute(request(5, CountCommand::Take(1))).await;
    assert!(matches!(refused, Err(ExecuteError::Rejected { .. })), "{refused:?}");
    assert_eq!(ours.current(Uuid::from_u128(STREAM)).await.unwrap().state.sum, 0);
    theirs.execute(add(6, 2)).await.unwrap();
    assert_eq!(ours.current(Uuid::from_u128(STREAM)).await.unwrap().state.sum, 2);
    let repeat = ours.execute(add(6, 2)).await.unwrap();
    assert!(repeat.is_repeat, "a command that another process has executed");
    assert_eq!(stored(&*store, STREAM).await.len(), 5);
}
