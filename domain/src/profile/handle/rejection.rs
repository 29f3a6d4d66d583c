//! Why a handle's command is refused.

/// An answer to whoever asked; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleRejection {
    /// Somebody has it, or may still take it.
    #[error("the handle is taken: choose another one")]
    Taken,
}

crate::codes::codes!(HandleRejection {
    Self::Taken => "HANDLE_TAKEN",
});
