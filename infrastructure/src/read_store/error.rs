//! How a read store fails.

/// Why a query or transaction did not happen. A failed transaction left no trace, but see
/// [`Unavailable`](Self::Unavailable).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadStoreError {
    /// A statement changed another number of rows than it must: somebody else owns them.
    #[error("a guarded statement changed {changed} rows instead of {expected}")]
    Guard {
        /// How many it had to change.
        expected: u64,
        /// How many it would have changed.
        changed: u64,
    },
    /// The statement is wrong, or its values break a rule of the table: trying again does not help.
    #[error("the read store refuses a statement: {0}")]
    Refused(String),
    /// No room on the device.
    #[error("the read store's device is full")]
    Full,
    /// Another try may succeed. The answer to a commit may be what was lost, so a transaction may have happened.
    #[error("the read store is unavailable: {0}")]
    Unavailable(String),
    /// What is stored is not what was written. Delete the read store; it is rebuilt from the events.
    #[error("the read store is damaged: {0}")]
    Corrupt(String),
    /// A column does not hold what the code reads it as.
    #[error("column {column} is not {wanted}")]
    Column {
        /// Its index.
        column: usize,
        /// What was to be read.
        wanted: &'static str,
    },
}
