//! `millrace rebuild NAME`: builds a read model anew, through the running server or, if none runs, by itself.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use infrastructure::clock::{Clock as _, SystemClock};
use projections::{ManagerError, RebuildPhase};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Failure,
    output::{is_watched, note, print},
};
use crate::{
    auth::{DevKey, Role},
    bootstrap::{Core, StartError},
    config::{Config, Mode},
    data_dir::{DataDir, ServerInfo},
};

/// How often a running server is asked how far it is.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How often a line is written where nobody watches a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// How long the token lives that this command makes for itself.
const TOKEN_MINUTES: i64 = 60;

/// How far a rebuild is, wherever it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    generation: i64,
    phase: String,
    done: u64,
    total: u64,
    events: u64,
    rate: f64,
    elapsed_seconds: f64,
    remaining_seconds: Option<f64>,
    error: Option<String>,
}

/// Rebuilds and shows how far it is.
pub async fn run(config: &Config, name: &str) -> Result<(), Failure> {
    match DataDir::server(&config.data_dir).map_err(StartError::from)? {
        Some(server) => through_server(config, &server, name).await,
        None => alone(config, name).await,
    }
}

/// No server runs: this process does it.
async fn alone(config: &Config, name: &str) -> Result<(), Failure> {
    let data_dir = DataDir::open(&config.data_dir).map_err(StartError::from)?;
    let core = Core::start(config, &data_dir).await?;
    // A read model of an older version is being rebuilt by the start itself; that one counts.
    let mut progress = match core.projections.rebuild(name).await {
        Ok(progress) => progress,
        Err(ManagerError::AlreadyRebuilding(_)) => core.projections.watch_rebuild(name).map_err(manager_failure)?,
        Err(error) => return Err(manager_failure(error)),
    };
    let mut display = Display::new(name);
    let last = loop {
        let now = progress.borrow_and_update().clone();
        if let Some(now) = now {
            let (phase, error) = match &now.phase {
                RebuildPhase::Filling => ("FILLING", None),
                RebuildPhase::Indexing => ("INDEXING", None),
                RebuildPhase::Switching => ("SWITCHING", None),
                RebuildPhase::Done => ("DONE", None),
                RebuildPhase::Failed(error) => ("FAILED", Some(error.clone())),
            };
            let shown = Progress {
                generation: now.generation,
                phase: phase.to_owned(),
                done: now.done,
                total: now.total,
                events: now.events,
                rate: now.rate(),
                elapsed_seconds: now.elapsed.as_secs_f64(),
                remaining_seconds: now.remaining().map(|left| left.as_secs_f64()),
                error,
            };
            display.show(&shown);
            if now.is_over() {
                break shown;
            }
        }
        let changed = tokio::time::timeout(POLL_INTERVAL, progress.changed()).await;
        if matches!(changed, Ok(Err(_))) {
            return Err(lost());
        }
    };
    core.lifecycle.stop(Duration::from_secs(config.shutdown_grace_s.get())).await;
    display.finish(&last)
}

