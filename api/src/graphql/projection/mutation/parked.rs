//! Releasing what is parked: one more try, or passing over an event with a reason.

use async_graphql::{Context, Error, ID, InputObject, Object, SimpleObject};
use domain::operator::OperatorAction;
use infrastructure::event_store::Position;
use projections::Released;

use super::{ProjectionUserError, write_down};
use crate::graphql::{
    PositionToken,
    call::{operator, services},
    projection::{
        error::{ProjectionErrorCode, Trouble, settled},
        input,
    },
    user_error::path,
};

/// Parked events to try again.
#[derive(Debug, InputObject)]
struct ParkedEventRetryInput {
    /// The projection's name, as `projections` shows it.
    projection: String,
    /// The key that waits; absent: all of them.
    key: Option<ID>,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
}

/// A parked event to pass over.
#[derive(Debug, InputObject)]
struct ParkedEventSkipInput {
    /// The projection's name, as `projections` shows it.
    projection: String,
    /// The key that waits for it.
    key: ID,
    /// The event's position.
    position: PositionToken,
    /// Why; 1 to 200 characters.
    reason: String,
}

/// What came of a try to release a key.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ParkedEventReleased {
    /// How many of its events were applied.
    applied: u64,
    /// The number in the log of the event at which it waits still; null if it waits no more.
    waits_at_number: Option<u64>,
    /// Why it waits.
    error: Option<String>,
}

impl From<Released> for ParkedEventReleased {
    fn from(Released { applied, waits_at }: Released) -> Self {
        let (position, error) = waits_at.unzip();
        Self { applied, waits_at_number: position.map(Position::value), error }
    }
}

/// What came of `parkedEventRetry`.
#[derive(Debug, Default, SimpleObject)]
struct ParkedEventRetryPayload {
    /// What came of the key's events; null if there are user errors, and without `key`: many keys are tried as there is
    /// time beside the live events, and `projection(name)` shows what is left.
    released: Option<ParkedEventReleased>,
    /// How many keys are tried.
    keys: u64,
    /// What was wrong; empty if they are tried.
    user_errors: Vec<ProjectionUserError>,
}

/// What came of `parkedEventSkip`.
#[derive(Debug, SimpleObject)]
struct ParkedEventSkipPayload {
    /// What came of the other events of the key; null if there are user errors.
    released: Option<ParkedEventReleased>,
    /// What was wrong; empty if the event is passed over.
    user_errors: Vec<ProjectionUserError>,
}

#[derive(Debug, Default)]
pub(super) struct ParkedMutation;

#[Object]
impl ParkedMutation {
    /// Tries the events of a parked key now, in order, as far as they go; or those of all keys. For operators.
    async fn parked_event_retry(
        &self,
        context: &Context<'_>,
        input: ParkedEventRetryInput,
    ) -> Result<ParkedEventRetryPayload, Error> {
        operator(context)?;
        let (payload, user_errors) = settled(retry(context, input).await)?;
        Ok(ParkedEventRetryPayload { user_errors, ..payload.unwrap_or_default() })
    }

    /// Passes over the event that a parked key waits for, then tries the others of the key. It stays in the log: a
    /// rebuild of the same version passes over it too, another version tries it again. For operators.
    async fn parked_event_skip(
        &self,
        context: &Context<'_>,
        input: ParkedEventSkipInput,
    ) -> Result<ParkedEventSkipPayload, Error> {
        operator(context)?;
        let (released, user_errors) = settled(skip(context, input).await)?;
        Ok(ParkedEventSkipPayload { released, user_errors })
    }
}

async fn retry(context: &Context<'_>, order: ParkedEventRetryInput) -> Result<ParkedEventRetryPayload, Trouble> {
    let ParkedEventRetryInput { projection: name, key, reason } = order;
    let manager = &services(context).projections;
    let refused = |error| Trouble::of(error, path([&"projection"]));
    let (key, reason) = (key.as_ref().map(input::key).transpose()?, input::reason(reason)?);
    match key {
        Some(key) => manager.is_parked(&name, key).map_err(refused)?,
        None if manager.status(&name).map_err(refused)?.parked.keys == 0 => {
            let message = format!("nothing is parked in {name}");
            let error = ProjectionUserError::new(ProjectionErrorCode::NotParked, message, path([&"projection"]));
            return Err(error.into());
        }
        None => {}
    }
    write_down(context, (&name, "projection"), OperatorAction::RetryParked { key }, reason).await?;
    let (released, keys) = match key {
        Some(key) => (Some(manager.retry(&name, key).await.map_err(refused)?.into()), 1),
        None => (None, manager.retry_all(&name).await.map_err(refused)?),
    };
    Ok(ParkedEventRetryPayload { released, keys, user_errors: Vec::new() })
}

async fn skip(context: &Context<'_>, order: ParkedEventSkipInput) -> Result<ParkedEventReleased, Trouble> {
    let ParkedEventSkipInput { projection: name, key, position: PositionToken(position), reason } = order;
    let manager = &services(context).projections;
    let refused = |error| Trouble::of(error, path([&"projection"]));
    let (key, reason) = (input::key(&key)?, input::needed_reason(reason)?);
    manager.can_skip(&name, key, position).map_err(refused)?;
    let action = OperatorAction::SkipParked { key, position: position.value() };
    write_down(context, (&name, "projection"), action, Some(reason.clone())).await?;
    Ok(manager.skip(&name, key, position, &reason).await.map_err(refused)?.into())
}
