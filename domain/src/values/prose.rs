//! Text that people write for people: names, biographies, posts, descriptions of pictures.
//!
//! It is taken as it is, but for what would harm other readers: it is composed (NFC), lines end in `\n`, white space at
//! both ends is dropped; control characters, overrides of the writing direction, directions that leak out of their line
//! and towers of marks are refused. Lengths are counted as readers count, in grapheme clusters; bytes have an end, too.

use std::{fmt, sync::Arc};

use super::unicode;

/// The longest grapheme cluster in bytes. A family of four with skin tones has 41, a flag of a region 28.
pub const GRAPHEME_BYTES_MAX: usize = 64;

/// Text that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing that a reader would see.
    #[error("the text is empty: write something that can be seen")]
    Empty,
    /// Too many characters, as readers count them.
    #[error("the text has {graphemes} characters: shorten it to {max}")]
    TooLong {
        /// How many it has.
        graphemes: usize,
        /// How many it may have.
        max: usize,
    },
    /// Few characters, but huge ones.
    #[error("the text is over {max} bytes long: shorten it")]
    TooManyBytes {
        /// How many it may have.
        max: usize,
    },
    /// A control character, or a line break where there is one line.
    #[error("the text has a character that cannot be shown here (U+{0:04X}): take it out")]
    Unshowable(u32),
    /// It would turn text around that is not its own.
    #[error("the text changes the writing direction and does not change it back in the same line: take that out")]
    Direction,
    /// So many marks on one character that it covers the lines around it.
    #[error("a character has too many marks on it: take some of them out")]
    Stacked,
}

crate::codes::codes!(TextError {
    Self::Empty => "TEXT_EMPTY",
    Self::TooLong { .. } => "TEXT_TOO_LONG",
    Self::TooManyBytes { .. } => "TEXT_TOO_MANY_BYTES",
    Self::Unshowable(_) => "TEXT_UNSHOWABLE",
    Self::Direction => "TEXT_DIRECTION",
    Self::Stacked => "TEXT_STACKED",
});

/// What a kind of text may be.
struct Kind {
    graphemes_max: usize,
    bytes_max: usize,
    has_lines: bool,
    may_be_empty: bool,
}

fn parse(text: &str, kind: &Kind) -> Result<Arc<str>, TextError> {
    let text = text.trim();
    if text.len() > kind.bytes_max {
        return Err(TextError::TooManyBytes { max: kind.bytes_max });
    }
    let text = unicode::composed(&with_line_feeds(text));
    let text = text.trim();
    if let Some(character) = text.chars().find(|character| !is_showable(*character, kind.has_lines)) {
        return Err(TextError::Unshowable(character.into()));
    }
    if !text.chars().any(unicode::is_visible) {
        return if kind.may_be_empty { Ok("".into()) } else { Err(TextError::Empty) };
    }
    if !text.lines().all(keeps_its_direction) {
        return Err(TextError::Direction);
    }
    let graphemes = unicode::graphemes(text).count();
    if graphemes > kind.graphemes_max {
        return Err(TextError::TooLong { graphemes, max: kind.graphemes_max });
    }
    if unicode::graphemes(text).any(|grapheme| grapheme.len() > GRAPHEME_BYTES_MAX) {
        return Err(TextError::Stacked);
    }
    if text.len() > kind.bytes_max {
        return Err(TextError::TooManyBytes { max: kind.bytes_max }); // Composing makes some texts longer.
    }
    Ok(text.into())
}

/// Whatever ends a line or a paragraph is a line feed.
fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n")
}

fn is_showable(character: char, has_lines: bool) -> bool {
    let is_noncharacter = matches!(character, '\u{fdd0}'..='\u{fdef}') || u32::from(character) & 0xfffe == 0xfffe;
    let is_line = has_lines && matches!(character, '\n' | '\t');
    !is_noncharacter && (is_line || !character.is_control())
}

/// Whether every change of the writing direction ends in the same line, in the opposite order (UAX #9). Overrides never
/// do: they show text as it is not.
fn keeps_its_direction(line: &str) -> bool {
    const POP_EMBEDDING: char = '\u{202c}';
    const POP_ISOLATE: char = '\u{2069}';
    let mut open = Vec::new();
    line.chars().all(|character| match character {
        '\u{202d}' | '\u{202e}' => false,
        '\u{202a}' | '\u{202b}' => {
            open.push(POP_EMBEDDING);
            true
        }
        '\u{2066}'..='\u{2068}' => {
            open.push(POP_ISOLATE);
            true
        }
        POP_EMBEDDING | POP_ISOLATE => open.pop() == Some(character),
        _ => true,
    }) && open.is_empty()
}

macro_rules! prose {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads what somebody wrote.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                const KIND: Kind = $kind;
                parse(text, &KIND).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What was stored: it was parsed when it was written, and the tables of Unicode may have changed since.
            pub fn stored(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        stored_text_in_json!($name);
    };
}

/// The longest display name in grapheme clusters.
pub const DISPLAY_NAME_GRAPHEMES_MAX: usize = 50;
/// The longest biography in grapheme clusters.
pub const BIOGRAPHY_GRAPHEMES_MAX: usize = 300;
/// The longest post in grapheme clusters.
pub const POST_GRAPHEMES_MAX: usize = 500;
/// The longest description of a picture in grapheme clusters.
pub const ALT_TEXT_GRAPHEMES_MAX: usize = 1_000;
/// How many bytes a text may have for each grapheme cluster that it may have.
const BYTES_PER_GRAPHEME: usize = 8;

const fn line(graphemes_max: usize) -> Kind {
    Kind { graphemes_max, bytes_max: graphemes_max * BYTES_PER_GRAPHEME, has_lines: false, may_be_empty: false }
}

const fn lines(graphemes_max: usize) -> Kind {
    Kind { has_lines: true, ..line(graphemes_max) }
}

prose! {
    /// What a person is called: one line, 1 to [`DISPLAY_NAME_GRAPHEMES_MAX`] characters. Others may have the same one.
    DisplayName, line(DISPLAY_NAME_GRAPHEMES_MAX)
}

prose! {
    /// What a person says of themselves: up to [`BIOGRAPHY_GRAPHEMES_MAX`] characters, or nothing.
    Biography, Kind { may_be_empty: true, ..lines(BIOGRAPHY_GRAPHEMES_MAX) }
}

prose! {
    /// What a post says: 1 to [`POST_GRAPHEMES_MAX`] characters.
    PostText, lines(POST_GRAPHEMES_MAX)
}

prose! {
    /// What a picture shows, for those who do not see it: 1 to [`ALT_TEXT_GRAPHEMES_MAX`] characters.
    AltText, lines(ALT_TEXT_GRAPHEMES_MAX)
}

impl Default for Biography {
    fn default() -> Self {
        Self("".into())
    }
}

#[cfg(test)]
mod tests;
