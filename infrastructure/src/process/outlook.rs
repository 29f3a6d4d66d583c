//! A process seen from outside, from what its runner has written down: in whichever node that is, and when none runs it.

use std::{collections::HashSet, sync::Arc};

use domain::Process;
use uuid::Uuid;

use super::{
    ParkedKey, notes,
    sql::{self, KEYS_MAX},
    status::{Concern, ProcessStatus},
};
use crate::{
    event_store::{EventStore, Position, StoreError, TypeFilter},
    read_store::{ReadStore, ReadStoreError},
};

/// Looks at one process.
#[derive(Clone, Debug)]
pub struct ProcessWatch {
    name: &'static str,
    events: &'static [&'static str],
    rows: Arc<dyn ReadStore>,
}

/// What a process is through with, as its notes have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Through {
    /// Everything up to here is in the notes.
    position: Position,
    /// The keys for which something is to be done all the same.
    at_it: HashSet<Uuid>,
}

impl Through {
    /// Whether nothing was left to be done for a key whose last event stands at `last`.
    pub fn is_settled(&self, key: Uuid, last: Position) -> bool {
        last <= self.position && !self.at_it.contains(&key)
    }
}

/// Makes the tables of the notes if they are not there.
pub async fn prepare(rows: &dyn ReadStore) -> Result<(), ReadStoreError> {
    rows.transaction(sql::create()).await
}

impl ProcessWatch {
    /// Of this process. The tables have to be there: see [`prepare`].
    pub fn of<P: Process>(rows: Arc<dyn ReadStore>) -> Self {
        Self { name: P::NAME, events: P::EVENTS, rows }
    }

    /// The name of the process.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How it was when its runner wrote that down last, half a second ago or less if one runs; at the beginning of the log
    /// if none ever did.
    pub async fn status(&self) -> Result<ProcessStatus, ReadStoreError> {
        let rows = self.rows.query(sql::report(self.name)).await?;
        let Some(row) = rows.first() else {
            return Ok(ProcessStatus { name: self.name, ..ProcessStatus::default() });
        };
        let position = notes::position(row, 0)?;
        // A runner of another version may tell other things.
        let told = if row.is_null(1) { None } else { serde_json::from_str(row.text(1)?).ok() };
        let told: ProcessStatus = told.unwrap_or_default();
        Ok(ProcessStatus { name: self.name, is_running: false, position, ..told })
    }

    /// What somebody has to look at, at most so many.
    pub async fn concerns(&self, limit: usize) -> Result<Vec<Concern>, ReadStoreError> {
        notes::concerns(&*self.rows, self.name, limit).await
    }

    /// How many keys somebody has to look at.
    pub async fn concerned(&self) -> Result<u64, ReadStoreError> {
        let rows = self.rows.query(sql::concerned(self.name)).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Keys that wait for an event that cannot be read, at most so many.
    pub async fn parked(&self, limit: usize) -> Result<Vec<ParkedKey>, ReadStoreError> {
        notes::parked(&*self.rows, self.name, Uuid::nil(), limit).await
    }

    /// How many keys wait for an event that cannot be read.
    pub async fn parked_count(&self) -> Result<u64, ReadStoreError> {
        let rows = self.rows.query(sql::parked_count(self.name)).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Whether this key does.
    pub async fn is_parked(&self, key: Uuid) -> Result<bool, ReadStoreError> {
        Ok(!self.rows.query(sql::is_parked(self.name, key)).await?.is_empty())
    }

    /// How many events it is behind once it has seen everything up to `position`: nothing while all that come are others'.
    pub async fn lag(&self, events: &dyn EventStore, position: Position) -> Result<u64, StoreError> {
        let head = events.head().await?;
        if position >= head {
            return Ok(0);
        }
        let next = events.read_all(position, &TypeFilter::prefixes(self.events), 1).await?;
        Ok(if next.events.is_empty() { 0 } else { events.distance(position, head).max(1) })
    }

    /// What it is through with. Read it before the log that it is held against: what is settled later has later events, too.
    pub async fn through(&self) -> Result<Through, ReadStoreError> {
        let position = self.status().await?.position;
        let (mut at_it, mut after) = (HashSet::new(), Uuid::nil());
        loop {
            let parked = notes::parked(&*self.rows, self.name, after, KEYS_MAX).await?;
            at_it.extend(parked.iter().map(|parked| parked.key));
            let Some(last) = parked.last().filter(|_| parked.len() == KEYS_MAX) else { break };
            after = last.key;
        }
        after = Uuid::nil();
        loop {
            let rows = self.rows.query(sql::at_it(self.name, after)).await?;
            for row in &rows {
                after = row.uuid(0)?;
                at_it.insert(after);
            }
            if rows.len() < KEYS_MAX {
                return Ok(Through { position, at_it });
            }
        }
    }
}
