//! What every subscription says beside its own messages, and where a subscriber starts.

use async_graphql::{Context, Enum, Error, SimpleObject};
use infrastructure::event_store::{Position, StoreError, TypeFilter};

use super::{PositionToken, call::services, read::event_store_error};
use crate::{
    engine::{LiveReporter, ResumeAfter},
    error_code::ErrorCode,
};

/// Everything up to this cursor was delivered. What follows is live.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CaughtUp {
    /// Resume after this.
    pub(super) cursor: PositionToken,
}

/// Changes between two positions cannot be delivered: read the objects again, then go on.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct Gap {
    /// Resume after this, once you have read again.
    pub(super) cursor: PositionToken,
    /// Everything up to here was delivered.
    pub(super) from: PositionToken,
    /// Nothing between `from` and here was.
    pub(super) to: PositionToken,
    /// Why.
    pub(super) reason: GapReason,
}

/// Why changes cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum GapReason {
    /// There are more changes after the cursor than a subscription replays.
    TooManyChanges,
    /// The read model was rebuilt past events it could not apply before.
    ReadModelRebuilt,
}

impl Gap {
    pub(super) fn new(from: Position, to: Position, reason: GapReason) -> Self {
        Self { cursor: PositionToken(to), from: PositionToken(from), to: PositionToken(to), reason }
    }
}

/// What this execution of a subscription is for.
pub(super) fn reporter<'a>(context: &Context<'a>) -> Result<&'a LiveReporter, Error> {
    context
        .data_opt::<LiveReporter>()
        .ok_or_else(|| ErrorCode::OperationNotSupported.error("subscriptions need a WebSocket or an event stream"))
}

/// The position the subscriber brings: the transport's, or else the argument's. It must lie in the log.
pub(super) async fn resume_position(
    context: &Context<'_>,
    after: Option<PositionToken>,
) -> Result<Option<Position>, Error> {
    let resumed =
        match context.data_opt::<ResumeAfter>() {
            Some(ResumeAfter(text)) => Some(PositionToken::parse(text).ok_or_else(|| {
                ErrorCode::BadCursor.error("the last event id is not a position this server gave out")
            })?),
            None => after,
        };
    let Some(PositionToken(position)) = resumed else { return Ok(None) };
    let events = &services(context).events;
    if position > events.head().await.map_err(event_store_error)? {
        let text = "the position lies beyond the end of the log: it is from another server; read the objects anew";
        return Err(ErrorCode::BadCursor.error(text));
    }
    // Where positions are no counters, not every number is one.
    match events.read_all(position, &TypeFilter::All, 1).await {
        Ok(_) => Ok(Some(position)),
        Err(StoreError::Format(_)) => {
            let text = "the position is none of the log: it is from another server; read the objects anew";
            Err(ErrorCode::BadCursor.error(text))
        }
        Err(error) => Err(event_store_error(error)),
    }
}
