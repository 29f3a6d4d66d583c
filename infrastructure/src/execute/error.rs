//! Why a command was not executed: rejected, contended, unknown, or broken. Never mixed.

use tracing::Level;
use uuid::Uuid;

use crate::{
    codec::DecodeError,
    event_store::{Revision, StoreError, StreamId},
};

/// Why a command has no effect, or may have.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExecuteError<R> {
    /// The rules say no: an answer for the user.
    #[error("the command is rejected")]
    Rejected(R),
    /// The stream has moved past what the caller has seen. Nothing was written.
    #[error("stream {stream} is at revision {actual:?}, not at the expected one")]
    VersionConflict {
        /// The stream.
        stream: StreamId,
        /// Where it is.
        actual: Option<Revision>,
    },
    /// The stream holds a command of this id with another input. Nothing was written.
    #[error("command {0} was used with another input before")]
    CommandReused(Uuid),
    /// Other processes kept changing the stream. Nothing was written.
    #[error("stream {stream} is still contended after {attempts} attempts")]
    Contended {
        /// The stream.
        stream: StreamId,
        /// How often it was tried.
        attempts: u8,
    },
    /// Too many commands wait for the stream. Nothing was written.
    #[error("too many commands wait for stream {0}")]
    Overloaded(StreamId),
    /// The command's events are over the store's limits. Nothing was written.
    #[error("the command's events are too large: {0}")]
    TooLarge(String),
    /// The command may or may not have taken effect. Sending it again with the same id is safe, and tells.
    #[error("the outcome of command {0} is unknown")]
    OutcomeUnknown(Uuid),
    /// The store failed. Nothing was written.
    #[error("the event store failed")]
    Store(#[source] StoreError),
    /// The stream holds an event that this build cannot read.
    #[error("stream {stream} does not decode")]
    Undecodable {
        /// The stream.
        stream: StreamId,
        /// Which event, and why.
        source: std::sync::Arc<DecodeError>,
    },
    /// A rule panicked: a defect. Nothing was written.
    #[error("deciding a command of stream {0} panicked")]
    Panicked(StreamId),
}

impl<R> ExecuteError<R> {
    /// How loudly the log says it.
    pub const fn severity(&self) -> Level {
        match self {
            Self::Rejected(_) | Self::VersionConflict { .. } | Self::CommandReused(_) => Level::DEBUG,
            Self::Contended { .. } | Self::Overloaded(_) | Self::TooLarge(_) => Level::WARN,
            Self::OutcomeUnknown(_) | Self::Store(_) | Self::Undecodable { .. } | Self::Panicked(_) => Level::ERROR,
        }
    }

    /// A short name for metrics.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "rejected",
            Self::VersionConflict { .. } => "version_conflict",
            Self::CommandReused(_) => "command_reused",
            Self::Contended { .. } => "contended",
            Self::Overloaded(_) => "overloaded",
            Self::TooLarge(_) => "too_large",
            Self::OutcomeUnknown(_) => "unknown",
            Self::Store(_) | Self::Undecodable { .. } | Self::Panicked(_) => "failed",
        }
    }
}
