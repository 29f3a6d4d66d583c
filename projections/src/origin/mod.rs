//! Which log the read models are folded from. A read store belongs to one log, and must not be led by another one, nor by
//! an older state of the same.
//!
//! A log is told by two of its events, their ids and positions: the first, and one near its end. A copy of a log in another
//! kind of store has the same ids at other positions, so it is another log. A backup that was restored has the first, and
//! lacks the other unless it is newer; so it is known even when it has grown past every checkpoint.

pub(crate) mod sql;

use infrastructure::{
    event_store::{EventStore, Position, TypeFilter},
    read_store::{ReadStore, ReadStoreError},
};
use uuid::Uuid;

use crate::{LogFault, ManagerError};

/// An event by which a log is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands.
    pub position: Position,
    /// Its id.
    pub event: Uuid,
}

/// The first event of the log that the read models are of, if they have seen one.
pub(crate) async fn first(rows: &dyn ReadStore) -> Result<Option<Mark>, ReadStoreError> {
    Ok(sql::read(rows).await?.first)
}

/// What a read store remembers of its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The first event, once there is one.
    pub(crate) first: Option<Mark>,
    /// The furthest that was the last one when somebody looked.
    pub(crate) latest: Option<Mark>,
}

/// Refuses a log that the read models are not of. The bookkeeping must be prepared. Remembers the log of a new read store,
/// as soon as it has an event.
pub(crate) async fn check(events: &dyn EventStore, rows: &dyn ReadStore) -> Result<(), ManagerError> {
    known(events, rows).await.map(drop)
}

/// The same, and remembers how far the log is. To be called now and then: what was appended and lost since the last time
/// is not noticed.
pub(crate) async fn keep_up(events: &dyn EventStore, rows: &dyn ReadStore) -> Result<(), ManagerError> {
    let known = known(events, rows).await?;
    let head = events.head().await?;
    if known.latest.is_none_or(|latest| latest.position < head)
        && let Some(event) = events.event_at(head).await?
    {
        rows.transaction(vec![sql::move_latest(Mark { position: head, event: event.id })]).await?;
    }
    Ok(())
}

async fn known(events: &dyn EventStore, rows: &dyn ReadStore) -> Result<Marks, ManagerError> {
    let mut marks = sql::read(rows).await?;
    match marks.first {
        Some(first) if !has(events, first).await? => return Err(LogFault::Other.into()),
        Some(_) => {}
        None => marks.first = remember_first(events, rows).await?,
    }
    match marks.latest {
        Some(Mark { position, event }) if !has(events, Mark { position, event }).await? => {
            Err(LogFault::SetBack { position, event }.into())
        }
        Some(_) | None => Ok(marks),
    }
}

async fn has(events: &dyn EventStore, mark: Mark) -> Result<bool, ManagerError> {
    let found = events.event_at(mark.position).await?;
    Ok(found.is_some_and(|event| event.id == mark.event))
}

async fn remember_first(events: &dyn EventStore, rows: &dyn ReadStore) -> Result<Option<Mark>, ManagerError> {
    let Some(first) = first_event(events).await? else { return Ok(None) };
    match rows.transaction(vec![sql::remember(first)]).await {
        Ok(()) => Ok(Some(first)),
        // Somebody else was faster; both must mean the same log.
        Err(ReadStoreError::Guard { .. }) => match sql::read(rows).await?.first {
            Some(known) if known == first => Ok(Some(first)),
            Some(_) | None => Err(LogFault::Other.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The first event of ours; others may have written before.
async fn first_event(events: &dyn EventStore) -> Result<Option<Mark>, ManagerError> {
    let mut after = Position::START;
    loop {
        let page = events.read_all(after, &TypeFilter::All, 1).await?;
        if let Some(event) = page.events.first() {
            return Ok(Some(Mark { position: event.position, event: event.id }));
        }
        if page.is_end || page.scanned_to <= after {
            return Ok(None);
        }
        after = page.scanned_to;
    }
}

#[cfg(test)]
mod tests;
