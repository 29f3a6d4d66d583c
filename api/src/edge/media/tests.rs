//! Which media type wins.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{Media, accepts_event_stream, is_json, negotiate};

fn accept(values: &[&'static str]) -> HeaderMap {
    values.iter().map(|value| (header::ACCEPT, HeaderValue::from_static(value))).collect()
}

#[test]
fn the_wanted_type_is_answered() {
    const GRAPHQL: Option<Media> = Some(Media::GraphQl);
    const JSON: Option<Media> = Some(Media::Json);
    for (values, expected) in [
        (&[][..], GRAPHQL),
        (&["*/*"], GRAPHQL),
        (&["application/*"], GRAPHQL),
        (&["application/json"], JSON),
        (&["Application/JSON; charset=utf-8"], JSON),
        (&["application/graphql-response+json"], GRAPHQL),
        (&["application/json, application/graphql-response+json"], GRAPHQL),
        (&["application/graphql-response+json;q=0.9, application/json"], JSON),
        (&["application/json", "application/graphql-response+json"], GRAPHQL),
        (&["application/graphql-response+json;q=0, */*"], JSON),
        (&["application/json;q=0, application/*;q=0.1"], GRAPHQL),
        (&["application/graphql-response+json; q=0.5, application/json; q=0.51"], JSON),
        (&["text/html, application/xhtml+xml, */*;q=0.8"], GRAPHQL),
        (&["text/html"], None),
        (&["application/json;q=0"], None),
        (&["*/*;q=0"], None),
        (&["application/json;q=2"], None),
        (&["application/json;q=0.1234"], None),
        (&["nonsense"], None),
        (&[""], None),
    ] {
        assert_eq!(negotiate(&accept(values)), expected, "{values:?}");
    }
}

#[test]
fn event_streams_are_asked_for_by_name() {
    assert!(accepts_event_stream(&accept(&["text/event-stream"])));
    assert!(accepts_event_stream(&accept(&["application/json, text/event-stream;q=0.5"])));
    assert!(!accepts_event_stream(&accept(&["text/event-stream;q=0"])));
    assert!(!accepts_event_stream(&accept(&["*/*"])));
    assert!(!accepts_event_stream(&accept(&[])));
}

#[test]
fn bodies_are_json_in_utf_8_and_nothing_else() {
    let is = |values: &[&'static str]| {
        is_json(&values.iter().map(|value| (header::CONTENT_TYPE, HeaderValue::from_static(value))).collect())
    };
    for good in [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        "application/json; Charset=\"UTF-8\";",
    ] {
        assert!(is(&[good]), "{good}");
    }
    for bad in [
        "text/plain",
        "text/plain; application/json",
        "application/json, text/plain",
        "application/json; charset=latin1",
        "application/jsonp",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ] {
        assert!(!is(&[bad]), "{bad}");
    }
    assert!(!is(&[]));
    assert!(!is(&["application/json", "text/plain"]));
}
