//! Reads under each fault alone, and what other people leave in the log.

use eventstore::{AppendToStreamOptions, Client, EventData, StreamState};

use super::*;

/// A double and an adapter that reads when it is told to, and never by itself.
async fn quiet_pair() -> (Double, EventStoreDb) {
    let double = double().await;
    let mut options = hasty(&double.connection_string());
    options.poll_interval = PATIENCE * 10;
    let store = open(options).await;
    (double, store)
}

/// What may go wrong with the call of a read, and with one of its events.
fn passing(double: &Double) -> Vec<(Operation, Fault)> {
    let calls = [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::HangBefore,
        Fault::TimedOutBefore,
        Fault::Unavailable,
        Fault::Busy,
        Fault::NotLeader(double.address()),
        Fault::Delay(Duration::from_millis(50)),
    ];
    let events = [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::HangBefore,
        Fault::TimedOutBefore,
        Fault::Unavailable,
        Fault::Delay(Duration::from_millis(50)),
    ];
    let calls = calls.into_iter().map(|fault| (Operation::Read, fault));
    calls.chain(events.into_iter().map(|fault| (Operation::ReadEvent, fault))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_under_a_passing_fault_gives_everything() {
    let (double, store) = quiet_pair().await;
    let sent = fresh(5);
    store.append(sent.clone()).await.expect("written");
    for (operation, fault) in passing(&double) {
        for is_log in [false, true] {
            // A page of the log asks for the head first: the faults meet either of the two.
            for spared in 0..=u64::from(is_log) {
                let before = double.faults().fired_at(operation, fault.kind());
                double.faults().plan(Plan::new(operation, fault).after(spared).times(2));
                let there = if is_log { whole_log(&store).await } else { whole_stream(&store, &sent.stream).await };
                assert!(are(&there, &sent), "{operation:?} {fault:?}: {there:?}");
                assert!(double.faults().fired_at(operation, fault.kind()) > before, "{operation:?} {fault:?}");
                double.faults().clear();
                double.faults().release();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_twice_or_in_the_wrong_order_are_no_page() {
    let (double, store) = quiet_pair().await;
    let sent = fresh(5);
    store.append(sent.clone()).await.expect("written");
    for fault in [Fault::Duplicate, Fault::WrongOrder] {
        double.faults().plan(Plan::new(Operation::ReadEvent, fault).after(1));
        let page = store.read_stream(&sent.stream, Revision::FIRST, Direction::Forwards, 10).await;
        assert!(matches!(page, Err(StoreError::Corrupt(_))), "{fault:?}: {page:?}");
        // The first event is the head's.
        double.faults().plan(Plan::new(Operation::ReadEvent, fault).after(2));
        let page = store.read_all(Position::START, &TypeFilter::All, 10).await;
        assert!(matches!(page, Err(StoreError::Corrupt(_))), "{fault:?}: {page:?}");
        assert_eq!(double.faults().fired(fault.kind()), 2);
    }
    assert!(are(&whole_log(&store).await, &sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_until_the_end_of_its_budget_says_so() {
    let double = double().await;
    let mut options = hasty(&double.connection_string());
    options.read_budget = CALL * 5;
    options.poll_interval = PATIENCE;
    let store = open(options).await;
    double.faults().plan(Plan::new(Operation::Read, Fault::Unavailable).always());
    let page = store.read_all(Position::START, &TypeFilter::All, 10).await;
    assert!(matches!(page, Err(StoreError::Unavailable(_))), "{page:?}");
    assert!(double.faults().fired(FaultKind::Unavailable) > 2);
    assert!(store.clients() > 1, "no other connection was tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_takes_too_long_is_given_as_far_as_it_came() {
    let (double, store) = quiet_pair().await;
    let sent = fresh(5);
    store.append(sent.clone()).await.expect("written");
    // After the head and three events of the page.
    double.faults().plan(Plan::new(Operation::ReadEvent, Fault::HangBefore).after(4));
    let page = store.read_all(Position::START, &TypeFilter::All, 10).await.expect("a page");
    assert_eq!((page.events.len(), page.is_end), (3, false));
    assert_eq!(page.scanned_to, page.events[2].position);
    assert_eq!(double.faults().fired(FaultKind::HangBefore), 1);
    let rest = store.read_all(page.scanned_to, &TypeFilter::All, 10).await.expect("a page");
    assert_eq!((rest.events.len(), rest.is_end), (2, true));
    double.faults().release();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_finds_nothing_in_time_still_gets_on() {
    let (double, store) = quiet_pair().await;
    let sent = fresh(5);
    store.append(sent.clone()).await.expect("written");
    let head = store.head().await.expect("a head");
    // The head, and then the filtered read, which hangs.
    double.faults().plan(Plan::new(Operation::Read, Fault::HangBefore).after(1));
    let page = store.read_all(Position::START, &TypeFilter::prefixes(&["post."]), 10).await.expect("a page");
    assert_eq!(double.faults().fired(FaultKind::HangBefore), 1);
    assert_eq!((page.events.len(), page.scanned_to, page.is_end), (0, head, true));
    double.faults().release();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_does_not_come_in_time_is_not_taken_for_one_that_is_not_there() {
    let double = double().await;
    let mut options = hasty(&double.connection_string());
    options.poll_interval = PATIENCE * 10;
    options.read_budget = CALL * 3;
    let store = open(options).await;
    let written = store.append(fresh(1)).await.expect("written").positions[0];
    for operation in [Operation::Read, Operation::ReadEvent] {
        let before = double.faults().fired_at(operation, FaultKind::HangBefore);
        double.faults().plan(Plan::new(operation, Fault::HangBefore).always());
        let found = store.event_at(written).await;
        assert!(matches!(found, Err(StoreError::Unavailable(_))), "{operation:?}: {found:?}");
        let place = store.locate(written).await;
        assert!(matches!(place, Err(StoreError::Unavailable(_))), "{operation:?}: {place:?}");
        assert!(double.faults().fired_at(operation, FaultKind::HangBefore) > before, "{operation:?}");
        double.faults().clear();
        double.faults().release();
        let found = store.event_at(written).await.expect("it answers again");
        assert_eq!(found.expect("it is there").position, written);
        assert_eq!(store.locate(written).await, Ok(Whereabouts::Inside));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_is_located_by_one_request_and_nothing_is_read_from_beyond_the_end() {
    let (double, store) = quiet_pair().await;
    let written = store.append(fresh(2)).await.expect("written").positions[1];
    store.tail().wait_for(|tail| *tail >= written).await.expect("the tail goes on");
    double.faults().plan(Plan::new(Operation::Read, Fault::Delay(Duration::ZERO)).always());
    let cases = [
        (Position::START, Whereabouts::Inside, 0),
        (written, Whereabouts::Inside, 1),
        (Position::new(written.value() - 1), Whereabouts::Nowhere, 1),
        // The one request is for the head.
        (Position::new(written.value() + 1), Whereabouts::Beyond { head: written }, 1),
        (Position::new(u64::MAX), Whereabouts::Beyond { head: written }, 1),
    ];
    for (position, place, requests) in cases {
        let before = double.faults().fired_at(Operation::Read, FaultKind::Delay);
        assert_eq!(store.locate(position).await, Ok(place), "{position}");
        let asked = double.faults().fired_at(Operation::Read, FaultKind::Delay) - before;
        assert_eq!(asked, requests, "{position}");
    }
}

async fn write(client: &Client, stream: &str, event: EventData) {
    let options = AppendToStreamOptions::default().stream_state(StreamState::Any);
    client.append_to_stream(stream, &options, event).await.expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_streams_are_passed_over_and_events_in_ours_are_not() {
    let double = Double::start(Arc::new(MemoryEventStore::new()), Options::default()).await;
    let store = open(hasty(&double.connection_string())).await;
    let client = Client::new(double.connection_string().parse().expect("settings")).expect("a client");
    let start = store.head().await.expect("a head");
    let sent = fresh(1);
    let ours = sent.stream.to_string();
    store.append(sent.clone()).await.expect("written");
    let json = |name: &str| EventData::json(name, &serde_json::json!({"a": 1})).expect("JSON");
    for foreign in ["invoices", "order-17", "$ce-order", &ours.to_uppercase(), "17-00000000-0000"] {
        write(&client, foreign, json("order.placed.v1")).await;
    }
    write(&client, &ours, json("order.renamed.v1").metadata(b"[]"[..].into())).await;
    write(&client, &ours, EventData::binary("order.scanned.v1", b"\xff\xfe"[..].into())).await;
    write(&client, "invoices", json("order.placed.v1")).await;

    let there = whole_stream(&store, &sent.stream).await;
    let read: Vec<_> = there.iter().map(|event| (&*event.type_name, event.metadata.as_str())).collect();
    let expected =
        [("order.placed.v1", sent.events[0].metadata.as_str()), ("order.renamed.v1", "{}"), ("order.scanned.v1", "{}")];
    assert_eq!(read, expected);
    assert_eq!((there[0].data.as_str(), there[1].data.as_str()), (sent.events[0].data.as_str(), r#"{"a":1}"#));
    assert!(serde_json::from_str::<serde_json::Value>(&there[2].data).is_err());
    assert!(there[1].recorded_at > sent.events[0].at && there[1].recorded_at.timestamp_subsec_micros() > 0);
    for limit in [1, 2, 100] {
        let (mut all, mut after) = (Vec::new(), start);
        loop {
            let page = store.read_all(after, &TypeFilter::All, limit).await.expect("a page");
            all.extend(page.events);
            after = page.scanned_to;
            if page.is_end {
                break;
            }
        }
        assert_eq!(all, there, "{limit} at a time");
        assert_eq!(after, store.head().await.expect("a head"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_inside_an_event_is_an_error_and_no_loop() {
    let (double, store) = quiet_pair().await;
    store.append(fresh(3)).await.expect("written");
    let inside = Position::new(store.head().await.expect("a head").value() - 1);
    let page = tokio::time::timeout(PATIENCE, store.read_all(inside, &TypeFilter::All, 10)).await.expect("an end");
    assert!(matches!(page, Err(StoreError::Format(_))), "{page:?}");
    assert_eq!(store.locate(inside).await, Ok(Whereabouts::Nowhere));
    drop(double);
}
