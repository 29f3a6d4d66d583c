//! Which log the read models are folded from. A read store belongs to one log, and must not be led by another one.
//!
//! A log is told by its first event: its id and its position. A copy of a log in another kind of store has the same ids at
//! other positions, so it is another log; a backup that was restored is the same.

pub(crate) mod sql;

use infrastructure::{
    event_store::{EventStore, Position, TypeFilter},
    read_store::{ReadStore, ReadStoreError},
};
use uuid::Uuid;

use crate::ManagerError;

/// The first event of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where it stands.
    pub position: Position,
    /// Its id.
    pub event: Uuid,
}

/// The log that the read models are of, if they have seen one.
pub(crate) async fn known(rows: &dyn ReadStore) -> Result<Option<Origin>, ReadStoreError> {
    sql::read(rows).await
}

/// Refuses a log that the read models are not of. The bookkeeping must be prepared. Remembers the log of a new read store, as soon as it has an event.
pub(crate) async fn check(events: &dyn EventStore, rows: &dyn ReadStore) -> Result<(), ManagerError> {
    let known = sql::read(rows).await?;
    let first = first_event(events).await?;
    match (known, first) {
        (None, None) => Ok(()),
        (None, Some(first)) => match rows.transaction(vec![sql::remember(first)]).await {
            Ok(()) => Ok(()),
            // Somebody else was faster; both must mean the same log.
            Err(ReadStoreError::Guard { .. }) => match sql::read(rows).await? {
                Some(known) if known == first => Ok(()),
                Some(_) | None => Err(ManagerError::OtherLog),
            },
            Err(error) => Err(error.into()),
        },
        (Some(known), Some(first)) if known == first => Ok(()),
        (Some(_), _) => Err(ManagerError::OtherLog),
    }
}

/// The first event of ours; others may have written before.
async fn first_event(events: &dyn EventStore) -> Result<Option<Origin>, ManagerError> {
    let mut after = Position::START;
    loop {
        let page = events.read_all(after, &TypeFilter::All, 1).await?;
        if let Some(event) = page.events.first() {
            return Ok(Some(Origin { position: event.position, event: event.id }));
        }
        if page.is_end || page.scanned_to <= after {
            return Ok(None);
        }
        after = page.scanned_to;
    }
}

#[cfg(test)]
mod tests;
