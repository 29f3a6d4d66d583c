//! Statements about posts: where they stand, whose feeds they are written into, likes and hashtags.

use domain::{
    Timestamp,
    post::{PostEvent, Published, Visibility},
    reaction::ReactionEvent,
    values::{Hashtag, PostId, UserId},
};
use infrastructure::read_store::{Statement, Value};

use super::super::{
    people::sql::{here, leave},
    sql::{Change, Names},
};
use crate::{Invariant, values::person};

/// What a post weighs in a chunk without its entries: so a chunk ends, and with it what is looked through at once, where
/// nobody follows anybody.
const POST_WEIGHT: i64 = 64;

pub(in crate::social_graph) fn create(names: &Names) -> Vec<String> {
    let Names { posts, likes, tags, entries, chunks, state, .. } = names;
    vec![
        // `has_entries`: its author was not too large for it to be written into feeds, and it did not come late.
        format!(
            "CREATE TABLE IF NOT EXISTS {posts} (
                position BIGINT NOT NULL PRIMARY KEY,
                post_id UUID NOT NULL,
                author UUID NOT NULL,
                of_post UUID,
                of_author UUID,
                parent UUID,
                parent_author UUID,
                is_public BIGINT NOT NULL,
                has_entries BIGINT NOT NULL,
                is_deleted BIGINT NOT NULL,
                likes BIGINT NOT NULL,
                reposts BIGINT NOT NULL,
                replies BIGINT NOT NULL
            )"
        ),
        format!("CREATE UNIQUE INDEX IF NOT EXISTS {posts}_id ON {posts} (post_id)"),
        format!("CREATE INDEX IF NOT EXISTS {posts}_of ON {posts} (of_post, author) WHERE of_post IS NOT NULL"),
        format!("CREATE INDEX IF NOT EXISTS {posts}_parent ON {posts} (parent, position) WHERE parent IS NOT NULL"),
        format!(
            "CREATE TABLE IF NOT EXISTS {likes} (
                post_id UUID NOT NULL,
                user_id UUID NOT NULL,
                since BIGINT NOT NULL,
                PRIMARY KEY (post_id, user_id)
            )"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {tags} (
                tag TEXT NOT NULL,
                position BIGINT NOT NULL,
                post_id UUID NOT NULL,
                PRIMARY KEY (tag, position)
            )"
        ),
        format!("CREATE INDEX IF NOT EXISTS {tags}_post ON {tags} (post_id)"),
        format!(
            "CREATE TABLE IF NOT EXISTS {entries} (
                chunk BIGINT NOT NULL,
                reader UUID NOT NULL,
                position BIGINT NOT NULL,
                PRIMARY KEY (chunk, reader, position)
            )"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {chunks} (
                chunk BIGINT NOT NULL PRIMARY KEY,
                first_position BIGINT NOT NULL
            )"
        ),
        format!("CREATE INDEX IF NOT EXISTS {chunks}_first ON {chunks} (first_position)"),
        format!("INSERT INTO {chunks} (chunk, first_position) VALUES (0, 0) ON CONFLICT (chunk) DO NOTHING"),
        format!(
            "CREATE TABLE IF NOT EXISTS {state} (
                id BIGINT NOT NULL PRIMARY KEY,
                chunk BIGINT NOT NULL,
                filled BIGINT NOT NULL,
                newest BIGINT NOT NULL
            )"
        ),
        format!("INSERT INTO {state} (id, chunk, filled, newest) VALUES (1, 0, 0, 0) ON CONFLICT (id) DO NOTHING"),
    ]
}

/// The index by which timelines are read, and what has no entries.
pub(in crate::social_graph) fn finish(Names { posts, .. }: &Names) -> Vec<String> {
    vec![format!("CREATE INDEX IF NOT EXISTS {posts}_author ON {posts} (author, position)")]
}

pub(in crate::social_graph) fn invariants(names: &Names) -> Vec<Invariant> {
    let Names { people, posts, likes, entries, .. } = names;
    let differ = |count: &str, counted: &str| {
        format!(
            "SELECT count(*) FROM {posts} p LEFT JOIN ({counted}) c ON c.post_id = p.post_id \
             WHERE p.of_post IS NULL AND p.{count} <> coalesce(c.n, 0)"
        )
    };
    let likes = differ("likes", &format!("SELECT post_id, count(*) AS n FROM {likes} GROUP BY post_id"));
    let reposts = differ(
        "reposts",
        &format!("SELECT of_post AS post_id, count(*) AS n FROM {posts} WHERE of_post IS NOT NULL GROUP BY of_post"),
    );
    let replies = differ(
        "replies",
        &format!(
            "SELECT parent AS post_id, count(*) AS n FROM {posts} \
             WHERE parent IS NOT NULL AND is_deleted = 0 GROUP BY parent"
        ),
    );
    vec![
        Invariant { says: "a post has as many likes as people like it", violations: likes },
        Invariant { says: "a post has as many reposts as there are", violations: reposts },
        Invariant { says: "a post has as many replies as are there", violations: replies },
        Invariant {
            says: "everybody has as many posts as are there",
            violations: format!(
                "SELECT count(*) FROM {people} p LEFT JOIN (SELECT author, count(*) AS n FROM {posts} \
                 WHERE of_post IS NULL AND is_deleted = 0 GROUP BY author) c ON c.author = p.user_id \
                 WHERE p.posts <> coalesce(c.n, 0)"
            ),
        },
        Invariant {
            says: "no post is twice among somebody's entries",
            violations: format!(
                "SELECT count(*) FROM \
                 (SELECT reader, position FROM {entries} GROUP BY reader, position HAVING count(*) > 1) twice"
            ),
        },
    ]
}

