//! The process in sentences, over a shop in memory.

mod world;

use proptest::prelude::*;

use self::world::{UNPAID_MINUTES, World, authorised, declined, reserved_for_another, rules};
use super::*;
use crate::{
    Command,
    order::{CancelReason, OrderCommand, OrderStatus, Party, PaymentStatus, RefundFor},
    payment::{Hold, PartStatus, PaymentCommand, PaymentRecord, ProviderFact},
    stock::StockCommand,
    testing::{eur, id, label, part, the_customer, the_order, the_stock, token},
    values::CaptureId,
};

fn order(command: OrderCommand) -> Command {
    Command::Order(the_order(), command)
}

fn cancel() -> Command {
    order(OrderCommand::Cancel { by: Party::Customer(the_customer()), reason: CancelReason::CustomerRequest })
}

fn ship(units: i64) -> Command {
    order(OrderCommand::Ship { lines: vec![part(0, units)], tracking: None })
}

fn confirmed() -> World {
    let mut world = World::with(10);
    world.settle();
    assert_eq!(world.order().status, OrderStatus::Confirmed);
    world
}

#[test]
fn an_order_whose_pieces_and_money_are_there_is_confirmed() {
    let mut world = World::with(10);
    world.run();
    assert_eq!(world.stock().available().number(), 8);
    assert_eq!(world.payment().map(|payment| payment.hold), Some(Hold::Pending), "pieces first, then money");
    world.answer(authorised(eur(3980))).unwrap();
    world.run();
    assert_eq!(world.order().status, OrderStatus::Confirmed);
    assert_eq!(world.order().payment_status(), PaymentStatus::Authorised);
    world.assert_consistent();
}

#[test]
fn an_order_whose_pieces_are_not_there_is_cancelled_and_asks_nobody_for_money() {
    for pieces in [0, 1] {
        let mut world = World::with(2);
        world.must(reserved_for_another(2 - pieces));
        world.settle();
        assert_eq!(world.order().cancel_reason, Some(CancelReason::InsufficientStock));
        assert!(world.payment().is_none());
        world.assert_consistent();
    }
}

#[test]
fn a_declined_payment_may_be_tried_with_another_token() {
    let mut world = World::with(10);
    world.run();
    world.answer(declined()).unwrap();
    world.run();
    assert_eq!(world.order().payment_status(), PaymentStatus::Declined);
    assert_eq!(world.stock().available().number(), 8, "the pieces are kept meanwhile");
    world.must(order(OrderCommand::Pay { by: Party::Operator, token: token("tok_other") }));
    world.settle();
    assert_eq!(world.order().status, OrderStatus::Confirmed);
    world.assert_consistent();
}

#[test]
fn what_is_not_paid_in_time_is_given_up_and_not_a_minute_earlier() {
    for answer in [None, Some(declined())] {
        let mut world = World::with(10);
        world.run();
        if let Some(answer) = answer.clone() {
            world.answer(answer).unwrap();
        }
        world.minutes = UNPAID_MINUTES - 1;
        world.run();
        assert_eq!(world.order().status, OrderStatus::Placed);
        let timer = rules().wake_at(&FulfilmentState::default(), world.now());
        assert_eq!(timer, None, "nothing is to be done for what is not there");
        world.minutes = UNPAID_MINUTES;
        world.settle();
        assert_eq!(world.order().cancel_reason, Some(CancelReason::Unpaid));
        assert_eq!(world.stock().available().number(), 10);
        world.assert_consistent();
    }
}

#[test]
fn money_that_is_held_too_late_is_let_go_of() {
    let mut world = World::with(10);
    world.run();
    world.must(cancel());
    world.answer(authorised(eur(3980))).unwrap();
    world.settle();
    assert_eq!(world.payment().map(|payment| payment.hold), Some(Hold::Voided));
    world.assert_consistent();
}

#[test]
fn a_confirmed_order_that_is_cancelled_gives_back_its_pieces_and_its_money() {
    let mut world = confirmed();
    world.must(cancel());
    world.settle();
    assert_eq!(world.order().payment_status(), PaymentStatus::Voided);
    assert_eq!(world.stock().available().number(), 10);
    world.assert_consistent();
}

