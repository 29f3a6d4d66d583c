//! `millrace events`: the log as data. All but `import` and `copy` only look, and work beside a running server.

mod archive;
mod check;
mod copy;
mod export;
mod import;
mod log;
mod print;
mod progress;

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
        EventsCommand::Copy(args) => copy::run(config, &args).await,
    }
}
