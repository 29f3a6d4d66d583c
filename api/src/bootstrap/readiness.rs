//! How a server is, as a whole: whether it is ready, and how far everything in it is.

use std::sync::Arc;

use projections::ProjectionState;

use super::{Core, health::StoreHealth};
use crate::edge::operations::{self, Check, Readiness};

/// A server is ready while its stores answer, once every read model has a generation to serve. That a process of the shop
/// cannot go on is shown, and keeps nobody from being served: orders are taken, and wait.
pub(super) fn readiness(core: &Core, health: StoreHealth) -> Readiness {
    let (projections, processes) = (Arc::clone(&core.projections), core.processes.clone());
    Arc::new(move || {
        let processes = processes.iter().map(|process| {
            let status = process.status();
            let name = format!("process:{}", status.name);
            match status.error {
                None => Check::ready(name),
                Some(error) => Check::ready_though(name, error),
            }
        });
        let models = projections.statuses().into_iter().map(|status| {
            let name = format!("projection:{}", status.name);
            match status.state {
                ProjectionState::Building => Check::not_ready(name, "it is being built from the events; wait"),
                // What stands still serves what it has, and says so to whoever asks for more.
                ProjectionState::Stopped(stopped) => {
                    let (type_name, position) = (stopped.type_name, stopped.position.value());
                    Check::ready_though(name, format!("it has stopped at the event {position} ({type_name})"))
                }
                ProjectionState::Running
                | ProjectionState::Unattended { .. }
                | ProjectionState::Retrying { .. }
                | ProjectionState::Frozen { .. } => Check::ready(name),
                ProjectionState::Paused(_) if status.generation.is_some() => Check::ready(name),
                ProjectionState::Paused(_) => Check::not_ready(name, "it was paused before it was built; resume it"),
            }
        });
        health.checks().into_iter().chain(models).chain(processes).collect()
    })
}

/// Brings the gauges of projections and processes up to date.
pub(super) fn observation(core: &Core) -> operations::Observation {
    let (projections, oversight) = (Arc::clone(&core.projections), core.oversight());
    Arc::new(move || {
        let (projections, oversight) = (Arc::clone(&projections), oversight.clone());
        Box::pin(async move {
            projections.observe().await;
            oversight.observe().await;
        })
    })
}
