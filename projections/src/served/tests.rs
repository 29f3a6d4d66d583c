//! Waiting for a position: at once, in time, or with the reason why not.

use domain::testing::order_placed;
use infrastructure::{
    event_store::{Revision, StreamId},
    read_store::Cost,
};

use super::*;
use crate::{
    order_summary::OrderSummary,
    product_sales::ProductSales,
    shape::Shape as _,
    tests::{decoded, temp_rows},
};

const AT_MOST: Duration = Duration::from_secs(5);

struct Setup {
    shape: KeyedShape<OrderSummary>,
    monitor: Arc<Monitor>,
    served: Served<OrderSummary>,
    _folder: tempfile::TempDir,
}

fn setup() -> Setup {
    let (folder, rows) = temp_rows();
    let shape = KeyedShape::<OrderSummary>::new();
    let monitor = Arc::new(Monitor::new("order_summary", 1));
    let served = Served::new(&shape, rows, Arc::clone(&monitor));
    Setup { shape, monitor, served, _folder: folder }
}

impl Setup {
    fn serve_at(&self, position: u64) {
        self.shape.serve(1, Position::new(position), false);
        self.monitor.serves(1, None);
        self.monitor.moved_to(Position::new(position));
        self.monitor.is_in(ProjectionState::Running);
    }
}

fn stopped() -> StoppedAt {
    StoppedAt {
        position: Position::new(8),
        type_name: "order.placed.v9".into(),
        stream: StreamId::new("order", Uuid::from_u128(1)),
        revision: Revision::FIRST,
        error: "it does not decode".to_owned(),
        attempts: 5,
        cause: crate::StopCause::Event,
        since: domain::testing::now(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_reached_is_not_waited_for() {
    let setup = setup();
    setup.serve_at(7);
    let started = tokio::time::Instant::now();
    for wanted in [Position::START, Position::new(7)] {
        setup.served.wait(wanted, AT_MOST).await.unwrap();
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_position_is_reached() {
    let setup = setup();
    setup.serve_at(7);
    let started = tokio::time::Instant::now();
    let moving = async {
        for position in 8..=10 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            setup.monitor.moved_to(Position::new(position));
        }
    };
    let (waited, ()) = tokio::join!(
        async {
            setup.served.wait(Position::new(9), AT_MOST).await.unwrap();
            started.elapsed()
        },
        moving
    );
    assert_eq!(waited, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_takes_too_long_says_where_the_read_model_is() {
    let setup = setup();
    setup.serve_at(7);
    let started = tokio::time::Instant::now();
    let error = setup.served.wait(Position::new(8), AT_MOST).await.unwrap_err();
    let QueryError::Timeout { name, position, wanted } = error else { panic!("{error:?}") };
    assert_eq!((name, position, wanted), ("order_summary", Position::new(7), Position::new(8)));
    assert_eq!(started.elapsed(), AT_MOST);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_projection_that_has_stopped() {
    let setup = setup();
    setup.serve_at(7);
    setup.monitor.is_in(ProjectionState::Stopped(stopped()));
    let started = tokio::time::Instant::now();
    setup.served.wait(Position::new(7), AT_MOST).await.expect("what is there is there");
    let error = setup.served.wait(Position::new(8), AT_MOST).await.unwrap_err();
    let QueryError::Stopped { stopped: reason, .. } = error else { panic!("{error:?}") };
    assert_eq!(*reason, stopped());
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_waits_that_have_begun() {
    let setup = setup();
    setup.serve_at(7);
    let started = tokio::time::Instant::now();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        setup.monitor.is_in(ProjectionState::Stopped(stopped()));
    };
    let (answer, ()) = tokio::join!(setup.served.wait(Position::new(8), AT_MOST), stopping);
    assert!(matches!(answer, Err(QueryError::Stopped { .. })), "{answer:?}");
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_read_model_that_is_being_built_says_so_and_serves_once_it_is() {
    let setup = setup();
    let building = setup.served.wait(Position::START, AT_MOST).await;
    assert!(matches!(building, Err(QueryError::Building("order_summary"))), "{building:?}");
    assert!(matches!(setup.served.row(Uuid::nil()).await, Err(QueryError::Building(_))));
    let (answer, ()) = tokio::join!(setup.served.wait(Position::new(3), AT_MOST), async { setup.serve_at(3) });
    answer.unwrap();
}

#[tokio::test]
async fn a_query_whose_generation_is_removed_under_its_hands_is_asked_again_of_the_one_that_serves() {
    let (_folder, rows) = temp_rows();
    let shape = KeyedShape::<OrderSummary>::new();
    rows.transaction(shape.create(2)).await.unwrap();
    let served = Served::new(&shape, rows, Arc::new(Monitor::new("order_summary", 1)));
    shape.serve(1, Position::new(1), false);
    let gone = served.select(all).await;
    assert!(matches!(gone, Err(QueryError::Store(ReadStoreError::Refused(_)))), "nothing serves instead: {gone:?}");

    let asked = std::cell::RefCell::new(Vec::new());
    let found = served.select(|columns, table| {
        asked.borrow_mut().push(table.to_owned());
        // Right after it was chosen.
        shape.serve(2, Position::new(1), false);
        all(columns, table)
    });
    assert_eq!(found.await.unwrap(), []);
    assert_eq!(asked.into_inner(), ["order_summary_g1", "order_summary_g2"]);
}

#[tokio::test]
async fn who_missed_batches_hears_so_with_the_next_events() {
    let (_folder, rows) = temp_rows();
    let shape = SetChangeShape::<ProductSales>::new();
    let served = ServedTables::new(&shape, rows, Arc::new(Monitor::new("product_sales", 1)));
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let lifecycle = Lifecycle::new();
    served.tell_applied(&lifecycle, move |events, has_missed| {
        told.send((events[0].position.value(), has_missed)).unwrap();
        std::future::ready(())
    });
    let apply = |positions: std::ops::RangeInclusive<u64>| {
        for position in positions {
            shape.applied.send(Arc::new(vec![decoded(position, 0, order_placed())])).unwrap();
        }
    };
    apply(1..=1);
    assert_eq!(heard.recv().await, Some((1, false)));
    // More than are kept, and behind them only batches of which nothing could be applied.
    apply(2..=2);
    for _ in 0..1_000 {
        shape.applied.send(Arc::default()).unwrap();
    }
    tokio::task::yield_now().await;
    apply(3..=4);
    assert_eq!((heard.recv().await, heard.recv().await), (Some((3, true)), Some((4, false))));
    assert!(lifecycle.stop(AT_MOST).await);
}

fn all(columns: &str, table: &str) -> Query {
    Query { sql: format!("SELECT {columns} FROM {table}").into(), params: vec![], cost: Cost::Scan }
}
