//! What the binary can be: one file for each role of the command line.

pub mod all;
mod client;
pub mod config;
pub mod demo;
pub mod events;
mod output;
pub mod processes;
pub mod projections;
pub mod schema;
pub mod token;
pub mod verify;

use std::{borrow::Cow, process::ExitCode};

use infrastructure::{clock::SystemClock, telemetry::with_causes};

use crate::{
    bootstrap::{Duty, OpenStoreError, StartError},
    cli::{Cli, RoleCommand},
    config::ConfigError,
};
use output::{fail, print};

/// A role that ended badly: what is printed about it.
#[derive(Debug)]
pub struct Failure {
    /// The stable code.
    pub code: Cow<'static, str>,
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
        Self::said(code, with_causes(error), advice)
    }

    /// A failure in these words.
    pub fn said(code: impl Into<Cow<'static, str>>, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), advice: advice.into(), exit_code: 1 }
    }

    /// The same, because of what was typed.
    #[must_use]
    pub fn typed(self) -> Self {
        Self { exit_code: 2, ..self }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let is_typed = matches!(error, StartError::Config(_) | StartError::Stores(OpenStoreError::Config(_)));
        let exit_code = if is_typed { 2 } else { 1 };
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
    let (role, mut settings) = cli.into_role();
    if let RoleCommand::Demo(_) = role {
        settings.prepare_demo();
    }
    if role == RoleCommand::Schema {
        print(&schema::run());
        return Ok(());
    }
    let config = settings.load()?;
    #[cfg(debug_assertions)]
    arm_failpoint()?;
    match role {
        RoleCommand::All => block_on(all::run(&config, Duty::All)),
        RoleCommand::Serve => block_on(all::run(&config, Duty::Serve)),
        RoleCommand::Work => block_on(all::run(&config, Duty::Work)),
        RoleCommand::Demo(args) => block_on(demo::run(&config, &args)),
        RoleCommand::Projections(args) => block_on(projections::run(&config, *args)),
        RoleCommand::Processes(args) => block_on(processes::run(&config, args)),
        RoleCommand::Rebuild(args) => block_on(projections::run(&config, args.into())),
        RoleCommand::Verify(args) => block_on(verify::run(&config, &args)),
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

/// A test may want this process to die at some place.
#[cfg(debug_assertions)]
fn arm_failpoint() -> Result<(), Failure> {
    let Some(spec) = crate::config::failpoint() else { return Ok(()) };
    infrastructure::failpoint::arm(&spec).map_err(|message| {
        Failure::said("CONFIG_INVALID", format!("MILLRACE_FAILPOINT: {message}"), "write NAME or NAME:COUNT").typed()
    })
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
