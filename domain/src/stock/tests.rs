//! A stock's rules as sentences.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{
    testing::{
        fold, given, id, kept_until, label, now, pieces, receive, reserve, stock_adjusted, stock_committed,
        stock_received, stock_released, stock_reserved, stock_restocked,
    },
    values::{PIECES_MAX, Pieces},
};

fn first() -> OrderId {
    id(1)
}

fn second() -> OrderId {
    id(2)
}

fn release(order: OrderId, reason: ReleaseReason) -> StockCommand {
    StockCommand::Release { order, reason }
}

fn commit(order: OrderId, number: i64) -> StockCommand {
    StockCommand::Commit { order, pieces: pieces(number) }
}

fn adjust(change: i64) -> StockCommand {
    StockCommand::Adjust { change, reason: label("counted") }
}

fn insufficient(requested: i64, available: i64) -> StockRejection {
    StockRejection::Insufficient { requested: pieces(requested), available: pieces(available) }
}

#[test]
fn pieces_come_in() {
    given::<Stock>([]).when(receive(10)).then([stock_received(10)]);
    given::<Stock>([stock_received(10)]).when(receive(5)).then([stock_received(5)]);
}

#[test]
fn a_warehouse_has_an_end() {
    let full = i64::try_from(PIECES_MAX).unwrap();
    given::<Stock>([stock_received(full)]).when(receive(1)).then_rejected(&StockRejection::TooMany);
    given::<Stock>([stock_received(full)]).when(adjust(1)).then_rejected(&StockRejection::TooMany);
    given::<Stock>([stock_received(1)]).when(adjust(i64::MAX)).then_rejected(&StockRejection::TooMany);
}

#[test]
fn what_is_counted_anew_is_more_or_less_than_before() {
    given::<Stock>([stock_received(10)]).when(adjust(-10)).then([stock_adjusted(-10)]);
    given::<Stock>([stock_received(10)]).when(adjust(3)).then([stock_adjusted(3)]);
}

#[test]
fn what_is_promised_is_not_counted_away() {
    let reserved = [stock_received(10), stock_reserved(first(), 8)];
    given::<Stock>(reserved.clone()).when(adjust(-2)).then([stock_adjusted(-2)]);
    for change in [-3, -11, i64::MIN] {
        let expected = StockRejection::BelowReserved { reserved: pieces(8) };
        given::<Stock>(reserved.clone()).when(adjust(change)).then_rejected(&expected);
    }
}

#[test]
fn what_was_never_received_is_neither_counted_nor_sent() {
    given::<Stock>([]).when(adjust(1)).then_rejected(&StockRejection::NotFound);
    given::<Stock>([]).when(commit(first(), 1)).then_rejected(&StockRejection::NotFound);
}

#[test]
fn nothing_is_done_with_no_pieces() {
    for command in [receive(0), adjust(0), reserve(first(), 0), commit(first(), 0)] {
        given::<Stock>([stock_received(10)]).when(command).then_rejected(&StockRejection::NoPieces);
    }
}

#[test]
fn an_order_gets_all_of_it_or_nothing() {
    given::<Stock>([stock_received(10)]).when(reserve(first(), 10)).then([stock_reserved(first(), 10)]);
    given::<Stock>([stock_received(10)]).when(reserve(first(), 11)).then_rejected(&insufficient(11, 10));
    given::<Stock>([]).when(reserve(first(), 1)).then_rejected(&insufficient(1, 0));
}

#[test]
fn the_second_order_gets_what_the_first_one_left() {
    let reserved = [stock_received(10), stock_reserved(first(), 8)];
    given::<Stock>(reserved.clone()).when(reserve(second(), 2)).then([stock_reserved(second(), 2)]);
    given::<Stock>(reserved).when(reserve(second(), 3)).then_rejected(&insufficient(3, 2));
}

#[test]
fn reserving_again_for_the_same_order_changes_nothing() {
    let reserved = [stock_received(10), stock_reserved(first(), 8)];
    given::<Stock>(reserved.clone()).when(reserve(first(), 8)).then([]);
    let sent = [reserved.as_slice(), &[stock_committed(first(), 3)]].concat();
    given::<Stock>(sent).when(reserve(first(), 8)).then([]);
    let otherwise = StockRejection::ReservedOtherwise { reserved: pieces(8) };
    given::<Stock>(reserved).when(reserve(first(), 7)).then_rejected(&otherwise);
}

