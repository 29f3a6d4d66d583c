//! `millrace events`: the log as data. All but `import` only look, and work beside a running server.

mod archive;
mod check;
mod export;
mod import;
mod print;
mod progress;

use infrastructure::event_store::{SqliteEventVisitor, StoreError};

use super::Failure;
use crate::{cli::EventsCommand, config::Config};

/// Runs the command.
pub async fn run(config: &Config, command: EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Print(args) => print::print_all(config, &args).await,
        EventsCommand::Tail(args) => print::tail(config, &args).await,
        EventsCommand::Export(args) => export::run(config, &args).await,
        EventsCommand::Import(args) => import::run(config, &args),
        EventsCommand::Check(args) => check::run(config, &args).await,
    }
}

fn open(config: &Config) -> Result<SqliteEventVisitor, Failure> {
    SqliteEventVisitor::open(&config.data_dir.join("events.db")).map_err(|error| store_failure(&error))
}

fn store_failure(error: &StoreError) -> Failure {
    Failure::new("EVENT_STORE_UNUSABLE", error, "check `--data-dir`; a server must have been started there once")
}
