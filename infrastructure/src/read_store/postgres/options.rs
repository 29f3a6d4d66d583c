//! Where the server is, and how many of its resources a store may use.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use tokio_postgres::config::{Config, Host, SslMode};

/// The name that the server shows of our connections, unless the address gives another one.
const APPLICATION_NAME: &str = "millrace";
/// After how long a silence the system asks whether the server is still there, how often, and how many times.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long what was sent may stay unacknowledged by the other machine. After that a new connection is quicker than the old
/// one, on which the pauses between tries have grown as long as the silence.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// The address of a database: `postgres://user:password@host:port/database`. Nothing shows its password.
///
/// Of the usual parameters it takes `sslmode` (`disable`, `prefer`, `require`, `verify-full`), `sslrootcert`,
/// `options`, `application_name`, `connect_timeout`, `target_session_attrs` and more that the driver knows.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Config,
    tls: Option<PostgresTls>,
    root_certificate: Option<PathBuf>,
}

/// Whether the connection is encrypted. Where it is, the server's certificate must be right, and its name must be the
/// host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresTls {
    /// Never.
    Disable,
    /// If the server offers it. Who sits in between can take the offer away.
    Prefer,
    /// Always.
    Require,
}

/// Why a text is no address of a database. It does not show the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PostgresUrlError(String);

impl FromStr for PostgresUrl {
    type Err = PostgresUrlError;

    fn from_str(text: &str) -> Result<Self, PostgresUrlError> {
        let wrong = |says: &str| PostgresUrlError(says.to_owned());
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(wrong("it must begin with postgres://"));
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut tls, mut root_certificate) = (None, None);
        let mut rest = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => tls = Some(tls_mode(mode)?),
                Some(("sslrootcert", path)) => root_certificate = Some(PathBuf::from(unescaped(path)?)),
                _ => rest.push(parameter),
            }
        }
        let separator = if rest.is_empty() { "" } else { "?" };
        let mut config: Config = format!("{base}{separator}{}", rest.join("&")).parse().map_err(unreadable)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        if config.get_user().is_none() {
            return Err(wrong("it names no user"));
        }
        // libpq takes the user's name for a database that is not named; here it would rather be a mistake.
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(wrong("it names no database"));
        }
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION_NAME);
        }
        config.keepalives_idle(KEEPALIVE_IDLE).keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_RETRIES);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED_MAX);
        }
        Ok(Self { config, tls, root_certificate })
    }
}

fn tls_mode(text: &str) -> Result<PostgresTls, PostgresUrlError> {
    match text {
        "disable" => Ok(PostgresTls::Disable),
        "prefer" => Ok(PostgresTls::Prefer),
        // A certificate that nobody checks protects nobody, so all of these check it.
        "require" | "verify-ca" | "verify-full" => Ok(PostgresTls::Require),
        _ => Err(PostgresUrlError("sslmode must be disable, prefer, require or verify-full".to_owned())),
    }
}

/// What is wrong, in the driver's words, which name parameters but not their values.
fn unreadable(error: tokio_postgres::Error) -> PostgresUrlError {
    let cause = error.into_source().map_or_else(|| "it cannot be read".to_owned(), |cause| cause.to_string());
    // Words about the text's form may show a part of it.
    let is_about_a_parameter = cause.starts_with("invalid value for option") || cause.starts_with("unknown option");
    PostgresUrlError(if is_about_a_parameter { cause } else { "it cannot be read as an address".to_owned() })
}

fn unescaped(text: &str) -> Result<String, PostgresUrlError> {
    let broken = || PostgresUrlError("a parameter has a % without two hexadecimal digits".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(broken)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| broken())?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

impl PostgresUrl {
    /// The same with this password, instead of the one in the address.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// The driver's form of it.
    pub(super) fn config(&self, tls: PostgresTls) -> Config {
        let mut config = self.config.clone();
        config.ssl_mode(match tls {
            PostgresTls::Disable => SslMode::Disable,
            PostgresTls::Prefer => SslMode::Prefer,
            PostgresTls::Require => SslMode::Require,
        });
        config
    }

    /// What the address asks for; else everything but this machine itself is encrypted.
    fn tls(&self) -> PostgresTls {
        let is_here = |host: &Host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let is_local = hosts.iter().all(is_here) && addresses.iter().all(IpAddr::is_loopback);
        self.tls.unwrap_or(if is_local { PostgresTls::Disable } else { PostgresTls::Require })
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        let ports: Vec<String> = self.config.get_ports().iter().map(u16::to_string).collect();
        let user = self.config.get_user().unwrap_or_default();
        let database = self.config.get_dbname().unwrap_or_default();
        let port = if ports.is_empty() { String::new() } else { format!(":{}", ports.join(",")) };
        write!(f, "postgres://{user}@{}{port}/{database}", hosts.join(","))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Where the tables are and how many resources a store may use.
///
/// Each store has `point_connections + scan_connections + write_connections + 1` connections at most; those of all
/// processes together must stay under the server's `max_connections`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresReadStoreOptions {
    /// The database.
    pub url: PostgresUrl,
    /// Connections for [`Cost::Point`](super::super::Cost::Point), at least one. They are apart from the others, so
    /// that no number of scans or transactions keeps a point query waiting.
    pub point_connections: usize,
    /// Connections for [`Cost::Scan`](super::super::Cost::Scan), at least one.
    pub scan_connections: usize,
    /// Connections for transactions, at least one: so many happen at once.
    pub write_connections: usize,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a point query may take, and how long it may wait for a connection.
    pub point_timeout: Duration,
    /// The same for a scan.
    pub scan_timeout: Duration,
    /// The same for each statement of a transaction. Indexing a large table is one statement.
    pub write_timeout: Duration,
    /// Whether connections are encrypted. None: as `sslmode` in the address says; without it they are, unless the
    /// server is on this machine.
    pub tls: Option<PostgresTls>,
    /// A file with the certificates (PEM) that vouch for the server's; none: those that the system trusts. It goes
    /// before `sslrootcert` in the address.
    pub root_certificate: Option<PathBuf>,
}

impl PostgresReadStoreOptions {
    /// The defaults for this database.
    pub fn new(url: PostgresUrl) -> Self {
        Self {
            url,
            point_connections: 8,
            scan_connections: 4,
            write_connections: 4,
            connect_timeout: Duration::from_secs(5),
            point_timeout: Duration::from_secs(5),
            scan_timeout: Duration::from_secs(5 * 60),
            write_timeout: Duration::from_secs(30 * 60),
            tls: None,
            root_certificate: None,
        }
    }

    pub(super) fn tls(&self) -> PostgresTls {
        self.tls.unwrap_or_else(|| self.url.tls())
    }

    pub(super) fn root_certificate(&self) -> Option<&Path> {
        self.root_certificate.as_deref().or(self.url.root_certificate.as_deref())
    }
}
