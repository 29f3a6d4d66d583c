//! Reading a home feed.

use std::collections::HashSet;

use domain::values::{PostId, UserId};
use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStore, ReadStoreError, Row, Value},
};

use super::{
    super::{SocialGraph, sql::Names},
    Entry, FeedPage, Read, Stretch, Way,
};
use crate::{
    QueryError, ServedTables,
    bookkeeping::number_of,
    values::{person, several},
};

/// How many more entries are read than the page lacks: some of them are not shown.
const SPARE: usize = 12;
/// How many readers are asked about at once.
const READERS_AT_ONCE: usize = 256;

impl<const LARGE: i64, const WIDE: i64, const CHUNK: i64> ServedTables<SocialGraph<LARGE, WIDE, CHUNK>> {
    /// The newest `first` posts of a feed before some position.
    pub async fn home_feed(
        &self,
        reader: UserId,
        before: Option<Position>,
        first: usize,
    ) -> Result<FeedPage, QueryError> {
        let as_of = self.position();
        // What is applied while the page is read is not in it, or it would be there in part.
        let until = number_of(as_of) + 1;
        let until = before.map_or(until, |before| until.min(number_of(before)));
        let (entries, has_more) = self
            .read(move |store, tables| async move {
                Feed { store: &*store, names: Names::of(&tables), reader }.older(until, first).await
            })
            .await?;
        Ok(FeedPage { entries, has_more, as_of })
    }

    /// The oldest `first` posts of a feed after some position, oldest first.
    pub async fn home_feed_since(&self, reader: UserId, after: Position, first: usize) -> Result<FeedPage, QueryError> {
        let as_of = self.position();
        let (from, until) = (number_of(after).saturating_add(1), number_of(as_of) + 1);
        let (entries, has_more) = self
            .read(move |store, tables| async move {
                Feed { store: &*store, names: Names::of(&tables), reader }.newer(from, until, first).await
            })
            .await?;
        Ok(FeedPage { entries, has_more, as_of })
    }
}

impl<const LARGE: i64, const WIDE: i64, const CHUNK: i64> ServedTables<SocialGraph<LARGE, WIDE, CHUNK>> {
    /// In whose feeds the post at this position is, of these readers.
    pub(in crate::social_graph) async fn shown_to(
        &self,
        position: Position,
        readers: &[UserId],
    ) -> Result<HashSet<UserId>, QueryError> {
        let mut shown_to = HashSet::new();
        for some in readers.chunks(READERS_AT_ONCE) {
            let (marks, ids) = several(READERS_AT_ONCE, 2, some.iter().map(|user| user.uuid()));
            let rows = self
                .select(|tables| {
                    let names = Names::of(tables);
                    let Names { follows, posts, .. } = &names;
                    let sql = format!(
                        "SELECT f.follower FROM {posts} p CROSS JOIN {follows} f \
                         WHERE p.position = $1 AND f.followee = p.author AND f.follower IN ({marks}) AND {follower} \
                         UNION ALL SELECT p.author FROM {posts} p \
                         WHERE p.position = $1 AND p.author IN ({marks}) AND {author}",
                        follower = shown(&names, "f.follower"),
                        author = shown(&names, "p.author"),
                    );
                    let params = [&[Value::Int(number_of(position))], ids.as_slice()].concat();
                    Query { sql: sql.into(), params, cost: Cost::Scan }
                })
                .await?;
            for row in &rows {
                shown_to.insert(UserId::new(row.uuid(0)?));
            }
        }
        Ok(shown_to)
    }
}

/// A feed of one generation.
struct Feed<'a> {
    store: &'a dyn ReadStore,
    names: Names,
    reader: UserId,
}

