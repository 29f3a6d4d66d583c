//! Operators: what they did to projections and processes, by whom and why.
//!
//! There is one log for the whole installation. An action stands in it before it is carried out, so that nothing is
//! done that nobody can read of. Whether an action makes sense for a projection is asked there, before it is recorded;
//! here are the rules that the log alone can keep.
//! **Invariant:** a paused projection is known from the log alone, with who paused it, when and why.
//! Slice map: domain/src/operator/decide.rs, api/src/operator.rs, api/src/graphql/operator/record.rs,
//! api/src/graphql/operator/query.rs

mod action;
mod command;
mod decide;
mod event;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use action::OperatorAction;
pub use command::OperatorCommand;
pub use event::OperatorEvent;
pub use rejection::OperatorRejection;
pub use state::{OperatorState, PausedProjection};

use uuid::Uuid;

use crate::{Decider, Timestamp, values::OperatorLogId};

/// The id of the one log.
pub const OPERATOR_LOG: OperatorLogId = OperatorLogId::new(Uuid::from_u128(0x6d69_6c6c_7261_6365_8000_0000_0000_0004));

/// The most keys of one repair.
pub const REPAIR_KEYS_MAX: usize = 1_000;

/// The aggregate of what operators did.
#[derive(Debug)]
pub enum Operator {}

impl Decider for Operator {
    const CATEGORY: &'static str = "operator";
    type State = OperatorState;
    type Command = OperatorCommand;
    type Event = OperatorEvent;
    type Rejection = OperatorRejection;

    fn decide(
        state: &OperatorState,
        command: OperatorCommand,
        now: Timestamp,
    ) -> Result<Vec<OperatorEvent>, OperatorRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: OperatorState, event: &OperatorEvent) -> OperatorState {
        state::evolve(state, event)
    }

    fn weight(state: &OperatorState) -> usize {
        state.weight()
    }
}
