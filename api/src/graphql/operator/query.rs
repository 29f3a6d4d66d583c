//! Questions about what operators did. For operators.

use async_graphql::{Context, Error, Object};
use domain::values::{Id, ProjectionName};
use infrastructure::event_store::{Direction, EventStore, Revision};

use super::{
    ActionKind, OperatorActionObject,
    log::{self, Found, SCAN_ACTIONS_MAX, Wanted},
    types::place_of,
};
use crate::{
    auth::Role,
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        call::{operator, services, viewer},
        connection::{Cursor, Page, Window, bad_cursor, connection},
        read::event_store_error,
    },
};

/// The list these cursors belong to.
const LIST: &str = "operatorActions";

connection!(OperatorActionConnection, OperatorActionEdge, OperatorActionObject);

/// `operatorActions`.
#[derive(Debug, Default)]
pub(crate) struct OperatorQuery;

#[Object]
impl OperatorQuery {
    /// What operators did to projections and processes, newest first; with `projection`, to the one of this name only. For
    /// operators.
    ///
    /// It is read from the events themselves: it is never behind, and answers when every projection stands still. A
    /// look for the actions on one projection passes at most 10,000 actions; if it ends there, the page may be short or
    /// empty, but `hasNextPage` (with `last`: `hasPreviousPage`) is true, and the page's cursor goes on from there.
    #[graphql(complexity = "first.or(last).unwrap_or(1).clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn operator_actions(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<Cursor>,
        last: Option<i32>,
        before: Option<Cursor>,
        projection: Option<String>,
    ) -> Result<OperatorActionConnection, Error> {
        operator(context)?;
        let window = Window::of(first, last)?;
        let projection = projection.as_deref().map(ProjectionName::parse).transpose();
        let projection = projection.map_err(|error| ErrorCode::BadUserInput.error(error.to_string()))?;
        let events = &*services(context).events;
        let (after, before) = (place(events, after).await?, place(events, before).await?);
        let part = List { window, after, before, projection, scan_max: SCAN_ACTIONS_MAX };
        Ok(part.page(events).await?.into())
    }
}

/// The action with this id, if the caller may see it.
pub(in crate::graphql) async fn find(
    context: &Context<'_>,
    id: Id<ActionKind>,
) -> Result<Option<OperatorActionObject>, Error> {
    match (viewer(context)?.role, place_of(id)) {
        (Role::Operator, Some(place)) => log::at(&*services(context).events, place).await,
        (Role::Operator, None) | (Role::Customer, _) => Ok(None),
    }
}

/// A part of the list.
#[derive(Debug)]
pub(super) struct List {
    pub(super) window: Window,
    /// Behind this one, so older than it.
    pub(super) after: Option<Revision>,
    /// Before this one, so newer than it.
    pub(super) before: Option<Revision>,
    pub(super) projection: Option<ProjectionName>,
    pub(super) scan_max: usize,
}

impl List {
    pub(super) async fn page(&self, events: &dyn EventStore) -> Result<Page<OperatorActionObject>, Error> {
        // Taken first, so that whoever follows the log from here misses nothing.
        let position = PositionToken(events.head().await.map_err(event_store_error)?);
        let bounds = (self.has_before(events).await?, self.has_behind(events).await?);
        let found = match self.wanted() {
            Some(wanted) => log::scan(events, wanted).await?,
            None => Found { actions: Vec::new(), stopped_at: None },
        };
        let page = Page::new(found.actions, self.window, bounds, position, |action| cursor(action.revision));
        Ok(page.going_on(self.window, found.stopped_at.map(cursor)))
    }

    /// None if nothing lies behind the oldest action.
    fn wanted(&self) -> Option<Wanted<'_>> {
        let newest = match self.after {
            None => Revision::MAX,
            Some(after) => after.previous()?,
        };
        let oldest = self.before.map_or(Revision::FIRST, Revision::next);
        let direction = if self.window.from_end { Direction::Forwards } else { Direction::Backwards };
        Some(self.look(oldest, newest, direction, self.window.limit()))
    }

    /// Whether the list has something up to the cursor that the page comes after.
    async fn has_before(&self, events: &dyn EventStore) -> Result<bool, Error> {
        let Some(after) = self.after.filter(|_| !self.window.from_end) else { return Ok(false) };
        let look = self.look(after, Revision::MAX, Direction::Forwards, 1);
        Ok(!log::scan(events, look).await?.actions.is_empty())
    }

    /// Whether the list has something from the cursor on that the page comes before.
    async fn has_behind(&self, events: &dyn EventStore) -> Result<bool, Error> {
        let Some(before) = self.before.filter(|_| self.window.from_end) else { return Ok(false) };
        let look = self.look(Revision::FIRST, before, Direction::Backwards, 1);
        Ok(!log::scan(events, look).await?.actions.is_empty())
    }

    fn look(&self, oldest: Revision, newest: Revision, direction: Direction, limit: usize) -> Wanted<'_> {
        Wanted { projection: self.projection.as_ref(), oldest, newest, direction, limit, scan_max: self.scan_max }
    }
}

pub(super) fn cursor(place: Revision) -> Cursor {
    Cursor::new(LIST, &place.value().to_string())
}

/// The place of a cursor, which must lie in the log.
async fn place(events: &dyn EventStore, cursor: Option<Cursor>) -> Result<Option<Revision>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    let place = cursor.key(LIST)?.parse().map(Revision::new).map_err(|_| bad_cursor())?;
    let exists = place <= Revision::MAX && log::at(events, place).await?.is_some();
    if exists { Ok(Some(place)) } else { Err(bad_cursor()) }
}