impl Feed<'_> {
    async fn older(&self, until: i64, first: usize) -> Result<(Vec<Entry>, bool), ReadStoreError> {
        let mut found = Vec::new();
        let Some(mut last_chunk) = self.chunk_at(until - 1).await? else { return Ok((found, false)) };
        // Where little is found, more is looked through at once.
        let (mut until, mut chunks) = (until, 1);
        while found.len() <= first && until > 0 {
            let first_chunk = (last_chunk + 1 - chunks).max(0);
            let from = self.first_of(first_chunk).await?.unwrap_or_default();
            while found.len() <= first && until > from {
                let stretch = Stretch { from, until, first_chunk, last_chunk };
                let read = self.read(Way::Older, stretch, first + 1 - found.len()).await?;
                found.extend(read.entries);
                until = read.reached;
            }
            if first_chunk == 0 {
                break;
            }
            (last_chunk, chunks) = (first_chunk - 1, chunks * 2);
        }
        let has_more = found.len() > first;
        found.truncate(first);
        Ok((found, has_more))
    }

    async fn newer(&self, from: i64, until: i64, first: usize) -> Result<(Vec<Entry>, bool), ReadStoreError> {
        let mut found = Vec::new();
        let Some(mut first_chunk) = self.chunk_at(from).await? else { return Ok((found, false)) };
        let (mut from, mut chunks) = (from, 1);
        while found.len() <= first && from < until {
            let last_chunk = first_chunk + chunks - 1;
            let end = self.first_of(last_chunk + 1).await?.map_or(until, |next| next.min(until));
            while found.len() <= first && from < end {
                let stretch = Stretch { from, until: end, first_chunk, last_chunk };
                let read = self.read(Way::Newer, stretch, first + 1 - found.len()).await?;
                found.extend(read.entries);
                from = read.reached;
            }
            (first_chunk, chunks) = (last_chunk + 1, chunks * 2);
        }
        let has_more = found.len() > first;
        found.truncate(first);
        Ok((found, has_more))
    }

    /// The chunk in which this position lies.
    async fn chunk_at(&self, position: i64) -> Result<Option<i64>, ReadStoreError> {
        let sql = format!(
            "SELECT chunk FROM {} WHERE first_position <= $1 ORDER BY first_position DESC LIMIT 1",
            self.names.chunks
        );
        let rows = self.ask(sql, vec![Value::Int(position)], Cost::Point).await?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    async fn first_of(&self, chunk: i64) -> Result<Option<i64>, ReadStoreError> {
        let sql = format!("SELECT first_position FROM {} WHERE chunk = $1", self.names.chunks);
        let rows = self.ask(sql, vec![Value::Int(chunk)], Cost::Point).await?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    /// What of a stretch is to be shown, about as many as are wanted.
    async fn read(&self, way: Way, stretch: Stretch, wanted: usize) -> Result<Read, ReadStoreError> {
        let limit = wanted + SPARE;
        let entries = self.entries(way, stretch, limit).await?;
        // What was written ends somewhere: beyond it nothing has to be looked up yet.
        let rest = match way {
            Way::Older => Stretch { from: entries.1, ..stretch },
            Way::Newer => Stretch { until: entries.1, ..stretch },
        };
        let looked_up = self.looked_up(way, rest, limit).await?;
        Ok(way.merged(entries, looked_up))
    }

    /// The reader's entries, and how far they were read. Those that are not shown any more are left out.
    async fn entries(&self, way: Way, stretch: Stretch, limit: usize) -> Result<(Vec<Entry>, i64), ReadStoreError> {
        let Names { follows, posts, entries, chunks, .. } = &self.names;
        let order = order(way);
        let is_one = stretch.first_chunk == stretch.last_chunk;
        // Within one chunk they stand in order.
        let (source, of_chunk) = if is_one {
            (entries.clone(), "e.chunk = $4 AND e.chunk = $5")
        } else {
            (format!("{chunks} c CROSS JOIN {entries}"), "c.chunk >= $4 AND c.chunk <= $5 AND e.chunk = c.chunk")
        };
        let sql = format!(
            "SELECT e.position, p.post_id, p.author, p.of_post FROM \
             (SELECT e.position FROM {source} e WHERE {of_chunk} AND e.reader = $1 AND e.position >= $2 AND e.position < $3 \
              ORDER BY e.position {order} LIMIT {limit}) e \
             LEFT JOIN {posts} p ON p.position = e.position AND p.has_entries = 1 AND EXISTS \
             (SELECT 1 FROM {follows} f WHERE f.follower = $1 AND f.followee = p.author AND f.entries_after < p.position) \
             AND {shown} ORDER BY e.position {order}",
            shown = shown(&self.names, "$1")
        );
        let Stretch { from, until, first_chunk, last_chunk } = stretch;
        let bounds = [from, until, first_chunk, last_chunk].map(Value::Int);
        let params = [vec![person(self.reader)], bounds.into()].concat();
        let rows = self.ask(sql, params, Cost::Scan).await?;
        let last = rows.last().map(|row| row.int(0)).transpose()?;
        let shown = rows.iter().filter(|row| !row.is_null(1)).map(entry).collect::<Result<_, _>>()?;
        Ok((shown, way.end(last, rows.len() == limit, &stretch)))
    }

    /// What has no entry: posts of large authors, from before the reader followed or came back, and their own.
    async fn looked_up(&self, way: Way, stretch: Stretch, limit: usize) -> Result<(Vec<Entry>, i64), ReadStoreError> {
        let Names { people, follows, posts, .. } = &self.names;
        let order = order(way);
        let sql = format!(
            "SELECT p.position, p.post_id, p.author, p.of_post FROM \
             (SELECT followee AS author, entries_after FROM {follows} WHERE follower = $1 AND look_until >= $2 \
              UNION ALL SELECT user_id, {never} FROM {people} WHERE user_id = $1) a \
             CROSS JOIN {posts} p WHERE p.author = a.author AND p.position >= $2 AND p.position < $3 \
             AND (p.has_entries = 0 OR p.position <= a.entries_after) \
             AND {shown} ORDER BY p.position {order} LIMIT {limit}",
            never = super::super::sql::NEVER,
            shown = shown(&self.names, "$1")
        );
        let params = vec![person(self.reader), Value::Int(stretch.from), Value::Int(stretch.until)];
        let rows = self.ask(sql, params, Cost::Scan).await?;
        let last = rows.last().map(|row| row.int(0)).transpose()?;
        let found = rows.iter().map(entry).collect::<Result<_, _>>()?;
        Ok((found, way.end(last, rows.len() == limit, &stretch)))
    }

    async fn ask(&self, sql: String, params: Vec<Value>, cost: Cost) -> Result<Vec<Row>, ReadStoreError> {
        self.store.query(Query { sql: sql.into(), params, cost }).await
    }
}

const fn order(way: Way) -> &'static str {
    match way {
        Way::Older => "DESC",
        Way::Newer => "ASC",
    }
}

