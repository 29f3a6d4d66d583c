//! The tail under faults of the subscription: it always shows the last position in the end.

use super::*;

/// Appends one event and waits until the tail shows it.
async fn shows_an_append(store: &EventStoreDb) {
    let mut tail = store.tail();
    let last = store.append(fresh(1)).await.expect("written").positions[0];
    let shown = tokio::time::timeout(PATIENCE, tail.wait_for(|tail| *tail >= last)).await;
    assert_eq!(*shown.expect("it is shown in time").expect("the tail lives"), last);
}

/// An adapter that hears through its subscription only, or as good as.
async fn without_poll(double: &Double) -> EventStoreDb {
    let mut options = hasty(&double.connection_string());
    options.poll_interval = PATIENCE * 10;
    open(options).await
}

/// Waits until the fault has happened.
async fn fired(double: &Double, operation: Operation, kind: FaultKind) {
    let wait = async {
        while double.faults().fired_at(operation, kind) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{kind:?} never happened"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_breaks_is_followed_by_another_without_a_hole() {
    let faults = [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::TimedOutBefore,
        Fault::Unavailable,
        Fault::Duplicate,
        Fault::Delay(Duration::from_millis(50)),
        Fault::CleanEnd,
    ];
    let double = double().await;
    let store = without_poll(&double).await;
    shows_an_append(&store).await;
    for fault in faults {
        double.faults().plan(Plan::new(Operation::SubscriptionEvent, fault));
        shows_an_append(&store).await;
        fired(&double, Operation::SubscriptionEvent, fault.kind()).await;
        shows_an_append(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_refused_is_tried_again() {
    let double = double().await;
    let refusals = [Fault::Unavailable, Fault::DropBefore, Fault::NotLeader(double.address()), Fault::CleanEnd];
    for fault in refusals {
        double.faults().plan(Plan::new(Operation::Subscribe, fault).times(2));
    }
    let store = without_poll(&double).await;
    shows_an_append(&store).await;
    for fault in refusals {
        fired(&double, Operation::Subscribe, fault.kind()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_that_end_as_if_all_were_well_are_begun_again() {
    let double = double().await;
    let store = without_poll(&double).await;
    for _ in 0..5 {
        shows_an_append(&store).await;
        double.end_subscriptions();
    }
    shows_an_append(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_goes_deaf_is_replaced() {
    let (double, store) = pair().await;
    shows_an_append(&store).await;
    double.faults().plan(Plan::new(Operation::SubscriptionEvent, Fault::HangBefore));
    // The poll shows it meanwhile.
    shows_an_append(&store).await;
    fired(&double, Operation::SubscriptionEvent, FaultKind::HangBefore).await;
    let events = || double.faults().fired_at(Operation::SubscriptionEvent, FaultKind::Delay);
    double.faults().plan(Plan::new(Operation::SubscriptionEvent, Fault::Delay(Duration::from_millis(1))).always());
    let heard = async {
        while events() == 0 {
            shows_an_append(&store).await;
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("another subscription");
    double.faults().release();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_subscription_the_poll_moves_the_tail() {
    let double = double().await;
    double.faults().plan(Plan::new(Operation::Subscribe, Fault::Unavailable).always());
    let store = open(hasty(&double.connection_string())).await;
    for _ in 0..3 {
        shows_an_append(&store).await;
    }
    fired(&double, Operation::Subscribe, FaultKind::Unavailable).await;
    shows_an_append(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_goes_on_after_a_restart_of_the_server() {
    let (double, store) = pair().await;
    shows_an_append(&store).await;
    double.kill().await;
    double.restart().await;
    shows_an_append(&store).await;
    assert!(store.tail().has_changed().is_ok());
}
