//! An order's rules as sentences.

use super::*;
use crate::{
    payment::{DeclineReason, PartStatus},
    product::ProductState,
    testing::{
        eur, fold, given, id, label, line, now, offered, order_cancelled, order_confirmed, order_delivered, order_paid,
        order_part_shipped, order_payment, order_payment_chosen, order_payment_failed, order_placed,
        order_placed_prepaid, order_refund_requested, order_refunded, order_return_received, order_return_requested,
        order_shipped, part, place, product_of, requested, the_customer, the_order, token, usd,
    },
    values::{MINOR_UNITS_MAX, RefundId, Warehouse},
};

fn cancel() -> OrderCommand {
    OrderCommand::Cancel { by: Party::Customer(the_customer()), reason: CancelReason::CustomerRequest }
}

fn ship() -> OrderCommand {
    OrderCommand::Ship { lines: vec![], tracking: None }
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
            warehouse: Warehouse::default(),
            payment: None,
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
    let state = fold::<Order>(
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
    given::<Order>([order_placed()]).when(OrderCommand::Ship { lines: vec![], tracking: Some(label("DHL 1")) }).then([
        OrderEvent::Shipped {
            order: the_order(),
            shipment: 1,
            lines: vec![part(0, 2)],
            tracking: Some(label("DHL 1")),
            at: now(),
        },
    ]);
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
    let state = fold::<Order>([order_delivered(), order_placed(), order_delivered(), cancelled()]);
    assert_eq!(state.placed().map(|placed| placed.status), Some(OrderStatus::Cancelled), "{state:?}");
}

fn prepaid(more: impl IntoIterator<Item = OrderEvent>) -> Vec<OrderEvent> {
    std::iter::once(order_placed_prepaid()).chain(more).collect()
}

fn pay() -> OrderCommand {
    OrderCommand::Pay { by: Party::Customer(the_customer()), token: token("tok_other") }
}

fn ship_part(units: i64) -> OrderCommand {
    OrderCommand::Ship { lines: vec![part(0, units)], tracking: None }
}

fn ask_back(units: i64) -> OrderCommand {
    let by = Party::Customer(the_customer());
    OrderCommand::RequestReturn { by, lines: vec![part(0, units)], reason: label("too small") }
}

fn refund_of(what: RefundFor) -> OrderCommand {
    OrderCommand::Refund { refund: the_refund(), what, reason: label("returned") }
}

fn the_refund() -> RefundId {
    id(7)
}

fn statuses(events: impl IntoIterator<Item = OrderEvent>) -> (OrderStatus, PaymentStatus, FulfilmentStatus) {
    let state = fold::<Order>(events);
    let placed = state.placed().expect("it is placed");
    (placed.status, placed.payment_status(), placed.fulfilment_status())
}

#[test]
fn what_costs_nothing_is_not_paid() {
    let place = |price| {
        let OrderCommand::Place { order, customer, lines, catalogue, warehouse, .. } =
            place([requested("TEA-1", 1)], [offered("TEA-1", eur(price))])
        else {
            unreachable!("it is a placement")
        };
        let payment = Some(token("tok_visa"));
        let command = OrderCommand::Place { order, customer, lines, catalogue, warehouse, payment };
        fold::<Order>(Order::decide(&OrderState::Unplaced, command, now()).expect("accepted"))
    };
    assert_eq!(place(1).placed().and_then(PlacedOrder::current_payment), Some(order_payment(1)));
    assert_eq!(place(0).placed().and_then(PlacedOrder::current_payment), None);
}

#[test]
fn an_order_is_confirmed_once_by_the_payment_that_counts() {
    let confirm = |payment| OrderCommand::Confirm { payment };
    given::<Order>(prepaid([])).when(confirm(Some(order_payment(1)))).then([order_confirmed()]);
    given::<Order>(prepaid([order_confirmed()])).when(confirm(Some(order_payment(1)))).then([]);
    for other in [None, Some(order_payment(2))] {
        given::<Order>(prepaid([])).when(confirm(other)).then_rejected(&OrderRejection::OtherPayment);
    }
    given::<Order>(prepaid([cancelled()]))
        .when(confirm(Some(order_payment(1))))
        .then_rejected(&OrderRejection::Cancelled);
}

#[test]
fn a_declined_payment_is_followed_by_one_with_another_token() {
    let declined = order_payment_failed(1, DeclineReason::InsufficientFunds);
    let fail = |payment| OrderCommand::FailPayment { payment, reason: DeclineReason::InsufficientFunds };
    given::<Order>(prepaid([])).when(fail(order_payment(1))).then([declined.clone()]);
    given::<Order>(prepaid([declined.clone()])).when(fail(order_payment(1))).then([]);
    given::<Order>(prepaid([])).when(fail(order_payment(2))).then_rejected(&OrderRejection::OtherPayment);
    given::<Order>(prepaid([order_confirmed()]))
        .when(fail(order_payment(1)))
        .then_rejected(&OrderRejection::AlreadyConfirmed);

    given::<Order>(prepaid([])).when(pay()).then_rejected(&OrderRejection::PaymentUnderWay);
    given::<Order>(prepaid([declined.clone()])).when(pay()).then([order_payment_chosen(2)]);
    given::<Order>(prepaid([declined.clone(), order_payment_chosen(2)]))
        .when(pay())
        .then_rejected(&OrderRejection::PaymentUnderWay);
    given::<Order>(prepaid([order_confirmed()])).when(pay()).then_rejected(&OrderRejection::AlreadyConfirmed);
    given::<Order>(prepaid([cancelled()])).when(pay()).then_rejected(&OrderRejection::Cancelled);
    given::<Order>([order_placed()]).when(pay()).then_rejected(&OrderRejection::OnAccount);
    given::<Order>(prepaid([declined]))
        .when(OrderCommand::Pay { by: Party::Customer(id(99)), token: token("tok_other") })
        .then_rejected(&OrderRejection::NotFound);
}

#[test]
fn attempts_to_pay_come_to_an_end() {
    let failed = |attempt| order_payment_failed(attempt, DeclineReason::Refused);
    let more = (2..=PAYMENT_ATTEMPTS_MAX).flat_map(|attempt| [order_payment_chosen(attempt), failed(attempt)]);
    given::<Order>(prepaid(std::iter::once(failed(1)).chain(more)))
        .when(pay())
        .then_rejected(&OrderRejection::TooManyAttempts);
}

#[test]
fn the_process_gives_up_only_what_was_not_confirmed() {
    let give_up = OrderCommand::Cancel { by: Party::Process, reason: CancelReason::Unpaid };
    given::<Order>(prepaid([])).when(give_up.clone()).then([order_cancelled(CancelReason::Unpaid)]);
    given::<Order>(prepaid([order_confirmed()])).when(give_up).then_rejected(&OrderRejection::AlreadyConfirmed);
    given::<Order>(prepaid([order_confirmed()])).when(cancel()).then([cancelled()]);
}

#[test]
fn an_order_that_waits_for_something_is_not_shipped() {
    given::<Order>(prepaid([])).when(ship()).then_rejected(&OrderRejection::NotConfirmed);
    given::<Order>(prepaid([order_confirmed()])).when(ship()).then([order_shipped()]);
}

#[test]
fn an_order_is_shipped_in_parts_until_nothing_is_left() {
    let first = order_part_shipped(1, [part(0, 1)]);
    given::<Order>(prepaid([order_confirmed()])).when(ship_part(1)).then([first.clone()]);
    given::<Order>(prepaid([order_confirmed(), first.clone()]))
        .when(ship())
        .then([order_part_shipped(2, [part(0, 1)])]);
    given::<Order>(prepaid([order_confirmed(), first.clone()]))
        .when(cancel())
        .then_rejected(&OrderRejection::AlreadyShipped);
    given::<Order>(prepaid([order_confirmed(), first]))
        .when(OrderCommand::Deliver)
        .then_rejected(&OrderRejection::NotShipped);
}

#[test]
fn everything_that_is_wrong_with_a_shipment_is_said_at_once() {
    let lines = vec![part(0, 3), part(1, 1), part(0, 1)];
    given::<Order>(prepaid([order_confirmed()])).when(OrderCommand::Ship { lines, tracking: None }).then_rejected(
        &OrderRejection::Parts(vec![
            (0, PartProblem::TooMany { left: 2 }),
            (1, PartProblem::UnknownLine),
            (2, PartProblem::NamedTwice),
        ]),
    );
}

#[test]
fn an_order_is_overdue_once_and_only_while_it_waits_in_the_house() {
    let overdue = OrderEvent::Overdue { order: the_order(), at: now() };
    given::<Order>(prepaid([])).when(OrderCommand::MarkOverdue).then_rejected(&OrderRejection::NotConfirmed);
    given::<Order>(prepaid([order_confirmed()])).when(OrderCommand::MarkOverdue).then([overdue.clone()]);
    given::<Order>(prepaid([order_confirmed(), overdue])).when(OrderCommand::MarkOverdue).then([]);
    given::<Order>(prepaid([order_confirmed(), order_shipped()]))
        .when(OrderCommand::MarkOverdue)
        .then_rejected(&OrderRejection::AlreadyShipped);
}

#[test]
fn only_what_left_the_house_comes_back_and_each_piece_once() {
    given::<Order>(prepaid([order_confirmed()])).when(ask_back(1)).then_rejected(&OrderRejection::NotShipped);
    let shipped = || prepaid([order_confirmed(), order_shipped()]);
    given::<Order>(shipped()).when(ask_back(2)).then([order_return_requested(1, [part(0, 2)])]);
    given::<Order>(shipped())
        .when(ask_back(3))
        .then_rejected(&OrderRejection::Parts(vec![(0, PartProblem::TooMany { left: 2 })]));
    let one_back = || shipped().into_iter().chain([order_return_requested(1, [part(0, 1)])]);
    given::<Order>(one_back()).when(ask_back(1)).then([order_return_requested(2, [part(0, 1)])]);
    given::<Order>(one_back())
        .when(ask_back(2))
        .then_rejected(&OrderRejection::Parts(vec![(0, PartProblem::TooMany { left: 1 })]));
    let nothing = OrderCommand::RequestReturn { by: Party::Operator, lines: vec![], reason: label("?") };
    given::<Order>(shipped()).when(nothing).then_rejected(&OrderRejection::NoLines);
    let foreign =
        OrderCommand::RequestReturn { by: Party::Customer(id(99)), lines: vec![part(0, 1)], reason: label("?") };
    given::<Order>(shipped()).when(foreign).then_rejected(&OrderRejection::NotFound);
}

#[test]
fn a_return_is_received_once() {
    let receive = |number, is_restocked| OrderCommand::ReceiveReturn { number, is_restocked };
    let returning = || prepaid([order_confirmed(), order_shipped(), order_return_requested(1, [part(0, 1)])]);
    given::<Order>(returning()).when(receive(1, true)).then([order_return_received(1, true)]);
    for missing in [0, 2] {
        given::<Order>(returning()).when(receive(missing, true)).then_rejected(&OrderRejection::NoSuchReturn);
    }
    let received = || returning().into_iter().chain([order_return_received(1, true)]);
    given::<Order>(received()).when(receive(1, true)).then([]);
    given::<Order>(received()).when(receive(1, false)).then_rejected(&OrderRejection::ReturnAlreadyReceived);
}

#[test]
fn no_more_is_given_back_than_was_taken() {
    let paid = || prepaid([order_confirmed(), order_shipped(), order_paid(1, eur(3980))]);
    let amount = |minor| RefundFor::Amount(eur(minor));
    let one_piece = || RefundFor::Lines(vec![part(0, 1)]);
    let refunded = || order_refund_requested(the_refund(), [part(0, 1)], eur(1990));
    given::<Order>(paid()).when(refund_of(one_piece())).then([refunded()]);
    given::<Order>(paid()).when(refund_of(amount(3980))).then([order_refund_requested(the_refund(), [], eur(3980))]);
    given::<Order>(paid()).when(refund_of(amount(3981))).then_rejected(&OrderRejection::OverPaid { left: eur(3980) });
    given::<Order>(paid()).when(refund_of(amount(0))).then_rejected(&OrderRejection::NoAmount);
    given::<Order>(paid())
        .when(refund_of(RefundFor::Amount(usd(1))))
        .then_rejected(&OrderRejection::OtherCurrency { expected: "EUR" });
    given::<Order>(paid()).when(refund_of(RefundFor::Lines(vec![]))).then_rejected(&OrderRejection::NoLines);
    given::<Order>(prepaid([order_confirmed(), order_shipped()]))
        .when(refund_of(one_piece()))
        .then_rejected(&OrderRejection::OverPaid { left: eur(0) });

    let once = || paid().into_iter().chain([refunded()]);
    given::<Order>(once()).when(refund_of(one_piece())).then([]);
    given::<Order>(once()).when(refund_of(amount(1))).then_rejected(&OrderRejection::KeyReused);
    let other = |what| OrderCommand::Refund { refund: id(8), what, reason: label("returned") };
    given::<Order>(once()).when(other(amount(1991))).then_rejected(&OrderRejection::OverPaid { left: eur(1990) });
    given::<Order>(once())
        .when(other(RefundFor::Lines(vec![part(0, 2)])))
        .then_rejected(&OrderRejection::Parts(vec![(0, PartProblem::TooMany { left: 1 })]));
}

#[test]
fn a_refund_that_fails_can_be_asked_for_again_under_another_key() {
    let fail = OrderCommand::FailRefund { refund: the_refund(), reason: label("no") };
    let failed = OrderEvent::RefundFailed { order: the_order(), refund: the_refund(), reason: label("no"), at: now() };
    let asked = || {
        let refund = order_refund_requested(the_refund(), [part(0, 2)], eur(3980));
        prepaid([order_confirmed(), order_shipped(), order_paid(1, eur(3980)), refund])
    };
    given::<Order>(asked()).when(fail.clone()).then([failed.clone()]);
    let after = || asked().into_iter().chain([failed.clone()]);
    given::<Order>(after()).when(fail).then([]);
    let again =
        OrderCommand::Refund { refund: id(8), what: RefundFor::Lines(vec![part(0, 2)]), reason: label("returned") };
    given::<Order>(after()).when(again).then([order_refund_requested(id(8), [part(0, 2)], eur(3980))]);
}

#[test]
fn what_the_provider_did_is_written_down_once_whatever_the_order_has_come_to() {
    let capture = OrderCommand::RecordCapture { capture: capture_of(the_order(), 1), amount: eur(3980) };
    let refund = OrderCommand::RecordRefund { refund: the_refund(), amount: eur(3980) };
    given::<Order>(prepaid([cancelled()])).when(capture.clone()).then([order_paid(1, eur(3980))]);
    given::<Order>(prepaid([cancelled(), order_paid(1, eur(3980))])).when(capture).then([]);
    let given_back = || prepaid([cancelled(), order_paid(1, eur(3980)), order_refunded(the_refund(), eur(3980))]);
    given::<Order>(prepaid([cancelled(), order_paid(1, eur(3980))]))
        .when(refund.clone())
        .then([order_refunded(the_refund(), eur(3980))]);
    given::<Order>(given_back()).when(refund).then([]);
    let state = fold::<Order>(given_back());
    let refunds = &state.placed().expect("it is placed").refunds;
    assert_eq!(refunds.iter().map(|one| one.status).collect::<Vec<_>>(), [PartStatus::Done]);
}

#[test]
fn the_three_states_of_an_order_tell_three_stories() {
    use FulfilmentStatus as Pieces;
    use OrderStatus as Life;
    use PaymentStatus as Paid;
    assert_eq!(statuses([order_placed()]), (Life::Placed, Paid::OnAccount, Pieces::Unfulfilled));
    let mut events = prepaid([]);
    let mut steps = vec![statuses(events.clone())];
    let declined = order_payment_failed(1, DeclineReason::Refused);
    for event in [
        declined.clone(),
        order_payment_chosen(2),
        OrderEvent::Confirmed { order: the_order(), payment: Some(order_payment(2)), at: now() },
        order_part_shipped(1, [part(0, 1)]),
        order_paid(1, eur(1990)),
        order_part_shipped(2, [part(0, 1)]),
        order_paid(2, eur(1990)),
        order_delivered(),
        order_return_requested(1, [part(0, 1)]),
        order_return_received(1, false),
        order_refunded(id(8), eur(1990)),
        order_return_requested(2, [part(0, 1)]),
        order_return_received(2, true),
        order_refunded(id(9), eur(1990)),
    ] {
        events.push(event);
        steps.push(statuses(events.clone()));
    }
    assert_eq!(
        steps,
        [
            (Life::Placed, Paid::Pending, Pieces::Unfulfilled),
            (Life::Placed, Paid::Declined, Pieces::Unfulfilled),
            (Life::Placed, Paid::Pending, Pieces::Unfulfilled),
            (Life::Confirmed, Paid::Authorised, Pieces::Unfulfilled),
            (Life::Confirmed, Paid::Authorised, Pieces::PartiallyShipped),
            (Life::Confirmed, Paid::PartiallyPaid, Pieces::PartiallyShipped),
            (Life::Shipped, Paid::PartiallyPaid, Pieces::Shipped),
            (Life::Shipped, Paid::Paid, Pieces::Shipped),
            (Life::Delivered, Paid::Paid, Pieces::Delivered),
            (Life::Delivered, Paid::Paid, Pieces::Delivered),
            (Life::Delivered, Paid::Paid, Pieces::PartiallyReturned),
            (Life::Delivered, Paid::PartiallyRefunded, Pieces::PartiallyReturned),
            (Life::Delivered, Paid::PartiallyRefunded, Pieces::PartiallyReturned),
            (Life::Delivered, Paid::PartiallyRefunded, Pieces::Returned),
            (Life::Delivered, Paid::Refunded, Pieces::Returned),
        ]
    );
    assert_eq!(statuses(prepaid([order_confirmed(), cancelled()])).1, Paid::Voided);
    assert_eq!(statuses(prepaid([declined, cancelled()])).1, Paid::Declined);
}
