//! Encode and decode are inverse; what is broken is an error that names the type.

use domain::Event;

use super::*;

const ORDER: &str = "01900000-0000-7000-8000-000000000001";

#[test]
fn an_event_is_read_back_as_it_was_written() {
    let data = format!(r#"{{"order":"{ORDER}","reason":"customer_request","at":"2026-01-02T03:04:05.678901Z"}}"#);
    let event: Event = decode("order.cancelled.v2", &data).expect("decodes");
    let (name, written) = encode(&event);
    assert_eq!((&*name, written), ("order.cancelled.v2", data));
}

#[test]
fn an_old_version_is_lifted_to_the_current_one() {
    let data = format!(r#"{{"order":"{ORDER}","at":"2026-01-02T03:04:05Z"}}"#);
    let event: Event = decode("order.cancelled.v1", &data).expect("decodes");
    let (name, written) = encode(&event);
    assert_eq!(&*name, "order.cancelled.v2");
    assert!(written.contains(r#""reason":"unspecified""#), "{written}");
}

#[test]
fn what_does_not_decode_is_an_error_that_names_the_type() {
    for (type_name, data) in [
        ("order.cancelled.v2", "{"),
        ("order.cancelled.v2", "{}"),
        ("order.cancelled.v1", "[]"),
        ("order.cancelled.v9", "{}"),
        ("weather.changed.v1", "{}"),
        ("order.shipped.v1", "{}} garbage"),
    ] {
        let error = decode::<Event>(type_name, data).expect_err("it is broken");
        assert!(error.to_string().contains(type_name), "{error}");
    }
}
