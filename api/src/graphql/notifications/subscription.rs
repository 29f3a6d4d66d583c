//! The caller's inbox, live.

use std::{collections::VecDeque, time::Duration};

use async_graphql::{Context, Error, SimpleObject, Subscription};
use domain::values::UserId;
use futures_util::{Stream, stream};
use infrastructure::event_store::Position;
use projections::{
    QueryError, ServedTables,
    notifications::{InboxWatcher, Notifications, Received},
};

use super::types::NotificationObject;
use crate::{
    engine::LivePhase,
    graphql::{
        PositionToken,
        call::{services, viewer},
        live::{Update as _, Updates, deliver_as_they_come, interrupted, replay, reporter, updates},
        read::query_error,
    },
};

/// How long the read model may take to show what is known to have happened.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

updates! {
    /// What a subscription to the inbox says.
    NotificationUpdate {
        /// Something has come into the inbox.
        NotificationReceived
    }
}

/// Something has come into the inbox.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct NotificationReceived {
    /// Resume after this.
    cursor: PositionToken,
    /// The group that it has come into, as it is now.
    notification: NotificationObject,
}

/// `notificationReceived`.
#[derive(Debug, Default)]
pub(crate) struct NotificationSubscription;

#[Subscription]
impl NotificationSubscription {
    /// What comes into the caller's inbox: what came after `after` first, then `CaughtUp`, then what comes as it comes. What
    /// comes into one group at about the same time is told once, with the group as it is then. What is taken back is not
    /// told, nor what comes back into sight when somebody is blocked or muted no longer.
    async fn notification_received(
        &self,
        context: &Context<'_>,
        after: Option<PositionToken>,
    ) -> Result<impl Stream<Item = Result<NotificationUpdate, Error>> + 'static, Error> {
        let user = viewer(context)?.user();
        let reporter = reporter(context)?.clone();
        let inbox = Live { model: services(context).read_models.notifications.clone(), user };
        let updates: Updates<NotificationUpdate> = match reporter.phase() {
            LivePhase::Live => {
                // In this order: what comes after the position wakes the watcher.
                let watcher = services(context).inbox_watchers.of(user);
                let start = inbox.model.position();
                reporter.starts_after(start);
                deliver_as_they_come(inbox.live(watcher, start), reporter)
            }
            LivePhase::Replay { until } => {
                let until = *until;
                replay(context, after, until, reporter, |after| inbox.missed(after, until)).await?
            }
        };
        Ok(updates)
    }
}

/// Somebody's inbox.
#[derive(Clone, Debug)]
struct Live {
    model: ServedTables<Notifications>,
    user: UserId,
}

impl Live {
    /// What came after `after`, up to `until`.
    fn missed(
        self,
        after: Position,
        until: Position,
    ) -> impl Stream<Item = Result<NotificationUpdate, Error>> + Send + 'static {
        let begin = (self, Some(after), VecDeque::new());
        stream::try_unfold(begin, move |(inbox, mut after, mut messages)| async move {
            loop {
                if let Some(message) = messages.pop_front() {
                    return Ok(Some((message, (inbox, after, messages))));
                }
                let Some(from) = after else { return Ok(None) };
                inbox.model.wait(until, SHOWN_WITHIN).await.map_err(query_error)?;
                let (found, reached, has_more) = inbox.since(from).await.map_err(query_error)?;
                // A group into which more has come since then is told live.
                messages.extend(found.into_iter().filter(|message| message.position() <= until));
                after = (has_more && reached < until).then_some(reached);
            }
        })
    }

    /// What comes after `seen`, as it comes.
    fn live(
        self,
        watcher: InboxWatcher,
        seen: Position,
    ) -> impl Stream<Item = Result<NotificationUpdate, Error>> + Send + 'static {
        let begin = (self, watcher, seen, VecDeque::new());
        stream::try_unfold(begin, |(inbox, mut watcher, mut seen, mut messages)| async move {
            loop {
                if let Some(message) = messages.pop_front() {
                    return Ok(Some((message, (inbox, watcher, seen, messages))));
                }
                let (found, reached, has_more) = inbox.since(seen).await.map_err(|error| gone(&error))?;
                (seen, messages) = (reached, found.into());
                if messages.is_empty() && !has_more {
                    let there = watcher.next().await;
                    inbox.model.wait(there, SHOWN_WITHIN).await.map_err(|error| gone(&error))?;
                }
            }
        })
    }

    /// What came after `seen`, how far that goes, and whether there is more.
    async fn since(&self, seen: Position) -> Result<(Vec<NotificationUpdate>, Position, bool), QueryError> {
        let Received { notifications, reached, has_more } = self.model.received(self.user, seen).await?;
        let (positions, notifications): (Vec<Position>, Vec<_>) = notifications.into_iter().unzip();
        let message =
            |(position, notification)| NotificationReceived { cursor: PositionToken(position), notification }.into();
        let messages = positions.into_iter().zip(NotificationObject::all(notifications)).map(message).collect();
        Ok((messages, reached, has_more))
    }
}

/// The subscriber resumes, and finds what is the matter if it is there still.
fn gone(error: &QueryError) -> Error {
    tracing::warn!(error = %error, "a live inbox was interrupted: {error}");
    interrupted()
}
