//! What a post says, checked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Draft, Entities, Flood, POST_MEDIA_MAX, PostRejection};
use crate::{
    product::ProductState,
    values::{AltText, Handle, Hashtag, MediaUrl, PostText, ProductId, UserId},
};

/// What a post says. Has words or pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The words.
    pub text: Option<PostText>,
    /// Pictures and films, in order, at most [`POST_MEDIA_MAX`].
    pub media: Vec<Media>,
    /// The product it is about.
    pub product: Option<ProductId>,
    /// The people it mentions, in order, each once.
    pub mentions: Vec<Mention>,
    /// The words it is found under, in order, each once.
    pub hashtags: Vec<Hashtag>,
}

/// A picture or a film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it is.
    pub url: MediaUrl,
    /// What it shows.
    pub alt: Option<AltText>,
}

/// Somebody who is mentioned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// Who.
    pub user: UserId,
    /// The handle they had.
    pub handle: Handle,
}

impl Content {
    /// What the draft says. A product that is offered no longer may stay where it was `before`.
    pub(super) fn of(draft: Draft, before: Option<ProductId>) -> Result<Self, PostRejection> {
        let Draft { text, media, product, mentioned } = draft;
        if text.is_none() && media.is_empty() {
            return Err(PostRejection::NothingSaid);
        }
        let media = checked(media)?;
        let product = product.map(|(product, state)| referable(product, &state, before)).transpose()?;
        let Entities { handles, hashtags } = match text.as_ref().map(Entities::of).transpose() {
            Ok(entities) => entities.unwrap_or_default(),
            Err(Flood::Mentions(number)) => return Err(PostRejection::TooManyMentions(number)),
            Err(Flood::Hashtags(number)) => return Err(PostRejection::TooManyHashtags(number)),
        };
        let mention = |handle: Handle| mentioned.get(&handle).map(|user| Mention { user: *user, handle });
        let mentions = handles.into_iter().filter_map(mention).collect();
        Ok(Self { text, media, product, mentions, hashtags })
    }

    pub(super) fn weight(&self) -> usize {
        let text = |text: Option<&str>| text.map_or(0, str::len);
        let media: usize =
            self.media.iter().map(|one| one.url.as_str().len() + text(one.alt.as_ref().map(AltText::as_str))).sum();
        let mentions: usize = self.mentions.iter().map(|one| size_of::<Mention>() + one.handle.as_str().len()).sum();
        let hashtags: usize = self.hashtags.iter().map(|one| size_of::<Hashtag>() + one.as_str().len()).sum();
        text(self.text.as_ref().map(PostText::as_str)) + media + mentions + hashtags
    }
}

fn checked(media: Vec<Media>) -> Result<Vec<Media>, PostRejection> {
    if media.len() > POST_MEDIA_MAX {
        return Err(PostRejection::TooManyMedia(media.len()));
    }
    let mut seen = BTreeSet::new();
    let is_new = |one: &Media| seen.insert(one.url.as_str().to_owned());
    if media.iter().all(is_new) { Ok(media) } else { Err(PostRejection::MediaRepeated) }
}

fn referable(product: ProductId, state: &ProductState, before: Option<ProductId>) -> Result<ProductId, PostRejection> {
    match state {
        ProductState::Unregistered => Err(PostRejection::UnknownProduct),
        ProductState::Retired(_) if before != Some(product) => Err(PostRejection::RetiredProduct),
        ProductState::Retired(_) | ProductState::Offered(_) => Ok(product),
    }
}
