//! Events there and back, ours and other people's.

use proptest::prelude::*;

use super::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(micros).expect("a time")
}

fn new_event(metadata: &str, data: &str) -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(7),
        type_name: Name::from("order.placed.v1"),
        at: at(1_700_000_000_123_456),
        metadata: metadata.to_owned(),
        data: data.to_owned(),
    }
}

/// The event as the server would give it back.
fn stored<'a>(event: &'a NewEvent, stream: &'a str, metadata: &'a [u8]) -> Stored<'a> {
    Stored {
        stream: stream.as_bytes(),
        revision: 3,
        id: event.id,
        type_name: &event.type_name,
        commit: 900,
        prepare: 900,
        created: at(5),
        metadata,
        data: event.data.as_bytes(),
    }
}

fn there_and_back(event: &NewEvent) -> RecordedEvent {
    let metadata = envelope(event);
    let stored = stored(event, "order-00000000-0000-0000-0000-000000000001", &metadata);
    stored.in_stream(stored.our_stream().expect("ours")).expect("an event")
}

#[test]
fn an_envelope_shows_the_conversation_to_the_servers_tools() {
    let (correlation, causation) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let metadata = format!(r#"{{"command_id":"x","correlation_id":"{correlation}","causation_id":"{causation}"}}"#);
    let envelope = String::from_utf8(envelope(&new_event(&metadata, "{}"))).expect("JSON is text");
    assert_eq!(
        envelope,
        format!(
            r#"{{"$correlationId":"{correlation}","$causationId":"{causation}","at":"2023-11-14T22:13:20.123456Z","metadata":{metadata}}}"#
        )
    );
}

#[test]
fn metadata_comes_back_byte_for_byte() {
    let odd = [
        r#"{"a" :  1.50, "ä":"\u00e4"}"#,
        "{}",
        r#"{"correlation_id":17}"#,
        "",
        "no JSON",
        " {}",
        "{} ",
        "[1]",
        "null",
        "\"text\"",
        r#"{"at":"2020-01-01T00:00:00Z","metadata":{}}"#,
    ];
    for metadata in odd {
        assert_eq!(there_and_back(&new_event(metadata, "{}")).metadata, metadata);
    }
}

#[test]
fn a_strangers_event_is_read_as_far_as_it_goes() {
    let event = new_event("", r#"{"from":"elsewhere"}"#);
    let cases: [(&[u8], &str); 6] = [
        (br#"{"user": "x"}"#, r#"{"user": "x"}"#),
        (b"", "{}"),
        (b"[1]", "{}"),
        (b"\xff", "{}"),
        (br#"{"at":"no time","metadata":{}}"#, r#"{"at":"no time","metadata":{}}"#),
        (br#"{"at":"2020-01-01T00:00:00Z"}"#, r#"{"at":"2020-01-01T00:00:00Z"}"#),
    ];
    for (metadata, expected) in cases {
        let stored = stored(&event, "order-00000000-0000-0000-0000-000000000001", metadata);
        let read = stored.in_stream(stored.our_stream().expect("ours")).expect("an event");
        assert_eq!((read.recorded_at, read.metadata.as_str(), read.data.as_str()), (at(5), expected, &*event.data));
    }
}

#[test]
fn data_that_is_no_text_does_not_decode_and_is_not_left_out() {
    let event = new_event("{}", "");
    // As lossy text these would be JSON.
    for data in [&b"\"\xff\""[..], b"{\"a\":\"\xc3\x28\"}"] {
        let stored = Stored { data, ..stored(&event, "order-00000000-0000-0000-0000-000000000001", b"{}") };
        let read = stored.in_stream(stored.our_stream().expect("ours")).expect("an event");
        assert!(read.data.starts_with("not UTF-8: "), "{}", read.data);
        assert!(serde_json::from_str::<serde_json::Value>(&read.data).is_err());
    }
}

#[test]
fn a_stream_is_ours_if_its_name_is_category_and_id() {
    let id = "0190a0b0-1111-7222-8333-444455556666";
    for category in ["order", "bestellung-übergroß", "a-b", ""] {
        let name = format!("{category}-{id}");
        let stream = stream_of(&name).expect("ours");
        assert_eq!((&*stream.category, stream.to_string()), (category, name));
    }
    let others = [
        id.to_owned(),
        format!("order{id}"),
        format!("order-{}", id.to_uppercase()),
        format!("order-{}", id.replace('-', "")),
        format!("$$order-{id}"),
        format!("$ce-order-{id}"),
        "order-17".to_owned(),
        String::new(),
        "ß".repeat(40),
        format!("order-{{{id}}}"),
    ];
    for name in others {
        assert_eq!(stream_of(&name), None, "{name}");
    }
}

#[test]
fn a_position_of_an_old_transaction_is_refused() {
    let event = new_event("{}", "{}");
    let stored = Stored { prepare: 899, ..stored(&event, "order-00000000-0000-0000-0000-000000000001", b"{}") };
    let outcome = stored.in_stream(stored.our_stream().expect("ours"));
    assert!(matches!(outcome, Err(Failure::Store(StoreError::Format(_)))), "{outcome:?}");
}

#[test]
fn the_servers_own_events_are_known_by_their_type() {
    let event = NewEvent { type_name: Name::from("$streamDeleted"), ..new_event("{}", "{}") };
    assert!(stored(&event, "order-00000000-0000-0000-0000-000000000001", b"").is_of_system());
    assert!(!stored(&new_event("{}", "{}"), "x", b"").is_of_system());
}

proptest! {
    #[test]
    fn whatever_an_event_holds_comes_back(
        metadata in ".*",
        data in ".*",
        micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000,
        nanos in 0..1_000_i64,
        fields in proptest::collection::hash_map("[a-z_]{1,12}", ".*", 0..4),
    ) {
        let object = serde_json::to_string(&fields).expect("texts");
        for metadata in [&metadata, &object] {
            let sent = NewEvent {
                at: at(micros) + chrono::TimeDelta::nanoseconds(nanos),
                ..new_event(metadata, &data)
            };
            let read = there_and_back(&sent);
            prop_assert_eq!(&read.metadata, metadata);
            prop_assert_eq!(&read.data, &data);
            prop_assert_eq!(read.recorded_at, at(micros));
            prop_assert_eq!((read.id, &*read.type_name), (sent.id, &*sent.type_name));
        }
    }

    #[test]
    fn whatever_a_stranger_writes_is_read_without_a_panic(
        stream in proptest::collection::vec(any::<u8>(), 0..60),
        metadata in proptest::collection::vec(any::<u8>(), 0..60),
        data in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let event = new_event("{}", "{}");
        let stored = Stored { stream: &stream, data: &data, ..stored(&event, "", &metadata) };
        prop_assert!(stored.our_stream().is_none_or(|ours| ours.to_string().as_bytes() == stream));
        let read = stored.in_stream(StreamId::new("order", Uuid::nil())).expect("an event");
        if let Ok(text) = std::str::from_utf8(&data) {
            prop_assert_eq!(read.data, text);
        }
    }
}