/// Whether a post `p` of somebody whom `reader` follows is shown to them. Replies are if they follow both sides of the talk.
fn shown(names: &Names, reader: &str) -> String {
    let Names { follows, hidden, posts, .. } = names;
    let is_hidden =
        |column: &str| format!("EXISTS (SELECT 1 FROM {hidden} h WHERE h.viewer = {reader} AND h.other = {column})");
    format!(
        "p.is_deleted = 0 AND NOT {author} \
         AND (p.of_post IS NULL OR (NOT {of_author} AND EXISTS \
         (SELECT 1 FROM {posts} o WHERE o.post_id = p.of_post AND o.is_deleted = 0))) \
         AND (p.parent_author IS NULL OR p.author = {reader} OR p.parent_author = p.author \
         OR p.parent_author = {reader} OR EXISTS \
         (SELECT 1 FROM {follows} g WHERE g.follower = {reader} AND g.followee = p.parent_author))",
        author = is_hidden("p.author"),
        of_author = is_hidden("p.of_author")
    )
}

/// The entry in a row: position, post, author, and the post that it shows.
pub(in crate::social_graph) fn entry(row: &Row) -> Result<Entry, ReadStoreError> {
    let position =
        u64::try_from(row.int(0)?).map_err(|_| ReadStoreError::Column { column: 0, wanted: "a position" })?;
    Ok(Entry {
        position: Position::new(position),
        post: PostId::new(row.uuid(1)?),
        author: UserId::new(row.uuid(2)?),
        of: if row.is_null(3) { None } else { Some(PostId::new(row.uuid(3)?)) },
    })
}
