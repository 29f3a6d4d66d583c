//! `millrace config`: the settings that apply, with what they mean.

use crate::config::Config;

/// The settings as TOML. Secrets are hidden.
pub fn run(config: &Config) -> String {
    config.to_toml()
}
