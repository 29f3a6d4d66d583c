//! Somebody who speaks GraphQL over HTTP, with answers that explain themselves when a test does not like them.

use std::time::Duration;

use reqwest::{StatusCode, header::ACCEPT};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{server::PATIENCE, sse::SseClient, ws::WsClient};

/// How long a connection is kept for the next request: much less than the ten seconds after which the server closes it, or
/// a request could meet the end of its connection.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// A caller with a token.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The server's address, such as `http://127.0.0.1:12345`.
    pub url: String,
    /// The bearer token.
    pub token: String,
}

/// An answer to a GraphQL request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: Value,
}

/// One of a mutation's user errors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserError {
    /// The code.
    pub code: String,
    /// Where in the input.
    pub field: Vec<String>,
    /// The text.
    #[serde(default)]
    pub message: String,
    /// The version the object is at, where that matters.
    #[serde(default)]
    pub current_version: Option<i32>,
}

impl Client {
    /// A caller of the server at `url`.
    pub fn new(url: &str, token: String) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).pool_idle_timeout(IDLE_MAX).build();
        let http = http.expect("a client without TLS can be made");
        Self { http, url: url.to_owned(), token }
    }

    /// The same caller at another address: where a server came back.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Asks; an error is one of the connection.
    pub async fn try_graphql(&self, query: &str, variables: Value) -> Result<Answer, reqwest::Error> {
        let request = self.http.post(format!("{}/graphql", self.url)).bearer_auth(&self.token);
        let request = request.header(ACCEPT, "application/graphql-response+json");
        let response = request.json(&json!({ "query": query, "variables": variables })).send().await?;
        let status = response.status();
        Ok(Answer { status, body: response.json().await? })
    }

    /// Asks a server that is there.
    #[track_caller]
    pub fn graphql(&self, query: &str, variables: Value) -> impl Future<Output = Answer> {
        let client = self.clone();
        let query = query.to_owned();
        async move {
            let answer = client.try_graphql(&query, variables).await;
            answer.unwrap_or_else(|error| panic!("no answer to {query}: {error:?}"))
        }
    }

    /// Opens a WebSocket and signs in.
    pub async fn web_socket(&self) -> WsClient {
        WsClient::connect(&self.url, &self.token).await
    }

    /// Starts a subscription over server-sent events; `last_event_id` resumes one.
    pub async fn event_stream(&self, query: &str, variables: Value, last_event_id: Option<&str>) -> SseClient {
        SseClient::start(self, query, variables, last_event_id).await
    }
}

impl Answer {
    /// The data; the answer must have no errors.
    #[track_caller]
    pub fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "unexpected errors: {self}");
        self.body.get("data").unwrap_or_else(|| panic!("no data: {self}"))
    }

    /// A part of the data, such as `/order/id`; the answer must have no errors.
    #[track_caller]
    pub fn get(&self, pointer: &str) -> &Value {
        self.data().pointer(pointer).unwrap_or_else(|| panic!("no {pointer}: {self}"))
    }

    /// A text of the data.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        let value = self.get(pointer);
        value.as_str().unwrap_or_else(|| panic!("{pointer} is no text: {self}")).to_owned()
    }

    /// The code of the first error; none if there is no error.
    pub fn error_code(&self) -> Option<&str> {
        self.body.pointer("/errors/0/extensions/code")?.as_str()
    }

    /// The user errors of this mutation.
    #[track_caller]
    pub fn user_errors(&self, mutation: &str) -> Vec<UserError> {
        let errors = self.get(&format!("/{mutation}/userErrors")).clone();
        serde_json::from_value(errors).unwrap_or_else(|error| panic!("no user errors ({error}): {self}"))
    }

    /// The payload of this mutation, which took effect.
    #[track_caller]
    pub fn done(&self, mutation: &str) -> &Value {
        let errors = self.user_errors(mutation);
        assert!(errors.is_empty(), "{mutation} was refused: {errors:?}");
        self.get(&format!("/{mutation}"))
    }

    /// The one thing that is wrong with this mutation: its code and its field, dots between the parts.
    #[track_caller]
    pub fn refusal(&self, mutation: &str) -> (String, String) {
        let errors = self.user_errors(mutation);
        let [error] = &errors[..] else { panic!("one user error of {mutation} was expected: {errors:?}") };
        assert!(!error.message.is_empty(), "an error without words: {error:?}");
        (error.code.clone(), error.field.join("."))
    }

    /// Fails unless the answer is this error with this status.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.error_code()), (status, Some(code)), "{self}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:#}", self.status, self.body)
    }
}
