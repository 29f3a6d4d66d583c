//! What an order remembers.

use serde::{Deserialize, Serialize};

use super::{
    CancelReason, LinePart, OrderEvent, OrderLine, PAYMENT_ATTEMPTS_MAX,
    status::{FulfilmentStatus, OrderStatus, PaymentStatus},
};
use crate::{
    Timestamp,
    payment::{DeclineReason, PartStatus},
    stock,
    values::{
        CaptureId, CustomerId, Label, Money, OrderId, PaymentId, Pieces, Quantity, RefundId, Sku, StockId, Warehouse,
    },
};

/// The life of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum OrderState {
    /// Nobody bought yet.
    #[default]
    Unplaced,
    /// Somebody did.
    Placed(Box<PlacedOrder>),
}

/// What is known of an order once it is placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacedOrder {
    /// The order.
    pub order: OrderId,
    /// Who bought.
    pub customer: CustomerId,
    /// What, how many, at which price.
    pub lines: Vec<OrderLine>,
    /// The sum of the lines.
    pub total: Money,
    /// Which warehouse it is to leave.
    pub warehouse: Warehouse,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// How it is paid; none: on account.
    pub payment: Option<OrderPayment>,
    /// What left the house, in order.
    pub shipments: Vec<Shipment>,
    /// What comes back, in order.
    pub returns: Vec<Return>,
    /// Money that was taken, in order.
    pub captures: Vec<Capture>,
    /// Money that is given back, in order.
    pub refunds: Vec<Refund>,
    /// Why it was cancelled, if it was.
    pub cancel_reason: Option<CancelReason>,
    /// Whether it should have left the house by now.
    pub is_overdue: bool,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was confirmed, if it was.
    pub confirmed_at: Option<Timestamp>,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
}

/// How an order is paid through the provider. One attempt at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPayment {
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// Why it failed, if it did.
    pub declined: Option<DeclineReason>,
    /// Whether it holds the money.
    pub is_authorised: bool,
}

/// What left the house at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shipment {
    /// What.
    pub lines: Vec<LinePart>,
    /// The carrier's number, if there is one.
    pub tracking: Option<Label>,
    /// When.
    pub at: Timestamp,
}

/// What comes back at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Return {
    /// What.
    pub lines: Vec<LinePart>,
    /// Why.
    pub reason: Label,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Once it is here: whether it can be sold again.
    pub received: Option<ReturnReceipt>,
}

/// What came back is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnReceipt {
    /// Whether it can be sold again.
    pub is_restocked: bool,
    /// When it came.
    pub at: Timestamp,
}

/// Money that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Under which key.
    pub capture: CaptureId,
    /// How much.
    pub amount: Money,
    /// When it was known.
    pub at: Timestamp,
}

/// Money that is given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// Under which key.
    pub refund: RefundId,
    /// For which pieces; none: for something else.
    pub lines: Vec<LinePart>,
    /// How much.
    pub amount: Money,
    /// Why, if somebody of the shop asked for it.
    pub reason: Option<Label>,
    /// What became of it.
    pub status: PartStatus,
    /// When it was asked for.
    pub at: Timestamp,
}

/// The payment of an order's `attempt`-th attempt, counted from 1.
pub fn payment_of(order: OrderId, attempt: u32) -> PaymentId {
    PaymentId::named(&format!("{order}/{attempt}"))
}

/// The key under which money is taken for an order's `shipment`, counted from 1.
pub fn capture_of(order: OrderId, shipment: u32) -> CaptureId {
    CaptureId::named(&format!("{order}/{shipment}"))
}

impl OrderState {
    /// The order, if it was placed at all.
    pub fn placed(&self) -> Option<&PlacedOrder> {
        match self {
            Self::Unplaced => None,
            Self::Placed(placed) => Some(placed),
        }
    }
}

impl PlacedOrder {
    /// Whether it waits for somebody before it can leave: for pieces or for money.
    pub fn has_to_be_confirmed(&self) -> bool {
        self.payment.is_some() || self.lines.iter().any(|line| line.is_stocked)
    }

