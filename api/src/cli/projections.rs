//! The command line of projection operations: what can be typed behind `millrace projections`.

use axum::http::Uri;
use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

/// `millrace projections`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ProjectionsArgs {
    /// Whom to ask.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: ProjectionsCommand,
}

/// Which server is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RemoteArgs {
    /// Ask the server at URL, with the operator's token in the environment variable MILLRACE_TOKEN, instead of the one
    /// that has the data directory.
    #[arg(long, global = true, value_name = "URL", value_parser = server_url)]
    pub server: Option<String>,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct FormatArgs {
    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

/// What can be done to projections.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ProjectionsCommand {
    /// List every projection: state, generation, how far behind, what is parked.
    List(FormatArgs),
    /// Show everything about one projection.
    Show(ShowArgs),
    /// Build read models anew beside those that serve, from one scan of the events, then switch.
    Rebuild(RebuildArgs),
    /// Let a projection stand still. It keeps serving what it has.
    Pause(PauseArgs),
    /// Let a projection go on, from a pause or from an event that it stopped at.
    Resume(OrderArgs),
    /// Serve the generation before the last rebuild again.
    Rollback(OrderArgs),
    /// Remove the generation that a rollback would serve.
    Discard(DiscardArgs),
    /// Fold these rows anew from their events and write them.
    Repair(RepairArgs),
    /// Fold these rows anew from their events and compare. Changes nothing.
    Check(CheckArgs),
    /// Show a projection as it changes, until interrupted.
    Watch(ShowArgs),
    /// Look at events that could not be applied, try them again, or pass over them.
    Parked(ParkedArgs),
    /// List what operators did, newest first.
    Actions(ActionsArgs),
}

/// `millrace projections show`, `watch`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ShowArgs {
    /// The projection, such as `order_summary`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How it is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `millrace projections rebuild`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RebuildArgs {
    /// The projections, such as `order_summary`. Several are built from one scan of the events.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// Fold only the rows anew that events from position N on have changed.
    #[arg(long, value_name = "N")]
    pub from: Option<u64>,
    /// Print how many events it would take, how long and how much room, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for those who read of it later.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `millrace projections resume`, `rollback`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct OrderArgs {
    /// The projection, such as `order_summary`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Why, for those who read of it later.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
}

/// `millrace projections pause`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct PauseArgs {
    /// Which projection, and why.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Go on to position N and stand still there, instead of at once.
    #[arg(long, value_name = "N")]
    pub at: Option<u64>,
}

/// `millrace projections discard`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct DiscardArgs {
    /// The projection, such as `order_summary`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The generation on standby, as `show` prints it. Named, so that none is removed by mistake.
    #[arg(value_name = "GENERATION")]
    pub generation: i64,
    /// Why, for those who read of it later.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
}

/// `millrace projections repair`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RepairArgs {
    /// Which rows.
    #[command(flatten)]
    pub rows: CheckArgs,
    /// Why, for those who read of it later.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
}

/// `millrace projections check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct CheckArgs {
    /// The projection, such as `order_summary`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The keys of the rows.
    #[arg(value_name = "KEY", required = true)]
    pub keys: Vec<Uuid>,
    /// How it is printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `millrace projections parked`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ParkedArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: ParkedCommand,
}

/// What can be done with parked events.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ParkedCommand {
    /// List parked events and why they are.
    List(ParkedListArgs),
    /// Try the events of a parked key, or of all of them, now.
    Retry(ParkedRetryArgs),
    /// Pass over the event that a parked key waits for, then try the others of the key. It stays in the log.
    Skip(ParkedSkipArgs),
}

/// `millrace projections parked list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ParkedListArgs {
    /// Only those of this projection.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Only those of this key.
    #[arg(long, value_name = "KEY")]
    pub key: Option<Uuid>,
    /// Only those in this state.
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<ParkedStateArg>,
    /// List at most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
    /// How they are printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// How a parked event waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ParkedStateArg {
    /// It could not be applied.
    Failed,
    /// It waits behind another one of its key.
    Queued,
    /// An operator passed over it.
    Skipped,
}

/// `millrace projections parked retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ParkedRetryArgs {
    /// The projection, such as `order_summary`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The key; without it, all of them.
    #[arg(value_name = "KEY")]
    pub key: Option<Uuid>,
    /// Why, for those who read of it later.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
}

/// `millrace projections parked skip`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ParkedSkipArgs {
    /// The projection, such as `order_summary`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The key.
    #[arg(value_name = "KEY")]
    pub key: Uuid,
    /// The number of the event, as `parked list` prints it.
    #[arg(value_name = "NUMBER")]
    pub number: u64,
    /// Why it may be passed over.
    #[arg(long, value_name = "REASON")]
    pub reason: String,
}

/// `millrace projections actions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ActionsArgs {
    /// Only those on this projection.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// List at most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
    /// How they are printed.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `millrace verify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct VerifyArgs {
    /// The projection, such as `order_summary`, or `shop` for stock and money alone; without it, everything.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// `millrace rebuild`: the short way to write `millrace projections rebuild`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct RebuildAliasArgs {
    /// What to rebuild.
    #[command(flatten)]
    pub rebuild: RebuildArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: RemoteArgs,
}

impl From<RebuildAliasArgs> for ProjectionsArgs {
    fn from(args: RebuildAliasArgs) -> Self {
        Self { remote: args.remote, command: ProjectionsCommand::Rebuild(args.rebuild) }
    }
}

/// The address of a server, perhaps with a path in front of its `/graphql`.
pub(super) fn server_url(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected an address such as https://shop.example.com or http://127.0.0.1:8080";
    let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if has_user {
        return Err("a password in an address is seen by everybody; the token is read from MILLRACE_TOKEN".to_owned());
    }
    if !is_http || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
        return Err(EXPECTED.to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
