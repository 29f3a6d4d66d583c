//! Questions about posts: how they are received, and lists of them.

use std::collections::HashMap;

use domain::values::{Hashtag, PostId, UserId};
use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStoreError, Row, Value},
};

use super::{
    super::{
        Entry, FeedPage, SocialGraph,
        home::entry,
        people::sql::is_blocked,
        sql::{ASKED_AT_ONCE, NEVER, Names},
    },
    PostFacts,
};
use crate::{
    QueryError, ServedTables,
    bookkeeping::number_of,
    values::{person, several},
};

impl<const LARGE: i64, const WIDE: i64, const CHUNK: i64> ServedTables<SocialGraph<LARGE, WIDE, CHUNK>> {
    /// How these posts are received, those that `viewer` may see. One that was taken back is there for those who could see
    /// it; a repost that was undone is not.
    pub async fn facts(&self, viewer: UserId, posts: &[PostId]) -> Result<HashMap<PostId, PostFacts>, QueryError> {
        let mut facts = HashMap::new();
        for some in posts.chunks(ASKED_AT_ONCE) {
            let (marks, ids) = several(ASKED_AT_ONCE, 2, some.iter().map(|post| post.uuid()));
            let rows = self
                .select(|tables| {
                    let names = Names::of(tables);
                    let Names { posts, likes, .. } = &names;
                    let sql = format!(
                        "SELECT p.post_id, p.author, p.is_deleted, p.likes, p.reposts, p.replies, \
                         CASE WHEN EXISTS (SELECT 1 FROM {likes} l WHERE l.post_id = p.post_id AND l.user_id = $1) \
                         THEN 1 ELSE 0 END, \
                         CASE WHEN EXISTS (SELECT 1 FROM {posts} r WHERE r.author = $1 AND r.of_post = p.post_id) \
                         THEN 1 ELSE 0 END \
                         FROM {posts} p WHERE p.post_id IN ({marks}) AND {}",
                        seen(&names)
                    );
                    Query { sql: sql.into(), params: [&[person(viewer)], ids.as_slice()].concat(), cost: Cost::Point }
                })
                .await?;
            for row in &rows {
                let of = fact(row)?;
                facts.insert(of.post, of);
            }
        }
        Ok(facts)
    }

    /// What `author` posted and reposted, as `viewer` sees it, newest first.
    pub async fn timeline(
        &self,
        author: UserId,
        viewer: UserId,
        before: Option<Position>,
        first: usize,
    ) -> Result<FeedPage, QueryError> {
        let source = |names: &Names| format!("{} p WHERE p.author = $2 AND p.position < $3", names.posts);
        self.list(source, "p.position DESC", [person(viewer), person(author), place(before, NEVER)], first).await
    }

    /// The posts that answer this one directly, as `viewer` sees them, oldest first.
    pub async fn replies(
        &self,
        parent: PostId,
        viewer: UserId,
        after: Option<Position>,
        first: usize,
    ) -> Result<FeedPage, QueryError> {
        let source = |names: &Names| format!("{} p WHERE p.parent = $2 AND p.position > $3", names.posts);
        let parent = Value::Uuid(parent.uuid());
        self.list(source, "p.position ASC", [person(viewer), parent, place(after, -1)], first).await
    }

    /// The posts with this hashtag that everybody may see, as `viewer` sees them, newest first.
    pub async fn tagged(
        &self,
        tag: &Hashtag,
        viewer: UserId,
        before: Option<Position>,
        first: usize,
    ) -> Result<FeedPage, QueryError> {
        let tag = Value::Text(tag.as_str().to_owned());
        let source = |Names { posts, tags, .. }: &Names| {
            // From the tags on: only these posts are looked at.
            format!(
                "{tags} t CROSS JOIN {posts} p WHERE t.tag = $2 AND t.position < $3 AND p.position = t.position AND p.is_public = 1"
            )
        };
        self.list(source, "t.position DESC", [person(viewer), tag, place(before, NEVER)], first).await
    }

    /// Posts of a source, which is a join up to conditions, in an order of it.
    async fn list(
        &self,
        source: impl Fn(&Names) -> String + Sync,
        order: &str,
        params: [Value; 3],
        first: usize,
    ) -> Result<FeedPage, QueryError> {
        let as_of = self.position();
        let rows = self
            .select(|tables| {
                let names = Names::of(tables);
                let sql = format!(
                    "SELECT p.position, p.post_id, p.author, p.of_post FROM {source} \
                     AND p.is_deleted = 0 AND {seen} ORDER BY {order} LIMIT {limit}",
                    source = source(&names),
                    seen = seen(&names),
                    limit = first + 1
                );
                Query { sql: sql.into(), params: params.clone().into(), cost: Cost::Scan }
            })
            .await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<Entry>, ReadStoreError>>()?;
        let has_more = entries.len() > first;
        entries.truncate(first);
        Ok(FeedPage { entries, has_more, as_of })
    }
}

/// Whether `$1` may see a post `p`: the rule of `domain::post::Seen::by`, for many posts at once. A repost is seen where the
/// post is that it shows.
fn seen(names: &Names) -> String {
    let Names { follows, posts, .. } = names;
    format!(
        "(p.author = $1 OR (NOT {author} AND (p.is_public = 1 OR EXISTS \
         (SELECT 1 FROM {follows} f WHERE f.follower = $1 AND f.followee = p.author)))) \
         AND (p.of_post IS NULL OR (NOT {of_author} AND EXISTS \
         (SELECT 1 FROM {posts} o WHERE o.post_id = p.of_post AND o.is_deleted = 0)))",
        author = is_blocked(names, "p.author"),
        of_author = is_blocked(names, "p.of_author")
    )
}

fn place(position: Option<Position>, otherwise: i64) -> Value {
    Value::Int(position.map_or(otherwise, number_of))
}

fn fact(row: &Row) -> Result<PostFacts, ReadStoreError> {
    let number = |column| row.int(column).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(PostFacts {
        post: PostId::new(row.uuid(0)?),
        author: UserId::new(row.uuid(1)?),
        is_deleted: row.int(2)? != 0,
        likes: number(3)?,
        reposts: number(4)?,
        replies: number(5)?,
        viewer_likes: row.int(6)? != 0,
        viewer_reposts: row.int(7)? != 0,
    })
}
