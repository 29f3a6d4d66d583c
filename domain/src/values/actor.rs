//! On whose behalf something is done: the subject of a token, or the name of a process.

use std::{fmt, sync::Arc};

/// The longest actor in bytes: what a token's subject may have.
pub const ACTOR_BYTES_MAX: usize = 255;

/// 1 to [`ACTOR_BYTES_MAX`] bytes without control characters. Taken as it is, white space too: two subjects that
/// differ are two actors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor(Arc<str>);

/// Text that names no actor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an actor has 1 to {ACTOR_BYTES_MAX} bytes, none of them a control character")]
pub struct ActorError;

impl Actor {
    /// Reads an actor.
    pub fn parse(text: &str) -> Result<Self, ActorError> {
        if text.is_empty() || text.len() > ACTOR_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(ActorError);
        }
        Ok(Self(text.into()))
    }

    /// The actor as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_in_json!(Actor);
