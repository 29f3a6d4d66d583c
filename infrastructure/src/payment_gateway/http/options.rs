//! Where a payment provider is, and how it is asked.

use std::{
    fmt, io,
    net::IpAddr,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use domain::payment::ProviderCall;
use hyper::{
    HeaderMap, Uri,
    header::{self, HeaderValue},
};
use uuid::Uuid;

use super::IDEMPOTENCY_KEY;
use crate::outbound::USER_AGENT;

/// Everything there is to choose.
#[derive(Clone)]
pub struct HttpGatewayOptions {
    /// The address that the calls' paths are put behind.
    pub url: String,
    /// The bearer token of every call. Never shown.
    pub secret: String,
    /// How long one try may take.
    pub timeout: Duration,
    /// How many calls run at once.
    pub concurrency: NonZeroUsize,
    /// How often a call is tried before its error is given back.
    pub tries: NonZeroU32,
    /// After how many failures in a row the provider is left alone.
    pub breaker_failures: NonZeroU32,
    /// For how long.
    pub breaker_rest: Duration,
}

impl fmt::Debug for HttpGatewayOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpGatewayOptions").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a provider cannot be asked as the options name it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HttpGatewayError {
    /// The address is no URL, or has parts that no path can be put behind.
    #[error("the address is not an `https://` URL without a password or a query")]
    Url,
    /// It would send the secret through the network for everybody to read.
    #[error("the address is not on this machine, so it must begin with `https://`")]
    NotSecure,
    /// The secret cannot stand in a header.
    #[error("the secret is empty, or has characters that no header may have")]
    Secret,
    /// The system has no certificates to trust.
    #[error("the system's certificates cannot be read")]
    Certificates(#[source] Arc<io::Error>),
}

/// Where calls go, and what they carry.
pub(super) struct Target {
    /// Without a slash at its end.
    base: String,
    authorization: HeaderValue,
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.base)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.base)
    }
}

impl Target {
    pub(super) fn try_new(options: &HttpGatewayOptions) -> Result<Self, HttpGatewayError> {
        let uri: Uri = options.url.parse().map_err(|_| HttpGatewayError::Url)?;
        let authority = uri.authority().ok_or(HttpGatewayError::Url)?;
        // The parser drops what is behind a `#`.
        if authority.as_str().contains('@') || uri.query().is_some() || options.url.contains('#') {
            return Err(HttpGatewayError::Url);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(authority.host()) => {}
            Some("http") => return Err(HttpGatewayError::NotSecure),
            _ => return Err(HttpGatewayError::Url),
        }
        if options.secret.is_empty() {
            return Err(HttpGatewayError::Secret);
        }
        let authorization = HeaderValue::try_from(format!("Bearer {}", options.secret));
        let mut authorization = authorization.map_err(|_| HttpGatewayError::Secret)?;
        authorization.set_sensitive(true);
        Ok(Self { base: options.url.trim_end_matches('/').to_owned(), authorization })
    }

    pub(super) fn uri(&self, call: &ProviderCall) -> Uri {
        let uri = format!("{}/{}", self.base, call.name());
        uri.parse().expect("a path behind a URL without a query is a URL")
    }

    pub(super) fn headers(&self, key: Uuid) -> HeaderMap {
        let key = HeaderValue::try_from(key.to_string()).expect("an id is a header's value");
        HeaderMap::from_iter([
            (header::AUTHORIZATION, self.authorization.clone()),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
            (header::HeaderName::from_static(IDEMPOTENCY_KEY), key),
        ])
    }
}

/// Whether this host is the machine itself.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
pub(super) mod tests;
