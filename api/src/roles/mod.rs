//! What the binary can be: one file for each role of the command line.

pub mod all;
pub mod config;
pub mod events;
mod output;
pub mod rebuild;
pub mod schema;
pub mod token;

use std::process::ExitCode;

use infrastructure::{clock::SystemClock, telemetry::with_causes};

use crate::{
    bootstrap::StartError,
    cli::{Cli, RoleCommand},
    config::ConfigError,
};
use output::{fail, print};

/// A role that ended badly: what is printed about it.
#[derive(Debug)]
pub struct Failure {
    /// The stable code.
    pub code: &'static str,
    /// What was wrong, causes included.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// 1 it failed, 2 the command line or a setting is wrong.
    pub exit_code: u8,
}

impl Failure {
    /// A failure with this error and its causes as message.
    pub fn new(code: &'static str, error: &(dyn std::error::Error + 'static), advice: impl Into<String>) -> Self {
        Self { code, message: with_causes(error), advice: advice.into(), exit_code: 1 }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit_code = if matches!(error, StartError::Config(_)) { 2 } else { 1 };
        Self { exit_code, ..Self::new(error.code(), &error, error.advice()) }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        StartError::Config(error).into()
    }
}

/// Runs the role that the command line asks for.
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            fail(&failure);
            ExitCode::from(failure.exit_code)
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let (role, settings) = cli.into_role();
    if role == RoleCommand::Schema {
        print(&schema::run());
        return Ok(());
    }
    let config = settings.load()?;
    match role {
        RoleCommand::All => block_on(all::run(&config)),
        RoleCommand::Rebuild(args) => block_on(rebuild::run(&config, &args.name)),
        RoleCommand::Token(args) => {
            let token = token::run(&config, &args, &SystemClock);
            let token = token.map_err(|error| Failure::new(error.code(), &error, error.advice()))?;
            print(&token);
            Ok(())
        }
        RoleCommand::Schema => Ok(()),
        RoleCommand::Config => {
            print(config::run(&config).trim_end());
            Ok(())
        }
        RoleCommand::Events(args) => block_on(events::run(&config, args.command)),
    }
}

fn block_on(role: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new("RUNTIME_FAILED", &error, "check the limits on threads and file descriptors of this user")
    })?;
    runtime.block_on(role)
}

/// Resolves when the process is asked to stop: Ctrl-C, or SIGTERM.
async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
