//! What can be wrong with the settings. Every message names the key and where it was set.

use std::{net::SocketAddr, path::PathBuf};

/// Why the settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key that no setting has: mostly a typo.
    #[error("unknown key `{key}` in {origin}{}", did_you_mean(.nearest.as_deref()))]
    UnknownKey {
        /// The key as it was given, with its section.
        key: String,
        /// The file, variable or command line it comes from.
        origin: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value of the wrong type or outside its range, or a file that is not TOML.
    #[error("{message}{} in {origin}", for_key(.key))]
    Invalid {
        /// The key, with its section; empty if a whole file is meant.
        key: String,
        /// The file, variable or command line it comes from.
        origin: String,
        /// What is wrong with it.
        message: String,
    },
    /// The file given by `--config` cannot be read.
    #[error("cannot read the configuration file `{}`", .path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Development mode signs in whoever holds a key that lies on this machine, so it serves this machine only.
    #[error("development mode listens on a loopback address only, not on `{listen}`")]
    NotLoopback {
        /// The address that was asked for.
        listen: SocketAddr,
    },
    /// Production mode needs to know whose tokens to accept.
    #[error("production mode needs `{key}`")]
    MissingInProduction {
        /// What is missing.
        key: &'static str,
    },
    /// Two sources of keys at once.
    #[error("`auth` names more than one source of keys: {}", .keys.join(", "))]
    AmbiguousKeySource {
        /// Those that are set.
        keys: Vec<&'static str>,
    },
    /// Processes that share the work need stores that they can share.
    #[error("`millrace {role}` needs `{key}`: a process cannot share what lies in its own data directory")]
    NotShared {
        /// The role.
        role: &'static str,
        /// What is missing.
        key: &'static str,
    },
    /// A provider that money comes from lacks something.
    #[error("`payments.provider = \"http\"` needs `{key}`")]
    MissingForProvider {
        /// What is missing.
        key: &'static str,
    },
    /// Orders would be paid with nothing.
    #[error("production mode takes no payments in the sandbox")]
    SandboxInProduction,
    /// A value that has the right type and still makes no sense.
    #[error("`{key}`: {message}")]
    Unusable {
        /// The key, with its section.
        key: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

impl ConfigError {
    /// The stable code that is printed with it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "CONFIG_UNKNOWN_KEY",
            Self::Invalid { .. } | Self::Unusable { .. } => "CONFIG_INVALID",
            Self::FileUnreadable { .. } => "CONFIG_FILE_UNREADABLE",
            Self::NotLoopback { .. } => "CONFIG_NOT_LOOPBACK",
            Self::MissingInProduction { .. } | Self::NotShared { .. } | Self::MissingForProvider { .. } => {
                "CONFIG_MISSING"
            }
            Self::SandboxInProduction => "CONFIG_SANDBOX",
            Self::AmbiguousKeySource { .. } => "CONFIG_AMBIGUOUS",
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } | Self::Invalid { .. } | Self::Unusable { .. } => {
                "correct it; `millrace config` prints every key with its meaning"
            }
            Self::FileUnreadable { .. } => "check the path after `--config`",
            Self::NotLoopback { .. } => {
                "listen on 127.0.0.1, or set `mode = \"production\"` and `auth` to serve other machines"
            }
            Self::MissingInProduction { .. } => {
                "set it; `auth.issuer`, `auth.audience` and one source of keys say whose tokens are accepted"
            }
            Self::NotShared { .. } => {
                "set it, or run `millrace`, which serves and works in one process (docs/operations/cluster.md)"
            }
            Self::AmbiguousKeySource { .. } => "keep one of them",
            Self::MissingForProvider { .. } => "set it; docs/operations/payments.md tells what each is for",
            Self::SandboxInProduction => {
                "set `payments.provider` and what it needs, or `payments.sandbox_in_production = true` where orders are \
                 not for real"
            }
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!(", did you mean `{nearest}`?")).unwrap_or_default()
}

fn for_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(" for `{key}`") }
}
