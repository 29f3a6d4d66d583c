//! A server of its own for each test: the real binary, a data directory of its own, a free port.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    binary::{self, Ran},
    client::Client,
    log::LoggedEvent,
};

/// How long anything may take before a test gives up. Far more than it needs, so that slow machines pass.
pub const PATIENCE: Duration = Duration::from_secs(30);
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
    child: Child,
    /// Its process, which is not the child where another command has started it.
    pub pid: u32,
    /// Its address, such as `http://127.0.0.1:12345`.
    pub url: String,
    data_dir: PathBuf,
    wrapper: Vec<OsString>,
    stderr: PathBuf,
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
        let stderr = temporary.path().join("stderr");
        let mut arguments: Vec<OsString> = vec!["--listen".into(), "127.0.0.1:0".into(), "--data-dir".into()];
        arguments.push(data_dir.clone().into());
        // One that shares its stores with others has no data directory to itself, and so nothing to announce there.
        let announces = !start.arguments.iter().any(|argument| argument == "serve" || argument == "work");
        arguments.extend(start.arguments);
        let mut command = binary::command(&start.wrapper, arguments);
        command.envs(start.environment);
        // A settings file that lies where the tests happen to run is not theirs.
        command.current_dir(temporary.path());
        command.stdout(Stdio::piped()).stderr(File::create(&stderr).expect("a file for the log"));
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let says = if announces { "serves on " } else { " on " };
        let url = first_line(&mut child).and_then(|line| Some(line.split_once(says)?.1.to_owned()));
        let Some(url) = url else {
            // An error means that it has ended by itself.
            let _ = child.kill();
            let status = child.wait().expect("the server is our child");
            return Err(NotReady { status, stderr: read(&stderr) });
        };
        let pid = child.id();
        let mut server = Self { child, pid, url, data_dir, wrapper: start.wrapper, stderr, _temporary: temporary };
        if let Err(status) = server.readiness().await {
            return Err(NotReady { status, stderr: server.stderr() });
        }
        if announces {
            server.pid = server.announced_pid();
        }
        Ok(server)
    }

    /// Waits until it is ready; an error says how it ended instead.
    async fn readiness(&mut self) -> Result<(), ExitStatus> {
        let http = reqwest::Client::new();
        let url = format!("{}/health/ready", self.url);
        eventually("the server is ready", async || {
            if let Some(status) = self.child.try_wait().expect("the server is our child") {
                return Some(Err(status));
            }
            let answer = http.get(&url).send().await;
            answer.is_ok_and(|answer| answer.status().is_success()).then_some(Ok(()))
        })
        .await
    }

    /// Where its data is.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
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
        binary::ran(&binary::run(command.args(words).args(arguments)))
    }

    /// Runs `millrace` with these arguments on this server's data, to its end.
    pub fn millrace(&self, arguments: &[&str]) -> Ran {
        let own = ["--data-dir".into(), self.data_dir.as_os_str().to_owned()];
        let arguments = arguments.iter().map(OsString::from).chain(own);
        binary::ran(&binary::run(&mut binary::command(self.view(), arguments)))
    }

    /// Every event after this position, as `millrace events print` shows them.
    pub fn events(&self, after: u64) -> Vec<LoggedEvent> {
        let printed = self.millrace(&["events", "print", "--after", &after.to_string()]).ok();
        binary::json_lines(&printed).into_iter().map(|line| LoggedEvent::new(&line)).collect()
    }

    /// What it has logged so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("the server is our child").is_none()
    }

    /// Kills it with SIGKILL: nothing is finished, nothing more is written. It must not have ended by itself.
    pub fn kill9(mut self) {
        assert!(self.is_alive(), "the server had ended by itself:\n{}", tail(&self.stderr()));
        self.end();
    }

    /// Waits until it ends by itself. Gives how it ended, and what it has logged.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let status =
            eventually("the server ends by itself", async || self.child.try_wait().expect("the server is our child"));
        (status.await, self.stderr())
    }

    fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        if self.pid != self.child.id() {
            // What traces a process leaves it running when it is killed itself.
            send_signal("KILL", self.pid);
        }
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, without waiting.
    pub fn ask_to_stop(&self) {
        assert!(send_signal("TERM", self.pid), "the signal was not delivered");
    }

    /// Asks it to stop and waits; it must end well.
    pub async fn stop(self) {
        self.ask_to_stop();
        self.stopped().await;
    }

    /// Waits for a server that was asked to stop; it must end well.
    pub async fn stopped(mut self) {
        let status: ExitStatus =
            eventually("the server ends", async || self.child.try_wait().expect("the server is our child")).await;
        assert_eq!(status.code(), Some(0), "the server did not end well:\n{}", self.stderr());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of the server at {} ---\n{}", self.url, tail(&self.stderr()));
        }
        self.end();
    }
}

/// Sends a signal; false if there is no such process.
pub fn send_signal(signal: &str, pid: u32) -> bool {
    // The shell's own `kill`: the program of this name is not installed everywhere.
    let command = format!("kill -{signal} {pid}");
    Command::new("sh").args(["-c", &command]).status().is_ok_and(|status| status.success())
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

/// The first line that `child` prints; none if it ends without one, or takes too long. The rest is read and dropped, so
/// that the child never waits for a reader.
fn first_line(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take().expect("the output is a pipe")).lines();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send(lines.next());
        lines.for_each(drop);
    });
    receiver.recv_timeout(PATIENCE).ok()??.ok()
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The last lines of a log.
fn tail(text: &str) -> String {
    const LINES_MAX: usize = 60;
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}
