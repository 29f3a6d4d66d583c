//! The names of all metrics, in one place, so that dashboards and code cannot drift apart; and how an error is told.
//!
//! Durations are in seconds, sizes in events or bytes, as Prometheus asks for.

use std::error::Error;

/// How long an append took, from request to durable.
pub const APPEND_SECONDS: &str = "millrace_append_seconds";
/// How many events one commit of the event store held.
pub const APPEND_BATCH_EVENTS: &str = "millrace_append_batch_events";
/// How many clients the EventStoreDB adapter has made; each after the first replaces one that had lost its node.
pub const EVENT_STORE_CLIENTS: &str = "millrace_event_store_clients_total";
/// How many subscriptions to EventStoreDB ended or went deaf.
pub const TAIL_SUBSCRIPTIONS_LOST: &str = "millrace_tail_subscriptions_lost_total";
/// How long a command took, from arrival at the executor to its answer. Labels: `category`, `outcome`.
pub const COMMAND_SECONDS: &str = "millrace_command_seconds";
/// How many commands went out as one append.
pub const COMMAND_BATCH: &str = "millrace_command_batch_commands";
/// How many times a stream had moved under a command.
pub const COMMAND_CONFLICTS: &str = "millrace_command_conflicts_total";
/// How many snapshots of streams were stored. Label: `category`.
pub const SNAPSHOTS_WRITTEN: &str = "millrace_snapshots_written_total";
/// How many times a snapshot could not be stored or loaded. Label: `category`.
pub const SNAPSHOT_FAILURES: &str = "millrace_snapshot_failures_total";
/// How many events a projection is behind. Label: `projection`.
pub const PROJECTION_LAG_EVENTS: &str = "millrace_projection_lag_events";
/// How old the oldest event is that a projection has not applied yet. Label: `projection`.
pub const PROJECTION_LAG_SECONDS: &str = "millrace_projection_lag_seconds";
/// The position a projection has reached. Label: `projection`.
pub const PROJECTION_POSITION: &str = "millrace_projection_position";
/// 1 if a projection stopped at an event it cannot apply. Label: `projection`.
pub const PROJECTION_STOPPED: &str = "millrace_projection_stopped";
/// How many events a projection has applied. Label: `projection`.
pub const PROJECTION_EVENTS: &str = "millrace_projection_events_total";
/// How many tries of a projection to apply an event failed. Label: `projection`.
pub const PROJECTION_FAILURES: &str = "millrace_projection_failures_total";
/// How many keys of a projection are parked. Label: `projection`.
pub const PROJECTION_PARKED_KEYS: &str = "millrace_projection_parked_keys";
/// How many events of a projection are parked, those that failed and those queued behind. Label: `projection`.
pub const PROJECTION_PARKED_EVENTS: &str = "millrace_projection_parked_events";
/// 1 if an operator has paused a projection. Label: `projection`.
pub const PROJECTION_PAUSED: &str = "millrace_projection_paused";
/// 1 if a projection makes no progress although it is behind. Label: `projection`.
pub const PROJECTION_STALLED: &str = "millrace_projection_stalled";
/// The generation of tables that a projection serves. Label: `projection`.
pub const PROJECTION_GENERATION: &str = "millrace_projection_generation";
/// How many events a projection applies in a second, lately. Label: `projection`.
pub const PROJECTION_RATE: &str = "millrace_projection_events_per_second";
/// How many rows the drift check of a projection folded anew. Label: `projection`.
pub const PROJECTION_CHECKED: &str = "millrace_projection_checked_rows_total";
/// How many of those rows differed from what is served. Label: `projection`.
pub const PROJECTION_DRIFT: &str = "millrace_projection_drift_rows_total";
/// 1 while a projection is rebuilt. Label: `projection`.
pub const REBUILD_RUNNING: &str = "millrace_rebuild_running";
/// How many positions of the log a rebuild has gone through. Label: `projection`.
pub const REBUILD_DONE: &str = "millrace_rebuild_done_positions";
/// How many positions of the log a rebuild has to go through. Label: `projection`.
pub const REBUILD_TOTAL: &str = "millrace_rebuild_total_positions";
/// How many events rebuilds have folded. Label: `projection`.
pub const REBUILD_EVENTS: &str = "millrace_rebuild_events_total";
/// How many leases this node holds.
pub const LEASES_HELD: &str = "millrace_leases_held";
/// How many leases this node has freed because the one that held them was dead.
pub const LEASE_TAKEOVERS: &str = "millrace_lease_takeovers_total";
/// How many steps of a process were carried out, or tried. Labels: `process`, `outcome`.
pub const PROCESS_STEPS: &str = "millrace_process_steps_total";
/// The position of the log up to which a process has seen everything. Label: `process`.
pub const PROCESS_POSITION: &str = "millrace_process_position";
/// How many events a process is behind. Label: `process`.
pub const PROCESS_LAG_EVENTS: &str = "millrace_process_lag_events";
/// 1 in the node that runs a process. Label: `process`.
pub const PROCESS_RUNNING: &str = "millrace_process_running";
/// How many keys a process has in memory. Label: `process`.
pub const PROCESS_KEYS: &str = "millrace_process_keys";
/// How many steps of a process wait for their turn. Label: `process`.
pub const PROCESS_WAITING: &str = "millrace_process_waiting_steps";
/// How many steps of a process are under way. Label: `process`.
pub const PROCESS_UNDER_WAY: &str = "millrace_process_under_way_steps";
/// How many steps of a process do not work, stuck ones too. Label: `process`.
pub const PROCESS_TROUBLES: &str = "millrace_process_troubles";
/// How many steps of a process are not tried again by themselves. Label: `process`.
pub const PROCESS_STUCK: &str = "millrace_process_stuck_steps";
/// How many keys of a process somebody has to look at. Label: `process`.
pub const PROCESS_CONCERNS: &str = "millrace_process_concerns";
/// How many keys of a process wait for an event that cannot be read. Label: `process`.
pub const PROCESS_PARKED: &str = "millrace_process_parked_keys";
/// 1 if a process cannot follow the log or keep its notes. Label: `process`.
pub const PROCESS_FAILED: &str = "millrace_process_failed";
/// How long a payment provider took for one try of a call. Labels: `call`, `outcome`.
pub const PAYMENT_CALL_SECONDS: &str = "millrace_payment_call_seconds";
/// How many notices of a payment provider came in. Label: `outcome`.
pub const PAYMENT_NOTICES: &str = "millrace_payment_notices_total";
/// How many subscriptions are open. Label: `transport`.
pub const SUBSCRIBERS: &str = "millrace_subscribers";
/// How long an HTTP request took. Labels: `path`, `status`.
pub const HTTP_SECONDS: &str = "millrace_http_seconds";

/// An error and what caused it, on one line: each cause behind the one it caused.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
