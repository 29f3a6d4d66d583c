//! Carrying a read store over to a copy of its log in another event store, where every event has another position.
//!
//! Whatever is stored as a position is replaced by the position of the same event in the copy: checkpoints, parked events,
//! the first event by which the log is known. Rows stay as they are, so nothing is applied twice, and only those models
//! are rebuilt whose rows hold positions themselves: they get a version that no build has. A
//! checkpoint may stand between two events, because other people's were passed over; it becomes the position of the last
//! event before. Snapshots of streams are dropped: they are written anew.
//!
//! It happens in one transaction, which raises the epoch of every slice: a worker of before that wakes up can write no
//! more. Done again, nothing is left to do, because the read store is of the copy then.

mod sql;

use std::collections::BTreeSet;

use infrastructure::{
    event_store::Position,
    process,
    read_store::{ReadStore, ReadStoreError},
    snapshot_store,
};

use crate::{Mark, bookkeeping, cluster, origin, parking};

/// The positions that a read store holds, and what becomes of them.
#[derive(Debug)]
pub struct Bookmarks {
    origin: Option<Mark>,
    /// All of them but the beginning of the log, in order.
    stored: Vec<Position>,
    /// Those of parked events: there must be an event at each.
    parked: BTreeSet<Position>,
    /// Where each of the first of `stored` is in the copy.
    moved: Vec<Position>,
    /// The last event that was seen, in the log and in the copy.
    last: (Position, Position),
}

/// Why a read store cannot be carried over.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// There is no such event in its log.
    #[error("it has parked an event at position {0}, where the log has none")]
    NoEvent(Position),
    /// The read store fails, or somebody has changed it meanwhile.
    #[error(transparent)]
    Store(#[from] ReadStoreError),
}

impl Bookmarks {
    /// Reads them. Bookkeeping that an earlier release has left is brought up to date.
    pub async fn read(rows: &dyn ReadStore) -> Result<Self, ReadStoreError> {
        bookkeeping::prepare(rows).await?;
        parking::sql::prepare(rows).await?;
        cluster::prepare(rows).await?;
        snapshot_store::prepare(rows).await?;
        let parked = sql::parked(rows).await?;
        let stored: BTreeSet<_> = sql::checkpoints(rows).await?.union(&parked).copied().collect();
        let (origin, stored) = (origin::first(rows).await?, stored.into_iter().collect());
        Ok(Self { origin, stored, parked, moved: Vec::new(), last: (Position::START, Position::START) })
    }

    /// The first event of the log that the read store is of; none if it has seen none.
    pub fn origin(&self) -> Option<Mark> {
        self.origin
    }

    /// The last position that is stored.
    pub fn furthest(&self) -> Position {
        self.stored.last().copied().unwrap_or_default()
    }

    /// Takes the next event of the log: where it is there, and where in the copy.
    pub fn see(&mut self, from: Position, to: Position) {
        self.move_before(from);
        self.last = (from, to);
    }

    /// Those before `from` are at the last event seen, or behind it.
    fn move_before(&mut self, from: Position) {
        while self.stored.get(self.moved.len()).is_some_and(|stored| *stored < from) {
            let stored = self.stored[self.moved.len()];
            if stored == self.last.0 {
                self.parked.remove(&stored);
            }
            self.moved.push(self.last.1);
        }
    }

    /// Writes where everything is in the copy, which begins with `first`. Every event must have been seen, and nobody may
    /// work on the read store.
    pub async fn carry_over(mut self, rows: &dyn ReadStore, first: Mark) -> Result<(), MoveError> {
        self.move_before(Position::new(u64::MAX));
        // Those whose event was seen are gone from the set.
        if let Some(unseen) = self.parked.first() {
            return Err(MoveError::NoEvent(*unseen));
        }
        let moves: Vec<_> = self.stored.into_iter().zip(self.moved).collect();
        let mut statements = sql::carry_over(self.origin, first, &moves);
        statements.extend(process::forget());
        Ok(rows.transaction(statements).await?)
    }
}

#[cfg(test)]
mod tests;
