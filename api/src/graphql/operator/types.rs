//! An operator's action as operators see it.

use async_graphql::{ComplexObject, Enum, ID, SimpleObject};
use domain::{
    Timestamp,
    operator::{OperatorAction, OperatorEvent},
    values::{Id, IdKind},
};
use infrastructure::{
    codec::{self, DecodeError},
    event_store::{Position, RecordedEvent, Revision},
};
use uuid::Uuid;

use crate::graphql::{PositionToken, node::global};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OperatorActionKind {
    /// The projection was to stand still.
    Pause,
    /// It was to go on.
    Resume,
    /// Its next generation was to be built.
    Rebuild,
    /// The generation before was to serve again.
    Rollback,
    /// A generation that does not serve was to be removed.
    DiscardGeneration,
    /// Parked events were to be tried again.
    RetryParked,
    /// A parked event was given up.
    SkipParked,
    /// Some rows were to be folded anew.
    Repair,
    /// The steps of a process that did not work were to be tried again.
    RetrySteps,
}

/// The kind of an action's id, which is its place in the operators' log.
#[derive(Debug)]
pub(in crate::graphql) enum ActionKind {}

impl IdKind for ActionKind {
    const NAME: &'static str = "operator_action";
}

/// The id of the action at this place of the operators' log.
fn id_at(revision: Revision) -> Id<ActionKind> {
    Id::new(Uuid::from_u64_pair(0, revision.value()))
}

/// The place of the action with this id; none if no action can have it.
pub(super) fn place_of(id: Id<ActionKind>) -> Option<Revision> {
    let (high, revision) = id.uuid().as_u64_pair();
    (high == 0 && revision <= Revision::MAX.value()).then(|| Revision::new(revision))
}

/// What an operator did to a projection or a process: who, when, why. It is written down before it is carried out.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "OperatorAction", complex)]
pub(crate) struct OperatorActionObject {
    /// The global id, opaque.
    #[graphql(owned)]
    pub(in crate::graphql) id: ID,
    /// What was done.
    action: OperatorActionKind,
    /// The name of the projection it was done to; for `RETRY_STEPS` of the process.
    pub(super) projection: String,
    /// Who did it: the subject of their token, or the name of a process.
    actor: String,
    /// Why, if they said so.
    reason: Option<String>,
    /// When.
    at: Timestamp,
    /// The place of this action in the log of all events.
    position: PositionToken,
    /// For `RETRY_PARKED`: the key whose events were tried again; null for all keys. For `SKIP_PARKED`: the key that
    /// was parked. For `RETRY_STEPS`: the key whose steps were tried again.
    key: Option<Uuid>,
    /// For `DISCARD_GENERATION`: which one.
    generation: Option<i64>,
    /// For `REBUILD`: where it was to begin; null for the beginning of the log.
    from_position: Option<PositionToken>,
    /// For `PAUSE`: where the projection was to stand; null for where it was.
    at_position: Option<PositionToken>,
    /// For `SKIP_PARKED`: the position of the event that was given up.
    event_position: Option<PositionToken>,
    /// For `SKIP_PARKED`: the number of that event in the log, as `millrace events` shows it.
    event_number: Option<u64>,
    #[graphql(skip)]
    keys: Option<Vec<Uuid>>,
    #[graphql(skip)]
    pub(super) revision: Revision,
}

#[ComplexObject]
impl OperatorActionObject {
    /// For `REPAIR`: the keys of the rows, at most 1,000.
    #[graphql(complexity = "10 + child_complexity")]
    async fn keys(&self) -> Option<&[Uuid]> {
        self.keys.as_deref()
    }
}

impl OperatorActionObject {
    /// The action that this event of the operators' log holds.
    pub(super) fn decode(recorded: &RecordedEvent) -> Result<Self, DecodeError> {
        let OperatorEvent::ActionTaken { actor, projection, action, reason, at } =
            codec::decode(&recorded.type_name, &recorded.data)?;
        let this = Self {
            id: global(id_at(recorded.revision)),
            action: kind(&action),
            projection: projection.to_string(),
            actor: actor.to_string(),
            reason: reason.map(|reason| reason.to_string()),
            at,
            position: PositionToken(recorded.position),
            key: None,
            generation: None,
            from_position: None,
            at_position: None,
            event_position: None,
            event_number: None,
            keys: None,
            revision: recorded.revision,
        };
        Ok(match action {
            OperatorAction::Pause { at } => Self { at_position: at.map(token), ..this },
            OperatorAction::Rebuild { from } => Self { from_position: from.map(token), ..this },
            OperatorAction::Resume | OperatorAction::Rollback => this,
            OperatorAction::DiscardGeneration { generation } => Self { generation: Some(generation), ..this },
            OperatorAction::RetryParked { key } => Self { key, ..this },
            OperatorAction::RetrySteps { key } => Self { key: Some(key), ..this },
            OperatorAction::SkipParked { key, position } => {
                Self { key: Some(key), event_position: Some(token(position)), event_number: Some(position), ..this }
            }
            OperatorAction::Repair { keys } => Self { keys: Some(keys), ..this },
        })
    }
}

const fn kind(action: &OperatorAction) -> OperatorActionKind {
    match action {
        OperatorAction::Pause { .. } => OperatorActionKind::Pause,
        OperatorAction::Resume => OperatorActionKind::Resume,
        OperatorAction::Rebuild { .. } => OperatorActionKind::Rebuild,
        OperatorAction::Rollback => OperatorActionKind::Rollback,
        OperatorAction::DiscardGeneration { .. } => OperatorActionKind::DiscardGeneration,
        OperatorAction::RetryParked { .. } => OperatorActionKind::RetryParked,
        OperatorAction::SkipParked { .. } => OperatorActionKind::SkipParked,
        OperatorAction::Repair { .. } => OperatorActionKind::Repair,
        OperatorAction::RetrySteps { .. } => OperatorActionKind::RetrySteps,
    }
}

const fn token(number: u64) -> PositionToken {
    PositionToken(Position::new(number))
}
