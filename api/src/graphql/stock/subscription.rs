//! Live levels of stock.
//!
//! A level is all that counts, so what happens fast is told as one: a SKU that thousands want at once does not drown those
//! who watch it, and whoever comes back gets the level, not each change on the way there.

use std::{pin::pin, sync::Arc, time::Duration};

use async_graphql::{Context, Error, SimpleObject, Subscription};
use domain::{
    Timestamp,
    stock::id_of,
    values::{Sku, StockId, Warehouse},
};
use futures_util::{Stream, stream};
use infrastructure::event_store::Position;
use projections::{Change, HubClosed, HubMessage, HubSubscription, stock_level::StockLevelRow};
use tokio::time::{Instant, sleep_until};

use super::{
    StockLevelObject,
    replay::{self, Missed},
};
use crate::{
    engine::LivePhase,
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        call::{execute_error, services, version, viewer},
        live::{
            CaughtUp, Gap, GapReason, Updates, deliver, deliver_as_they_come, interrupted, reporter, resume_position,
            updates,
        },
    },
};

/// The pause between two levels: at most ten in a second, however fast the stock moves.
const PAUSE: Duration = Duration::from_millis(100);

updates! {
    /// What a subscription to a stock says.
    StockUpdate {
        /// The level has changed.
        StockChanged
    }
}

/// The level has changed, by one event or by several. `version` says how many there were so far.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct StockChanged {
    /// Resume after this.
    cursor: PositionToken,
    /// When the last of the changes happened.
    occurred_at: Timestamp,
    /// The level's version right after it.
    version: i32,
    /// The level right after it.
    level: StockLevelObject,
}

/// `stockUpdates`.
#[derive(Debug, Default)]
pub(crate) struct StockSubscription;

#[Subscription]
impl StockSubscription {
    /// The level of a SKU in one warehouse as it changes, at most ten times in a second; what lies between is left out.
    /// If it has changed after `after`, the level comes first; then `CaughtUp`, then each change as it happens. What was
    /// never received can be watched, too.
    async fn stock_updates(
        &self,
        context: &Context<'_>,
        sku: String,
        #[graphql(default_with = "Warehouse::MAIN.to_owned()")] warehouse: String,
        after: Option<PositionToken>,
    ) -> Result<impl Stream<Item = Result<StockUpdate, Error>> + 'static, Error> {
        viewer(context)?;
        let reporter = reporter(context)?.clone();
        let sku = Sku::parse(&sku).map_err(|error| ErrorCode::BadUserInput.error(error.to_string()))?;
        let warehouse = Warehouse::parse(&warehouse);
        let warehouse = warehouse.map_err(|error| ErrorCode::BadUserInput.error(error.to_string()))?;
        let stock = id_of(&sku, &warehouse);
        let updates: Updates<StockUpdate> = match reporter.phase() {
            LivePhase::Live => {
                let changes = services(context).read_models.stock_level.hub().subscribe_to(stock.uuid());
                reporter.starts_after(changes.position);
                let live = Live { changes, quiet_until: Instant::now(), waiting: None };
                deliver_as_they_come(live.into_stream(), reporter)
            }
            LivePhase::Replay { until } => {
                let until = *until;
                let mut messages = Vec::new();
                let mut caught_up_at = until;
                if let Some(after) = resume_position(context, after).await? {
                    reporter.starts_after(after);
                    messages.extend(missed(context, stock, sku, warehouse, after, until).await?);
                    caught_up_at = after.max(until);
                }
                messages.push(CaughtUp::new(caught_up_at).into());
                deliver(messages, reporter)
            }
        };
        Ok(updates)
    }
}

/// What is told of everything between two positions.
async fn missed(
    context: &Context<'_>,
    stock: StockId,
    sku: Sku,
    warehouse: Warehouse,
    after: Position,
    until: Position,
) -> Result<Option<StockUpdate>, Error> {
    // The stock's own stream, because the read model may be ahead of what equal subscribers were told.
    let current = services(context).stocks.current(stock.uuid()).await.map_err(execute_error)?;
    let row = current.revision.and_then(|revision| StockLevelRow::of(&current.state, sku, warehouse, revision));
    let Some(row) = row.filter(|_| current.position > after) else { return Ok(None) };
    Ok(match replay::missed(&*services(context).events, row, after, until).await? {
        Missed::Nothing => None,
        Missed::Level { position, occurred_at, row } => Some(changed(position, occurred_at, row)),
        Missed::TooMuch => Some(Gap::new(after, until, GapReason::TooManyChanges).into()),
    })
}

/// The live part: what the hub announces, for every equal subscriber.
struct Live {
    changes: HubSubscription<StockLevelRow>,
    /// Until then nothing more is told of the level.
    quiet_until: Instant,
    /// What was heard after the level that was told last.
    waiting: Option<Result<HubMessage<StockLevelRow>, HubClosed>>,
}

impl Live {
    fn into_stream(self) -> impl Stream<Item = Result<StockUpdate, Error>> + 'static {
        stream::unfold(Some(self), |live| async move {
            let mut live = live?;
            Some(match live.next().await {
                Ok(message) => (Ok(message), Some(live)),
                Err(HubClosed) => (Err(interrupted()), None),
            })
        })
    }

    /// The next message: the latest level, once the one before it has had its time.
    async fn next(&mut self) -> Result<StockUpdate, HubClosed> {
        loop {
            let heard = match self.waiting.take() {
                Some(heard) => heard,
                None => self.changes.next().await,
            };
            let latest = match heard? {
                HubMessage::Change(change) => self.latest(change).await,
                HubMessage::Gap { from, to } => return Ok(Gap::new(from, to, GapReason::ReadModelRebuilt).into()),
            };
            self.quiet_until = Instant::now() + PAUSE;
            // A stock never loses its row; without one there would be nothing to tell.
            if let Some(row) = latest.row.clone() {
                return Ok(changed(latest.position, latest.occurred_at, row));
            }
        }
    }

    /// The last of the changes that are heard before something may be told again.
    async fn latest(&mut self, mut latest: Arc<Change<StockLevelRow>>) -> Arc<Change<StockLevelRow>> {
        let mut quiet = pin!(sleep_until(self.quiet_until));
        loop {
            let heard = tokio::select! {
                biased;
                () = &mut quiet => return latest,
                heard = self.changes.next() => heard,
            };
            match heard {
                Ok(HubMessage::Change(change)) => latest = change,
                // A gap and the end come after what can be told.
                Ok(HubMessage::Gap { .. }) | Err(HubClosed) => {
                    self.waiting = Some(heard);
                    return latest;
                }
            }
        }
    }
}

fn changed(position: Position, occurred_at: Timestamp, row: StockLevelRow) -> StockUpdate {
    StockUpdate::Changed(StockChanged {
        cursor: PositionToken(position),
        occurred_at,
        version: version(row.revision),
        level: StockLevelObject(row),
    })
}