    /// The payment of the attempt that counts; none on account.
    pub fn current_payment(&self) -> Option<PaymentId> {
        self.payment.map(|payment| payment_of(self.order, payment.attempt))
    }

    /// Whether one more token may be tried.
    pub(super) fn may_pay_again(&self) -> bool {
        self.payment.is_some_and(|payment| payment.attempt < PAYMENT_ATTEMPTS_MAX)
    }

    /// What is still in the house.
    pub fn left_to_ship(&self) -> Vec<LinePart> {
        let shipped = self.shipments.iter().flat_map(|shipment| &shipment.lines);
        Self::left(self.lines.iter().map(|line| line.quantity.units()).collect(), shipped)
    }

    /// What left the house and is not on its way back.
    pub fn left_to_return(&self) -> Vec<LinePart> {
        Self::left(self.shipped_units(), self.returns.iter().flat_map(|one| &one.lines))
    }

    /// What left the house and was not paid back.
    pub fn left_to_refund(&self) -> Vec<LinePart> {
        let refunds = self.refunds.iter().filter(|refund| refund.status != PartStatus::Failed);
        Self::left(self.shipped_units(), refunds.flat_map(|refund| &refund.lines))
    }

    fn shipped_units(&self) -> Vec<u32> {
        let left = self.left_to_ship();
        let left_of =
            |line: usize| left.iter().find(|part| part.line as usize == line).map_or(0, |part| part.quantity.units());
        self.lines.iter().enumerate().map(|(line, sold)| sold.quantity.units().saturating_sub(left_of(line))).collect()
    }

    /// What of so many pieces of each line is left without `parts`.
    fn left<'a>(mut units: Vec<u32>, parts: impl Iterator<Item = &'a LinePart>) -> Vec<LinePart> {
        for part in parts {
            if let Some(left) = units.get_mut(part.line as usize) {
                *left = left.saturating_sub(part.quantity.units());
            }
        }
        let left = (0..).zip(units).filter_map(|(line, units)| {
            Quantity::try_new(units.into()).ok().map(|quantity| LinePart { line, quantity })
        });
        left.collect()
    }

    /// What these pieces were sold for.
    pub fn price_of(&self, parts: &[LinePart]) -> Money {
        let prices = parts.iter().filter_map(|part| {
            let line = self.lines.get(part.line as usize)?;
            line.unit_price.checked_mul(part.quantity).ok()
        });
        // Each part is of what was sold, so the sum is not larger than the order's total.
        prices.fold(self.nothing(), |sum, price| sum.checked_add(price).unwrap_or(sum))
    }

    /// The pieces among these that are counted, for each SKU.
    pub fn stocked(&self, parts: &[LinePart]) -> Vec<(StockId, Sku, Pieces)> {
        let mut counted: Vec<(StockId, Sku, Pieces)> = Vec::new();
        for part in parts {
            let Some(line) = self.lines.get(part.line as usize).filter(|line| line.is_stocked) else { continue };
            let pieces = Pieces::from(part.quantity);
            match counted.iter_mut().find(|(_, sku, _)| *sku == line.sku) {
                Some((_, _, sum)) => *sum = sum.saturating_add(pieces),
                None => counted.push((stock::id_of(&line.sku, &self.warehouse), line.sku.clone(), pieces)),
            }
        }
        counted
    }

    /// Everything that was bought.
    pub fn everything(&self) -> Vec<LinePart> {
        (0..).zip(&self.lines).map(|(line, sold)| LinePart { line, quantity: sold.quantity }).collect()
    }

    /// Money that was taken.
    pub fn captured(&self) -> Money {
        self.captures.iter().fold(self.nothing(), |sum, one| sum.checked_add(one.amount).unwrap_or(sum))
    }

    /// Money that was given back.
    pub fn refunded(&self) -> Money {
        self.refunds_that(|status| status == PartStatus::Done)
    }

    /// Money that was taken and is not given back, nor is going to be.
    pub fn refundable(&self) -> Money {
        let refunds = self.refunds_that(|status| status != PartStatus::Failed);
        self.captured().checked_sub(refunds).unwrap_or(self.nothing())
    }

    fn refunds_that(&self, counts: impl Fn(PartStatus) -> bool) -> Money {
        let refunds = self.refunds.iter().filter(|refund| counts(refund.status));
        refunds.fold(self.nothing(), |sum, one| sum.checked_add(one.amount).unwrap_or(sum))
    }

    /// No money, in the order's currency.
    pub fn nothing(&self) -> Money {
        Money::zero(self.total.currency())
    }

    /// How far its payment is.
    pub fn payment_status(&self) -> PaymentStatus {
        let Some(payment) = self.payment else { return PaymentStatus::OnAccount };
        let (captured, refunded) = (self.captured(), self.refunded());
        if !captured.is_zero() {
            return match refunded.minor() {
                0 if captured.minor() < self.total.minor() => PaymentStatus::PartiallyPaid,
                0 => PaymentStatus::Paid,
                minor if minor < captured.minor() => PaymentStatus::PartiallyRefunded,
                _ => PaymentStatus::Refunded,
            };
        }
        match (self.status, payment) {
            (_, OrderPayment { declined: Some(_), .. }) => PaymentStatus::Declined,
            (OrderStatus::Cancelled, _) => PaymentStatus::Voided,
            (_, OrderPayment { is_authorised: true, .. }) => PaymentStatus::Authorised,
            (_, OrderPayment { is_authorised: false, .. }) => PaymentStatus::Pending,
        }
    }

    /// How far its pieces are.
    pub fn fulfilment_status(&self) -> FulfilmentStatus {
        let has_returns = self.returns.iter().any(|one| one.received.is_some());
        match self.status {
            OrderStatus::Shipped | OrderStatus::Delivered if has_returns => {
                if self.left_to_return().is_empty() && self.returns.iter().all(|one| one.received.is_some()) {
                    FulfilmentStatus::Returned
                } else {
                    FulfilmentStatus::PartiallyReturned
                }
            }
            OrderStatus::Delivered => FulfilmentStatus::Delivered,
            OrderStatus::Shipped => FulfilmentStatus::Shipped,
            OrderStatus::Placed | OrderStatus::Confirmed if !self.shipments.is_empty() => {
                FulfilmentStatus::PartiallyShipped
            }
            OrderStatus::Placed | OrderStatus::Confirmed | OrderStatus::Cancelled => FulfilmentStatus::Unfulfilled,
        }
    }
}

