//! What clients give to a post's mutations, read.

use async_graphql::{Enum, ID, InputObject};
use domain::{
    post::{Media, PostRejection, Visibility},
    values::{AltText, MediaUrl, PostText, ProductId},
};

use super::errors::{PostUserError, rejected};
use crate::graphql::{node::local, user_error::path};

/// Who may see a post, beside its author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
pub(super) enum PostVisibility {
    /// Everybody but those with whom there is a block.
    #[default]
    Public,
    /// Those who follow the author.
    Followers,
}

impl From<PostVisibility> for Visibility {
    fn from(visibility: PostVisibility) -> Self {
        match visibility {
            PostVisibility::Public => Self::Public,
            PostVisibility::Followers => Self::Followers,
        }
    }
}

impl From<Visibility> for PostVisibility {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Public => Self::Public,
            Visibility::Followers => Self::Followers,
        }
    }
}

/// A picture or a film.
#[derive(Debug, InputObject)]
pub(super) struct PostMediaInput {
    /// Where it is: an `https://` address with a full name for its host, at most 2,048 bytes.
    url: String,
    /// What it shows, for whoever does not see it, 1 to 1,000 characters.
    alt: Option<String>,
}

/// Something to say.
#[derive(Debug, InputObject)]
pub(super) struct PostPublishInput {
    /// The words, 1 to 500 characters; may be left out where there is a picture. `@handle` mentions somebody, at most 20;
    /// `#word` is a hashtag, at most 30.
    pub(super) text: Option<String>,
    /// Pictures and films, in order, at most 4.
    #[graphql(default)]
    pub(super) media: Vec<PostMediaInput>,
    /// The product it is about.
    pub(super) product_id: Option<ID>,
    /// Who may see it.
    #[graphql(default)]
    pub(super) visibility: PostVisibility,
    /// The post that it answers.
    pub(super) reply_to_id: Option<ID>,
    /// The post that it quotes.
    pub(super) quoted_id: Option<ID>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// All that a post says from now on: what is not given is taken away.
#[derive(Debug, InputObject)]
pub(super) struct PostEditInput {
    /// The post.
    pub(super) id: ID,
    /// The words, 1 to 500 characters; may be left out where there is a picture.
    pub(super) text: Option<String>,
    /// Pictures and films, in order, at most 4.
    #[graphql(default)]
    pub(super) media: Vec<PostMediaInput>,
    /// The product it is about.
    pub(super) product_id: Option<ID>,
    /// Do it only if the post is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// A post to take back.
#[derive(Debug, InputObject)]
pub(super) struct PostDeleteInput {
    /// The post, or the repost.
    pub(super) id: ID,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// A post to show to one's followers.
#[derive(Debug, InputObject)]
pub(super) struct PostRepostInput {
    /// The post.
    pub(super) id: ID,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// What somebody wrote, read.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) text: Option<PostText>,
    pub(super) media: Vec<Media>,
    pub(super) product: Option<ProductId>,
}

impl Said {
    /// Everything that is wrong, not the first thing.
    pub(super) fn parse(
        text: Option<&str>,
        media: &[PostMediaInput],
        product: Option<&ID>,
    ) -> Result<Self, Vec<PostUserError>> {
        let mut errors = Vec::new();
        let text = text.map(PostText::parse).transpose();
        let text = text.map_err(|error| errors.push(PostUserError::of(error.code(), &error, path([&"text"]))));
        let media: Vec<Option<Media>> =
            media.iter().enumerate().map(|(index, one)| read_media(index, one, &mut errors)).collect();
        let product = product.map(|id| local(id).ok_or(PostRejection::UnknownProduct)).transpose();
        let product = product.map_err(|rejection| errors.push(rejected(rejection, "productId")));
        match (text, product) {
            (Ok(text), Ok(product)) if errors.is_empty() => {
                Ok(Self { text, media: media.into_iter().flatten().collect(), product })
            }
            _ => Err(errors),
        }
    }
}

fn read_media(index: usize, input: &PostMediaInput, errors: &mut Vec<PostUserError>) -> Option<Media> {
    let url = MediaUrl::parse(&input.url)
        .map_err(|error| errors.push(PostUserError::of(error.code(), &error, path([&"media", &index, &"url"]))));
    let alt = input.alt.as_deref().map(AltText::parse).transpose();
    let alt =
        alt.map_err(|error| errors.push(PostUserError::of(error.code(), &error, path([&"media", &index, &"alt"]))));
    Some(Media { url: url.ok()?, alt: alt.ok()? })
}
