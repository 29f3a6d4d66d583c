//! Where metrics and traces are sent, and how: OpenTelemetry's protocol over HTTP.
//!
//! **Invariant:** these settings alone decide. No `OTEL_*` variable of the environment switches anything on or off.

#[cfg(test)]
mod tests;

use std::{fmt, num::NonZeroU64};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::{ConfigError, Secret, settings::settings};

/// Traces of a thousand.
const ALL_TRACES: u16 = 1_000;

settings! {
    /// Where metrics and traces are sent: an OpenTelemetry collector, or anything that speaks OTLP over HTTP with
    /// protobuf. Nothing is sent without an `endpoint`, and no `OTEL_*` variable changes anything here.
    pub struct Otlp {
        /// The collector. Metrics go to `v1/metrics` under this address, traces to `v1/traces`.
        endpoint: Option<String> = None, example "\"http://127.0.0.1:4318\"";
        /// Headers of every request to it, as `name=value,name=value`; mostly a key. Meant for the environment:
        /// `MILLRACE_OTLP__HEADERS`. Never shown.
        headers: Option<Secret<String>> = None, example "\"authorization=Bearer ...\"";
        /// The name that this server has there (`service.name`).
        service_name: String = "millrace".to_owned();
        /// Seconds between two reports of all metrics.
        interval_s: NonZeroU64 = const { NonZeroU64::new(15).expect("it is not zero") };
        /// How many of a thousand traces are recorded, chosen by their ids. 0 sends metrics only.
        traces_per_mille: u16 = 100;
    }
}

/// A collector as the settings name it, ready to be used.
#[derive(Clone)]
pub struct OtlpTarget {
    /// Its address, without a slash at its end.
    pub endpoint: String,
    /// What every request to it carries. Marked sensitive, so that no debug output shows the values.
    pub headers: HeaderMap,
}

impl fmt::Debug for OtlpTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OtlpTarget").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Otlp {
    /// The collector, if there is one. Refused if it cannot be used as it is written.
    pub fn target(&self) -> Result<Option<OtlpTarget>, ConfigError> {
        if self.traces_per_mille > ALL_TRACES {
            return Err(unusable("otlp.traces_per_mille", "there are 1000 in a thousand"));
        }
        // Without an endpoint they are not used; what is wrong with them is told all the same.
        let headers =
            self.headers.as_ref().map_or_else(|| Ok(HeaderMap::new()), |text| parse_headers(text.expose()))?;
        let Some(endpoint) = &self.endpoint else { return Ok(None) };
        check_endpoint(endpoint)?;
        Ok(Some(OtlpTarget { endpoint: endpoint.trim_end_matches('/').to_owned(), headers }))
    }

    /// The part of all traces that is recorded, from 0 to 1.
    pub fn trace_ratio(&self) -> f64 {
        f64::from(self.traces_per_mille) / f64::from(ALL_TRACES)
    }
}

/// A whole URL of a host. It is shown in the log, so nothing in it may be secret.
fn check_endpoint(endpoint: &str) -> Result<(), ConfigError> {
    let key = "otlp.endpoint";
    let not_a_url = || unusable(key, "it is not an `http://` or `https://` URL");
    let uri: Uri = endpoint.parse().map_err(|_| not_a_url())?;
    let authority = uri.authority().ok_or_else(not_a_url)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(not_a_url());
    }
    if authority.as_str().contains('@') {
        return Err(unusable(key, "a URL is no place for a password; put it into `otlp.headers`"));
    }
    if uri.query().is_some() {
        return Err(unusable(key, "it has a query, behind which no path can be put"));
    }
    Ok(())
}

/// `name=value,name=value`. What is wrong is said without a value.
fn parse_headers(text: &str) -> Result<HeaderMap, ConfigError> {
    let key = "otlp.headers";
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| unusable(key, "it is not `name=value,name=value`"))?;
        let name: HeaderName = name.trim().parse().map_err(|_| unusable(key, "a name is not one of a header"))?;
        let mut value: HeaderValue =
            value.trim().parse().map_err(|_| unusable(key, "a value has characters that no header may have"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn unusable(key: &'static str, message: &str) -> ConfigError {
    ConfigError::Unusable { key, message: message.to_owned() }
}
