//! Names of projections, as operators write them: `order_summary`.

use std::{fmt, sync::Arc};

/// The longest name in bytes.
pub const PROJECTION_NAME_BYTES_MAX: usize = 64;

/// Lower-case ASCII letters, digits and `_`, starting with a letter. Says nothing of whether there is such a
/// projection: the log outlives them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectionName(Arc<str>);

/// Text that names no projection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a projection's name has 1 to {PROJECTION_NAME_BYTES_MAX} lower-case letters, digits or '_', and starts with a letter"
)]
pub struct ProjectionNameError;

impl ProjectionName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, ProjectionNameError> {
        let starts_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !starts_well || text.len() > PROJECTION_NAME_BYTES_MAX || !text.bytes().all(is_allowed) {
            return Err(ProjectionNameError);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_in_json!(ProjectionName);
