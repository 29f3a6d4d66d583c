//! Which hosts and origins are answered, so that no page elsewhere can use a visitor's browser against this server.
//!
//! A request without `Origin` comes from no page, or from one of ours: it passes, unless the browser itself says that
//! it is cross-site. In development only loopback hosts are answered, which stops pages that point a name of theirs
//! at 127.0.0.1. Answers name the one origin they are for, never `*`.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginRules {
    /// Answer only requests to `localhost`, `127.0.0.1` and `[::1]`, whatever the port.
    pub loopback_only: bool,
    /// Origins of pages elsewhere that may use the API, like `https://shop.example`.
    pub allowed_origins: Vec<String>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OriginError {
    /// `Host` is missing, or none that is answered.
    #[error("requests to this host are not answered")]
    Host,
    /// The page is not one of ours, and not allowed.
    #[error("requests from this origin are not answered")]
    Origin,
}

/// A request that may be answered, and for whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin(Option<HeaderValue>);

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const PREFLIGHT_MAX_AGE_SECONDS: &str = "600";

impl OriginRules {
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Origin, OriginError> {
        let host = single(headers, &header::HOST).ok_or(OriginError::Host)?;
        if self.loopback_only && !is_loopback(host) {
            return Err(OriginError::Host);
        }
        let Some(value) = headers.get(header::ORIGIN) else {
            let is_cross_site = headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site");
            return if is_cross_site { Err(OriginError::Origin) } else { Ok(Origin(None)) };
        };
        let origin = single(headers, &header::ORIGIN).ok_or(OriginError::Origin)?;
        if is_same_host(origin, host) || self.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
        {
            Ok(Origin(Some(value.clone())))
        } else {
            Err(OriginError::Origin)
        }
    }
}

impl Origin {
    /// The answer to a browser that asks whether it may.
    pub(super) fn preflight(&self, headers: &HeaderMap) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        if self.0.is_some() && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
            let allowed = HeaderValue::from_static("authorization, content-type, last-event-id, x-request-id");
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE_SECONDS));
        }
        response
    }

    /// Lets the page read the answer, and keeps caches from giving it to another page.
    pub(super) fn put_headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = &self.0 {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let exposed = HeaderValue::from_static("retry-after, www-authenticate, x-request-id");
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}

/// The header's value, if there is exactly one and it is text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
        host.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && match host[name.len()..].strip_prefix(':') {
                Some(port) => !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
                None => host.len() == name.len(),
            }
    })
}

fn is_same_host(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests;
