//! Rows against their events, as operators see them.

use async_graphql::SimpleObject;
use projections::{Checkup, Difference, Repaired, VerifyReport};
use uuid::Uuid;

/// A row that is not what its events make of it.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionDifference {
    /// The row's key.
    key: Uuid,
    /// The generation it is in.
    generation: i64,
    /// Everything up to here was applied then: a number in the log, as `millrace events` shows it.
    number: u64,
    /// The row as it is stored, as JSON; null if there is none.
    stored: Option<String>,
    /// The row as its events make it, as JSON, or why they make none; null if there should be none.
    folded: Option<String>,
}

impl ProjectionDifference {
    pub(super) fn new(difference: &Difference) -> Self {
        Self {
            key: difference.key,
            generation: difference.generation,
            number: difference.position.value(),
            stored: difference.stored.clone(),
            folded: difference.folded.clone(),
        }
    }

    pub(super) fn all(differences: &[Difference]) -> Vec<Self> {
        differences.iter().map(Self::new).collect()
    }
}

/// What a look at some rows found.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionCheckup {
    /// How many rows were folded anew.
    rows: u64,
    /// Those that differ.
    differences: Vec<ProjectionDifference>,
}

impl From<&Checkup> for ProjectionCheckup {
    fn from(checkup: &Checkup) -> Self {
        Self { rows: checkup.rows, differences: ProjectionDifference::all(&checkup.differences) }
    }
}

/// A row that was written anew.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionRepairedRow {
    /// Its key.
    key: Uuid,
    /// The row before, as JSON; null if there was none.
    before: Option<String>,
    /// The row now, as JSON; null if it was removed.
    after: Option<String>,
}

impl From<Repaired> for ProjectionRepairedRow {
    fn from(Repaired { key, before, after }: Repaired) -> Self {
        Self { key, before, after }
    }
}

/// What a look at everything found.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionVerifyReport {
    /// How many rows there are.
    rows: u64,
    /// How many events they were folded from, anew.
    events: u64,
    /// The number in the log at which both were compared.
    number: u64,
    /// Whether every row is what its events make of it.
    is_right: bool,
    /// Rows that differ, the first hundred.
    differences: Vec<ProjectionDifference>,
}

impl From<&VerifyReport> for ProjectionVerifyReport {
    fn from(report: &VerifyReport) -> Self {
        Self {
            rows: report.rows,
            events: report.events,
            number: report.position.value(),
            is_right: report.differences.is_empty(),
            differences: ProjectionDifference::all(&report.differences),
        }
    }
}
