//! No call waits for the acknowledgement of its first half.
//!
//! A request leaves in two pieces, head and content. A kernel acknowledges the first up to 40 ms late where it expects
//! an answer to send along; a sender that holds the second back until then (Nagle's algorithm) makes every call take as
//! long. The double acknowledges at once, as that is what other people's clients need, so a relay stands in front of it
//! here that does not.
//!
//! What is looked at is the time that most calls of a kind take: 40 ms is the least that Linux waits, and a call takes a
//! tenth of it, so a loaded machine may slow down many calls before most of them are as slow as with the delay. That the
//! relay delays at all is shown by a connection that does hold its second pieces back.
#![cfg(target_os = "linux")]

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::linux::net::TcpStreamExt as _,
    thread,
    time::Instant,
};

use super::*;

/// Less than the kernel waits with an acknowledgement, and much more than a call takes.
const DELAY: Duration = Duration::from_millis(35);
/// How many calls of each kind are looked at.
const CALLS: usize = 40;

/// Listens, and does this with each connection, as long as the process lives.
fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on the loopback device");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let serve = serve.clone();
            // A connection that breaks is the end of it.
            thread::spawn(move || serve(connection));
        }
    });
    address
}

/// A relay to `target` that acknowledges what a client sends as late as the kernel can.
fn relay(target: SocketAddr) -> SocketAddr {
    listen(move |mut client| {
        let mut server = TcpStream::connect(target)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            let ended = io::copy(&mut answers, &mut back);
            // The client hears of it, however it ended.
            back.shutdown(std::net::Shutdown::Both).and(ended.map(drop))
        });
        let mut bytes = vec![0; 64 * 1024];
        loop {
            client.set_quickack(false)?;
            let count = client.read(&mut bytes)?;
            if count == 0 {
                return server.shutdown(std::net::Shutdown::Write);
            }
            server.write_all(&bytes[..count])?;
        }
    })
}

/// The time that half of these took longer than.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The time that most of the calls take.
async fn most<F: Future>(mut call: impl FnMut() -> F) -> Duration {
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        call().await;
        times.push(started.elapsed());
    }
    median(times)
}

#[test]
fn what_is_sent_in_two_pieces_with_nagles_algorithm_waits_at_the_relay() {
    let address = relay(listen(|mut connection| {
        connection.set_nodelay(true)?;
        loop {
            let mut pieces = [0; 2];
            connection.read_exact(&mut pieces)?;
            connection.write_all(&pieces)?;
        }
    }));
    let mut connection = TcpStream::connect(address).expect("a connection");
    let mut exchange = || -> io::Result<Duration> {
        let started = Instant::now();
        connection.write_all(b"1")?;
        connection.write_all(b"2")?;
        connection.read_exact(&mut [0; 2])?;
        Ok(started.elapsed())
    };
    let times = (0..CALLS).map(|_| exchange().expect("an answer")).collect();
    let most = median(times);
    assert!(most > DELAY, "most exchanges take {most:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_waits_for_an_acknowledgement() {
    let double = double().await;
    let address = relay(double.address());
    let mut options = hasty(&format!("esdb://{address}?tls=false"));
    options.call_timeout = PATIENCE;
    let store = open(options).await;
    let sent = fresh(1);
    store.append(sent.clone()).await.expect("written");
    let append = most(|| async { store.append(fresh(1)).await.expect("written") }).await;
    let read = most(|| async {
        store.read_stream(&sent.stream, Revision::FIRST, Direction::Forwards, 9).await.expect("a page")
    });
    let read = read.await;
    let page = most(|| async { store.read_all(Position::START, &TypeFilter::All, 9).await.expect("a page") }).await;
    let head = most(|| async { store.head().await.expect("a head") }).await;
    for (what, took) in [("append", append), ("read", read), ("page of the log", page), ("head", head)] {
        assert!(took < DELAY, "most of the time a {what} takes {took:?}");
    }
}
