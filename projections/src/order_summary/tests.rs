//! Orders as they are read: fold, row, filter and pages.

use domain::{
    Decider as _, Timestamp,
    order::{
        CancelReason, Capture, FulfilmentStatus, LinePart, Order, OrderCommand, OrderEvent, OrderLine, OrderPayment,
        OrderStatus, Party, PaymentStatus, PlacedOrder, Refund, RefundFor, Return, ReturnReceipt, Shipment, capture_of,
        payment_of,
    },
    payment::{DeclineReason, PartStatus},
    testing::{
        eur, fold, id, label, line, offered, order_cancelled, order_confirmed, order_delivered, order_paid,
        order_placed, order_placed_prepaid, order_return_received, order_return_requested, order_shipped, part, place,
        product_registered, quantity, requested, the_customer, the_order, token,
    },
    values::{Currency, CustomerId, Money, OrderId, Warehouse},
};
use infrastructure::{event_store::Revision, read_store::Value};
use proptest::prelude::*;
use uuid::Uuid;

use super::{look::Reach, *};
use crate::{
    KeyedFold, Served,
    tests::{block_on, buyer, decoded, folded, moment, serving, temp_rows},
};

#[test]
fn a_placed_order_is_read_as_it_was_placed() {
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    let placed = &row.placed;
    assert_eq!((placed.order, placed.customer, placed.status), (the_order(), the_customer(), OrderStatus::Placed));
    assert_eq!((placed.total, &placed.lines[..]), (eur(3980), &[line("TEA-1", 2, eur(1990))][..]));
    assert_eq!((placed.cancel_reason, &placed.shipments[..]), (None, &[][..]));
    assert_eq!((placed.placed_at, placed.updated_at, row.revision), (moment(0), moment(0), Revision::FIRST));
}

#[test]
fn a_shipped_order_has_its_tracking_number_and_keeps_it_when_it_arrives() {
    let (lines, tracking) = (vec![part(0, 2)], Some(label("1Z 999")));
    let shipped =
        OrderEvent::Shipped { order: the_order(), shipment: 1, lines: lines.clone(), tracking, at: moment(5) };
    let delivered = OrderEvent::Delivered { order: the_order(), at: moment(9) };
    let on_its_way = folded::<OrderSummary, _>([order_placed(), shipped.clone()]).unwrap();
    assert_eq!((on_its_way.placed.status, on_its_way.placed.updated_at), (OrderStatus::Shipped, moment(5)));
    let arrived = folded::<OrderSummary, _>([order_placed(), shipped, delivered]).unwrap();
    let expected = Shipment { lines, tracking: Some(label("1Z 999")), at: moment(5) };
    assert_eq!((arrived.placed.status, &arrived.placed.shipments[..]), (OrderStatus::Delivered, &[expected][..]));
    assert_eq!((arrived.placed.updated_at, arrived.revision), (moment(9), Revision::new(2)));
}

#[test]
fn a_cancelled_order_says_why() {
    let row = folded::<OrderSummary, _>([order_placed(), order_cancelled(CancelReason::SuspectedFraud)]).unwrap();
    assert_eq!(row.placed.status, OrderStatus::Cancelled);
    assert_eq!(row.placed.cancel_reason, Some(CancelReason::SuspectedFraud));
}

#[test]
fn what_came_to_an_order_later_is_one_piece_of_json_and_nothing_for_one_to_which_nothing_came() {
    let details = |row: &OrderRow| OrderSummary::write(row)[16].clone();
    let bare = folded::<OrderSummary, _>([order_placed()]).unwrap();
    assert_eq!(details(&bare), Value::Null);
    let events = [order_placed_prepaid(), order_confirmed(), order_shipped(), order_paid(1, eur(3980))];
    let row = folded::<OrderSummary, _>(events).unwrap();
    let Value::Json(json) = details(&row) else { panic!("{:?}", details(&row)) };
    let known: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut keys: Vec<&String> = known.as_object().unwrap().keys().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["captures", "confirmed_at", "payment", "shipments"]);
}

