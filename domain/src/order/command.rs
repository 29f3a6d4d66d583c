//! What somebody may want of an order.

use std::collections::HashMap;

use super::{CancelReason, LinePart};
use crate::{
    payment::DeclineReason,
    product::ProductState,
    values::{
        CaptureId, CustomerId, Label, Money, OrderId, PaymentId, PaymentToken, ProductId, Quantity, RefundId, Warehouse,
    },
};

/// What the catalogue says, at this moment, of the products somebody asks for. A product that is missing here is
/// unknown.
pub type Catalogue = HashMap<ProductId, ProductState>;

/// A command to one order.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderCommand {
    /// Buy.
    Place {
        /// The order's id, fresh.
        order: OrderId,
        /// Who buys.
        customer: CustomerId,
        /// What and how much. The client names no price.
        lines: Vec<RequestedLine>,
        /// Where the prices come from.
        catalogue: Catalogue,
        /// Which warehouse it is to leave.
        warehouse: Warehouse,
        /// With what it is paid, through the provider; none: on account, the shop sees to it.
        payment: Option<PaymentToken>,
    },
    /// Pay with another token, after the one before was declined.
    Pay {
        /// Who asks.
        by: Party,
        /// With what.
        token: PaymentToken,
    },
    /// What had to be waited for is there: the pieces are reserved, and the money is held.
    Confirm {
        /// Which payment holds the money; none on account.
        payment: Option<PaymentId>,
    },
    /// The provider does not hold the money.
    FailPayment {
        /// Which attempt.
        payment: PaymentId,
        /// Why.
        reason: DeclineReason,
    },
    /// Give it up, as long as it is not on its way.
    Cancel {
        /// Who asks.
        by: Party,
        /// Why.
        reason: CancelReason,
    },
    /// Some or all of it left the house.
    Ship {
        /// What; nothing named: all that is left.
        lines: Vec<LinePart>,
        /// The carrier's number, if there is one.
        tracking: Option<Label>,
    },
    /// The customer has all of it.
    Deliver,
    /// It should have left the house by now.
    MarkOverdue,
    /// The customer wants to send something back.
    RequestReturn {
        /// Who asks.
        by: Party,
        /// What.
        lines: Vec<LinePart>,
        /// Why.
        reason: Label,
    },
    /// What was to come back is here.
    ReceiveReturn {
        /// Which return, counted from 1.
        number: u32,
        /// Whether it can be sold again.
        is_restocked: bool,
    },
    /// Give money back.
    Refund {
        /// The key of this giving back.
        refund: RefundId,
        /// For what.
        what: RefundFor,
        /// Why.
        reason: Label,
    },
    /// The provider has taken money.
    RecordCapture {
        /// Under which key.
        capture: CaptureId,
        /// How much.
        amount: Money,
    },
    /// The provider has given money back.
    RecordRefund {
        /// Under which key.
        refund: RefundId,
        /// How much.
        amount: Money,
    },
    /// The provider does not give this money back.
    FailRefund {
        /// Under which key.
        refund: RefundId,
        /// Why, in the provider's words.
        reason: Label,
    },
}

/// What money is given back for.
#[derive(Clone, Debug, PartialEq)]
pub enum RefundFor {
    /// These pieces, at the price they were sold for.
    Lines(Vec<LinePart>),
    /// Whatever it is, this much.
    Amount(Money),
}

/// One line as asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestedLine {
    /// Which product.
    pub product: ProductId,
    /// How many.
    pub quantity: Quantity,
}

/// Who asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A customer, who has power over their own orders only.
    Customer(CustomerId),
    /// The shop.
    Operator,
    /// The shop's own process, which gives up only what was not confirmed.
    Process,
}
