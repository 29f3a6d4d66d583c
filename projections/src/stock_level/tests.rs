//! Levels of stock as they are read: fold, row and the levels of a SKU.

use std::collections::BTreeSet;

use domain::{
    Decider as _, Event, EventPayload as _,
    stock::{ReleaseReason, Stock, StockCommand, StockEvent, id_of},
    testing::{
        eur, fold, id, label, pieces, product_registered, receive, reserve, sku, stock_adjusted, stock_committed,
        stock_received, stock_released, stock_reserved, stock_restocked, the_stock,
    },
    values::{OrderId, PIECES_MAX, Sku, Warehouse},
};
use infrastructure::event_store::Revision;
use proptest::prelude::*;

use super::*;
use crate::{
    KeyedFold,
    tests::{block_on, decoded, folded, moment, serving, temp_rows},
};

/// On hand, reserved and available after these events.
fn level(events: impl IntoIterator<Item = StockEvent>) -> Option<(u64, u64, u64)> {
    let row = folded::<StockLevel, _>(events)?;
    Some((row.on_hand.number(), row.reserved.number(), row.available().number()))
}

fn order(n: u128) -> OrderId {
    id(n)
}

#[test]
fn the_first_receipt_makes_a_row_and_later_ones_add_to_it() {
    let row = folded::<StockLevel, _>([stock_received(10)]).unwrap();
    assert_eq!((row.stock, row.sku, row.warehouse), (the_stock(), sku("TEA-1"), Warehouse::main()));
    assert_eq!((row.on_hand, row.reserved, row.revision), (pieces(10), pieces(0), Revision::FIRST));
    assert_eq!(row.updated_at, moment(0));
    assert_eq!(level([stock_received(10), stock_received(5)]), Some((15, 0, 15)));
}

#[test]
fn each_event_moves_its_pieces() {
    let mut events = vec![stock_received(10)];
    let steps = [
        (stock_reserved(order(1), 4), (10, 4, 6)),
        (stock_reserved(order(2), 6), (10, 10, 0)),
        (stock_committed(order(1), 3), (7, 7, 0)),
        (stock_released(order(1), 1, ReleaseReason::OrderCancelled), (7, 6, 1)),
        (stock_adjusted(-1), (6, 6, 0)),
        (stock_adjusted(4), (10, 6, 4)),
        (stock_released(order(2), 6, ReleaseReason::Expired), (10, 0, 10)),
        (stock_restocked(order(1), 1, 2), (12, 0, 12)),
    ];
    for (event, expected) in steps {
        events.push(event);
        assert_eq!(level(events.clone()), Some(expected), "after {events:?}");
    }
}

#[test]
fn what_was_never_received_has_no_row() {
    let events = [
        stock_adjusted(1),
        stock_reserved(order(1), 1),
        stock_committed(order(1), 1),
        stock_released(order(1), 1, ReleaseReason::Expired),
        stock_restocked(order(1), 1, 1),
    ];
    for event in &events {
        assert_eq!(level([event.clone()]), None, "{event:?}");
    }
    // A receipt says what lies where, even if the first one was passed over.
    assert_eq!(level(events.into_iter().chain([stock_received(5)])), Some((5, 0, 5)));
}

#[test]
fn a_log_that_no_aggregate_wrote_folds_all_the_same() {
    let most = i64::try_from(PIECES_MAX).unwrap();
    assert_eq!(level([stock_received(most), stock_received(1)]), Some((PIECES_MAX, 0, PIECES_MAX)));
    assert_eq!(level([stock_received(1), stock_adjusted(-2)]), Some((0, 0, 0)));
    assert_eq!(level([stock_received(1), stock_adjusted(i64::MIN)]), Some((0, 0, 0)));
    assert_eq!(level([stock_received(1), stock_reserved(order(1), 2)]), Some((1, 2, 0)));
    assert_eq!(level([stock_received(1), stock_committed(order(1), 2)]), Some((0, 0, 0)));
    let mut row = folded::<StockLevel, _>([stock_received(1)]).unwrap();
    row.take_back(&stock_adjusted(i64::MIN));
    assert_eq!(row.on_hand, pieces(0));
    row.take_back(&stock_restocked(order(1), 1, 2));
    assert_eq!(row.on_hand, pieces(0));
}

#[test]
fn a_product_is_no_concern_of_the_stock() {
    let event = decoded(1, 0, product_registered("TEA-1", eur(5)));
    assert_eq!(StockLevel::key(&event), None);
    let row = folded::<StockLevel, _>([stock_received(10)]);
    assert_eq!(StockLevel::fold(row.clone(), &event), row);
}

