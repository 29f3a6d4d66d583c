//! Which processes run here, and what they work with.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{Process, fulfilment::Fulfilment, payment::Asking};
use infrastructure::{
    clock::SystemClock,
    payment_gateway::{AskProvider, RecordNotices},
    process::{self, Perform, ProcessOptions, ProcessRunner, Turn},
};

use super::{Core, StartError, gateway};
use crate::{config::Config, processes::CarryOut};

/// Longer than any order lives, in seconds: a hundred years. So that no timer falls out of the calendar.
const NEVER_S: i64 = 100 * 365 * 24 * 60 * 60;

/// The leases of all processes: among several nodes, one at a time runs each.
pub(super) fn leases() -> Vec<String> {
    [Fulfilment::NAME, Asking::NAME].map(process::lease_of).to_vec()
}

/// Starts them all.
pub(super) fn start(config: &Config, core: &Core) -> Result<Vec<ProcessRunner>, StartError> {
    let executors = core.executors.clone();
    let notices = Arc::new(RecordNotices::new(executors.payments.clone()));
    let gateway = gateway(config, notices, &core.lifecycle)?;
    let seconds = |seconds: u64| TimeDelta::seconds(i64::try_from(seconds).unwrap_or(NEVER_S).min(NEVER_S));
    let fulfilment = Fulfilment {
        unpaid_after: seconds(config.orders.unpaid_after_s.get()),
        overdue_after: seconds(config.orders.overdue_after_s.get()),
    };
    let carry_out =
        CarryOut { orders: executors.orders, stocks: executors.stocks, payments: executors.payments.clone() };
    Ok(vec![
        run(fulfilment, Arc::new(carry_out), core),
        run(Asking, Arc::new(AskProvider::new(gateway, executors.payments)), core),
    ])
}

fn run<P: Process + Clone>(process: P, perform: Arc<dyn Perform<P>>, core: &Core) -> ProcessRunner {
    let turn = core.projections.held().map(|held| Turn { held, lease: process::lease_of(P::NAME) });
    let options = ProcessOptions { turn, log: Some(core.projections.log()), ..ProcessOptions::default() };
    let (events, rows) = (Arc::clone(&core.events), Arc::clone(&core.rows));
    ProcessRunner::start(process, perform, events, rows, Arc::new(SystemClock), &core.lifecycle, options)
}
