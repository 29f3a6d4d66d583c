//! Opening, and what stands in its way.
//!
//! The client says no more than that it has no connection. So when opening fails, each step of a connection is taken
//! by hand: the name, the port, the TLS or its absence, the certificate, the user.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, pki_types::ServerName},
};
use uuid::Uuid;

use super::{
    super::{Direction, Position, Revision, StreamId},
    EventStoreDbOptions, OpenError, Shared,
    address::Node,
    backoff::Backoff,
    failure::Failure,
};
use crate::tls;

/// How long one step may take.
const STEP_MAX: Duration = Duration::from_secs(3);
/// The pause between two tries to open.
const OPEN_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// How an HTTP/2 client begins to talk: the preface and an empty frame of settings.
const HTTP2_HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The type of a frame of settings, and where it stands.
const HTTP2_SETTINGS: (usize, u8) = (3, 4);

/// The last position of the log, by the first calls. A server that is just starting is waited for.
pub(super) async fn first_head(shared: &Shared) -> Result<Position, OpenError> {
    let deadline = Instant::now() + shared.options.open_deadline;
    let mut backoff = Backoff::new(OPEN_PAUSES.0, OPEN_PAUSES.1);
    loop {
        let failure = match timeout_at(deadline, shared.head_once()).await {
            Ok(Ok(head)) => return Ok(head),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::TimedOut,
        };
        let error = explain(shared, failure).await;
        let pause = backoff.next();
        if !may_pass(&error) || Instant::now() + pause >= deadline {
            return Err(error);
        }
        tracing::warn!(%error, "the event store is not open yet: {error}");
        sleep(pause).await;
    }
}

/// Whether the server may still come up.
const fn may_pass(error: &OpenError) -> bool {
    match error {
        OpenError::HostNotFound { .. }
        | OpenError::Refused { .. }
        | OpenError::NoAnswer { .. }
        | OpenError::NotReady(_) => true,
        OpenError::Scheme { .. }
        | OpenError::Unparsable(_)
        | OpenError::NodePreference
        | OpenError::TlsWanted { .. }
        | OpenError::TlsUnknown { .. }
        | OpenError::CertificateNotTrusted { .. }
        | OpenError::CertificateFile { .. }
        | OpenError::UserWanted
        | OpenError::WrongCredentials
        | OpenError::NotPermitted => false,
    }
}

/// What is behind the failure of a first call.
async fn explain(shared: &Shared, failure: Failure) -> OpenError {
    let options = &shared.options;
    if failure == Failure::AccessDenied {
        return explain_denial(shared).await;
    }
    let mut first = None;
    for node in &options.address().nodes {
        match probe(node, options).await {
            // This one can be talked to, so the trouble is further behind.
            Ok(()) => return OpenError::NotReady(failure.into_store_error()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.unwrap_or_else(|| OpenError::NotReady(failure.into_store_error()))
}

/// The client does not tell a wrong password from a missing right. Any user may read a stream that does not exist.
async fn explain_denial(shared: &Shared) -> OpenError {
    if shared.options.user_name().is_none() {
        return OpenError::UserWanted;
    }
    let nowhere = StreamId::new("access", Uuid::nil());
    match shared.stream_page(&nowhere, Revision::FIRST, Direction::Forwards, 1).await {
        Err(Failure::AccessDenied) => OpenError::WrongCredentials,
        Ok(_) | Err(_) => OpenError::NotPermitted,
    }
}

/// Takes the steps of a connection to `node`.
async fn probe(node: &Node, options: &EventStoreDbOptions) -> Result<(), OpenError> {
    let address = node.to_string();
    let host = node.bare_host();
    let no_answer = |why: &str| OpenError::NoAnswer { address: address.clone(), why: why.to_owned() };
    let found = timeout(STEP_MAX, lookup_host((host, node.port))).await;
    let found: Vec<_> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(_)) => Vec::new(),
        Err(_) => return Err(no_answer("its name is not resolved in time")),
    };
    if found.is_empty() {
        return Err(OpenError::HostNotFound { host: node.host.clone() });
    }
    let connection = match timeout(STEP_MAX, TcpStream::connect(&found[..])).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(OpenError::Refused { address });
        }
        Ok(Err(error)) => return Err(no_answer(&error.to_string())),
        Err(_) => return Err(no_answer("no answer in time")),
    };
    if options.uses_tls() {
        return probe_tls(connection, host, address, options).await;
    }
    match speaks_http2(connection).await {
        Some(true) => Ok(()),
        Some(false) => Err(OpenError::TlsWanted { address }),
        None => Err(no_answer("it takes the connection and says nothing")),
    }
}

/// Whether the other side answers plain HTTP/2 with its settings. TLS would send an alert, or close; none: it is silent.
async fn speaks_http2(mut connection: TcpStream) -> Option<bool> {
    let mut head = [0; 9];
    let talk = async {
        connection.write_all(HTTP2_HELLO).await?;
        connection.read_exact(&mut head).await
    };
    let talked = timeout(STEP_MAX, talk).await.ok()?;
    Some(talked.is_ok() && head[HTTP2_SETTINGS.0] == HTTP2_SETTINGS.1)
}

async fn probe_tls(
    connection: TcpStream,
    host: &str,
    address: String,
    options: &EventStoreDbOptions,
) -> Result<(), OpenError> {
    let config = tls(options)?;
    let Ok(name) = ServerName::try_from(host.to_owned()) else { return Ok(()) };
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, connection);
    let error = match timeout(STEP_MAX, handshake).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error,
        Err(_) => return Err(OpenError::NoAnswer { address, why: "no TLS handshake in time".to_owned() }),
    };
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) if !options.address().verifies_certificates => Ok(()),
        Some(rustls::Error::InvalidCertificate(why)) => {
            Err(OpenError::CertificateNotTrusted { address, why: why.to_string() })
        }
        // The server speaks TLS and does not like ours.
        Some(rustls::Error::AlertReceived(_)) => Ok(()),
        Some(_) | None => Err(OpenError::TlsUnknown { address }),
    }
}

/// TLS as the client does it.
fn tls(options: &EventStoreDbOptions) -> Result<ClientConfig, OpenError> {
    let file = options.ca_file().map(PathBuf::as_path);
    let unusable =
        |why| OpenError::CertificateFile { path: file.map(|path| path.display().to_string()).unwrap_or_default(), why };
    Ok(tls::client(tls::roots(file).map_err(unusable)?))
}

#[cfg(test)]
mod tests;
