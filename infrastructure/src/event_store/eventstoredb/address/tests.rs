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
fn several_nodes_or_a_name_that_leads_to_them_are_a_cluster() {
    for (text, is_cluster) in
        [("esdb://db", false), ("esdb://a,b", true), ("esdb+discover://c", true), ("kdb+discover://u:p@c:1", true)]
    {
        assert_eq!(parse(text).0.is_cluster(), is_cluster, "{text}");
    }
}

#[test]
fn how_to_search_and_when_to_try_a_connection_is_told_in_milliseconds() {
    let millis = Duration::from_millis;
    let usual = Search { attempts: 3, pause: millis(100), timeout: millis(2_000) };
    assert_eq!(parse("esdb://db").0.search(), usual);
    assert_eq!(parse("esdb://db").0.keep_alive(), Some((millis(10_000), millis(10_000))));
    let (told, _) =
        parse("esdb://db?maxDiscoverAttempts=7&discoveryInterval=8&gossipTimeout=9&keepAliveInterval=20000");
    assert_eq!(told.search(), Search { attempts: 7, pause: millis(8), timeout: millis(9) });
    assert_eq!(told.keep_alive(), Some((millis(20_000), millis(10_000))));
    for never in ["esdb://db?keepAliveInterval=-1", "esdb://db?keepAliveTimeout=-1"] {
        assert_eq!(parse(never).0.keep_alive(), None, "{never}");
    }
    let (hasty, _) = parse("esdb://db?keepAliveInterval=0&keepAliveTimeout=9999&maxDiscoverAttempts=0");
    assert_eq!((hasty.keep_alive(), hasty.search().attempts), (Some((millis(10_000), millis(10_000))), 1));
    for text in
        ["esdb://db?keepAliveTimeout=soon", "esdb://db?keepAliveInterval=-2", "esdb://db?maxDiscoverAttempts=-1"]
    {
        assert!(matches!(why(text), OpenError::Unparsable(_)), "{text}");
    }
}

#[test]
fn files_and_names_are_decoded() {
    let (address, _) =
        parse("esdb://db?tlsCaFile=%2Fmy%20ca&userCertFile=%2Fc&userKeyFile=%2Fk&connectionName=shop%201");
    assert_eq!(address.ca_file(), Some(PathBuf::from("/my ca")));
    assert_eq!(address.certificate(), Some((PathBuf::from("/c"), PathBuf::from("/k"))));
    assert_eq!(address.connection_name(), Some("shop 1"));
    assert_eq!(parse("esdb://db?userCertFile=c").0.certificate(), None);
}

#[test]
fn a_node_that_is_told_of_is_written_as_in_a_string() {
    assert_eq!(Node::told("db", 1).to_string(), "db:1");
    assert_eq!(Node::told("::1", 2).to_string(), "[::1]:2");
    assert_eq!(Node::told("::1", 2).bare_host(), "::1");
}

#[test]
fn broken_percent_encoding_is_no_text() {
    assert_eq!(decode("a%20b%C3%9F"), Some("a bß".to_owned()));
    for broken in ["%", "%4", "%zz", "%+1", "%FF", "a%C3"] {
        assert_eq!(decode(broken), None, "{broken}");
    }
}
