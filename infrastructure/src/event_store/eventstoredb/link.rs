//! One connection to one node: TCP, TLS if wanted, HTTP/2.
//!
//! **Invariant:** what is written is sent at once. HTTP/2 writes the head of a request and its content apart; with
//! Nagle's algorithm the second would wait until the node has acknowledged the first, for which its kernel takes up to
//! 40 ms, as it hopes to send the acknowledgement along with an answer.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Handle,
    task::spawn_blocking,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{body::Body, codegen::Service};

use super::{
    address::Node,
    failure::Failure,
    settings::{Security, Settings},
};

/// A connection. It ends with its last holder, and whatever is under way on it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) settings: Arc<Settings>,
    pub(super) origin: Uri,
    http: Http,
    _tasks: Arc<DropGuard>,
}

impl Link {
    /// Connects to `node`. Nothing was asked of it when this fails.
    pub(super) async fn connect(node: &Node, settings: &Arc<Settings>) -> Result<Self, Failure> {
        let unreachable = |why: String| Failure::Unreachable(format!("{node}: {why}"));
        let scheme = if settings.security.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{node}").parse().map_err(|_| unreachable("it is no address".to_owned()))?;
        let stream = TcpStream::connect((node.bare_host(), node.port)).await;
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        let (http, tasks) = match &settings.security {
            Some(security) => {
                let stream = secured(stream, node, security.clone()).await.map_err(unreachable)?;
                speak(stream, settings).await
            }
            None => speak(stream, settings).await,
        }
        .map_err(|error| unreachable(error.to_string()))?;
        Ok(Self { settings: Arc::clone(settings), origin, http, _tasks: Arc::new(tasks) })
    }

    /// Whether a call can be sent on it, as far as this side knows.
    pub(super) fn is_open(&self) -> bool {
        !self.http.0.is_closed()
    }

    /// What sends requests on it.
    pub(super) fn http(&self) -> Http {
        self.http.clone()
    }
}

/// TLS over `stream`, as far as the node's certificate is trusted.
async fn secured(stream: TcpStream, node: &Node, security: Security) -> Result<impl Io, String> {
    let config = spawn_blocking(move || security.config()).await.map_err(|error| error.to_string())??;
    let name = ServerName::try_from(node.bare_host().to_owned()).map_err(|error| error.to_string())?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())
}

/// What HTTP/2 is spoken over.
trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// HTTP/2 over `stream`, by tasks that end with the guard.
async fn speak(stream: impl Io, settings: &Settings) -> hyper::Result<(Http, DropGuard)> {
    let tasks = Tasks(CancellationToken::new());
    let mut builder = Builder::new(tasks.clone());
    if let Some((interval, timeout)) = settings.keep_alive {
        builder.timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(timeout);
    }
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tasks.execute(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the event store ended: {error}");
        }
    });
    Ok((Http(sender), tasks.0.drop_guard()))
}

/// Runs what a connection needs, until it is over.
#[derive(Clone, Debug)]
struct Tasks(CancellationToken);

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        let is_over = self.0.clone();
        // They end with the connection, so they are none of the process's own tasks.
        drop(Handle::current().spawn(async move { is_over.run_until_cancelled(task).await }));
    }
}

/// Sends requests, as gRPC wants it.
#[derive(Clone, Debug)]
pub(super) struct Http(SendRequest<Body>);

impl Service<Request<Body>> for Http {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, hyper::Result<Response<Incoming>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

#[cfg(test)]
mod tests;
