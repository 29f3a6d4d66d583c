//! What counts as unreadable.

use domain::Timestamp;
use infrastructure::event_store::{Name, Revision, StreamId};
use uuid::Uuid;

use super::*;

const PLACED: &str = include_str!("../../../../../domain/golden/order.cancelled.v1.json");

fn found(type_name: &str, data: &str) -> Vec<&'static str> {
    let event = RecordedEvent {
        position: Position::new(7),
        stream: StreamId::new("order", Uuid::nil()),
        revision: Revision::new(3),
        id: Uuid::nil(),
        type_name: Name::from(type_name),
        recorded_at: Timestamp::UNIX_EPOCH,
        metadata: "{}".to_owned(),
        data: data.to_owned(),
    };
    let found = check(&event, &known_types());
    for finding in &found {
        let line = line(&event, finding);
        let prefix =
            format!("position 7 stream order-00000000-0000-0000-0000-000000000000 revision 3 type {type_name}: ");
        assert!(line.len() > prefix.len() && line.starts_with(&prefix), "{line}");
    }
    found.iter().map(Finding::kind).collect()
}

#[test]
fn an_old_version_is_read_through_its_upcasters() {
    assert!(found("order.cancelled.v1", PLACED).is_empty());
}

#[test]
fn what_does_not_decode_is_told_from_what_is_not_known() {
    assert_eq!(found("order.cancelled.v1", "{}"), ["does not decode"]);
    assert_eq!(found("order.placed.v1", "{\"broken\":1}"), ["does not decode"]);
    assert_eq!(found("order.placed.v1", "no JSON"), ["does not decode"]);
    assert_eq!(found("order.placed.v0", "{}"), ["unknown type"]);
    assert_eq!(found("parcel.lost.v1", "{}"), ["unknown type"]);
}

#[test]
fn an_event_over_the_limit_is_found_whatever_it_says() {
    let padding = " ".repeat(EVENT_BYTES_MAX - PLACED.len() - "{}".len());
    let largest = format!("{PLACED}{padding}");
    assert!(found("order.cancelled.v1", &largest).is_empty());
    assert_eq!(found("order.cancelled.v1", &format!("{largest} ")), ["too large"]);
    assert_eq!(found("parcel.lost.v1", &format!("{largest} ")), ["unknown type", "too large"]);
}
