//! The way to the collector: one POST at a time for each kind of telemetry.
//!
//! An outage is told once when it begins and once when it is over, not at each try.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use infrastructure::{
    outbound::{HttpClient, USER_AGENT},
    telemetry::with_causes,
};

use crate::{config::OtlpTarget, telemetry::TelemetryError};

/// How long the collector may take for one answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read, so that the connection can be used again. Answers are nearly empty.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why the collector did not take something.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// It is not there, or somebody else is.
    #[error("the collector cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("the collector did not answer in time")]
    TooSlow,
    /// It does not want it. What it says about it is not repeated: it may quote our headers.
    #[error("the collector answered {0}")]
    Refused(StatusCode),
}

impl PostError {
    /// Whether the same bytes may be taken later, after the protocol's specification.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TooSlow => true,
            Self::Refused(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        }
    }
}

/// A client for one collector.
pub(super) struct Collector {
    client: HttpClient,
    endpoint: String,
    headers: HeaderMap,
}

impl Collector {
    /// A client for `target`. Nothing is sent yet.
    pub(super) fn new(target: OtlpTarget) -> Result<Self, TelemetryError> {
        let client = HttpClient::for_url(&target.endpoint).map_err(TelemetryError::Certificates)?;
        let mut headers = target.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        Ok(Self { client, endpoint: target.endpoint, headers })
    }

    async fn post(&self, uri: Uri, body: Bytes) -> Result<(), PostError> {
        let answer = async {
            let answer = self.client.post(uri, self.headers.clone(), body).await.map_err(PostError::Unreachable)?;
            let status = answer.status();
            // Its status has said everything; if the rest does not come, the connection is closed, no more.
            let _ = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            if status.is_success() { Ok(()) } else { Err(PostError::Refused(status)) }
        };
        tokio::time::timeout(ANSWER_WAIT_MAX, answer).await.unwrap_or(Err(PostError::TooSlow))
    }
}

/// What became of something that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The collector has it.
    Taken,
    /// Not now; the same bytes may be taken later.
    Later,
    /// Not this, and not later.
    Never,
}

/// The way of one kind of telemetry.
pub(super) struct Route {
    collector: Arc<Collector>,
    uri: Uri,
    /// What is sent, for the log: `metrics` or `traces`.
    signal: &'static str,
    is_broken: bool,
}

impl Route {
    /// A way to `path` under the collector's address.
    pub(super) fn new(collector: &Arc<Collector>, signal: &'static str, path: &str) -> Self {
        let uri = format!("{}/{path}", collector.endpoint);
        let uri = uri.parse().expect("a path behind a URL without query is a URL");
        Self { collector: Arc::clone(collector), uri, signal, is_broken: false }
    }

    /// Sends once. The log hears of it only if it went better or worse than the time before.
    pub(super) async fn send(&mut self, body: Bytes) -> Sent {
        let (signal, endpoint) = (self.signal, &self.collector.endpoint);
        match self.collector.post(self.uri.clone(), body).await {
            Ok(()) => {
                if self.is_broken {
                    tracing::info!(telemetry.signal = signal, "the collector at {endpoint} takes {signal} again");
                }
                self.is_broken = false;
                Sent::Taken
            }
            Err(error) => {
                if !self.is_broken {
                    tracing::warn!(
                        telemetry.signal = signal,
                        error = with_causes(&error),
                        "the collector at {endpoint} does not take {signal}; this goes on being tried, quietly"
                    );
                }
                self.is_broken = true;
                if error.is_passing() { Sent::Later } else { Sent::Never }
            }
        }
    }
}
