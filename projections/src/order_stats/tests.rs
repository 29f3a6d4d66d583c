//! What happened in which hour, counted by the statements themselves.

use std::{collections::HashMap, sync::Arc};

use chrono::{TimeDelta, TimeZone as _, Utc};
use domain::{
    Event, Timestamp,
    order::{CancelReason, LinePart, OrderEvent},
    testing::{eur, quantity},
    values::{CaptureId, Currency, OrderId, RefundId},
};
use infrastructure::{event_store::Position, read_store::ReadStore};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    ServedTables, SetChange, Tables,
    shape::{SetChangeShape, Shape as _},
    status::Monitor,
    tests::{cancelled, decoded, delivered, moment, order, placed, shipped, temp_rows},
};

const EUR: Currency = Currency::EUR;

fn confirmed(n: u128) -> OrderEvent {
    OrderEvent::Confirmed { order: order(n), payment: None, at: moment(1) }
}

fn shipped_part(n: u128, parts: &[(u32, i64)]) -> OrderEvent {
    let lines = parts.iter().map(|(line, units)| LinePart { line: *line, quantity: quantity(*units) }).collect();
    OrderEvent::Shipped { order: order(n), shipment: 1, lines, tracking: None, at: moment(1) }
}

fn paid(n: u128, cents: i64) -> OrderEvent {
    let capture = CaptureId::new(Uuid::from_u128(n));
    OrderEvent::Paid { order: order(n), capture, amount: eur(cents), at: moment(1) }
}

fn refunded(n: u128, cents: i64) -> OrderEvent {
    let refund = RefundId::new(Uuid::from_u128(n));
    OrderEvent::Refunded { order: order(n), refund, amount: eur(cents), at: moment(1) }
}

/// The same event at another moment.
fn at(mut event: OrderEvent, moment: Timestamp) -> OrderEvent {
    match &mut event {
        OrderEvent::Placed { at, .. }
        | OrderEvent::Confirmed { at, .. }
        | OrderEvent::Cancelled { at, .. }
        | OrderEvent::Shipped { at, .. }
        | OrderEvent::Delivered { at, .. }
        | OrderEvent::Paid { at, .. }
        | OrderEvent::Refunded { at, .. } => *at = moment,
        other @ (OrderEvent::PaymentChosen { .. }
        | OrderEvent::PaymentFailed { .. }
        | OrderEvent::Overdue { .. }
        | OrderEvent::ReturnRequested { .. }
        | OrderEvent::ReturnReceived { .. }
        | OrderEvent::RefundRequested { .. }
        | OrderEvent::RefundFailed { .. }) => panic!("{other:?} is not counted"),
    }
    event
}

/// The model after these events, and how many rows break one of its invariants.
async fn after(events: impl IntoIterator<Item = OrderEvent>) -> (ServedTables<OrderStats>, i64, tempfile::TempDir) {
    let (folder, rows) = temp_rows();
    let shape = SetChangeShape::<OrderStats>::new();
    rows.transaction(shape.create(1)).await.unwrap();
    let tables = Tables::new(NAME, 1);
    let mut revisions: HashMap<OrderId, u64> = HashMap::new();
    for (position, event) in (1..).zip(events) {
        let revision = revisions.entry(event.order()).or_default();
        let statements = OrderStats::changes(&decoded(position, *revision, Event::from(event)), &tables);
        *revision += 1;
        rows.transaction(statements).await.unwrap();
    }
    let served =
        ServedTables::new(&shape, Arc::clone(&rows) as Arc<dyn ReadStore>, Arc::new(Monitor::new(NAME, VERSION)));
    shape.serve(1, Position::START, false);
    let mut violations = 0;
    for invariant in OrderStats::invariants(&tables) {
        let query = infrastructure::read_store::Query {
            sql: invariant.violations.into(),
            params: vec![],
            cost: infrastructure::read_store::Cost::Scan,
        };
        violations += rows.query(query).await.unwrap()[0].int(0).unwrap();
    }
    (served, violations, folder)
}

