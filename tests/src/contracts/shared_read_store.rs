//! The contract of a read store that several processes share: promises 1 to 3 and 7 of `ReadStore` between two stores.

use std::time::Duration;

use infrastructure::read_store::{ReadStoreError, Statement, Value};

use super::read_store::{Store, counters, create_counters, insert};

/// The tests of this suite for one adapter.
#[macro_export]
macro_rules! shared_read_store_cases {
    ($adapter:ident => $factory:expr) => {
        $crate::contract_tests! {
            shared_read_store, $adapter => $factory, [
                promise_3_a_query_sees_what_the_other_store_has_committed,
                promise_2_of_two_that_move_one_checkpoint_one_does,
                promise_7_each_store_hears_the_other,
                both_may_make_the_same_table_at_once,
            ]
        }
    };
}
pub use crate::shared_read_store_cases as cases;

/// Two stores on the same database.
pub type Two = (Store, Store);

/// As long as a test waits for what must come. Far more than it takes.
const LONG: Duration = Duration::from_secs(30);

/// Promise 3, across stores.
pub async fn promise_3_a_query_sees_what_the_other_store_has_committed((one, other): Two) {
    create_counters(&*one).await;
    for n in 0..50 {
        one.transaction(vec![insert(n, n)]).await.expect("a row");
        assert_eq!(counters(&*other).await.last(), Some(&(n, n)));
    }
}

/// Promise 2, across stores: a guard looks at the row as the other one has left it, even if both came at once.
pub async fn promise_2_of_two_that_move_one_checkpoint_one_does((one, other): Two) {
    create_counters(&*one).await;
    one.transaction(vec![insert(0, 0)]).await.expect("a checkpoint");
    let step = |n: i64| {
        let checkpoint = "UPDATE counters SET n = $1 WHERE id = 0 AND n < $1";
        vec![
            Statement::once("UPDATE counters SET n = n WHERE id = -1", vec![]),
            Statement::once(
                "INSERT INTO counters (id, n) VALUES ($1, 1) \
                             ON CONFLICT (id) DO UPDATE SET n = counters.n + 1",
                vec![Value::Int(n)],
            ),
            Statement::once(checkpoint, vec![Value::Int(n)]).must_change(1),
        ]
    };
    for n in 1..=100 {
        let outcomes = tokio::join!(one.transaction(step(n)), other.transaction(step(n)));
        let outcomes = [outcomes.0, outcomes.1];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(outcomes.contains(&Err(ReadStoreError::Guard { expected: 1, changed: 0 })), "{outcomes:?}");
    }
    let expected: Vec<_> = [(0, 100)].into_iter().chain((1..=100).map(|n| (n, 1))).collect();
    assert_eq!(counters(&*one).await, expected);
}

/// Promise 7, across stores.
pub async fn promise_7_each_store_hears_the_other((one, other): Two) {
    for (teller, listener) in [(&one, &other), (&other, &one)] {
        let mut nudges = listener.nudges();
        for _ in 0..3 {
            nudges.borrow_and_update();
            // One may come before the listener listens; a nudge may be lost.
            let heard = async {
                loop {
                    teller.nudge();
                    if let Ok(changed) = tokio::time::timeout(Duration::from_millis(200), nudges.changed()).await {
                        return changed.expect("it is open");
                    }
                }
            };
            tokio::time::timeout(LONG, heard).await.expect("it is heard");
        }
    }
}

/// Two processes start at once: each makes what is not there.
pub async fn both_may_make_the_same_table_at_once((one, other): Two) {
    for n in 0..20 {
        let make = || {
            vec![
                Statement::once(format!("CREATE TABLE IF NOT EXISTS made_{n} (id BIGINT PRIMARY KEY)"), vec![]),
                Statement::once(format!("CREATE INDEX IF NOT EXISTS made_{n}_i ON made_{n} (id)"), vec![]),
                Statement::once(format!("INSERT INTO made_{n} (id) VALUES (1) ON CONFLICT (id) DO NOTHING"), vec![]),
            ]
        };
        let outcomes = tokio::join!(one.transaction(make()), other.transaction(make()));
        assert_eq!(outcomes, (Ok(()), Ok(())));
    }
}
