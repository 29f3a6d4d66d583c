//! Read your own writes: waiting for a position, and saying which one an answer reflects.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_graphql::{Context, Error, ErrorExtensions as _};
use infrastructure::{
    event_store::{Position, StoreError},
    read_store::ReadStoreError,
};
use projections::{KeyedFold, QueryError, Served, ServedTables, SetChange};

use super::{PositionToken, Services};
use crate::{error_code::ErrorCode, order_stream::FoldError};

/// The position that everything in an answer reflects: the lowest of the read models it was taken from. In the
/// request's data; the engine writes it into the answer's `extensions.position`.
#[derive(Debug)]
pub struct ReadPosition {
    lowest: AtomicU64,
    /// The highest `minPosition` so far: what is looked up for parts of the answer is as new.
    asked: AtomicU64,
}

impl Default for ReadPosition {
    fn default() -> Self {
        Self { lowest: AtomicU64::new(u64::MAX), asked: AtomicU64::new(0) }
    }
}

impl ReadPosition {
    /// The lowest position so far; none if no read model was asked.
    pub fn get(&self) -> Option<PositionToken> {
        let lowest = self.lowest.load(Ordering::Relaxed);
        (lowest != u64::MAX).then(|| PositionToken(Position::new(lowest)))
    }

    fn lower_to(&self, position: Position) {
        self.lowest.fetch_min(position.value(), Ordering::Relaxed);
    }
}

/// A read model, ready to be asked: it has reached `min_position`, and the answer is marked with where it is.
pub(super) async fn ready<'a, M: KeyedFold>(
    context: &Context<'_>,
    model: &'a Served<M>,
    min_position: Option<PositionToken>,
) -> Result<&'a Served<M>, Error> {
    let wait = context.data_unchecked::<Services>().min_position_wait;
    model.wait(wanted(context, min_position), wait).await.map_err(query_error)?;
    mark(context, model.position());
    Ok(model)
}

/// The same for a read model of set changes.
pub(super) async fn ready_tables<'a, M: SetChange>(
    context: &Context<'_>,
    model: &'a ServedTables<M>,
    min_position: Option<PositionToken>,
) -> Result<&'a ServedTables<M>, Error> {
    let wait = context.data_unchecked::<Services>().min_position_wait;
    model.wait(wanted(context, min_position), wait).await.map_err(query_error)?;
    mark(context, model.position());
    Ok(model)
}

fn wanted(context: &Context<'_>, min_position: Option<PositionToken>) -> Position {
    let position = min_position.map_or(Position::START, |token| token.0);
    if let Some(reflected) = context.data_opt::<Arc<ReadPosition>>() {
        reflected.asked.fetch_max(position.value(), Ordering::Relaxed);
    }
    position
}

/// The `minPosition` of what this is a part of.
pub(super) fn asked(context: &Context<'_>) -> Option<PositionToken> {
    let asked = context.data_opt::<Arc<ReadPosition>>()?.asked.load(Ordering::Relaxed);
    Some(PositionToken(Position::new(asked)))
}

fn mark(context: &Context<'_>, position: Position) {
    if let Some(reflected) = context.data_opt::<Arc<ReadPosition>>() {
        reflected.lower_to(position);
    }
}

/// What a client is told when a read model has no answer.
pub(super) fn query_error(error: QueryError) -> Error {
    match error {
        QueryError::Timeout { position, .. } => ErrorCode::ProjectionTimeout
            .error("the read model has not reached `minPosition` in time; try again")
            .extend_with(|_, extensions| extensions.set("position", PositionToken(position).to_string())),
        QueryError::Stopped { .. } => ErrorCode::ProjectionStopped.error(
            "the read model stands still until an operator looks after it; an answer without `minPosition` is stale",
        ),
        QueryError::Building(_) => ErrorCode::ProjectionTimeout.error("the read model is being built; try again"),
        QueryError::Store(error) => read_store_error(error),
    }
}

/// What a client is told when the read store has no answer.
pub(super) fn read_store_error(error: ReadStoreError) -> Error {
    match error {
        ReadStoreError::Unavailable(_) | ReadStoreError::Full => {
            tracing::warn!(error = %error, "a question to the read models was not answered: {error}");
            ErrorCode::ReadStoreUnavailable.error("the read models cannot be read now; try again")
        }
        ReadStoreError::Guard { .. }
        | ReadStoreError::Refused(_)
        | ReadStoreError::Corrupt(_)
        | ReadStoreError::Column { .. } => internal(error),
    }
}

/// What a client is told when the log cannot be read.
pub(super) fn event_store_error(error: StoreError) -> Error {
    match error {
        StoreError::Unavailable(_) => {
            tracing::warn!(error = %error, "the log was not read: {error}");
            ErrorCode::StoreUnavailable.error("the event store cannot be read now; try again")
        }
        StoreError::Full | StoreError::Corrupt(_) | StoreError::Stopped(_) | StoreError::Format(_) => internal(error),
    }
}

/// What a client is told when an order cannot be folded from its events.
pub(super) fn fold_error(error: FoldError) -> Error {
    match error {
        FoldError::Events(error) => event_store_error(error),
        FoldError::Undecodable { .. } => internal(error),
    }
}

/// A failure that is ours: the client gets a generic text, the log the cause.
pub(super) fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    crate::engine::internal(source)
}
