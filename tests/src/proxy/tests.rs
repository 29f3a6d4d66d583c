//! Each fault does what it says, is counted when it hits, and is gone when it is healed.

use std::{io::ErrorKind, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

use super::*;
use crate::server::{PATIENCE, eventually};

/// Long enough to see that something does not happen.
const A_WHILE: Duration = Duration::from_millis(150);

/// Both ends of connections through a proxy.
struct Pair {
    proxy: Proxy,
    server: TcpListener,
}

impl Pair {
    async fn new() -> Self {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let proxy = Proxy::start(server.local_addr().expect("an address")).await;
        Self { proxy, server }
    }

    /// A connection that has carried something both ways: the client's end and the server's.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let mut client = TcpStream::connect(self.proxy.address()).await.expect("the proxy accepts");
        let (mut server, _) = self.server.accept().await.expect("the proxy connects");
        exchange(&mut client, &mut server).await;
        (client, server)
    }
}

async fn exchange(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"ping").await.expect("it is open");
    assert_eq!(next(server, 4).await, b"ping");
    server.write_all(b"pong").await.expect("it is open");
    assert_eq!(next(client, 4).await, b"pong");
}

async fn next(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    timeout(PATIENCE, stream.read_exact(&mut read)).await.expect("it comes in time").expect("it is open");
    read
}

/// Everything until the end; an error is how it ended, if not well.
async fn rest(stream: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it ends");
    ended.map(|_| read).map_err(|error| error.kind())
}

/// Nothing comes, and nothing ends.
async fn assert_silent(stream: &mut TcpStream) {
    let mut read = [0];
    assert!(timeout(A_WHILE, stream.read(&mut read)).await.is_err(), "it is not silent");
}

#[tokio::test]
async fn without_a_fault_everything_passes_and_ends_as_it_does_without_a_proxy() {
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    let much: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let expected = much.clone();
    let (sent, received) = tokio::join!(
        async {
            client.write_all(&much).await.expect("it is open");
            client.shutdown().await.expect("it is open");
            client
        },
        rest(&mut server)
    );
    assert!(received == Ok(expected), "not what was sent");
    let mut client = sent;
    server.write_all(b"late").await.expect("the other direction is open");
    drop(server);
    assert_eq!(rest(&mut client).await, Ok(b"late".to_vec()));
    eventually("the connection is forgotten", async || (pair.proxy.connections() == 0).then_some(())).await;
    assert!(FaultKind::ALL.iter().all(|kind| pair.proxy.hits(*kind) == 0));
}

