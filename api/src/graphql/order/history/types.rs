//! What can happen to an order, a type for each.
//!
//! They share one interface rather than one type with many nulls: a client names the events it has something to say of
//! and gets fields that are there, lists the others by `kind`, and is not broken by a kind that is added. No two of them
//! give one name to fields of different types, so that any of them can be asked for side by side.

use async_graphql::{Context, Enum, Error, ID, Interface, SimpleObject};
use domain::{
    Event, Timestamp,
    order::{LinePart, OrderEvent},
    values::{CustomerId, Label},
};
use infrastructure::{event_store::Revision, execute::CommandMetadata};
use projections::{Decoded, order_summary::OrderRow};

use super::super::{
    kind::OrderChangeKind,
    types::{OrderCancelReason, OrderLinePart, PaymentDeclineReason},
};
use crate::graphql::{PositionToken, call::version, node::global, scalars::MoneyValue};

/// Who did something.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct OrderActor {
    /// In which part.
    role: OrderActorRole,
    /// The subject of their token, or the name of the process. For operators; null for customers.
    name: Option<String>,
}

/// In which part somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum OrderActorRole {
    /// Who bought.
    Customer,
    /// Somebody who runs the shop.
    Operator,
    /// The shop itself: no person asked for it.
    Process,
    /// Nothing is known of them.
    Unknown,
}

impl OrderActor {
    fn new(metadata: Option<&CommandMetadata>, customer: CustomerId, shows_names: bool) -> Self {
        let role = match metadata {
            None => OrderActorRole::Unknown,
            Some(metadata) if metadata.causation_id.is_some() => OrderActorRole::Process,
            Some(metadata) if CustomerId::named(&metadata.actor) == customer => OrderActorRole::Customer,
            Some(_) => OrderActorRole::Operator,
        };
        let name = metadata.filter(|_| shows_names).map(|metadata| metadata.actor.as_ref().to_owned());
        Self { role, name }
    }
}

/// What is the same of every event.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Common {
    #[graphql(skip)]
    revision: Revision,
    /// The order's version right after it.
    version: i32,
    /// What happened.
    kind: OrderChangeKind,
    /// When.
    occurred_at: Timestamp,
    /// Its place in the log of all events.
    position: PositionToken,
    /// Who did it.
    actor: OrderActor,
}

/// The types of events: each has what is the same of all of them, and fields of its own.
macro_rules! events {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
    )*) => {
        /// Something that happened to an order.
        #[derive(Clone, Debug, Interface)]
        #[graphql(
            name = "OrderEvent",
            field(name = "version", ty = "&i32", desc = "The order's version right after it."),
            field(name = "kind", ty = "&OrderChangeKind", desc = "What happened."),
            field(name = "occurred_at", ty = "&Timestamp", desc = "When."),
            field(name = "position", ty = "&PositionToken", desc = "Its place in the log of all events."),
            field(name = "actor", ty = "&OrderActor", desc = "Who did it.")
        )]
        pub(crate) enum OrderEventObject {
            $($(#[$doc])* $variant($name)),*
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Debug, SimpleObject)]
            pub(crate) struct $name {
                #[graphql(flatten)]
                common: Common,
                $($(#[$field_doc])* $field: $type,)*
            }

            /// How the interface reads it.
            impl $name {
                async fn version(&self, context: &Context<'_>) -> Result<&i32, Error> {
                    self.common.version(context).await
                }

                async fn kind(&self, context: &Context<'_>) -> Result<&OrderChangeKind, Error> {
                    self.common.kind(context).await
                }

                async fn occurred_at(&self, context: &Context<'_>) -> Result<&Timestamp, Error> {
                    self.common.occurred_at(context).await
                }

                async fn position(&self, context: &Context<'_>) -> Result<&PositionToken, Error> {
                    self.common.position(context).await
                }

                async fn actor(&self, context: &Context<'_>) -> Result<&OrderActor, Error> {
                    self.common.actor(context).await
                }
            }
        )*

        impl OrderEventObject {
            /// Its place in the order's history.
            pub(super) const fn revision(&self) -> Revision {
                match self {
                    $(Self::$variant(event) => event.common.revision),*
                }
            }
        }
    };
}

events! {
    /// The order was placed.
    Placed = OrderPlacedEvent {
        /// The sum of its lines.
        total: MoneyValue,
        /// Whether it is on account: not paid through the payment provider.
        is_on_account: bool,
    }
    /// The order is to be paid with another token.
    PaymentChosen = OrderPaymentChosenEvent {}
    /// The payment provider does not hold the money.
    PaymentFailed = OrderPaymentFailedEvent {
        /// Why.
        decline_reason: PaymentDeclineReason,
    }
    /// The order's pieces are reserved, its payment is authorised: it can leave.
    Confirmed = OrderConfirmedEvent {}
    /// The order was cancelled.
    Cancelled = OrderCancelledEvent {
        /// Why.
        cancel_reason: OrderCancelReason,
    }
    /// Something of the order left the house, or all that was left.
    Shipped = OrderShippedEvent {
        /// Which of its shipments.
        number: u32,
        /// What.
        lines: Vec<OrderLinePart>,
        /// The carrier's number, if there is one.
        tracking_number: Option<String>,
    }
    /// The order arrived.
    Delivered = OrderDeliveredEvent {}
    /// The order should have left the house by now.
    Overdue = OrderOverdueEvent {}
    /// Money was taken for the order.
    Paid = OrderPaidEvent {
        /// The key it was taken under, opaque: a capture's `id`.
        capture_id: ID,
        /// How much.
        amount: MoneyValue,
    }
    /// Something of the order is to come back.
    ReturnRequested = OrderReturnRequestedEvent {
        /// Which of its returns.
        number: u32,
        /// What.
        lines: Vec<OrderLinePart>,
        /// Why.
        reason: String,
    }
    /// What was to come back is here.
    ReturnReceived = OrderReturnReceivedEvent {
        /// Which of the order's returns.
        number: u32,
        /// Whether it can be sold again.
        is_restocked: bool,
    }
    /// Money is to be given back.
    RefundRequested = OrderRefundRequestedEvent {
        /// The key it is given back under, opaque: a refund's `id`.
        refund_id: ID,
        /// For which pieces; empty: for something else.
        lines: Vec<OrderLinePart>,
        /// How much.
        amount: MoneyValue,
        /// Why.
        reason: String,
    }
    /// Money was given back.
    Refunded = OrderRefundedEvent {
        /// The key it was given back under, opaque: a refund's `id`.
        refund_id: ID,
        /// How much.
        amount: MoneyValue,
    }
    /// The payment provider does not give this money back.
    RefundFailed = OrderRefundFailedEvent {
        /// The key it was to be given back under, opaque: a refund's `id`.
        refund_id: ID,
        /// Why, in the payment provider's words.
        reason: String,
    }
}

