//! What a test holds: a double, or a cluster of them.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use infrastructure::event_store::EventStore;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    cluster::Members,
    database::Database,
    faults::Faults,
    node::Node,
    options::Options,
    server::{Life, accept},
    tls::Tls,
};

/// A running double. Dropped, it dies.
#[derive(Debug)]
pub struct Double {
    node: Arc<Node>,
    life: Mutex<Life>,
}

impl Double {
    /// A double with what `engine` holds.
    pub async fn start(engine: Arc<dyn EventStore>, options: Options) -> Self {
        let database = Database::open(engine, options.limits.clone()).await.expect("an engine that can be read");
        Self::on(database, options).await
    }

    /// A double in front of a database.
    pub async fn on(database: Arc<Database>, options: Options) -> Self {
        let listener = bind(options.port).await;
        let address = listener.local_addr().expect("a bound socket has an address");
        let members = Arc::new(Members::new([(Database::fresh_id(), address)]));
        let tls = options.has_tls.then(|| Tls::new(&options.names));
        Self::run(listener, database, members, 0, tls, options)
    }

    fn run(
        listener: TcpListener,
        database: Arc<Database>,
        members: Arc<Members>,
        index: usize,
        tls: Option<Arc<Tls>>,
        options: Options,
    ) -> Self {
        let node = Arc::new(Node {
            database,
            options,
            faults: Arc::default(),
            members,
            tls,
            index,
            endings: watch::Sender::default(),
            tasks: TaskTracker::new(),
            holds: Mutex::default(),
        });
        let life = live(listener, &node);
        Self { node, life: Mutex::new(life) }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.node.address()
    }

    /// How a client connects to it.
    pub fn connection_string(&self) -> String {
        connection_string(&[self.address()], &self.node.options, self.node.tls.as_deref())
    }

    /// Its fault script.
    pub fn faults(&self) -> &Faults {
        &self.node.faults
    }

    /// Its database.
    pub fn database(&self) -> &Arc<Database> {
        &self.node.database
    }

    /// Ends every subscription that waits for events, as if all were well.
    pub fn end_subscriptions(&self) {
        self.node.endings.send_modify(|endings| *endings += 1);
    }

    /// Resets every connection.
    pub fn reset_connections(&self) {
        self.life().resets.send_modify(|resets| *resets += 1);
    }

    /// Kills it: its port is closed and its connections are reset. Its database stays.
    pub async fn kill(&self) {
        self.life().is_over.cancel();
        self.node.members.set_alive(self.node.index, false);
        self.node.holds.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.node.tasks.close();
        self.node.tasks.wait().await;
        self.node.tasks.reopen();
    }

    /// Starts it again on the same port after [`Double::kill`], with nothing but what is in the database.
    pub async fn restart(&self) {
        let listener = bind(self.address().port()).await;
        self.node.database.forget_ids();
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = live(listener, &self.node);
        self.node.members.set_alive(self.node.index, true);
    }

    fn life(&self) -> Life {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.life().is_over.cancel();
    }
}

/// Several doubles in front of one database, the first of which leads.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Double>,
    members: Arc<Members>,
    tls: Option<Arc<Tls>>,
    options: Options,
}

impl Cluster {
    /// So many nodes with what `engine` holds.
    pub async fn start(nodes: usize, engine: Arc<dyn EventStore>, options: Options) -> Self {
        let database = Database::open(engine, options.limits.clone()).await.expect("an engine that can be read");
        let mut listeners = Vec::new();
        for _ in 0..nodes {
            listeners.push(bind(0).await);
        }
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address");
        let members = listeners.iter().map(|listener| (Database::fresh_id(), address(listener)));
        let members = Arc::new(Members::new(members));
        let tls = options.has_tls.then(|| Tls::new(&options.names));
        let run = |(index, listener)| {
            let (database, members) = (Arc::clone(&database), Arc::clone(&members));
            Double::run(listener, database, members, index, tls.clone(), options.clone())
        };
        let nodes = listeners.into_iter().enumerate().map(run).collect();
        Self { nodes, members, tls, options }
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Double] {
        &self.nodes
    }

    /// How a client connects to whichever node leads.
    pub fn connection_string(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(Double::address).collect();
        connection_string(&addresses, &self.options, self.tls.as_deref())
    }

    /// The index of the node that leads.
    pub fn leader(&self) -> Option<usize> {
        self.members.leader()
    }

    /// Gives the lead to the node of this index, or to none. The new leader knows no ids of earlier events.
    pub fn set_leader(&self, leader: Option<usize>) {
        self.nodes[0].database().forget_ids();
        self.members.set_leader(leader);
    }
}

async fn bind(port: u16) -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a port on the loopback device")
}

/// Lets a node accept connections.
fn live(listener: TcpListener, node: &Arc<Node>) -> Life {
    let life = Life { is_over: CancellationToken::new(), resets: watch::Sender::default() };
    node.tasks.spawn(accept(listener, Arc::clone(node), life.clone()));
    life
}

fn connection_string(addresses: &[SocketAddr], options: &Options, tls: Option<&Tls>) -> String {
    let mut text = "esdb://".to_owned();
    if let Some(access) = &options.access {
        let _ = write!(text, "{}:{}@", access.user, access.password);
    }
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    text += &addresses.join(",");
    match tls {
        Some(tls) => text + "?tls=true&tlsCAFile=" + &tls.ca_file().to_string_lossy(),
        None => text + "?tls=false",
    }
}
