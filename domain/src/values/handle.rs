//! Handles: the names by which people are found and mentioned (`@anna`).
//!
//! A handle is stored folded (NFKC and case), so that `@Anna`, `@ANNA` and `@ａｎｎａ` are one. Which characters it may have is
//! the general profile of UTS #39 with its level "highly restrictive": letters and digits of one script in everyday use,
//! or of Latin with Chinese, Japanese or Korean. What cannot be seen, and what looks like a handle of ASCII without being
//! one (Cyrillic `раураl`), is refused.

use std::{fmt, sync::Arc};

use unicode_ident::is_xid_start;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _, skeleton};

use super::unicode;

/// The shortest handle in grapheme clusters.
pub const HANDLE_GRAPHEMES_MIN: usize = 2;
/// The longest handle in grapheme clusters.
pub const HANDLE_GRAPHEMES_MAX: usize = 30;
/// The longest handle in bytes, as it is written and as it is stored.
pub const HANDLE_BYTES_MAX: usize = 120;
/// The most marks on one letter (UTS #39, section 5.4).
const MARKS_MAX: usize = 4;

/// Names that would pass for the house, or for everybody.
const RESERVED: [&str; 18] = [
    "admin",
    "administrator",
    "all",
    "anonymous",
    "everybody",
    "everyone",
    "help",
    "here",
    "me",
    "millrace",
    "moderator",
    "null",
    "operator",
    "root",
    "security",
    "staff",
    "support",
    "system",
];

/// A handle, without the `@`: folded, [`HANDLE_GRAPHEMES_MIN`] to [`HANDLE_GRAPHEMES_MAX`] letters, digits and `_`, with a
/// letter in it, and no `_` at either end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(Arc<str>);

/// Text that is no handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Too short or too long.
    #[error("a handle has {HANDLE_GRAPHEMES_MIN} to {HANDLE_GRAPHEMES_MAX} characters: choose a shorter or longer one")]
    Length,
    /// White space, punctuation, symbols, letters out of use, or what cannot be seen.
    #[error("a handle has letters, digits and '_' only: take everything else out")]
    Characters,
    /// No letter, `_` at an end, or too many marks on a letter.
    #[error("a handle begins and ends with a letter or digit, has a letter in it, and few marks on each: change it")]
    Shape,
    /// Letters or digits that are not written together.
    #[error("a handle is written in one script: do not mix letters or digits of several")]
    MixedScripts,
    /// It could be taken for another one.
    #[error("the handle looks like one in plain Latin letters: choose one that cannot be mistaken")]
    Confusable,
    /// It is kept for the house.
    #[error("the handle is reserved: choose another one")]
    Reserved,
}

crate::codes::codes!(HandleError {
    Self::Length => "HANDLE_LENGTH",
    Self::Characters => "HANDLE_CHARACTERS",
    Self::Shape => "HANDLE_SHAPE",
    Self::MixedScripts => "HANDLE_MIXED_SCRIPTS",
    Self::Confusable => "HANDLE_CONFUSABLE",
    Self::Reserved => "HANDLE_RESERVED",
});

impl Handle {
    /// Reads a handle as somebody writes it, without the `@`.
    pub fn parse(text: &str) -> Result<Self, HandleError> {
        if text.len() > HANDLE_BYTES_MAX {
            return Err(HandleError::Length);
        }
        // Before folding as well: it makes letters of some symbols (a trade mark sign is `tm`).
        if !text.chars().all(unicode::is_word) {
            return Err(HandleError::Characters);
        }
        let folded = unicode::folded(text);
        let is_allowed = |character| unicode::is_word(character) && unicode::is_recommended(character);
        if !folded.chars().all(is_allowed) {
            return Err(HandleError::Characters);
        }
        let graphemes = unicode::graphemes(&folded).count();
        if !(HANDLE_GRAPHEMES_MIN..=HANDLE_GRAPHEMES_MAX).contains(&graphemes) || folded.len() > HANDLE_BYTES_MAX {
            return Err(HandleError::Length);
        }
        if !is_well_formed(&folded) {
            return Err(HandleError::Shape);
        }
        if !folded.check_restriction_level(RestrictionLevel::HighlyRestrictive) || mixes_digits(&folded) {
            return Err(HandleError::MixedScripts);
        }
        if !folded.is_ascii() && skeleton(&folded).all(|character| character.is_ascii()) {
            return Err(HandleError::Confusable);
        }
        if RESERVED.contains(&folded.as_str()) {
            return Err(HandleError::Reserved);
        }
        Ok(Self(folded.into()))
    }

    /// The handle as text, without the `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What was stored: it was parsed when it was written, and the tables of Unicode may have changed since.
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }
}

fn is_well_formed(folded: &str) -> bool {
    let has_ends = !folded.starts_with(|first| first == '_' || is_combining_mark(first)) && !folded.ends_with('_');
    has_ends && folded.chars().any(is_xid_start) && has_few_marks(folded)
}

/// Whether no letter has over [`MARKS_MAX`] marks, or the same one twice in a row; those that are part of it count.
fn has_few_marks(folded: &str) -> bool {
    let (mut run, mut before) = (0, None);
    folded.nfd().all(|character| {
        run = if is_combining_mark(character) { run + 1 } else { 0 };
        let is_repeated = before.replace(character) == Some(character) && run > 0;
        run <= MARKS_MAX && !is_repeated
    })
}

/// Whether it has digits of ASCII and others: `1` and the Arabic one look alike.
fn mixes_digits(folded: &str) -> bool {
    let is_foreign = |character: char| character.is_numeric() && !character.is_ascii() && !is_xid_start(character);
    folded.contains(is_foreign) && folded.contains(|character: char| character.is_ascii_digit())
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

stored_text_in_json!(Handle);

#[cfg(test)]
mod tests;
