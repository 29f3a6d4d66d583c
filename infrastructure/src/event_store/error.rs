//! How an event store fails: known not written, or unknown. Never in between.

use super::Revision;

/// Why the store did not do what was asked. Nothing was written by the operation that returns it bare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room on the device. Goes on by itself once there is room.
    #[error("the event store's device is full")]
    Full,
    /// It cannot be reached now; another try may succeed.
    #[error("the event store is unavailable: {0}")]
    Unavailable(String),
    /// A write failed in a way that leaves the device in doubt. It takes no more writes in this process; a restart
    /// recovers what is durable.
    #[error("the event store has stopped taking writes: {0}")]
    Stopped(String),
    /// What is stored is not what was written.
    #[error("the event store is damaged: {0}")]
    Corrupt(String),
    /// The store was written by a newer Millrace, or is no event store at all.
    #[error("the event store has another format: {0}")]
    Format(String),
}

/// Why an append did not happen, or may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream is elsewhere. Nothing was written.
    #[error("the stream's last revision is {actual:?}, not the expected one")]
    WrongExpectedRevision {
        /// Its last revision; none if it has no events.
        actual: Option<Revision>,
    },
    /// Over a limit of the port, or empty. Nothing was written.
    #[error("the append is refused: {0}")]
    Refused(String),
    /// Nothing was written.
    #[error("the append was not written")]
    NotWritten(#[source] StoreError),
    /// It may have been written. Send the same bytes again to find out.
    #[error("the append's outcome is unknown")]
    OutcomeUnknown(#[source] StoreError),
}