#[test]
fn money_is_taken_shipment_by_shipment() {
    let mut world = confirmed();
    world.must(ship(1));
    world.settle();
    assert_eq!((world.order().captured(), world.order().payment_status()), (eur(1990), PaymentStatus::PartiallyPaid));
    assert_eq!((world.stock().on_hand.number(), world.stock().reserved.number()), (9, 1));
    world.must(ship(1));
    world.settle();
    assert_eq!((world.order().captured(), world.order().payment_status()), (eur(3980), PaymentStatus::Paid));
    assert_eq!((world.stock().on_hand.number(), world.stock().reserved.number()), (8, 0));
    world.assert_consistent();
}

#[test]
fn several_shipments_that_are_seen_at_once_leave_the_stock_one_after_the_other() {
    let mut world = confirmed();
    world.must(ship(1));
    world.must(ship(1));
    world.settle();
    assert_eq!((world.stock().on_hand.number(), world.stock().reserved.number()), (8, 0));
    assert_eq!(world.order().captured(), eur(3980));
    world.assert_consistent();
}

#[test]
fn what_comes_back_is_restocked_if_it_can_be_sold_again() {
    for is_restocked in [true, false] {
        let mut world = confirmed();
        world.must(ship(2));
        world.must(order(OrderCommand::Deliver));
        let lines = vec![part(0, 1)];
        world.must(order(OrderCommand::RequestReturn { by: Party::Operator, lines, reason: label("too small") }));
        world.must(order(OrderCommand::ReceiveReturn { number: 1, is_restocked }));
        world.settle();
        assert_eq!(world.stock().on_hand.number(), if is_restocked { 9 } else { 8 });
        world.assert_consistent();
    }
}

#[test]
fn money_is_given_back_once_it_was_taken() {
    let mut world = confirmed();
    world.must(ship(2));
    world.settle();
    let what = RefundFor::Lines(vec![part(0, 1)]);
    world.must(order(OrderCommand::Refund { refund: id(7), what, reason: label("returned") }));
    world.settle();
    assert_eq!(world.order().payment_status(), PaymentStatus::PartiallyRefunded);
    assert_eq!(world.order().refunded(), eur(1990));
    world.assert_consistent();
}

#[test]
fn a_refund_that_the_provider_refuses_is_told_in_the_order() {
    let mut world = confirmed();
    world.must(ship(2));
    world.settle();
    let what = RefundFor::Amount(eur(100));
    world.must(order(OrderCommand::Refund { refund: id(7), what, reason: label("late") }));
    world.run();
    world.answer(ProviderFact::RefundFailed { refund: id(7), reason: label("account closed") }).unwrap();
    world.settle();
    assert_eq!(world.order().refundable(), eur(3980), "it may be asked for again");
    world.assert_consistent();
}

#[test]
fn an_order_that_lies_in_the_house_for_too_long_is_pointed_out_once() {
    let mut world = confirmed();
    world.minutes = 48 * 60 - 1;
    world.run();
    assert!(!world.order().is_overdue);
    world.minutes += 1;
    world.run();
    assert!(world.order().is_overdue);
    world.minutes += 1_000;
    assert!(world.todo().is_empty());
}

#[test]
fn somebody_is_told_when_money_is_not_there_for_what_was_shipped() {
    let mut world = confirmed();
    world.must(ship(2));
    assert_eq!(world.concern(), None);
    world.run();
    let capture: CaptureId = *world.payment().unwrap().captures.keys().next().unwrap();
    world.answer(ProviderFact::CaptureFailed { capture, reason: label("no") }).unwrap();
    assert!(world.concern().is_some_and(|concern| concern.contains("39.80")), "{:?}", world.concern());

    let mut lost = confirmed();
    lost.answer(ProviderFact::Voided).unwrap();
    assert!(lost.concern().is_some_and(|concern| concern.contains("held no longer")), "{:?}", lost.concern());
    assert!(lost.todo().is_empty(), "somebody has let go of it: that is not for the process to undo");
}

