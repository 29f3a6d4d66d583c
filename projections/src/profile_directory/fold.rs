//! Row and event to row: the aggregate's own fold.

use domain::{
    Decider as _, Event,
    profile::{Profile, ProfileEvent, ProfileState},
};
use uuid::Uuid;

use super::ProfileRow;
use crate::Decoded;

pub(super) fn key(event: &Decoded) -> Option<Uuid> {
    match &*event.event {
        Event::Profile(event) => Some(event.user().uuid()),
        Event::Order(_)
        | Event::Product(_)
        | Event::Stock(_)
        | Event::Payment(_)
        | Event::Handle(_)
        | Event::Follow(_)
        | Event::Post(_)
        | Event::Reaction(_)
        | Event::Inbox(_)
        | Event::Operator(_) => None,
    }
}

pub(super) fn starts(event: &Decoded) -> bool {
    matches!(&*event.event, Event::Profile(ProfileEvent::Created { .. }))
}

pub(super) fn fold(row: Option<ProfileRow>, event: &Decoded) -> Option<ProfileRow> {
    let Event::Profile(happened) = &*event.event else { return row };
    let state = row.map_or(ProfileState::Missing, |row| ProfileState::Present(row.person));
    ProfileRow::of(&Profile::evolve(state, happened), event.revision)
}
