//! Appends under each fault alone.

use super::*;

/// The faults that pass by themselves or with another try.
fn passing(double: &Double) -> Vec<Fault> {
    vec![
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::HangBefore,
        Fault::HangAfter,
        Fault::TimedOutBefore,
        Fault::TimedOutAfter,
        Fault::Unavailable,
        Fault::Busy,
        Fault::NotLeader(double.address()),
        Fault::Delay(Duration::from_millis(50)),
        Fault::ReplicateLater(Duration::from_millis(300)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_under_a_passing_fault_is_written_once() {
    for (times, count) in [(1, 1), (2, 3)] {
        let (double, store) = pair().await;
        for fault in passing(&double) {
            double.faults().plan(Plan::new(Operation::Append, fault).times(times));
            let sent = fresh(count);
            let appended = store.append(sent.clone()).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
            // What only delays does not come back for the second time.
            let fired = double.faults().fired_at(Operation::Append, fault.kind());
            assert!((1..=times).contains(&fired), "{fault:?} happened {fired} times");
            double.faults().release();
            double.faults().clear();
            let there = whole_stream(&store, &sent.stream).await;
            assert!(are(&there, &sent), "{fault:?}: {there:?}");
            assert!(there.iter().map(|event| event.position).eq(appended.positions.iter().copied()), "{fault:?}");
        }
        let all = whole_log(&store).await;
        assert_eq!(all.len(), passing(&double).len() * count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_without_an_answer_is_recognised_behind_the_events_of_others() {
    let (double, store) = pair().await;
    let (one, other) = (fresh(2), open(hasty(&double.connection_string())).await);
    // The first try is written and hangs; before the second, another writer goes on.
    double.faults().plan(Plan::new(Operation::Append, Fault::HangAfter));
    let append_one = store.append(one.clone());
    let append_other = async {
        tokio::time::sleep(CALL / 2).await;
        other.append(append(&one.stream, 2, events(3))).await
    };
    let (first, second) = tokio::join!(append_one, append_other);
    assert_eq!(first.expect("written").revision.value(), 1);
    assert_eq!(second.expect("written").revision.value(), 4);
    assert_eq!(double.faults().fired(FaultKind::HangAfter), 1);
    assert_eq!(whole_stream(&store, &one.stream).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_is_a_conflict_once_somebody_else_has_the_place() {
    let (double, store) = pair().await;
    let (one, other) = (fresh(2), open(hasty(&double.connection_string())).await);
    double.faults().plan(Plan::new(Operation::Append, Fault::HangBefore));
    let append_one = store.append(one.clone());
    let append_other = async {
        tokio::time::sleep(CALL / 2).await;
        other.append(append(&one.stream, 0, events(1))).await
    };
    let (first, second) = tokio::join!(append_one, append_other);
    second.expect("written");
    let Err(AppendError::WrongExpectedRevision { actual }) = first else { panic!("{first:?}") };
    assert_eq!(actual, Some(Revision::FIRST));
    // The first try still waits at the server; when it goes on, it comes too late.
    double.faults().release();
    tokio::time::sleep(CALL).await;
    assert_eq!(whole_stream(&store, &one.stream).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_until_the_end_the_outcome_is_unknown() {
    for (fault, count) in
        [(Fault::ResetAfter, 2), (Fault::DropBefore, 0), (Fault::TimedOutAfter, 2), (Fault::HangBefore, 0)]
    {
        let double = double().await;
        let mut options = hasty(&double.connection_string());
        options.append_budget = CALL * 2;
        let store = open(options).await;
        double.faults().plan(Plan::new(Operation::Append, fault).always());
        let sent = fresh(2);
        let outcome = store.append(sent.clone()).await;
        assert!(
            matches!(outcome, Err(AppendError::OutcomeUnknown(StoreError::Unavailable(_)))),
            "{fault:?}: {outcome:?}"
        );
        assert!(double.faults().fired(fault.kind()) >= 1);
        double.faults().clear();
        assert_eq!(whole_stream(&store, &sent.stream).await.len(), count, "{fault:?}");
        // The same bytes again find out.
        let appended = store.append(sent.clone()).await.expect("written, now or before");
        assert_eq!((appended.revision.value(), appended.positions.len()), (1, 2));
        assert!(are(&whole_stream(&store, &sent.stream).await, &sent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_got_to_the_leader_is_known_not_to_be_written() {
    let double = double().await;
    let mut options = hasty(&double.connection_string());
    options.append_budget = CALL * 2;
    let store = open(options).await;
    double.faults().plan(Plan::new(Operation::Append, Fault::NotLeader(double.address())).always());
    let outcome = store.append(fresh(1)).await;
    assert!(matches!(outcome, Err(AppendError::NotWritten(StoreError::Unavailable(_)))), "{outcome:?}");
    assert!(store.clients() > 1, "no node was looked for");
    double.faults().clear();
    double.kill().await;
    let mut outcome = store.append(fresh(1)).await;
    if matches!(outcome, Err(AppendError::OutcomeUnknown(_))) {
        // The first one met the connection as it died.
        outcome = store.append(fresh(1)).await;
    }
    assert!(matches!(outcome, Err(AppendError::NotWritten(StoreError::Unavailable(_)))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_outlives_a_server_that_starts_again() {
    let (double, store) = pair().await;
    store.append(fresh(1)).await.expect("written");
    double.kill().await;
    let sent = fresh(2);
    let restart = async {
        tokio::time::sleep(CALL).await;
        double.restart().await;
    };
    let (outcome, ()) = tokio::join!(store.append(sent.clone()), restart);
    outcome.expect("written");
    assert!(are(&whole_stream(&store, &sent.stream).await, &sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_lead_or_is_dead_is_left_for_the_leader() {
    let cluster = tests::esdb::Cluster::start(3, Arc::new(MemoryEventStore::new()), short()).await;
    let store = open(hasty(&cluster.connection_string())).await;
    store.append(fresh(1)).await.expect("written by the first leader");
    cluster.set_leader(Some(1));
    store.append(fresh(1)).await.expect("written by the second leader");
    cluster.nodes()[1].kill().await;
    cluster.set_leader(Some(2));
    let sent = fresh(3);
    store.append(sent.clone()).await.expect("written by the third leader");
    assert!(are(&whole_stream(&store, &sent.stream).await, &sent));
    assert_eq!(whole_log(&store).await.len(), 5);
    assert!(store.clients() >= 2, "{} clients", store.clients());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_lead_says_who_does() {
    let cluster = tests::esdb::Cluster::start(2, Arc::new(MemoryEventStore::new()), short()).await;
    let mut options = hasty(&format!("esdb://{}?tls=false", cluster.nodes()[1].address()));
    options.poll_interval = PATIENCE * 10;
    let (store, sent) = (open(options).await, fresh(2));
    let last = store.append(sent.clone()).await.expect("written by the leader").positions[1];
    // The subscription finds it, too.
    let mut tail = store.tail();
    tokio::time::timeout(PATIENCE, tail.wait_for(|tail| *tail >= last)).await.expect("in time").expect("a tail");
    assert!(are(&whole_stream(&store, &sent.stream).await, &sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_is_waited_for() {
    let engine = Arc::new(MemoryEventStore::new());
    let cluster = tests::esdb::Cluster::start(3, engine, Options::default()).await;
    let store = open(hasty(&cluster.connection_string())).await;
    cluster.set_leader(None);
    let elect = async {
        tokio::time::sleep(CALL).await;
        cluster.set_leader(Some(2));
    };
    let sent = fresh(1);
    let (outcome, ()) = tokio::join!(store.append(sent.clone()), elect);
    outcome.expect("written by the new leader");
    assert!(are(&whole_stream(&store, &sent.stream).await, &sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_position_is_completed_by_reading() {
    let (double, store) = pair_with(Options { repeats: Repeats::WithoutPosition, ..short() }).await;
    let sent = fresh(1);
    double.faults().plan(Plan::new(Operation::Append, Fault::ResetAfter));
    let appended = store.append(sent.clone()).await.expect("written");
    assert_eq!(double.faults().fired(FaultKind::ResetAfter), 1);
    assert_eq!(appended.positions, [store.head().await.expect("a head")]);
    assert_eq!(store.append(sent).await.expect("written before"), appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_with_the_own_events_is_a_success() {
    let (double, store) = pair_with(Options { repeats: Repeats::AsConflict, ..short() }).await;
    for count in [1, 3] {
        let sent = fresh(count);
        for fault in [Fault::ResetAfter, Fault::TimedOutAfter] {
            double.faults().plan(Plan::new(Operation::Append, fault));
        }
        let appended = store.append(sent.clone()).await.expect("written");
        let there = whole_stream(&store, &sent.stream).await;
        assert!(are(&there, &sent) && there.iter().map(|event| event.position).eq(appended.positions.iter().copied()));
        store.append(append(&sent.stream, count as u64, events(2))).await.expect("written");
        assert_eq!(store.append(sent).await.expect("written before"), appended);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_server_are_refused() {
    let (_double, store) = pair().await;
    let outcome = store.append(append(&stream("$order"), 0, events(1))).await;
    assert!(matches!(outcome, Err(AppendError::Refused(_))), "{outcome:?}");
    let mut system = events(1);
    system[0].type_name = "$streamDeleted".into();
    let outcome = store.append(append(&stream("order"), 0, system)).await;
    assert!(matches!(outcome, Err(AppendError::Refused(_))), "{outcome:?}");
}

/// The client as somebody else has it, without our rules.
fn stranger(double: &Double) -> eventstore::Client {
    eventstore::Client::new(double.connection_string().parse().expect("settings")).expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_a_tombstone_is_damaged_and_takes_nothing() {
    let (double, store) = pair().await;
    let sent = fresh(2);
    store.append(sent.clone()).await.expect("written");
    let options = eventstore::TombstoneStreamOptions::default();
    stranger(&double).tombstone_stream(sent.stream.to_string(), &options).await.expect("deleted");
    let outcome = store.append(append(&sent.stream, 2, events(1))).await;
    assert!(matches!(outcome, Err(AppendError::NotWritten(StoreError::Corrupt(_)))), "{outcome:?}");
    let page = store.read_stream(&sent.stream, Revision::FIRST, Direction::Forwards, 10).await;
    assert!(matches!(page, Err(StoreError::Corrupt(_))), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_deleted_and_goes_on_is_damaged() {
    let (double, store) = pair().await;
    let sent = fresh(2);
    store.append(sent.clone()).await.expect("written");
    let options = eventstore::DeleteStreamOptions::default();
    stranger(&double).delete_stream(sent.stream.to_string(), &options).await.expect("deleted");
    // The server says that there is no such stream, takes a first event, and gives it a later revision.
    assert_eq!(whole_stream(&store, &sent.stream).await, []);
    let outcome = store.append(append(&sent.stream, 0, events(1))).await;
    assert!(matches!(outcome, Err(AppendError::OutcomeUnknown(StoreError::Corrupt(_)))), "{outcome:?}");
    for direction in [Direction::Forwards, Direction::Backwards] {
        let from = if direction == Direction::Forwards { Revision::FIRST } else { Revision::MAX };
        let page = store.read_stream(&sent.stream, from, direction, 10).await;
        let Err(StoreError::Corrupt(why)) = page else { panic!("{page:?}") };
        assert!(why.contains("truncated"), "{why}");
    }
}
