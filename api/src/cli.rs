//! The command line: one binary, one role for each way to run it.

mod processes;
mod projections;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf};

use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    auth::Role,
    config::{
        self, Config, ConfigError, ConfigFile, LogFormat, LogOverrides, Mode, Overrides, ProjectionOverrides, Sources,
    },
};

pub use processes::{ProcessRetryArgs, ProcessesArgs, ProcessesCommand};
pub use projections::{
    ActionsArgs, CheckArgs, DiscardArgs, FormatArgs, OrderArgs, ParkedArgs, ParkedCommand, ParkedListArgs,
    ParkedRetryArgs, ParkedSkipArgs, ParkedStateArg, PauseArgs, ProjectionsArgs, ProjectionsCommand, RebuildAliasArgs,
    RebuildArgs, RemoteArgs, RepairArgs, ShowArgs, VerifyArgs,
};

/// The file that is read if `--config` names none.
const DEFAULT_CONFIG_FILE: &str = "millrace.toml";

/// Where a demonstration keeps its data, unless told otherwise.
const DEMO_DATA_DIR: &str = "millrace-demo";

/// An event-sourced shop: GraphQL in front, events behind.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "millrace", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to do. Without it, everything runs in this process.
    #[command(subcommand)]
    pub role: Option<RoleCommand>,
    /// Settings that stand above the file and the environment.
    #[command(flatten)]
    pub settings: Settings,
}

/// Flags that every role takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Settings {
    /// Read the settings from FILE instead of ./millrace.toml.
    #[arg(long, global = true, value_name = "FILE", env = "MILLRACE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The directory of events, read models and the development key.
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The address to serve on; port 0 takes a free one.
    #[arg(long, global = true, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Development serves this machine only; production needs to know whose tokens to accept.
    #[arg(long, global = true, value_enum)]
    pub mode: Option<Mode>,
    /// Start with every projection paused.
    #[arg(long, global = true)]
    pub paused: bool,
    /// How log lines look.
    #[arg(long, global = true, value_enum)]
    pub log_format: Option<LogFormat>,
    /// Which lines are logged, such as `info,api::edge=debug`.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log_filter: Option<String>,
}

/// The ways to run Millrace.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum RoleCommand {
    /// Serve the API and keep the read models, in one process. This is the default.
    All,
    /// Serve the API only; others keep the read models. Needs an event store and a read store that processes share.
    Serve,
    /// Keep the read models only, together with others. Serves nothing but metrics and health.
    Work,
    /// Serve a shop with a catalogue and simulated customers, to see it live. Keeps its data apart from everything else.
    Demo(DemoArgs),
    /// Look at projections and steer them: rebuild, pause, roll back, repair. Works while the server runs.
    Projections(Box<ProjectionsArgs>),
    /// Look at the processes of the shop, and try again what is stuck. Works while the server runs.
    Processes(ProcessesArgs),
    /// The same as `projections rebuild`.
    Rebuild(RebuildAliasArgs),
    /// Fold every event anew and compare with the read models, row by row; recompute stock and money. Works while the server
    /// runs.
    Verify(VerifyArgs),
    /// Print a bearer token for development mode.
    Token(TokenArgs),
    /// Print the GraphQL schema.
    Schema,
    /// Print the settings that apply, each with its meaning. Secrets are hidden.
    Config,
    /// Look at the events, take them elsewhere, bring them in, check them.
    Events(EventsArgs),
}

/// `millrace demo`. Unless told otherwise it keeps its data in `millrace-demo` and logs warnings only.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DemoArgs {
    /// Orders in a second.
    #[arg(long, value_name = "ORDERS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rate: u32,
    /// What all choices come from: the same seed, the same customers with the same wishes.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// How many customers there are.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub customers: u32,
    /// How many people follow each other and talk: the customers and others, or none.
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub people: u32,
    /// Stop after so many seconds instead of on Ctrl-C.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
}

/// `millrace token`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct TokenArgs {
    /// Whom the token speaks of.
    #[arg(long, value_name = "NAME", value_parser = subject)]
    pub subject: String,
    /// What they may do.
    #[arg(long, value_enum)]
    pub role: Role,
    /// How long it lasts: a number and `s`, `m`, `h` or `d`.
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = duration)]
    pub ttl: TimeDelta,
}

/// `millrace events`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct EventsArgs {
    /// Which of them.
    #[command(subcommand)]
    pub command: EventsCommand,
}

