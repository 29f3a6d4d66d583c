//! Where pictures and films of a post are.

use std::{fmt, sync::Arc};

use url::{Host, Url};

/// The longest address in bytes.
pub const MEDIA_URL_BYTES_MAX: usize = 2_048;

/// An address of the web, by name and over TLS. It is handed on to readers and never followed here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaUrl(Arc<str>);

/// Text that is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaUrlError {
    /// It is no address, or too long.
    #[error("the address is malformed or over {MEDIA_URL_BYTES_MAX} bytes long: correct it")]
    Malformed,
    /// Readers would load it in the clear, or run it.
    #[error("the address must begin with https://")]
    NotHttps,
    /// An address by number, or with a name and a password in it.
    #[error("the address must name a host, without a user or password: correct it")]
    Host,
}

crate::codes::codes!(MediaUrlError {
    Self::Malformed => "MEDIA_URL_MALFORMED",
    Self::NotHttps => "MEDIA_URL_NOT_HTTPS",
    Self::Host => "MEDIA_URL_HOST",
});

impl MediaUrl {
    /// Reads an address; it is kept in its normal form (WHATWG URL).
    pub fn parse(text: &str) -> Result<Self, MediaUrlError> {
        let is_broken = |character: char| character.is_whitespace() || character.is_control();
        if text.len() > MEDIA_URL_BYTES_MAX || text.contains(is_broken) {
            return Err(MediaUrlError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| MediaUrlError::Malformed)?;
        if url.scheme() != "https" {
            return Err(MediaUrlError::NotHttps);
        }
        let is_named = matches!(url.host(), Some(Host::Domain(name)) if name.contains('.'));
        if !is_named || !url.username().is_empty() || url.password().is_some() {
            return Err(MediaUrlError::Host);
        }
        if url.as_str().len() > MEDIA_URL_BYTES_MAX {
            return Err(MediaUrlError::Malformed); // Its normal form is longer.
        }
        Ok(Self(url.as_str().into()))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn stored(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for MediaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

stored_text_in_json!(MediaUrl);

#[cfg(test)]
mod tests;