impl OrderEventObject {
    /// The event as clients see it. `row` is the order after it, or later. None of them holds a payment token.
    pub(super) fn new(
        event: &Decoded,
        metadata: Option<&CommandMetadata>,
        row: &OrderRow,
        shows_names: bool,
    ) -> Result<Self, Error> {
        let happened = match &*event.event {
            Event::Order(happened) => happened,
            Event::Product(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Follow(_)
            | Event::Post(_)
            | Event::Reaction(_)
            | Event::Inbox(_)
            | Event::Operator(_) => {
                return Err(crate::engine::internal(std::io::Error::other("an order's stream holds a foreign event")));
            }
        };
        let common = Common {
            revision: event.revision,
            version: version(event.revision),
            kind: OrderChangeKind::of(happened),
            occurred_at: event.recorded_at,
            position: PositionToken(event.position),
            actor: OrderActor::new(metadata, row.placed.customer, shows_names),
        };
        Ok(Self::of(common, happened, row))
    }

    fn of(common: Common, happened: &OrderEvent, row: &OrderRow) -> Self {
        match happened {
            OrderEvent::Placed { total, payment, .. } => {
                Self::Placed(OrderPlacedEvent { common, total: (*total).into(), is_on_account: payment.is_none() })
            }
            OrderEvent::PaymentChosen { .. } => Self::PaymentChosen(OrderPaymentChosenEvent { common }),
            OrderEvent::PaymentFailed { reason, .. } => {
                Self::PaymentFailed(OrderPaymentFailedEvent { common, decline_reason: (*reason).into() })
            }
            OrderEvent::Confirmed { .. } => Self::Confirmed(OrderConfirmedEvent { common }),
            OrderEvent::Cancelled { reason, .. } => {
                Self::Cancelled(OrderCancelledEvent { common, cancel_reason: (*reason).into() })
            }
            OrderEvent::Shipped { shipment, lines, tracking, .. } => Self::Shipped(OrderShippedEvent {
                common,
                number: *shipment,
                lines: OrderLinePart::all(shipped(*shipment, lines, row)),
                tracking_number: tracking.as_ref().map(text),
            }),
            OrderEvent::Delivered { .. } => Self::Delivered(OrderDeliveredEvent { common }),
            OrderEvent::Overdue { .. } => Self::Overdue(OrderOverdueEvent { common }),
            OrderEvent::Paid { capture, amount, .. } => {
                Self::Paid(OrderPaidEvent { common, capture_id: global(*capture), amount: (*amount).into() })
            }
            OrderEvent::ReturnRequested { number, lines, reason, .. } => {
                let (lines, reason) = (OrderLinePart::all(lines), text(reason));
                Self::ReturnRequested(OrderReturnRequestedEvent { common, number: *number, lines, reason })
            }
            OrderEvent::ReturnReceived { number, is_restocked, .. } => {
                let (number, is_restocked) = (*number, *is_restocked);
                Self::ReturnReceived(OrderReturnReceivedEvent { common, number, is_restocked })
            }
            OrderEvent::RefundRequested { refund, lines, amount, reason, .. } => {
                let (lines, reason) = (OrderLinePart::all(lines), text(reason));
                let (refund_id, amount) = (global(*refund), (*amount).into());
                Self::RefundRequested(OrderRefundRequestedEvent { common, refund_id, lines, amount, reason })
            }
            OrderEvent::Refunded { refund, amount, .. } => {
                Self::Refunded(OrderRefundedEvent { common, refund_id: global(*refund), amount: (*amount).into() })
            }
            OrderEvent::RefundFailed { refund, reason, .. } => {
                Self::RefundFailed(OrderRefundFailedEvent { common, refund_id: global(*refund), reason: text(reason) })
            }
        }
    }
}

/// What a shipment held. An event that names nothing means all that was left, which the order knows.
fn shipped<'a>(number: u32, lines: &'a [LinePart], row: &'a OrderRow) -> &'a [LinePart] {
    let known = || row.placed.shipments.get((number as usize).checked_sub(1)?);
    if lines.is_empty() { known().map_or(&[], |shipment| &shipment.lines) } else { lines }
}

fn text(label: &Label) -> String {
    label.as_str().to_owned()
}
