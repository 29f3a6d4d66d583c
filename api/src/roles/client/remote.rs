//! A server runs: it is asked over HTTP, as an operator.
//!
//! The token comes from the development key, a fresh one for each request, or from the environment. It is in no
//! argument, no message and no log.

#[cfg(test)]
mod tests;

use std::{net::IpAddr, path::Path, time::Duration};

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use bytes::Bytes;
use chrono::TimeDelta;
use http_body_util::{BodyExt as _, Limited};
use infrastructure::{
    clock::{Clock as _, SystemClock},
    outbound::{HttpClient, USER_AGENT},
    telemetry::with_causes,
};
use serde_json::{Value, json};

use super::{ACTOR, UNREACHABLE, answer};
use crate::{
    auth::{DevKey, Role},
    bootstrap::StartError,
    config::{self, Secret},
    roles::{Failure, output::note},
};

/// How long the answer to a question may take. An order takes as long as it takes.
const QUESTION_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a token lives that is made for one request.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A server.
pub(super) struct Remote {
    http: HttpClient,
    uri: Uri,
    url: String,
    credentials: Credentials,
}

enum Credentials {
    /// This machine's, which signs as many tokens as are needed.
    Key(DevKey),
    /// Of a person, from the environment.
    Token(Secret<String>),
}

impl Remote {
    /// The server at `url`, whose development key is in this directory.
    pub(super) fn with_key_of(url: &str, data_dir: &Path) -> Result<Self, Failure> {
        let key = DevKey::load_or_create(data_dir).map_err(StartError::from)?;
        Self::new(url, Credentials::Key(key))
    }

    /// The server at `url`, to be asked with the token in the environment.
    pub(super) fn with_token(url: &str) -> Result<Self, Failure> {
        let token = config::operator_token().ok_or_else(|| {
            let message = format!("the server at {url} wants an operator's token");
            let advice = "put one of its issuer into the environment variable MILLRACE_TOKEN (in development mode: \
                          `millrace token --subject NAME --role operator`)";
            Failure::said("TOKEN_MISSING", message, advice)
        })?;
        let remote = Self::new(url, Credentials::Token(token))?;
        if remote.is_seen_by_others() {
            note(&format!("warning: the token goes to {url} unencrypted; use https outside of a network of your own"));
        }
        Ok(remote)
    }

    fn new(url: &str, credentials: Credentials) -> Result<Self, Failure> {
        let certificates = |error| {
            Failure::new(
                UNREACHABLE,
                &error,
                "install the system's certificates, without which nobody is to be trusted",
            )
        };
        let http = HttpClient::for_url(url).map_err(certificates)?;
        let uri = format!("{url}/graphql").parse::<Uri>();
        let uri = uri.map_err(|error| Failure::new(UNREACHABLE, &error, "check the address of the server"))?;
        Ok(Self { http, uri, url: url.to_owned(), credentials })
    }

    /// Asks something that is answered at once.
    pub(super) async fn ask(&self, document: &str, variables: Value) -> Result<Value, Failure> {
        match tokio::time::timeout(QUESTION_WAIT_MAX, self.order(document, variables)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.unreachable(&format!("no answer within {} s", QUESTION_WAIT_MAX.as_secs()))),
        }
    }

    /// Asks something that may take its time.
    pub(super) async fn order(&self, document: &str, variables: Value) -> Result<Value, Failure> {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let answer = self.http.post(self.uri.clone(), self.headers()?, Bytes::from(body)).await;
        let answer = answer.map_err(|error| self.unreachable(&with_causes(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| self.unreachable(&with_causes(&*error)))?;
        match serde_json::from_slice(&body.to_bytes()) {
            Ok(answer) => answer::data(answer, "SERVER_REFUSED"),
            Err(_) => Err(self.something_else(status)),
        }
    }

    fn headers(&self) -> Result<HeaderMap, Failure> {
        let token = match &self.credentials {
            Credentials::Key(key) => key.token(ACTOR, Role::Operator, SystemClock.now(), TOKEN_LIFETIME),
            Credentials::Token(token) => token.expose().clone(),
        };
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            let message = "what MILLRACE_TOKEN holds is no token: it has characters that no header may have";
            Failure::said("TOKEN_MISSING", message, "copy the token anew, whole and alone")
        })?;
        bearer.set_sensitive(true);
        Ok(HeaderMap::from_iter([
            (header::AUTHORIZATION, bearer),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::ACCEPT, HeaderValue::from_static("application/graphql-response+json, application/json")),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        ]))
    }

    /// Whether the token passes machines on its way that may read it.
    fn is_seen_by_others(&self) -> bool {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified());
        self.uri.scheme_str() == Some("http") && !is_here
    }

    fn unreachable(&self, why: &str) -> Failure {
        let message = format!("the server at {} does not answer: {why}", self.url);
        Failure::said(UNREACHABLE, message, "check that the server runs, and try again")
    }

    fn something_else(&self, status: StatusCode) -> Failure {
        let message = format!("{} answered {status}, and not in GraphQL", self.url);
        Failure::said("SERVER_REFUSED", message, "check the address: `millrace` answers under its `/graphql`")
    }
}
