//! The server under test: this program in a process of its own, with the settings of everyday but for its limits.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    num::NonZeroUsize,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use api::{
    auth::{DevKey, Role},
    bootstrap,
    config::{Config, Limits},
    telemetry::Telemetry,
};
use infrastructure::clock::{Clock as _, SystemClock};
use tokio::sync::oneshot;

use crate::{client::Client, report};

/// More than one caller has by default: here one caller is all of them.
const CONNECTIONS_PER_SUBJECT: usize = 10_000;
/// How long a start may take before it has failed, all read models of a log of millions included.
const START_TIMEOUT: Duration = Duration::from_secs(900);

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// An operator's.
    pub(crate) token: String,
    key: DevKey,
    started: Instant,
    process: Child,
    /// The server ends when this does.
    life_line: Option<ChildStdin>,
}

/// The settings on this data directory.
pub(crate) fn config(data_dir: &Path) -> Config {
    let connections_per_subject = NonZeroUsize::new(CONNECTIONS_PER_SUBJECT).expect("it is not zero");
    Config {
        data_dir: data_dir.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        limits: Limits { connections_per_subject, ..Limits::default() },
        ..Config::default()
    }
}

/// What the second process does.
pub(crate) fn serve(data_dir: &Path) {
    let config = config(data_dir);
    let telemetry = Telemetry::install(&config).expect("logs and metrics can be set up");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server =
            bootstrap::Server::start(&config, telemetry, bootstrap::Duty::All).await.expect("the server starts");
        report::say(&server.address().to_string());
        let (is_over, over) = oneshot::channel();
        thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = is_over.send(());
        });
        let stop = async {
            let _ = over.await;
        };
        server.run(stop).await.expect("the server ends well");
    });
}

impl Server {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(data_dir: &Path) -> Self {
        let key = DevKey::load_or_create(data_dir).expect("the data directory can be written");
        let token = key.token("headline", Role::Operator, SystemClock.now(), chrono::TimeDelta::hours(1));
        let log = File::create(data_dir.join("server.log")).expect("the data directory can be written");
        let program = std::env::current_exe().expect("a program knows its path");
        let started = Instant::now();
        let mut process = Command::new(program)
            .arg("--serve")
            .arg(data_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("this program can be started again");
        let life_line = process.stdin.take();
        let mut first_line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut first_line).expect("the server says where it listens");
        let address = first_line.trim().parse().unwrap_or_else(|_| {
            let log = fs::read_to_string(data_dir.join("server.log")).unwrap_or_default();
            panic!("the server did not start: {log}")
        });
        Self { address, token, key, started, process, life_line }
    }

    /// A customer's.
    pub(crate) fn token_of(&self, subject: &str) -> String {
        self.key.token(subject, Role::Customer, SystemClock.now(), chrono::TimeDelta::hours(1))
    }

    /// Waits until the server calls itself ready; how long that took from its start.
    pub(crate) async fn ready(&self) -> Duration {
        let request = format!("GET /health/ready HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        while self.started.elapsed() < START_TIMEOUT {
            if let Ok(mut client) = Client::connect(self.address).await
                && client.ask(request.as_bytes()).await.is_ok()
            {
                return self.started.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("the server is not ready after {START_TIMEOUT:?}");
    }

    /// How much processor time it has used since its start.
    pub(crate) fn cpu_time(&self) -> Duration {
        /// Linux counts in these, whatever the machine.
        const TICK: Duration = Duration::from_millis(10);
        let status = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("Linux tells");
        // Behind the name, which may hold spaces: user and system time are the 12th and 13th fields from there.
        let (_, fields) = status.rsplit_once(") ").expect("the name stands in brackets");
        let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u32>().expect("it is a number"));
        TICK * ticks.sum::<u32>()
    }

    /// How much memory it has at this moment, in bytes.
    pub(crate) fn resident_bytes(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("Linux tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
        let kib: u32 = line.trim().trim_end_matches(" kB").parse().expect("it is a number of KiB");
        f64::from(kib) * 1024.0
    }
}

impl Drop for Server {
    /// Lets it finish what it is at.
    fn drop(&mut self) {
        drop(self.life_line.take());
        let ended = self.process.wait();
        assert!(thread::panicking() || ended.is_ok_and(|status| status.success()), "the server ended badly");
    }
}