/// A server runs: it does it, and is asked how far it is.
async fn through_server(config: &Config, server: &ServerInfo, name: &str) -> Result<(), Failure> {
    let client = Client::new(config, server)?;
    let begun = client
        .ask(
            "mutation Rebuild($name: String!) { projectionRebuild(input: {name: $name}) { userErrors { code message } } }",
            name,
        )
        .await?;
    if let Some(error) = begun.pointer("/projectionRebuild/userErrors/0") {
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Somebody else's rebuild of the same read model serves as well as ours.
        if text("code") != "ALREADY_REBUILDING" {
            return Err(unknown(text("message")));
        }
        note("it is being rebuilt already; this shows that rebuild");
    }
    let mut display = Display::new(name);
    loop {
        let answer = client
            .ask(
                "query Progress($name: String!) { projection(name: $name) { rebuild { generation phase done total events \
                 rate elapsedSeconds remainingSeconds error } } }",
                name,
            )
            .await?;
        let progress = answer.pointer("/projection/rebuild").cloned().unwrap_or_default();
        let Ok(progress) = serde_json::from_value::<Progress>(progress) else { return Err(lost()) };
        display.show(&progress);
        if matches!(progress.phase.as_str(), "DONE" | "FAILED") {
            return display.finish(&progress);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Asks the running server, as an operator.
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    fn new(config: &Config, server: &ServerInfo) -> Result<Self, Failure> {
        if config.mode == Mode::Production {
            return Err(Failure {
                code: "SERVER_RUNNING",
                message: format!("a server in production mode uses the data directory (process {})", server.pid),
                advice: "send it the mutation `projectionRebuild` with an operator's token".to_owned(),
                exit_code: 1,
            });
        }
        let key = DevKey::load_or_create(&config.data_dir).map_err(StartError::from)?;
        let lifetime = chrono::TimeDelta::minutes(TOKEN_MINUTES);
        let token = key.token("millrace rebuild", Role::Operator, SystemClock.now(), lifetime);
        Ok(Self { http: reqwest::Client::new(), url: format!("{}/graphql", server.url), token })
    }

    async fn ask(&self, query: &str, name: &str) -> Result<Value, Failure> {
        let body = json!({ "query": query, "variables": { "name": name } });
        let answer = async {
            let request = self.http.post(&self.url).bearer_auth(&self.token).json(&body);
            request.send().await?.json::<Value>().await
        };
        let answer = answer
            .await
            .map_err(|error| Failure::new("SERVER_UNREACHABLE", &error, "check that the server runs, and try again"))?;
        if let Some(message) = answer.pointer("/errors/0/message").and_then(Value::as_str) {
            return Err(Failure {
                code: "SERVER_REFUSED",
                message: message.to_owned(),
                advice: "see the server's log".to_owned(),
                exit_code: 1,
            });
        }
        Ok(answer.get("data").cloned().unwrap_or_default())
    }
}

/// A bar on a terminal, a line now and then in a pipe.
struct Display {
    name: String,
    bar: Option<ProgressBar>,
    last_line: Option<tokio::time::Instant>,
}

impl Display {
    fn new(name: &str) -> Self {
        let bar = is_watched().then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:40} {percent:>3} % {msg}");
            let bar = ProgressBar::new(0).with_prefix(name.to_owned());
            if let Ok(style) = style { bar.with_style(style) } else { bar }
        });
        Self { name: name.to_owned(), bar, last_line: None }
    }

    fn show(&mut self, progress: &Progress) {
        let text = format!(
            "{} {}/{} events, {:.0}/s{}",
            progress.phase.to_lowercase(),
            progress.done,
            progress.total,
            progress.rate,
            progress.remaining_seconds.map(|left| format!(", {left:.0} s left")).unwrap_or_default()
        );
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total.max(1));
            bar.set_position(progress.done);
            bar.set_message(text);
        } else if self.last_line.is_none_or(|last| last.elapsed() >= LINE_INTERVAL) {
            note(&format!("{}: {text}", self.name));
            self.last_line = Some(tokio::time::Instant::now());
        }
    }

    fn finish(self, progress: &Progress) -> Result<(), Failure> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        if let Some(error) = &progress.error {
            return Err(Failure {
                code: "REBUILD_FAILED",
                message: error.clone(),
                advice: format!(
                    "the old generation of {} serves on; see what the error names and try again",
                    self.name
                ),
                exit_code: 1,
            });
        }
        print(&format!(
            "{} serves generation {}: {} events in {:.1} s ({:.0} events/s)",
            self.name, progress.generation, progress.events, progress.elapsed_seconds, progress.rate
        ));
        Ok(())
    }
}

fn manager_failure(error: ManagerError) -> Failure {
    match error {
        ManagerError::Unknown { .. } => unknown(error.to_string()),
        error @ (ManagerError::AlreadyRebuilding(_)
        | ManagerError::AheadOfLog { .. }
        | ManagerError::Rows(_)
        | ManagerError::Events(_)) => StartError::from(error).into(),
    }
}

fn unknown(message: String) -> Failure {
    let known = projections::names().join(", ");
    Failure { code: "UNKNOWN_PROJECTION", message, advice: format!("choose one of: {known}"), exit_code: 2 }
}

fn lost() -> Failure {
    Failure {
        code: "REBUILD_LOST",
        message: "the rebuild ended without a word".to_owned(),
        advice: "see the server's log and try again; the old generation serves on".to_owned(),
        exit_code: 1,
    }
}
