//! What a checksum sees.

use infrastructure::event_store::{Position, Revision};

use super::*;

fn event() -> RecordedEvent {
    RecordedEvent {
        position: Position::new(7),
        stream: StreamId::new("order", Uuid::from_u128(1)),
        revision: Revision::new(3),
        id: Uuid::from_u128(2),
        type_name: Name::from("order.placed.v1"),
        recorded_at: domain::testing::now(),
        metadata: "{}".to_owned(),
        data: "{\"a\":1}".to_owned(),
    }
}

#[test]
fn every_part_of_an_event_but_its_position_counts() {
    let known = Checksum::default().with(&event());
    let changes: [fn(&mut RecordedEvent); 7] = [
        |event| event.revision = Revision::new(4),
        |event| event.id = Uuid::from_u128(3),
        |event| event.type_name = Name::from("order.placed.v2"),
        |event| event.recorded_at += chrono::TimeDelta::microseconds(1),
        |event| event.metadata = "{} ".to_owned(),
        |event| event.data = "{\"a\":2}".to_owned(),
        // The same bytes, divided otherwise.
        |event| (event.metadata, event.data) = ("{}{".to_owned(), "\"a\":1}".to_owned()),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut other = event();
        change(&mut other);
        assert_ne!(Checksum::default().with(&other), known, "change {index}");
    }
    assert_eq!(Checksum::default().with(&RecordedEvent { position: Position::new(9_000), ..event() }), known);
    assert_ne!(known.with(&event()), known, "what came before counts");
}

#[test]
fn the_digest_tells_the_order_of_the_log() {
    let other = RecordedEvent { stream: StreamId::new("order", Uuid::from_u128(9)), ..event() };
    let digest = |events: [&RecordedEvent; 2]| {
        let mut checksums = Checksums::default();
        for event in events {
            let checksum = checksums.of(&event.stream).with(event);
            checksums.take(event, checksum);
        }
        assert_eq!((checksums.events(), checksums.streams()), (2, 2));
        checksums.digest()
    };
    assert_ne!(digest([&event(), &other]), digest([&other, &event()]));
    assert_eq!(digest([&event(), &other]), digest([&event(), &other]));
}

#[test]
fn streams_of_two_categories_with_one_id_have_two_checksums() {
    let product = RecordedEvent { stream: StreamId::new("product", Uuid::from_u128(1)), ..event() };
    let mut checksums = Checksums::default();
    let checksum = checksums.of(&product.stream).with(&product);
    checksums.take(&product, checksum);
    assert_eq!(checksums.of(&event().stream), Checksum::default());
    assert_eq!(checksums.of(&product.stream), checksum);
}
