//! What the server's errors mean: for the connection, for an append, for whoever called.
//!
//! The hard question is whether a failed append may be written after all. It is not if the request never left
//! (no node was found), or if the server refused it before it looked at the stream. Everything else is open, above all
//! the server's own time-outs and whatever ends the connection.

use super::{
    super::{Revision, StoreError},
    address::Node,
};
use tonic::{Code, Status};

/// Where the server names its errors, and the names that say more than their codes.
const NAME: &str = "exception";
const NOT_LEADER: &str = "not-leader";
const STREAM_DELETED: &str = "stream-deleted";
/// Where it says who leads.
const LEADER_HOST: &str = "leader-endpoint-host";
const LEADER_PORT: &str = "leader-endpoint-port";

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The stream is elsewhere.
    #[error("the stream's last revision is {actual:?}")]
    WrongExpectedRevision {
        /// Its last revision as the server tells it; none if the stream has no events.
        actual: Option<Revision>,
    },
    /// The stream does not exist.
    #[error("there is no such stream")]
    NoStream,
    /// The stream was deleted for good.
    #[error("the stream was deleted")]
    Deleted,
    /// The user may not do that, or is not who it says.
    #[error("access denied")]
    AccessDenied,
    /// The server does not take what was asked.
    #[error("the server refuses the request: {0}")]
    Refused(String),
    /// The node is not the leader of its cluster.
    #[error("the node is not the leader")]
    NotLeader {
        /// Which one is, if it says so.
        leader: Option<Node>,
    },
    /// No node could be asked.
    #[error("no node can be reached: {0}")]
    Unreachable(String),
    /// The connection, or the server behind it, broke down on the way.
    #[error("the connection failed: {0}")]
    Broken(String),
    /// The server gave up on its side.
    #[error("the server gave up: {0}")]
    Aborted(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The client panicked.
    #[error("the client panicked")]
    Panicked,
    /// What came is not what this adapter reads.
    #[error("{0}")]
    Store(StoreError),
}

/// What a failure says about an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was not written, and will not be at another try.
    Refused,
    /// It was not written; another try may succeed.
    NotSent,
    /// It may have been written.
    Unknown,
}

/// What a failure says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// The server answered.
    Sound,
    /// It may be dead.
    Doubtful,
    /// It leads to the wrong node.
    Misplaced,
}

impl Failure {
    /// What it says about an append.
    pub(super) const fn verdict(&self) -> Verdict {
        match self {
            Self::WrongExpectedRevision { .. } | Self::Deleted | Self::AccessDenied | Self::Refused(_) => {
                Verdict::Refused
            }
            Self::NotLeader { .. } | Self::Unreachable(_) => Verdict::NotSent,
            // An append is never answered by the last two; should it be, nobody knows what happened.
            Self::Broken(_) | Self::Aborted(_) | Self::TimedOut | Self::Panicked | Self::NoStream | Self::Store(_) => {
                Verdict::Unknown
            }
        }
    }

    /// What it says about the connection.
    pub(super) const fn health(&self) -> Health {
        match self {
            Self::NotLeader { .. } => Health::Misplaced,
            Self::Unreachable(_) | Self::Broken(_) | Self::TimedOut | Self::Panicked => Health::Doubtful,
            Self::WrongExpectedRevision { .. }
            | Self::NoStream
            | Self::Deleted
            | Self::AccessDenied
            | Self::Refused(_)
            | Self::Aborted(_)
            | Self::Store(_) => Health::Sound,
        }
    }

    /// The same failure, come as the answer to a request. "Not found" says nothing about a stream then: that is told
    /// inside an answer. It is what a node says that is not the leader and does not know who is.
    pub(super) fn at_request(self) -> Self {
        if self == Self::NoStream { Self::NotLeader { leader: None } } else { self }
    }

    /// Whether a read may succeed at another try.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self.health(), Health::Doubtful | Health::Misplaced) || matches!(self, Self::Aborted(_))
    }

    /// What the port's caller is told.
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Deleted => StoreError::Corrupt("the stream was deleted; its events must stay".to_owned()),
            Self::AccessDenied => StoreError::Unavailable(
                "access denied: the user needs the right to read $all and to read and write streams".to_owned(),
            ),
            Self::Refused(_) => StoreError::Format(self.to_string()),
            Self::WrongExpectedRevision { .. }
            | Self::NoStream
            | Self::NotLeader { .. }
            | Self::Unreachable(_)
            | Self::Broken(_)
            | Self::Aborted(_)
            | Self::TimedOut
            | Self::Panicked => StoreError::Unavailable(self.to_string()),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let name = status.metadata().get(NAME).and_then(|name| name.to_str().ok());
        match (status.code(), name) {
            (_, Some(NOT_LEADER)) => Self::NotLeader { leader: leader(&status) },
            (_, Some(STREAM_DELETED)) => Self::Deleted,
            (Code::NotFound, _) => Self::NoStream,
            (Code::Unauthenticated | Code::PermissionDenied, _) => Self::AccessDenied,
            (Code::DeadlineExceeded, _) => Self::TimedOut,
            (Code::InvalidArgument, _) => Self::Refused(status.message().to_owned()),
            (Code::Unimplemented, _) => Self::Refused("it does not know this kind of request".to_owned()),
            // What the connection itself does comes under one of these, too.
            (Code::Unavailable | Code::Internal | Code::DataLoss | Code::Unknown, _) => Self::Broken(text(&status)),
            (
                Code::Ok
                | Code::Cancelled
                | Code::AlreadyExists
                | Code::ResourceExhausted
                | Code::FailedPrecondition
                | Code::Aborted
                | Code::OutOfRange,
                _,
            ) => Self::Aborted(text(&status)),
        }
    }
}

/// The leader, as a node tells of it that is not.
fn leader(status: &Status) -> Option<Node> {
    let told = |name| status.metadata().get(name)?.to_str().ok();
    Some(Node::told(told(LEADER_HOST)?, told(LEADER_PORT)?.parse().ok()?))
}

/// The code and what was said. The rest of a status says nothing more, and too much.
fn text(status: &Status) -> String {
    format!("{}: {}", status.code(), status.message())
}

#[cfg(test)]
mod tests;
