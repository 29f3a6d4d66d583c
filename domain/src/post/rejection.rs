//! Why a post's command is refused.

use super::{POST_EDITS_MAX, POST_HASHTAGS_MAX, POST_MEDIA_MAX, POST_MENTIONS_MAX, THREAD_DEPTH_MAX, Unseen};
use crate::values::PostId;

/// An answer to whoever asked; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostRejection {
    /// Whoever asks is not visible to others.
    #[error("you have no profile: create one first")]
    NoProfile,
    /// The id is taken.
    #[error("the post was published already: give the next one another id")]
    AlreadyPublished,
    /// Neither words nor pictures.
    #[error("the post says nothing: give it a text or a picture")]
    NothingSaid,
    /// Over [`POST_MEDIA_MAX`].
    #[error("a post has at most {POST_MEDIA_MAX} pictures, not {0}: leave some out")]
    TooManyMedia(usize),
    /// The same picture twice.
    #[error("the same picture is there twice: leave one out")]
    MediaRepeated,
    /// Over [`POST_MENTIONS_MAX`].
    #[error("a post mentions at most {POST_MENTIONS_MAX} people, not {0}: leave some out")]
    TooManyMentions(usize),
    /// Over [`POST_HASHTAGS_MAX`].
    #[error("a post has at most {POST_HASHTAGS_MAX} hashtags, not {0}: leave some out")]
    TooManyHashtags(usize),
    /// The catalogue does not know it.
    #[error("there is no such product: check its id")]
    UnknownProduct,
    /// It is offered no longer.
    #[error("the product is offered no longer: choose another one")]
    RetiredProduct,
    /// There is no such post, or none for whoever asks.
    #[error("there is no such post: check its id")]
    NotFound,
    /// It was taken back, which is final.
    #[error("the post is deleted: it cannot be changed any more")]
    Deleted,
    /// It is somebody else's.
    #[error("only its author changes a post")]
    NotAuthor,
    /// Often enough.
    #[error("a post is edited at most {POST_EDITS_MAX} times: publish another one")]
    TooManyEdits,
    /// There is no such post to answer, quote or repost, or none for whoever asks.
    #[error("there is no such post to answer or pass on: check its id")]
    TargetNotFound,
    /// The post to answer, quote or repost was taken back.
    #[error("the post to answer or pass on is deleted")]
    TargetDeleted,
    /// A repost has no words of its own.
    #[error("that is a repost: take the post that it shows")]
    TargetIsRepost {
        /// The post that it shows.
        of: PostId,
    },
    /// It is for its author's followers.
    #[error("the post is for followers only: it is not passed on")]
    NotPublic,
    /// A thread has a beginning.
    #[error("a post cannot answer itself: answer another one")]
    AnswersItself,
    /// Over [`THREAD_DEPTH_MAX`].
    #[error("a thread goes at most {THREAD_DEPTH_MAX} answers deep: answer further up")]
    ThreadTooDeep,
}

impl From<Unseen> for PostRejection {
    fn from(unseen: Unseen) -> Self {
        match unseen {
            Unseen::NotFound => Self::TargetNotFound,
            Unseen::Deleted => Self::TargetDeleted,
            Unseen::Repost(of) => Self::TargetIsRepost { of },
        }
    }
}

crate::codes::codes!(PostRejection {
    Self::NoProfile => "NO_PROFILE",
    Self::AlreadyPublished => "ALREADY_PUBLISHED",
    Self::NothingSaid => "NOTHING_SAID",
    Self::TooManyMedia(_) => "TOO_MANY_MEDIA",
    Self::MediaRepeated => "MEDIA_REPEATED",
    Self::TooManyMentions(_) => "TOO_MANY_MENTIONS",
    Self::TooManyHashtags(_) => "TOO_MANY_HASHTAGS",
    Self::UnknownProduct => "UNKNOWN_PRODUCT",
    Self::RetiredProduct => "RETIRED_PRODUCT",
    Self::NotFound => "POST_NOT_FOUND",
    Self::Deleted => "POST_DELETED",
    Self::NotAuthor => "NOT_AUTHOR",
    Self::TooManyEdits => "TOO_MANY_EDITS",
    Self::TargetNotFound => "TARGET_NOT_FOUND",
    Self::TargetDeleted => "TARGET_DELETED",
    Self::TargetIsRepost { .. } => "TARGET_IS_REPOST",
    Self::NotPublic => "NOT_PUBLIC",
    Self::AnswersItself => "ANSWERS_ITSELF",
    Self::ThreadTooDeep => "THREAD_TOO_DEEP",
});
