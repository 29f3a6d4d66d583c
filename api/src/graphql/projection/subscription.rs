//! A projection as it moves.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, Error, Subscription};
use futures_util::{Stream, StreamExt as _, stream};
use infrastructure::event_store::Position;
use projections::ProjectionManager;
use tokio::{sync::watch, time::timeout};

use super::{error::Trouble, types::ProjectionObject};
use crate::{
    engine::{LivePhase, LiveReporter},
    graphql::{
        call::{operator, services},
        live::reporter,
        user_error::path,
    },
};

/// The pause between two messages: at most four in a second, however fast the projection moves.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a projection that does not move is held against the log, which does.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// `projectionProgress`.
#[derive(Debug, Default)]
pub(crate) struct ProjectionSubscription;

type Progress = stream::BoxStream<'static, Result<ProjectionObject, Error>>;

#[Subscription]
impl ProjectionSubscription {
    /// A projection as it is now, then after each change, at most four times in a second; what lies between is left
    /// out. There is nothing to resume: a new subscription begins with what is. For operators.
    async fn projection_progress(
        &self,
        context: &Context<'_>,
        name: String,
    ) -> Result<impl Stream<Item = Result<ProjectionObject, Error>> + 'static, Error> {
        operator(context)?;
        let reporter = reporter(context)?.clone();
        let manager = Arc::clone(&services(context).projections);
        let refused = |error| Trouble::of(error, path([&"name"])).into_error();
        let changes = manager.watch(&name).map_err(refused)?;
        let progress: Progress = match reporter.phase() {
            LivePhase::Live => {
                let last = show(&manager, &name).await?;
                reporter.starts_after(Position::START);
                Live { manager, name, changes, reporter, told: 0, last }.into_stream().boxed()
            }
            LivePhase::Replay { until } => {
                let now = show(&manager, &name).await?;
                // Its place among the live messages: whatever comes after it is news.
                reporter.delivers(*until);
                stream::iter([Ok(now)]).boxed()
            }
        };
        Ok(progress)
    }
}

/// What every equal subscriber is told. The cursors are not places in the log, they count the messages: a projection
/// changes without moving, too.
struct Live {
    manager: Arc<ProjectionManager>,
    name: String,
    changes: watch::Receiver<u64>,
    reporter: LiveReporter,
    told: u64,
    /// What was told last, or how it was at the start.
    last: ProjectionObject,
}

impl Live {
    fn into_stream(self) -> impl Stream<Item = Result<ProjectionObject, Error>> + 'static {
        stream::unfold(Some(self), |live| async move {
            let mut live = live?;
            match live.next().await? {
                Ok(now) => {
                    live.told += 1;
                    live.reporter.delivers(Position::new(live.told));
                    live.last = now.clone();
                    Some((Ok(now), Some(live)))
                }
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// The next message; none when the server stops.
    async fn next(&mut self) -> Option<Result<ProjectionObject, Error>> {
        tokio::time::sleep(PAUSE).await;
        loop {
            let has_changed = match timeout(LOOK_INTERVAL, self.changes.changed()).await {
                Ok(Ok(())) => true,
                Ok(Err(_)) => return None,
                Err(_) => false,
            };
            let now = show(&self.manager, &self.name).await;
            // A look may find that only the log has grown, or that nothing has happened.
            if has_changed || now.is_err() || now.as_ref().is_ok_and(|now| *now != self.last) {
                return Some(now);
            }
        }
    }
}

async fn show(manager: &ProjectionManager, name: &str) -> Result<ProjectionObject, Error> {
    let status = manager.status(name).map_err(|error| Trouble::of(error, path([&"name"])).into_error())?;
    ProjectionObject::of(manager, &status).await
}
