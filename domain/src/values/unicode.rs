//! What Unicode says about characters, asked of its tables.
//!
//! The tables grow with every version of Unicode. **Invariant:** nothing here is asked when an event is read back: what was
//! valid when it was written stays readable.

use caseless::Caseless as _;
use unicode_ident::is_xid_continue;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::{GeneralSecurityProfile as _, general_security_profile::IdentifierType};
use unicode_segmentation::UnicodeSegmentation as _;

/// The key under which texts are the same that differ in case, width, ligatures or composition only: the compatibility
/// caseless form (Unicode 3.13, D146), composed.
pub(super) fn folded(text: &str) -> String {
    text.nfd().default_case_fold().nfkd().default_case_fold().nfkc().collect()
}

/// The canonical composition.
pub(super) fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// What readers take for characters: extended grapheme clusters (UAX #29).
pub(super) fn graphemes(text: &str) -> impl Iterator<Item = &str> {
    text.graphemes(true)
}

/// Whether a reader sees nothing of it by itself: zero width, variation selectors, bidirectional controls, fillers.
pub(crate) fn is_ignorable(character: char) -> bool {
    matches!(character.identifier_type(), Some(IdentifierType::Default_Ignorable | IdentifierType::Deprecated))
}

/// Whether words are made of it: letters, marks, digits, `_` (`XID_Continue` of UAX #31), and nothing that is not seen.
pub(crate) fn is_word(character: char) -> bool {
    is_xid_continue(character) && !is_ignorable(character)
}

/// Whether it is of the alphabets in everyday use (`Identifier_Type=Recommended` of UTS #39).
pub(super) fn is_recommended(character: char) -> bool {
    character.identifier_type() == Some(IdentifierType::Recommended)
}

/// Whether anything of it is seen on a screen or on paper.
pub(super) fn is_visible(character: char) -> bool {
    /// A letter of the blind that has no dots: no white space to Unicode, nothing to the eye.
    const BRAILLE_BLANK: char = '\u{2800}';
    !(character.is_whitespace() || character.is_control() || is_ignorable(character) || character == BRAILLE_BLANK)
}

#[cfg(test)]
mod tests;
