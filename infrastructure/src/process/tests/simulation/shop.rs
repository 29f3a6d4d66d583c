//! Every aggregate and the log, in memory; and the books that must balance in the end.

use std::{cell::Cell, collections::HashSet};

use domain::{
    Command, Event, Rejection, Timestamp,
    order::{CancelReason, OrderCommand, OrderLine, OrderState, OrderStatus, PlacedOrder, RequestedLine},
    payment::Hold,
    stock::StockCommand,
    testing::{Aggregates, eur, offered_counted, product_of, quantity, sku, the_customer, token},
    values::{OrderId, StockId, Warehouse},
};
use uuid::Uuid;

use super::{Dice, Tally, is_over, order_id, pieces_at_first, provider::Provider};

/// What there is to buy, and for how much.
const GOODS: [(&str, i64); 2] = [("TEA-1", 1_990), ("CUP-1", 500)];
/// How many orders a run has at most.
const ORDERS_MAX: usize = 6;

#[derive(Debug, Default)]
pub(super) struct Shop {
    pub(super) log: Vec<(Uuid, Event)>,
    all: Aggregates,
    commands: HashSet<(Uuid, Uuid)>,
    ids: Cell<u128>,
}

impl Shop {
    pub(super) fn new() -> Self {
        let mut shop = Self::default();
        for (name, _) in GOODS {
            let (sku, warehouse, pieces) = (sku(name), Warehouse::default(), pieces_at_first());
            let stock = domain::stock::id_of(&sku, &warehouse);
            let receive = StockCommand::Receive { sku, warehouse, pieces, reference: None };
            shop.execute(shop.fresh(), Command::Stock(stock, receive), domain::testing::now()).expect("it is received");
        }
        shop
    }

    /// An id that nobody has.
    pub(super) fn fresh(&self) -> Uuid {
        self.ids.set(self.ids.get() + 1);
        Uuid::from_u128(self.ids.get())
    }

    /// As the executor does: a command that the stream holds already is a success that changes nothing.
    pub(super) fn execute(&mut self, id: Uuid, command: Command, at: Timestamp) -> Result<(), Rejection> {
        let stream = match &command {
            Command::Order(id, _) => id.uuid(),
            Command::Stock(id, _) => id.uuid(),
            Command::Payment(id, _) => id.uuid(),
            Command::Product(..)
            | Command::Profile(..)
            | Command::Handle(..)
            | Command::Follow(..)
            | Command::Post(..)
            | Command::Reaction(..)
            | Command::Inbox(..)
            | Command::Operator(_) => unreachable!("nobody commands these here"),
        };
        if self.commands.contains(&(stream, id)) {
            return Ok(());
        }
        let new = self.all.execute(command, at)?;
        if !new.is_empty() {
            self.commands.insert((stream, id));
        }
        for event in new {
            let id = self.fresh();
            self.log.push((id, event));
        }
        Ok(())
    }

    pub(super) fn place_another(&mut self, dice: &mut Dice, now: Timestamp) {
        if self.all.orders.len() >= ORDERS_MAX {
            return;
        }
        let order = order_id(self.all.orders.len() as u128);
        // Two lines may be of one SKU.
        let goods: Vec<_> = (0..=dice.roll(2)).map(|_| GOODS[dice.index(GOODS.len())]).collect();
        let lines = goods.iter().map(|(sku, _)| {
            let quantity = quantity(i64::try_from(1 + dice.roll(2)).expect("few"));
            RequestedLine { product: product_of(sku), quantity }
        });
        let lines = lines.collect();
        let catalogue = goods.iter().map(|(name, price)| offered_counted(name, eur(*price))).collect();
        let payment = match dice.roll(10) {
            0 => None,
            1..4 => Some(token("tok_declined")),
            _ => Some(token("tok_visa")),
        };
        let (customer, warehouse) = (the_customer(), Warehouse::default());
        let place = OrderCommand::Place { order, customer, lines, catalogue, warehouse, payment };
        self.execute(self.fresh(), Command::Order(order, place), now).expect("it is placed");
    }

    pub(super) fn any_order(&self, dice: &mut Dice) -> Option<OrderId> {
        (!self.all.orders.is_empty()).then(|| order_id(dice.roll(self.all.orders.len() as u64).into()))
    }

    pub(super) fn order(&self, order: OrderId) -> Option<&PlacedOrder> {
        self.all.orders.get(&order).and_then(OrderState::placed)
    }

    fn placed(&self) -> impl Iterator<Item = &PlacedOrder> {
        self.all.orders.values().filter_map(OrderState::placed)
    }

