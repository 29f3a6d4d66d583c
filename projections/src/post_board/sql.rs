//! The table `post_board`.

use domain::{
    post::{PostState, PublishedPost, Repost, Tombstone, Visibility},
    values::{PostId, UserId},
};
use infrastructure::{
    event_store::{Revision, StreamId},
    read_store::{ReadStoreError, Row, Value},
};
use uuid::Uuid;

use super::{
    NAME, PostBoard, PostRow, VERSION, fold,
    json::{self, StoredPost, StoredRepost, StoredTombstone},
};
use crate::{Decoded, KeyedFold, Sources};

/// Posts are only ever looked up by their keys: what lists them, and by what, are other models.
impl KeyedFold for PostBoard {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &["post."];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("post_id", "UUID NOT NULL"),
        ("kind", "TEXT NOT NULL"),
        ("author_id", "UUID NOT NULL"),
        ("visibility", "TEXT NOT NULL"),
        ("body", "JSONB NOT NULL"),
        ("revision", "BIGINT NOT NULL"),
    ];
    const INDEXES: &'static [&'static str] = &[];

    type Row = PostRow;

    fn key(event: &Decoded) -> Option<Uuid> {
        fold::key(event)
    }

    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new("post", key)])
    }

    fn starts(event: &Decoded) -> bool {
        fold::starts(event)
    }

    fn fold(row: Option<PostRow>, event: &Decoded) -> Option<PostRow> {
        fold::fold(row, event)
    }

    fn write(row: &PostRow) -> Vec<Value> {
        let (kind, visibility, body) = match &row.state {
            PostState::Published(post) => (POST, post.visibility, json::write_post(post)),
            PostState::Reposted(repost) => (REPOST, Visibility::Public, json::write_repost(repost)),
            PostState::Deleted(was) => (DELETED, was.visibility, json::write_tombstone(was)),
            PostState::Unpublished => unreachable!("a row is made of a post that somebody published"),
        };
        vec![
            Value::Uuid(row.post.uuid()),
            Value::Text(kind.to_owned()),
            Value::Uuid(row.author.uuid()),
            Value::Text(visibility_word(visibility).to_owned()),
            Value::Json(body),
            Value::Int(i64::try_from(row.revision.value()).unwrap_or(i64::MAX)),
        ]
    }

    fn read(row: &Row) -> Result<PostRow, ReadStoreError> {
        let broken = |column, wanted| ReadStoreError::Column { column, wanted };
        let (post, author) = (PostId::new(row.uuid(0)?), UserId::new(row.uuid(2)?));
        let visibility = read_visibility(row.text(3)?).ok_or(broken(3, "who may see a post"))?;
        let state = read_state(row.text(1)?, post, author, visibility, row.json(4)?).ok_or(broken(4, "a post"))?;
        let revision = Revision::new(u64::try_from(row.int(5)?).map_err(|_| broken(5, "a revision"))?);
        Ok(PostRow { post, author, state, revision })
    }
}

const POST: &str = "post";
const REPOST: &str = "repost";
const DELETED: &str = "deleted";

fn read_state(kind: &str, post: PostId, author: UserId, visibility: Visibility, body: &str) -> Option<PostState> {
    match kind {
        POST => {
            let stored: StoredPost = json::read(body)?;
            Some(PostState::Published(PublishedPost {
                post,
                author,
                visibility,
                reply: stored.reply(),
                quoted: stored.quoted(),
                edits: stored.edits,
                published_at: stored.published_at,
                updated_at: stored.updated_at,
                content: stored.content(),
            }))
        }
        REPOST => {
            let StoredRepost { at, of, of_author } = json::read(body)?;
            Some(PostState::Reposted(Repost { post, author, of, of_author, at }))
        }
        DELETED => {
            let StoredTombstone { repost_of } = json::read(body)?;
            Some(PostState::Deleted(Tombstone { author, visibility, repost_of }))
        }
        _ => None,
    }
}

const fn visibility_word(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Followers => "followers",
    }
}

fn read_visibility(word: &str) -> Option<Visibility> {
    [Visibility::Public, Visibility::Followers].into_iter().find(|visibility| visibility_word(*visibility) == word)
}
