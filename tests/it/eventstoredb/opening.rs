//! Opening with users who may not, and a server that comes late. The rest of opening needs no server that answers.

use infrastructure::event_store::OpenError;
use tests::esdb::Access;

use super::*;

async fn guarded(access: Access) -> Double {
    let options = Options { access: Some(access), ..Options::default() };
    Double::start(Arc::new(MemoryEventStore::new()), options).await
}

/// The options of somebody at this double.
fn as_user(double: &Double, user: Option<(&str, &str)>) -> EventStoreDbOptions {
    let options = hasty(&format!("esdb://{}?tls=false", double.address()));
    match user {
        Some((name, password)) => options.with_user(name, password),
        None => options,
    }
}

async fn error_of(options: EventStoreDbOptions) -> OpenError {
    let outcome = tokio::time::timeout(PATIENCE, EventStoreDb::open(options)).await.expect("an end");
    outcome.expect_err("not this one")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_why() {
    let double = guarded(Access { may_read_all: false, ..Access::new("reader", "pass/word@1") }).await;
    assert_eq!(error_of(as_user(&double, None)).await, OpenError::UserWanted);
    for wrong in [("reader", "pass"), ("other", "pass/word@1"), ("reader", "")] {
        let error = error_of(as_user(&double, Some(wrong))).await;
        assert_eq!(error, OpenError::WrongCredentials);
        assert!(!error.to_string().contains("pass/word"));
    }
    assert_eq!(error_of(as_user(&double, Some(("reader", "pass/word@1")))).await, OpenError::NotPermitted);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_in_the_string_are_decoded() {
    let double = guarded(Access::new("us er@x", "p:ä/s%1")).await;
    let text = format!("esdb://us%20er%40x:p%3A%C3%A4%2Fs%251@{}?tls=false", double.address());
    let store = open(hasty(&text)).await;
    let sent = fresh(1);
    store.append(sent.clone()).await.expect("written");
    assert!(are(&whole_stream(&store, &sent.stream).await, &sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_everything_works_as_without() {
    let (double, store) = pair_with(Options { has_tls: true, ..short() }).await;
    double.faults().plan(Plan::new(Operation::Append, Fault::ResetAfter));
    let (sent, mut tail) = (fresh(2), store.tail());
    let last = store.append(sent.clone()).await.expect("written").positions[1];
    assert!(are(&whole_log(&store).await, &sent));
    tokio::time::timeout(PATIENCE, tail.wait_for(|tail| *tail == last)).await.expect("in time").expect("a tail");
    // The same server for somebody who does not know its authority.
    let error = error_of(hasty(&format!("esdb://{}", double.address()))).await;
    assert!(matches!(error, OpenError::CertificateNotTrusted { .. }), "{error:?}");
    let careless = open(hasty(&format!("esdb://{}?tlsVerifyCert=false", double.address()))).await;
    assert!(are(&whole_log(&careless).await, &sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_just_starting_is_waited_for() {
    let double = double().await;
    double.kill().await;
    let start = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        double.restart().await;
    };
    let (store, ()) = tokio::join!(open(hasty(&double.connection_string())), start);
    store.append(fresh(1)).await.expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_never_ready_is_given_up() {
    let double = double().await;
    double.faults().plan(Plan::new(Operation::Read, Fault::Unavailable).always());
    let mut options = hasty(&double.connection_string());
    options.open_deadline = CALL;
    let error = error_of(options).await;
    assert!(matches!(error, OpenError::NotReady(StoreError::Unavailable(_))), "{error:?}");
}
