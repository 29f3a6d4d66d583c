//! One line of text that people read: a product's name, a tracking number.

use std::{fmt, sync::Arc};

/// The longest label in characters.
pub const LABEL_CHARS_MAX: usize = 200;

/// 1 to [`LABEL_CHARS_MAX`] characters without control characters, and without white space at either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label(Arc<str>);

/// Text that is no label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text must have 1 to {LABEL_CHARS_MAX} characters, none of them a control character")]
pub struct LabelError;

impl Label {
    /// Reads a label; white space at both ends is dropped.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > LABEL_CHARS_MAX || text.chars().any(char::is_control) {
            return Err(LabelError);
        }
        Ok(Self(text.into()))
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_in_json!(Label);
