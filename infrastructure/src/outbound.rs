//! The way out to other servers: POST over HTTP/1.1, with TLS where the URL says so.
//!
//! It follows no redirection, uses no proxy and reads no variable: what it is given is where it goes, with the secrets
//! in the headers.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Request, Response, Uri, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::TokioExecutor,
};

/// What this program calls itself.
pub const USER_AGENT: &str = concat!("millrace/", env!("CARGO_PKG_VERSION"));

/// How long a connection may take to come about.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often a silent connection is looked at, so that a wait for a long answer ends if the other side is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A client for the servers of one scheme.
#[derive(Clone, Debug)]
pub struct HttpClient(Either);

/// Certificates are looked for only where they are needed: not every machine has some.
#[derive(Clone, Debug)]
enum Either {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Secure(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl HttpClient {
    /// A client for this URL and others of its scheme. Nothing is sent yet. Fails if the system has no certificates to
    /// trust.
    pub fn for_url(url: &str) -> io::Result<Self> {
        let builder = Client::builder(TokioExecutor::new());
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WAIT_MAX));
        connector.set_keepalive(Some(KEEPALIVE));
        // Small requests are not kept back in the hope of more.
        connector.set_nodelay(true);
        let is_secure = url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        if !is_secure {
            return Ok(Self(Either::Plain(builder.build(connector))));
        }
        connector.enforce_http(false);
        let roots = HttpsConnectorBuilder::new().with_native_roots()?;
        Ok(Self(Either::Secure(builder.build(roots.https_only().enable_http1().wrap_connector(connector)))))
    }

    /// Sends `body` and gives the answer, its body unread.
    pub async fn post(&self, uri: Uri, headers: HeaderMap, body: Bytes) -> Result<Response<Incoming>, Error> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        match &self.0 {
            Either::Plain(client) => client.request(request).await,
            Either::Secure(client) => client.request(request).await,
        }
    }
}