pub(super) fn evolve(state: OrderState, event: &OrderEvent) -> OrderState {
    if let OrderEvent::Placed { order, customer, lines, total, warehouse, payment, at } = event {
        let attempt = OrderPayment { attempt: 1, declined: None, is_authorised: false };
        return OrderState::Placed(Box::new(PlacedOrder {
            order: *order,
            customer: *customer,
            lines: lines.clone(),
            total: *total,
            warehouse: warehouse.clone(),
            status: OrderStatus::Placed,
            payment: payment.as_ref().map(|_| attempt),
            shipments: vec![],
            returns: vec![],
            captures: vec![],
            refunds: vec![],
            cancel_reason: None,
            is_overdue: false,
            placed_at: *at,
            confirmed_at: None,
            updated_at: *at,
        }));
    }
    let OrderState::Placed(mut placed) = state else {
        // `decide` never lets anything happen before the placement; a log that holds it all the same must still fold.
        return state;
    };
    if placed.is_touched_by(event) {
        placed.updated_at = event.at();
        placed.take_in(event);
    }
    OrderState::Placed(placed)
}

impl PlacedOrder {
    /// Whether the event can be, after all that was. `decide` lets no other happen; a log that holds one all the same must
    /// still fold, so it changes nothing.
    fn is_touched_by(&self, event: &OrderEvent) -> bool {
        let is_open = matches!(self.status, OrderStatus::Placed | OrderStatus::Confirmed);
        match event {
            OrderEvent::Confirmed { .. } => self.status == OrderStatus::Placed,
            OrderEvent::Cancelled { .. } => is_open && self.shipments.is_empty(),
            OrderEvent::Shipped { .. } => is_open,
            OrderEvent::Delivered { .. } => self.status == OrderStatus::Shipped,
            OrderEvent::Placed { .. }
            | OrderEvent::PaymentChosen { .. }
            | OrderEvent::PaymentFailed { .. }
            | OrderEvent::Overdue { .. }
            | OrderEvent::Paid { .. }
            | OrderEvent::ReturnRequested { .. }
            | OrderEvent::ReturnReceived { .. }
            | OrderEvent::RefundRequested { .. }
            | OrderEvent::Refunded { .. }
            | OrderEvent::RefundFailed { .. } => true,
        }
    }

