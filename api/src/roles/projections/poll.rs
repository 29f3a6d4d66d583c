//! Asks again and again how far something is, and bears with a server that is away for a moment.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    error_code::ErrorCode,
    roles::{
        Failure,
        client::{Client, UNREACHABLE},
        output::note,
    },
};

/// How often it is asked.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How often a line is written where nobody watches a bar.
pub(super) const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a server that has answered before may be away: a restart takes no longer.
const AWAY_MAX: Duration = Duration::from_secs(15);

/// Somebody who is asked the same again and again.
pub(super) struct Poll<'a> {
    client: &'a Client,
    away_since: Option<Instant>,
}

impl<'a> Poll<'a> {
    pub(super) const fn new(client: &'a Client) -> Self {
        Self { client, away_since: None }
    }

    /// The answer; fails if there is none for too long.
    pub(super) async fn ask<T: DeserializeOwned>(&mut self, document: &str, variables: &Value) -> Result<T, Failure> {
        loop {
            let failure = match self.client.ask(document, variables.clone()).await {
                Ok(answer) => {
                    self.away_since = None;
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let is_away = failure.code == UNREACHABLE || failure.code == ErrorCode::ShuttingDown.as_str();
            if !is_away || self.away_since.is_some_and(|since| since.elapsed() >= AWAY_MAX) {
                return Err(failure);
            }
            if self.away_since.is_none() {
                note("the server does not answer; waiting for it");
                self.away_since = Some(Instant::now());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
