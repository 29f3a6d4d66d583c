//! How a client connects, put together once from the options. Holds the password and never shows it.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use super::{address::Node, options::User};
use crate::tls;

/// What HTTP/2 is called where TLS agrees on a protocol.
const HTTP2: &[u8] = b"h2";

/// How a client connects.
#[derive(Clone)]
pub(super) struct Settings {
    /// Where to ask; at least one.
    pub(super) seeds: Vec<Node>,
    /// Whether the seeds are asked who leads; otherwise the only one is the server.
    pub(super) is_cluster: bool,
    /// How connections are secured; none if they are not.
    pub(super) security: Option<Security>,
    /// How often a connection in use is tried, and how long the answer may take; none if it never is.
    pub(super) keep_alive: Option<(Duration, Duration)>,
    pub(super) search: Search,
    /// What every call shows the server.
    pub(super) metadata: MetadataMap,
    /// How long the server need not try any more.
    pub(super) call_timeout: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Settings").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// How the leader is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// How often all seeds are asked.
    pub(super) attempts: u32,
    /// The pause after each time.
    pub(super) pause: Duration,
    /// How long a node may take to answer.
    pub(super) timeout: Duration,
}

/// Whom to trust, and with what to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Security {
    /// The file of authorities, instead of the system's.
    pub(super) ca_file: Option<PathBuf>,
    /// Whether the server's certificate is looked at.
    pub(super) verifies_certificates: bool,
    /// The files of this client's certificate and key.
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
}

impl Security {
    /// Reads the files, each time anew: certificates are replaced while processes run.
    pub(super) fn config(&self) -> Result<ClientConfig, String> {
        let mut config = tls::client(tls::roots(self.ca_file.as_deref())?);
        if !self.verifies_certificates {
            let verifier = Unverified(Arc::clone(config.crypto_provider()));
            config.dangerous().set_certificate_verifier(Arc::new(verifier));
        }
        if let Some((certificate, key)) = &self.certificate {
            let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("the client's key: {error}"))?;
            let chain: Vec<_> = chain.map_err(|error| format!("the client's certificate: {error}"))?;
            let own = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
            let own = own.map_err(|error| format!("the client's certificate: {error}"))?;
            config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(own));
        }
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(config)
    }
}

/// Takes every certificate, as somebody has asked for who wrote `tlsVerifyCert=false`. The other side must still own it.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What every call shows the server: who asks, that only the leader may answer, and the name of the connection.
pub(super) fn metadata(user: Option<&User>, connection: Option<&str>) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert("requires-leader", MetadataValue::from_static("true"));
    if let Some(User { name, password }) = user {
        let text = format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")));
        let mut value: MetadataValue<Ascii> = text.parse().expect("base64 is ASCII");
        // Kept out of log lines, and out of the compression's memory.
        value.set_sensitive(true);
        metadata.insert("authorization", value);
    }
    // A name that no header can hold is of use to nobody.
    if let Some(name) = connection.and_then(|name| name.parse().ok()) {
        metadata.insert("connection-name", name);
    }
    metadata
}

#[cfg(test)]
mod tests;
