//! Each way in which opening fails has its own error: against servers that only go as far as the test needs.

use std::{future::Future, path::Path};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use super::{
    super::{density::Density, supervise::Supervisor},
    *,
};

const AUTHORITY: &str = include_str!("tests/authority.pem");
const NODE: &str = include_str!("tests/node.pem");
const KEY: &str = include_str!("tests/node.key.pem");

/// What a server does with a connection.
#[derive(Clone, Copy)]
enum Talk {
    /// Plain HTTP/2, and nothing after the settings.
    Http2,
    /// TLS, and nothing inside.
    Tls,
    /// Closes at once.
    Close,
}

/// A server that talks like that, as long as the answer is held, and its port.
async fn server(talk: Talk) -> (JoinSet<()>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.spawn(talk_on(connection, talk));
        }
    });
    (tasks, port)
}

async fn talk_on(mut connection: TcpStream, talk: Talk) {
    let mut hello = [0; HTTP2_HELLO.len()];
    match talk {
        Talk::Http2 => {
            // A client that speaks TLS is closed on, as an HTTP/2 server does.
            if connection.read_exact(&mut hello).await.is_ok() && hello.starts_with(b"PRI") {
                let _ = connection.write_all(b"\0\0\0\x04\0\0\0\0\0").await;
                let _ = connection.read(&mut hello).await;
            }
        }
        Talk::Tls => {
            if let Ok(mut inside) = acceptor().accept(connection).await {
                let _ = inside.read(&mut hello).await;
            }
        }
        Talk::Close => {}
    }
}

fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(NODE.as_bytes()).collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}

fn options(text: &str) -> EventStoreDbOptions {
    let mut options = EventStoreDbOptions::try_new(text).expect("options");
    options.open_deadline = Duration::from_millis(300);
    options.call_timeout = options.open_deadline;
    options
}

async fn open(options: EventStoreDbOptions) -> Result<Position, OpenError> {
    let supervisor = Supervisor::new(options.settings(), options.call_timeout);
    let shared = Shared { supervisor, options, density: Density::new() };
    first_head(&shared).await
}

/// The error of an open against a server that talks like that.
async fn error_of(talk: Talk, rest: &str) -> OpenError {
    let (_server, port) = server(talk).await;
    within(open(options(&format!("esdb://admin:s3cret@127.0.0.1:{port}{rest}")))).await
}

async fn within(open: impl Future<Output = Result<Position, OpenError>>) -> OpenError {
    let outcome = timeout(Duration::from_secs(20), open).await.expect("an end in time");
    let error = outcome.expect_err("nobody to open");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    error
}

#[tokio::test]
async fn a_name_that_leads_nowhere() {
    let error = within(open(options("esdb://no-such-host.invalid"))).await;
    assert_eq!(error, OpenError::HostNotFound { host: "no-such-host.invalid".to_owned() });
    assert!(error.to_string().contains("check the name"));
}

#[tokio::test]
async fn a_port_without_a_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let error = within(open(options(&format!("esdb://{address}?tls=false")))).await;
    assert!(error.to_string().contains("is the server running"), "{error}");
    assert_eq!(error, OpenError::Refused { address });
}

#[tokio::test]
async fn tls_where_the_server_has_none() {
    for talk in [Talk::Http2, Talk::Close] {
        let error = error_of(talk, "").await;
        assert!(matches!(error, OpenError::TlsUnknown { .. }), "{error:?}");
        assert!(error.to_string().contains("tls=false"));
    }
}

#[tokio::test]
async fn no_tls_where_the_server_wants_it() {
    let error = error_of(Talk::Tls, "?tls=false").await;
    assert!(matches!(error, OpenError::TlsWanted { .. }), "{error:?}");
    assert!(error.to_string().contains("remove tls=false"));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for() {
    let error = error_of(Talk::Tls, "").await;
    let OpenError::CertificateNotTrusted { why, .. } = &error else { panic!("{error:?}") };
    assert!(why.to_lowercase().contains("issuer") && error.to_string().contains("tlsCAFile"), "{error}");
}

#[tokio::test]
async fn with_its_authority_the_certificate_is_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("authority.pem");
    std::fs::write(&path, AUTHORITY).expect("written");
    let (_server, port) = server(Talk::Tls).await;
    let trusting = options(&format!("esdb://localhost:{port}")).with_ca_file(&path);
    // The server says nothing inside TLS, so it is not ready, but trusted.
    let error = within(open(trusting)).await;
    assert!(matches!(error, OpenError::NotReady(_)), "{error:?}");
    let error = error_of(Talk::Tls, "?tlsVerifyCert=false").await;
    assert!(matches!(error, OpenError::NotReady(_)), "{error:?}");
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").expect("written");
    for path in [Path::new("/no/such/file.pem"), &empty] {
        let (_server, port) = server(Talk::Tls).await;
        let error = within(open(options(&format!("esdb://localhost:{port}")).with_ca_file(path))).await;
        let OpenError::CertificateFile { path: named, .. } = &error else { panic!("{error:?}") };
        assert_eq!(Path::new(named), path);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_more() {
    let error = error_of(Talk::Http2, "?tls=false").await;
    assert!(matches!(error, OpenError::NotReady(_)), "{error:?}");
}
