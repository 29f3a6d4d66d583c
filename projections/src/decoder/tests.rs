//! What is decoded once, and what anew.

use domain::testing::order_placed;
use infrastructure::{
    codec,
    event_store::{Revision, StreamId},
};
use uuid::Uuid;

use super::*;
use crate::tests::moment;

fn recorded(position: u64) -> RecordedEvent {
    let (type_name, data) = codec::encode(&order_placed());
    RecordedEvent {
        position: Position::new(position),
        stream: StreamId::new("order", Uuid::from_u128(1)),
        revision: Revision::FIRST,
        id: Uuid::from_u128(position.into()),
        type_name,
        recorded_at: moment(0),
        metadata: "{}".to_owned(),
        data,
    }
}

fn one(decoder: &Decoder, event: &RecordedEvent) -> Result<Decoded, Undecodable> {
    decoder.decode(std::slice::from_ref(event)).remove(0)
}

#[test]
fn an_event_is_decoded_once_for_all_who_ask() {
    let decoder = Decoder::default();
    let first = one(&decoder, &recorded(1)).unwrap();
    let second = one(&decoder, &recorded(1)).unwrap();
    assert!(Arc::ptr_eq(&first.event, &second.event));
    let other = one(&decoder, &recorded(2)).unwrap();
    assert!(!Arc::ptr_eq(&first.event, &other.event) && other.position == Position::new(2));
}

#[test]
fn an_event_that_was_mended_in_the_file_is_decoded_anew() {
    let decoder = Decoder::default();
    let broken = RecordedEvent { data: "{".to_owned(), ..recorded(1) };
    assert!(one(&decoder, &broken).is_err());
    one(&decoder, &recorded(1)).unwrap();
    assert!(one(&decoder, &broken).is_err());
    assert_eq!(decoder.kept.lock().unwrap().bytes, broken.data.len());
}

#[test]
fn no_more_is_kept_than_is_allowed() {
    let decoder = Decoder::default();
    for position in 1..=EVENTS_KEPT_MAX as u64 + 100 {
        one(&decoder, &recorded(position)).unwrap();
    }
    let kept = decoder.kept.lock().unwrap();
    assert_eq!((kept.at.len(), kept.order.len()), (EVENTS_KEPT_MAX, EVENTS_KEPT_MAX));
    assert_eq!(kept.bytes, EVENTS_KEPT_MAX * recorded(1).data.len());
    assert!(!kept.at.contains_key(&Position::new(100)) && kept.at.contains_key(&Position::new(101)));
}