#[test]
fn money_that_was_held_too_long_is_asked_for_again_before_it_is_needed() {
    let mut world = confirmed();
    let first = world.payment().unwrap().payment;
    world.answer(ProviderFact::Expired).unwrap();
    assert_eq!(world.concern(), None, "it goes on by itself");
    world.run();
    let again = world.payment().unwrap().clone();
    assert_ne!(again.payment, first);
    assert_eq!((again.requested, again.token, again.hold), (eur(3980), token("tok_visa"), Hold::Pending));
    world.forget();
    world.settle();
    assert_eq!(world.payments(), 2, "it is the same one, whoever asks");
    world.must(ship(2));
    world.settle();
    assert_eq!(world.payment().map(PaymentRecord::captured), Some(eur(3980)));
    let what = RefundFor::Amount(eur(100));
    world.must(order(OrderCommand::Refund { refund: id(7), what, reason: label("late") }));
    world.settle();
    assert_eq!((world.order().captured(), world.order().refunded()), (eur(3980), eur(100)));
    world.assert_consistent();
}

#[test]
fn money_that_expires_when_it_is_to_be_taken_is_taken_from_another_hold_under_another_key() {
    let mut world = confirmed();
    world.must(ship(2));
    world.run();
    let refused: CaptureId = *world.payment().unwrap().captures.keys().next().unwrap();
    world.answer(ProviderFact::CaptureFailed { capture: refused, reason: label("expired") }).unwrap();
    world.answer(ProviderFact::Expired).unwrap();
    world.settle();
    let taken: Vec<CaptureId> = world.payment().unwrap().captures.keys().copied().collect();
    assert!(taken.len() == 1 && taken[0] != refused, "a provider knows a key again");
    assert_eq!((world.order().captured(), world.concern()), (eur(3980), None));
    world.assert_consistent();
}

#[test]
fn money_is_not_asked_for_again_for_ever_nor_where_some_of_it_was_taken() {
    let mut world = confirmed();
    for _ in 0..RENEWALS_MAX {
        world.answer(ProviderFact::Expired).unwrap();
        world.settle();
        assert_eq!((world.payment().map(|payment| payment.hold), world.concern()), (Some(Hold::Held), None));
    }
    world.answer(ProviderFact::Expired).unwrap();
    assert!(world.todo().is_empty() && world.concern().is_some());

    let mut declined_then = confirmed();
    declined_then.answer(ProviderFact::Expired).unwrap();
    declined_then.run();
    declined_then.answer(declined()).unwrap();
    assert!(declined_then.todo().is_empty() && declined_then.concern().is_some());

    let mut partly = confirmed();
    partly.must(ship(1));
    partly.settle();
    partly.answer(ProviderFact::Expired).unwrap();
    assert!(partly.todo().is_empty() && partly.concern().is_some());
}

#[test]
fn an_order_that_is_cancelled_lets_go_of_what_is_asked_for_again() {
    let mut world = confirmed();
    world.answer(ProviderFact::Expired).unwrap();
    world.run();
    world.must(cancel());
    world.settle();
    assert_eq!(world.payment().map(|payment| payment.hold), Some(Hold::Voided));
    world.assert_consistent();
}

#[test]
fn an_order_of_the_old_days_is_nothing_to_remember() {
    let placed = Event::from(crate::testing::order_placed());
    assert_eq!(Fulfilment::evolve(FulfilmentState::default(), &placed), FulfilmentState::default());
}

#[test]
fn what_is_reserved_for_an_order_that_nobody_remembers_is_released() {
    let mut world = World::with(10);
    world.run();
    world.must(order(OrderCommand::Cancel { by: Party::Operator, reason: CancelReason::OutOfStock }));
    world.settle();
    // A process that was believed dead carries out what it was at.
    let (order, until) = (the_order(), world.now());
    world.must(Command::Stock(the_stock(), StockCommand::Reserve { order, pieces: crate::testing::pieces(2), until }));
    // Its own notes were thrown away: the id of the release is the same, but the log knows better.
    world.forget();
    world.settle();
    assert_eq!(world.stock().available().number(), 10);
    world.assert_consistent();
}

