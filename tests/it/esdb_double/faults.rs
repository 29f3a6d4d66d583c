//! Each fault of the script, as a client meets it.

use std::time::{Duration, Instant};

use eventstore::{
    AppendToStreamOptions, Client, Error, ReadAllOptions, ReadStreamOptions, StreamPosition, StreamState,
    SubscribeToStreamOptions,
};
use tests::{
    esdb::{Double, Fault, FaultKind, Limits, Operation, Options, Plan},
    random::Random,
    server::POLL_INTERVAL,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::Code;

use super::{A_WHILE, PATIENCE, append, event, events, number, read_all, read_stream, start, with_code, write};

fn patient() -> Options {
    let limits = Limits { commit_timeout: Duration::from_millis(100), ..Limits::default() };
    Options { limits, ..Options::default() }
}

/// Appends until the fault has happened, and says what the client made of it. A client may not know yet that its
/// connection has ended, and then fails once before.
async fn append_until(double: &Double, kind: FaultKind, client: &Client, number: u64) -> Error {
    loop {
        let answer = append(client, "s", StreamState::Any, events("thing", [number])).await;
        let error = answer.expect_err("the fault");
        if double.faults().fired(kind) == 1 {
            return error;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_an_append_before_it_is_written() {
    let (double, client) = start(patient()).await;
    let faults = [
        (Fault::DropBefore, FaultKind::DropBefore),
        (Fault::ResetBefore, FaultKind::ResetBefore),
        (Fault::TimedOutBefore, FaultKind::TimedOutBefore),
        (Fault::Unavailable, FaultKind::Unavailable),
        (Fault::Busy, FaultKind::Busy),
        (Fault::NotLeader(double.address()), FaultKind::NotLeader),
    ];
    for (number, (fault, kind)) in (0..).zip(faults) {
        double.faults().plan(Plan::new(Operation::Append, fault));
        let error = append_until(&double, kind, &client, number).await;
        // What the client makes of a connection that ends depends on how far it was.
        let is_broken = matches!(&error, Error::ServerError(_)) || with_code(&error, Code::Cancelled).is_some();
        let is_right = if kind == FaultKind::TimedOutBefore {
            with_code(&error, Code::Aborted).is_some()
        } else if kind == FaultKind::NotLeader {
            let port = u32::from(double.address().port());
            matches!(&error, Error::NotLeaderException(leader) if leader.port == port)
        } else {
            is_broken
        };
        assert!(is_right, "{kind:?}: {error:?}");
    }
    let read = read_stream(&client, "s", ReadStreamOptions::default()).await;
    assert!(matches!(read, Err(Error::ResourceNotFound)), "{read:?}");
    write(&client, "s", [100]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_an_append_after_it_is_written() {
    let (double, client) = start(patient()).await;
    let faults = [
        (Fault::DropAfter, FaultKind::DropAfter),
        (Fault::ResetAfter, FaultKind::ResetAfter),
        (Fault::TimedOutAfter, FaultKind::TimedOutAfter),
    ];
    for (number, (fault, kind)) in (0..).zip(faults) {
        double.faults().plan(Plan::new(Operation::Append, fault));
        append_until(&double, kind, &client, number).await;
    }
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [0, 1, 2]);
    // And once more, as a client does that does not know.
    for number in 0..3 {
        write(&client, "s", [number]).await;
    }
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_goes_on_when_it_is_released() {
    let (double, client) = start(patient()).await;
    for (number, fault) in [(0, Fault::HangBefore), (1, Fault::HangAfter)] {
        double.faults().plan(Plan::new(Operation::Append, fault));
        let mut appending = JoinSet::new();
        appending.spawn({
            let client = client.clone();
            async move { write(&client, "s", [number]).await }
        });
        while double.faults().fired(fault.kind()) == 0 {
            sleep(POLL_INTERVAL).await;
        }
        assert!(timeout(A_WHILE, appending.join_next()).await.is_err(), "it did not hang");
        let written = read_all(&client, ReadAllOptions::default()).await.expect("ok");
        assert_eq!(written.contains(&number), fault == Fault::HangAfter);
        double.faults().release();
        timeout(PATIENCE, appending.join_next()).await.expect("released").expect("a task").expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_no_longer_is_told_so() {
    let (double, client) = start(patient()).await;
    double.faults().plan(Plan::new(Operation::Append, Fault::HangBefore));
    let options = AppendToStreamOptions::default().deadline(Duration::from_millis(50));
    let error = client.append_to_stream("s", &options, event("thing", 1)).await.expect_err("too late");
    assert!(matches!(error, Error::DeadlineExceeded), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_not_replicated_is_unseen_and_its_retries_time_out() {
    let (double, client) = start(patient()).await;
    double.faults().plan(Plan::new(Operation::Append, Fault::ReplicateLater(Duration::from_millis(400))));
    let attempt = || append(&client, "s", StreamState::NoStream, events("thing", [1]));
    let began = Instant::now();
    let mut timeouts = 0;
    let written = loop {
        match attempt().await {
            Ok(written) => break written,
            Err(error) => {
                let text = with_code(&error, Code::Aborted);
                assert!(text.is_some_and(|text| text.starts_with("Operation timed out")), "{error:?}");
                timeouts += 1;
            }
        }
        if began.elapsed() < Duration::from_millis(300) {
            assert!(read_all(&client, ReadAllOptions::default()).await.expect("ok").is_empty());
        }
    };
    assert!(timeouts >= 2, "{timeouts}");
    assert_eq!(written.next_expected_version, 0);
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_strikes_as_often_as_it_says() {
    let (double, client) = start(patient()).await;
    let faults = double.faults();
    faults.plan(Plan::new(Operation::Append, Fault::Busy).after(2).times(3));
    let mut refused = Vec::new();
    for number in 0..8 {
        if append(&client, "s", StreamState::Any, events("thing", [number])).await.is_err() {
            refused.push(number);
        }
    }
    assert_eq!(refused, [2, 3, 4]);
    faults.plan(Plan::new(Operation::Read, Fault::Unavailable).one_in(3, Random::new(7)).always());
    let mut failed = 0;
    for _ in 0..60 {
        failed += u64::from(read_stream(&client, "s", ReadStreamOptions::default()).await.is_err());
    }
    assert_eq!(faults.fired_at(Operation::Read, FaultKind::Unavailable), failed);
    assert!((5..=40).contains(&failed), "{failed}");
    faults.clear();
    read_stream(&client, "s", ReadStreamOptions::default()).await.expect("no more plans");
    assert_eq!(faults.fired(FaultKind::Busy), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_the_middle_of_a_read() {
    let (double, client) = start(patient()).await;
    write(&client, "s", 0..10).await;
    let read = || read_stream(&client, "s", ReadStreamOptions::default());
    let plan = |fault| double.faults().plan(Plan::new(Operation::ReadEvent, fault).after(4));
    plan(Fault::Duplicate);
    assert_eq!(read().await.expect("ok"), [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]);
    plan(Fault::WrongOrder);
    assert_eq!(read().await.expect("ok"), [0, 1, 2, 3, 5, 4, 6, 7, 8, 9]);
    plan(Fault::CleanEnd);
    assert_eq!(read().await.expect("ok"), [0, 1, 2, 3]);
    plan(Fault::Delay(Duration::from_millis(100)));
    let began = Instant::now();
    assert_eq!(read().await.expect("ok").len(), 10);
    assert!(began.elapsed() >= Duration::from_millis(100));
    for fault in [Fault::DropAfter, Fault::ResetBefore, Fault::TimedOutAfter] {
        plan(fault);
        // The client may not know yet that its connection has ended, and then fails once before the fault.
        while double.faults().fired(fault.kind()) == 0 {
            read().await.expect_err("the fault");
        }
    }
    assert_eq!(read().await.expect("ok").len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_subscription() {
    let (double, client) = start(patient()).await;
    write(&client, "s", 0..10).await;
    let plan = |fault| double.faults().plan(Plan::new(Operation::SubscriptionEvent, fault).after(2));
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let subscribe = || client.subscribe_to_stream("s", &options);
    for (fault, expected) in [
        (Fault::Duplicate, [0, 1, 2, 2, 3]),
        (Fault::WrongOrder, [0, 1, 3, 2, 4]),
        (Fault::Delay(A_WHILE), [0, 1, 2, 3, 4]),
    ] {
        plan(fault);
        let mut subscription = subscribe().await;
        let mut came = Vec::new();
        for _ in 0..expected.len() {
            came.push(number(&timeout(PATIENCE, subscription.next()).await.expect("an event").expect("ok")));
        }
        assert_eq!(came, expected, "{fault:?}");
    }
    for fault in [Fault::DropAfter, Fault::ResetAfter, Fault::TimedOutBefore, Fault::Unavailable] {
        plan(fault);
        // The client may not know yet that its connection has ended, and then fails once before the fault.
        timeout(PATIENCE, async {
            while double.faults().fired(fault.kind()) == 0 {
                let mut subscription = subscribe().await;
                while subscription.next().await.is_ok() {}
            }
        })
        .await
        .expect("the fault");
    }
}
