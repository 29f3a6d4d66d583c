//! Encrypted connections: who vouches for the server.

use std::path::Path;

use tokio_postgres_rustls::MakeRustlsConnect;

use super::open::PostgresOpenError;
use crate::tls;

/// A connector that takes only a server whose certificate is right and names the host: what `sslmode=verify-full` means
/// elsewhere.
pub(super) fn connector(root_certificate: Option<&Path>) -> Result<MakeRustlsConnect, PostgresOpenError> {
    let unreadable = |says: String| {
        let path = root_certificate.map(|path| format!("{}: ", path.display())).unwrap_or_default();
        PostgresOpenError::Tls(format!("{path}{says}"))
    };
    let roots = tls::roots(root_certificate).map_err(unreadable)?;
    if roots.is_empty() {
        let says = "this system trusts no certificate at all; install ca-certificates, or name the file with the \
                    server's authority (sslrootcert)";
        return Err(PostgresOpenError::Tls(says.to_owned()));
    }
    Ok(MakeRustlsConnect::new(tls::client(roots)))
}
