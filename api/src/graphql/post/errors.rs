//! What can be wrong with a post's mutation, for programs and for people.

#[cfg(test)]
mod tests;

use std::fmt::Display;

use async_graphql::{Enum, ID, SimpleObject};
use domain::post::PostRejection;

use crate::graphql::{
    node::global,
    user_error::{coded, path},
};

/// What can be wrong with a post's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum PostErrorCode {
    /// The caller has no profile.
    NoProfile,
    /// Nothing in the text can be seen.
    TextEmpty,
    /// The text has too many characters.
    TextTooLong,
    /// The text has few characters, and they take too many bytes.
    TextTooManyBytes,
    /// The text has a character that cannot be shown.
    TextUnshowable,
    /// The text changes the writing direction and does not change it back.
    TextDirection,
    /// A character of the text has too many marks on it.
    TextStacked,
    /// The post has neither a text nor a picture.
    NothingSaid,
    /// The address of a picture is malformed or too long.
    MediaUrlMalformed,
    /// The address of a picture does not begin with `https://`.
    MediaUrlNotHttps,
    /// The address of a picture has a number for a host, no full name, or a user.
    MediaUrlHost,
    /// The post has over 4 pictures.
    TooManyMedia,
    /// The same picture is there twice.
    MediaRepeated,
    /// The post mentions over 20 people.
    TooManyMentions,
    /// The post has over 30 hashtags.
    TooManyHashtags,
    /// There is no such product.
    UnknownProduct,
    /// The product is offered no longer.
    RetiredProduct,
    /// There is no such post, or the caller does not see it.
    PostNotFound,
    /// The post is deleted, which is final.
    PostDeleted,
    /// The post is somebody else's.
    NotAuthor,
    /// The post was edited 100 times.
    TooManyEdits,
    /// A post with this id exists or existed.
    AlreadyPublished,
    /// There is no post to answer, quote or repost, or the caller does not see it.
    TargetNotFound,
    /// The post to answer, quote or repost is deleted.
    TargetDeleted,
    /// The post is a repost, which has no words of its own; `postId` is the post that it shows.
    TargetIsRepost,
    /// The post is for followers only: it is neither quoted nor reposted.
    NotPublic,
    /// A post cannot answer itself.
    AnswersItself,
    /// The thread is 1,000 answers deep.
    ThreadTooDeep,
    /// The post is not at `expectedVersion`.
    VersionConflict,
}

/// Something wrong with a post's mutation.
#[derive(Debug, SimpleObject)]
pub(super) struct PostUserError {
    /// What, for programs.
    pub(super) code: PostErrorCode,
    /// What, for people.
    pub(super) message: String,
    /// Where in the input.
    pub(super) field: Vec<String>,
    /// For `TARGET_IS_REPOST`: the post that it shows.
    pub(super) post_id: Option<ID>,
    /// For `VERSION_CONFLICT`: the version it is at.
    pub(super) current_version: Option<i32>,
}

impl PostUserError {
    pub(super) fn new(code: PostErrorCode, message: &dyn Display, field: Vec<String>) -> Self {
        Self { code, message: message.to_string(), field, post_id: None, current_version: None }
    }

    /// What the rules refuse with this code.
    pub(super) fn of(code: &'static str, message: &dyn Display, field: Vec<String>) -> Self {
        Self::new(coded(code), message, field)
    }
}

/// What a client is told of a rejection. `target` is the field that names the post to answer, quote or repost.
pub(super) fn rejected(rejection: PostRejection, target: &str) -> PostUserError {
    let (field, shown) = match rejection {
        PostRejection::NoProfile | PostRejection::AlreadyPublished => (path([]), None),
        PostRejection::NothingSaid | PostRejection::TooManyMentions(_) | PostRejection::TooManyHashtags(_) => {
            (path([&"text"]), None)
        }
        PostRejection::TooManyMedia(_) | PostRejection::MediaRepeated => (path([&"media"]), None),
        PostRejection::UnknownProduct | PostRejection::RetiredProduct => (path([&"productId"]), None),
        PostRejection::NotFound | PostRejection::Deleted | PostRejection::NotAuthor | PostRejection::TooManyEdits => {
            (path([&"id"]), None)
        }
        PostRejection::TargetNotFound | PostRejection::TargetDeleted | PostRejection::NotPublic => {
            (path([&target]), None)
        }
        PostRejection::TargetIsRepost { of } => (path([&target]), Some(global(of))),
        PostRejection::AnswersItself | PostRejection::ThreadTooDeep => (path([&"replyToId"]), None),
    };
    PostUserError { post_id: shown, ..PostUserError::of(rejection.code(), &rejection, field) }
}
