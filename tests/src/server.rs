//! A server of its own for each test: the real binary, a data directory of its own, a free port.
//!
//! On the cluster profile (see [`profile`]) it is two processes, one that serves and one that works, and stores beside
//! them, which belong to the data directory as the files do; see stores.rs.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

pub use crate::process::send_signal;
use crate::{
    binary::{self, Ran},
    client::Client,
    log::LoggedEvent,
    process::Process,
    profile,
    stores::{self, Stores},
};

/// How long anything may take before a test gives up. Far more than it needs, so that slow machines pass.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a query of a test waits for `minPosition`, if the test says nothing else.
const MIN_POSITION_WAIT: Duration = Duration::from_secs(20);
/// How often a condition is looked at that nobody announces.
pub const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How to start a server.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Further arguments.
    pub arguments: Vec<OsString>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// A command that starts the server, such as `strace`, with its arguments.
    pub wrapper: Vec<OsString>,
}

/// A server that ended before it was ready.
#[derive(Debug)]
pub struct NotReady {
    /// How it ended.
    pub status: ExitStatus,
    /// What it has logged.
    pub stderr: String,
}

/// A running server. Dropped, it is killed; only [`Server::stop`] ends it well.
#[derive(Debug)]
pub struct Server {
    /// The process that serves.
    process: Process,
    /// The one that works beside it, on the cluster profile.
    worker: Option<Process>,
    /// What they share. Closed after they have ended.
    stores: Option<Stores>,
    /// Its process, which is not the child where another command has started it.
    pub pid: u32,
    /// Its address, such as `http://127.0.0.1:12345`.
    pub url: String,
    data_dir: PathBuf,
    wrapper: Vec<OsString>,
    /// Its log, and its data if it was not told where to keep it. Gone with the server.
    _temporary: TempDir,
}

impl Server {
    /// A server with a data directory of its own, ready to serve.
    pub async fn start() -> Self {
        let temporary = temp_dir();
        let data_dir = temporary.path().join("data");
        Self::launch(temporary, data_dir, Start::default()).await
    }

    /// A server with this data directory, ready to serve.
    pub async fn start_in(data_dir: &Path, start: Start) -> Self {
        Self::launch(temp_dir(), data_dir.to_owned(), start).await
    }

    /// The same, where it may end before it is ready.
    pub async fn try_start_in(data_dir: &Path, start: Start) -> Result<Self, NotReady> {
        Self::try_launch(temp_dir(), data_dir.to_owned(), start).await
    }

    async fn launch(temporary: TempDir, data_dir: PathBuf, start: Start) -> Self {
        let launched = Self::try_launch(temporary, data_dir, start).await;
        launched.unwrap_or_else(|ended| panic!("the server does not start: {}\n{}", ended.status, ended.stderr))
    }

