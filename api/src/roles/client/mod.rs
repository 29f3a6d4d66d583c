//! Asks Millrace on an operator's behalf: the server that runs, or, if none does, the opened stores.
//!
//! Both ways speak GraphQL, the second one without a server in between: so every command line verb is written once, and
//! every order is checked, written down and carried out by the same code, wherever that runs.

mod alone;
mod answer;
mod remote;

use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{alone::Alone, remote::Remote};
use super::Failure;
use crate::{
    bootstrap::StartError,
    config::{Config, Mode},
    data_dir::DataDir,
};

pub(super) use answer::UNREACHABLE;

/// Whom the operators' log names for what was done without a token of somebody's own.
const ACTOR: &str = "millrace command line";

/// Whoever answers.
pub(super) struct Client(Way);

enum Way {
    Remote(Box<Remote>),
    Alone(Box<Alone>),
}

impl Client {
    /// Finds whom to ask: the server at this address, else the one that has the data directory, else the stores in it.
    pub(super) async fn connect(config: &Config, server: Option<&str>) -> Result<Self, Failure> {
        match remote(config, server)? {
            Some(remote) => Ok(Self(Way::Remote(Box::new(remote)))),
            None => Ok(Self(Way::Alone(Box::new(Alone::start(config).await?)))),
        }
    }

    /// The same, where there is nothing to see without a server.
    pub(super) fn connect_to_server(config: &Config, server: Option<&str>) -> Result<Self, Failure> {
        let remote = remote(config, server)?.ok_or_else(|| {
            let message = format!("no server has the data directory `{}`", config.data_dir.display());
            Failure::said(
                "SERVER_NOT_RUNNING",
                message,
                "start it, or name another one with `--data-dir` or `--server`",
            )
        })?;
        Ok(Self(Way::Remote(Box::new(remote))))
    }

    /// Whether this process does itself what is ordered, so that it ends with it.
    pub(super) const fn is_alone(&self) -> bool {
        matches!(self.0, Way::Alone(_))
    }

    /// Asks something; gives the data of the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, document: &str, variables: Value) -> Result<T, Failure> {
        let data = match &self.0 {
            Way::Remote(remote) => remote.ask(document, variables).await?,
            Way::Alone(alone) => alone.execute(document, variables).await?,
        };
        answer::parsed(data)
    }

    /// Orders something, which may take its time; gives the mutation's payload, unless it was refused.
    pub(super) async fn order<T: DeserializeOwned>(
        &self,
        mutation: &str,
        document: &str,
        variables: Value,
    ) -> Result<T, Failure> {
        let mut data = match &self.0 {
            Way::Remote(remote) => remote.order(document, variables).await?,
            Way::Alone(alone) => alone.execute(document, variables).await?,
        };
        let payload = data.get_mut(mutation).map(Value::take).unwrap_or_default();
        answer::refusal(&payload)?;
        answer::parsed(payload)
    }

    /// Reads a part of an answer.
    pub(super) fn parsed<T: DeserializeOwned>(part: Value) -> Result<T, Failure> {
        answer::parsed(part)
    }

    /// Ends. What this process had begun is brought to a place from where the next one goes on.
    pub(super) async fn close(self) {
        match self.0 {
            Way::Remote(_) => {}
            Way::Alone(alone) => alone.stop().await,
        }
    }
}

/// The server to ask, if one runs.
fn remote(config: &Config, server: Option<&str>) -> Result<Option<Remote>, Failure> {
    if let Some(url) = server {
        return Remote::with_token(url).map(Some);
    }
    let Some(server) = DataDir::server(&config.data_dir).map_err(StartError::from)? else { return Ok(None) };
    match config.mode {
        Mode::Development => Remote::with_key_of(&server.url, &config.data_dir),
        Mode::Production => Remote::with_token(&server.url),
    }
    .map(Some)
}