#[test]
fn a_cancelled_order_gives_back_what_is_left_once() {
    let cancelled = ReleaseReason::OrderCancelled;
    let reserved = [stock_received(10), stock_reserved(first(), 8), stock_committed(first(), 3)];
    let released = stock_released(first(), 5, cancelled);
    given::<Stock>(reserved.clone()).when(release(first(), cancelled)).then([released.clone()]);
    let over = [reserved.as_slice(), &[released]].concat();
    given::<Stock>(over).when(release(first(), cancelled)).then([]);
    given::<Stock>([]).when(release(first(), cancelled)).then([]);
}

#[test]
fn a_reservation_is_kept_as_long_as_was_said() {
    let state = fold::<Stock>([stock_received(10), stock_reserved(first(), 8)]);
    let at = |moment| Stock::decide(&state, release(first(), ReleaseReason::Expired), moment);
    let early = at(kept_until() - TimeDelta::microseconds(1));
    assert_eq!(early, Err(StockRejection::NotExpired { until: kept_until() }));
    assert!(matches!(at(kept_until()).as_deref(), Ok([StockEvent::Released { .. }])));
}

#[test]
fn an_order_is_sent_in_parts_and_never_more_than_it_has_reserved() {
    let reserved = [stock_received(10), stock_reserved(first(), 8)];
    given::<Stock>(reserved.clone()).when(commit(first(), 3)).then([stock_committed(first(), 3)]);
    let sent = [reserved.as_slice(), &[stock_committed(first(), 3)]].concat();
    given::<Stock>(sent.clone()).when(commit(first(), 5)).then([stock_committed(first(), 5)]);
    given::<Stock>(sent).when(commit(first(), 6)).then_rejected(&StockRejection::NotReserved { reserved: pieces(5) });
    given::<Stock>(reserved)
        .when(commit(second(), 1))
        .then_rejected(&StockRejection::NotReserved { reserved: Pieces::ZERO });
}

#[test]
fn what_is_settled_is_forgotten() {
    let state = fold::<Stock>([
        stock_received(10),
        stock_reserved(first(), 4),
        stock_reserved(second(), 4),
        stock_committed(first(), 4),
        stock_released(second(), 4, ReleaseReason::OrderIncomplete),
    ]);
    assert_eq!((state.on_hand, state.reserved, state.available()), (pieces(6), Pieces::ZERO, pieces(6)));
    assert!(state.reservations.is_empty());
}

#[test]
fn what_came_back_can_be_sold_again() {
    given::<Stock>([stock_received(1), stock_reserved(first(), 1), stock_committed(first(), 1)])
        .when(restock(first(), 1))
        .then([stock_restocked(first(), 1, 1)]);
    let back =
        [stock_received(1), stock_reserved(first(), 1), stock_committed(first(), 1), stock_restocked(first(), 1, 1)];
    assert_eq!(fold::<Stock>(back).available(), pieces(1));
    given::<Stock>([stock_received(1)]).when(restock(first(), 0)).then_rejected(&StockRejection::NoPieces);
    given::<Stock>([]).when(restock(first(), 1)).then_rejected(&StockRejection::NotFound);
    given::<Stock>([stock_received(PIECES_MAX.try_into().unwrap())])
        .when(restock(first(), 1))
        .then_rejected(&StockRejection::TooMany);
}

#[test]
fn the_state_is_the_same_after_it_was_written_down() {
    let state = fold::<Stock>([stock_received(10), stock_reserved(first(), 4), stock_committed(first(), 1)]);
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<StockState>(&text).unwrap(), state);
}

