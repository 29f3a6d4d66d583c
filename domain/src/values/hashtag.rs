//! Hashtags: the words under which posts are found (`#tea`).

use std::{fmt, sync::Arc};

use unicode_ident::is_xid_start;

use super::unicode;

/// The longest hashtag in grapheme clusters.
pub const HASHTAG_GRAPHEMES_MAX: usize = 60;
/// The longest hashtag in bytes.
pub const HASHTAG_BYTES_MAX: usize = 240;

/// Zero-width joiner and non-joiner: words of Persian and Indic scripts need them. Between letters only, and not part of
/// the tag by which posts are found.
pub(crate) const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// A hashtag, without the `#`: folded (NFKC and case), so that `#Tea` and `#TEA` are one. Letters, marks, digits and `_`, with
/// a letter in it: the default hashtag of UAX #31 (R8) without symbols and pictures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hashtag(Arc<str>);

/// Text that is no hashtag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hashtag has 1 to {HASHTAG_GRAPHEMES_MAX} letters, digits and '_', with a letter in it")]
pub struct HashtagError;

impl Hashtag {
    /// Reads a hashtag, without the `#`.
    pub fn parse(text: &str) -> Result<Self, HashtagError> {
        let is_joined = |character: char| !text.starts_with(character) && !text.ends_with(character);
        let is_word = |character: char| unicode::is_word(character) || JOINERS.contains(&character);
        if text.len() > HASHTAG_BYTES_MAX || !text.chars().all(is_word) || !JOINERS.into_iter().all(is_joined) {
            return Err(HashtagError);
        }
        let folded = unicode::folded(&text.replace(JOINERS, ""));
        let is_short =
            folded.len() <= HASHTAG_BYTES_MAX && unicode::graphemes(&folded).count() <= HASHTAG_GRAPHEMES_MAX;
        if is_short && folded.chars().any(is_xid_start) { Ok(Self(folded.into())) } else { Err(HashtagError) }
    }

    /// The hashtag as text, without the `#`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn stored(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Hashtag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

stored_text_in_json!(Hashtag);