    fn take_in(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed { .. } => {}
            OrderEvent::PaymentChosen { .. } => {
                let attempt = self.payment.map_or(0, |payment| payment.attempt) + 1;
                self.payment = Some(OrderPayment { attempt, declined: None, is_authorised: false });
            }
            OrderEvent::PaymentFailed { reason, .. } => {
                self.payment = self.payment.map(|payment| OrderPayment { declined: Some(*reason), ..payment });
            }
            OrderEvent::Confirmed { payment, at, .. } => {
                self.status = OrderStatus::Confirmed;
                self.confirmed_at = Some(*at);
                let is_authorised = payment.is_some();
                self.payment = self.payment.map(|payment| OrderPayment { is_authorised, ..payment });
            }
            OrderEvent::Cancelled { reason, .. } => {
                self.status = OrderStatus::Cancelled;
                self.cancel_reason = Some(*reason);
            }
            OrderEvent::Shipped { lines, tracking, at, .. } => {
                let lines = if lines.is_empty() { self.left_to_ship() } else { lines.clone() };
                self.shipments.push(Shipment { lines, tracking: tracking.clone(), at: *at });
                let is_all = self.left_to_ship().is_empty();
                self.status = if is_all { OrderStatus::Shipped } else { OrderStatus::Confirmed };
            }
            OrderEvent::Delivered { .. } => self.status = OrderStatus::Delivered,
            OrderEvent::Overdue { .. } => self.is_overdue = true,
            OrderEvent::Paid { capture, amount, at, .. } => {
                self.captures.push(Capture { capture: *capture, amount: *amount, at: *at });
            }
            OrderEvent::ReturnRequested { lines, reason, at, .. } => {
                let (lines, reason) = (lines.clone(), reason.clone());
                self.returns.push(Return { lines, reason, requested_at: *at, received: None });
            }
            OrderEvent::ReturnReceived { number, is_restocked, at, .. } => {
                if let Some(one) = self.returns.get_mut(index(*number)) {
                    one.received = Some(ReturnReceipt { is_restocked: *is_restocked, at: *at });
                }
            }
            OrderEvent::RefundRequested { refund, lines, amount, reason, at, .. } => self.refunds.push(Refund {
                refund: *refund,
                lines: lines.clone(),
                amount: *amount,
                reason: Some(reason.clone()),
                status: PartStatus::Requested,
                at: *at,
            }),
            OrderEvent::Refunded { refund, amount, at, .. } => self.refunded_as(*refund, *amount, *at),
            OrderEvent::RefundFailed { refund, .. } => {
                if let Some(known) = self.refunds.iter_mut().find(|known| known.refund == *refund) {
                    known.status = PartStatus::Failed;
                }
            }
        }
    }

    /// Money may also be given back without anybody of the shop having asked: when it was taken for a cancelled order, or in
    /// the provider's own console.
    fn refunded_as(&mut self, refund: RefundId, amount: Money, at: Timestamp) {
        match self.refunds.iter_mut().find(|known| known.refund == refund) {
            Some(known) => known.status = PartStatus::Done,
            None => {
                self.refunds.push(Refund { refund, lines: vec![], amount, reason: None, status: PartStatus::Done, at });
            }
        }
    }
}

/// Where the `number`-th one is, counted from 1.
pub(super) fn index(number: u32) -> usize {
    (number as usize).wrapping_sub(1)
}