/// If this fails, snapshots that are stored mean something else to this build: raise `SNAPSHOT_VERSION` with it.
#[test]
fn what_is_written_as_a_snapshot_changes_with_its_version_only() {
    let form = Stock::SNAPSHOT.expect("stocks have snapshots");
    let state = fold::<Stock>([
        stock_received(10),
        stock_adjusted(2),
        stock_reserved(first(), 4),
        stock_reserved(second(), 3),
        stock_committed(first(), 1),
        stock_reserved(id(3), 1),
        stock_released(id(3), 1, ReleaseReason::Expired),
    ]);
    let of = |order: OrderId, requested: i64, left: i64| {
        let until = kept_until().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        format!(r#""{order}":{{"requested":{requested},"left":{left},"until":"{until}"}}"#)
    };
    let stock = state.stock.unwrap();
    let (one, other) = (of(first(), 4, 3), of(second(), 3, 3));
    let at = now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let sums = format!(r#""on_hand":11,"reserved":6,"updated_at":"{at}""#);
    let written = format!(r#"{{"stock":"{stock}",{sums},"reservations":{{{one},{other}}}}}"#);
    assert_eq!((form.version, (form.write)(&state)), (1, written.clone()));
    assert_eq!((form.read)(&written), Some(state));
    assert_eq!((form.read)(&written[1..]), None);
}

#[test]
fn each_sku_has_a_stock_in_each_warehouse() {
    let of = |sku: &str, warehouse: &str| id_of(&crate::testing::sku(sku), &Warehouse::parse(warehouse).unwrap());
    assert_eq!(of("tea-1", "Main"), of("TEA-1", "main"));
    let all = [of("TEA-1", "main"), of("TEA-1", "north"), of("TEA-2", "main")];
    assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
}

fn restock(order: OrderId, number: i64) -> StockCommand {
    StockCommand::Restock { order, number: 1, pieces: pieces(number) }
}

fn any_command() -> impl Strategy<Value = StockCommand> {
    let order = (0..4_u128).prop_map(id);
    let number = 0..12_i64;
    let reason = prop_oneof![
        Just(ReleaseReason::OrderCancelled),
        Just(ReleaseReason::OrderIncomplete),
        Just(ReleaseReason::Expired)
    ];
    prop_oneof![
        number.clone().prop_map(receive),
        (-12..12_i64).prop_map(adjust),
        (order.clone(), number.clone()).prop_map(|(order, number)| reserve(order, number)),
        (order.clone(), reason).prop_map(|(order, reason)| release(order, reason)),
        (order.clone(), number.clone()).prop_map(|(order, number)| commit(order, number)),
        (order, number).prop_map(|(order, number)| restock(order, number)),
    ]
}

proptest! {
    /// The model keeps books of its own: what came in less what went out is there, and what is promised is the sum of
    /// promises.
    #[test]
    fn whatever_is_asked_of_it_a_stock_is_never_oversold(
        commands in proptest::collection::vec((any_command(), 0..60_i64), 0..80)
    ) {
        let mut state = StockState::default();
        let (mut there, mut promised) = (0_i64, BTreeMap::<OrderId, i64>::new());
        let number = |pieces: Pieces| i64::try_from(pieces.number()).unwrap();
        for (command, minutes) in commands {
            let Ok(events) = Stock::decide(&state, command, now() + TimeDelta::minutes(minutes)) else { continue };
            for event in events {
                match &event {
                    StockEvent::Received { pieces, .. } | StockEvent::Restocked { pieces, .. } => {
                        there += number(*pieces);
                    }
                    StockEvent::Adjusted { change, .. } => there += change,
                    StockEvent::Reserved { order, pieces, .. } => {
                        prop_assert!(promised.insert(*order, number(*pieces)).is_none());
                    }
                    StockEvent::Released { order, pieces, .. } => {
                        prop_assert_eq!(promised.remove(order), Some(number(*pieces)));
                    }
                    StockEvent::Committed { order, pieces, .. } => {
                        there -= number(*pieces);
                        *promised.get_mut(order).unwrap() -= number(*pieces);
                        promised.retain(|_, left| *left > 0);
                    }
                }
                state = Stock::evolve(state, &event);
            }
            let sum: i64 = promised.values().sum();
            prop_assert!(there >= sum && sum >= 0, "{there} there, {sum} promised");
            prop_assert_eq!((number(state.on_hand), number(state.reserved)), (there, sum));
            prop_assert_eq!(number(state.available()), there - sum);
            prop_assert_eq!(state.reservations.len(), promised.len());
        }
    }
}
