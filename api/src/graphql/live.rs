//! What every subscription to changes says beside its own messages, how it is delivered, and where a subscriber starts.

use async_graphql::{Context, Enum, Error, SimpleObject};
use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use infrastructure::event_store::{Position, Whereabouts};

use super::{PositionToken, call::services, read::event_store_error};
use crate::{
    engine::{LiveReporter, ResumeAfter},
    error_code::ErrorCode,
};

/// What a subscription says: a change, [`CaughtUp`] or [`Gap`]. Made by [`updates`].
pub(super) trait Update: From<CaughtUp> + From<Gap> + Send + 'static {
    /// Everything up to here is delivered with it.
    fn position(&self) -> Position;
}

/// What a subscriber gets.
pub(super) type Updates<U> = BoxStream<'static, Result<U, Error>>;

/// The interface of what a subscription says, over its own message for a change, which has a `cursor`.
macro_rules! updates {
    ($(#[$doc:meta])* $name:ident { $(#[$changed_doc:meta])* $changed:ident }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, async_graphql::Interface)]
        #[graphql(field(
            name = "cursor",
            ty = "&PositionToken",
            desc = "Give it as `after` to resume right behind this message."
        ))]
        pub(super) enum $name {
            $(#[$changed_doc])*
            Changed($changed),
            /// Everything that happened before is delivered.
            CaughtUp($crate::graphql::live::CaughtUp),
            /// Something cannot be delivered.
            Gap($crate::graphql::live::Gap),
        }

        impl $crate::graphql::live::Update for $name {
            fn position(&self) -> infrastructure::event_store::Position {
                match self {
                    Self::Changed(changed) => changed.cursor.0,
                    Self::CaughtUp(caught_up) => caught_up.cursor.0,
                    Self::Gap(gap) => gap.cursor.0,
                }
            }
        }
    };
}
pub(super) use updates;

/// Everything up to this cursor was delivered. What follows is live.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CaughtUp {
    /// Resume after this.
    pub(super) cursor: PositionToken,
}

impl CaughtUp {
    pub(super) const fn new(position: Position) -> Self {
        Self { cursor: PositionToken(position) }
    }
}

/// Changes between two positions cannot be delivered: read the objects again, then go on.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct Gap {
    /// Resume after this, once you have read again.
    pub(super) cursor: PositionToken,
    /// Everything up to here was delivered.
    pub(super) from: PositionToken,
    /// Nothing between `from` and here was.
    pub(super) to: PositionToken,
    /// Why.
    pub(super) reason: GapReason,
}

/// Why changes cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum GapReason {
    /// There are more changes after the cursor than a subscription replays.
    TooManyChanges,
    /// The read model was rebuilt past events it could not apply before.
    ReadModelRebuilt,
}

impl Gap {
    pub(super) fn new(from: Position, to: Position, reason: GapReason) -> Self {
        Self { cursor: PositionToken(to), from: PositionToken(from), to: PositionToken(to), reason }
    }
}

/// Delivers messages that are at hand.
pub(super) fn deliver<U, M>(messages: M, reporter: LiveReporter) -> Updates<U>
where
    U: Update,
    M: IntoIterator<Item = U>,
    M::IntoIter: Send + 'static,
{
    deliver_as_they_come(stream::iter(messages).map(Ok), reporter)
}

/// The replay for who brings a position: what was missed after it up to `until`, then `CaughtUp`. Who brings none has missed
/// nothing. `CaughtUp` is never before the position that was brought, or its cursor would lead back.
pub(super) async fn replay<U, M>(
    context: &Context<'_>,
    after: Option<PositionToken>,
    until: Position,
    reporter: LiveReporter,
    missed: impl FnOnce(Position) -> M,
) -> Result<Updates<U>, Error>
where
    U: Update,
    M: Stream<Item = Result<U, Error>> + Send + 'static,
{
    let Some(after) = resume_position(context, after).await? else {
        return Ok(deliver([CaughtUp::new(until).into()], reporter));
    };
    reporter.starts_after(after);
    let caught_up = stream::iter([Ok(CaughtUp::new(after.max(until)).into())]);
    Ok(deliver_as_they_come(missed(after).chain(caught_up), reporter))
}

/// Delivers messages as they come; each is reported right before it goes out.
pub(super) fn deliver_as_they_come<U: Update>(
    messages: impl Stream<Item = Result<U, Error>> + Send + 'static,
    reporter: LiveReporter,
) -> Updates<U> {
    let messages = messages.inspect(move |message| {
        if let Ok(message) = message {
            reporter.delivers(message.position());
        }
    });
    messages.boxed()
}

/// The end of a subscription that did not keep up, or whose server stops.
pub(super) fn interrupted() -> Error {
    ErrorCode::ConsumerTooSlow.error("the live updates were interrupted; resume")
}

/// What this execution of a subscription is for.
pub(super) fn reporter<'a>(context: &Context<'a>) -> Result<&'a LiveReporter, Error> {
    context
        .data_opt::<LiveReporter>()
        .ok_or_else(|| ErrorCode::OperationNotSupported.error("subscriptions need a WebSocket or an event stream"))
}

/// The position the subscriber brings: the transport's, or else the argument's. It must lie in the log.
pub(super) async fn resume_position(
    context: &Context<'_>,
    after: Option<PositionToken>,
) -> Result<Option<Position>, Error> {
    let resumed =
        match context.data_opt::<ResumeAfter>() {
            Some(ResumeAfter(text)) => Some(PositionToken::parse(text).ok_or_else(|| {
                ErrorCode::BadCursor.error("the last event id is not a position this server gave out")
            })?),
            None => after,
        };
    match resumed {
        None => Ok(None),
        Some(PositionToken(position)) => in_the_log(context, position).await.map(Some),
    }
}

/// The position, which must lie in the log.
pub(super) async fn in_the_log(context: &Context<'_>, position: Position) -> Result<Position, Error> {
    let refused = |text: &str| Err(ErrorCode::BadCursor.error(text));
    match services(context).events.locate(position).await.map_err(event_store_error)? {
        Whereabouts::Inside => Ok(position),
        Whereabouts::Beyond { .. } => {
            refused("the position lies beyond the end of the log: it is from another server; read the objects anew")
        }
        Whereabouts::Nowhere => {
            refused("the position is none of the log: it is from another server; read the objects anew")
        }
    }
}
