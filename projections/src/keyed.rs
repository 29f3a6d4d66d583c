//! The normal shape of a read model: a pure fold by key.

use infrastructure::read_store::{ReadStoreError, Row, Value};
use uuid::Uuid;

use crate::Decoded;

/// A read model with one row for each key, folded from the events of that key.
///
/// The pure half is `key` and `fold`; the dull half says how a row is written and read. The worker loads the rows of a
/// batch at once, folds in memory and writes each changed row once.
pub trait KeyedFold: Send + Sync + std::fmt::Debug + 'static {
    /// The projection's name, for good: it is part of its tables' names.
    const NAME: &'static str;
    /// Raise it when `fold` or the columns change: the next start builds a new generation.
    const VERSION: u32;
    /// The prefixes of the event types it reads, such as `order.`.
    const EVENTS: &'static [&'static str];
    /// The columns, the key first: name and type (`UUID`, `TEXT`, `BIGINT`, `TIMESTAMPTZ`, `JSONB`, with `NOT NULL`).
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// The column lists to index, such as `placed_at, order_id`.
    const INDEXES: &'static [&'static str];

    /// The row as it is read.
    type Row: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static;

    /// The key of the row that the event changes; none if it changes none.
    fn key(event: &Decoded) -> Option<Uuid>;

    /// Whether the event makes its row anew, whatever was there. Saves loading it.
    fn starts(event: &Decoded) -> bool;

    /// The row after the event; none if there is none (any more). Pure and total.
    fn fold(row: Option<Self::Row>, event: &Decoded) -> Option<Self::Row>;

    /// The columns' values, in the order of [`KeyedFold::COLUMNS`].
    fn write(row: &Self::Row) -> Vec<Value>;

    /// The row of these columns, in the order of [`KeyedFold::COLUMNS`].
    fn read(row: &Row) -> Result<Self::Row, ReadStoreError>;

    /// The topics, beside the key, under which live subscribers find a change of this row.
    fn topics(_row: &Self::Row) -> Vec<Uuid> {
        Vec::new()
    }
}