#[test]
fn an_orders_number_is_found_however_somebody_writes_it_down() {
    let order = OrderId::new(Uuid::from_u128(0b01010_00001_00000_10010_00001_00000_11111_00010));
    assert_eq!(number_of(order), "A10J10Z2");
    for written in ["A10J10Z2", "a1oj-l0z2", "AIO J I O Z 2"] {
        assert_eq!(read_number(written), "A10J10Z2", "{written}");
    }
}

#[test]
fn no_token_that_pays_is_in_the_row() {
    let events = [order_placed_prepaid(), domain::testing::order_payment_chosen(2)];
    let row = folded::<OrderSummary, _>(events).unwrap();
    let written = format!("{:?}", OrderSummary::write(&row));
    assert!(written.contains("attempt") && !written.contains("tok_"), "{written}");
}

#[test]
fn the_columns_of_money_and_pieces_say_what_the_order_says() {
    let events = [
        order_placed_prepaid(),
        order_confirmed(),
        order_shipped(),
        order_paid(1, eur(3980)),
        order_return_requested(1, [part(0, 1)]),
        order_return_received(1, true),
    ];
    let row = folded::<OrderSummary, _>(events).unwrap();
    let word = |word: &str| Value::Text(word.to_owned());
    assert_eq!(OrderSummary::write(&row)[3..6], [word("shipped"), word("paid"), word("partially_returned")]);
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

const CURRENCIES: [Currency; 3] = [Currency::EUR, Currency::JPY, Currency::USD];
const REASONS: [CancelReason; 6] = [
    CancelReason::Unspecified,
    CancelReason::CustomerRequest,
    CancelReason::OutOfStock,
    CancelReason::SuspectedFraud,
    CancelReason::InsufficientStock,
    CancelReason::Unpaid,
];
const DECLINED: [DeclineReason; 2] = [DeclineReason::InsufficientFunds, DeclineReason::Refused];

fn is_prepaid(mut command: OrderCommand) -> OrderCommand {
    if let OrderCommand::Place { payment, .. } = &mut command {
        *payment = Some(token("tok_visa"));
    }
    command
}

fn command() -> impl Strategy<Value = OrderCommand> {
    let by = Party::Operator;
    let placement = || place([requested("TEA-1", 2), requested("TEA-1", 1)], [offered("TEA-1", eur(7))]);
    let parts = || prop::collection::vec((0_u32..3, 1_i64..3).prop_map(|(line, units)| part(line, units)), 0..3);
    let (order, attempt) = (the_order(), 1_u32..3);
    prop_oneof![
        2 => prop::bool::ANY.prop_map(move |prepaid| if prepaid { is_prepaid(placement()) } else { placement() }),
        1 => Just(OrderCommand::Pay { by, token: token("tok_other") }),
        2 => prop::option::of(attempt.clone()).prop_map(move |attempt| OrderCommand::Confirm {
            payment: attempt.map(|attempt| payment_of(order, attempt)),
        }),
        1 => (attempt, prop::sample::select(&DECLINED[..])).prop_map(move |(attempt, reason)| {
            OrderCommand::FailPayment { payment: payment_of(order, attempt), reason }
        }),
        1 => prop::sample::select(&REASONS[..]).prop_map(move |reason| OrderCommand::Cancel { by, reason }),
        3 => (parts(), prop::option::of("[A-Z]{1,5}")).prop_map(|(lines, text)| OrderCommand::Ship {
            lines, tracking: text.map(|text| label(&text))
        }),
        1 => Just(OrderCommand::Deliver),
        1 => Just(OrderCommand::MarkOverdue),
        2 => parts().prop_map(move |lines| OrderCommand::RequestReturn { by, lines, reason: label("too small") }),
        2 => (1_u32..3, prop::bool::ANY).prop_map(|(number, is_restocked)| {
            OrderCommand::ReceiveReturn { number, is_restocked }
        }),
        2 => (1_u128..4, parts()).prop_map(|(refund, lines)| OrderCommand::Refund {
            refund: id(refund), what: RefundFor::Lines(lines), reason: label("returned")
        }),
        2 => (1_u32..3, 1_i64..8).prop_map(move |(shipment, minor)| OrderCommand::RecordCapture {
            capture: capture_of(order, shipment), amount: eur(minor)
        }),
        1 => (1_u128..4).prop_map(|refund| OrderCommand::RecordRefund { refund: id(refund), amount: eur(7) }),
        1 => (1_u128..4).prop_map(|refund| OrderCommand::FailRefund { refund: id(refund), reason: label("no") }),
    ]
}

/// A few parts of lines.
fn some_parts() -> impl Strategy<Value = Vec<LinePart>> {
    prop::collection::vec((0_u32..4, 1_i64..5).prop_map(|(line, units)| part(line, units)), 0..3)
}

fn some_label() -> impl Strategy<Value = domain::values::Label> {
    r"[^\pC\pZ]{1,20}".prop_map(|text| label(&text))
}

fn some_tracking() -> impl Strategy<Value = domain::values::Label> {
    prop_oneof![Just(label("DHL 1")), some_label()]
}

prop_compose! {
    /// What came to an order after it was placed, in any combination, sensible or not.
    fn some_details()(
        payment in prop::option::of((1_u32..4, prop::option::of(prop::sample::select(&DECLINED[..])), any::<bool>())),
        confirmed in prop::option::of(0_i64..3),
        shipments in prop::collection::vec((some_parts(), prop::option::of(some_tracking()), 0_i64..9), 0..3),
        returns in prop::collection::vec((some_parts(), some_label(), prop::option::of(any::<bool>())), 0..3),
        captures in prop::collection::vec((any::<u128>(), 0_i64..5), 0..3),
        refunds in prop::collection::vec((any::<u128>(), 0_i64..5, some_parts(), prop::option::of(some_label())), 0..3),
        status in prop::sample::select(vec![PartStatus::Requested, PartStatus::Done, PartStatus::Failed]),
    ) -> PlacedOrder {
        let payment =
            payment.map(|(attempt, declined, is_authorised)| OrderPayment { attempt, declined, is_authorised });
        let shipment = |(lines, tracking, at)| Shipment { lines, tracking, at: moment(at) };
        let came_back = |(lines, reason, received): (_, _, Option<bool>)| Return {
            lines,
            reason,
            requested_at: moment(3),
            received: received.map(|is_restocked| ReturnReceipt { is_restocked, at: moment(4) }),
        };
        let capture = |(n, minor)| Capture { capture: domain::values::Id::new(Uuid::from_u128(n)), amount: eur(minor), at: moment(5) };
        let refund = |(n, minor, lines, reason)| {
            Refund { refund: domain::values::Id::new(Uuid::from_u128(n)), lines, amount: eur(minor), reason, status, at: moment(6) }
        };
        let bare = folded::<OrderSummary, _>([order_placed()]).expect("it was placed");
        PlacedOrder {
            payment,
            confirmed_at: confirmed.map(moment),
            shipments: shipments.into_iter().map(shipment).collect(),
            returns: returns.into_iter().map(came_back).collect(),
            captures: captures.into_iter().map(capture).collect(),
            refunds: refunds.into_iter().map(refund).collect(),
            ..PlacedOrder::clone(&bare.placed)
        }
    }
}

const SKUS: [&str; 3] = ["TEA-1", "TEA-2", "POT"];
/// Beginnings of words, numbers, ids and carriers' numbers, alone and together.
const TEXTS: [&str; 11] =
    ["te", "TEA-1", "pot tea", "Of", "1", "nowhere", "0000", "000000000000", "dhl-1", "dhl 2", "00ff0001"];

/// Few values for everything that is sorted or filtered by, so that there are ties.
fn some_row() -> impl Strategy<Value = OrderRow> {
    let sku = prop_oneof![3 => prop::sample::select(&SKUS[..]).prop_map(str::to_owned), 1 => "[A-Z0-9]{1,4}"];
    let lines = prop::collection::vec((sku, 1_i64..=100_000, 0_i64..1_000_000_000, any::<bool>()), 1..4);
    let few = (
        0_u128..3,
        prop::sample::select(OrderStatus::ALL),
        0_i64..4,
        prop::sample::select(&CURRENCIES[..]),
        any::<bool>(),
        prop::sample::select(vec!["main", "north"]),
    );
    let reason = prop::option::of(prop::sample::select(&REASONS[..]));
    let details = prop_oneof![Just(None), some_details().prop_map(Some)];
    let ids = prop_oneof![0_u128..3, any::<u128>()];
    (ids, few, lines, reason, details, (0_i64..3, 0_i64..3), any::<u32>()).prop_map(
        |(
            id,
            (customer, status, minor, currency, is_overdue, warehouse),
            lines,
            cancel_reason,
            details,
            at,
            revision,
        )| {
            let bare =
                || PlacedOrder::clone(&folded::<OrderSummary, _>([order_placed()]).expect("it was placed").placed);
            let line = |(sku, units, price, is_stocked): &(String, i64, i64, bool)| OrderLine {
                is_stocked: *is_stocked,
                quantity: quantity(*units),
                ..line(sku, 1, eur(*price))
            };
            let placed = PlacedOrder {
                order: OrderId::new(Uuid::from_u128(id)),
                customer: buyer(customer),
                status,
                total: Money::try_new(minor, currency).expect("in range"),
                lines: lines.iter().map(line).collect(),
                cancel_reason,
                is_overdue,
                warehouse: Warehouse::parse(warehouse).expect("a name"),
                placed_at: moment(at.0),
                updated_at: moment(at.1),
                ..details.unwrap_or_else(bare)
            };
            OrderRow { placed: placed.into(), revision: Revision::new(revision.into()) }
        },
    )
}

fn some_rows() -> impl Strategy<Value = Vec<OrderRow>> {
    prop::collection::vec(some_row(), 0..25).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.placed.order);
        rows.dedup_by_key(|row| row.placed.order);
        rows
    })
}

