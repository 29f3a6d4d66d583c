//! How an order is paid: its payments, each attempt of it, and each time that its money was asked for again.
//!
//! They are folded from their own streams, like the history of an order. Which streams these are is known from the order
//! itself, so nothing is looked for, an order on account reads nothing, and no read model has to hold what few ask for. All
//! payments of an order are read at once, and those of a page of orders, too. The token that pays is not among what is shown.

mod types;

use async_graphql::{Context, Error};
use domain::{
    Decider as _, Event, Timestamp,
    fulfilment::{RENEWALS_MAX, renewal_of},
    order::{PAYMENT_ATTEMPTS_MAX, payment_of},
    payment::{Hold, Payment, PaymentState},
    values::{OrderId, PaymentId},
};
use futures_util::future::try_join_all;
use infrastructure::event_store::{EventStore, Name, Position, RecordedEvent, StreamId};
use projections::{Decoded, order_summary::OrderRow};

pub(in crate::graphql) use self::types::PaymentObject;
use self::types::Times;
use crate::{
    graphql::{call::services, read::fold_error},
    order_stream::read_while,
};

/// When an order was as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graphql) enum SeenAt {
    /// It still is, as far as whoever showed it knows.
    Now,
    /// After everything up to this position.
    Position(Position),
    /// After everything that was recorded by then.
    Time(Timestamp),
}

impl SeenAt {
    fn includes(self, event: &RecordedEvent) -> bool {
        match self {
            Self::Now => true,
            Self::Position(position) => event.position <= position,
            Self::Time(time) => event.recorded_at <= time,
        }
    }
}

/// The payments of an order as they were then, in the order in which they were asked for. One that nobody has asked the
/// provider for yet is left out.
pub(super) async fn of_order(
    context: &Context<'_>,
    row: &OrderRow,
    seen_at: SeenAt,
) -> Result<Vec<PaymentObject>, Error> {
    let attempts = row.placed.payment.map_or(0, |payment| payment.attempt).min(PAYMENT_ATTEMPTS_MAX);
    let events = &*services(context).events;
    let read = |attempt| of_attempt(events, row.placed.order, attempt, seen_at);
    Ok(try_join_all((1..=attempts).map(read)).await?.into_iter().flatten().collect())
}

/// The payment of an attempt, and those that asked for its money again because it was held too long.
async fn of_attempt(
    events: &dyn EventStore,
    order: OrderId,
    attempt: u32,
    seen_at: SeenAt,
) -> Result<Vec<PaymentObject>, Error> {
    let renewals = (1..=RENEWALS_MAX).map(|number| renewal_of(order, attempt, number));
    let mut payments = Vec::new();
    for payment in std::iter::once(payment_of(order, attempt)).chain(renewals) {
        let (state, times) = folded(events, payment, seen_at).await?;
        let Some(record) = state.known() else { break };
        payments.push(PaymentObject::new(record, attempt, &times));
        if record.hold != Hold::Expired {
            break;
        }
    }
    Ok(payments)
}

async fn folded(events: &dyn EventStore, payment: PaymentId, seen_at: SeenAt) -> Result<(PaymentState, Times), Error> {
    let stream = StreamId::new(Name::from(Payment::CATEGORY), payment.uuid());
    let (mut state, mut times) = (PaymentState::default(), Times::default());
    // A clock may have been set back: what comes behind something later was not there by then.
    let includes = |event: &RecordedEvent| seen_at.includes(event);
    let take = |decoded: Decoded| {
        if let Event::Payment(event) = &*decoded.event {
            state = Payment::evolve(std::mem::take(&mut state), event);
            times.take_in(event);
        }
    };
    read_while(events, &stream, includes, take).await.map_err(fold_error)?;
    Ok((state, times))
}
