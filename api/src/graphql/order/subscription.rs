//! Live orders: one of them, or all of them for operators.

use std::{collections::VecDeque, sync::Arc};

use async_graphql::{Context, Enum, Error, ID, Interface, SimpleObject, Subscription};
use domain::{Event, Timestamp, order::OrderEvent, values::OrderId};
use futures_util::{Stream, StreamExt as _, stream};
use infrastructure::event_store::Position;
use projections::{
    Change, HubMessage, HubSubscription,
    order_summary::{OrderFilter, OrderRow},
};

use super::{
    OrderObject,
    filter::OrderWhere,
    query::may_see,
    replay::{self, AllOrders, Replayed},
};
use crate::{
    auth::Viewer,
    engine::{LivePhase, LiveReporter},
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        call::{operator, services, version, viewer},
        live::{CaughtUp, Gap, GapReason, reporter, resume_position},
        node::local,
    },
};

/// What a subscription to orders says.
#[derive(Clone, Debug, Interface)]
#[graphql(field(
    name = "cursor",
    ty = "&PositionToken",
    desc = "Give it as `after` to resume right behind this message."
))]
pub(super) enum OrderUpdate {
    /// Something happened to an order.
    Changed(OrderChanged),
    /// Everything that happened before is delivered.
    CaughtUp(CaughtUp),
    /// Something cannot be delivered.
    Gap(Gap),
}

/// Something happened to an order.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct OrderChanged {
    /// Resume after this.
    cursor: PositionToken,
    /// When it happened.
    occurred_at: Timestamp,
    /// What happened.
    kind: OrderChangeKind,
    /// The order's version right after it.
    version: i32,
    /// The order right after it.
    order: OrderObject,
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderChangeKind {
    /// It was placed.
    Placed,
    /// It was cancelled.
    Cancelled,
    /// It left the house.
    Shipped,
    /// It arrived.
    Delivered,
}

/// `orderUpdates` and `ordersUpdates`.
#[derive(Debug, Default)]
pub(crate) struct OrderSubscription;

type Updates = stream::BoxStream<'static, Result<OrderUpdate, Error>>;

#[Subscription]
impl OrderSubscription {
    /// What happens to one order: what happened after `after` first, then `CaughtUp`, then each change as it happens.
    async fn order_updates(
        &self,
        context: &Context<'_>,
        id: ID,
        after: Option<PositionToken>,
    ) -> Result<impl Stream<Item = Result<OrderUpdate, Error>> + 'static, Error> {
        let caller = viewer(context)?.clone();
        let reporter = reporter(context)?.clone();
        let missing = || ErrorCode::BadUserInput.error("`id` is not the id of an order you can see");
        let order: OrderId = local(&id).ok_or_else(missing)?;
        // The order's own stream says whose it is; a read model might not know it yet.
        let current = services(context).orders.current(order.uuid()).await;
        let current = current.map_err(crate::graphql::call::execute_error)?;
        let row = current.revision.and_then(|revision| OrderRow::of(&current.state, revision));
        if !row.is_some_and(|row| may_see(&caller, &row)) {
            return Err(missing());
        }
        let updates: Updates = match reporter.phase() {
            LivePhase::Live => {
                let hub = services(context).read_models.order_summary.hub();
                live(hub.subscribe_to(order.uuid()), reporter, caller, None)
            }
            LivePhase::Replay { until } => {
                let until = *until;
                let Some(after) = resume_position(context, after).await? else {
                    return Ok(caught_up(reporter, until, until));
                };
                reporter.starts_after(after);
                match replay::of_order(&*services(context).events, order, after, until).await? {
                    Some(changes) => replayed(&changes, after, until, reporter),
                    None => too_many(after, until, reporter),
                }
            }
        };
        Ok(updates)
    }

    /// What happens to all orders, or to those that are as `where` says right after the change. For operators.
    async fn orders_updates(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<OrderWhere>,
        after: Option<PositionToken>,
    ) -> Result<impl Stream<Item = Result<OrderUpdate, Error>> + 'static, Error> {
        let caller = operator(context)?.clone();
        let reporter = reporter(context)?.clone();
        let filter = filter.unwrap_or_default().filter()?;
        let updates: Updates = match reporter.phase() {
            LivePhase::Live => {
                let hub = services(context).read_models.order_summary.hub();
                live(hub.subscribe_all(), reporter, caller, Some(filter))
            }
            LivePhase::Replay { until } => {
                let until = *until;
                let Some(after) = resume_position(context, after).await? else {
                    return Ok(caught_up(reporter, until, until));
                };
                reporter.starts_after(after);
                let events = Arc::clone(&services(context).events);
                replay_all(AllOrders::new(events, after, until), filter, after, until, reporter)
            }
        };
        Ok(updates)
    }
}

