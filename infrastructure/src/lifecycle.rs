//! Every task has an owner that waits for it: start, stop, drain.
//!
//! **Invariant:** production code spawns through [`Lifecycle::spawn`] only, so that a graceful stop leaves no
//! command in flight and no worker in the middle of a batch.

use std::{future::Future, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Hands out tasks and the signal to stop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// A lifecycle that has not been asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` to its end; [`Lifecycle::stop`] waits for it.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// Asks everybody to stop, without waiting.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Whether everybody was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Resolves once everybody was asked to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Asks everybody to stop and waits for every task, at most `limit`. False if some were still running then.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}
