//! What does not agree.

use std::fmt;

use crate::values::{Currency, Money, OrderId, PaymentId, StockId};

/// A difference and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub subject: Subject,
    /// What differs.
    pub difference: Difference,
}

/// What has books of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The pieces of one SKU in one warehouse.
    Stock(StockId),
    /// An order.
    Order(OrderId),
    /// A payment.
    Payment(PaymentId),
}

/// An amount that may be less than nothing, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many minor units.
    pub minor: i64,
    /// Of which currency; none while no amount was seen.
    pub currency: Option<Currency>,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = self.currency.map(|currency| Money::try_new(self.minor, currency));
        match money {
            Some(Ok(money)) => money.fmt(f),
            Some(Err(_)) | None => write!(f, "{} minor units", self.minor),
        }
    }
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Received, adjusted and restocked, less what left: that is what should be there.
    #[error("{on_hand} pieces are on hand, its events add up to {sum}")]
    OnHand {
        /// What the stock says.
        on_hand: u64,
        /// What its events add up to.
        sum: i64,
    },
    /// The open reservations are what should be reserved.
    #[error("{reserved} pieces are reserved, its open reservations add up to {sum}")]
    Reserved {
        /// What the stock says.
        reserved: u64,
        /// What the reservations add up to.
        sum: i64,
    },
    /// Less than nothing was there.
    #[error("there were {on_hand} pieces")]
    LessThanNothing {
        /// How many were there.
        on_hand: i64,
    },
    /// More was promised than there was.
    #[error("{reserved} pieces were promised when there were {on_hand}")]
    Oversold {
        /// How many were promised.
        reserved: i64,
        /// How many were there.
        on_hand: i64,
    },
    /// Pieces were promised a second time to the same order.
    #[error("order {order} was promised pieces twice")]
    PromisedTwice {
        /// The order.
        order: OrderId,
    },
    /// Pieces were released or left the house that were not reserved.
    #[error("{pieces} pieces of order {order} went when {held} were reserved for it")]
    NotReserved {
        /// The order.
        order: OrderId,
        /// How many went.
        pieces: i64,
        /// How many were reserved.
        held: i64,
    },
    /// Another order could have the pieces that are kept for one that is over.
    #[error("{pieces} pieces of stock {stock} are still reserved, though the order is over")]
    StillReserved {
        /// Of which stock.
        stock: StockId,
        /// How many.
        pieces: i64,
    },
    /// What left the house did not leave the stock, or the other way round.
    #[error("{pieces} pieces left the house and not the stock {stock} (less than 0: the other way round)")]
    ShippedOtherwise {
        /// Of which stock.
        stock: StockId,
        /// How many more left the house.
        pieces: i64,
    },
    /// What came back is not in the stock, or the other way round.
    #[error("{pieces} pieces came back and not into the stock {stock} (less than 0: the other way round)")]
    RestockedOtherwise {
        /// Of which stock.
        stock: StockId,
        /// How many more came back.
        pieces: i64,
    },
    /// More pieces of a line left the house than were bought.
    #[error("more pieces of line {line} left the house than were bought")]
    ShippedTooMuch {
        /// Which line, counted from 0.
        line: u32,
    },
    /// Money was taken for nothing that left the house, and was not given back.
    #[error("{captured} was taken; {shipped} of it for what left the house, and {refunded} was given back otherwise")]
    TakenForNothing {
        /// What was taken.
        captured: Sum,
        /// What the pieces cost that left the house.
        shipped: Sum,
        /// What was given back for other things than pieces, or is about to be.
        refunded: Sum,
    },
    /// The order does not know of money that was taken, or the other way round.
    #[error("the order says that {told} was taken, its payments say {captured}")]
    CapturedOtherwise {
        /// What the order says.
        told: Sum,
        /// What its payments say.
        captured: Sum,
    },
    /// The order does not know of money that was given back, or the other way round.
    #[error("the order says that {told} was given back, its payments say {refunded}")]
    RefundedOtherwise {
        /// What the order says.
        told: Sum,
        /// What its payments say.
        refunded: Sum,
    },
    /// More was taken than was held.
    #[error("{captured} was taken of {authorised} that was held")]
    OverCaptured {
        /// What was held.
        authorised: Sum,
        /// What was taken.
        captured: Sum,
    },
    /// More was given back than was taken.
    #[error("{refunded} was given back of {captured} that was taken")]
    OverRefunded {
        /// What was taken.
        captured: Sum,
        /// What was given back.
        refunded: Sum,
    },
    /// Money of another currency than was asked for.
    #[error("money in {other} moved, {currency} was asked for")]
    OtherCurrency {
        /// What was asked for.
        currency: Currency,
        /// What moved.
        other: Currency,
    },
}