    async fn try_launch(temporary: TempDir, data_dir: PathBuf, start: Start) -> Result<Self, NotReady> {
        let Start { arguments: more, environment, wrapper } = start;
        let mut arguments: Vec<OsString> = vec!["--listen".into(), "127.0.0.1:0".into(), "--data-dir".into()];
        arguments.push(data_dir.clone().into());
        let has_role = more.iter().any(|argument| argument == "serve" || argument == "work");
        // Settings of its own may be those of production, where nobody here can sign in; and whoever counts what a server
        // reports of requests counts its own.
        let is_left_alone = more.iter().any(|argument| argument == "--config")
            || environment.iter().any(|(name, _)| name.starts_with("MILLRACE_OTLP"));
        arguments.extend(more);
        // A machine without breath may need longer than people would wait.
        let patient = [("MILLRACE_LIMITS__MIN_POSITION_WAIT_MS".to_owned(), MIN_POSITION_WAIT.as_millis().to_string())];
        let is_pair = profile::is_cluster() && !has_role;
        let stores = is_pair.then(|| Stores::open(&data_dir));
        let process = |role: Option<&str>| {
            let arguments = arguments.iter().cloned().chain(role.map(OsString::from)).collect();
            let name = role.unwrap_or("millrace");
            let shared = stores.iter().flat_map(|stores| stores.settings(name));
            let environment = patient.iter().cloned().chain(shared).chain(environment.clone());
            Process::start(temporary.path(), &format!("{name}.log"), &wrapper, arguments, environment)
        };
        let mut worker = is_pair.then(|| process(Some("work")));
        let mut process = process(is_pair.then_some("serve"));
        // One that shares its stores with others has no data directory to itself, and so nothing to announce there.
        let announces = !is_pair && !has_role;
        let not_ready = |status, process: &Process| NotReady { status, stderr: process.stderr() };
        let url = process.url(if announces { "serves on " } else { " on " }).await;
        let url = url.map_err(|status| not_ready(status, &process))?;
        ready(&mut process, &url).await.map_err(|status| not_ready(status, &process))?;
        if let Some(worker) = &mut worker {
            let url = worker.url(" on ").await.map_err(|status| not_ready(status, worker))?;
            ready(worker, &url).await.map_err(|status| not_ready(status, worker))?;
            at_work(worker).await;
        }
        let pid = process.pid;
        let mut server = Self { process, worker, stores, pid, url, data_dir, wrapper, _temporary: temporary };
        if announces {
            server.pid = server.announced_pid();
            server.process.pid = server.pid;
        }
        if is_pair && !is_left_alone {
            server.sees_its_worker().await;
        }
        Ok(server)
    }

    /// Waits until the process that serves knows that the other one works: it hears of it a moment later.
    async fn sees_its_worker(&self) {
        let operator = self.operator();
        eventually("the worker is seen at work", async || {
            let answer = operator.graphql("{ projections { state } }", Value::Null).await;
            let states = answer.get("/projections").as_array().expect("a list").clone();
            states.iter().all(|projection| projection["state"] != "UNATTENDED").then_some(())
        })
        .await;
    }

    /// Where its data is; on the cluster profile, its development key, and what the double keeps there.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// How many processes it is.
    pub fn processes(&self) -> usize {
        1 + usize::from(self.worker.is_some())
    }

    /// Its process, as it tells others.
    fn announced_pid(&self) -> u32 {
        let info = self.run_inside("cat", &[self.data_dir.join("server.json").into()]).ok();
        let info: Value = serde_json::from_str(&info).expect("server.json is JSON");
        info["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("server.json names the process")
    }

    /// A client with a token for this customer.
    pub fn customer(&self, subject: &str) -> Client {
        self.client(subject, "customer")
    }

    /// A client with a token for somebody who runs the shop.
    pub fn operator(&self) -> Client {
        self.operator_called("olga")
    }

    /// The same, for another one of them.
    pub fn operator_called(&self, subject: &str) -> Client {
        self.client(subject, "operator")
    }

    fn client(&self, subject: &str, role: &str) -> Client {
        Client::new(&self.url, binary::token(self.view(), &self.data_dir, subject, role))
    }

    /// The command that runs others where they see the server's files; empty if everybody does.
    fn view(&self) -> &[OsString] {
        // What traces a process does not change what it sees.
        if self.wrapper.first().is_some_and(|command| command == "nsenter") { &self.wrapper } else { &[] }
    }

    fn run_inside(&self, program: &str, arguments: &[OsString]) -> Ran {
        let mut words = self.view().iter().cloned().chain([program.into()]);
        let mut command = Command::new(words.next().expect("there is at least the program"));
        binary::ran(command.args(words).args(arguments))
    }

    /// Runs `millrace` with these arguments on this server's data, to its end.
    pub fn millrace(&self, arguments: &[&str]) -> Ran {
        binary::ran(&mut self.command(arguments))
    }

    /// The same, yet to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let own = ["--data-dir".into(), self.data_dir.as_os_str().to_owned()];
        let mut command = binary::command(self.view(), arguments.iter().map(OsString::from).chain(own));
        command.envs(self.stores.iter().flat_map(|stores| stores.settings("console")));
        command
    }

