//! A connection and its end. What it sends when is measured against the double of the server.

use std::time::Duration;

use tokio::{io::AsyncReadExt as _, net::TcpListener, time::timeout};

use super::{super::EventStoreDbOptions, *};

const PATIENCE: Duration = Duration::from_secs(10);

/// A port, a connection to it, and the other end of that.
async fn pair() -> (Link, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let node = Node::told("127.0.0.1", listener.local_addr().expect("an address").port());
    let settings = EventStoreDbOptions::try_new(&format!("esdb://{node}?tls=false")).expect("options").settings();
    let (link, accepted) = tokio::join!(Link::connect(&node, &settings), listener.accept());
    (link.expect("a connection"), accepted.expect("a connection").0)
}

/// Reads until the connection ends.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // However it ends, it has ended.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it ends in time");
    bytes
}

#[tokio::test]
async fn a_connection_ends_with_its_last_holder() {
    let (link, server) = pair().await;
    let other = link.clone();
    drop(link);
    assert!(other.is_open());
    drop(other);
    assert!(rest(server).await.starts_with(b"PRI * HTTP/2.0"));
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_not_open() {
    let (link, server) = pair().await;
    drop(server);
    let seen = async {
        while link.is_open() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, seen).await.expect("it is seen in time");
    let outcome = link.leader().await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn what_is_no_address_is_not_reached() {
    let settings = EventStoreDbOptions::try_new("esdb://db?tls=false").expect("options").settings();
    let outcome = Link::connect(&Node::told("not a host", 1), &settings).await;
    assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{outcome:?}");
}
