//! Live changes in a process that did not apply them: each row is folded anew from its streams, as it was right after
//! its event. What the table holds by now may be later.

use std::{collections::HashSet, panic::AssertUnwindSafe};

use infrastructure::event_store::Position;
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::{CheckError, Look, check::refold, rows::change};
use crate::{Change, Decoded, KeyedFold};

/// How many rows are remembered: what changed a moment ago is what changes next.
const ROWS_MAX: usize = 16_384;

/// The rows that were retold last, as they were after the last event of theirs.
#[derive(Debug)]
pub(super) struct Retold<M: KeyedFold> {
    rows: Cache<Uuid, Option<M::Row>>,
}

/// What there is to tell.
pub(super) struct Told<R> {
    /// Changes, in order.
    pub(super) changes: Vec<Change<R>>,
    /// Keys of which no row can be told, and after what.
    pub(super) untold: Vec<(Vec<Uuid>, Position)>,
}

impl<M: KeyedFold> Retold<M> {
    pub(super) fn new() -> Self {
        Self { rows: Cache::new(ROWS_MAX) }
    }

    /// Events were passed over: no row is known to be the last one any more.
    pub(super) fn forget(&self) {
        self.rows.clear();
    }

    /// The changes that these events made, in order.
    pub(super) async fn fold(
        &self,
        look: Look<'_>,
        events: Vec<Decoded>,
        left_out: &HashSet<Position>,
    ) -> Result<Told<M::Row>, CheckError> {
        let mut told = Told { changes: Vec::new(), untold: Vec::new() };
        for event in events {
            if left_out.contains(&event.position) {
                continue;
            }
            let Ok(Some(key)) = std::panic::catch_unwind(|| M::key(&event)) else { continue };
            let before = Position::new(event.position.value().saturating_sub(1));
            let row = match self.before(look, key, &event, before).await {
                Ok(row) => row,
                Err(CheckError::NotByKey | CheckError::Unfoldable { .. }) => {
                    told.untold.push((vec![key], before));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Ok(row) = std::panic::catch_unwind(AssertUnwindSafe(|| M::fold(row, &event))) {
                self.rows.insert(key, row.clone());
                told.changes.push(change(&event, key, row));
            } else {
                self.rows.remove(&key);
                told.untold.push((vec![key], before));
            }
        }
        Ok(told)
    }

    /// The row before this event.
    async fn before(
        &self,
        look: Look<'_>,
        key: Uuid,
        event: &Decoded,
        before: Position,
    ) -> Result<Option<M::Row>, CheckError> {
        if event.revision.value() == 0 && M::starts(event) {
            return Ok(None);
        }
        match self.rows.get(&key) {
            Some(row) => Ok(row),
            None => Ok(refold::<M>(Look { position: before, ..look }, key).await?.row),
        }
    }
}
