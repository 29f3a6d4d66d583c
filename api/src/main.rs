//! The binary: reads the command line, runs one role, says how it ended.
//!
//! Exit codes: 0 it is done, 1 it failed, 2 the command line or a setting is wrong.

use std::process::ExitCode;

use api::{cli::Cli, roles};
use clap::Parser as _;

fn main() -> ExitCode {
    roles::run(Cli::parse())
}
