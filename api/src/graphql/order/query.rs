//! Questions about orders. A customer sees only their own.

use async_graphql::{Context, Error, ID, Object};
use domain::{Timestamp, order::Party, values::OrderId};
use projections::order_summary::{OrderFilter, OrderList, OrderPage, OrderRow, OrderSort, OrderSortKey, Place};

use super::{
    OrderObject,
    filter::{OrderOrderBy, OrderWhere},
    past::{self, OrderAsOf},
};
use crate::{
    auth::Viewer,
    graphql::{
        PositionToken,
        behind::refuse_if_stale,
        call::{services, viewer},
        connection::{Cursor, Page, Window, bad_cursor, connection},
        node::local,
        read::{query_error, ready},
    },
};

connection!(OrderConnection, OrderEdge, OrderObject);

/// `order` and `orders`.
#[derive(Debug, Default)]
pub(crate) struct OrderQuery;

#[Object]
impl OrderQuery {
    /// The order with this id; null if there is none or it is not yours to see.
    ///
    /// With `asOf`, as it was then: null if it was not placed yet, or never came to that version. It is folded from the
    /// order's own events, so `minPosition` does not matter.
    async fn order(
        &self,
        context: &Context<'_>,
        id: ID,
        min_position: Option<PositionToken>,
        as_of: Option<OrderAsOf>,
    ) -> Result<Option<OrderObject>, Error> {
        match (local(&id), as_of) {
            (Some(order), None) => find(context, order, min_position).await,
            (Some(order), Some(as_of)) => past::find(context, order, as_of).await,
            (None, _) => viewer(context).map(|_| None),
        }
    }

    /// Orders, newest first unless told otherwise: all for operators, their own for customers.
    ///
    /// A look for orders passes at most 4,000 of them. If it ends there, the page may be short or empty, but `hasNextPage`
    /// (with `last`: `hasPreviousPage`) is true, and the page's cursor goes on from there.
    #[graphql(complexity = "first.or(last).unwrap_or(1).clamp(1, 100) as usize * (child_complexity + 1)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, each named in the document")]
    async fn orders(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<Cursor>,
        last: Option<i32>,
        before: Option<Cursor>,
        #[graphql(name = "where")] filter: Option<OrderWhere>,
        order_by: Option<OrderOrderBy>,
        min_position: Option<PositionToken>,
    ) -> Result<OrderConnection, Error> {
        let viewer = viewer(context)?;
        let window = Window::of(first, last)?;
        let sort = OrderOrderBy::sort(order_by);
        let (after, before) = (place(after, sort)?, place(before, sort)?);
        let filter = visible(viewer, filter.unwrap_or_default().filter()?);
        let orders = ready(context, &services(context).read_models.order_summary, min_position).await?;
        let position = PositionToken(orders.position());
        let bounds = (after.is_some(), before.is_some());
        let page = OrderPage { filter, sort, after, before, from_end: window.from_end, limit: window.limit() };
        let OrderList { rows, goes_on_behind } = orders.page(&page).await.map_err(query_error)?;
        let rows = rows.into_iter().map(OrderObject::now).collect();
        let page = Page::new(rows, window, bounds, position, |order: &OrderObject| {
            cursor((sort.key.of(&order.0), order.0.placed.order), sort)
        });
        Ok(page.going_on(window, goes_on_behind.map(|place| cursor(place, sort))).into())
    }
}

/// The order with this id, if the caller may see it.
pub(in crate::graphql) async fn find(
    context: &Context<'_>,
    order: OrderId,
    min_position: Option<PositionToken>,
) -> Result<Option<OrderObject>, Error> {
    let viewer = viewer(context)?;
    let orders = ready(context, &services(context).read_models.order_summary, min_position).await?;
    // Asked for first: what is released meanwhile shows in the row.
    let behind = orders.behind(order.uuid());
    let row = orders.by_id(order).await.map_err(query_error)?;
    let is_missing = row.is_none();
    if behind.is_some() && is_missing && !may_see_behind(context, viewer, order).await {
        return Ok(None);
    }
    let row = row.filter(|row| may_see(viewer, row));
    if is_missing || row.is_some() {
        refuse_if_stale(behind.as_ref(), row.is_some(), min_position)?;
    }
    Ok(row.map(OrderObject::now))
}

/// Whether the caller may know of an order that has no row yet: its own stream says whose it is. An order that cannot
/// be read there either is nobody's; whoever knows its id is told that it is behind, and nothing else.
async fn may_see_behind(context: &Context<'_>, viewer: &Viewer, order: OrderId) -> bool {
    let Ok(current) = services(context).orders.current(order.uuid()).await else { return true };
    let row = current.revision.and_then(|revision| OrderRow::of(&current.state, revision));
    row.is_none_or(|row| may_see(viewer, &row))
}

/// Whether the caller may see this order.
pub(super) fn may_see(viewer: &Viewer, row: &OrderRow) -> bool {
    match viewer.party() {
        Party::Operator | Party::Process => true,
        Party::Customer(customer) => customer == row.placed.customer,
    }
}

/// The filter, narrowed to what the caller may see.
fn visible(viewer: &Viewer, filter: OrderFilter) -> OrderFilter {
    match viewer.party() {
        Party::Operator | Party::Process => filter,
        Party::Customer(customer) => {
            OrderFilter { customer: Some(customer), all: vec![filter], ..OrderFilter::default() }
        }
    }
}

/// The list that cursors of this sorting belong to.
fn list(sort: OrderSort) -> &'static str {
    match (sort.key, sort.is_descending) {
        (OrderSortKey::PlacedAt, true) => "orders.placed.desc",
        (OrderSortKey::PlacedAt, false) => "orders.placed.asc",
        (OrderSortKey::UpdatedAt, true) => "orders.updated.desc",
        (OrderSortKey::UpdatedAt, false) => "orders.updated.asc",
    }
}

fn cursor((at, order): Place, sort: OrderSort) -> Cursor {
    Cursor::new(list(sort), &format!("{}:{order}", at.timestamp_micros()))
}

fn place(cursor: Option<Cursor>, sort: OrderSort) -> Result<Option<Place>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    let key = cursor.key(list(sort))?;
    let place = key.split_once(':').and_then(|(micros, order)| {
        let at = Timestamp::from_timestamp_micros(micros.parse().ok()?)?;
        Some((at, OrderId::new(order.parse().ok()?)))
    });
    place.map(Some).ok_or_else(bad_cursor)
}
