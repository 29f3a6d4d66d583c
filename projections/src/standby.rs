//! The generation that served before, kept so that a rollback is a matter of a moment.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use tokio::sync::Mutex;

use crate::{
    StandbyStatus,
    bookkeeping::{self, GenerationState},
    context::Context,
    follower::Follower,
    rebuild::discard,
    worker::{Frozen, Held},
};

/// A generation is removed no sooner after it served: whoever began to read it then has finished.
const READERS_LEAVE: Duration = Duration::from_secs(5);

/// The one generation on standby of a projection; shared by everybody who may change it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standby(Arc<Mutex<Option<Kept>>>);

/// A generation that is kept.
#[derive(Debug)]
struct Kept {
    status: StandbyStatus,
    how: How,
}

#[derive(Debug)]
enum How {
    Followed(Follower),
    Frozen(Frozen),
}

impl Kept {
    async fn into_held(self) -> Held {
        match self.how {
            How::Followed(follower) => follower.take().await.map_or(Held::Nothing, Held::Track),
            How::Frozen(frozen) => Held::Frozen(frozen),
        }
    }

    /// Removes it, unless somebody else has it by now.
    async fn discard(self, context: &Context) {
        let number = self.status.generation;
        let held = self.into_held().await;
        discard(context, number, held.track().map(|track| track.fence(context))).await;
    }
}

impl Standby {
    /// Keeps what served until now; what was kept before goes.
    pub(crate) async fn keep(&self, context: &Context, held: Held) {
        self.keep_since(context, held, context.clock.now()).await;
    }

    /// The same, for a generation that has not been serving since then.
    pub(crate) async fn keep_since(&self, context: &Context, held: Held, since: Timestamp) {
        infrastructure::failpoint!("standby.keep");
        let mut kept = self.0.lock().await;
        if let Some(before) = kept.take() {
            before.discard(context).await;
        }
        let (generation, version, position) = match &held {
            Held::Nothing => {
                context.monitor.stands_by(None);
                return;
            }
            Held::Track(track) => (track.generation, i64::from(context.shape.version()), track.position),
            Held::Frozen(frozen) => (frozen.generation, frozen.version, frozen.position),
        };
        let is_followed = matches!(held, Held::Track(_));
        let status = StandbyStatus { generation, version, position, is_followed, since };
        context.monitor.stands_by(Some(status.clone()));
        let how = match held {
            Held::Track(track) => How::Followed(Follower::start(context.clone(), track, status.clone())),
            Held::Frozen(frozen) => How::Frozen(frozen),
            Held::Nothing => return,
        };
        *kept = Some(Kept { status, how });
        drop(kept);
        self.tidy(context).await;
    }

    /// The number of what is kept.
    pub(crate) async fn number(&self) -> Option<i64> {
        self.0.lock().await.as_ref().map(|kept| kept.status.generation)
    }

    /// Takes what is kept, to serve it.
    pub(crate) async fn take(&self, context: &Context) -> Option<Held> {
        let kept = self.0.lock().await.take()?;
        context.monitor.stands_by(None);
        Some(kept.into_held().await)
    }

    /// Removes what is kept, if it is this one; once nobody can be reading it. False if it is not this one.
    pub(crate) async fn discard(&self, context: &Context, number: i64) -> bool {
        let is_it = |kept: &&Kept| kept.status.generation == number;
        let Some(since) = self.0.lock().await.as_ref().filter(is_it).map(|kept| kept.status.since) else {
            return false;
        };
        let age = (context.clock.now() - since).to_std().unwrap_or_default();
        // Not under the lock: whoever wants it back meanwhile gets it.
        tokio::select! {
            biased;
            () = context.lifecycle.stopping() => return false,
            () = tokio::time::sleep(READERS_LEAVE.saturating_sub(age)) => {}
        }
        let mut guard = self.0.lock().await;
        let Some(kept) = guard.take_if(|kept| kept.status.generation == number) else { return false };
        kept.discard(context).await;
        context.monitor.stands_by(None);
        true
    }

    /// Removes what has been kept long enough. One that was rolled back stays until an operator says otherwise: a start
    /// would build it again.
    pub(crate) async fn discard_after(&self, context: &Context, retention: Duration) {
        let serving = context.monitor.status().generation;
        let due = {
            let guard = self.0.lock().await;
            let now = context.clock.now();
            let is_due = |kept: &&Kept| {
                let age = (now - kept.status.since).to_std().unwrap_or_default();
                age >= retention && serving.is_some_and(|serving| serving > kept.status.generation)
            };
            guard.as_ref().filter(is_due).map(|kept| kept.status.generation)
        };
        if let Some(number) = due
            && self.discard(context, number).await
        {
            let name = context.name();
            tracing::info!(projection.name = name, "generation {number} of {name} was kept long enough and is removed");
        }
    }

    /// Removes every generation that neither serves nor is kept nor is being built.
    async fn tidy(&self, context: &Context) {
        let Ok(all) = bookkeeping::generations(&*context.rows, context.name()).await else { return };
        let kept = self.number().await;
        for generation in all {
            let goes = match generation.state {
                GenerationState::Standby | GenerationState::RolledBack => Some(generation.number) != kept,
                GenerationState::Building
                | GenerationState::Scratch
                | GenerationState::Serving
                | GenerationState::Retired => false,
            };
            if goes {
                discard(context, generation.number, None).await;
            }
        }
    }
}