/// What happened to a post.
pub(in crate::social_graph) fn happened(change: &Change, event: &PostEvent) -> Vec<Statement> {
    match event {
        PostEvent::Published(published) => said(change, published),
        PostEvent::Reposted { post, author, of, of_author, at } => {
            let place = Standing { of: Some((*of, *of_author)), ..Standing::of(*post, *author) };
            [deleted(change, *post), vec![counted(change, "reposts", *of)], placed(change, &place, *at)].concat()
        }
        PostEvent::Edited { post, author, content, at } => {
            let mut statements = here(change, *author, *at);
            statements.push(by_id(format!("DELETE FROM {} WHERE post_id = $1", change.names.tags), *post));
            statements.push(tagged(change, *post, &content.hashtags));
            statements
        }
        PostEvent::Deleted { post, author, at } => [here(change, *author, *at), deleted(change, *post)].concat(),
    }
}

/// What somebody thinks of a post.
pub(in crate::social_graph) fn reacted(change: &Change, event: &ReactionEvent) -> Vec<Statement> {
    let Names { posts, likes, .. } = &change.names;
    let count = |step: &str, exists: &str, post: PostId, by: UserId| {
        let sql = format!(
            "UPDATE {posts} SET likes = likes {step} WHERE post_id = $1 AND {exists} \
             (SELECT 1 FROM {likes} WHERE post_id = $1 AND user_id = $2)"
        );
        Statement::once(sql, vec![Value::Uuid(post.uuid()), person(by)])
    };
    let (statements, by, at) = match event {
        ReactionEvent::Liked { post, by, at, .. } => {
            let sql = format!(
                "INSERT INTO {likes} (post_id, user_id, since) VALUES ($1, $2, $3) \
                 ON CONFLICT (post_id, user_id) DO NOTHING"
            );
            let like = Statement::once(sql, vec![Value::Uuid(post.uuid()), person(*by), change.place()]);
            (vec![count("+ 1", "NOT EXISTS", *post, *by), like], *by, *at)
        }
        ReactionEvent::Unliked { post, by, at, .. } => {
            let sql = format!("DELETE FROM {likes} WHERE post_id = $1 AND user_id = $2");
            let unlike = Statement::once(sql, vec![Value::Uuid(post.uuid()), person(*by)]);
            (vec![count("- 1", "EXISTS", *post, *by), unlike], *by, *at)
        }
    };
    [here(change, by, at), statements].concat()
}

/// Where a post stands among others, and for whom.
struct Standing {
    post: PostId,
    author: UserId,
    of: Option<(PostId, UserId)>,
    parent: Option<(PostId, UserId)>,
    visibility: Visibility,
}

impl Standing {
    const fn of(post: PostId, author: UserId) -> Self {
        Self { post, author, of: None, parent: None, visibility: Visibility::Public }
    }
}

fn said(change: &Change, published: &Published) -> Vec<Statement> {
    let Published { post, author, content, visibility, reply, at, .. } = published;
    let parent = reply.map(|reply| (reply.parent, reply.parent_author));
    let place = Standing { parent, visibility: *visibility, ..Standing::of(*post, *author) };
    let mut statements = placed(change, &place, *at);
    let people = &change.names.people;
    statements.push(Statement::once(
        format!("UPDATE {people} SET posts = posts + 1 WHERE user_id = $1"),
        vec![person(*author)],
    ));
    statements.extend(parent.map(|(parent, _)| counted(change, "replies", parent)));
    statements.push(tagged(change, *post, &content.hashtags));
    statements
}

/// One more of these.
fn counted(change: &Change, what: &str, post: PostId) -> Statement {
    by_id(format!("UPDATE {} SET {what} = {what} + 1 WHERE post_id = $1", change.names.posts), post)
}

