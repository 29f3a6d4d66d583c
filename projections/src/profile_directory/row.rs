//! A profile as it is read.

use domain::profile::{Person, ProfileState};
use infrastructure::event_store::Revision;

/// One profile.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileRow {
    /// Who it is.
    pub person: Person,
    /// The revision of its stream.
    pub revision: Revision,
}

impl ProfileRow {
    /// The row that belongs to an aggregate's state.
    pub fn of(state: &ProfileState, revision: Revision) -> Option<Self> {
        state.present().map(|person| Self { person: person.clone(), revision })
    }
}
