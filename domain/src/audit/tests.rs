//! Books that agree, and every way in which they may not.

use super::*;
use crate::{
    order::{CancelReason, OrderEvent, OrderLine, capture_of},
    payment::PaymentEvent,
    stock::{ReleaseReason, StockEvent},
    testing::*,
    values::{Id, Money, RefundId},
};

/// The order that all of [`crate::testing`] is about: two counted pieces for 19.90 EUR each, paid in advance.
fn placed() -> Event {
    order_placed_prepaid().into()
}

fn shipped(shipment: u32, units: i64) -> Event {
    order_part_shipped(shipment, [part(0, units)]).into()
}

fn cancelled() -> Event {
    order_cancelled(CancelReason::Unpaid).into()
}

fn reserved() -> Event {
    stock_reserved(the_order(), 2).into()
}

fn committed(pieces: i64) -> Event {
    stock_committed(the_order(), pieces).into()
}

fn captured(shipment: u32, minor: i64) -> Event {
    payment_captured(capture_of(the_order(), shipment), eur(minor)).into()
}

fn paid(shipment: u32, minor: i64) -> Event {
    order_paid(shipment, eur(minor)).into()
}

fn authorised() -> Vec<Event> {
    vec![payment_requested(eur(3980)).into(), payment_authorised(eur(3980)).into()]
}

fn refund() -> RefundId {
    id(77)
}

/// Placed, reserved, held.
fn begun() -> Vec<Event> {
    [vec![stock_received(10).into(), placed(), reserved()], authorised()].concat()
}

/// All of it left the house, and is paid.
fn sold() -> Vec<Event> {
    [begun(), vec![order_confirmed().into(), shipped(1, 2), committed(2), captured(1, 3980), paid(1, 3980)]].concat()
}

fn take_in(events: &[Event]) -> Audit {
    let mut audit = Audit::default();
    for (position, event) in (1..).zip(events) {
        audit.take_in(event, position);
    }
    audit
}

/// The report on these events, with the process being through with everything.
fn report(events: &[Event]) -> Report {
    take_in(events).close(|_, _| true)
}

#[track_caller]
fn agrees(events: &[Event]) {
    let report = report(events);
    assert!(report.is_right(), "{:?}", report.differences);
}

/// Exactly this is found.
#[track_caller]
fn finds(events: &[Event], expected: &[Found]) {
    let report = report(events);
    assert_eq!(report.differences, expected);
    assert_eq!(report.differing, expected.len() as u64);
    assert!(!report.is_right());
}

fn stock(difference: Difference) -> Found {
    Found { subject: Subject::Stock(the_stock()), difference }
}

fn order(difference: Difference) -> Found {
    Found { subject: Subject::Order(the_order()), difference }
}

fn payment(difference: Difference) -> Found {
    Found { subject: Subject::Payment(the_payment()), difference }
}

fn euro(minor: i64) -> difference::Sum {
    difference::Sum { minor, currency: Some(crate::values::Currency::EUR) }
}

#[test]
fn an_order_that_goes_its_way_agrees_at_the_end() {
    let report = report(&sold());
    assert_eq!(
        report,
        Report { events: 10, stocks: 1, payments: 1, orders: 1, under_way: 0, differing: 0, differences: vec![] }
    );
}

#[test]
fn what_leaves_in_parts_and_comes_back_agrees() {
    let two_parts = [shipped(1, 1), committed(1), captured(1, 1990), paid(1, 1990)];
    let rest = [shipped(2, 1), committed(1), captured(2, 1990), paid(2, 1990)];
    let back: [Event; 8] = [
        order_delivered().into(),
        order_return_requested(1, [part(0, 1)]).into(),
        order_return_received(1, true).into(),
        stock_restocked(the_order(), 1, 1).into(),
        order_refund_requested(refund(), [part(0, 1)], eur(1990)).into(),
        refund_requested(refund(), eur(1990)).into(),
        payment_refunded(refund(), eur(1990)).into(),
        order_refunded(refund(), eur(1990)).into(),
    ];
    agrees(&[begun(), two_parts.into(), rest.into(), back.into()].concat());
}

#[test]
fn an_order_that_is_given_up_agrees_once_everything_is_let_go() {
    let released = stock_released(the_order(), 2, ReleaseReason::OrderCancelled).into();
    agrees(&[begun(), vec![cancelled(), released, void_requested().into(), payment_voided().into()]].concat());
}

#[test]
fn an_order_of_old_without_parts_agrees() {
    agrees(&[order_placed().into(), order_shipped().into(), order_delivered().into()]);
}

#[test]
fn money_that_was_taken_for_a_cancelled_order_and_is_being_given_back_agrees() {
    let released = stock_released(the_order(), 2, ReleaseReason::OrderCancelled).into();
    let events = [begun(), vec![captured(1, 3980), cancelled(), released, paid(1, 3980)]].concat();
    finds(&events, &[order(Difference::TakenForNothing { captured: euro(3980), shipped: euro(0), refunded: euro(0) })]);
    let asked = [events, vec![refund_requested(refund(), eur(3980)).into()]].concat();
    agrees(&asked);
    let refused = [asked.clone(), vec![refund_failed(refund()).into()]].concat();
    assert!(!report(&refused).is_right());
    agrees(
        &[asked, vec![payment_refunded(refund(), eur(3980)).into(), order_refunded(refund(), eur(3980)).into()]]
            .concat(),
    );
}