#[test]
fn every_event_of_a_stock_is_read_and_names_its_row() {
    let events = [
        stock_received(1),
        stock_adjusted(1),
        stock_reserved(order(1), 1),
        stock_released(order(1), 1, ReleaseReason::Expired),
        stock_committed(order(1), 1),
        stock_restocked(order(1), 1, 1),
    ];
    let mut types = BTreeSet::new();
    for event in events {
        let event = decoded(1, 0, Event::from(event));
        assert_eq!(StockLevel::key(&event), Some(the_stock().uuid()));
        assert!(StockLevel::EVENTS.iter().any(|prefix| event.type_name.starts_with(prefix)), "{}", event.type_name);
        types.insert(event.type_name.to_string());
    }
    assert_eq!(types, StockEvent::types().into_iter().map(str::to_owned).collect());
}

#[test]
fn only_the_first_receipt_makes_a_row_anew() {
    let start = decoded(1, 0, stock_received(10));
    assert!(StockLevel::starts(&start));
    assert!(!StockLevel::starts(&decoded(2, 1, stock_received(10))));
    for other in [stock_adjusted(1), stock_reserved(order(1), 1), stock_committed(order(1), 1)] {
        assert!(!StockLevel::starts(&decoded(1, 0, other)));
    }
    let before = folded::<StockLevel, _>([stock_received(3), stock_reserved(order(1), 1)]);
    assert_eq!(StockLevel::fold(before, &start), StockLevel::fold(None, &start));
}

fn command() -> impl Strategy<Value = StockCommand> {
    let reasons = [ReleaseReason::OrderCancelled, ReleaseReason::OrderIncomplete, ReleaseReason::Expired];
    prop_oneof![
        2 => (1_i64..20).prop_map(receive),
        2 => (-10_i64..10).prop_map(|change| StockCommand::Adjust { change, reason: label("counted") }),
        5 => (1_u128..6, 1_i64..8).prop_map(|(n, number)| reserve(order(n), number)),
        2 => (1_u128..6, prop::sample::select(reasons.to_vec()))
            .prop_map(|(n, reason)| StockCommand::Release { order: order(n), reason }),
        3 => (1_u128..6, 1_i64..8)
            .prop_map(|(n, number)| StockCommand::Commit { order: order(n), pieces: pieces(number) }),
    ]
}

prop_compose! {
    fn some_row()(
        text in "[A-Z0-9][A-Z0-9._-]{0,2}",
        place in "[a-z0-9][a-z0-9-]{0,2}",
        on_hand in 0_i64..=i64::try_from(PIECES_MAX).expect("in range"),
        reserved in 0_i64..=i64::try_from(PIECES_MAX).expect("in range"),
        micros in -1_000_000_000_000_000_i64..1_000_000_000_000_000,
        revision in 0..=u64::from(u32::MAX),
    ) -> StockLevelRow {
        let (sku, warehouse) = (sku(&text), Warehouse::parse(&place).expect("valid"));
        StockLevelRow {
            stock: id_of(&sku, &warehouse),
            sku,
            warehouse,
            on_hand: pieces(on_hand),
            reserved: pieces(reserved),
            updated_at: moment(micros),
            revision: Revision::new(revision),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_row_of_a_state_is_the_fold_of_the_same_events_and_goes_back_the_same_way(
        commands in prop::collection::vec(command(), 0..40)
    ) {
        let mut events: Vec<StockEvent> = Vec::new();
        for (micros, command) in (0..).zip(commands) {
            let state = fold::<Stock>(events.clone());
            // Late enough that some reservations have run out.
            let now = moment(micros * 100_000_000);
            let before = folded::<StockLevel, _>(events.clone());
            for event in Stock::decide(&state, command, now).unwrap_or_default() {
                events.push(event.clone());
                let row = folded::<StockLevel, _>(events.clone());
                let revision = Revision::new(events.len() as u64 - 1);
                let state = fold::<Stock>(events.clone());
                let expected = StockLevelRow::of(&state, sku("TEA-1"), Warehouse::main(), revision);
                prop_assert_eq!(&row, &expected);
                let mut back = row.expect("something was received");
                back.take_back(&event);
                let pieces = before.as_ref().map_or_else(Default::default, |row| (row.on_hand, row.reserved));
                prop_assert_eq!((back.on_hand, back.reserved), pieces);
            }
        }
    }

    #[test]
    fn rows_are_read_back_as_they_were_written_and_found_by_sku(rows in prop::collection::vec(some_row(), 0..20)) {
        let mut rows = rows;
        rows.sort_by(|one, other| (&one.sku, &one.warehouse).cmp(&(&other.sku, &other.warehouse)));
        rows.dedup_by(|one, other| one.stock == other.stock);
        block_on(async {
            let (_folder, store) = temp_rows();
            let levels = serving::<StockLevel>(&store, &rows).await;
            for row in &rows {
                assert_eq!(levels.row(row.stock.uuid()).await.unwrap().as_ref(), Some(row));
                let of_sku: Vec<_> = rows.iter().filter(|other| other.sku == row.sku).cloned().collect();
                assert_eq!(levels.of_sku(&row.sku).await.unwrap(), of_sku);
            }
            assert_eq!(levels.of_sku(&Sku::parse("NOT-THERE").unwrap()).await.unwrap(), []);
        });
    }
}
