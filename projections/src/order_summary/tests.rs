//! Orders as they are read: fold, row, filter and pages.

use domain::{
    Decider as _, Timestamp,
    order::{CancelReason, Order, OrderCommand, OrderEvent, Party},
    testing::{
        eur, fold, label, line, offered, order_cancelled, order_delivered, order_placed, order_shipped, place,
        product_registered, requested, the_customer, the_order,
    },
    values::{Currency, CustomerId, Money, OrderId},
};
use infrastructure::event_store::Revision;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    KeyedFold, Served,
    tests::{block_on, buyer, decoded, folded, moment, serving, temp_rows},
};

#[test]
fn a_placed_order_is_read_as_it_was_placed() {
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    assert_eq!((row.order, row.customer, row.status), (the_order(), the_customer(), OrderStatus::Placed));
    assert_eq!((row.total, &*row.lines), (eur(3980), &[line("TEA-1", 2, eur(1990))][..]));
    assert_eq!((row.cancel_reason, row.tracking), (None, None));
    assert_eq!((row.placed_at, row.updated_at, row.revision), (moment(0), moment(0), Revision::FIRST));
}

#[test]
fn a_shipped_order_has_its_tracking_number_and_keeps_it_when_it_arrives() {
    let shipped = OrderEvent::Shipped { order: the_order(), tracking: Some(label("1Z 999")), at: moment(5) };
    let delivered = OrderEvent::Delivered { order: the_order(), at: moment(9) };
    let on_its_way = folded::<OrderSummary, _>([order_placed(), shipped.clone()]).unwrap();
    assert_eq!((on_its_way.status, on_its_way.updated_at), (OrderStatus::Shipped, moment(5)));
    let arrived = folded::<OrderSummary, _>([order_placed(), shipped, delivered]).unwrap();
    assert_eq!((arrived.status, arrived.tracking), (OrderStatus::Delivered, Some(label("1Z 999"))));
    assert_eq!((arrived.placed_at, arrived.updated_at, arrived.revision), (moment(0), moment(9), Revision::new(2)));
}

#[test]
fn a_cancelled_order_says_why() {
    let row = folded::<OrderSummary, _>([order_placed(), order_cancelled(CancelReason::SuspectedFraud)]).unwrap();
    assert_eq!((row.status, row.cancel_reason), (OrderStatus::Cancelled, Some(CancelReason::SuspectedFraud)));
}

#[test]
fn an_order_that_was_never_placed_has_no_row() {
    let events = [order_shipped(), order_delivered(), order_cancelled(CancelReason::Unspecified)];
    assert_eq!(folded::<OrderSummary, _>(events), None);
}

#[test]
fn a_product_is_no_concern_of_the_orders() {
    let event = decoded(1, 0, product_registered("TEA-1", eur(1)));
    assert_eq!(OrderSummary::key(&event), None);
    let row = folded::<OrderSummary, _>([order_placed()]);
    assert_eq!(OrderSummary::fold(row.clone(), &event), row);
}

#[test]
fn only_the_placement_makes_a_row_anew() {
    let start = decoded(1, 0, order_placed());
    assert!(OrderSummary::starts(&start));
    for later in [order_shipped(), order_delivered(), order_cancelled(CancelReason::Unspecified)] {
        assert!(!OrderSummary::starts(&decoded(2, 1, later)));
    }
    let before = folded::<OrderSummary, _>([order_placed(), order_shipped()]);
    assert_eq!(OrderSummary::fold(before, &start), OrderSummary::fold(None, &start));
}

#[test]
fn a_customer_finds_their_orders_under_their_own_topic() {
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    assert_eq!(OrderSummary::topics(&row), [the_customer().uuid()]);
    assert_eq!(OrderSummary::key(&decoded(1, 0, order_shipped())), Some(the_order().uuid()));
}

const STATUSES: [OrderStatus; 4] =
    [OrderStatus::Placed, OrderStatus::Shipped, OrderStatus::Delivered, OrderStatus::Cancelled];
const CURRENCIES: [Currency; 3] = [Currency::EUR, Currency::JPY, Currency::USD];
const REASONS: [CancelReason; 4] =
    [CancelReason::Unspecified, CancelReason::CustomerRequest, CancelReason::OutOfStock, CancelReason::SuspectedFraud];

