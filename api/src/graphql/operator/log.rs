//! The operators' log, read straight from its stream: it answers when every projection stands still.

use async_graphql::Error;
use domain::{
    Decider as _,
    operator::{OPERATOR_LOG, Operator},
    values::ProjectionName,
};
use infrastructure::event_store::{Direction, EventStore, Revision, StreamId};

use super::OperatorActionObject;
use crate::graphql::read::{event_store_error, internal};

/// How many actions one look for those of one projection passes. The rest is for the next look.
pub(super) const SCAN_ACTIONS_MAX: usize = 10_000;
/// How many of them are read at once.
const PAGE_EVENTS: usize = 512;

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Only actions on this projection.
    pub(super) projection: Option<&'a ProjectionName>,
    /// The oldest that counts.
    pub(super) oldest: Revision,
    /// The newest that counts.
    pub(super) newest: Revision,
    /// Backwards, the newest come first.
    pub(super) direction: Direction,
    /// How many are enough.
    pub(super) limit: usize,
    /// How many may be passed.
    pub(super) scan_max: usize,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// In the direction of the look.
    pub(super) actions: Vec<OperatorActionObject>,
    /// The last action that was passed, if the look ended there for having passed so many: there may be more beyond.
    pub(super) stopped_at: Option<Revision>,
}

impl Wanted<'_> {
    fn covers(&self, revision: Revision) -> bool {
        (self.oldest..=self.newest).contains(&revision)
    }

    fn first(&self) -> Option<Revision> {
        let first = match self.direction {
            Direction::Forwards => self.oldest,
            Direction::Backwards => self.newest,
        };
        Some(first).filter(|first| self.covers(*first))
    }

    fn beyond(&self, revision: Revision) -> Option<Revision> {
        let beyond = match self.direction {
            Direction::Forwards => Some(revision.next()),
            Direction::Backwards => revision.previous(),
        };
        beyond.filter(|beyond| self.covers(*beyond))
    }

    fn page_events(&self, passed: usize) -> usize {
        // Without a filter, whatever is read is wanted.
        let page = if self.projection.is_none() { self.limit } else { PAGE_EVENTS };
        page.min(self.scan_max - passed)
    }
}

/// Looks through the log.
pub(super) async fn scan(events: &dyn EventStore, wanted: Wanted<'_>) -> Result<Found, Error> {
    let mut actions = Vec::new();
    let (mut passed, mut last) = (0, None);
    let mut next = wanted.first();
    while let Some(from) = next {
        if passed >= wanted.scan_max {
            return Ok(Found { actions, stopped_at: last });
        }
        let count = wanted.page_events(passed);
        let page = events.read_stream(&stream(), from, wanted.direction, count).await.map_err(event_store_error)?;
        for recorded in page.events.iter().take_while(|recorded| wanted.covers(recorded.revision)) {
            let action = OperatorActionObject::decode(recorded).map_err(internal)?;
            passed += 1;
            if wanted.projection.is_none_or(|name| action.projection == name.as_str()) {
                actions.push(action);
            }
            if actions.len() >= wanted.limit {
                return Ok(Found { actions, stopped_at: None });
            }
        }
        last = page.events.last().map(|recorded| recorded.revision);
        next = last.filter(|_| !page.is_end).and_then(|last| wanted.beyond(last));
    }
    Ok(Found { actions, stopped_at: None })
}

/// The action at this place.
pub(super) async fn at(events: &dyn EventStore, place: Revision) -> Result<Option<OperatorActionObject>, Error> {
    let page = events.read_stream(&stream(), place, Direction::Forwards, 1).await.map_err(event_store_error)?;
    page.events.first().map(OperatorActionObject::decode).transpose().map_err(internal)
}

fn stream() -> StreamId {
    StreamId::new(Operator::CATEGORY, OPERATOR_LOG.uuid())
}
