//! A TCP proxy on this machine that breaks connections on demand, between any client and any server.
//!
//! A test injects a [`Fault`] while connections are carried, and heals it. What a fault really hit is counted by its
//! [`FaultKind`]: connections that were cut, callers that were turned away, bytes that were held back. A fault that hit
//! nothing has not happened.
//!
//! ```ignore
//! let proxy = Proxy::to("http://127.0.0.1:2113").await;
//! let client = connect(&proxy.url("http://127.0.0.1:2113"));
//! proxy.inject(Fault::Hang(Way::ToClient)).await;
//! // ... requests arrive at the server, answers do not
//! proxy.heal().await;
//! assert!(proxy.hits(FaultKind::HangToClient) > 0);
//! ```
//!
//! What was held back is delivered when the fault is healed, as a network does that was away for a while.

mod carrier;
mod fault;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
    sync::watch,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

pub use self::fault::{Direction, Fault, FaultKind, Way};
use self::{
    carrier::carry,
    fault::{End, Torn},
};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A proxy in front of one server. Dropped, it closes its connections.
#[derive(Debug)]
pub struct Proxy {
    line: Arc<Line>,
    address: SocketAddr,
    is_listening: watch::Receiver<bool>,
    /// Keeps the port while nothing listens on it.
    _port: TcpSocket,
    _acceptor: AbortOnDropHandle<()>,
}

/// What the connections of a proxy share.
#[derive(Debug)]
struct Line {
    server: SocketAddr,
    /// What lasts until it is healed.
    state: watch::Sender<Option<Fault>>,
    /// Counts how often all connections were cut, and says how the last time.
    cuts: watch::Sender<(u64, End)>,
    /// Counts how often everything was healed.
    heals: watch::Sender<u64>,
    /// Counts how often each direction of all connections was closed.
    halves: [watch::Sender<u64>; 2],
    /// What happens to the next message.
    torn: Mutex<Option<Torn>>,
    carried: AtomicUsize,
    hits: Mutex<BTreeMap<FaultKind, u64>>,
}

impl Proxy {
    /// A proxy in front of the server at this address.
    pub async fn start(server: SocketAddr) -> Self {
        let port = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = port.local_addr().expect("a bound socket has an address");
        let line = Arc::new(Line {
            server,
            state: watch::Sender::default(),
            cuts: watch::Sender::new((0, End::Close)),
            heals: watch::Sender::default(),
            halves: [watch::Sender::default(), watch::Sender::default()],
            torn: Mutex::default(),
            carried: AtomicUsize::default(),
            hits: Mutex::default(),
        });
        let (listens, is_listening) = watch::channel(false);
        // It ends with the proxy, which is none of a process's own tasks.
        let acceptor = Handle::current().spawn(accept(address, Arc::clone(&line), listens));
        let proxy = Self { line, address, is_listening, _port: port, _acceptor: AbortOnDropHandle::new(acceptor) };
        proxy.listens(true).await;
        proxy
    }

    /// A proxy in front of the server that this URL names.
    pub async fn to(url: &str) -> Self {
        let server = url[authority(url)].to_socket_addrs().expect("the server's name is known").next();
        Self::start(server.expect("the server has an address")).await
    }

    /// The same URL by way of this proxy.
    pub fn url(&self, url: &str) -> String {
        let mut through = url.to_owned();
        through.replace_range(authority(url), &self.address.to_string());
        through
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it carries now.
    pub fn connections(&self) -> usize {
        self.line.carried.load(Ordering::Relaxed)
    }

    /// Lets a fault happen, in place of one that lasts. What ends connections has been told to all that are carried when
    /// this returns.
    pub async fn inject(&self, fault: Fault) {
        let connections = u64::try_from(self.connections()).expect("few");
        match fault {
            Fault::Reset => self.cut(fault.kind(), End::Reset),
            Fault::Close => self.cut(fault.kind(), End::Close),
            Fault::Lose => self.cut(fault.kind(), End::Late(*self.line.heals.borrow())),
            Fault::Half(direction) => {
                self.line.halves[direction.index()].send_modify(|halves| *halves += 1);
                self.line.hit(fault.kind(), connections);
            }
            Fault::Refuse => {
                self.line.state.send_replace(Some(fault));
                self.listens(false).await;
                self.cut(fault.kind(), End::Reset);
            }
            Fault::TurnAway => {
                self.line.state.send_replace(Some(fault));
                self.cut(fault.kind(), End::Reset);
            }
            Fault::Torn { direction, bytes } => *lock(&self.line.torn) = Some(Torn { direction, bytes }),
            Fault::Hang(_) | Fault::Slow(_) | Fault::Trickle { .. } => {
                self.line.state.send_replace(Some(fault));
            }
        }
    }

    /// Ends every fault that lasts. What was held back goes on its way.
    pub async fn heal(&self) {
        *lock(&self.line.torn) = None;
        self.line.state.send_replace(None);
        self.line.heals.send_modify(|heals| *heals += 1);
        self.listens(true).await;
    }

    /// How often a fault of this kind hit something: a connection, a caller, a message.
    pub fn hits(&self, kind: FaultKind) -> u64 {
        lock(&self.line.hits).get(&kind).copied().unwrap_or_default()
    }

    fn cut(&self, kind: FaultKind, end: End) {
        self.line.hit(kind, u64::try_from(self.connections()).expect("few"));
        self.line.cuts.send_modify(|(cuts, last)| (*cuts, *last) = (*cuts + 1, end));
    }

    async fn listens(&self, whether: bool) {
        let mut is_listening = self.is_listening.clone();
        is_listening.wait_for(|listens| *listens == whether).await.expect("the acceptor lives as long as the proxy");
    }
}

impl Line {
    fn hit(&self, kind: FaultKind, times: u64) {
        if times > 0 {
            *lock(&self.hits).entry(kind).or_default() += times;
        }
    }

    /// What lasts now.
    fn now(&self) -> Option<Fault> {
        *self.state.borrow()
    }
}

/// Accepts connections as long as the proxy lives, and closes the port while they are refused.
async fn accept(address: SocketAddr, line: Arc<Line>, listens: watch::Sender<bool>) {
    let mut connections = JoinSet::new();
    let mut state = line.state.subscribe();
    let refuses = |state: &Option<Fault>| matches!(state, Some(Fault::Refuse));
    loop {
        let listener = listen(address);
        listens.send_replace(true);
        loop {
            let accepted = tokio::select! {
                biased;
                _ = state.wait_for(refuses) => break,
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            // An error here is one connection's that is gone already.
            let Ok((client, _)) = accepted else { continue };
            if line.now() == Some(Fault::TurnAway) {
                line.hit(FaultKind::TurnAway, 1);
                reset(&client);
                continue;
            }
            connections.spawn(carry(client, &line));
        }
        drop(listener);
        listens.send_replace(false);
        if state.wait_for(|state| !refuses(state)).await.is_err() {
            return;
        }
    }
}

/// A socket that is bound and does nothing yet. Several may be bound to one port as long as one of them listens.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("a socket takes it");
    socket.bind(address).expect("a port on the loopback device");
    socket
}

fn listen(address: SocketAddr) -> TcpListener {
    socket(address).listen(BACKLOG).expect("the port is ours")
}

/// Lets a connection end with RST once it is dropped.
fn reset(stream: &TcpStream) {
    // Fails only if the connection is gone already.
    let _ = stream.set_zero_linger();
}

/// Where host and port stand in a URL.
fn authority(url: &str) -> Range<usize> {
    let begin = url.find("://").expect("a URL has a scheme") + 3;
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |length| begin + length);
    let begin = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    begin..end
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
