//! Why the process does not start, or why it ends by itself.

use std::net::SocketAddr;

use domain::operator::OperatorRejection;
use infrastructure::execute::ExecuteError;
use projections::{LogFault, ManagerError};

use super::OpenStoreError;
use crate::{
    auth::{DevKeyError, KeyError},
    config::ConfigError,
    data_dir::DataDirError,
};

/// Why the process does not start, or why it ends by itself. Each has a stable code and a way out.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory is not to be had.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A store does not open.
    #[error(transparent)]
    Stores(#[from] OpenStoreError),
    /// The log of operators' actions cannot be read, which says what is paused.
    #[error("the log of operators' actions cannot be read")]
    OperatorLog(#[source] ExecuteError<OperatorRejection>),
    /// The projections do not start.
    #[error(transparent)]
    Projections(#[from] ManagerError),
    /// The development key cannot be read or made.
    #[error(transparent)]
    DevKey(#[from] DevKeyError),
    /// The keys for tokens cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The address is not to be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl StartError {
    /// The stable code that is printed with it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::DataDir(error) => error.code(),
            Self::Stores(error) => error.code(),
            Self::OperatorLog(_) => "OPERATOR_LOG_UNREADABLE",
            Self::Projections(ManagerError::Log(fault)) => match fault {
                LogFault::Ahead { .. } | LogFault::SetBack { .. } => "READ_STORE_AHEAD",
                LogFault::Other => "READ_STORE_OF_ANOTHER_LOG",
            },
            Self::Projections(_) => "PROJECTIONS_UNUSABLE",
            Self::DevKey(_) => "DEV_KEY_UNUSABLE",
            Self::Keys(_) => "AUTH_KEYS_UNUSABLE",
            Self::Listen { .. } => "LISTEN_FAILED",
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Config(error) => error.advice(),
            Self::DataDir(error) => error.advice(),
            Self::Stores(error) => error.advice(),
            Self::OperatorLog(_) => "see `millrace events check`; start the build that wrote what this one cannot read",
            Self::Projections(ManagerError::Log(fault)) => match fault {
                LogFault::Ahead { .. } | LogFault::SetBack { .. } => {
                    "put the events back that belong to these read models, or empty the read store (delete read.db; in \
                     PostgreSQL its schema): it is rebuilt from the events. docs/operations tells how, under Restore"
                }
                LogFault::Other => {
                    "set the event store that these read models belong to, or give this one a read store of its own, empty"
                }
            },
            Self::Projections(_) => {
                "check the disk; if read.db is damaged, stop the server and delete it: it is rebuilt from the events"
            }
            Self::DevKey(_) => "check that the data directory belongs to this user",
            Self::Keys(_) => "check the key file that the configuration names under [auth]",
            Self::Listen { .. } => "stop whatever uses the address, or choose another one with `--listen`",
        }
    }
}
