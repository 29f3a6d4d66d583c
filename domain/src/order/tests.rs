//! An order's rules as sentences.

use super::*;
use crate::{
    product::ProductState,
    testing::{
        eur, given, id, label, line, now, offered, order_cancelled, order_delivered, order_placed, order_shipped,
        place, product_of, requested, the_customer, the_order, usd,
    },
    values::MINOR_UNITS_MAX,
};

fn cancel() -> OrderCommand {
    OrderCommand::Cancel { by: Party::Customer(the_customer()), reason: CancelReason::CustomerRequest }
}

fn ship() -> OrderCommand {
    OrderCommand::Ship { tracking: None }
}

fn cancelled() -> OrderEvent {
    order_cancelled(CancelReason::CustomerRequest)
}

#[test]
fn an_order_takes_its_prices_from_the_catalogue() {
    given::<Order>([])
        .when(place(
            [requested("TEA-1", 2), requested("CUP-1", 1)],
            [offered("TEA-1", eur(1990)), offered("CUP-1", eur(500))],
        ))
        .then([OrderEvent::Placed {
            order: the_order(),
            customer: the_customer(),
            lines: vec![line("TEA-1", 2, eur(1990)), line("CUP-1", 1, eur(500))],
            total: eur(4480),
            at: now(),
        }]);
}

#[test]
fn an_order_without_lines_is_rejected() {
    given::<Order>([]).when(place([], [])).then_rejected(&OrderRejection::NoLines);
}

#[test]
fn an_order_of_too_many_lines_is_rejected() {
    let lines = vec![requested("TEA-1", 1); ORDER_LINES_MAX + 1];
    given::<Order>([])
        .when(place(lines, [offered("TEA-1", eur(1))]))
        .then_rejected(&OrderRejection::TooManyLines(ORDER_LINES_MAX + 1));
}

#[test]
fn an_order_of_the_most_lines_is_accepted() {
    let state = crate::testing::fold::<Order>(
        Order::decide(
            &OrderState::Unplaced,
            place(vec![requested("TEA-1", 1); ORDER_LINES_MAX], [offered("TEA-1", eur(1))]),
            now(),
        )
        .expect("accepted"),
    );
    assert_eq!(state.placed().map(|placed| placed.total), Some(eur(500)));
}

#[test]
fn everything_that_is_wrong_with_the_lines_is_said_at_once() {
    let (retired, state) = offered("OLD-1", eur(1));
    let ProductState::Offered(offer) = state else { unreachable!("it is offered") };
    given::<Order>([])
        .when(place(
            [
                requested("TEA-1", 1),
                requested("NONE-1", 1),
                requested("OLD-1", 1),
                requested("USA-1", 1),
                requested("GOLD-1", 2),
            ],
            [
                offered("TEA-1", eur(1)),
                (retired, ProductState::Retired(offer)),
                offered("USA-1", usd(1)),
                offered("GOLD-1", eur(MINOR_UNITS_MAX)),
            ],
        ))
        .then_rejected(&OrderRejection::Lines(vec![
            (1, LineProblem::UnknownProduct(product_of("NONE-1"))),
            (2, LineProblem::RetiredProduct(retired)),
            (3, LineProblem::OtherCurrency { expected: "EUR", found: "USD" }),
            (4, LineProblem::TotalTooLarge),
        ]));
}

#[test]
fn a_total_that_overflows_is_rejected() {
    given::<Order>([])
        .when(place(
            [requested("GOLD-1", 1), requested("TEA-1", 1)],
            [offered("GOLD-1", eur(MINOR_UNITS_MAX)), offered("TEA-1", eur(1))],
        ))
        .then_rejected(&OrderRejection::TotalTooLarge);
}

#[test]
fn placing_a_placed_order_is_rejected() {
    given::<Order>([order_placed()])
        .when(place([requested("TEA-1", 1)], [offered("TEA-1", eur(1))]))
        .then_rejected(&OrderRejection::AlreadyPlaced);
}

#[test]
fn a_placed_order_is_cancelled_with_the_reason() {
    given::<Order>([order_placed()]).when(cancel()).then([cancelled()]);
}

#[test]
fn cancelling_twice_changes_nothing() {
    given::<Order>([order_placed(), cancelled()]).when(cancel()).then([]);
}

#[test]
fn cancelling_a_shipped_order_is_rejected() {
    given::<Order>([order_placed(), order_shipped()]).when(cancel()).then_rejected(&OrderRejection::AlreadyShipped);
}

#[test]
fn cancelling_a_delivered_order_is_rejected() {
    given::<Order>([order_placed(), order_shipped(), order_delivered()])
        .when(cancel())
        .then_rejected(&OrderRejection::AlreadyDelivered);
}

#[test]
fn a_foreign_order_looks_like_a_missing_one() {
    let foreign = OrderCommand::Cancel { by: Party::Customer(id(99)), reason: CancelReason::CustomerRequest };
    given::<Order>([order_placed()]).when(foreign.clone()).then_rejected(&OrderRejection::NotFound);
    given::<Order>([]).when(foreign).then_rejected(&OrderRejection::NotFound);
}

#[test]
fn an_operator_cancels_any_order() {
    given::<Order>([order_placed()])
        .when(OrderCommand::Cancel { by: Party::Operator, reason: CancelReason::OutOfStock })
        .then([order_cancelled(CancelReason::OutOfStock)]);
}

#[test]
fn a_placed_order_is_shipped_with_its_tracking_number() {
    given::<Order>([order_placed()])
        .when(OrderCommand::Ship { tracking: Some(label("DHL 1")) })
        .then([OrderEvent::Shipped { order: the_order(), tracking: Some(label("DHL 1")), at: now() }]);
}

#[test]
fn shipping_what_is_not_in_the_house_is_rejected() {
    given::<Order>([]).when(ship()).then_rejected(&OrderRejection::NotFound);
    given::<Order>([order_placed(), order_shipped()]).when(ship()).then_rejected(&OrderRejection::AlreadyShipped);
    given::<Order>([order_placed(), cancelled()]).when(ship()).then_rejected(&OrderRejection::Cancelled);
    given::<Order>([order_placed(), order_shipped(), order_delivered()])
        .when(ship())
        .then_rejected(&OrderRejection::AlreadyDelivered);
}

#[test]
fn a_shipped_order_is_delivered_once() {
    given::<Order>([order_placed(), order_shipped()]).when(OrderCommand::Deliver).then([order_delivered()]);
    given::<Order>([order_placed(), order_shipped(), order_delivered()]).when(OrderCommand::Deliver).then([]);
}

#[test]
fn delivering_what_was_not_shipped_is_rejected() {
    given::<Order>([]).when(OrderCommand::Deliver).then_rejected(&OrderRejection::NotFound);
    given::<Order>([order_placed()]).when(OrderCommand::Deliver).then_rejected(&OrderRejection::NotShipped);
    given::<Order>([order_placed(), cancelled()]).when(OrderCommand::Deliver).then_rejected(&OrderRejection::Cancelled);
}

#[test]
fn a_log_that_should_not_be_still_folds() {
    let state = crate::testing::fold::<Order>([order_delivered(), order_placed(), order_delivered(), cancelled()]);
    assert!(matches!(state, OrderState::Cancelled(_)), "{state:?}");
}
