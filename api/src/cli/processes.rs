//! The command line of processes: what can be typed behind `millrace processes`.

use clap::{Args, Subcommand};

use super::{FormatArgs, RemoteArgs, ShowArgs};

/// `millrace processes`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ProcessesArgs {
    /// Whom to ask.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: ProcessesCommand,
}

/// What can be done about processes.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ProcessesCommand {
    /// List every process: where it runs, how far behind it is, what does not move.
    List(FormatArgs),
    /// Show everything about one process, with what somebody has to look at.
    Show(ShowArgs),
    /// Try the steps of a key again that do not work.
    Retry(ProcessRetryArgs),
}

/// `millrace processes retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ProcessRetryArgs {
    /// The process, such as `fulfilment`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Whose steps, as `show` prints the key; of an order its global id, too.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Why, for those who read of it later.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
}
