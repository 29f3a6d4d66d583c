//! A read store and the logs it is started with.

use std::sync::Arc;

use infrastructure::event_store::{Append, ExpectedRevision, MemoryEventStore, NewEvent, StreamId};

use super::*;
use crate::tests::{append, placed, temp_rows};

async fn log(id: u128) -> Arc<MemoryEventStore> {
    let log = Arc::new(MemoryEventStore::new());
    let event = NewEvent {
        id: Uuid::from_u128(id),
        type_name: "order.placed.v1".into(),
        at: domain::testing::now(),
        metadata: "{}".to_owned(),
        data: "{}".to_owned(),
    };
    let stream = StreamId::new("order", Uuid::from_u128(7));
    log.append(Append { stream, expected: ExpectedRevision::NoStream, events: vec![event].into() }).await.unwrap();
    log
}

#[tokio::test]
async fn a_read_store_is_of_the_first_log_that_it_sees_an_event_of() {
    let (_folder, rows) = temp_rows();
    let empty = MemoryEventStore::new();
    crate::bookkeeping::prepare(&*rows).await.unwrap();
    check(&empty, &*rows).await.expect("there is nothing to be told by yet");
    let (ours, other) = (log(1).await, log(2).await);
    for _ in 0..2 {
        check(&*ours, &*rows).await.expect("it is its log");
    }
    append(&*ours, placed(2, 1, &[("TEA", 1)])).await;
    check(&*ours, &*rows).await.expect("it has grown");
    for wrong in [&*other, &empty] {
        let refused = check(wrong, &*rows).await;
        assert!(matches!(refused, Err(ManagerError::OtherLog)), "{refused:?}");
    }
}
