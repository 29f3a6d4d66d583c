//! A client of GraphQL over server-sent events.

use reqwest::{
    Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{client::Client, server::PATIENCE};

/// A stream of events.
#[derive(Debug)]
pub struct SseClient {
    response: Response,
    unread: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct SseEvent {
    /// `next` or `complete`.
    pub kind: String,
    /// What to send as `Last-Event-ID` to resume right after it.
    pub id: Option<String>,
    /// The result; null where there is none.
    pub data: Value,
}

impl SseClient {
    pub(crate) async fn start(client: &Client, query: &str, variables: Value, last_event_id: Option<&str>) -> Self {
        let response = Self::ask(client, query, variables, last_event_id).await;
        assert_eq!(response.status(), StatusCode::OK, "{:?}", response.text().await);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream; charset=utf-8");
        Self { response, unread: String::new() }
    }

    /// The answer to a request for a stream, whatever it is.
    pub async fn ask(client: &Client, query: &str, variables: Value, last_event_id: Option<&str>) -> Response {
        // No time limit: streams last.
        let http = reqwest::Client::new();
        let mut request = http.post(format!("{}/graphql/stream", client.url)).bearer_auth(&client.token);
        request = request.header(ACCEPT, "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.json(&json!({ "query": query, "variables": variables }));
        request.send().await.expect("the server answers")
    }

    /// The next event; none at the end of the stream. Fails the test if neither comes in time.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (parse(block), rest.to_owned());
                self.unread = rest;
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("an event comes in time");
            match chunk {
                Ok(Some(bytes)) => self.unread.push_str(std::str::from_utf8(&bytes).expect("events are UTF-8")),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// The event in these lines; none if they are a comment or a setting.
fn parse(block: &str) -> Option<SseEvent> {
    let mut kind = None;
    let mut id = None;
    let mut data = String::new();
    for line in block.lines() {
        match line.split_once(':') {
            Some(("event", value)) => kind = Some(value.trim().to_owned()),
            Some(("id", value)) => id = Some(value.trim().to_owned()),
            Some(("data", value)) => data.push_str(value.trim()),
            Some(("retry" | "", _)) | None => {}
            Some((field, _)) => panic!("an unknown field {field} in {block}"),
        }
    }
    let data = if data.is_empty() { Value::Null } else { serde_json::from_str(&data).expect("data is JSON") };
    Some(SseEvent { kind: kind?, id, data })
}
