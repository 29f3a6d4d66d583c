//! Live orders: one of them, or all of them for operators.

use std::{collections::VecDeque, sync::Arc};

use async_graphql::{Context, Error, ID, SimpleObject, Subscription};
use domain::{Event, Timestamp, values::OrderId};
use futures_util::{Stream, stream};
use infrastructure::event_store::Position;
use projections::{
    Change, HubClosed, HubMessage, HubSubscription,
    order_summary::{OrderFilter, OrderRow},
};

use super::{
    OrderObject,
    filter::OrderWhere,
    kind::OrderChangeKind,
    payments::SeenAt,
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
        live::{
            CaughtUp, Gap, GapReason, Updates, deliver, deliver_as_they_come, interrupted, reporter, resume_position,
            updates,
        },
        node::local,
    },
};

updates! {
    /// What a subscription to orders says.
    OrderUpdate {
        /// Something happened to an order.
        OrderChanged
    }
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

/// `orderUpdates` and `ordersUpdates`.
#[derive(Debug, Default)]
pub(crate) struct OrderSubscription;

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
        let updates: Updates<OrderUpdate> = match reporter.phase() {
            LivePhase::Live => {
                let hub = services(context).read_models.order_summary.hub();
                live(hub.subscribe_to(order.uuid()), reporter, caller, None)
            }
            LivePhase::Replay { until } => {
                let until = *until;
                let Some(after) = resume_position(context, after).await? else {
                    return Ok(deliver([CaughtUp::new(until).into()], reporter));
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
        let updates: Updates<OrderUpdate> = match reporter.phase() {
            LivePhase::Live => {
                let hub = services(context).read_models.order_summary.hub();
                live(hub.subscribe_all(), reporter, caller, Some(filter))
            }
            LivePhase::Replay { until } => {
                let until = *until;
                let Some(after) = resume_position(context, after).await? else {
                    return Ok(deliver([CaughtUp::new(until).into()], reporter));
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
) -> Updates<OrderUpdate> {
    reporter.starts_after(subscription.position);
    let wanted =
        move |row: &OrderRow| may_see(&caller, row) && filter.as_ref().is_none_or(|filter| filter.matches(row));
    let messages = stream::unfold((Some(subscription), wanted), |(subscription, wanted)| async move {
        let mut subscription = subscription?;
        loop {
            let message = match subscription.next().await {
                Ok(HubMessage::Change(change)) => changed(&change, &wanted),
                Ok(HubMessage::Gap { from, to }) => Some(Gap::new(from, to, GapReason::ReadModelRebuilt).into()),
                Err(HubClosed) => return Some((Err(interrupted()), (None, wanted))),
            };
            if let Some(message) = message {
                return Some((Ok(message), (Some(subscription), wanted)));
            }
        }
    });
    deliver_as_they_come(messages, reporter)
}

/// The replay of changes that are at hand, then `CaughtUp`.
fn replayed(
    changes: &[Change<OrderRow>],
    after: Position,
    until: Position,
    reporter: LiveReporter,
) -> Updates<OrderUpdate> {
    let mut messages: Vec<OrderUpdate> = changes.iter().filter_map(|change| changed(change, |_| true)).collect();
    messages.push(CaughtUp::new(after.max(until)).into());
    deliver(messages, reporter)
}

/// Too many changes to replay: the subscriber reads the order anew and goes on from there.
fn too_many(after: Position, until: Position, reporter: LiveReporter) -> Updates<OrderUpdate> {
    let gap = Gap::new(after, until, GapReason::TooManyChanges);
    deliver([gap.into(), CaughtUp::new(after.max(until)).into()], reporter)
}

/// The replay of all orders, read as the subscriber takes it.
fn replay_all(
    source: AllOrders,
    filter: OrderFilter,
    after: Position,
    until: Position,
    reporter: LiveReporter,
) -> Updates<OrderUpdate> {
    let state = (Some(source), VecDeque::new(), filter);
    let messages = stream::unfold(state, move |(source, mut ready, filter)| async move {
        let mut source = source;
        loop {
            if let Some(message) = ready.pop_front() {
                return Some((Ok(message), (source, ready, filter)));
            }
            let mut reading = source.take()?;
            let end = CaughtUp::new(after.max(until)).into();
            match reading.next().await {
                Ok(Replayed::Changes(changes)) => {
                    ready.extend(changes.iter().filter_map(|change| changed(change, |row| filter.matches(row))));
                    source = Some(reading);
                }
                Ok(Replayed::TooMany(from)) => {
                    ready.push_back(Gap::new(from, until, GapReason::TooManyChanges).into());
                    ready.push_back(end);
                }
                Ok(Replayed::Done) => ready.push_back(end),
                Err(error) => return Some((Err(error), (None, ready, filter))),
            }
        }
    });
    deliver_as_they_come(messages, reporter)
}

/// The message for a change, if the subscriber wants it.
fn changed(change: &Change<OrderRow>, wanted: impl Fn(&OrderRow) -> bool) -> Option<OrderUpdate> {
    let row = change.row.as_ref().filter(|row| wanted(row))?;
    let kind = match &*change.event {
        Event::Order(event) => OrderChangeKind::of(event),
        Event::Product(_)
        | Event::Stock(_)
        | Event::Payment(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Follow(_)
        | Event::Post(_)
        | Event::Reaction(_)
        | Event::Inbox(_)
        | Event::Operator(_) => return None,
    };
    Some(OrderUpdate::Changed(OrderChanged {
        cursor: PositionToken(change.position),
        occurred_at: change.occurred_at,
        kind,
        version: version(change.revision),
        order: OrderObject(row.clone(), SeenAt::Position(change.position)),
    }))
}