fn sometimes<S: Strategy>(values: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(0.2, values)
}

fn some_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = Option<Vec<T>>> {
    sometimes(prop::collection::vec(prop::sample::select(all), 0..4))
}

prop_compose! {
    fn one_filter()(
        status in some_of(OrderStatus::ALL),
        payment_status in some_of(PaymentStatus::ALL),
        fulfilment_status in some_of(FulfilmentStatus::ALL),
        is_overdue in sometimes(any::<bool>()),
        number in sometimes((0_u128..3).prop_map(|n| number_of(OrderId::new(Uuid::from_u128(n))))),
        tracking in sometimes(prop::sample::select(vec![label("DHL 1"), label("DHL 2")])),
        sku in sometimes(prop::sample::select(&SKUS[..])),
        text in sometimes(prop::sample::select(&TEXTS[..])),
        warehouse in sometimes(prop::sample::select(vec!["main", "south"])),
        customer in sometimes((0_u128..3).prop_map(buyer)),
        currency in sometimes(prop::sample::select(&CURRENCIES[..])),
        total in (sometimes(-1_i64..5), sometimes(-1_i64..5)),
        placed in (sometimes((-1_i64..4).prop_map(moment)), sometimes((-1_i64..4).prop_map(moment))),
    ) -> OrderFilter {
        OrderFilter {
            status,
            payment_status,
            fulfilment_status,
            is_overdue,
            warehouse: warehouse.map(|name| Warehouse::parse(name).expect("a name")),
            number,
            tracking,
            sku: sku.map(domain::testing::sku),
            text: text.map(|text| SearchText::parse(text).expect("a text")),
            customer,
            currency,
            total_at_least: total.0,
            total_at_most: total.1,
            placed_from: placed.0,
            placed_before: placed.1,
            all: vec![],
            any: vec![],
        }
    }
}

