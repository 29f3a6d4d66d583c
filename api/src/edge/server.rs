//! Accepts connections: bounded in number, patient with no one, drained on a stop.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use infrastructure::lifecycle::Lifecycle;
use tokio::{net::TcpListener, sync::Semaphore};

/// How many TCP connections are open at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 25_000;
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes a request's head may have.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long to wait after the system refused a connection, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `lifecycle` stops. Its connections are tasks of `lifecycle`: each answers the request it is at,
/// then closes.
pub async fn serve(listener: TcpListener, router: Router, lifecycle: Lifecycle) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            biased;
            () = lifecycle.stopping() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are written whole; waiting to fill a packet only adds delay.
        let _ = stream.set_nodelay(true);
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone())).with_upgrades();
        let stop = lifecycle.clone();
        lifecycle.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            // A connection that breaks is the client's affair.
            let is_over = tokio::select! {
                biased;
                _ = &mut connection => true,
                () = stop.stopping() => false,
            };
            if !is_over {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
            drop(place);
        });
    }
}
