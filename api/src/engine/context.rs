//! What every resolver knows about the call it serves.

use std::{fmt, sync::Arc};

use infrastructure::clock::IdSource;

use crate::auth::Viewer;

/// Names a request in answers, logs and spans.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

/// Characters a request id of the caller's may have.
const REQUEST_ID_CHARS_MAX: usize = 64;

impl RequestId {
    /// An id nobody has used.
    pub fn fresh(ids: &dyn IdSource) -> Self {
        Self(Arc::from(&*ids.fresh().hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer())))
    }

    /// The caller's own id, if it is one that can stand in a log line: letters, digits, `-`, `_` and `.`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        ((1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)).then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The cursor that a transport asks a subscription to resume behind (`Last-Event-ID`). It wins over the argument
/// `after`, which still holds what the client first asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResumeAfter(pub String);

/// One call: who makes it and how it is named.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Who calls.
    pub viewer: Viewer,
    /// The call's name.
    pub request_id: RequestId,
    /// Where a subscription goes on, if the transport says so.
    pub resume_after: Option<ResumeAfter>,
}

impl CallContext {
    /// Puts [`Viewer`], [`RequestId`] and, if there is one, [`ResumeAfter`] where resolvers find them.
    #[must_use]
    pub fn attach(self, request: async_graphql::Request) -> async_graphql::Request {
        let request = request.data(self.viewer).data(self.request_id);
        match self.resume_after {
            Some(resume_after) => request.data(resume_after),
            None => request,
        }
    }
}
