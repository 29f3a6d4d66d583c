//! Keeping a generation up to date that does not serve, so that a rollback is a matter of a moment.

use std::{sync::Arc, time::Duration};

use infrastructure::{event_store::Position, telemetry::with_causes};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{StandbyStatus, context::Context, track::Track};

/// How often the generation is brought up to date: it may be a little behind, since a rollback brings it to the place of
/// the serving one first.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// How many events it takes at once: few, so that the live worker never waits long for the read store.
const FOLLOW_EVENTS: usize = 512;
/// The longest pause after a failure.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// A follower at work; its track can be taken away from it.
#[derive(Debug)]
pub(crate) struct Follower {
    stop: CancellationToken,
    track: Arc<Mutex<Option<Box<Track>>>>,
}

impl Follower {
    /// Starts to follow.
    pub(crate) fn start(context: Context, track: Box<Track>, status: StandbyStatus) -> Self {
        let stop = CancellationToken::new();
        let shared = Arc::new(Mutex::new(Some(track)));
        let follower = Self { stop: stop.clone(), track: Arc::clone(&shared) };
        let lifecycle = context.lifecycle.clone();
        lifecycle.spawn(follow(context, shared, status, stop));
        follower
    }

    /// Ends it and gives the track, once it is not in the middle of anything.
    pub(crate) async fn take(self) -> Option<Box<Track>> {
        self.stop.cancel();
        self.track.lock().await.take()
    }
}

async fn follow(
    context: Context,
    shared: Arc<Mutex<Option<Box<Track>>>>,
    mut status: StandbyStatus,
    stop: CancellationToken,
) {
    let mut pause = FOLLOW_INTERVAL;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = context.lifecycle.stopping() => break,
            () = tokio::time::sleep(pause) => {}
        }
        let mut held = shared.lock().await;
        let Some(track) = held.as_mut() else { return };
        match step(&context, track).await {
            Ok(is_behind) => {
                pause = if is_behind { FOLLOW_INTERVAL / 50 } else { FOLLOW_INTERVAL };
                if status.position != track.position {
                    status.position = track.position;
                    context.monitor.stands_by(Some(status.clone()));
                }
            }
            Err(error) => {
                pause = (pause.max(FOLLOW_INTERVAL) * 2).min(RETRY_PAUSE_MAX);
                tracing::warn!(
                    projection.name = context.name(), error = %error,
                    "generation {} of {} stands by and could not be brought up to date: {error}",
                    track.generation, context.name()
                );
            }
        }
    }
    if let Some(track) = shared.lock().await.as_mut()
        && let Err(error) = track.store_position(&context).await
    {
        tracing::debug!(error = %error, "the last checkpoint of a generation on standby was not stored");
    }
}

/// Applies the next events, not beyond the serving generation. Whether there are more.
async fn step(context: &Context, track: &mut Track) -> Result<bool, String> {
    let target: Position = context.monitor.position();
    if track.position >= target {
        return Ok(false);
    }
    infrastructure::failpoint!("follow.step");
    track.follow(context, target, FOLLOW_EVENTS).await.map_err(|error| with_causes(&error))?;
    infrastructure::failpoint!("follow.stepped");
    // What waits by itself here is tried when the generation serves; only its due keys are tried now.
    for key in track.parked.due(context.clock.now()).into_iter().take(4) {
        track.release(context, key, crate::shape::Audience::Nobody).await.map_err(|error| with_causes(&error))?;
    }
    Ok(track.position < target)
}
