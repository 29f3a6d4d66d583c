//! Connection strings: what is understood, what is not, and that no password comes out.

use super::*;

fn parse(text: &str) -> (Address, Option<(String, String)>) {
    let (address, user) = Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    (address, user.map(|user| (user.name, user.password)))
}

fn nodes(text: &str) -> Vec<String> {
    parse(text).0.nodes.iter().map(Node::to_string).collect()
}

fn why(text: &str) -> OpenError {
    match Address::parse(text) {
        Ok((address, _)) => panic!("{text} is understood as {address:?}"),
        Err(error) => error,
    }
}

#[test]
fn hosts_are_read_with_and_without_ports() {
    assert_eq!(nodes("esdb://db"), ["db:2113"]);
    assert_eq!(nodes("esdb://db:1/"), ["db:1"]);
    assert_eq!(nodes("esdb://a:1,b:2,c?tls=false"), ["a:1", "b:2", "c:2113"]);
    assert_eq!(nodes("kurrentdb+discover://u:p@cluster.example:7"), ["cluster.example:7"]);
    assert_eq!(nodes("kdb://[::1]:5"), ["[::1]:5"]);
    assert_eq!(nodes("ESDB://[::1]"), ["[::1]:2113"]);
}

#[test]
fn tls_is_on_unless_it_says_otherwise() {
    assert!(parse("esdb://db").0.tls);
    assert!(parse("esdb://db?tls=true&tlsVerifyCert=false").0.tls);
    assert!(!parse("esdb://db?TLS=false").0.tls);
    assert!(!parse("esdb://db?tlsVerifyCert=false").0.verifies_certificates);
}

#[test]
fn user_and_password_are_decoded() {
    let user = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
    assert_eq!(parse("esdb://db").1, None);
    assert_eq!(parse("esdb://admin:changeit@db").1, user("admin", "changeit"));
    assert_eq!(parse("esdb://a%40b:%2Fp%3a%25%C3%A4@db?tls=false").1, user("a@b", "/p:%ä"));
    assert_eq!(parse("esdb://a:p@ss@db").1, user("a", "p@ss"));
    assert_eq!(parse("esdb://a:b:c@db").1, user("a", "b:c"));
    assert_eq!(parse("esdb://a@db").1, user("a", ""));
}

#[test]
fn what_is_not_understood_is_said_without_a_word_of_the_string() {
    let secret = "s3cretPart";
    let broken = [
        format!("admin:{secret}@db:2113"),
        format!("esdb://admin:{secret}/x@db"),
        format!("esdb://admin:{secret}?x@db"),
        format!("esdb://admin:{secret}#x@db"),
        format!("esdb://admin:{secret}%zz@db"),
        format!("esdb://admin:{secret}%4"),
        format!("esdb://admin:{secret}"),
        format!("esdb://admin:{secret}@"),
        format!("esdb://admin:{secret}@db:port"),
        format!("esdb://admin:{secret}@db:70000"),
        format!("esdb://admin:{secret}@db/path"),
        format!("esdb://admin:{secret}@d b"),
        format!("esdb://admin:{secret}@db?{secret}=1"),
        format!("esdb://admin:{secret}@db?tls={secret}"),
        format!("esdb://admin:{secret}@db?tls"),
        format!("esdb://admin:{secret}@db?gossipTimeout={secret}"),
        format!("esdb+discover://admin:{secret}@a,b"),
        format!("esdb://admin:{secret}@[::1"),
        format!("{secret}://db"),
        format!("admin:{secret}://db"),
        format!("esdb://admin:{secret}@db?nodePreference=follower"),
    ];
    for text in &broken {
        let error = why(text);
        let is_scheme = matches!(&error, OpenError::Scheme { found } if *found == secret.to_lowercase());
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(is_scheme || !shown.to_lowercase().contains(&secret.to_lowercase()), "{text}: {shown}");
        }
    }
}

#[test]
fn each_mistake_has_its_own_error() {
    assert_eq!(why("postgres://db"), OpenError::Scheme { found: "postgres".to_owned() });
    assert_eq!(why("esdb://db?nodePreference=follower"), OpenError::NodePreference);
    assert_eq!(parse("esdb://db?nodePreference=Leader").0.nodes.len(), 1);
    for text in ["db:2113", "esdb://", "esdb://a,,b", "esdb://db?x=1"] {
        assert!(matches!(why(text), OpenError::Unparsable(_)), "{text}");
    }
}

#[test]
fn the_client_gets_a_string_that_it_understands_as_we_do() {
    let cases = [
        ("esdb://db", "esdb://db:2113?discoveryinterval=100&gossiptimeout=2000"),
        (
            "esdb://a:1,b:2?tls=false&discoveryInterval=7",
            "esdb://a:1,b:2?tls=false&discoveryinterval=7&gossiptimeout=2000",
        ),
        ("esdb+discover://u:p@c/?gossipTimeout=9", "esdb+discover://u:p@c:2113?gossiptimeout=9&discoveryinterval=100"),
        // Not as the client would read it; it is told the user with each call.
        ("esdb://u:p%40@db?gossipTimeout=9", "esdb://db:2113?gossiptimeout=9&discoveryinterval=100"),
    ];
    for (text, expected) in cases {
        let (address, user) = Address::parse(text).expect("understood");
        let for_client = address.for_client(user.as_ref(), None);
        assert_eq!(for_client, expected);
        let settings: eventstore::ClientSettings = for_client.parse().expect("understood by the client");
        let hosts: Vec<_> = settings.hosts().iter().map(|host| format!("{}:{}", host.host, host.port)).collect();
        assert_eq!(hosts, address.nodes.iter().map(Node::to_string).collect::<Vec<_>>());
        assert_eq!(settings.is_secure_mode_enabled(), address.tls);
    }
}

#[test]
fn a_file_of_authorities_is_passed_on_where_there_is_tls() {
    let path = Path::new("/etc/my ca,&.pem");
    let (address, _) = Address::parse("esdb://db?tlsCaFile=%2Fother").expect("understood");
    assert_eq!(address.ca_file(), Some(PathBuf::from("/other")));
    let settings: eventstore::ClientSettings = address.for_client(None, Some(path)).parse().expect("understood");
    assert_eq!(settings.tls_ca_file().map(String::as_str), path.to_str());
    let (plain, _) = Address::parse("esdb://db?tls=false").expect("understood");
    let settings: eventstore::ClientSettings = plain.for_client(None, Some(path)).parse().expect("understood");
    assert_eq!(settings.tls_ca_file(), None);
}

#[test]
fn broken_percent_encoding_is_no_text() {
    assert_eq!(decode("a%20b%C3%9F"), Some("a bß".to_owned()));
    for broken in ["%", "%4", "%zz", "%+1", "%FF", "a%C3"] {
        assert_eq!(decode(broken), None, "{broken}");
    }
}
