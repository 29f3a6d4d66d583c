//! What is kept beside every event: who caused it, and the ids that make repeats harmless.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a command comes from. Stored with each of its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandMetadata {
    /// The command. The same id is executed once per stream.
    pub command_id: Uuid,
    /// On whose behalf: the subject of a token, or the name of a process.
    pub actor: Arc<str>,
    /// The conversation it belongs to.
    pub correlation_id: Uuid,
    /// The event that caused it, if an event did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// A hash of the caller's input, where the caller chose the command's id, to tell a repeat from another input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_hash: Option<Uuid>,
}

impl CommandMetadata {
    /// The id of the `index`-th event of this command: UUIDv5 of command id and index, the same for every try.
    pub fn event_id(&self, index: usize) -> Uuid {
        Uuid::new_v5(&self.command_id, &index.to_le_bytes())
    }

    /// The stored form: a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("metadata is plain data")
    }
}

/// The part of stored metadata that recognises a repeat. Events that did not come from a command have none.
#[derive(Debug, Deserialize)]
pub(super) struct CommandMark {
    pub(super) command_id: Uuid,
    #[serde(default)]
    pub(super) input_hash: Option<Uuid>,
}
