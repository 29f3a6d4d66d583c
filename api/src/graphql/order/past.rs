//! How an order was: folded from its own events up to some point, by the rules that made the order of today.

use async_graphql::{Context, Error, OneofObject};
use domain::{Timestamp, values::OrderId};
use infrastructure::event_store::{Position, RecordedEvent, Revision};

use super::{OrderObject, payments::SeenAt, query::may_see};
use crate::{
    graphql::{
        PositionToken,
        call::{revision, services, viewer},
        live::in_the_log,
        read::fold_error,
    },
    order_stream::folded,
};

/// A point in the past of an order.
#[derive(Clone, Copy, Debug, OneofObject)]
pub(super) enum OrderAsOf {
    /// Right after the change with this `version`.
    Version(i32),
    /// Right after everything up to this position.
    Position(PositionToken),
    /// At this time: after everything that was recorded by then.
    Time(Timestamp),
}

/// The order as it was then, if the caller may see it; none if it was not placed yet, or never came to that version.
///
/// It is read from the order's own events: it is never behind, and no read model is asked.
pub(super) async fn find(
    context: &Context<'_>,
    order: OrderId,
    as_of: OrderAsOf,
) -> Result<Option<OrderObject>, Error> {
    let viewer = viewer(context)?;
    let events = &*services(context).events;
    let until = Until::of(context, as_of).await?;
    // A clock may have been set back: what comes behind something later was not there by then.
    let mut last = Position::START;
    let includes = |event: &RecordedEvent| {
        let is_included = until.includes(event);
        if is_included {
            last = event.position;
        }
        is_included
    };
    let row = folded(events, order, includes).await.map_err(fold_error)?;
    let row = row.filter(|row| until.is_reached_at(row.revision) && may_see(viewer, row));
    Ok(row.map(|row| OrderObject(row, until.seen_at(last))))
}

/// Where to stop.
#[derive(Clone, Copy, Debug)]
enum Until {
    Revision(Revision),
    Position(Position),
    Time(Timestamp),
}

impl Until {
    async fn of(context: &Context<'_>, as_of: OrderAsOf) -> Result<Self, Error> {
        Ok(match as_of {
            OrderAsOf::Version(version) => Self::Revision(revision(version)?),
            OrderAsOf::Position(token) => Self::Position(in_the_log(context, token.0).await?),
            OrderAsOf::Time(time) => Self::Time(time),
        })
    }

    fn includes(self, event: &RecordedEvent) -> bool {
        match self {
            Self::Revision(revision) => event.revision <= revision,
            Self::Position(position) => event.position <= position,
            Self::Time(time) => event.recorded_at <= time,
        }
    }

    /// When that is, after an event of the order at `last`.
    const fn seen_at(self, last: Position) -> SeenAt {
        match self {
            Self::Revision(_) => SeenAt::Position(last),
            Self::Position(position) => SeenAt::Position(position),
            Self::Time(time) => SeenAt::Time(time),
        }
    }

    /// Whether what was read up to here is what was asked for.
    fn is_reached_at(self, revision: Revision) -> bool {
        match self {
            Self::Revision(wanted) => revision == wanted,
            Self::Position(_) | Self::Time(_) => true,
        }
    }
}
