//! Encrypted connections: who vouches for the server.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::open::PostgresOpenError;

/// A connector that takes only a server whose certificate is right and names the host: what `sslmode=verify-full` means
/// elsewhere. The provider of the cryptography is chosen here and not left to whatever a process has as its default.
pub(super) fn connector(root_certificate: Option<&Path>) -> Result<MakeRustlsConnect, PostgresOpenError> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresOpenError::Tls(error.to_string()))?
        .with_root_certificates(roots(root_certificate)?)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, PostgresOpenError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = file {
        let unreadable = |says: String| PostgresOpenError::Tls(format!("{}: {says}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unreadable("it holds no certificate".to_owned()));
        }
        return Ok(roots);
    }
    // One that cannot be read does not make the others worse.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let says = "this system trusts no certificate at all; install ca-certificates, or name the file with the \
                    server's authority (sslrootcert)";
        return Err(PostgresOpenError::Tls(says.to_owned()));
    }
    Ok(roots)
}
