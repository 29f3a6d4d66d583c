//! What operators did.

use serde::{Deserialize, Deserializer, Serialize};

use super::OperatorAction;
use crate::{
    EventPayload, Timestamp,
    values::{Actor, Label, ProjectionName},
};

/// An event of the one log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OperatorEvent {
    /// Somebody did something to a projection, or to a process.
    #[serde(rename = "operator.action_taken.v1")]
    ActionTaken {
        /// Who.
        actor: Actor,
        /// To which projection, or process.
        projection: ProjectionName,
        /// What.
        action: OperatorAction,
        /// Why, if they said so.
        reason: Option<Label>,
        /// When.
        at: Timestamp,
    },
}

impl EventPayload for OperatorEvent {
    fn types() -> Vec<&'static str> {
        vec!["operator.action_taken.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
