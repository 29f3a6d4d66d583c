//! What a post is, as its table holds it: JSON.
//!
//! The fields of every struct here stand in the order of their names, because a row must read as it was written in every
//! engine.

use domain::{
    Timestamp,
    post::{Content, Media, Mention, PublishedPost, Quoted, Reply, Repost, Tombstone},
    values::{AltText, Handle, Hashtag, MediaUrl, PostId, PostText, ProductId, UserId},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A post that is there, as JSON.
pub(super) fn write_post(post: &PublishedPost) -> String {
    let PublishedPost { content, reply, quoted, edits, published_at, updated_at, .. } = post;
    let Content { text, media, product, mentions, hashtags } = content;
    written(&StoredPost {
        edits: *edits,
        hashtags: hashtags.clone(),
        media: media.iter().map(|Media { url, alt }| StoredMedia { alt: alt.clone(), url: url.clone() }).collect(),
        mentions: mentions.iter().map(StoredMention::of).collect(),
        product: *product,
        published_at: *published_at,
        quoted: quoted.map(|Quoted { post, author }| StoredQuoted { author, post }),
        reply: reply.map(StoredReply::of),
        text: text.clone(),
        updated_at: *updated_at,
    })
}

/// A repost, as JSON.
pub(super) fn write_repost(repost: &Repost) -> String {
    let Repost { of, of_author, at, .. } = *repost;
    written(&StoredRepost { at, of, of_author })
}

/// What is left of a post, as JSON.
pub(super) fn write_tombstone(was: &Tombstone) -> String {
    written(&StoredTombstone { repost_of: was.repost_of })
}

fn written(stored: &impl Serialize) -> String {
    serde_json::to_string(stored).expect("a post is plain data")
}

/// What this JSON says; none if it is not of this form.
pub(super) fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// A post without what has columns of its own.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredPost {
    pub(super) edits: u32,
    hashtags: Vec<Hashtag>,
    media: Vec<StoredMedia>,
    mentions: Vec<StoredMention>,
    product: Option<ProductId>,
    pub(super) published_at: Timestamp,
    quoted: Option<StoredQuoted>,
    reply: Option<StoredReply>,
    text: Option<PostText>,
    pub(super) updated_at: Timestamp,
}

impl StoredPost {
    pub(super) fn reply(&self) -> Option<Reply> {
        self.reply.as_ref().map(|StoredReply { depth, parent, parent_author, root }| Reply {
            parent: *parent,
            parent_author: *parent_author,
            root: *root,
            depth: *depth,
        })
    }

    pub(super) fn quoted(&self) -> Option<Quoted> {
        self.quoted.as_ref().map(|StoredQuoted { author, post }| Quoted { post: *post, author: *author })
    }

    pub(super) fn content(self) -> Content {
        let media = self.media.into_iter().map(|StoredMedia { alt, url }| Media { url, alt });
        let mentions = self.mentions.into_iter().map(|StoredMention { handle, user }| Mention { user, handle });
        Content {
            text: self.text,
            media: media.collect(),
            product: self.product,
            mentions: mentions.collect(),
            hashtags: self.hashtags,
        }
    }
}

#[derive(Deserialize, Serialize)]
struct StoredMedia {
    alt: Option<AltText>,
    url: MediaUrl,
}

#[derive(Deserialize, Serialize)]
struct StoredMention {
    handle: Handle,
    user: UserId,
}

impl StoredMention {
    fn of(Mention { user, handle }: &Mention) -> Self {
        Self { handle: handle.clone(), user: *user }
    }
}

#[derive(Deserialize, Serialize)]
struct StoredQuoted {
    author: UserId,
    post: PostId,
}

#[derive(Deserialize, Serialize)]
struct StoredReply {
    depth: u32,
    parent: PostId,
    parent_author: UserId,
    root: PostId,
}

impl StoredReply {
    const fn of(Reply { parent, parent_author, root, depth }: Reply) -> Self {
        Self { depth, parent, parent_author, root }
    }
}

/// A repost without what has columns of its own.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredRepost {
    pub(super) at: Timestamp,
    pub(super) of: PostId,
    pub(super) of_author: UserId,
}

/// A tombstone without what has columns of its own.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredTombstone {
    pub(super) repost_of: Option<PostId>,
}