/// Everything that happened to orders in euros, ever; the invariants hold.
async fn all(events: impl IntoIterator<Item = OrderEvent>) -> Counts {
    let (served, violations, _folder) = after(events).await;
    assert_eq!(violations, 0);
    let buckets =
        Buckets::of(Bucket::Month, moment(0) - TimeDelta::days(40), moment(0) + TimeDelta::days(400)).unwrap();
    served.counts(&buckets, EUR).await.unwrap().into_iter().reduce(|sum, more| sum.and(&more)).unwrap()
}

/// What is counted: placed, confirmed, cancelled, shipped, delivered; units, revenue, refunded.
fn numbers(counts: &Counts) -> ([u64; 5], [u64; 3]) {
    let cancelled = counts.cancelled.iter().map(|(_, orders)| orders).sum();
    let orders = [counts.placed, counts.confirmed, cancelled, counts.shipped, counts.delivered];
    (orders, [counts.units, counts.revenue_minor, counts.refunded_minor])
}

#[tokio::test]
async fn a_life_counts_once_at_each_step() {
    let life = [
        placed(1, 1, &[("TEA", 2), ("POT", 1)]),
        confirmed(1),
        shipped(1),
        paid(1, 300),
        delivered(1),
        refunded(1, 50),
    ];
    assert_eq!(numbers(&all(life).await), ([1, 1, 0, 1, 1], [3, 300, 50]));
}

#[tokio::test]
async fn an_order_is_shipped_with_its_last_piece() {
    let first = [placed(1, 1, &[("TEA", 2), ("POT", 1)]), confirmed(1), shipped_part(1, &[(0, 1), (1, 1)])];
    assert_eq!(numbers(&all(first.clone()).await).0, [1, 1, 0, 0, 0]);
    let last = first.into_iter().chain([shipped_part(1, &[(0, 1)]), shipped(1)]);
    assert_eq!(numbers(&all(last).await).0, [1, 1, 0, 1, 0]);
}

#[tokio::test]
async fn cancelled_orders_are_counted_by_reason() {
    let unpaid = OrderEvent::Cancelled { order: order(2), reason: CancelReason::Unpaid, at: moment(1) };
    let tea = |n| placed(n, 1, &[("TEA", 1)]);
    let counts = all([tea(1), tea(2), tea(3), cancelled(1), unpaid, cancelled(3)]).await;
    assert_eq!(counts.cancelled, [(CancelReason::OutOfStock, 2), (CancelReason::Unpaid, 1)]);
    assert_eq!(numbers(&counts).0, [3, 0, 3, 0, 0]);
}

#[tokio::test]
async fn what_cannot_be_counts_nothing() {
    let tea = || placed(1, 1, &[("TEA", 2)]);
    let cases: [(&str, Vec<OrderEvent>, [u64; 5]); 7] = [
        ("never placed", vec![confirmed(1), cancelled(1), shipped(1), delivered(1), paid(1, 9)], [0; 5]),
        ("placed twice", vec![tea(), tea()], [1, 0, 0, 0, 0]),
        ("confirmed twice", vec![tea(), confirmed(1), confirmed(1)], [1, 1, 0, 0, 0]),
        ("cancelled twice", vec![tea(), cancelled(1), cancelled(1)], [1, 0, 1, 0, 0]),
        ("cancelled on its way", vec![tea(), shipped_part(1, &[(0, 1)]), cancelled(1)], [1, 0, 0, 0, 0]),
        ("delivered before it left", vec![tea(), delivered(1), shipped(1)], [1, 0, 0, 1, 0]),
        ("shipped after it was cancelled", vec![tea(), cancelled(1), shipped(1), delivered(1)], [1, 0, 1, 0, 0]),
    ];
    for (what, events, expected) in cases {
        assert_eq!(numbers(&all(events).await).0, expected, "{what}");
    }
}