fn some_filter() -> impl Strategy<Value = OrderFilter> {
    one_filter().prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 0..3);
        (inner, some.clone(), some).prop_map(|(filter, all, any)| OrderFilter { all, any, ..filter })
    })
}

fn some_sort() -> impl Strategy<Value = OrderSort> {
    (prop::sample::select(vec![OrderSortKey::PlacedAt, OrderSortKey::UpdatedAt]), any::<bool>())
        .prop_map(|(key, is_descending)| OrderSort { key, is_descending })
}

fn place_of(row: &OrderRow, sort: OrderSort) -> Place {
    (sort.key.of(row), row.placed.order)
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
async fn read_through(orders: &Served<OrderSummary>, first: OrderPage, reach: Reach) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let mut page = first;
    loop {
        let list = orders.page_within(&page, reach).await.unwrap();
        assert!(list.rows.len() <= page.limit);
        found.extend(list.rows.iter().map(|row| place_of(row, page.sort)));
        let is_full = list.rows.len() == page.limit;
        assert!(!(is_full && list.goes_on_behind.is_some()), "a full page needs no word of where to go on");
        let Some(edge) = list.goes_on_behind.or_else(|| found.last().copied().filter(|_| is_full)) else {
            return found;
        };
        *(if page.from_end { &mut page.before } else { &mut page.after }) = Some(edge);
    }
}

