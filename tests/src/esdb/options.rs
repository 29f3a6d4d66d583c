//! What a test may choose about the double.

use std::time::Duration;

/// What the database remembers and takes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Of how many of the latest events the ids are remembered for the check of `Any` and `StreamExists`. The server
    /// bounds them by 8 MiB, some 70,000 with names of usual length.
    pub ids_remembered: usize,
    /// The most bytes of an append: types, metadata and data. Up to 24.10 the server's default is 1 MiB; the engine
    /// behind the double takes no more than 1,000 events besides.
    pub append_bytes_max: usize,
    /// How long a write waits to be replicated before the operation times out: the server's commit timeout.
    pub commit_timeout: Duration,
    /// Whether a new database begins with events of the system, as a real one does.
    pub has_system_events: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ids_remembered: 70_000,
            append_bytes_max: 1024 * 1024,
            commit_timeout: Duration::from_secs(2),
            has_system_events: true,
        }
    }
}

/// How a node speaks.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 for a free one.
    pub port: u16,
    /// Whether it speaks TLS, with a certificate of its own that the connection string names.
    pub has_tls: bool,
    /// The names in that certificate.
    pub names: Vec<String>,
    /// The version it says it has.
    pub version: String,
    /// How it answers a repeated append.
    pub repeats: Repeats,
    /// Whether `CaughtUp` says when and where, as servers from 24.10.14 and 25.0 do. Older ones send it empty.
    pub caught_up_says_where: bool,
    /// Who may come; everybody if none.
    pub access: Option<Access>,
    /// What opens the database.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            has_tls: false,
            names: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
            version: "24.10.6".to_owned(),
            repeats: Repeats::Whole,
            caught_up_says_where: true,
            access: None,
            limits: Limits::default(),
        }
    }
}

/// How a repeated append is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Like the first time.
    Whole,
    /// Like the first time, but without the position of its last event. Servers may leave that out.
    WithoutPosition,
    /// As a conflict, as servers do where their check of ids falls short: in a stream that was deleted and begun again,
    /// and with a mixture of known and new ids.
    AsConflict,
}

/// The one user of a double that asks for one, and what the user may do.
#[derive(Clone, Debug)]
pub struct Access {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// Whether the user may read the log of all streams; by default only administrators may.
    pub may_read_all: bool,
    /// Whether the user may write.
    pub may_write: bool,
}

impl Access {
    /// A user who may do everything.
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned(), may_read_all: true, may_write: true }
    }
}