#[tokio::test]
async fn a_reset_of_one_end_reaches_the_other() {
    let pair = Pair::new().await;
    let (client, mut server) = pair.connect().await;
    reset(&client);
    drop(client);
    assert_eq!(rest(&mut server).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_reset_cuts_every_connection_for_both_ends_and_leaves_later_ones_alone() {
    let pair = Pair::new().await;
    pair.proxy.inject(Fault::Reset).await;
    assert_eq!(pair.proxy.hits(FaultKind::Reset), 0, "there was nothing to hit");
    let (mut first, mut first_server) = pair.connect().await;
    let (mut second, mut second_server) = pair.connect().await;
    pair.proxy.inject(Fault::Reset).await;
    for end in [&mut first, &mut first_server, &mut second, &mut second_server] {
        assert_eq!(rest(end).await, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(pair.proxy.hits(FaultKind::Reset), 2);
    pair.connect().await;
}

#[tokio::test]
async fn a_close_ends_every_connection_well_for_both_ends() {
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Close).await;
    assert_eq!((rest(&mut client).await, rest(&mut server).await), (Ok(Vec::new()), Ok(Vec::new())));
    assert_eq!(pair.proxy.hits(FaultKind::Close), 1);
    pair.connect().await;
}

#[tokio::test]
async fn of_a_half_closed_connection_the_other_half_goes_on() {
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Half(Direction::ToClient)).await;
    assert_eq!(rest(&mut client).await, Ok(Vec::new()));
    client.write_all(b"still here").await.expect("this direction is open");
    assert_eq!(next(&mut server, 10).await, b"still here");
    server.write_all(b"into the void").await.expect("the server knows nothing");
    assert_eq!(pair.proxy.hits(FaultKind::HalfToClient), 1);
    drop(client);
    assert_eq!(rest(&mut server).await, Ok(Vec::new()));
    drop(server);
    eventually("the connection is forgotten", async || (pair.proxy.connections() == 0).then_some(())).await;

    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Half(Direction::ToServer)).await;
    assert_eq!(rest(&mut server).await, Ok(Vec::new()));
    client.write_all(b"into the void").await.expect("the client knows nothing");
    server.write_all(b"bye").await.expect("this direction is open");
    drop(server);
    assert_eq!(rest(&mut client).await, Ok(b"bye".to_vec()));
    assert_eq!(pair.proxy.hits(FaultKind::HalfToServer), 1);
}

#[tokio::test]
async fn who_is_refused_finds_no_port_until_it_is_healed() {
    let pair = Pair::new().await;
    let (mut client, _server) = pair.connect().await;
    pair.proxy.inject(Fault::Refuse).await;
    assert_eq!(rest(&mut client).await, Err(ErrorKind::ConnectionReset));
    for _ in 0..3 {
        let refused = TcpStream::connect(pair.proxy.address()).await;
        assert_eq!(refused.expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
    }
    assert_eq!(pair.proxy.hits(FaultKind::Refuse), 1);
    pair.proxy.heal().await;
    pair.connect().await;
}

#[tokio::test]
async fn who_is_turned_away_is_accepted_and_reset_until_it_is_healed() {
    let pair = Pair::new().await;
    let (mut client, _server) = pair.connect().await;
    pair.proxy.inject(Fault::TurnAway).await;
    assert_eq!(rest(&mut client).await, Err(ErrorKind::ConnectionReset));
    let mut again = TcpStream::connect(pair.proxy.address()).await.expect("somebody listens");
    assert_eq!(rest(&mut again).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(pair.proxy.hits(FaultKind::TurnAway), 2, "one that was open, and one that came");
    assert!(timeout(A_WHILE, pair.server.accept()).await.is_err(), "the server noticed");
    pair.proxy.heal().await;
    pair.connect().await;
}

#[tokio::test]
async fn what_hangs_comes_late_but_whole() {
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Hang(Way::Both)).await;
    assert_eq!(pair.proxy.hits(FaultKind::Hang), 0, "nothing was on its way");
    client.write_all(b"question").await.expect("it is open");
    server.write_all(b"answer").await.expect("it is open");
    assert_silent(&mut server).await;
    assert_silent(&mut client).await;
    assert_eq!(pair.proxy.hits(FaultKind::Hang), 2);
    pair.proxy.heal().await;
    assert_eq!((next(&mut server, 8).await, next(&mut client, 6).await), (b"question".to_vec(), b"answer".to_vec()));
    exchange(&mut client, &mut server).await;
}

#[tokio::test]
async fn one_way_may_hang_alone() {
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Hang(Way::ToClient)).await;
    client.write_all(b"question").await.expect("it is open");
    assert_eq!(next(&mut server, 8).await, b"question");
    server.write_all(b"answer").await.expect("it is open");
    assert_silent(&mut client).await;
    pair.proxy.inject(Fault::Hang(Way::ToServer)).await;
    assert_eq!(next(&mut client, 6).await, b"answer", "a fault takes the place of the one before");
    client.write_all(b"question").await.expect("it is open");
    assert_silent(&mut server).await;
    pair.proxy.heal().await;
    assert_eq!(next(&mut server, 8).await, b"question");
    let hits = [FaultKind::HangToClient, FaultKind::HangToServer, FaultKind::Hang].map(|kind| pair.proxy.hits(kind));
    assert_eq!(hits, [1, 1, 0]);
}

#[tokio::test]
async fn an_end_does_not_pass_where_everything_hangs() {
    let pair = Pair::new().await;
    let (client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Hang(Way::Both)).await;
    drop(client);
    assert_silent(&mut server).await;
    pair.proxy.heal().await;
    assert_eq!(rest(&mut server).await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_hangs_may_be_cut() {
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Hang(Way::Both)).await;
    client.write_all(b"question").await.expect("it is open");
    eventually("it is held back", async || (pair.proxy.hits(FaultKind::Hang) == 1).then_some(())).await;
    pair.proxy.inject(Fault::Reset).await;
    assert_eq!(rest(&mut server).await, Err(ErrorKind::ConnectionReset), "and nothing of it has arrived");
    assert_eq!(rest(&mut client).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn lost_connections_are_silent_until_it_is_healed_and_new_ones_are_not() {
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Lose).await;
    client.write_all(b"question").await.expect("the client knows nothing");
    server.write_all(b"answer").await.expect("the server knows nothing");
    assert_silent(&mut server).await;
    assert_silent(&mut client).await;
    let (mut other, mut other_server) = pair.connect().await;
    pair.proxy.heal().await;
    assert_eq!(rest(&mut server).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut client).await, Err(ErrorKind::ConnectionReset));
    exchange(&mut other, &mut other_server).await;
    assert_eq!(pair.proxy.hits(FaultKind::Lose), 1);
}

#[tokio::test]
async fn of_a_torn_message_the_first_bytes_arrive_and_then_a_reset() {
    let pair = Pair::new().await;
    for (bytes, expected) in [(3, &b"que"[..]), (100, b"questio"), (0, b"")] {
        let (mut client, mut server) = pair.connect().await;
        pair.proxy.inject(Fault::Torn { direction: Direction::ToServer, bytes }).await;
        client.write_all(b"question").await.expect("it is open");
        assert_eq!(next(&mut server, expected.len()).await, expected);
        assert_eq!(rest(&mut server).await, Err(ErrorKind::ConnectionReset));
        assert_eq!(rest(&mut client).await, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(pair.proxy.hits(FaultKind::TornToServer), 3);
    // Answers are another matter, and the next connection is as good as any.
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Torn { direction: Direction::ToClient, bytes: 2 }).await;
    client.write_all(b"question").await.expect("it is open");
    assert_eq!(next(&mut server, 8).await, b"question");
    server.write_all(b"answer").await.expect("it is open");
    assert_eq!(next(&mut client, 2).await, b"an");
    assert_eq!(rest(&mut client).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(pair.proxy.hits(FaultKind::TornToClient), 1);
    // Healed before it happened, it does not happen.
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Torn { direction: Direction::ToClient, bytes: 2 }).await;
    pair.proxy.heal().await;
    exchange(&mut client, &mut server).await;
}

#[tokio::test]
async fn what_is_slow_comes_later_and_what_trickles_comes_in_drops() {
    const LATENCY: Duration = Duration::from_millis(120);
    let pair = Pair::new().await;
    let (mut client, mut server) = pair.connect().await;
    pair.proxy.inject(Fault::Slow(LATENCY)).await;
    let began = Instant::now();
    exchange(&mut client, &mut server).await;
    assert!(began.elapsed() >= LATENCY * 2, "it came after {:?}", began.elapsed());
    assert_eq!(pair.proxy.hits(FaultKind::Slow), 2);

    pair.proxy.inject(Fault::Trickle { bytes: 2, pause: LATENCY }).await;
    let began = Instant::now();
    client.write_all(b"question").await.expect("it is open");
    assert_eq!(next(&mut server, 2).await, b"qu");
    assert_eq!(next(&mut server, 6).await, b"estion");
    assert!(began.elapsed() >= LATENCY * 3, "it came after {:?}", began.elapsed());
    assert_eq!(pair.proxy.hits(FaultKind::Trickle), 1);

    // Healed in the middle of a message, the rest comes at once.
    pair.proxy.inject(Fault::Trickle { bytes: 1, pause: LATENCY }).await;
    let long = vec![7; 10_000];
    client.write_all(&long).await.expect("it is open");
    next(&mut server, 1).await;
    pair.proxy.heal().await;
    assert_eq!(next(&mut server, 9_999).await, long[1..]);
    exchange(&mut client, &mut server).await;
}

#[tokio::test]
async fn whoever_comes_while_the_server_is_away_is_reset() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let proxy = Proxy::start(server.local_addr().expect("an address")).await;
    drop(server);
    let mut client = TcpStream::connect(proxy.address()).await.expect("the proxy accepts");
    assert_eq!(rest(&mut client).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_proxy_that_is_dropped_takes_its_connections_with_it() {
    let pair = Pair::new().await;
    let (mut client, _server) = pair.connect().await;
    let address = pair.proxy.address();
    drop(pair.proxy);
    assert_eq!(rest(&mut client).await, Ok(Vec::new()));
    eventually("nobody listens", async || TcpStream::connect(address).await.is_err().then_some(())).await;
}

#[tokio::test]
async fn a_url_leads_through_the_proxy_whatever_it_has_besides() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = server.local_addr().expect("an address").port();
    let proxy = Proxy::to(&format!("esdb://127.0.0.1:{port}?tls=false")).await;
    let _client = TcpStream::connect(proxy.address()).await.expect("the proxy accepts");
    server.accept().await.expect("the proxy connects");
    let address = proxy.address();
    for (before, after) in [
        ("http://localhost:80", format!("http://{address}")),
        ("esdb://localhost:80?tls=false", format!("esdb://{address}?tls=false")),
        (
            "postgres://me:a%40b@localhost/shop?options=-c%20a=b",
            format!("postgres://me:a%40b@{address}/shop?options=-c%20a=b"),
        ),
    ] {
        assert_eq!(proxy.url(before), after);
    }
}
