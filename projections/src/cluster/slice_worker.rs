//! The worker of a projection in a process that shares the work: it follows the log for the slices whose leases it holds.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use infrastructure::read_store::ReadStoreError;
use tokio::sync::watch;

use super::{Membership, Names, sql};
use crate::{
    context::Context,
    track::Track,
    worker::{Ended, Held, Worker},
};

/// How long until it looks again whether there is something to do.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The same after a failure.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A projection's slices in this process.
#[derive(Debug)]
pub(crate) struct SliceWorker {
    context: Context,
    names: Names,
    held: watch::Receiver<Arc<BTreeSet<String>>>,
    membership: Membership,
    /// The generation that serves, as this process sees it.
    serving: watch::Receiver<Option<i64>>,
    /// Which slices it works on, for its report.
    working: watch::Sender<Vec<u32>>,
}

/// What there is to do now.
enum Task {
    Work(Box<Track>),
    /// Nothing, or nothing yet.
    Wait,
}

impl SliceWorker {
    pub(crate) fn new(
        context: Context,
        names: Names,
        membership: &Membership,
        serving: watch::Receiver<Option<i64>>,
    ) -> Option<Self> {
        let held = membership.leases.as_ref()?.held();
        let membership = membership.clone();
        Some(Self { context, names, held, membership, serving, working: watch::Sender::new(Vec::new()) })
    }

    /// Which slices it works on.
    pub(crate) fn working(&self) -> watch::Receiver<Vec<u32>> {
        self.working.subscribe()
    }

    pub(crate) async fn run(mut self, mut worker: Worker) {
        let lifecycle = self.context.lifecycle.clone();
        let mut nudges = self.context.rows.nudges();
        loop {
            if lifecycle.is_stopping() {
                return worker.leave().await;
            }
            let mine = self.held.borrow_and_update().clone();
            self.serving.borrow_and_update();
            let pause = match self.task(&mine).await {
                Ok(Task::Work(track)) => {
                    let slices = track.slices.numbers();
                    tracing::info!(
                        projection.name = self.context.name(),
                        ?slices,
                        generation = track.generation,
                        "works on slices of {} from {}",
                        self.context.name(),
                        track.position
                    );
                    worker.hold(Held::Track(track));
                    self.working.send_replace(slices);
                    let ended = worker.follow(self.is_recalled(mine)).await;
                    self.working.send_replace(Vec::new());
                    match ended {
                        Ended::Stopping => return worker.leave().await,
                        Ended::Recalled => {
                            worker.leave().await;
                            worker.hold(Held::Nothing);
                            continue;
                        }
                        // Whoever has taken them over is writing now: there is nothing to store.
                        Ended::Lost => worker.hold(Held::Nothing),
                    }
                    LOOK_AGAIN / 10
                }
                Ok(Task::Wait) => LOOK_AGAIN,
                Err(error) => {
                    worker.cannot_begin(&error, TRY_AGAIN);
                    TRY_AGAIN
                }
            };
            tokio::select! {
                biased;
                () = lifecycle.stopping() => {}
                () = worker.obey_next() => {}
                _ = self.held.changed() => {}
                _ = self.serving.changed() => {}
                () = async { tokio::time::sleep(LOOK_AGAIN / 10).await; let _ = nudges.changed().await; } => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// What these leases are for at this moment.
    async fn task(&self, mine: &BTreeSet<String>) -> Result<Task, ReadStoreError> {
        let (rows, name) = (&*self.context.rows, self.context.name());
        if !self.names.holds_any(mine) {
            return Ok(Task::Wait);
        }
        if let Some(holder) = sql::holder(rows, name).await?
            && self.membership.is_alive(holder)
        {
            return Ok(Task::Wait);
        }
        let serving = sql::serving(rows).await?.remove(name);
        let Some(serving) = serving.filter(|serving| serving.is_of(&*self.context.shape)) else {
            return Ok(Task::Wait);
        };
        let slices = self.names.slices_of(mine, serving.count());
        if slices.is_empty() {
            return Ok(Task::Wait);
        }
        match Track::claim(&self.context, serving.generation, Some(&slices)).await {
            Ok(mut track) => {
                track.is_due_for_new_build(&self.context).await?;
                Ok(Task::Work(Box::new(track)))
            }
            // Somebody else was faster, or the generation is gone.
            Err(ReadStoreError::Guard { .. }) => Ok(Task::Wait),
            Err(error) => Err(error),
        }
    }

    /// Resolves when other leases are held than `mine`, as far as this projection goes, or when another generation serves.
    fn is_recalled(&self, mine: Arc<BTreeSet<String>>) -> impl Future<Output = ()> + use<> {
        let (mut held, mut serving, names) = (self.held.clone(), self.serving.clone(), self.names.clone());
        let known = *serving.borrow();
        async move {
            let is_other = |now: &BTreeSet<String>| names.differ(now, &mine);
            tokio::select! {
                _ = held.wait_for(|now| is_other(now)) => {}
                _ = serving.wait_for(|now| *now != known) => {}
            }
        }
    }
}