/// How far a look goes: from hardly at all to further than there are orders.
fn some_reach() -> impl Strategy<Value = Reach> {
    let number = || prop_oneof![Just(0_usize), 1_usize..6, Just(1_000)];
    (number(), 1_usize..40, 1_usize..6, number()).prop_map(|(few, walk, block, skus)| Reach { few, walk, block, skus })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

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
                assert_eq!(orders.by_id(row.placed.order).await.unwrap().as_ref(), Some(row));
            }
            let ids: Vec<Uuid> = rows.iter().map(|row| row.placed.order.uuid()).collect();
            let mut found = orders.rows(&ids).await.unwrap();
            found.sort_by_key(|row| row.placed.order);
            let mut rows = rows.clone();
            rows.sort_by_key(|row| row.placed.order);
            assert_eq!(found, rows);
        });
    }

    #[test]
    fn however_far_a_look_goes_pages_give_every_row_that_the_filter_wants_once_and_in_order(
        rows in some_rows(), filter in some_filter(), sort in some_sort(), limit in 1_usize..5, reach in some_reach(),
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
            assert_eq!(read_through(&orders, first.clone(), reach).await, expected);
            expected.reverse();
            assert_eq!(read_through(&orders, OrderPage { from_end: true, ..first }, reach).await, expected);
        });
    }
}

