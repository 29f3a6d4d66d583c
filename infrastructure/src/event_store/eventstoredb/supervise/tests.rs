//! When a client is replaced. No server: the calls end as the tests want.

use std::sync::Arc;

use super::*;

fn supervisor() -> Arc<Supervisor> {
    let settings = "esdb://127.0.0.1:9?tls=false".parse().expect("settings");
    Arc::new(Supervisor::new(settings, Duration::from_millis(200)))
}

async fn end(supervisor: &Supervisor, outcome: Result<u8, Failure>) -> Result<u8, Failure> {
    supervisor.supervise(|_| async { outcome }).await
}

fn broken() -> Result<u8, Failure> {
    Err(Failure::Broken("gone".to_owned()))
}

/// Longer than the pause between two clients.
async fn pause() {
    tokio::time::sleep(RENEWAL_PAUSES.0 * 2).await;
}

#[tokio::test]
async fn two_failures_in_a_row_bring_a_new_client() {
    let supervisor = supervisor();
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    pause().await;
    for outcome in [broken(), Ok(1), broken(), Ok(1)] {
        assert_eq!(end(&supervisor, outcome.clone()).await, outcome);
    }
    assert_eq!(supervisor.clients(), 1);
    assert_eq!((end(&supervisor, broken()).await, end(&supervisor, broken()).await), (broken(), broken()));
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    assert_eq!(supervisor.clients(), 2);
}

#[tokio::test]
async fn what_the_server_answers_is_no_sign_of_a_dead_connection() {
    let supervisor = supervisor();
    for failure in [Failure::AccessDenied, Failure::Deleted, Failure::Aborted(String::new()), Failure::NoStream] {
        for _ in 0..3 {
            assert_eq!(end(&supervisor, Err(failure.clone())).await, Err(failure.clone()));
        }
    }
    pause().await;
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    assert_eq!(supervisor.clients(), 1);
}

#[tokio::test]
async fn the_wrong_node_brings_a_new_client_at_once() {
    let supervisor = supervisor();
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    pause().await;
    assert_eq!(end(&supervisor, Err(Failure::NotLeader)).await, Err(Failure::NotLeader));
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    assert_eq!(supervisor.clients(), 2);
}

#[tokio::test]
async fn new_clients_keep_their_distance() {
    let supervisor = supervisor();
    for _ in 0..50 {
        assert_eq!(end(&supervisor, Err(Failure::NotLeader)).await, Err(Failure::NotLeader));
    }
    assert!(supervisor.clients() <= 3, "{} clients", supervisor.clients());
}

#[tokio::test]
async fn a_call_in_flight_ends_on_its_old_client_and_judges_no_other() {
    let supervisor = supervisor();
    let (go, gate) = oneshot::channel();
    let old = {
        let supervisor = Arc::clone(&supervisor);
        let call = async move {
            supervisor
                .supervise(|_| async {
                    gate.await.expect("the test goes on");
                    Err::<u8, _>(Failure::NotLeader)
                })
                .await
        };
        tokio::runtime::Handle::current().spawn(call)
    };
    pause().await;
    assert_eq!(end(&supervisor, Err(Failure::NotLeader)).await, Err(Failure::NotLeader));
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    go.send(()).expect("the call waits");
    assert_eq!(old.await.expect("the call ends"), Err(Failure::NotLeader));
    pause().await;
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    assert_eq!(supervisor.clients(), 2);
}

#[tokio::test]
async fn a_panic_is_a_failed_call() {
    let supervisor = supervisor();
    let outcome = supervisor
        .supervise(|_| async {
            if supervisor.clients() > 0 {
                std::panic::resume_unwind(Box::new("a defect"));
            }
            Ok(1)
        })
        .await;
    assert_eq!(outcome, Err(Failure::Panicked));
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
}

#[tokio::test]
async fn a_call_has_a_time_limit_and_is_not_sent_while_no_node_is_found() {
    use std::future::{pending, ready};
    let soon = || Instant::now() + Duration::from_millis(20);
    assert_eq!(within(soon(), ready(Ok(())), ready(Ok(7))).await, Ok(7));
    assert_eq!(within(soon(), ready(Ok(())), pending::<Result<u8, Failure>>()).await, Err(Failure::TimedOut));
    let outcome = within(soon(), pending(), ready(Ok(7))).await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
    assert_eq!(within(soon(), ready(Err(Failure::NotLeader)), ready(Ok(7))).await, Err(Failure::NotLeader));
}

#[tokio::test]
async fn where_nobody_listens_a_call_is_known_not_to_be_sent() {
    let outcome = supervisor().call(|_| async { Ok(1) }).await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_client_that_cannot_be_made_is_an_error() {
    let settings = "esdb://127.0.0.1:9?tlsCAFile=/no/such/file".parse().expect("settings");
    let supervisor = Supervisor::new(settings, Duration::from_secs(1));
    let outcome = supervisor.call(|_| async { Ok(1) }).await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn the_thread_of_a_client_ends_with_its_last_call() {
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok()).collect::<Vec<_>>()
    };
    let settings: ClientSettings = "esdb://127.0.0.1:9?tls=false".parse().expect("settings");
    let before = threads().len();
    if before == 0 {
        // Only Linux tells.
        return;
    }
    let many: Vec<_> = {
        let starts = (0..20).map(|_| Connection::start(settings.clone()));
        futures_util::future::join_all(starts).await.into_iter().collect::<Result<_, _>>().expect("clients")
    };
    let of_clients = || threads().iter().filter(|name| name.trim() == "eventstoredb").count();
    assert!(of_clients() >= many.len());
    let at_most = of_clients() - many.len();
    drop(many);
    for _ in 0..200 {
        // Other tests have some too, which come and go.
        if of_clients() <= at_most.max(10) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} threads are left", of_clients());
}
