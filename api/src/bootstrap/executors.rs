//! The executors of the shop's aggregates: one of each in a process, whoever sends commands.

use std::{sync::Arc, time::Duration};

use domain::{
    Decider,
    follow::Follow,
    inbox::Inbox,
    operator::Operator,
    order::Order,
    payment::Payment,
    post::Post,
    product::Product,
    profile::{Profile, handle::HandleClaim},
    reaction::Reaction,
    stock::Stock,
};
use infrastructure::{
    clock::SystemClock,
    event_store::EventStore,
    execute::{Executor, ExecutorOptions, SnapshotOptions},
    lifecycle::Lifecycle,
};

use crate::config::Config;

/// Execute commands. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executors {
    /// For products.
    pub products: Executor<Product>,
    /// For orders.
    pub orders: Executor<Order>,
    /// For stocks.
    pub stocks: Executor<Stock>,
    /// For payments.
    pub payments: Executor<Payment>,
    /// For profiles.
    pub profiles: Executor<Profile>,
    /// For handles.
    pub handles: Executor<HandleClaim>,
    /// For what people are to each other.
    pub follows: Executor<Follow>,
    /// For posts.
    pub posts: Executor<Post>,
    /// For likes.
    pub reactions: Executor<Reaction>,
    /// For inboxes.
    pub inboxes: Executor<Inbox>,
}

impl Executors {
    pub(super) fn new(
        config: &Config,
        snapshots: SnapshotOptions,
        events: &Arc<dyn EventStore>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let options = ExecutorOptions { snapshots: Some(snapshots), ..options(config) };
        Self {
            products: executor(&options, events, lifecycle),
            orders: executor(&options, events, lifecycle),
            stocks: executor(&options, events, lifecycle),
            payments: executor(&options, events, lifecycle),
            profiles: executor(&options, events, lifecycle),
            handles: executor(&options, events, lifecycle),
            follows: executor(&options, events, lifecycle),
            posts: executor(&options, events, lifecycle),
            reactions: executor(&options, events, lifecycle),
            inboxes: executor(&options, events, lifecycle),
        }
    }
}

/// The executor of the operators' log. It works before the read models are there, and needs no snapshots.
pub(super) fn operator(config: &Config, events: &Arc<dyn EventStore>, lifecycle: &Lifecycle) -> Executor<Operator> {
    executor(&options(config), events, lifecycle)
}

fn executor<D: Decider>(options: &ExecutorOptions, events: &Arc<dyn EventStore>, lifecycle: &Lifecycle) -> Executor<D> {
    Executor::new(Arc::clone(events), Arc::new(SystemClock), lifecycle.clone(), options.clone())
}

fn options(config: &Config) -> ExecutorOptions {
    // A store elsewhere pursues an unknown outcome itself, for as long as its budget says.
    let own_budget = config.event_store.url.as_ref().map_or(0, |_| config.event_store.append_budget_ms.get());
    ExecutorOptions {
        lane_commands_max: config.executor.lane_commands.get(),
        cache_bytes_max: config.executor.cache_bytes.get(),
        append_timeout: Duration::from_millis(config.executor.append_timeout_ms.get() + own_budget),
        is_shared: config.event_store.url.is_some(),
        unknown_outcome_budget: Duration::from_millis(config.executor.outcome_wait_ms.get()),
        snapshots: None,
    }
}
