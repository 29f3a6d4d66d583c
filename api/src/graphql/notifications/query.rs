//! Questions about the caller's own inbox.

use async_graphql::{Context, Error, Object};
use domain::Timestamp;
use infrastructure::event_store::Position;
use projections::notifications::{InboxPage, InboxPlace};

use super::types::{NotificationObject, UnreadCount};
use crate::graphql::{
    PositionToken,
    call::{services, viewer},
    connection::{Cursor, Page, PageInfo, Window, bad_cursor, connection},
    read::{query_error, ready_tables},
};

connection!(NotificationConnection, NotificationEdge, NotificationObject);

/// The list that cursors belong to.
const LIST: &str = "notifications";

/// `notifications` and `unreadCount`.
#[derive(Debug, Default)]
pub(crate) struct NotificationQuery;

#[Object]
impl NotificationQuery {
    /// The caller's notifications, grouped ("17 people like your post"), newest first. What comes into a group moves it to the
    /// front: whoever goes through pages then meets it when they begin anew. Give `position` as `after` to
    /// `notificationReceived` to hear of what comes next.
    #[graphql(complexity = "first.clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn notifications(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
        after: Option<Cursor>,
        min_position: Option<PositionToken>,
    ) -> Result<NotificationConnection, Error> {
        let user = viewer(context)?.user();
        let size = Window::of(Some(first), None)?.size;
        let after = after.as_ref().map(place).transpose()?;
        let model = ready_tables(context, &services(context).read_models.notifications, min_position).await?;
        let InboxPage { notifications, has_more, as_of } = model.inbox(user, after, size).await.map_err(query_error)?;
        let edges: Vec<_> =
            NotificationObject::all(notifications).into_iter().map(|one| (cursor(one.place()), one)).collect();
        let info = PageInfo {
            has_next_page: has_more,
            has_previous_page: after.is_some(),
            start_cursor: edges.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: edges.last().map(|(cursor, _)| cursor.clone()),
        };
        Ok(Page { edges, info, position: PositionToken(as_of) }.into())
    }

    /// How many notifications the caller neither marked as seen nor read: groups, not single events.
    #[graphql(complexity = "2 + child_complexity")]
    async fn unread_count(
        &self,
        context: &Context<'_>,
        min_position: Option<PositionToken>,
    ) -> Result<UnreadCount, Error> {
        let user = viewer(context)?.user();
        let model = ready_tables(context, &services(context).read_models.notifications, min_position).await?;
        Ok(model.unread_count(user).await.map_err(query_error)?.into())
    }
}

fn cursor((moment, position): InboxPlace) -> Cursor {
    Cursor::new(LIST, &format!("{}:{}", moment.timestamp_micros(), position.value()))
}

fn place(cursor: &Cursor) -> Result<InboxPlace, Error> {
    let key = cursor.key(LIST)?;
    let place = key.split_once(':').and_then(|(micros, position)| {
        let moment = Timestamp::from_timestamp_micros(micros.parse().ok()?)?;
        Some((moment, Position::new(position.parse().ok()?)))
    });
    place.ok_or_else(bad_cursor)
}