    /// Every event after this position, as `millrace events print` shows them.
    pub fn events(&self, after: u64) -> Vec<LoggedEvent> {
        if let Some(stores) = &self.stores {
            let events = stores.events();
            let later = events.iter().filter(|event| event.position.value() > after);
            return later.map(stores::logged).collect();
        }
        let printed = self.millrace(&["events", "print", "--after", &after.to_string()]).ok();
        binary::json_lines(&printed).into_iter().map(|line| LoggedEvent::new(&line)).collect()
    }

    /// The position of the first event of the log, of the second and so on: they are numbered in one profile, and lie
    /// apart in the other.
    pub fn position(&self, nth: usize) -> u64 {
        match &self.stores {
            Some(stores) => stores.events()[nth - 1].position.value(),
            None => nth as u64,
        }
    }

    /// What it has logged so far, all of its processes.
    pub fn stderr(&self) -> String {
        let worker = self.worker.as_ref().map(Process::stderr).unwrap_or_default();
        self.log() + &worker
    }

    /// What the process that serves has logged so far.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.process.status().is_none() && self.worker.as_mut().is_none_or(|worker| worker.status().is_none())
    }

    /// Kills it with SIGKILL: nothing is finished, nothing more is written. It must not have ended by itself.
    pub fn kill9(mut self) {
        assert!(self.is_alive(), "the server had ended by itself:\n{}", self.stderr());
        self.process.end();
    }

    /// Waits until it ends by itself. Gives how it ended, and what it has logged.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        (self.process.ended().await, self.stderr())
    }

    /// Asks it to stop, without waiting.
    pub fn ask_to_stop(&self) {
        for process in [&self.process].into_iter().chain(&self.worker) {
            assert!(send_signal("TERM", process.pid), "the signal was not delivered");
        }
    }

    /// Asks it to stop and waits; it must end well.
    pub async fn stop(self) {
        self.ask_to_stop();
        self.stopped().await;
    }

    /// Waits for a server that was asked to stop; it must end well.
    pub async fn stopped(mut self) {
        for process in [&mut self.process].into_iter().chain(&mut self.worker) {
            let status = process.ended().await;
            assert_eq!(status.code(), Some(0), "the server did not end well:\n{}", process.stderr());
        }
    }
}

/// Waits until the process at this address is ready; an error says how it ended instead.
async fn ready(process: &mut Process, url: &str) -> Result<(), ExitStatus> {
    let http = reqwest::Client::new();
    let url = format!("{url}/health/ready");
    eventually("the server is ready", async || {
        if let Some(status) = process.status() {
            return Some(Err(status));
        }
        let answer = http.get(&url).send().await;
        answer.is_ok_and(|answer| answer.status().is_success()).then_some(Ok(()))
    })
    .await
}

/// Waits until it has taken up all the work there is. Read models that are there already are served without that.
async fn at_work(worker: &Process) {
    eventually("everything is worked on", async || {
        let log = worker.stderr();
        let says = |what: &str| projections::names().iter().all(|name| log.contains(&format!("{what} {name}")));
        (says("leads") && says("works on slices of")).then_some(())
    })
    .await;
}

/// Changes rows of this data directory's read models behind everybody's back. Gives how many.
pub fn change_rows(data_dir: &Path, sql: &str) -> usize {
    if profile::is_cluster() {
        return stores::change_rows(data_dir, sql);
    }
    let rows = Connection::open(data_dir.join("read.db")).expect("the read store's file");
    rows.execute(sql, []).expect("rows can be changed")
}

/// The key of a row in such a statement.
pub fn key_in_sql(key: Uuid) -> String {
    if profile::is_cluster() { format!("UUID '{key}'") } else { format!("x'{}'", key.simple()) }
}

/// A fresh folder, removed with the value.
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("millrace-test-").tempdir().expect("a temporary folder")
}

/// Looks again and again until `condition` gives something; fails the test if it does not in time.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
