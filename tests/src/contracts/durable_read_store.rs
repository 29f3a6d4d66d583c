//! The contract of a read store that outlives its process: promise 5 of `ReadStore`.

use futures_util::{FutureExt as _, future::BoxFuture};

use super::read_store::{Store, counters, create_counters, insert};

/// The tests of this suite for one adapter.
#[macro_export]
macro_rules! durable_read_store_cases {
    ($adapter:ident => $factory:expr) => {
        $crate::contract_tests! {
            durable_read_store, $adapter => $factory, [
                promise_5_a_restart_keeps_whole_transactions_in_order,
                a_failed_transaction_does_not_come_back_with_a_restart,
            ]
        }
    };
}
pub use crate::durable_read_store_cases as cases;

/// Opens the same store again and again; nobody has it open then.
pub type Opener = Box<dyn Fn() -> BoxFuture<'static, Store> + Send + Sync>;

/// Promise 5: what returned is there, what was under way is there whole or not at all, and nothing is there without
/// what came before it.
pub async fn promise_5_a_restart_keeps_whole_transactions_in_order(open: Opener) {
    const RETURNED: i64 = 20;
    const UNDER_WAY: i64 = 20;
    let pair = |n: i64| vec![insert(2 * n, n), insert(2 * n + 1, n)];
    let store = open().await;
    create_counters(&*store).await;
    for n in 0..RETURNED {
        store.transaction(pair(n)).await.expect("rows");
    }
    for n in RETURNED..RETURNED + UNDER_WAY {
        // Asked for, but not waited for.
        let _outcome = store.transaction(pair(n)).now_or_never();
    }
    drop(store);

    let found = counters(&*open().await).await;
    let whole: Vec<_> = (0..RETURNED + UNDER_WAY).flat_map(|n| [(2 * n, n), (2 * n + 1, n)]).collect();
    assert!(whole.starts_with(&found), "holes or halves: {found:?}");
    assert_eq!(found.len() % 2, 0, "half a transaction: {found:?}");
    assert!(found.contains(&(2 * RETURNED - 1, RETURNED - 1)), "a transaction that returned is lost: {found:?}");
}

/// Promise 5 with promise 1: nothing of a failed transaction was ever on its way to the device.
pub async fn a_failed_transaction_does_not_come_back_with_a_restart(open: Opener) {
    let store = open().await;
    create_counters(&*store).await;
    store.transaction(vec![insert(1, 10)]).await.expect("a row");
    store.transaction(vec![insert(2, 20), insert(1, 0)]).await.expect_err("there is a counter 1");
    store.transaction(vec![insert(3, 30).must_change(2)]).await.expect_err("it changes one row");
    drop(store);
    assert_eq!(counters(&*open().await).await, [(1, 10)]);
}
