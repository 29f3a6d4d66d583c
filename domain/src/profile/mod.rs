//! Profiles: who somebody is to others.
//!
//! A profile takes a handle that was claimed for it (handle/mod.rs), and has a name and a few words. One person has one
//! profile: its stream is theirs.
//! **Invariant:** a profile takes a handle only while it is claimed for its person.
//! Slice map: domain/src/profile/decide.rs, domain/src/profile/handle/mod.rs, domain/src/values/prose.rs

mod command;
mod decide;
mod event;
pub mod handle;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use command::ProfileCommand;
pub use event::ProfileEvent;
pub use rejection::ProfileRejection;
pub use state::{Person, ProfileState};

use crate::{Decider, Timestamp};

/// The profile aggregate.
#[derive(Debug)]
pub enum Profile {}

impl Decider for Profile {
    const CATEGORY: &'static str = "profile";
    type State = ProfileState;
    type Command = ProfileCommand;
    type Event = ProfileEvent;
    type Rejection = ProfileRejection;

    fn decide(
        state: &ProfileState,
        command: ProfileCommand,
        now: Timestamp,
    ) -> Result<Vec<ProfileEvent>, ProfileRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: ProfileState, event: &ProfileEvent) -> ProfileState {
        state::evolve(state, event)
    }

    fn weight(state: &ProfileState) -> usize {
        let text = |person: &Person| person.name.as_str().len() + person.biography.as_str().len();
        size_of::<ProfileState>() + state.present().map_or(0, text)
    }
}
