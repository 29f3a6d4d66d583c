//! Every event comes back from its line, whatever it holds.

use domain::Timestamp;

use super::*;

const ID: &str = "0198c2f0-0000-7000-8000-000000000001";

fn event(metadata: &str, data: &str) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(7),
        stream: StreamId::new("order", ID.parse::<Uuid>().unwrap()),
        revision: Revision::new(3),
        id: Uuid::from_u128(9),
        type_name: Name::from("order.placed.v1"),
        recorded_at: Timestamp::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
        metadata: metadata.to_owned(),
        data: data.to_owned(),
    }
}

fn written(event: &RecordedEvent) -> String {
    let mut bytes = Vec::new();
    write(event, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

fn read_back(event: &RecordedEvent) -> RecordedEvent {
    let line = written(event);
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    read(line.strip_suffix('\n').unwrap().as_bytes()).unwrap_or_else(|error| panic!("{error} in {line}"))
}

#[test]
fn a_line_names_everything_that_makes_an_event() {
    let expected = r#"{"position":7,"stream":"order-0198c2f0-0000-7000-8000-000000000001","revision":3,"id":"00000000-0000-0000-0000-000000000009","type":"order.placed.v1","recordedAt":"2023-11-14T22:13:20.000001Z","metadata":"{}","data":"{\"a\":1}"}"#;
    assert_eq!(written(&event("{}", "{\"a\":1}")), format!("{expected}\n"));
}

#[test]
fn texts_come_back_byte_for_byte() {
    for text in [
        "",
        "{ \"spaces\" : 1.0e2 , \"twice\":1,\"twice\":2 }",
        "no JSON at all: \\ \" ' {",
        "\0\u{1}\u{8}\t\n\r\u{b}\u{c}\u{1f}\u{7f}\u{85}\u{2028}\u{feff}",
        "\\u0041 ü 東京 😀",
    ] {
        let event = event(text, text);
        assert_eq!(read_back(&event), event);
    }
}

#[test]
fn times_come_back_to_the_microsecond_from_any_year() {
    let (min, max) = (Timestamp::MIN_UTC.timestamp_micros(), Timestamp::MAX_UTC.timestamp_micros());
    for micros in [min, -62_167_219_200_000_001, -1, 0, 1, 999_999, 1_700_000_000_000_000, 253_402_300_800_000_000, max]
    {
        let recorded_at = Timestamp::from_timestamp_micros(micros).unwrap();
        let event = RecordedEvent { recorded_at, ..event("{}", "{}") };
        assert_eq!(read_back(&event).recorded_at, recorded_at);
    }
}

#[test]
fn numbers_come_back_from_the_whole_range_and_categories_with_dashes() {
    let mut event = event("{}", "{}");
    event.position = Position::new(u64::MAX);
    event.revision = Revision::new(u64::MAX);
    for category in ["", "a-b", "-", "ü", ID] {
        event.stream.category = Name::from(category);
        assert_eq!(read_back(&event), event);
    }
}

#[test]
fn what_is_no_such_line_is_refused_with_what_is_wrong() {
    let good = written(&event("{}", "{}"));
    let good = good.trim_end();
    for (from, to, reason) in [
        ("\"position\":7", "\"position\":-7", "-7"),
        ("\"position\":7,", "", "position"),
        ("\"revision\":3", "\"revision\":3,\"more\":1", "more"),
        ("\"data\":\"{}\"", "\"data\":{}", "string"),
        ("order-0198", "order0198", "not the name of a stream"),
        ("order-0198c2f0", "order-0198c2fx", "not the name of a stream"),
        (ID, "x", "not the name of a stream"),
        (".000001Z", ".0000011Z", "not a time"),
        (".000001Z", ".000001+00:00", "not a time"),
        (".000001Z", "Z", "not a time"),
        ("{\"position", "", "expected"),
        ("\"{}\"}", "\"{}\"} ]", "trailing"),
    ] {
        let line = good.replacen(from, to, 1);
        assert_ne!(line, good);
        let error = read(line.as_bytes()).expect_err(&line);
        assert!(error.contains(reason), "{error} for {line}");
    }
    assert!(read(b"").is_err());
    assert!(read(&good.as_bytes()[..good.len() - 1]).is_err());
    assert!(read(&[good.as_bytes(), b"\xff"].concat()).is_err());
}