#[tokio::test]
async fn each_thing_counts_in_its_own_hour_and_hours_add_up_to_days_and_months() {
    let time = |day, hour, minute| Utc.with_ymd_and_hms(2026, 1, day, hour, minute, 0).unwrap();
    let tea = |n| placed(n, 1, &[("TEA", 1)]);
    let events = [
        at(tea(1), time(30, 23, 59)),
        at(tea(2), time(31, 0, 0)),
        at(tea(3), time(31, 23, 59)),
        at(cancelled(1), Utc.with_ymd_and_hms(2026, 2, 1, 0, 0, 0).unwrap()),
    ];
    let (served, _, _folder) = after(events).await;
    let placed = async |bucket, from: Timestamp, to: Timestamp| {
        let counts = served.counts(&Buckets::of(bucket, from, to).unwrap(), EUR).await.unwrap();
        counts.iter().map(|counts| (counts.from, counts.placed)).collect::<Vec<_>>()
    };
    let hours = placed(Bucket::Hour, time(30, 23, 30), time(31, 1, 30)).await;
    assert_eq!(hours, [(time(30, 23, 0), 1), (time(31, 0, 0), 1), (time(31, 1, 0), 0)]);
    let days = placed(Bucket::Day, time(29, 12, 0), time(31, 0, 1)).await;
    assert_eq!(days, [(time(29, 0, 0), 0), (time(30, 0, 0), 1), (time(31, 0, 0), 2)]);
    let both = Buckets::of(Bucket::Month, time(31, 0, 0), time(31, 0, 0) + TimeDelta::days(2)).unwrap();
    let months = served.counts(&both, EUR).await.unwrap();
    let months: Vec<_> = months.iter().map(|counts| (numbers(counts).0[0], numbers(counts).0[2])).collect();
    assert_eq!(months, [(3, 0), (0, 1)], "placed in January, cancelled in February");
    let elsewhere = Buckets::of(Bucket::Month, time(1, 0, 0), time(31, 0, 0)).unwrap();
    assert_eq!(
        numbers(&served.counts(&elsewhere, Currency::USD).await.unwrap()[0]),
        ([0; 5], [0; 3]),
        "another currency"
    );
}

#[test]
fn a_range_is_widened_to_whole_buckets_and_has_an_end() {
    let time = |month, day, hour| Utc.with_ymd_and_hms(2024, month, day, hour, 17, 3).unwrap();
    let spans = |bucket, from, to| {
        let buckets = Buckets::of(bucket, from, to).unwrap();
        let short = |at: Timestamp| at.format("%m-%d %H:%M").to_string();
        buckets.spans().map(|(from, to)| format!("{} {}", short(from), short(to))).collect::<Vec<_>>()
    };
    assert_eq!(
        spans(Bucket::Hour, time(2, 29, 5), time(2, 29, 5) + TimeDelta::seconds(1)),
        ["02-29 05:00 02-29 06:00"]
    );
    assert_eq!(
        spans(Bucket::Day, time(2, 28, 5), time(2, 29, 5)),
        ["02-28 00:00 02-29 00:00", "02-29 00:00 03-01 00:00"]
    );
    assert_eq!(
        spans(Bucket::Month, time(1, 31, 5), time(2, 1, 5)),
        ["01-01 00:00 02-01 00:00", "02-01 00:00 03-01 00:00"]
    );
    let (from, hours) = (time(1, 1, 0), |hours| time(1, 1, 0) + TimeDelta::hours(hours));
    assert_eq!(Buckets::of(Bucket::Hour, from, from), Err(RangeError::Empty));
    assert_eq!(Buckets::of(Bucket::Hour, hours(1), from), Err(RangeError::Empty));
    let most = i64::try_from(BUCKETS_MAX).unwrap() - 1;
    assert_eq!(Buckets::of(Bucket::Hour, from, hours(most)).unwrap().spans().count(), BUCKETS_MAX);
    assert_eq!(Buckets::of(Bucket::Hour, from, hours(most + 1)), Err(RangeError::TooMany));
    assert_eq!(Buckets::of(Bucket::Hour, from, Timestamp::MAX_UTC), Err(RangeError::TooMany));
    let end = Timestamp::MAX_UTC;
    assert_eq!(Buckets::of(Bucket::Month, end - TimeDelta::days(1), end), Err(RangeError::OutOfRange));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_words_and_numbers_of_sql_are_those_of_the_code(seconds in 0_i64..4_000_000_000) {
        let at = Utc.timestamp_opt(seconds, 0).unwrap();
        for bucket in [Bucket::Hour, Bucket::Day, Bucket::Month] {
            let (from, to) = Buckets::of(bucket, at, at + TimeDelta::seconds(1)).unwrap().spans().next().unwrap();
            prop_assert!(from <= at && at < to);
            prop_assert_eq!(bucket.number(from), bucket.number(at));
            prop_assert_eq!(bucket.number(to), bucket.number(at) + 1);
        }
    }
}
