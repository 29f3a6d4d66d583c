//! What a token says (RFC 7519), with the types it must say it in.

use serde::{Deserialize, Serialize};

use super::Role;

/// The claims of a token. A claim of another type, a missing one or a role that does not exist makes it unreadable;
/// claims that are not listed here are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it.
    pub iss: String,
    /// Whom it is meant for.
    pub aud: Audience,
    /// Whom it speaks of.
    pub sub: String,
    /// What they may do.
    pub role: Role,
    /// When it ends, in whole seconds since 1970.
    pub exp: u64,
    /// Since when it holds, in whole seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// When it was signed, in whole seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
}

/// One audience, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// `"aud": "millrace"`.
    One(String),
    /// `"aud": ["millrace", "other"]`.
    Many(Vec<String>),
}

impl Audience {
    /// Whether `audience` is meant.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}
