//! Handles: whose a handle is, one stream for each.
//!
//! A handle is claimed before a profile takes it. The stream's id is derived from the folded handle, so of two who want it
//! at the same moment one comes second and is refused. A claim says until when the claimer's profile may take the handle;
//! after that, their profile alone says whether they have it. So nothing has to be given back: a handle that its holder's
//! profile does not have once the claim is over is vacant for good, and whoever wants it next shows that (a [`Vacancy`]).
//! A crash between claim and profile leaves nothing behind but a claim that ends by itself. A claim that is repeated changes
//! nothing or renews it, so whoever tries again sends it as a new command: an old answer could be of a claim that is over.
//! **Invariant:** no two profiles ever have the same handle.
//! Slice map: domain/src/profile/handle/decide.rs, domain/src/profile/decide.rs, domain/src/values/handle.rs

mod command;
mod decide;
mod event;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;

pub use command::{HandleCommand, Vacancy};
pub use event::HandleEvent;
pub use rejection::HandleRejection;
pub use state::{Claim, HandleState};

use crate::{
    Decider, Timestamp,
    values::{Handle, HandleId},
};

/// How long the claimer's profile may take the handle.
pub const CLAIM_KEPT: TimeDelta = TimeDelta::minutes(10);
/// How long after that nobody else may: clocks of several machines differ, and an append may be under way.
pub const CLAIM_MARGIN: TimeDelta = TimeDelta::minutes(5);

/// The aggregate of one handle.
#[derive(Debug)]
pub enum HandleClaim {}

impl Decider for HandleClaim {
    const CATEGORY: &'static str = "handle";
    type State = HandleState;
    type Command = HandleCommand;
    type Event = HandleEvent;
    type Rejection = HandleRejection;

    fn decide(
        state: &HandleState,
        command: HandleCommand,
        now: Timestamp,
    ) -> Result<Vec<HandleEvent>, HandleRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(_state: HandleState, event: &HandleEvent) -> HandleState {
        state::evolve(event)
    }
}

/// The id of this handle's stream.
pub fn id_of(handle: &Handle) -> HandleId {
    HandleId::named(handle.as_str())
}