/// The live part: what the hub announces, for every equal subscriber.
fn live(
    subscription: HubSubscription<OrderRow>,
    reporter: LiveReporter,
    caller: Viewer,
    filter: Option<OrderFilter>,
) -> Updates {
    reporter.starts_after(subscription.position);
    let wanted =
        move |row: &OrderRow| may_see(&caller, row) && filter.as_ref().is_none_or(|filter| filter.matches(row));
    stream::unfold((Some(subscription), reporter, wanted), |(subscription, reporter, wanted)| async move {
        let mut subscription = subscription?;
        loop {
            let message = match subscription.next().await {
                Ok(HubMessage::Change(change)) => changed(&change, &wanted),
                Ok(HubMessage::Gap { from, to }) => {
                    Some(OrderUpdate::Gap(Gap::new(from, to, GapReason::ReadModelRebuilt)))
                }
                Err(_closed) => {
                    let error = ErrorCode::ConsumerTooSlow.error("the live updates were interrupted; resume");
                    return Some((Err(error), (None, reporter, wanted)));
                }
            };
            if let Some(message) = message {
                reporter.delivers(cursor_of(&message));
                return Some((Ok(message), (Some(subscription), reporter, wanted)));
            }
        }
    })
    .boxed()
}

/// The replay of changes that are at hand, then `CaughtUp`.
fn replayed(changes: &[Change<OrderRow>], after: Position, until: Position, reporter: LiveReporter) -> Updates {
    let messages = changes.iter().filter_map(|change| changed(change, |_| true));
    let mut messages: VecDeque<OrderUpdate> = messages.collect();
    messages.push_back(OrderUpdate::CaughtUp(CaughtUp { cursor: PositionToken(after.max(until)) }));
    deliver(messages, reporter)
}

/// Too many changes to replay: the subscriber reads the order anew and goes on from there.
fn too_many(after: Position, until: Position, reporter: LiveReporter) -> Updates {
    let gap = OrderUpdate::Gap(Gap::new(after, until, GapReason::TooManyChanges));
    let caught_up = OrderUpdate::CaughtUp(CaughtUp { cursor: PositionToken(after.max(until)) });
    deliver(VecDeque::from([gap, caught_up]), reporter)
}

/// Nothing to replay.
fn caught_up(reporter: LiveReporter, after: Position, until: Position) -> Updates {
    replayed(&[], after, until, reporter)
}

fn deliver(messages: VecDeque<OrderUpdate>, reporter: LiveReporter) -> Updates {
    let messages = stream::iter(messages).map(move |message| {
        reporter.delivers(cursor_of(&message));
        Ok(message)
    });
    messages.boxed()
}

/// The replay of all orders, read as the subscriber takes it.
fn replay_all(
    source: AllOrders,
    filter: OrderFilter,
    after: Position,
    until: Position,
    reporter: LiveReporter,
) -> Updates {
    let state = (Some(source), VecDeque::new(), filter);
    let messages = stream::unfold(state, move |(source, mut ready, filter)| async move {
        let mut source = source;
        loop {
            if let Some(message) = ready.pop_front() {
                return Some((Ok(message), (source, ready, filter)));
            }
            let mut reading = source.take()?;
            let end = OrderUpdate::CaughtUp(CaughtUp { cursor: PositionToken(after.max(until)) });
            match reading.next().await {
                Ok(Replayed::Changes(changes)) => {
                    ready.extend(changes.iter().filter_map(|change| changed(change, |row| filter.matches(row))));
                    source = Some(reading);
                }
                Ok(Replayed::TooMany(from)) => {
                    ready.push_back(OrderUpdate::Gap(Gap::new(from, until, GapReason::TooManyChanges)));
                    ready.push_back(end);
                }
                Ok(Replayed::Done) => ready.push_back(end),
                Err(error) => return Some((Err(error), (None, ready, filter))),
            }
        }
    });
    let messages = messages.map(move |message| {
        if let Ok(message) = &message {
            reporter.delivers(cursor_of(message));
        }
        message
    });
    messages.boxed()
}

/// The message for a change, if the subscriber wants it.
fn changed(change: &Change<OrderRow>, wanted: impl Fn(&OrderRow) -> bool) -> Option<OrderUpdate> {
    let row = change.row.as_ref().filter(|row| wanted(row))?;
    let kind = match &change.event {
        Event::Order(OrderEvent::Placed { .. }) => OrderChangeKind::Placed,
        Event::Order(OrderEvent::Cancelled { .. }) => OrderChangeKind::Cancelled,
        Event::Order(OrderEvent::Shipped { .. }) => OrderChangeKind::Shipped,
        Event::Order(OrderEvent::Delivered { .. }) => OrderChangeKind::Delivered,
        Event::Product(_) | Event::Stock(_) | Event::Payment(_) | Event::Operator(_) => return None,
    };
    Some(OrderUpdate::Changed(OrderChanged {
        cursor: PositionToken(change.position),
        occurred_at: change.occurred_at,
        kind,
        version: version(change.revision),
        order: OrderObject(row.clone()),
    }))
}

fn cursor_of(message: &OrderUpdate) -> Position {
    match message {
        OrderUpdate::Changed(OrderChanged { cursor, .. })
        | OrderUpdate::CaughtUp(CaughtUp { cursor })
        | OrderUpdate::Gap(Gap { cursor, .. }) => cursor.0,
    }
}
