//! When a client is replaced. No server: the calls end as the tests want.

use tokio::sync::oneshot;

use super::{super::EventStoreDbOptions, *};

fn settings(text: &str) -> Arc<Settings> {
    EventStoreDbOptions::try_new(text).expect("options").settings()
}

fn supervisor() -> Arc<Supervisor> {
    Arc::new(Supervisor::new(settings("esdb://127.0.0.1:9?tls=false"), Duration::from_millis(200)))
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
    assert_eq!(
        end(&supervisor, Err(Failure::NotLeader { leader: None })).await,
        Err(Failure::NotLeader { leader: None })
    );
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    assert_eq!(supervisor.clients(), 2);
}

#[tokio::test]
async fn the_new_client_goes_where_the_leader_is_said_to_be() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let leader = Node::told("127.0.0.1", listener.local_addr().expect("an address").port());
    let supervisor = supervisor();
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    pause().await;
    let misplaced = Failure::NotLeader { leader: Some(leader) };
    assert_eq!(end(&supervisor, Err(misplaced.clone())).await, Err(misplaced));
    assert_eq!(supervisor.call(|_| async { Ok(1) }).await, Ok(1));
    // The word of a node that does not lead is good for one client.
    for _ in 0..2 {
        pause().await;
        assert_eq!(end(&supervisor, broken()).await, broken());
        assert_eq!(end(&supervisor, broken()).await, broken());
    }
    pause().await;
    let outcome = supervisor.call(|_| async { Ok(1) }).await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn new_clients_keep_their_distance() {
    let supervisor = supervisor();
    for _ in 0..50 {
        assert_eq!(
            end(&supervisor, Err(Failure::NotLeader { leader: None })).await,
            Err(Failure::NotLeader { leader: None })
        );
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
                    Err::<u8, _>(Failure::NotLeader { leader: None })
                })
                .await
        };
        tokio::runtime::Handle::current().spawn(call)
    };
    pause().await;
    assert_eq!(
        end(&supervisor, Err(Failure::NotLeader { leader: None })).await,
        Err(Failure::NotLeader { leader: None })
    );
    assert_eq!(end(&supervisor, Ok(1)).await, Ok(1));
    go.send(()).expect("the call waits");
    assert_eq!(old.await.expect("the call ends"), Err(Failure::NotLeader { leader: None }));
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
    assert_eq!(within(soon(), ready(Ok(7)), |link| ready(Ok(link))).await, Ok(7));
    let outcome = within(soon(), ready(Ok(7)), |_| pending::<Result<u8, Failure>>()).await;
    assert_eq!(outcome, Err(Failure::TimedOut));
    let outcome = within(soon(), pending(), |link: u8| ready(Ok(link))).await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
    let outcome = within(soon(), ready(Err(Failure::NotLeader { leader: None })), |link: u8| ready(Ok(link))).await;
    assert_eq!(outcome, Err(Failure::NotLeader { leader: None }));
}

#[tokio::test]
async fn where_nobody_listens_a_call_is_known_not_to_be_sent() {
    let outcome = supervisor().call(|_| async { Ok(1) }).await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn files_that_cannot_be_read_are_an_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let supervisor =
        Supervisor::new(settings(&format!("esdb://{address}?tlsCAFile=/no/such/file")), Duration::from_secs(5));
    let outcome = supervisor.call(|_| async { Ok(1) }).await;
    let Err(Failure::Unreachable(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("No such file"), "{why}");
}