#[test]
fn more_promised_than_there_is_is_found() {
    let other = stock_reserved(id(88), 1).into();
    let oversold = stock(Difference::Oversold { reserved: 3, on_hand: 2 });
    finds(
        &[stock_received(2).into(), placed(), reserved(), other],
        &[
            oversold,
            Found {
                subject: Subject::Order(id(88)),
                difference: Difference::StillReserved { stock: the_stock(), pieces: 1 },
            },
        ],
    );
}

#[test]
fn less_than_nothing_is_found_though_the_stock_itself_stops_at_nothing() {
    let events = [stock_received(2).into(), Event::from(stock_adjusted(-3))];
    let report = report(&events);
    assert!(report.differences.contains(&stock(Difference::LessThanNothing { on_hand: -1 })), "{report:?}");
    assert!(report.differences.contains(&stock(Difference::OnHand { on_hand: 0, sum: -1 })), "{report:?}");
}

#[test]
fn pieces_that_go_without_having_been_reserved_are_found() {
    let not_reserved = |pieces, held| stock(Difference::NotReserved { order: the_order(), pieces, held });
    let all = [begun(), vec![order_confirmed().into(), shipped(1, 2), committed(3)]].concat();
    let found = report(&all);
    assert!(found.differences.contains(&not_reserved(3, 2)), "{found:?}");
    let released = stock_released(the_order(), 4, ReleaseReason::OrderCancelled).into();
    let found = report(&[begun(), vec![cancelled(), released]].concat());
    assert!(found.differences.contains(&not_reserved(4, 2)), "{found:?}");
}

#[test]
fn a_second_promise_to_the_same_order_is_found() {
    let found = report(&[begun(), vec![reserved()]].concat());
    assert!(found.differences.contains(&stock(Difference::PromisedTwice { order: the_order() })), "{found:?}");
    assert!(found.differences.contains(&stock(Difference::Reserved { reserved: 2, sum: 4 })), "{found:?}");
}

#[test]
fn a_reservation_that_leaks_is_found_once_its_order_is_over() {
    agrees(&begun());
    let leaked = order(Difference::StillReserved { stock: the_stock(), pieces: 2 });
    finds(&[begun(), vec![cancelled()]].concat(), std::slice::from_ref(&leaked));
    // Of an order that nobody placed.
    finds(&[stock_received(2).into(), reserved()], &[leaked]);
}

#[test]
fn an_order_that_the_process_is_at_is_counted_and_left_alone() {
    let events = [begun(), vec![cancelled()]].concat();
    let last = events.len() as u64;
    let at_it = take_in(&events).close(|order, seen| order != the_order() || seen != last);
    assert_eq!((at_it.is_right(), at_it.under_way), (true, 1));
    // What one stream alone decides is found all the same.
    let oversold = [events, vec![stock_reserved(id(88), 99).into()]].concat();
    assert_eq!(take_in(&oversold).close(|_, _| false).differing, 1);
}

#[test]
fn what_left_the_house_and_not_the_stock_is_found() {
    let missing = |pieces| order(Difference::ShippedOtherwise { stock: the_stock(), pieces });
    finds(&[begun(), vec![order_confirmed().into(), shipped(1, 1)]].concat(), &[missing(1)]);
    finds(&[begun(), vec![order_confirmed().into(), committed(1)]].concat(), &[missing(-1)]);
}

#[test]
fn what_came_back_and_not_into_the_stock_is_found() {
    let back = [order_return_requested(1, [part(0, 2)]).into(), order_return_received(1, true).into()];
    let restocked = |pieces| Event::from(stock_restocked(the_order(), 1, pieces));
    let missing = |pieces| order(Difference::RestockedOtherwise { stock: the_stock(), pieces });
    let events = [sold(), back.into()].concat();
    finds(&events, &[missing(2)]);
    agrees(&[events.clone(), vec![restocked(2)]].concat());
    finds(&[events, vec![restocked(2), restocked(2)]].concat(), &[missing(-2)]);
    // What cannot be sold again does not go there.
    agrees(
        &[sold(), vec![order_return_requested(1, [part(0, 2)]).into(), order_return_received(1, false).into()]]
            .concat(),
    );
}

#[test]
fn more_leaving_the_house_than_was_bought_is_found() {
    let found = report(&[sold(), vec![shipped(2, 1)]].concat());
    assert_eq!(found.differences, [order(Difference::ShippedTooMuch { line: 0 })]);
    let unknown = order_part_shipped(1, [part(7, 1)]).into();
    assert_eq!(report(&[placed(), unknown]).differences, [order(Difference::ShippedTooMuch { line: 7 })]);
}