#[test]
fn an_event_that_cannot_be_read_is_its_orders_if_stream_or_fields_say_so() {
    let (stream, order) = (Uuid::from_u128(3), the_order().uuid());
    let of_order = serde_json::json!({ "order": order });
    let owner = |category, type_name, fields: Option<&serde_json::Value>| {
        Fulfilment::owner(&Unread { category, stream, type_name, fields })
    };
    assert_eq!(owner("order", "order.teleported.v1", None), Owner::Key(stream));
    assert_eq!(owner("payment", "payment.disputed.v1", Some(&of_order)), Owner::Key(order));
    assert_eq!(owner("stock", "stock.reserved.v2", Some(&of_order)), Owner::Key(order));
    assert_eq!(owner("stock", "stock.received.v2", None), Owner::Nobody);
    for fields in [None, Some(&serde_json::json!({ "order": 7 })), Some(&serde_json::json!([]))] {
        assert_eq!(owner("stock", "stock.reserved.v2", fields), Owner::Unknown);
        assert_eq!(owner("payment", "payment.disputed.v1", fields), Owner::Unknown);
    }
    let of_payment = Unread { category: "payment", stream, type_name: "payment.disputed.v1", fields: None };
    assert_eq!(crate::payment::Asking::owner(&of_payment), Owner::Key(stream));
}

/// Every ordering of four.
fn orderings() -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for code in 0..256_usize {
        let ordering = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
        let mut sorted = ordering;
        sorted.sort_unstable();
        if sorted == [0, 1, 2, 3] {
            all.push(ordering);
        }
    }
    assert_eq!(all.len(), 24);
    all
}

/// What the provider could not tell yet, it tells again.
fn tell(world: &mut World, told: &mut Vec<ProviderFact>) {
    told.retain(|fact| world.answer(fact.clone()).is_err());
}

#[test]
fn confirmation_webhook_timer_and_cancellation_end_well_in_every_ordering() {
    for ordering in orderings() {
        // With the process looking after every single thing, only at the end, and with nothing but the log left in between.
        for mode in ["eager", "late", "forgetful"] {
            let mut world = World::with(10);
            world.run();
            let mut told = Vec::new();
            for thing in ordering {
                match thing {
                    0 => told.push(authorised(eur(3980))),
                    1 => told.push(ProviderFact::Captured { capture: id(77), amount: eur(3980) }),
                    2 => world.minutes = UNPAID_MINUTES,
                    _ => drop(world.execute(cancel())),
                }
                tell(&mut world, &mut told);
                match mode {
                    "eager" => world.run(),
                    "forgetful" => {
                        world.forget();
                        world.run();
                    }
                    _ => {}
                }
            }
            for _ in 0..3 {
                world.settle();
                tell(&mut world, &mut told);
            }
            world.settle();
            assert!(told.is_empty(), "{ordering:?} {mode}: {told:?} is never accepted");
            assert_eq!(world.order().status, OrderStatus::Cancelled, "{ordering:?} {mode}");
            assert_eq!(world.payment().map(PaymentRecord::captured), Some(eur(3980)), "{ordering:?} {mode}");
            world.assert_consistent();
        }
    }
}

#[derive(Clone, Debug)]
enum Happens {
    Runs,
    Forgets,
    Minutes(i64),
    Cancels,
    Ships(i64),
    Returns(i64, bool),
    Refunds(i64),
    Pays,
    Declines,
    Authorises,
    CapturesByHand(i64),
    RefundsByHand(i64),
    Expires,
    Settles,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Runs),
        1 => Just(Happens::Forgets),
        1 => (1..40_i64).prop_map(Happens::Minutes),
        1 => Just(Happens::Cancels),
        3 => (1..3_i64).prop_map(Happens::Ships),
        2 => (1..3_i64, any::<bool>()).prop_map(|(units, again)| Happens::Returns(units, again)),
        2 => (1..4000_i64).prop_map(Happens::Refunds),
        1 => Just(Happens::Pays),
        1 => Just(Happens::Declines),
        3 => Just(Happens::Authorises),
        1 => (1..4000_i64).prop_map(Happens::CapturesByHand),
        1 => (1..4000_i64).prop_map(Happens::RefundsByHand),
        1 => Just(Happens::Expires),
        3 => Just(Happens::Settles),
    ]
}

