//! Holding a whole projection for a moment: its lead takes every slice from the workers, brings all of them to one place,
//! does what it has to do, and gives them back.

use infrastructure::{read_store::ReadStoreError, telemetry::with_causes};
use uuid::Uuid;

use super::sql;
use crate::{
    bookkeeping::{self, GenerationState},
    context::Context,
    slices,
    track::Track,
    worker::{Frozen, Held},
};

/// How many events are applied at once to bring a slice to where the others are.
const PAGE_EVENTS: usize = 512;
/// How often it is tried to take slices that somebody else is just taking.
const TRIES: u32 = 8;

/// Takes what serves: every slice at the same position, and nobody else can move one.
pub(super) async fn take(context: &Context, holder: Uuid) -> Result<Held, String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match try_take(context, holder).await {
            Ok(held) => return Ok(held),
            // A worker that has just got a slice claimed it too.
            Err(Trouble::Overtaken) => "other workers keep taking its slices".clone_into(&mut last),
            Err(Trouble::Broken(error)) => return Err(error),
        }
    }
    Err(last)
}

enum Trouble {
    Overtaken,
    Broken(String),
}

impl From<ReadStoreError> for Trouble {
    fn from(error: ReadStoreError) -> Self {
        match error {
            ReadStoreError::Guard { .. } => Self::Overtaken,
            ReadStoreError::Refused(_)
            | ReadStoreError::Full
            | ReadStoreError::Unavailable(_)
            | ReadStoreError::Corrupt(_)
            | ReadStoreError::Column { .. } => Self::Broken(error.to_string()),
        }
    }
}

async fn try_take(context: &Context, holder: Uuid) -> Result<Held, Trouble> {
    let (rows, name) = (&*context.rows, context.name());
    rows.transaction(vec![sql::hold(name, holder)]).await?;
    let generations = bookkeeping::generations(rows, name).await?;
    let Some(serving) = generations.into_iter().find(|known| known.state == GenerationState::Serving) else {
        return Ok(Held::Nothing);
    };
    if !serving.is_of(&*context.shape) {
        // Workers of another version may still be moving it: from here on they cannot.
        let slices = slices::sql::claim(rows, name, serving.number, None).await?;
        let (generation, version, form) = (serving.number, serving.version, serving.form);
        let is_readable = context.shape.reads(version, &form);
        return Ok(Held::Frozen(Frozen { generation, version, form, position: slices.stored(), is_readable }));
    }
    let mut track = Track::claim(context, serving.number, None).await?;
    let to = track.slices.furthest();
    track.follow_to(context, to, PAGE_EVENTS).await.map_err(|error| match error {
        error if error.is_guard() => Trouble::Overtaken,
        error => Trouble::Broken(with_causes(&error)),
    })?;
    track.store_position(context).await?;
    Ok(Held::Track(Box::new(track)))
}

/// Gives everything back to the workers.
pub(super) async fn give_back(context: &Context, holder: Uuid, held: Held) {
    if let Held::Track(mut track) = held
        && let Err(error) = track.store_position(context).await
    {
        tracing::warn!(projection.name = context.name(), error = %error, "a position was not stored");
    }
    if let Err(error) = context.rows.transaction(vec![sql::give_back(context.name(), holder)]).await {
        // Its workers wait until this process has left, or holds and gives back again.
        tracing::warn!(projection.name = context.name(), error = %error, "the slices were not given back yet");
    }
    context.tell();
}
