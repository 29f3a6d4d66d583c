//! Questions about somebody's inbox. Each asks for a bounded part, by an index.

use std::collections::{BTreeMap, HashMap};

use domain::{
    Timestamp,
    inbox::NotificationGroup,
    values::{OrderId, UserId},
};
use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStoreError, Row, Value},
};

use super::{
    InboxPage, InboxPlace, NEWEST_ACTORS_MAX, Notification, Notifications, OrderNews, Received, UNREAD_MAX,
    UnreadCount, news::parse, sql::Names,
};
use crate::{
    QueryError, ServedTables,
    bookkeeping::number_of,
    values::{micros, person, several},
};

/// How many groups or orders one query asks for.
const ASKED_AT_ONCE: usize = 32;
/// How many items are looked through at once for what came in: many of them may be of one group.
const ITEMS_AT_ONCE: usize = 1_000;

impl ServedTables<Notifications> {
    /// The newest `first` groups of an inbox, from behind some place in it. Something that came into a group meanwhile has
    /// moved it to the front.
    pub async fn inbox(&self, of: UserId, after: Option<InboxPlace>, first: usize) -> Result<InboxPage, QueryError> {
        let as_of = self.position();
        let (moment, position) = after.map_or((i64::MAX, i64::MAX), |(at, position)| (micros(at), number_of(position)));
        let rows = self
            .select(|tables| {
                let sql = format!(
                    "{} WHERE g.recipient = $1 AND (g.newest_moment, g.newest_position) < ($2, $3) \
                     ORDER BY g.newest_moment DESC, g.newest_position DESC LIMIT {}",
                    groups(&Names::of(tables)),
                    first + 1
                );
                let params = vec![person(of), Value::Int(moment), Value::Int(position)];
                Query { sql: sql.into(), params, cost: Cost::Scan }
            })
            .await?;
        let mut notifications = rows.iter().map(notification).collect::<Result<Vec<_>, ReadStoreError>>()?;
        let has_more = notifications.len() > first;
        notifications.truncate(first);
        Ok(InboxPage { notifications, has_more, as_of })
    }

    /// How many groups somebody neither knows of nor has read.
    pub async fn unread_count(&self, of: UserId) -> Result<UnreadCount, QueryError> {
        let rows = self
            .select(|tables| {
                let Names { groups, inboxes, .. } = Names::of(tables);
                let sql = format!(
                    "SELECT count(*) FROM (SELECT g.subject FROM {groups} g WHERE g.recipient = $1 AND g.unread_moment > \
                     coalesce((SELECT n.seen_up_to FROM {inboxes} n WHERE n.user_id = $1), $2) LIMIT {}) unread",
                    UNREAD_MAX + 1
                );
                Query { sql: sql.into(), params: vec![person(of), Value::Int(i64::MIN)], cost: Cost::Point }
            })
            .await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let count = u64::try_from(count).unwrap_or(0);
        Ok(UnreadCount { count: count.min(UNREAD_MAX), is_capped: count > UNREAD_MAX })
    }

    /// The groups that something came into after some position, in the order in which it did, as they are now.
    pub async fn received(&self, of: UserId, after: Position) -> Result<Received, QueryError> {
        let as_of = self.position();
        let rows = self
            .select(|tables| {
                let sql = format!(
                    "SELECT x.position, x.kind, x.subject FROM {} x WHERE x.recipient = $1 AND x.is_shown = 1 \
                     AND x.position > $2 AND x.position <= $3 ORDER BY x.position LIMIT {ITEMS_AT_ONCE}",
                    Names::of(tables).items
                );
                let params = vec![person(of), Value::Int(number_of(after)), Value::Int(number_of(as_of))];
                Query { sql: sql.into(), params, cost: Cost::Scan }
            })
            .await?;
        let mut newest: HashMap<NotificationGroup, Position> = HashMap::new();
        let mut last = after;
        for row in &rows {
            last = position(row, 0)?;
            newest.insert(group(row, 1)?, last);
        }
        let has_more = rows.len() == ITEMS_AT_ONCE;
        let reached = if has_more { last } else { as_of.max(after) };
        let by_place: BTreeMap<Position, NotificationGroup> =
            newest.into_iter().map(|(group, position)| (position, group)).collect();
        let wanted: Vec<NotificationGroup> = by_place.values().copied().collect();
        let mut found = self.among(of, &wanted).await?;
        let notifications =
            by_place.into_iter().filter_map(|(position, group)| Some((position, found.remove(&group)?))).collect();
        Ok(Received { notifications, reached, has_more })
    }

