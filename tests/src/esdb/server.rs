//! The server: its own accept loop, so that a fault can end a TCP connection, and a way for each request.

use std::{convert::Infallible, sync::Arc};

use futures_util::future::BoxFuture;
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, body::Body, codegen::Service};

use super::{
    connection::{Connection, End},
    info::Info,
    node::Node,
    streams::StreamsService,
    wire::event_store::client::{
        gossip::gossip_server::GossipServer, server_features::server_features_server::ServerFeaturesServer,
        streams::streams_server::StreamsServer,
    },
};

/// The largest message that is taken: more than any append may have.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a client may send ahead, so that large appends and many at once do not wait for each other.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Calls at the same time on one connection.
const CALLS_MAX: u32 = 10_000;

/// How a run of a node is ended from outside.
#[derive(Clone, Debug)]
pub(super) struct Life {
    /// Cancelled when the node dies: no new connections.
    pub(super) is_over: CancellationToken,
    /// Counts how often all connections were reset.
    pub(super) resets: watch::Sender<u64>,
}

/// Accepts connections until the node dies.
pub(super) async fn accept(listener: TcpListener, node: Arc<Node>, life: Life) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here is one connection's that is gone already.
                let Ok((stream, _)) = accepted else { continue };
                // The answers are small: none may wait for the next.
                let _ = stream.set_nodelay(true);
                node.tasks.spawn(serve(stream, Arc::clone(&node), life.clone()));
            }
            () = life.is_over.cancelled() => return,
        }
    }
}

/// Serves one connection until it ends.
async fn serve(stream: TcpStream, node: Arc<Node>, life: Life) {
    let mut resets = life.resets.subscribe();
    let (connection, socket) = Connection::new(stream, CancellationToken::new());
    let tls = node.tls.clone();
    let served = async {
        match tls {
            // Whoever shakes hands wrongly is not served.
            Some(tls) => {
                if let Ok(socket) = tls.acceptor.accept(socket).await {
                    speak(socket, node, &connection).await;
                }
            }
            None => speak(socket, node, &connection).await,
        }
    };
    tokio::select! {
        () = served => {}
        () = connection.is_over.cancelled() => {}
        _ = resets.changed() => connection.end(End::Reset),
        () = life.is_over.cancelled() => connection.end(End::Reset),
    }
    connection.is_over.cancel();
}

/// Speaks HTTP/2 with prior knowledge until the client has enough.
async fn speak(socket: impl AsyncRead + AsyncWrite + Unpin + 'static, node: Arc<Node>, connection: &Connection) {
    let executor = Requests { tasks: node.tasks.clone(), is_over: connection.is_over.clone() };
    let routes = Routes::new(node);
    let service = service_fn(|request: Request<Incoming>| routes.clone().call(request, connection.clone()));
    let served = http2::Builder::new(executor)
        .max_concurrent_streams(CALLS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .serve_connection(TokioIo::new(socket), service);
    // How a connection ends is the client's affair.
    let _ = served.await;
}

/// Runs the requests of a connection, which end with it.
#[derive(Clone, Debug)]
struct Requests {
    tasks: TaskTracker,
    is_over: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Requests
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let is_over = self.is_over.clone();
        self.tasks.spawn(async move { is_over.run_until_cancelled(request).await });
    }
}

/// The services of a node by their paths.
#[derive(Clone, Debug)]
struct Routes {
    streams: StreamsServer<StreamsService>,
    gossip: GossipServer<Info>,
    features: ServerFeaturesServer<Info>,
}

impl Routes {
    fn new(node: Arc<Node>) -> Self {
        let info = Info(Arc::clone(&node));
        let streams = StreamsServer::new(StreamsService(node)).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Self { streams, gossip: GossipServer::new(info.clone()), features: ServerFeaturesServer::new(info) }
    }

    fn call(
        mut self,
        request: Request<Incoming>,
        connection: Connection,
    ) -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(connection);
        let service = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        match service {
            "event_store.client.streams.Streams" => self.streams.call(request),
            "event_store.client.gossip.Gossip" => self.gossip.call(request),
            "event_store.client.server_features.ServerFeatures" => self.features.call(request),
            _ => Box::pin(async { Ok(Status::unimplemented("The double does not have this service").into_http()) }),
        }
    }
}
