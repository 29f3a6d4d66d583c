//! What happened to an order: its events, as far as the order shows them, in pages.
//!
//! They are read from the order's own stream, so the history of an order as it was ends where the order does. Whoever
//! sees the order sees its history; names of other people are for operators.

mod types;

use async_graphql::{Context, Error};
use infrastructure::{
    event_store::{Direction, EventStore, Position, RecordedEvent, Revision},
    execute::CommandMetadata,
};
use projections::{Decoded, order_summary::OrderRow};

use self::types::OrderEventObject;
use crate::{
    auth::Role,
    graphql::{
        PositionToken,
        call::{services, viewer},
        connection::{Cursor, Page, Window, bad_cursor, connection},
        read::{event_store_error, internal},
    },
    order_stream::stream_of,
};

connection!(OrderEventConnection, OrderEventEdge, OrderEventObject);

/// A part of an order's history, as asked for.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) first: Option<i32>,
    pub(super) after: Option<Cursor>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<Cursor>,
}

/// A page of what happened to the order, oldest first.
pub(super) async fn page(
    context: &Context<'_>,
    row: &OrderRow,
    Part { first, after, last, before }: Part,
) -> Result<OrderEventConnection, Error> {
    let shows_names = viewer(context)?.role == Role::Operator;
    let window = Window::of(first, last)?;
    let list = format!("order.history.{}", row.placed.order);
    let (after, before) = (place(after, &list)?, place(before, &list)?);
    let events = &*services(context).events;
    let found = read(events, row, window, (after, before)).await?;
    let position = PositionToken(position(events, row, &found).await?);
    let nodes = found.iter().map(|recorded| node(recorded, row, shows_names)).collect::<Result<Vec<_>, _>>()?;
    let bounds = (after.is_some(), before.is_some());
    let cursor = |event: &OrderEventObject| Cursor::new(&list, &event.revision().value().to_string());
    Ok(Page::new(nodes, window, bounds, position, cursor).into())
}

fn place(cursor: Option<Cursor>, list: &str) -> Result<Option<Revision>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    cursor.key(list)?.parse().map(Revision::new).map(Some).map_err(|_| bad_cursor())
}

/// The events of a page, one more than wanted if there are more; in reverse if from the end.
async fn read(
    events: &dyn EventStore,
    row: &OrderRow,
    window: Window,
    (after, before): (Option<Revision>, Option<Revision>),
) -> Result<Vec<RecordedEvent>, Error> {
    let oldest = after.map_or(Revision::FIRST, Revision::next);
    let newest = match before.map(|before| before.value().checked_sub(1)) {
        None => row.revision,
        Some(Some(newest)) => row.revision.min(Revision::new(newest)),
        Some(None) => return Ok(vec![]),
    };
    let (from, direction) =
        if window.from_end { (newest, Direction::Backwards) } else { (oldest, Direction::Forwards) };
    let page = events.read_stream(&stream_of(row.placed.order), from, direction, window.limit()).await;
    let mut found = page.map_err(event_store_error)?.events;
    found.retain(|event| event.revision >= oldest && event.revision <= newest);
    Ok(found)
}

/// Where the order's last change is: whoever follows it from there misses nothing.
async fn position(events: &dyn EventStore, row: &OrderRow, found: &[RecordedEvent]) -> Result<Position, Error> {
    if let Some(last) = found.iter().find(|event| event.revision == row.revision) {
        return Ok(last.position);
    }
    let page = events.read_stream(&stream_of(row.placed.order), row.revision, Direction::Backwards, 1).await;
    Ok(page.map_err(event_store_error)?.events.first().map_or(Position::START, |event| event.position))
}

fn node(recorded: &RecordedEvent, row: &OrderRow, shows_names: bool) -> Result<OrderEventObject, Error> {
    let event = Decoded::decode(recorded).map_err(internal)?;
    // What did not come from a command of ours was caused by nobody we know.
    let metadata: Option<CommandMetadata> = serde_json::from_str(&recorded.metadata).ok();
    OrderEventObject::new(&event, metadata.as_ref(), row, shows_names)
}