    pub(super) fn open_orders(&self) -> Vec<&PlacedOrder> {
        self.placed().filter(|placed| !is_over(placed.status)).collect()
    }

    pub(super) fn all_are_over(&self) -> bool {
        self.open_orders().is_empty()
    }

    /// Ships what is confirmed and delivers what is on its way. Whether there was anything.
    pub(super) fn ship_and_deliver(&mut self, now: Timestamp) -> bool {
        let todo: Vec<_> = self
            .placed()
            .filter_map(|placed| match placed.status {
                OrderStatus::Confirmed => Some((placed.order, OrderCommand::Ship { lines: vec![], tracking: None })),
                OrderStatus::Shipped => Some((placed.order, OrderCommand::Deliver)),
                OrderStatus::Placed | OrderStatus::Delivered | OrderStatus::Cancelled => None,
            })
            .collect();
        let has_some = !todo.is_empty();
        for (order, command) in todo {
            self.execute(self.fresh(), Command::Order(order, command), now).expect("it can leave, and arrive");
        }
        has_some
    }

    /// The orders of which something that was paid could be given back.
    pub(super) fn with_money_left(&self) -> Vec<OrderId> {
        self.placed().filter(|placed| !placed.refundable().is_zero()).map(|placed| placed.order).collect()
    }

    /// Everything has come to rest: the books are closed.
    pub(super) fn assert_consistent(&self, provider: &Provider) {
        for (stock, state) in &self.all.stocks {
            assert!(state.reservations.is_empty(), "pieces of {stock} are kept for nobody: {:#?}", self.log);
            let gone: u64 = self.placed().map(|placed| units(placed, *stock)).sum();
            assert_eq!(state.on_hand.number() + gone, pieces_at_first().number(), "pieces of {stock}: {:#?}", self.log);
        }
        for placed in self.placed() {
            self.assert_paid(placed);
        }
        for payment in self.all.known_payments() {
            let (taken, given) = provider.moved(payment.payment);
            let known = (payment.captured().minor(), payment.refunded().minor());
            assert_eq!(known, (taken, given), "the provider did something else: {:#?}", self.log);
            assert!(payment.authorised.minor() >= taken && taken >= given, "{:#?}", self.log);
            assert!(payment.in_doubt.is_empty(), "{:#?}", self.log);
        }
    }

    /// What was taken is for what left the house, or was given back.
    fn assert_paid(&self, placed: &PlacedOrder) {
        let payments = || self.all.known_payments().filter(|one| one.order == placed.order);
        let taken: i64 = payments().map(|one| one.captured().minor()).sum();
        let given: i64 = payments().map(|one| one.refunded().minor()).sum();
        assert_eq!((placed.captured().minor(), placed.refunded().minor()), (taken, given), "{:#?}", self.log);
        if placed.status == OrderStatus::Cancelled {
            assert_eq!(taken, given, "a cancelled order was paid: {:#?}", self.log);
            assert!(payments().all(|one| !matches!(one.hold, Hold::Held | Hold::Pending)), "{:#?}", self.log);
        } else if placed.payment.is_some() {
            assert_eq!(taken, placed.total.minor(), "not everything that left was paid: {:#?}", self.log);
        }
    }

    pub(super) fn tally(&self, tally: &mut Tally) {
        for placed in self.placed() {
            tally.cancelled += usize::from(placed.status == OrderStatus::Cancelled);
            tally.delivered += usize::from(placed.status == OrderStatus::Delivered);
            tally.out_of_stock += usize::from(placed.cancel_reason == Some(CancelReason::InsufficientStock));
            tally.unpaid += usize::from(placed.cancel_reason == Some(CancelReason::Unpaid));
        }
    }
}

/// How many pieces of a stock an order has taken away and not brought back for sale.
fn units(placed: &PlacedOrder, stock: StockId) -> u64 {
    let is_of = |line: &OrderLine| domain::stock::id_of(&line.sku, &placed.warehouse) == stock;
    let of = |parts: &[domain::order::LinePart]| -> u64 {
        let parts = parts.iter().filter(|part| is_of(&placed.lines[part.line as usize]));
        parts.map(|part| u64::from(part.quantity.units())).sum()
    };
    let shipped: u64 = placed.shipments.iter().map(|one| of(&one.lines)).sum();
    let back = placed.returns.iter().filter(|one| one.received.is_some_and(|receipt| receipt.is_restocked));
    shipped - back.map(|one| of(&one.lines)).sum::<u64>()
}
