//! TLS with a certificate that lives as long as the double.

use std::{path::PathBuf, sync::Arc};

use tempfile::TempDir;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        version::{TLS12, TLS13},
    },
};

/// What a node shows who it is with.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    folder: TempDir,
}

impl Tls {
    /// A fresh certificate for these names.
    pub(super) fn new(names: &[String]) -> Arc<Self> {
        let certified = rcgen::generate_simple_self_signed(names.to_vec()).expect("plain names make a certificate");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tls = Self { acceptor: acceptor(&certified), folder };
        std::fs::write(tls.ca_file(), certified.cert.pem()).expect("a temporary folder can be written to");
        Arc::new(tls)
    }

    /// A file with the certificate, for who is to trust it.
    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

fn acceptor(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_protocol_versions(&[&TLS12, &TLS13])
        .expect("the provider has both versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("the key is the certificate's");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("folder", &self.folder).finish_non_exhaustive()
    }
}
