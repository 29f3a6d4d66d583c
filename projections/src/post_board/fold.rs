//! Row and event to row: the aggregate's own fold.

use domain::{
    Decider as _, Event,
    post::{Post, PostEvent, PostState},
};
use uuid::Uuid;

use super::PostRow;
use crate::Decoded;

pub(super) fn key(event: &Decoded) -> Option<Uuid> {
    match &*event.event {
        Event::Post(event) => Some(event.post().uuid()),
        Event::Order(_)
        | Event::Product(_)
        | Event::Stock(_)
        | Event::Payment(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Follow(_)
        | Event::Reaction(_)
        | Event::Inbox(_)
        | Event::Operator(_) => None,
    }
}

pub(super) fn starts(event: &Decoded) -> bool {
    matches!(&*event.event, Event::Post(PostEvent::Published(_) | PostEvent::Reposted { .. }))
}

pub(super) fn fold(row: Option<PostRow>, event: &Decoded) -> Option<PostRow> {
    let Event::Post(happened) = &*event.event else { return row };
    let state = row.map_or(PostState::Unpublished, |row| row.state);
    PostRow::of(happened.post(), Post::evolve(state, happened), event.revision)
}