fn let_happen(world: &mut World, what: &Happens, n: u128) {
    // Whatever is refused is refused; what counts is what the log holds in the end.
    let _ = match what {
        Happens::Runs => {
            world.run();
            Ok(())
        }
        Happens::Forgets => {
            world.forget();
            Ok(())
        }
        Happens::Minutes(minutes) => {
            world.minutes += minutes;
            Ok(())
        }
        Happens::Cancels => world.execute(cancel()),
        Happens::Ships(units) => world.execute(ship(*units)),
        Happens::Returns(units, is_restocked) => {
            let lines = vec![part(0, *units)];
            let asked = OrderCommand::RequestReturn { by: Party::Operator, lines, reason: label("no") };
            let number = u32::try_from(world.order().returns.len()).unwrap() + 1;
            let is_restocked = *is_restocked;
            world
                .execute(order(asked))
                .and_then(|()| world.execute(order(OrderCommand::ReceiveReturn { number, is_restocked })))
        }
        Happens::Refunds(minor) => world.execute(order(OrderCommand::Refund {
            refund: id(1_000 + n),
            what: RefundFor::Amount(eur(*minor)),
            reason: label("no"),
        })),
        Happens::Pays => world.execute(order(OrderCommand::Pay { by: Party::Operator, token: token("tok_2") })),
        Happens::Declines => world.answer(declined()),
        Happens::Authorises => world.answer(authorised(eur(3980))),
        Happens::CapturesByHand(minor) => {
            world.answer(ProviderFact::Captured { capture: id(2_000 + n), amount: eur(*minor) })
        }
        Happens::RefundsByHand(minor) => {
            world.answer(ProviderFact::Refunded { refund: id(3_000 + n), amount: eur(*minor) })
        }
        Happens::Expires => world.answer(ProviderFact::Expired),
        Happens::Settles => {
            world.settle();
            Ok(())
        }
    };
}

#[test]
fn money_that_is_not_given_back_is_offered_back_a_few_times_and_then_somebody_is_told() {
    let mut world = confirmed();
    world.keeps_money = true;
    world.answer(ProviderFact::Captured { capture: id(2_000), amount: eur(1000) }).unwrap();
    world.must(cancel());
    world.settle();
    let payment = world.payment().expect("it is there");
    assert_eq!((payment.refunds.len(), payment.refundable()), (3, eur(1000)), "not for ever");
    let concern = world.concern().expect("somebody has to see to it");
    assert!(concern.contains("does not give back 10.00 of"), "{concern}");
    // Once it was given back by hand, there is nothing to see to.
    world.answer(ProviderFact::Refunded { refund: id(3_000), amount: eur(1000) }).unwrap();
    world.settle();
    assert_eq!(world.concern(), None);
    world.assert_consistent();
}

#[test]
fn a_refund_of_money_that_was_given_back_by_hand_fails() {
    let mut world = confirmed();
    world.must(ship(2));
    world.settle();
    let what = RefundFor::Amount(eur(3980));
    world.must(order(OrderCommand::Refund { refund: id(1_000), what, reason: label("no") }));
    world.answer(ProviderFact::Refunded { refund: id(3_000), amount: eur(3980) }).unwrap();
    world.settle();
    let refunds: Vec<_> = world.order().refunds.iter().map(|refund| (refund.refund, refund.status)).collect();
    assert_eq!(refunds, [(id(1_000), PartStatus::Failed), (id(3_000), PartStatus::Done)]);
    world.assert_consistent();
}

proptest! {
    /// Whatever people and provider do, and however often the process loses its notes: in the end pieces and money add up.
    #[test]
    fn whatever_happens_pieces_and_money_add_up(
        life in proptest::collection::vec(happens(), 0..40), pieces in 1..4_i64
    ) {
        let mut world = World::with(pieces);
        for (n, what) in (0..).zip(&life) {
            let_happen(&mut world, what, n);
        }
        world.settle();
        let is_refused = |step: &Instruction| matches!(step.command, Command::Payment(_, PaymentCommand::Refund { .. } | PaymentCommand::Capture { .. }));
        // Money that went by hand, or that is held no longer, is missing for what is asked for later: somebody is told.
        world.stuck.retain(|step| !is_refused(step));
        world.assert_consistent();
    }
}
