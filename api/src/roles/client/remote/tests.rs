//! Where a token goes, and in what form.

use super::*;

fn remote(url: &str, token: &str) -> Remote {
    let credentials = Credentials::Token(Secret::new(token.to_owned()));
    Remote::new(url, credentials).map_err(|failure| failure.message).expect("nothing is sent yet")
}

#[test]
fn a_token_that_leaves_the_machine_unencrypted_is_noticed() {
    for url in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "http://0.0.0.0:8080"] {
        assert!(!remote(url, "t").is_seen_by_others(), "{url}");
    }
    for url in ["http://10.0.0.1:1", "http://shop.example.com", "http://localhost.example.com"] {
        assert!(remote(url, "t").is_seen_by_others(), "{url}");
    }
}

#[test]
fn a_token_is_sent_as_it_is_and_shown_nowhere() {
    let headers = remote("http://127.0.0.1:1", "abc").headers().map_err(|failure| failure.message).unwrap();
    assert_eq!(headers[header::AUTHORIZATION], "Bearer abc");
    assert!(!format!("{headers:?}").contains("abc"));
    let failure = remote("http://127.0.0.1:1", "a\nb").headers().unwrap_err();
    assert_eq!(failure.code, "TOKEN_MISSING");
    assert!(!failure.message.contains("a\nb"));
}