#[test]
fn more_taken_than_was_held_is_found() {
    let found = report(&[sold(), vec![captured(2, 1)]].concat());
    let over = Difference::OverCaptured { authorised: euro(3980), captured: euro(3981) };
    assert!(found.differences.contains(&payment(over)), "{found:?}");
    let unheld = [payment_requested(eur(3980)).into(), captured(1, 1)];
    let over = Difference::OverCaptured { authorised: euro(0), captured: euro(1) };
    assert!(report(&unheld).differences.contains(&payment(over)));
}

#[test]
fn more_given_back_than_was_taken_is_found() {
    let back = [payment_refunded(refund(), eur(3990)).into(), order_refunded(refund(), eur(3990)).into()];
    let over = Difference::OverRefunded { captured: euro(3980), refunded: euro(3990) };
    finds(&[sold(), back.into()].concat(), &[payment(over)]);
}

#[test]
fn money_of_another_currency_is_found() {
    let found = report(&[payment_requested(eur(3980)).into(), payment_authorised(usd(3980)).into()]);
    let (currency, other) = (eur(1).currency(), usd(1).currency());
    assert_eq!(found.differences, [payment(Difference::OtherCurrency { currency, other })]);
}

#[test]
fn money_that_is_taken_for_nothing_that_left_the_house_is_found() {
    let half = [begun(), vec![order_confirmed().into(), shipped(1, 1), committed(1)]].concat();
    agrees(&[half.clone(), vec![captured(1, 1990), paid(1, 1990)]].concat());
    let twice = [half, vec![captured(1, 1990), paid(1, 1990), captured(2, 1990), paid(2, 1990)]].concat();
    let nothing = |refunded| order(Difference::TakenForNothing { captured: euro(3980), shipped: euro(1990), refunded });
    finds(&twice, &[nothing(euro(0))]);
    // What is given back for the piece that left does not make up for the other one.
    let back: [Event; 3] = [
        order_refund_requested(refund(), [part(0, 1)], eur(1990)).into(),
        payment_refunded(refund(), eur(1990)).into(),
        order_refunded(refund(), eur(1990)).into(),
    ];
    finds(&[twice.clone(), back.into()].concat(), &[nothing(euro(0))]);
    let back: [Event; 2] = [payment_refunded(refund(), eur(1990)).into(), order_refunded(refund(), eur(1990)).into()];
    agrees(&[twice, back.into()].concat());
}

#[test]
fn an_order_that_does_not_know_of_its_money_is_found() {
    let mut events = sold();
    events.pop();
    finds(&events, &[order(Difference::CapturedOtherwise { told: euro(0), captured: euro(3980) })]);
    let back = payment_refunded(refund(), eur(10)).into();
    finds(
        &[sold(), vec![back]].concat(),
        &[order(Difference::RefundedOtherwise { told: euro(0), refunded: euro(10) })],
    );
}

#[test]
fn a_difference_is_told_once_for_each_and_many_are_counted() {
    let mut events: Vec<Event> = vec![stock_received(1).into(), stock_adjusted(-2).into()];
    for _ in 0..10 {
        events.push(stock_adjusted(-1).into());
    }
    assert_eq!(report(&events).differing, 3, "less than nothing, oversold, and not what the stock says");
    let leaks: Vec<Event> = (0..150).map(|n| stock_reserved(id(1_000 + n), 1).into()).collect();
    let found = report(&[vec![stock_received(150).into()], leaks].concat());
    assert_eq!((found.differing, found.differences.len()), (150, DIFFERENCES_MAX));
}

#[test]
fn differences_say_in_words_what_is_wrong() {
    let taken = Difference::TakenForNothing { captured: euro(3980), shipped: euro(1990), refunded: euro(0) };
    let words = taken.to_string();
    assert!(words.contains("39.80") && words.contains("19.90"), "{words}");
    let sum = difference::Sum { minor: -5, currency: None };
    assert_eq!(sum.to_string(), "-5 minor units");
}

#[test]
fn two_lines_of_one_sku_are_counted_together() {
    let OrderEvent::Placed { order, customer, mut lines, warehouse, payment, at, .. } = order_placed_prepaid() else {
        unreachable!("it is a placement")
    };
    lines.push(OrderLine { ..lines[0].clone() });
    let total: Money = eur(7960);
    let placed = OrderEvent::Placed { order, customer, lines, total, warehouse, payment, at };
    let events: [Event; 5] = [
        stock_received(4).into(),
        placed.into(),
        StockEvent::Reserved {
            stock: the_stock(),
            order: Id::new(order.uuid()),
            pieces: pieces(4),
            until: now(),
            at: now(),
        }
        .into(),
        order_part_shipped(1, []).into(),
        committed(4),
    ];
    agrees(&events);
    assert!(matches!(&events[3], Event::Order(OrderEvent::Shipped { lines, .. }) if lines.is_empty()));
    let requested = PaymentEvent::VoidRequested { payment: the_payment(), order, at };
    agrees(&[events.to_vec(), vec![requested.into()]].concat());
}
