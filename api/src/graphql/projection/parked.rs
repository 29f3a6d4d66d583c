//! What is parked: events that a projection could not apply, and those behind them.

use async_graphql::{Context, Enum, Error, ID, Object, SimpleObject};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Timestamp;
use infrastructure::event_store::Position;
use projections::{ParkedEvent, ParkedFilter, ParkedPage, ParkedPlace, ParkedState};
use uuid::Uuid;

use super::{error::Trouble, input};
use crate::graphql::{
    PositionToken,
    call::{self, operator, services},
    connection::{Cursor, Page, Window, bad_cursor, connection},
    user_error::path,
};

/// The list these cursors belong to.
const LIST: &str = "parkedEvents";

/// How a parked event waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "ParkedState")]
pub enum ParkedEventState {
    /// It cannot be applied: its key waits for it.
    Failed,
    /// It waits behind another one of its key.
    Queued,
    /// An operator passed over it.
    Skipped,
}

/// An event that is in the log but not in its row.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(name = "ParkedEvent")]
pub(crate) struct ParkedEventObject {
    /// Opaque; the same as long as it is parked, also after a rebuild.
    id: ID,
    /// The projection.
    projection: String,
    /// The generation that serves.
    generation: i64,
    /// The key that waits: of the row, or of the stream where the event does not tell the row.
    key: Uuid,
    /// The event's place in the log.
    position: PositionToken,
    /// Its number in the log, as `millrace events` shows it.
    number: u64,
    /// Its type.
    event_type: String,
    /// Its stream.
    stream: String,
    /// Its place in the stream.
    version: i32,
    /// How it waits.
    state: ParkedEventState,
    /// Why it cannot be applied; of a skipped one also the reason to skip it. Null if it only waits behind another.
    error: Option<String>,
    /// How often it was tried.
    attempts: u32,
    /// When it failed first, or got in line.
    first_at: Timestamp,
    /// When it was tried last.
    last_at: Timestamp,
    /// When it is tried again by itself; null: not before an operator orders it or a new build starts.
    next_retry: Option<Timestamp>,
}

connection!(ParkedEventConnection, ParkedEventEdge, ParkedEventObject);

/// `parkedEvents`.
#[derive(Debug, Default)]
pub(crate) struct ParkedEventQuery;

#[Object]
impl ParkedEventQuery {
    /// What is parked in the generations that serve, by projection and position. For operators.
    #[graphql(complexity = "first.or(last).unwrap_or(1).clamp(1, 100) as usize * (child_complexity + 1)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, each named in the document")]
    async fn parked_events(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<Cursor>,
        last: Option<i32>,
        before: Option<Cursor>,
        projection: Option<String>,
        key: Option<ID>,
        event_type: Option<String>,
        state: Option<ParkedEventState>,
    ) -> Result<ParkedEventConnection, Error> {
        operator(context)?;
        let window = Window::of(first, last)?;
        let manager = &services(context).projections;
        let failed = |error| Trouble::of(error, path([&"projection"])).into_error();
        let statuses = match &projection {
            Some(name) => vec![manager.status(name).map_err(failed)?],
            None => manager.statuses(),
        };
        // Taken first: what is listed is at least as new.
        let position = statuses.iter().map(|status| status.position).min().unwrap_or_default();
        let key = key.as_ref().map(input::key).transpose().map_err(Trouble::into_error)?;
        let page = ParkedPage {
            filter: ParkedFilter { projection, key, type_name: event_type, state: state.map(Into::into) },
            after: place(after)?,
            before: place(before)?,
            from_end: window.from_end,
            limit: window.limit(),
        };
        let bounds = (page.after.is_some(), page.before.is_some());
        let parked = manager.parked(&page).await.map_err(failed)?;
        let parked = parked.into_iter().map(ParkedEventObject::from).collect();
        Ok(Page::new(parked, window, bounds, PositionToken(position), ParkedEventObject::cursor).into())
    }
}

impl ParkedEventObject {
    fn cursor(&self) -> Cursor {
        Cursor::new(LIST, &format!("{}:{}:{}", self.projection, self.number, self.key))
    }
}

impl From<ParkedEvent> for ParkedEventObject {
    fn from(parked: ParkedEvent) -> Self {
        let number = parked.position.value();
        let id = format!("parked_event:{}:{number}:{}", parked.projection, parked.key);
        Self {
            id: ID(URL_SAFE_NO_PAD.encode(id)),
            generation: parked.generation,
            key: parked.key,
            position: PositionToken(parked.position),
            number,
            event_type: parked.type_name.to_string(),
            stream: parked.stream.to_string(),
            version: call::version(parked.revision),
            state: parked.state.into(),
            error: parked.error,
            attempts: parked.attempts,
            first_at: parked.first_at,
            last_at: parked.last_at,
            next_retry: parked.next_retry,
            projection: parked.projection,
        }
    }
}

fn place(cursor: Option<Cursor>) -> Result<Option<ParkedPlace>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    let key = cursor.key(LIST)?;
    let mut parts = key.splitn(3, ':');
    let mut part = || parts.next();
    let place = (|| {
        let (projection, number, key) = (part()?.to_owned(), part()?.parse().ok()?, part()?.parse().ok()?);
        Some((projection, Position::new(number), key))
    })();
    place.map(Some).ok_or_else(bad_cursor)
}