fn command() -> impl Strategy<Value = OrderCommand> {
    let operator = Party::Operator;
    prop_oneof![
        Just(place([requested("TEA-1", 2), requested("TEA-1", 1)], [offered("TEA-1", eur(7))])),
        prop::sample::select(&REASONS[..]).prop_map(move |reason| OrderCommand::Cancel { by: operator, reason }),
        prop::option::of("[A-Z]{1,5}").prop_map(|text| OrderCommand::Ship { tracking: text.map(|text| label(&text)) }),
        Just(OrderCommand::Deliver),
    ]
}

/// Few values for everything that is sorted or filtered by, so that there are ties.
fn some_row() -> impl Strategy<Value = OrderRow> {
    let lines = prop::collection::vec(("[A-Z0-9]{1,4}", 1_i64..=100_000, 0_i64..1_000_000_000), 1..4);
    let texts = (prop::option::of(prop::sample::select(&REASONS[..])), prop::option::of(r"[^\pC\pZ]{1,20}"));
    let few = (0_u128..3, prop::sample::select(&STATUSES[..]), 0_i64..4, prop::sample::select(&CURRENCIES[..]));
    (any::<u128>(), few, lines, texts, (0_i64..3, 0_i64..3), any::<u32>()).prop_map(
        |(id, (customer, status, minor, currency), lines, (cancel_reason, tracking), (placed, updated), revision)| {
            OrderRow {
                order: OrderId::new(Uuid::from_u128(id)),
                customer: buyer(customer),
                status,
                total: Money::try_new(minor, currency).expect("in range"),
                lines: lines.iter().map(|(sku, units, price)| line(sku, *units, eur(*price))).collect(),
                cancel_reason,
                tracking: tracking.map(|text| label(&text)),
                placed_at: moment(placed),
                updated_at: moment(updated),
                revision: Revision::new(revision.into()),
            }
        },
    )
}

fn some_rows() -> impl Strategy<Value = Vec<OrderRow>> {
    prop::collection::vec(some_row(), 0..25)
}

fn some_filter() -> impl Strategy<Value = OrderFilter> {
    let one = (
        prop::option::weighted(0.3, prop::collection::vec(prop::sample::select(&STATUSES[..]), 0..3)),
        prop::option::weighted(0.3, (0_u128..3).prop_map(buyer)),
        prop::option::weighted(0.3, prop::sample::select(&CURRENCIES[..])),
        prop::option::weighted(0.3, -1_i64..5),
        prop::option::weighted(0.3, -1_i64..5),
        prop::option::weighted(0.3, (-1_i64..4).prop_map(moment)),
        prop::option::weighted(0.3, (-1_i64..4).prop_map(moment)),
    );
    let one =
        one.prop_map(|(status, customer, currency, total_at_least, total_at_most, placed_from, placed_before)| {
            let (all, any) = (Vec::new(), Vec::new());
            OrderFilter {
                status,
                customer,
                currency,
                total_at_least,
                total_at_most,
                placed_from,
                placed_before,
                all,
                any,
            }
        });
    one.prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 0..3);
        (inner, some.clone(), some).prop_map(|(filter, all, any)| OrderFilter { all, any, ..filter })
    })
}

fn some_sort() -> impl Strategy<Value = OrderSort> {
    (prop::sample::select(vec![OrderSortKey::PlacedAt, OrderSortKey::UpdatedAt]), any::<bool>())
        .prop_map(|(key, is_descending)| OrderSort { key, is_descending })
}

fn place_of(row: &OrderRow, sort: OrderSort) -> Place {
    (sort.key.of(row), row.order)
}

/// The places of the rows that pass, in the order asked for.
fn expected(rows: &[OrderRow], filter: &OrderFilter, sort: OrderSort) -> Vec<Place> {
    let passing = rows.iter().filter(|row| filter.matches(row));
    let mut places: Vec<(Timestamp, OrderId)> = passing.map(|row| place_of(row, sort)).collect();
    places.sort();
    if sort.is_descending {
        places.reverse();
    }
    places
}

