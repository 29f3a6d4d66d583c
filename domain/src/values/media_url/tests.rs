//! Which addresses readers are sent to.

use super::*;

#[test]
fn an_address_is_kept_in_its_normal_form() {
    for (text, expected) in [
        ("https://pictures.example/1.jpg", "https://pictures.example/1.jpg"),
        ("HTTPS://Pictures.EXAMPLE:443/a/../1.jpg?x=y#z", "https://pictures.example/1.jpg?x=y#z"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://pictures.example:8443", "https://pictures.example:8443/"),
    ] {
        let url = MediaUrl::parse(text).expect(text);
        assert_eq!((url.as_str(), MediaUrl::parse(url.as_str())), (expected, Ok(url.clone())));
    }
}

#[test]
fn what_is_no_address_or_too_long_is_refused() {
    let long = format!("https://pictures.example/{}", "a".repeat(MEDIA_URL_BYTES_MAX));
    let grows = format!("https://pictures.example/{}", "ü".repeat(MEDIA_URL_BYTES_MAX / 3));
    for text in [
        "",
        "pictures.example/1.jpg",
        "/1.jpg",
        "https://",
        "https://a b.example/",
        "https://a.example/\n1",
        " https://a.example/",
        &long,
        &grows,
    ] {
        assert_eq!(MediaUrl::parse(text), Err(MediaUrlError::Malformed), "{text:?}");
    }
}

#[test]
fn what_is_loaded_in_the_clear_or_run_is_refused() {
    for text in [
        "http://pictures.example/1.jpg",
        "javascript:alert(1)",
        "data:image/png;base64,AA==",
        "ftp://pictures.example/1",
        "file:///etc/passwd",
    ] {
        assert_eq!(MediaUrl::parse(text), Err(MediaUrlError::NotHttps), "{text:?}");
    }
}

#[test]
fn a_host_has_a_name_and_nobody_signs_in() {
    for text in [
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://anna@pictures.example/",
        "https://anna:tea@pictures.example/",
    ] {
        assert_eq!(MediaUrl::parse(text), Err(MediaUrlError::Host), "{text:?}");
    }
}

#[test]
fn what_was_stored_is_read_back_as_it_was() {
    let url: MediaUrl = serde_json::from_str("\"http://elsewhere\"").expect("read back");
    assert_eq!(serde_json::to_string(&url).expect("written"), "\"http://elsewhere\"");
}
