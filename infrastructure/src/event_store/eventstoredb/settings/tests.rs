//! What a client shows, and what it trusts.

use std::path::Path;

use super::*;

fn user() -> User {
    User { name: "us3r".to_owned(), password: "s3cret".to_owned() }
}

/// A file beside the tests of diagnose.rs.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/event_store/eventstoredb/diagnose/tests").join(name)
}

fn security() -> Security {
    Security { ca_file: Some(file("authority.pem")), verifies_certificates: true, certificate: None }
}

#[test]
fn who_asks_is_shown_to_the_server_and_to_nobody_else() {
    let metadata = metadata(Some(&user()), Some("shop"));
    assert_eq!(metadata.get("requires-leader").map(MetadataValue::as_bytes), Some(&b"true"[..]));
    assert_eq!(metadata.get("connection-name").map(MetadataValue::as_bytes), Some(&b"shop"[..]));
    let told = metadata.get("authorization").expect("there is a user");
    assert_eq!(told.as_bytes(), b"Basic dXMzcjpzM2NyZXQ=");
    let shown = format!("{metadata:?}");
    assert!(!shown.contains("dXMzcj"), "{shown}");
}

#[test]
fn without_a_user_nothing_is_shown_of_one() {
    let metadata = metadata(None, Some("no\nheader"));
    assert!(metadata.get("authorization").is_none() && metadata.get("connection-name").is_none());
}

#[test]
fn a_connection_speaks_http2_or_nothing() {
    let config = security().config().expect("a file of authorities");
    assert_eq!(config.alpn_protocols, [b"h2"]);
    assert!(!config.client_auth_cert_resolver.has_certs());
}

#[test]
fn a_certificate_of_its_own_is_shown() {
    let own = Some((file("node.pem"), file("node.key.pem")));
    let config = Security { certificate: own, ..security() }.config().expect("files");
    assert!(config.client_auth_cert_resolver.has_certs());
}

#[test]
fn files_that_hold_something_else_are_an_error() {
    let nowhere = PathBuf::from("/no/such/file");
    let wrong = [
        Security { ca_file: Some(nowhere.clone()), ..security() },
        Security { ca_file: Some(file("node.key.pem")), ..security() },
        Security { certificate: Some((nowhere.clone(), file("node.key.pem"))), ..security() },
        Security { certificate: Some((file("node.pem"), nowhere)), ..security() },
        // A key that is not the certificate's.
        Security { certificate: Some((file("authority.pem"), file("node.key.pem"))), ..security() },
    ];
    for security in wrong {
        assert!(security.config().is_err(), "{security:?}");
    }
}
