//! Options never show who asks.

use super::*;

fn options(text: &str) -> EventStoreDbOptions {
    EventStoreDbOptions::try_new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_shown_holds_no_user_and_no_password() {
    let options = options("esdb://us3r:s3cret@db.example:2113?tls=false");
    let others = options.clone().with_user("us3r2", "s3cret2");
    for shown in [format!("{options:?}"), format!("{others:#?}")] {
        assert!(shown.contains("db.example") && shown.contains("append_budget"), "{shown}");
        assert!(!shown.contains("us3r") && !shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn a_user_given_apart_takes_the_place_of_the_one_in_the_string() {
    let shown = |options: EventStoreDbOptions| {
        let shown = options.settings().metadata.get("authorization").map(|value| value.as_bytes().to_vec());
        shown.map(|value| String::from_utf8(value).expect("ASCII"))
    };
    assert_eq!(shown(options("esdb://db")), None);
    // `a:@` and `c:d e` in base64.
    assert_eq!(shown(options("esdb://a:%40@db")).as_deref(), Some("Basic YTpA"));
    assert_eq!(shown(options("esdb://a:b@db").with_user("c", "d e")).as_deref(), Some("Basic YzpkIGU="));
}

#[test]
fn the_string_may_name_the_file_of_authorities() {
    assert_eq!(options("esdb://db?tlsCAFile=/ca.pem").ca_file(), Some(&PathBuf::from("/ca.pem")));
    let other = options("esdb://db?tlsCAFile=/ca.pem").with_ca_file("/own.pem");
    assert_eq!(other.ca_file(), Some(&PathBuf::from("/own.pem")));
    let security = other.settings().security.clone().expect("TLS is on");
    assert_eq!(security.ca_file, Some(PathBuf::from("/own.pem")));
    assert_eq!(options("esdb://db?tls=false&tlsCAFile=/ca.pem").settings().security, None);
}

#[test]
fn this_machine_is_known_by_name_and_address() {
    for local in ["esdb://localhost:1", "esdb://127.0.0.1", "esdb://[::1]:9", "esdb://127.0.0.2,localhost"] {
        assert!(options(local).is_local(), "{local}");
    }
    for remote in ["esdb://db", "esdb://10.0.0.1", "esdb://localhost,db"] {
        assert!(!options(remote).is_local(), "{remote}");
    }
}
