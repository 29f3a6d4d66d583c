//! What operators ask of projections and order them to do, of a server that may die at any moment.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{client::Client, log::position_token};

/// What of a projection the tests look at.
const STATUS: &str = "{ projections { name generation number headNumber state error pausedBy { atNumber } parkedKeys \
     standby { generation } rebuild { generation phase resumedAt error } } }";

/// An order to a projection.
#[derive(Clone, Debug)]
pub enum Order {
    /// Build the next generation.
    Rebuild,
    /// Build the next generations of this projection and another one from one scan.
    RebuildWith(&'static str),
    /// Build the next generation from the serving one, and what changed since this position.
    RebuildFrom(u64),
    /// Serve the generation on standby.
    Rollback,
    /// Remove the generation on standby, with this number.
    Discard(i64),
    /// Stand still.
    Pause,
    /// Go on.
    Resume,
    /// Fold these rows anew and write them.
    Repair(Vec<Uuid>),
    /// Fold everything anew and compare.
    Verify,
    /// Try this key, or all keys, that wait.
    Retry(Option<Uuid>),
    /// Pass over the event that a key waits for.
    Skip(Uuid, u64),
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was carried out.
    Done(Value),
    /// It made no sense: the codes of what was wrong.
    Refused(Vec<String>),
    /// Nobody answered.
    Gone,
}

impl Order {
    fn mutation(&self, name: &str) -> (&'static str, String, &'static str) {
        let plain = format!("name: {name:?}");
        match self {
            Self::Rebuild => ("projectionRebuild", plain, "rebuilds { generation }"),
            Self::RebuildWith(other) => {
                ("projectionRebuild", format!("{plain}, together: [{other:?}]"), "rebuilds { generation }")
            }
            Self::RebuildFrom(position) => {
                let from = position_token(*position);
                ("projectionRebuild", format!("{plain}, fromPosition: {from:?}"), "rebuilds { generation }")
            }
            Self::Rollback => ("projectionRollback", plain, "projection { generation }"),
            Self::Discard(generation) => {
                ("projectionDiscardGeneration", format!("{plain}, generation: {generation}"), "projection { name }")
            }
            Self::Pause => ("projectionPause", plain, "projection { state }"),
            Self::Resume => ("projectionResume", plain, "projection { state }"),
            Self::Repair(keys) => {
                let keys: Vec<String> = keys.iter().map(Uuid::to_string).collect();
                ("projectionRepair", format!("{plain}, keys: {}", json!(keys)), "repaired { key before after }")
            }
            Self::Verify => ("projectionVerify", plain, "report { rows isRight differences { key } }"),
            Self::Retry(key) => {
                let key = key.map(|key| format!(", key: \"{key}\"")).unwrap_or_default();
                ("parkedEventRetry", format!("projection: {name:?}{key}"), "keys")
            }
            Self::Skip(key, position) => {
                let place = format!("key: \"{key}\", position: {:?}", position_token(*position));
                let input = format!("projection: {name:?}, {place}, reason: \"made up\"");
                ("parkedEventSkip", input, "released { applied }")
            }
        }
    }

    /// Gives the order to the projection `name`. Nothing may break except the server.
    pub async fn give(&self, operator: &Client, name: &str) -> Outcome {
        let (mutation, input, payload) = self.mutation(name);
        let document = format!(
            "mutation {{ {mutation}(input: {{ {input} }}) {{ {payload} userErrors {{ code message field }} }} }}"
        );
        let Ok(answer) = operator.try_graphql(&document, Value::Null).await else { return Outcome::Gone };
        let errors = answer.user_errors(mutation);
        if errors.is_empty() {
            Outcome::Done(answer.get(&format!("/{mutation}")).clone())
        } else {
            Outcome::Refused(errors.into_iter().map(|error| error.code).collect())
        }
    }
}

/// Every projection; none if nobody answers.
pub async fn statuses(operator: &Client) -> Option<Vec<Value>> {
    let answer = operator.try_graphql(STATUS, Value::Null).await.ok()?;
    Some(answer.get("/projections").as_array().expect("projections are a list").clone())
}
