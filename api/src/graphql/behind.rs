//! Rows that are not what they should be yet: an event of the row's key is parked.
//!
//! An object that is behind says so, and a question that must not be answered with what was before it gets no answer.
//! While nothing is parked this costs a look at an empty map.

use async_graphql::{Context, Error, SimpleObject};
use domain::Timestamp;
use projections::Behind;

use super::{PositionToken, call::viewer};
use crate::{auth::Role, error_code::ErrorCode};

/// An event that this object's read model could not apply: what the event did does not show yet.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct RowBehind {
    /// The number of the event in the log, as `millrace events` shows it.
    number: u64,
    /// The position of the event.
    position: PositionToken,
    /// Since when.
    since: Timestamp,
    /// Why the event cannot be applied. For operators; null for customers.
    error: Option<String>,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried again by itself; null: when somebody has looked after it.
    next_retry: Option<Timestamp>,
}

impl RowBehind {
    /// What the caller is told of it.
    pub(super) fn of(context: &Context<'_>, behind: Option<Behind>) -> Result<Option<Self>, Error> {
        let Some(Behind { position, since, error, attempts, next_retry }) = behind else { return Ok(None) };
        let error = match viewer(context)?.role {
            Role::Operator => Some(error),
            Role::Customer => None,
        };
        let (number, position) = (position.value(), PositionToken(position));
        Ok(Some(Self { number, position, since, error, attempts, next_retry }))
    }
}

/// The error for an object that has no row yet, or whose row is older than the caller asked for.
pub(super) fn refuse_if_stale(
    behind: Option<&Behind>,
    has_row: bool,
    min_position: Option<PositionToken>,
) -> Result<(), Error> {
    let Some(behind) = behind else { return Ok(()) };
    if !has_row {
        let text = "an event of this object cannot be applied yet, so it cannot be shown; an operator looks after it";
        return Err(ErrorCode::ReadModelBehind.error(text));
    }
    if min_position.is_some_and(|wanted| wanted.0 >= behind.position) {
        let text = "an event of this object up to `minPosition` cannot be applied yet; without `minPosition` the answer \
                    is the object as it was before";
        return Err(ErrorCode::ReadModelBehind.error(text));
    }
    Ok(())
}