#[tokio::test]
async fn a_missing_order_is_none_and_is_left_out_of_a_list() {
    let (_folder, store) = temp_rows();
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    let orders = serving::<OrderSummary>(&store, std::slice::from_ref(&row)).await;
    let missing: OrderId = id(99);
    assert_eq!(orders.by_id(missing).await.unwrap(), None);
    assert_eq!(orders.rows(&[missing.uuid(), row.placed.order.uuid()]).await.unwrap(), [row]);
    assert_eq!(orders.rows(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn more_orders_than_one_query_takes_are_found_by_id() {
    let (_folder, store) = temp_rows();
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    let rows: Vec<OrderRow> = (0..100).map(|n| called(&row, n)).collect();
    let orders = serving::<OrderSummary>(&store, &rows).await;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.placed.order.uuid()).collect();
    for count in [1, 2, 31, 32, 33, 65, 100] {
        let mut found = orders.rows(&ids[..count]).await.unwrap();
        found.sort_by_key(|row| row.placed.order);
        assert_eq!(found, rows[..count]);
    }
}

/// The same order under another name.
fn called(row: &OrderRow, n: u128) -> OrderRow {
    let placed = PlacedOrder { order: id(n), ..PlacedOrder::clone(&row.placed) };
    OrderRow { placed: placed.into(), revision: row.revision }
}

#[test]
fn an_empty_list_of_states_matches_nothing_and_an_empty_filter_everything() {
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    assert!(OrderFilter::default().matches(&row));
    assert!(!OrderFilter { status: Some(vec![]), ..OrderFilter::default() }.matches(&row));
    let foreign: CustomerId = buyer(9);
    assert!(!OrderFilter { customer: Some(foreign), ..OrderFilter::default() }.matches(&row));
}

/// Orders that were placed one after the other, the last one of another customer.
fn in_a_row(count: u128) -> Vec<OrderRow> {
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    let nth = |n: u128| {
        let placed = PlacedOrder {
            order: id(n),
            customer: buyer(u128::from(n == 0)),
            placed_at: moment(i64::try_from(n).unwrap()),
            ..PlacedOrder::clone(&row.placed)
        };
        OrderRow { placed: placed.into(), revision: row.revision }
    };
    (0..count).map(nth).collect()
}

fn newest(filter: OrderFilter, limit: usize) -> OrderPage {
    let sort = OrderSort { key: OrderSortKey::PlacedAt, is_descending: true };
    OrderPage { filter, sort, after: None, before: None, from_end: false, limit }
}

#[tokio::test]
async fn a_walk_ends_after_so_many_orders_and_says_where_it_goes_on() {
    let (_folder, store) = temp_rows();
    let rows = in_a_row(10);
    let orders = serving::<OrderSummary>(&store, &rows).await;
    let reach = Reach { few: 0, walk: 6, block: 4, skus: 0 };
    // Nothing leads to a warehouse: newest first, six are looked at.
    let south = Warehouse::parse("south").unwrap();
    let page = newest(OrderFilter { warehouse: Some(south), ..OrderFilter::default() }, 3);
    let list = orders.page_within(&page, reach).await.unwrap();
    assert_eq!((list.rows.len(), list.goes_on_behind), (0, Some((moment(4), id(4)))));
    let rest = OrderPage { after: list.goes_on_behind, ..page };
    let list = orders.page_within(&rest, reach).await.unwrap();
    assert_eq!((list.rows.len(), list.goes_on_behind), (0, None));
}

#[tokio::test]
async fn what_leads_to_few_orders_finds_them_wherever_they_are() {
    let (_folder, store) = temp_rows();
    let rows = in_a_row(10);
    let orders = serving::<OrderSummary>(&store, &rows).await;
    let reach = Reach { few: 3, walk: 2, block: 1, skus: 3 };
    let found = async |filter: OrderFilter, key| {
        let page = newest(filter, 9);
        let list =
            orders.page_within(&OrderPage { sort: OrderSort { key, ..page.sort }, ..page }, reach).await.unwrap();
        (list.rows.iter().map(|row| row.placed.order).collect::<Vec<_>>(), list.goes_on_behind)
    };
    // The oldest of ten, at the end of a walk of two.
    let hers = || OrderFilter { customer: Some(buyer(1)), ..OrderFilter::default() };
    let open = OrderFilter { status: Some(vec![OrderStatus::Placed]), ..hers() };
    for filter in [hers(), open] {
        for key in [OrderSortKey::PlacedAt, OrderSortKey::UpdatedAt] {
            assert_eq!(found(filter.clone(), key).await, (vec![id(0)], None), "{filter:?}");
        }
    }
    let text = SearchText::parse(&rows[7].placed.order.to_string()).unwrap();
    let named = OrderFilter { text: Some(text), ..OrderFilter::default() };
    assert_eq!(found(named, OrderSortKey::UpdatedAt).await, (vec![id(7)], None));
    let large = OrderFilter { currency: Some(Currency::EUR), total_at_least: Some(3981), ..OrderFilter::default() };
    assert_eq!(found(large, OrderSortKey::PlacedAt).await, (vec![], None));
}
