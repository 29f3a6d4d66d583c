//! `millrace projections`: what operators look at and do, one file for each kind of verb.
//!
//! Every verb asks a `Client`, which is the running server or the opened stores; nothing here knows which. What is
//! done is checked, written down with its actor and carried out behind it (api/src/graphql/projection/mod.rs). Answers
//! are made for people, or, with `--json`, one object for each line.

mod actions;
mod follow;
mod list;
mod orders;
mod parked;
mod poll;
mod rebuild;
mod rows;
pub(super) mod text;
mod view;
mod watch;

use serde_json::Value;

pub(super) use rows::print_differences;
pub(super) use view::Difference;

use super::{Failure, client::Client, output::print};
use crate::{
    cli::{ProjectionsArgs, ProjectionsCommand},
    config::Config,
};

/// Carries the verb out, wherever that is possible.
pub async fn run(config: &Config, args: ProjectionsArgs) -> Result<(), Failure> {
    let server = args.remote.server.as_deref();
    let client = if matches!(args.command, ProjectionsCommand::Watch(_)) {
        Client::connect_to_server(config, server)?
    } else {
        Client::connect(config, server).await?
    };
    let done = carry_out(&client, &args.command).await;
    client.close().await;
    done
}

async fn carry_out(client: &Client, command: &ProjectionsCommand) -> Result<(), Failure> {
    match command {
        ProjectionsCommand::List(format) => list::list(client, *format).await,
        ProjectionsCommand::Show(args) => list::show(client, args).await,
        ProjectionsCommand::Rebuild(args) => rebuild::run(client, args).await,
        ProjectionsCommand::Pause(args) => orders::pause(client, args).await,
        ProjectionsCommand::Resume(args) => orders::resume(client, args).await,
        ProjectionsCommand::Rollback(args) => orders::rollback(client, args).await,
        ProjectionsCommand::Discard(args) => orders::discard(client, args).await,
        ProjectionsCommand::Repair(args) => rows::repair(client, args).await,
        ProjectionsCommand::Check(args) => rows::check(client, args).await,
        ProjectionsCommand::Watch(args) => watch::run(client, args).await,
        ProjectionsCommand::Parked(args) => parked::run(client, &args.command).await,
        ProjectionsCommand::Actions(args) => actions::run(client, args).await,
    }
}

/// Prints objects as they are, one for each line.
fn print_json<'a>(objects: impl IntoIterator<Item = &'a Value>) {
    for object in objects {
        print(&object.to_string());
    }
}
