//! Why an inbox's command is refused.

/// An answer to whoever asked; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboxRejection {
    /// Nobody has seen or read what is still to come.
    #[error("the moment is in the future: take that of the newest notification you know")]
    InFuture,
}

crate::codes::codes!(InboxRejection {
    Self::InFuture => "IN_FUTURE",
});
