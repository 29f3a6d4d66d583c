//! Contract suites: what a port promises, tested alike against every adapter.
//!
//! A suite is a module of this folder: its cases are public async functions that take a fresh store, and its macro
//! `cases!` names them all. [`contract_suite!`](crate::contract_suite) makes one test of each case:
//!
//! ```text
//! mod event_store {
//!     tests::contract_suite!(event_store, memory => memory());
//!     tests::contract_suite!(event_store, sqlite => sqlite());
//! }
//! ```
//!
//! The factory is an async expression. It gives the store, or what else the suite's cases take, and a guard that
//! lives as long as the test, such as a temporary folder.

pub mod durable_event_store;
pub mod durable_read_store;
pub mod event_store;
pub mod payment_gateway;
pub mod read_store;
pub mod shared_read_store;
pub mod snapshot_store;

/// One test of each case of a suite, in a module named like the adapter.
#[macro_export]
macro_rules! contract_suite {
    ($suite:ident, $adapter:ident => $factory:expr) => {
        $crate::contracts::$suite::cases! { $adapter => $factory }
    };
}

/// For a suite's `cases!`: the tests of the cases it names.
#[macro_export]
macro_rules! contract_tests {
    ($suite:ident, $adapter:ident => $factory:expr, [$($case:ident),+ $(,)?]) => {
        mod $adapter {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (subject, _guard) = $factory.await;
                    $crate::contracts::$suite::$case(subject).await;
                }
            )+
        }
    };
}
