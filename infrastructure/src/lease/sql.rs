//! The two tables that contenders share, and every statement about them.
//!
//! **Invariant:** whoever changes the leases of a node changes or deletes that node's row first, in the same
//! transaction. So claiming, leaving and burying the same node happen one after the other, and no lease is claimed
//! for a node that has just been buried.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::read_store::{Cost, Query, ReadStoreError, Row, Statement, Value};

/// Makes the tables if they are not there.
pub(super) fn create() -> Vec<Statement> {
    let nodes = "CREATE TABLE IF NOT EXISTS nodes (
        id UUID NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        beat BIGINT NOT NULL,
        leases_max BIGINT NOT NULL
    )";
    let leases = "CREATE TABLE IF NOT EXISTS leases (
        name TEXT NOT NULL PRIMARY KEY,
        owner UUID,
        epoch BIGINT NOT NULL
    )";
    vec![Statement::once(nodes, vec![]), Statement::once(leases, vec![])]
}

/// Enters the leases that are not there yet. In order, so that two who do it do not lock each other out.
pub(super) fn enter(names: &BTreeSet<String>) -> Statement {
    let sql = "INSERT INTO leases (name, owner, epoch) VALUES ($1, NULL, 0) ON CONFLICT (name) DO NOTHING";
    Statement::each(sql, names.iter().map(|name| vec![text(name)]).collect())
}

/// Enters a node. `beat` is one that it never had, so that nobody takes it for what it was before. Doing it twice is
/// the same as a beat.
pub(super) fn join(id: Uuid, name: &str, beat: i64, leases_max: usize) -> Statement {
    let sql = "INSERT INTO nodes (id, name, beat, leases_max) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (id) DO UPDATE SET beat = nodes.beat + 1";
    let max = i64::try_from(leases_max).unwrap_or(i64::MAX);
    Statement::once(sql, vec![Value::Uuid(id), text(name), Value::Int(beat), Value::Int(max)])
}

/// Says that a node lives. Refused by the guard if it was buried.
pub(super) fn beat(id: Uuid) -> Statement {
    Statement::once("UPDATE nodes SET beat = beat + 1 WHERE id = $1", vec![Value::Uuid(id)]).must_change(1)
}

/// Takes a lease that nobody holds, which is a beat as well. Refused if somebody was quicker or the node was buried.
pub(super) fn claim(id: Uuid, name: &str) -> Vec<Statement> {
    let sql = "UPDATE leases SET owner = $2, epoch = epoch + 1 WHERE name = $1 AND owner IS NULL";
    vec![beat(id), Statement::once(sql, vec![text(name), Value::Uuid(id)]).must_change(1)]
}

/// Gives leases back, which is a beat as well.
pub(super) fn give(id: Uuid, names: &[String]) -> Vec<Statement> {
    let sql = "UPDATE leases SET owner = NULL WHERE name = $1 AND owner = $2";
    vec![beat(id), Statement::each(sql, names.iter().map(|name| vec![text(name), Value::Uuid(id)]).collect())]
}

/// Removes a node and frees its leases.
pub(super) fn leave(id: Uuid) -> Vec<Statement> {
    vec![Statement::once("DELETE FROM nodes WHERE id = $1", vec![Value::Uuid(id)]), free(id)]
}

/// The same for another node, if it has not beaten since it was seen with this beat. None: it had no row then.
pub(super) fn bury(id: Uuid, beat: Option<i64>) -> Vec<Statement> {
    let Some(beat) = beat else {
        let sql = "UPDATE leases SET owner = NULL \
                   WHERE owner = $1 AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = $1)";
        return vec![Statement::once(sql, vec![Value::Uuid(id)])];
    };
    let sql = "DELETE FROM nodes WHERE id = $1 AND beat = $2";
    vec![Statement::once(sql, vec![Value::Uuid(id), Value::Int(beat)]).must_change(1), free(id)]
}

fn free(owner: Uuid) -> Statement {
    Statement::once("UPDATE leases SET owner = NULL WHERE owner = $1", vec![Value::Uuid(owner)])
}

/// Both tables as they stood at one moment; [`Table::of`] reads the answer.
///
/// Some hundred rows, but a point query nevertheless: it must not wait behind somebody's long scan.
pub(super) fn read() -> Query {
    let sql = "SELECT nodes.id, nodes.name, nodes.beat, nodes.leases_max, leases.name, leases.owner \
               FROM nodes FULL JOIN leases ON leases.owner = nodes.id";
    Query { sql: sql.into(), params: vec![], cost: Cost::Point }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What the tables held at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) nodes: BTreeMap<Uuid, NodeRow>,
    /// Every lease, with its owner.
    pub(super) leases: BTreeMap<String, Option<Uuid>>,
}

/// A node's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeRow {
    pub(super) name: String,
    pub(super) beat: i64,
    /// `usize::MAX`: any number.
    pub(super) leases_max: usize,
}

impl Table {
    /// What [`read`] answered.
    pub(super) fn of(rows: &[Row]) -> Result<Self, ReadStoreError> {
        let mut table = Self::default();
        for row in rows {
            if !row.is_null(0) {
                let max = row.int(3)?;
                let leases_max = if max == i64::MAX { usize::MAX } else { usize::try_from(max).unwrap_or(0) };
                let node = NodeRow { name: row.text(1)?.to_owned(), beat: row.int(2)?, leases_max };
                table.nodes.insert(row.uuid(0)?, node);
            }
            if let Some(name) = row.optional_text(4)? {
                let owner = if row.is_null(5) { None } else { Some(row.uuid(5)?) };
                table.leases.insert(name.to_owned(), owner);
            }
        }
        Ok(table)
    }

    /// The leases of `owner`.
    pub(super) fn held_by(&self, owner: Uuid) -> BTreeSet<String> {
        let is_its = |(name, holder): (&String, &Option<Uuid>)| (*holder == Some(owner)).then(|| name.clone());
        self.leases.iter().filter_map(is_its).collect()
    }

    /// Does to this copy what burying did to the tables. How many leases became free.
    pub(super) fn forget(&mut self, id: Uuid) -> usize {
        self.nodes.remove(&id);
        let freed = self.leases.values_mut().filter(|owner| **owner == Some(id));
        freed.map(|owner| *owner = None).count()
    }
}
