//! What everything that works on one projection needs.

use std::{sync::Arc, time::Duration};

use infrastructure::{
    clock::Clock,
    event_store::{EventStore, Window},
    lifecycle::Lifecycle,
    read_store::ReadStore,
};

use crate::{OnFailure, decoder::Decoder, shape::Shape, status::Monitor};

/// What worker, rebuild, follower and manager need.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) shape: Arc<dyn Shape>,
    pub(crate) on_failure: OnFailure,
    pub(crate) events: Arc<dyn EventStore>,
    /// The same, read and decoded once for all who follow it.
    pub(crate) log: Arc<Window>,
    pub(crate) decoder: Arc<Decoder>,
    pub(crate) rows: Arc<dyn ReadStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) monitor: Arc<Monitor>,
    /// What this build can decode; see [`infrastructure::codec::fingerprint`].
    pub(crate) build: Arc<str>,
    pub(crate) batch_events_max: usize,
    /// How many slices a new generation gets.
    pub(crate) slices: u32,
    /// How long applying one event may take.
    pub(crate) event_limit: Duration,
    /// Whether other processes look at what is written here.
    pub(crate) is_shared: bool,
}

impl Context {
    pub(crate) fn name(&self) -> &'static str {
        self.shape.name()
    }

    /// Something was committed that other processes may wait for.
    pub(crate) fn tell(&self) {
        if self.is_shared {
            self.rows.nudge();
        }
    }
}
