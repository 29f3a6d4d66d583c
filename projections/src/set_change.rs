//! The other shape of a read model: set-based SQL, for one event that touches many rows.

use infrastructure::read_store::Statement;
use uuid::Uuid;

use crate::Decoded;

/// A read model whose changes are SQL statements, run in order with the checkpoint in one transaction.
pub trait SetChange: Send + Sync + std::fmt::Debug + 'static {
    /// The projection's name, for good: it is part of its tables' names.
    const NAME: &'static str;
    /// Raise it when the tables or the changes change: the next start builds a new generation.
    const VERSION: u32;
    /// The prefixes of the event types it reads, such as `order.`.
    const EVENTS: &'static [&'static str];
    /// The names of its tables, without prefix.
    const TABLES: &'static [&'static str];

    /// The oldest version whose tables the queries of this one can read: such a generation serves while the new one is
    /// being built.
    const READS_SINCE: u32 = Self::VERSION;

    /// Whether its rows hold positions in the log. A copy of the log has others, so it is built anew for a copy.
    const HOLDS_POSITIONS: bool = false;

    /// The key under which an event is parked if it cannot be applied: later events of the same key wait behind it.
    fn key(event: &Decoded) -> Uuid {
        event.stream.id
    }

    /// What must hold of the tables after a rebuild, before they serve.
    fn invariants(_tables: &Tables) -> Vec<Invariant> {
        Vec::new()
    }

    /// The statements that create its tables and the indexes that its changes need. Index names carry the table's full name.
    fn create(tables: &Tables) -> Vec<String>;

    /// The statements that create indexes which only queries need, run when the tables have been filled: filling them is
    /// faster without. They may be run again.
    fn finish(_tables: &Tables) -> Vec<String> {
        Vec::new()
    }

    /// What the event changes, as statements in order. Pure.
    fn changes(event: &Decoded, tables: &Tables) -> Vec<Statement>;
}

/// Something that holds of a model's tables, and a query that counts where it does not.
#[derive(Clone, Debug)]
pub struct Invariant {
    /// What holds, for people.
    pub says: &'static str,
    /// A query with one row and one column: how many rows break it.
    pub violations: String,
}

/// The full names of a generation's tables.
#[derive(Clone, Debug)]
pub struct Tables {
    prefix: String,
}

impl Tables {
    pub(crate) fn new(projection: &str, generation: i64) -> Self {
        Self { prefix: format!("{projection}_g{generation}") }
    }

    /// The full name of one table.
    pub fn name(&self, table: &str) -> String {
        format!("{}_{table}", self.prefix)
    }
}
