//! One process of the real binary that says where it listens.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

use tokio::sync::oneshot;

use crate::{
    binary,
    server::{PATIENCE, eventually},
};

/// A process that was started. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Its process, which is not the child where another command has started it.
    pub(crate) pid: u32,
    stderr: PathBuf,
    /// What it prints first, once it does.
    first_line: oneshot::Receiver<Option<String>>,
}

impl Process {
    /// Starts it with these arguments and variables; its log goes to a file of this name in `folder`.
    pub(crate) fn start(
        folder: &Path,
        name: &str,
        wrapper: &[OsString],
        arguments: Vec<OsString>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let stderr = folder.join(name);
        let mut command = binary::command(wrapper, arguments);
        // Most tests are not about money: their customers order on account, unless a test says otherwise.
        command.env("MILLRACE_ORDERS__ON_ACCOUNT", "everybody").envs(environment);
        // A settings file that lies where the tests happen to run is not theirs.
        command.current_dir(folder);
        command.stdout(Stdio::piped()).stderr(File::create(&stderr).expect("a file for the log"));
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let first_line = first_line(&mut child);
        Self { pid: child.id(), child, stderr, first_line }
    }

    /// Where it listens, which stands behind `says` in what it prints first; how it ended if it does not print that.
    pub(crate) async fn url(&mut self, says: &str) -> Result<String, ExitStatus> {
        let line = tokio::time::timeout(PATIENCE, &mut self.first_line).await;
        let line = line.ok().and_then(|said| said.ok()?);
        if let Some(url) = line.and_then(|line| Some(line.split_once(says)?.1.to_owned())) {
            return Ok(url);
        }
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        Err(self.child.wait().expect("it is our child"))
    }

    /// What it has logged so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read(&self.stderr).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        eventually("the process ends", async || self.status()).await
    }

    /// Kills it with SIGKILL, unless it has ended.
    pub(crate) fn end(&mut self) {
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
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.stderr.file_name().unwrap_or_default().display();
            eprintln!("--- {log} of process {} ---\n{}", self.pid, tail(&self.stderr()));
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

/// The first line that `child` prints; none if it ends without one. The rest is read and dropped, so that the child never
/// waits for a reader.
fn first_line(child: &mut Child) -> oneshot::Receiver<Option<String>> {
    let mut lines = BufReader::new(child.stdout.take().expect("the output is a pipe")).lines();
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let _ = sender.send(lines.next().and_then(Result::ok));
        lines.for_each(drop);
    });
    receiver
}

/// The last lines of a log.
fn tail(text: &str) -> String {
    const LINES_MAX: usize = 60;
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}