    /// Whose these orders are, as far as is known.
    pub(super) async fn customers(&self, orders: &[OrderId]) -> Result<Vec<UserId>, QueryError> {
        let mut customers = Vec::new();
        for some in orders.chunks(ASKED_AT_ONCE) {
            let (marks, ids) = several(ASKED_AT_ONCE, 1, some.iter().map(|order| order.uuid()));
            let rows = self
                .select(|tables| {
                    let orders = Names::of(tables).orders;
                    let sql = format!("SELECT customer FROM {orders} WHERE order_id IN ({marks})");
                    Query { sql: sql.into(), params: ids.clone(), cost: Cost::Point }
                })
                .await?;
            for row in &rows {
                customers.push(UserId::new(row.uuid(0)?));
            }
        }
        Ok(customers)
    }

    /// Those of these groups in which something is shown.
    async fn among(
        &self,
        of: UserId,
        wanted: &[NotificationGroup],
    ) -> Result<HashMap<NotificationGroup, Notification>, QueryError> {
        let mut found = HashMap::new();
        for some in wanted.chunks(ASKED_AT_ONCE) {
            let (marks, subjects) = several(ASKED_AT_ONCE, 2, some.iter().map(|group| group.subject));
            let rows = self
                .select(|tables| {
                    let sql = format!(
                        "{} WHERE g.recipient = $1 AND g.subject IN ({marks}) AND g.newest_moment IS NOT NULL",
                        groups(&Names::of(tables))
                    );
                    Query { sql: sql.into(), params: [&[person(of)], subjects.as_slice()].concat(), cost: Cost::Scan }
                })
                .await?;
            for row in &rows {
                let one = notification(row)?;
                found.insert(one.group, one);
            }
        }
        Ok(found)
    }
}

/// What is asked of groups `g`: who did it and what happened to an order come with them, in the same moment.
fn groups(names: &Names) -> String {
    let Names { items, groups, inboxes, reads, .. } = names;
    let newest = |what: &str, nth: usize| {
        format!(
            "(SELECT i.{what} FROM {items} i WHERE i.recipient = g.recipient AND i.kind = g.kind \
             AND i.subject = g.subject AND i.is_shown = 1 ORDER BY i.moment DESC, i.position DESC LIMIT 1 OFFSET {nth})"
        )
    };
    let sources: Vec<String> = (0..NEWEST_ACTORS_MAX).map(|nth| newest("source", nth)).collect();
    format!(
        "SELECT g.kind, g.subject, g.shown, g.newest_moment, g.newest_position, n.seen_up_to, n.read_up_to, r.up_to, \
         {what}, {sources} FROM {groups} g LEFT JOIN {inboxes} n ON n.user_id = g.recipient \
         LEFT JOIN {reads} r ON r.user_id = g.recipient AND r.kind = g.kind AND r.subject = g.subject",
        what = newest("what", 0),
        sources = sources.join(", ")
    )
}

fn notification(row: &Row) -> Result<Notification, ReadStoreError> {
    let broken = |column, wanted| ReadStoreError::Column { column, wanted };
    let moment = row.int(3)?;
    let mark = |column| if row.is_null(column) { Ok(None) } else { row.int(column).map(Some) };
    let (seen, read, read_by_itself) = (mark(5)?, mark(6)?, mark(7)?);
    let is_read_by_itself = read_by_itself >= Some(moment);
    let order_news = if row.is_null(8) {
        None
    } else {
        Some(OrderNews::parse(row.text(8)?).ok_or(broken(8, "what happened to an order"))?)
    };
    let mut newest_actors = Vec::new();
    for column in 9..9 + NEWEST_ACTORS_MAX {
        // What happens to an order, nobody in particular does.
        if order_news.is_none() && !row.is_null(column) {
            newest_actors.push(UserId::new(row.uuid(column)?));
        }
    }
    Ok(Notification {
        group: group(row, 0)?,
        count: u64::try_from(row.int(2)?).unwrap_or(0),
        newest_actors,
        order_news,
        moment: Timestamp::from_timestamp_micros(moment).ok_or(broken(3, "a moment"))?,
        position: position(row, 4)?,
        is_seen: seen >= Some(moment) || is_read_by_itself,
        is_read: read >= Some(moment) || is_read_by_itself,
    })
}

/// Kind and subject, from this column on.
fn group(row: &Row, column: usize) -> Result<NotificationGroup, ReadStoreError> {
    let kind = parse(row.text(column)?).ok_or(ReadStoreError::Column { column, wanted: "a kind of notifications" })?;
    Ok(NotificationGroup { kind, subject: row.uuid(column + 1)? })
}

fn position(row: &Row, column: usize) -> Result<Position, ReadStoreError> {
    let number =
        u64::try_from(row.int(column)?).map_err(|_| ReadStoreError::Column { column, wanted: "a position" })?;
    Ok(Position::new(number))
}
