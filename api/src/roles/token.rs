//! `millrace token`: a bearer token of development mode.

#[cfg(test)]
mod tests;

use infrastructure::clock::Clock;

use crate::{
    auth::{DevKey, DevKeyError},
    cli::TokenArgs,
    config::{Config, Mode},
};

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// In production, tokens come from the issuer; this machine has no key to sign with.
    #[error("in production mode tokens come from the issuer{}", named(.issuer.as_deref()))]
    Production {
        /// The issuer, as configured.
        issuer: Option<String>,
    },
    /// The key cannot be read or made.
    #[error(transparent)]
    Key(#[from] DevKeyError),
}

impl TokenError {
    /// The stable code that is printed with it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Production { .. } => "TOKEN_NOT_OURS",
            Self::Key(_) => "DEV_KEY_UNUSABLE",
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Production { .. } => "ask the issuer for a token, or run in development mode",
            Self::Key(_) => "check that the data directory belongs to this user",
        }
    }
}

/// The token. Makes the key, and the data directory, if they are not there yet, so that a token can be had before the
/// server's first start.
pub fn run(config: &Config, args: &TokenArgs, clock: &dyn Clock) -> Result<String, TokenError> {
    match config.mode {
        Mode::Production => Err(TokenError::Production { issuer: config.auth.issuer.clone() }),
        Mode::Development => {
            let key = DevKey::load_or_create(&config.data_dir)?;
            Ok(key.token(&args.subject, args.role, clock.now(), args.ttl))
        }
    }
}

fn named(issuer: Option<&str>) -> String {
    issuer.map(|issuer| format!(" {issuer}")).unwrap_or_default()
}
