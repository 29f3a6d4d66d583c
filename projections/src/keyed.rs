//! The normal shape of a read model: a pure fold by key.

use infrastructure::{
    event_store::StreamId,
    read_store::{ReadStoreError, Row, Value},
};
use uuid::Uuid;

use crate::Decoded;

/// Where the events of one key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// In these streams, which may hold events of other keys too.
    Streams(Vec<StreamId>),
    /// All over the log: only a whole rebuild folds the row anew.
    Log,
}

/// A table beside the rows' own. It leads to rows by what no column of theirs says alone, such as the words in them.
///
/// What stands there is a hint: it may lead to a row that is another by now, so whoever follows it looks at the row. No
/// row lacks what leads to it.
#[derive(Clone, Copy, Debug)]
pub struct SideTable {
    /// Its name, after the generation's.
    pub name: &'static str,
    /// Its columns, as [`KeyedFold::COLUMNS`]. None may be NULL.
    pub columns: &'static [(&'static str, &'static str)],
    /// What stands in it.
    pub kind: SideKind,
}

/// What stands in a side table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideKind {
    /// What leads to one row each. Indexed by all columns once the generation is filled; the same may be there twice.
    Entries,
    /// What many rows say alike: there is one of each.
    Set,
}

/// Rows that are written: each as it was, if it was there, and as it is now.
pub type Written<'a, R> = [(Option<&'a R>, &'a R)];

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

    /// The tables beside the rows' own.
    const SIDES: &'static [SideTable] = &[];

    /// The row as it is read.
    type Row: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static;

    /// The key of the row that the event changes; none if it changes none.
    fn key(event: &Decoded) -> Option<Uuid>;

    /// Where the events of a key are: what checks and repairs fold a row from.
    fn sources(key: Uuid) -> Sources;

    /// Whether the event makes its row anew, whatever was there. Saves loading it if the event is also the first of its
    /// stream.
    fn starts(event: &Decoded) -> bool;

    /// The row after the event; none if there is none (any more). Pure and total.
    fn fold(row: Option<Self::Row>, event: &Decoded) -> Option<Self::Row>;

    /// The columns' values, in the order of [`KeyedFold::COLUMNS`].
    fn write(row: &Self::Row) -> Vec<Value>;

    /// What each of [`KeyedFold::SIDES`] is to get with these rows, in its order: at least what they did not lead to
    /// before. Pure.
    fn beside(_rows: &Written<'_, Self::Row>) -> Vec<Vec<Vec<Value>>> {
        Vec::new()
    }

    /// The row of these columns, in the order of [`KeyedFold::COLUMNS`].
    fn read(row: &Row) -> Result<Self::Row, ReadStoreError>;

    /// What queries read, as an SQL expression over the columns that are there, where a generation of an older version
    /// lacks the column. Without one a column that may be NULL is read as NULL; if it must not be, such a generation is
    /// not served.
    fn stand_in(_column: &str) -> Option<&'static str> {
        None
    }

    /// The topics, beside the key, under which live subscribers find a change of this row.
    fn topics(_row: &Self::Row) -> Vec<Uuid> {
        Vec::new()
    }
}
