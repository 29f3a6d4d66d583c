//! Exports are of one position, whatever happens meanwhile, and go on where they were cut off.

use domain::{
    Event, EventPayload as _,
    order::{CancelReason, OrderEvent, OrderStatus},
    testing::{now, order_cancelled, order_confirmed, order_delivered, order_placed, order_shipped},
    values::OrderId,
};
use infrastructure::{
    codec,
    event_store::{Append, Direction, ExpectedRevision, MemoryEventStore, Name, NewEvent, StreamId},
};
use serde_json::Value;
use uuid::Uuid;

use super::*;

fn order(n: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(n))
}

async fn append_raw(events: &MemoryEventStore, category: &str, stream: Uuid, kind: &str, data: &str) -> Position {
    let stream = StreamId::new(Name::from(category), stream);
    let last = events.read_stream(&stream, Revision::MAX, Direction::Backwards, 1).await.unwrap();
    let number = events.head().await.unwrap().value() + 1;
    let event = NewEvent {
        id: Uuid::from_u128(number.into()),
        type_name: kind.into(),
        at: now(),
        metadata: "{}".to_owned(),
        data: data.to_owned(),
    };
    let expected = ExpectedRevision::after(last.events.first().map(|event| event.revision));
    let appended = events.append(Append { stream, expected, events: vec![event].into() }).await.unwrap();
    appended.positions[0]
}

/// Appends an event to the stream of order `n`. Its data speaks of another one, which nobody reads.
async fn append(events: &MemoryEventStore, n: u128, event: OrderEvent) -> Position {
    let (kind, data) = codec::encode(&Event::from(event));
    assert!(OrderEvent::types().contains(&&*kind));
    append_raw(events, "order", order(n).uuid(), &kind, &data).await
}

/// Order and state of everything that is exported.
async fn all(events: &Arc<MemoryEventStore>, as_of: Position, after: Position) -> Vec<(OrderId, Option<OrderStatus>)> {
    let mut export = OrdersExport::new(Arc::clone(events) as Arc<dyn EventStore>, as_of, after);
    let mut orders = Vec::new();
    while let Some(exported) = export.next().await.unwrap() {
        orders.push((exported.order, exported.row.map(|row| row.placed.status)));
    }
    orders
}

#[tokio::test]
async fn an_empty_log_has_no_orders() {
    assert_eq!(all(&Arc::new(MemoryEventStore::new()), Position::START, Position::START).await, []);
}

#[tokio::test]
async fn orders_are_as_they_were_whatever_happened_since() {
    let events = Arc::new(MemoryEventStore::new());
    append(&events, 1, order_placed()).await;
    append(&events, 2, order_placed()).await;
    append(&events, 1, order_shipped()).await;
    let then = append(&events, 2, order_cancelled(CancelReason::Unpaid)).await;
    let before = all(&events, then, Position::START).await;
    assert_eq!(before, [(order(1), Some(OrderStatus::Shipped)), (order(2), Some(OrderStatus::Cancelled))]);
    append(&events, 1, order_delivered()).await;
    append(&events, 3, order_placed()).await;
    assert_eq!(all(&events, then, Position::START).await, before, "as of then");
    let now = all(&events, events.head().await.unwrap(), Position::START).await;
    assert_eq!(now.iter().map(|(order, _)| *order).collect::<Vec<_>>(), [order(1), order(2), order(3)]);
    assert_eq!(now[0].1, Some(OrderStatus::Delivered));
}