/// The places of all pages, read one after the other from one end.
async fn read_through(orders: &Served<OrderSummary>, first: OrderPage) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    loop {
        let mut page = first.clone();
        let edge = if page.from_end { &mut page.before } else { &mut page.after };
        *edge = found.last().copied().or(*edge);
        let rows = orders.page(&page).await.unwrap();
        assert!(rows.len() <= page.limit);
        found.extend(rows.iter().map(|row| place_of(row, page.sort)));
        if rows.len() < page.limit {
            return found;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_row_of_a_state_is_the_fold_of_the_same_events(commands in prop::collection::vec(command(), 0..12)) {
        let mut events: Vec<OrderEvent> = Vec::new();
        for (step, command) in commands.into_iter().enumerate() {
            let state = fold::<Order>(events.clone());
            let now = moment(i64::try_from(step).unwrap());
            events.extend(Order::decide(&state, command, now).unwrap_or_default());
            let state = fold::<Order>(events.clone());
            let revision = Revision::new((events.len() as u64).saturating_sub(1));
            prop_assert_eq!(OrderRow::of(&state, revision), folded::<OrderSummary, _>(events.clone()));
        }
    }

    #[test]
    fn a_row_is_read_back_as_it_was_written(rows in some_rows()) {
        block_on(async {
            let (_folder, store) = temp_rows();
            let orders = serving::<OrderSummary>(&store, &rows).await;
            for row in &rows {
                assert_eq!(orders.by_id(row.order).await.unwrap().as_ref(), Some(row));
            }
            let ids: Vec<OrderId> = rows.iter().map(|row| row.order).collect();
            let mut found = orders.by_ids(&ids).await.unwrap();
            found.sort_by_key(|row| row.order);
            let mut rows = rows.clone();
            rows.sort_by_key(|row| row.order);
            assert_eq!(found, rows);
        });
    }

    #[test]
    fn the_filter_and_its_sql_are_of_one_opinion_and_pages_give_every_row_once_in_order(
        rows in some_rows(), filter in some_filter(), sort in some_sort(), limit in 1_usize..5,
        window in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        block_on(async {
            let (_folder, store) = temp_rows();
            let orders = serving::<OrderSummary>(&store, &rows).await;
            let mut expected = expected(&rows, &filter, sort);
            let (mut after, mut before) = (None, None);
            if let Some((one, other)) = window && !expected.is_empty() {
                let (one, other) = (one.index(expected.len()), other.index(expected.len()));
                let (start, end) = (one.min(other), one.max(other));
                (after, before) = (Some(expected[start]), Some(expected[end]));
                expected = expected[start..end].iter().skip(1).copied().collect();
            }
            let first = OrderPage { filter, sort, after, before, from_end: false, limit };
            assert_eq!(read_through(&orders, first.clone()).await, expected);
            expected.reverse();
            assert_eq!(read_through(&orders, OrderPage { from_end: true, ..first }).await, expected);
        });
    }
}

#[tokio::test]
async fn a_missing_order_is_none_and_is_left_out_of_a_list() {
    let (_folder, store) = temp_rows();
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    let orders = serving::<OrderSummary>(&store, std::slice::from_ref(&row)).await;
    let missing: OrderId = domain::testing::id(99);
    assert_eq!(orders.by_id(missing).await.unwrap(), None);
    assert_eq!(orders.by_ids(&[missing, row.order]).await.unwrap(), [row]);
    assert_eq!(orders.by_ids(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn more_orders_than_one_query_takes_are_found_by_id() {
    let (_folder, store) = temp_rows();
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    let rows: Vec<OrderRow> = (0..100).map(|n| OrderRow { order: domain::testing::id(n), ..row.clone() }).collect();
    let orders = serving::<OrderSummary>(&store, &rows).await;
    let ids: Vec<OrderId> = rows.iter().map(|row| row.order).collect();
    for count in [1, 2, 31, 32, 33, 65, 100] {
        let mut found = orders.by_ids(&ids[..count]).await.unwrap();
        found.sort_by_key(|row| row.order);
        assert_eq!(found, rows[..count]);
    }
}

#[test]
fn an_empty_list_of_states_matches_nothing_and_an_empty_filter_everything() {
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    assert!(OrderFilter::default().matches(&row));
    assert!(!OrderFilter { status: Some(vec![]), ..OrderFilter::default() }.matches(&row));
    let foreign: CustomerId = buyer(9);
    assert!(!OrderFilter { customer: Some(foreign), ..OrderFilter::default() }.matches(&row));
}
