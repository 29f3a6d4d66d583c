//! Why a copy is refused, fails, or is found to differ.

use std::fmt;

use infrastructure::event_store::{AppendError, RecordedEvent, Revision, StreamId};

use super::super::super::Failure;

/// What keeps a copy from being one.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// There and here are the same.
    #[error("the log would be copied onto itself")]
    SameSide,
    /// The settings name no event store.
    #[error("one side of a copy is the event store that `event_store.url` names, and it is not set")]
    NoUrl,
    /// The target is not the beginning of the source.
    #[error("the target is no copy of this log: {0}")]
    TargetDiffers(String),
    /// The target does not take the event.
    #[error("the target does not take {place}: {reason}")]
    Refused {
        /// Which event.
        place: Place,
        /// Why.
        reason: String,
    },
    /// The target fails.
    #[error("{place} could not be appended")]
    Failed {
        /// The first event of the append.
        place: Place,
        /// Why.
        #[source]
        source: AppendError,
    },
    /// The copy is not what was copied.
    #[error("the logs differ: {0}")]
    Differs(String),
    /// Somebody wanted it to end.
    #[error("interrupted before the copy was verified")]
    Unverified,
    /// The read store is not carried over now.
    #[error("the read store stays with the log that it has: {0}")]
    NotReady(String),
    /// It belongs to neither log.
    #[error("the read store of the settings is of neither log: {0}")]
    RowsOfAnotherLog(String),
    /// It has seen more than there is.
    #[error("the read store of the settings has seen position {0}, and the log that is copied ends before")]
    RowsAhead(u64),
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        let (code, advice) = match &error {
            CopyError::SameSide => ("COPY_SAME_SIDE", "name another side after `--to`"),
            CopyError::NoUrl => ("CONFIG_MISSING", "set event_store.url, as the servers on that event store have it"),
            CopyError::TargetDiffers(_) => (
                "COPY_TARGET_DIFFERS",
                "copy into an empty event store; if the target takes orders already, it must not be copied to any more",
            ),
            CopyError::Refused { .. } => {
                ("COPY_EVENT_REFUSED", "`millrace events check` finds such events; a log with them stays where it is")
            }
            CopyError::Failed { .. } => {
                ("COPY_FAILED", "see that the target runs and has room, and run the command again: it goes on")
            }
            CopyError::Differs(_) => (
                "COPY_DIFFERS",
                "stay with the source; find out who wrote to the target, and copy again into an empty event store",
            ),
            CopyError::Unverified => ("COPY_UNVERIFIED", "run the command again: it goes on, and verifies"),
            CopyError::NotReady(_) => {
                ("COPY_NOT_READY", "stop the servers on both sides, then run the same command again")
            }
            CopyError::RowsOfAnotherLog(_) => (
                "READ_STORE_OF_ANOTHER_LOG",
                "leave out `--checkpoints`, and give the servers on the copy a read store of its own, empty",
            ),
            CopyError::RowsAhead(_) => (
                "READ_STORE_AHEAD",
                "leave out `--checkpoints`, and give the servers on the copy a read store of its own, empty",
            ),
        };
        let failure = Self::new(code, &error, advice);
        match error {
            CopyError::SameSide | CopyError::NoUrl => failure.typed(),
            CopyError::TargetDiffers(_)
            | CopyError::Refused { .. }
            | CopyError::Failed { .. }
            | CopyError::Differs(_)
            | CopyError::Unverified
            | CopyError::NotReady(_)
            | CopyError::RowsOfAnotherLog(_)
            | CopyError::RowsAhead(_) => failure,
        }
    }
}

/// An event by what is the same in both logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    stream: StreamId,
    revision: Revision,
}

impl Place {
    pub(super) fn new(stream: &StreamId, revision: Revision) -> Self {
        Self { stream: stream.clone(), revision }
    }
}

impl From<&RecordedEvent> for Place {
    fn from(event: &RecordedEvent) -> Self {
        Self::new(&event.stream, event.revision)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {} revision {}", self.stream, self.revision.value())
    }
}