#[tokio::test]
async fn an_export_of_many_pages_goes_on_after_any_of_its_orders() {
    let events = Arc::new(MemoryEventStore::new());
    let many = u128::try_from(PLACEMENTS * 2 + 7).unwrap();
    for n in 0..many {
        append(&events, n, order_placed()).await;
        append(&events, n / 2, order_confirmed()).await;
    }
    let head = events.head().await.unwrap();
    let whole = all(&events, head, Position::START).await;
    assert_eq!(whole.iter().map(|(order, _)| *order).collect::<Vec<_>>(), (0..many).map(order).collect::<Vec<_>>());
    let mut export = OrdersExport::new(Arc::clone(&events) as Arc<dyn EventStore>, head, Position::START);
    for (index, _) in whole.iter().enumerate() {
        let placed = export.next().await.unwrap().unwrap().placed;
        if index % 61 == 0 || index + 1 == whole.len() {
            assert_eq!(all(&events, head, placed).await, whole[index + 1..], "after {index}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_as_such_and_others_streams_are_passed_over() {
    let events = Arc::new(MemoryEventStore::new());
    append(&events, 1, order_placed()).await;
    append_raw(&events, "order", order(1).uuid(), "order.shipped.v99", "{}").await;
    append_raw(&events, "guest", order(9).uuid(), "order.placed.v2", "{}").await;
    append(&events, 2, order_placed()).await;
    let head = append_raw(&events, "guest", order(9).uuid(), "guest.left", "{}").await;
    assert_eq!(all(&events, head, Position::START).await, [(order(1), None), (order(2), Some(OrderStatus::Placed))]);
}

#[tokio::test]
async fn lines_are_json_in_the_words_of_the_schema() {
    let events = Arc::new(MemoryEventStore::new());
    append(&events, 1, order_placed()).await;
    let as_of = append(&events, 1, order_cancelled(CancelReason::InsufficientStock)).await;
    let mut export = OrdersExport::new(Arc::clone(&events) as Arc<dyn EventStore>, as_of, Position::START);
    let exported = export.next().await.unwrap().unwrap();
    let line: Value = serde_json::from_slice(&order_line(&exported, as_of)).unwrap();
    let cursor = ExportCursor::parse(line["cursor"].as_str().unwrap()).unwrap();
    assert_eq!(cursor, ExportCursor { as_of, after: exported.placed });
    let order = &line["order"];
    for (field, expected) in
        [("status", "CANCELLED"), ("cancelReason", "INSUFFICIENT_STOCK"), ("fulfilmentStatus", "UNFULFILLED")]
    {
        assert_eq!(order[field], expected, "{order}");
    }
    assert_eq!(order["version"], 1);
    assert!(order["lines"].as_array().is_some_and(|lines| !lines.is_empty()), "{order}");
    assert!(!line.to_string().contains("tok_"), "no payment token leaves the house");
    let unreadable = Exported { row: None, ..exported };
    let line: Value = serde_json::from_slice(&order_line(&unreadable, as_of)).unwrap();
    assert!(line["unreadable"].is_string() && line.get("order").is_none(), "{line}");
    let last: Value = serde_json::from_slice(&complete_line(as_of, 3, 1)).unwrap();
    assert_eq!((&last["complete"], &last["orders"], &last["unreadable"]), (&true.into(), &3.into(), &1.into()));
}

#[test]
fn a_cursor_comes_back_as_it_was_and_nothing_else_is_one() {
    for (as_of, after) in [(0, 0), (1, 0), (7, 7), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
        let cursor = ExportCursor { as_of: Position::new(as_of), after: Position::new(after) };
        assert_eq!(ExportCursor::parse(&cursor.to_string()), Some(cursor));
        let turned = ExportCursor { as_of: cursor.after, after: cursor.as_of };
        assert_eq!(ExportCursor::parse(&turned.to_string()).is_some(), as_of == after, "{turned:?}");
    }
    let cursor = ExportCursor { as_of: Position::new(9), after: Position::new(3) }.to_string();
    let other_form = format!("B{}", &cursor[1..]);
    for text in ["", "A", "not a cursor", &cursor[1..], &format!("{cursor}A"), &format!("{cursor}="), &other_form] {
        assert_eq!(ExportCursor::parse(text), None, "{text}");
    }
}
