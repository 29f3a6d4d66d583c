//! The look at a generation before it serves: is everything there that was written, and is it what the events say?

use std::collections::BinaryHeap;

use infrastructure::read_store::{Query, Row};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    CheckError, Look,
    check::{Walk, matches},
};
use crate::{
    KeyedFold, SetChange, Tables,
    bookkeeping::Tally,
    table::{TableSql, count, scan, stored_hash},
};

/// How many rows are folded anew from their events.
const SAMPLE_ROWS: usize = 64;

/// What a look at a generation found to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// How many rows there are, in all its tables.
    pub rows: u64,
    /// The checksum of its rows, the same whatever their order; none for a model of set changes.
    pub checksum: Option<i64>,
    /// How many rows were folded anew from their events and are the same.
    pub sampled: u64,
    /// How many invariants of the model were asked for and hold.
    pub invariants: u64,
}

/// Counts and sums all rows, compares with what the builder meant to write, and folds some of them anew.
pub(super) async fn keyed<M: KeyedFold>(look: Look<'_>, expected: Option<Tally>) -> Result<Verified, CheckError> {
    let mut rows = Walk::new(look.store, TableSql::new::<M>(look.generation));
    let mut tally = Tally::default();
    let mut sample = Sample::new(look.position.value());
    while let Some(row) = rows.next().await? {
        tally.add(stored_hash(&row));
        sample.offer(row.uuid(0)?, row);
    }
    if let Some(expected) = expected
        && expected != tally
    {
        return Err(CheckError::Finding(format!(
            "{} rows with checksum {:016x} were written, {} with {:016x} are there",
            expected.rows, expected.checksum, tally.rows, tally.checksum
        )));
    }
    let mut sampled = 0;
    for (key, row) in sample.into_rows() {
        match matches::<M>(look, key, &row).await {
            Ok(true) => sampled += 1,
            Ok(false) => {
                return Err(CheckError::Finding(format!("the row {key} is not what its events make of it")));
            }
            Err(CheckError::NotByKey) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Verified {
        rows: u64::try_from(tally.rows).unwrap_or(0),
        checksum: Some(tally.checksum),
        sampled,
        invariants: 0,
    })
}

/// Counts the rows of all tables and asks for every invariant.
pub(super) async fn set_change<M: SetChange>(look: Look<'_>) -> Result<Verified, CheckError> {
    let tables = Tables::new(M::NAME, look.generation);
    let number = async |query: Query| {
        let rows = look.store.query(query).await?;
        let number = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok::<u64, CheckError>(u64::try_from(number).unwrap_or(0))
    };
    let mut rows = 0;
    for table in M::TABLES {
        rows += number(count(&tables.name(table))).await?;
    }
    let invariants = M::invariants(&tables);
    let asked = invariants.len() as u64;
    for invariant in invariants {
        let violations = number(scan(invariant.violations)).await?;
        if violations > 0 {
            return Err(CheckError::Finding(format!("{}: {violations} rows break it", invariant.says)));
        }
    }
    Ok(Verified { rows, checksum: None, sampled: 0, invariants: asked })
}

/// Some of the rows that go by, each with the same chance: those whose keys have the smallest hashes.
struct Sample {
    seed: u64,
    rows: BinaryHeap<Sampled>,
}

struct Sampled {
    hash: u64,
    key: Uuid,
    row: Row,
}

impl PartialEq for Sampled {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Sampled {}

impl PartialOrd for Sampled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sampled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.hash.cmp(&other.hash)
    }
}

impl Sample {
    const fn new(seed: u64) -> Self {
        Self { seed, rows: BinaryHeap::new() }
    }

    fn offer(&mut self, key: Uuid, row: Row) {
        let hash = xxh3_64_with_seed(key.as_bytes(), self.seed);
        if self.rows.len() < SAMPLE_ROWS {
            self.rows.push(Sampled { hash, key, row });
        } else if self.rows.peek().is_some_and(|largest| hash < largest.hash) {
            self.rows.pop();
            self.rows.push(Sampled { hash, key, row });
        }
    }

    fn into_rows(self) -> impl Iterator<Item = (Uuid, Row)> {
        self.rows.into_iter().map(|sampled| (sampled.key, sampled.row))
    }
}