/// A post gets its place, and entries in the feeds of those who follow its author unless they are too many.
fn placed(change: &Change, place: &Standing, at: Timestamp) -> Vec<Statement> {
    let Names { people, posts, likes, state, .. } = &change.names;
    // An event that could not be applied at once comes late: others may like or answer the post already.
    let sql = format!(
        "INSERT INTO {posts} (position, post_id, author, of_post, of_author, parent, parent_author, is_public, \
         has_entries, is_deleted, likes, reposts, replies) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
         (SELECT CASE WHEN p.followers <= {large} AND s.newest < $1 THEN 1 ELSE 0 END \
          FROM {people} p CROSS JOIN {state} s WHERE p.user_id = $3), 0, \
         (SELECT count(*) FROM {likes} WHERE post_id = $2), \
         (SELECT count(*) FROM {posts} WHERE of_post = $2), \
         (SELECT count(*) FROM {posts} WHERE parent = $2 AND is_deleted = 0))",
        large = change.large
    );
    let other = |other: Option<(PostId, UserId)>| {
        other.map_or([Value::Null, Value::Null], |(post, author)| [Value::Uuid(post.uuid()), person(author)])
    };
    let is_public = match place.visibility {
        Visibility::Public => 1,
        Visibility::Followers => 0,
    };
    let itself = [change.place(), Value::Uuid(place.post.uuid()), person(place.author)];
    let others = [other(place.of), other(place.parent)].concat();
    let insert = Statement::once(sql, [itself.as_slice(), &others, &[Value::Int(is_public)]].concat());
    let mut statements = leave(change, at);
    statements.extend(here(change, place.author, at));
    statements.push(insert);
    statements.extend(fan_out(change, place.author));
    statements
}

fn fan_out(change: &Change, author: UserId) -> Vec<Statement> {
    let Names { people, follows, posts, entries, chunks, state, .. } = &change.names;
    let (large, chunk) = (change.large, change.chunk);
    // The chunks of its time are over. Large authors are looked up as it is.
    let late = format!(
        "UPDATE {follows} SET look_until = $1 WHERE look_until < $1 AND followee = \
         (SELECT a.user_id FROM {posts} p CROSS JOIN {state} s JOIN {people} a ON a.user_id = p.author \
         WHERE p.position = $1 AND s.newest > $1 AND a.was_large = 0)"
    );
    let newest = format!("UPDATE {state} SET newest = $1 WHERE newest < $1");
    let next = format!(
        "INSERT INTO {chunks} (chunk, first_position) \
         SELECT chunk + 1, CAST($1 AS BIGINT) FROM {state} WHERE filled >= {chunk} AND newest = $1"
    );
    let empty = format!("UPDATE {state} SET chunk = chunk + 1, filled = 0 WHERE filled >= {chunk} AND newest = $1");
    // In the order of the key, so that what is written lies side by side.
    let write = format!(
        "INSERT INTO {entries} (chunk, reader, position) \
         SELECT s.chunk, f.follower, CAST($1 AS BIGINT) FROM {state} s CROSS JOIN {follows} f \
         WHERE f.followee = (SELECT author FROM {posts} WHERE position = $1 AND has_entries = 1) \
         AND f.entries_after < $1 ORDER BY f.follower"
    );
    let fill = format!(
        "UPDATE {state} SET filled = filled + {POST_WEIGHT} + \
         (SELECT CASE WHEN followers <= {large} THEN followers ELSE 0 END FROM {people} WHERE user_id = $1)"
    );
    vec![
        Statement::once(late, vec![change.place()]),
        Statement::once(newest, vec![change.place()]),
        Statement::once(next, vec![change.place()]),
        Statement::once(empty, vec![change.place()]),
        Statement::once(write, vec![change.place()]),
        Statement::once(fill, vec![person(author)]),
    ]
}

/// A post is taken back. One that shows another one leaves nothing; of others it is remembered that they were there.
fn deleted(change: &Change, post: PostId) -> Vec<Statement> {
    let Names { people, posts, tags, .. } = &change.names;
    let was = |column: &str| format!("(SELECT {column} FROM {posts} WHERE post_id = $1 AND is_deleted = 0)");
    let statements = [
        format!("UPDATE {posts} SET reposts = reposts - 1 WHERE post_id = {}", was("of_post")),
        format!("UPDATE {posts} SET replies = replies - 1 WHERE post_id = {}", was("parent")),
        format!(
            "UPDATE {people} SET posts = posts - 1 WHERE user_id = \
             (SELECT author FROM {posts} WHERE post_id = $1 AND is_deleted = 0 AND of_post IS NULL)"
        ),
        format!("DELETE FROM {tags} WHERE post_id = $1"),
        format!("UPDATE {posts} SET is_deleted = 1 WHERE post_id = $1"),
    ];
    let mut statements: Vec<_> = statements.into_iter().map(|sql| by_id(sql, post)).collect();
    statements.push(gone(change, post));
    statements
}

/// A repost is there no longer.
fn gone(change: &Change, post: PostId) -> Statement {
    by_id(format!("DELETE FROM {} WHERE post_id = $1 AND of_post IS NOT NULL", change.names.posts), post)
}

fn tagged(change: &Change, post: PostId, hashtags: &[Hashtag]) -> Statement {
    let Names { posts, tags, .. } = &change.names;
    let sql = format!(
        "INSERT INTO {tags} (tag, position, post_id) SELECT CAST($1 AS TEXT), position, post_id FROM {posts} \
         WHERE post_id = $2 AND is_deleted = 0 ON CONFLICT (tag, position) DO NOTHING"
    );
    let row = |tag: &Hashtag| vec![Value::Text(tag.as_str().to_owned()), Value::Uuid(post.uuid())];
    Statement::each(sql, hashtags.iter().map(row).collect())
}

fn by_id(sql: String, post: PostId) -> Statement {
    Statement::once(sql, vec![Value::Uuid(post.uuid())])
}