/// What can be done with events.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum EventsCommand {
    /// Print events as they are appended, until interrupted.
    Tail(EventsTailArgs),
    /// Print the events that are there, oldest first.
    Print(EventsPrintArgs),
    /// Write the log into files that prove themselves whole. Works while the server runs.
    Export(EventsExportArgs),
    /// Fill an empty data directory with the events of an export.
    Import(EventsImportArgs),
    /// Find the events that this build cannot read. Works while the server runs.
    Check(EventsCheckArgs),
    /// Copy the log between the embedded store and the event store of the settings, and prove the copy. Run again, it
    /// goes on.
    Copy(EventsCopyArgs),
}

/// `millrace events tail`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct EventsTailArgs {
    /// Begin after this position instead of at the end of the log.
    #[arg(long, value_name = "POSITION")]
    pub after: Option<u64>,
    /// Only events of this stream, such as `order-0198c2f0-...`.
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
}

/// `millrace events print`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct EventsPrintArgs {
    /// Begin after this position instead of at the beginning of the log.
    #[arg(long, value_name = "POSITION")]
    pub after: Option<u64>,
    /// Stop after this many.
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Only events of this stream, such as `order-0198c2f0-...`.
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<String>,
}

/// `millrace events export`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct EventsExportArgs {
    /// The folder to write to. It is made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Export the events up to this position and nothing later, instead of all that are there at the start.
    #[arg(long, value_name = "POSITION")]
    pub until: Option<u64>,
    /// Go on with an export that was interrupted. Without one, begin.
    #[arg(long)]
    pub resume: bool,
    /// The most events of one file; 50,000 if not given.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub part_events: Option<u64>,
}

/// `millrace events import`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct EventsImportArgs {
    /// The folder of the export.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
}

/// `millrace events check`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct EventsCheckArgs {
    /// List at most this many findings. All are counted.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
    /// Check the structure of the event store's file as well. Takes minutes on a large one.
    #[arg(long)]
    pub structure: bool,
}

/// `millrace events copy`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct EventsCopyArgs {
    /// Where the events are. A server may run there.
    #[arg(long, value_enum)]
    pub from: EventsSide,
    /// Where they go. It must be empty or hold the beginning of the same log; no server may run there.
    #[arg(long, value_enum)]
    pub to: EventsSide,
    /// Go on with what is appended meanwhile, until interrupted; then verify.
    #[arg(long)]
    pub follow: bool,
    /// Carry the read store of the settings over to the copy as well, so that little is rebuilt. Only when no server
    /// runs on either side.
    #[arg(long, conflicts_with = "follow")]
    pub checkpoints: bool,
}

/// One of the two kinds of event store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventsSide {
    /// `events.db` in the data directory.
    Embedded,
    /// The event store that `event_store.url` names.
    #[value(name = "eventstoredb")]
    EventStoreDb,
}

impl Cli {
    /// The role to run.
    pub fn into_role(self) -> (RoleCommand, Settings) {
        (self.role.unwrap_or(RoleCommand::All), self.settings)
    }
}

impl Settings {
    /// The settings that apply in this process: defaults, file, environment, and these flags above all.
    pub fn load(self) -> Result<Config, ConfigError> {
        Config::load(&self.into_sources(config::environment()))
    }

    /// What a demonstration sets unless it is told otherwise: data of its own, and a log that leaves room for its lines.
    pub(crate) fn prepare_demo(&mut self) {
        self.data_dir.get_or_insert_with(|| DEMO_DATA_DIR.into());
        self.log_filter.get_or_insert_with(|| "warn".to_owned());
    }

    fn into_sources(self, environment: Vec<(String, String)>) -> Sources {
        let Self { config, data_dir, listen, mode, paused, log_format, log_filter } = self;
        let file = config.map_or_else(|| ConfigFile::IfPresent(DEFAULT_CONFIG_FILE.into()), ConfigFile::Given);
        let projections = ProjectionOverrides { paused: paused.then_some(true) };
        let log = LogOverrides { format: log_format, filter: log_filter };
        Sources { file, environment, overrides: Overrides { mode, listen, data_dir, projections, log } }
    }
}

/// A name that a token may speak of, as the authenticator accepts it.
fn subject(text: &str) -> Result<String, String> {
    if crate::auth::is_usable_subject(text) {
        Ok(text.to_owned())
    } else {
        Err("a name is 1 to 255 bytes long and has no control characters".to_owned())
    }
}

/// `90s`, `15m`, `12h`, `7d`.
fn duration(text: &str) -> Result<TimeDelta, String> {
    const EXPECTED: &str = "expected a number and a unit, such as 90s, 15m, 12h or 7d";
    let unit = text.chars().last().ok_or(EXPECTED)?;
    let seconds_per_unit = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(EXPECTED.to_owned()),
    };
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| EXPECTED)?;
    let seconds = number.checked_mul(seconds_per_unit).filter(|seconds| *seconds > 0);
    seconds.and_then(TimeDelta::try_seconds).ok_or_else(|| "must be longer than nothing and end some day".to_owned())
}
