//! Every setting there is.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{ConfigError, Otlp, Payments, Secret, Sources, load, render, settings::settings};

/// Shorter leases, and more slices, than make sense.
const LEASE_MS_MIN: u64 = 500;
const SLICES_MAX: u32 = 256;

/// What the process is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// This machine only, with a key of its own.
    #[default]
    Development,
    /// Other machines too, with the tokens of an issuer.
    Production,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// For programs: one JSON object per line.
    Json,
}

/// Who may order on account: without saying how they pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAccount {
    /// Those who run the shop; customers pay when they order.
    #[default]
    Operators,
    /// Customers too.
    Everybody,
}

settings! {
    /// All settings.
    pub struct Config {
        /// `development` listens on a loopback address only and signs tokens with a key that it makes in the data
        /// directory (`millrace token`). `production` listens anywhere and accepts the tokens that `auth` describes.
        mode: Mode = Mode::Development;
        /// The address and port to serve on. Port 0 takes a free one; the log says which.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        /// The directory of the event store, the read models and the development key. Made if it is not there.
        data_dir: PathBuf = PathBuf::from("millrace-data");
        /// Origins whose pages may call this server from a browser, such as `https://shop.example.com`. Pages that
        /// this server serves itself are always allowed.
        allowed_origins: Vec<String> = Vec::new();
        /// Seconds that a stop waits for commands in flight and for workers before it gives up on them.
        shutdown_grace_s: NonZeroU64 = above_zero(10);
    }
    sections {
        /// Whose tokens are accepted. Used in production mode only; there `issuer`, `audience` and exactly one source
        /// of keys are needed.
        auth: Auth;
        /// What one request, document or socket may ask for.
        limits: Limits;
        /// Where the events are. Without a `url` they are in the data directory.
        event_store: EventStore;
        /// Where the read models are. Without a `url` they are in the data directory.
        read_store: ReadStore;
        /// How processes share the work, where the read models are in a database: `millrace serve`, `millrace work`.
        cluster: Cluster;
        /// The command executor.
        executor: Executor;
        /// The workers that keep the read models.
        projections: Projections;
        /// What customers may do.
        orders: Orders;
        /// Who holds, takes and gives back money (docs/operations/payments.md).
        payments: Payments;
        /// What is logged, and how.
        log: Log;
        /// Where metrics and traces are sent: an OpenTelemetry collector, or anything that speaks OTLP over HTTP with
        /// protobuf. Nothing is sent without an `endpoint`, and no `OTEL_*` variable changes anything here.
        otlp: Otlp;
    }
}

settings! {
    /// Whose tokens are accepted in production mode.
    pub struct Auth {
        /// The `iss` that a token must have.
        issuer: Option<String> = None, example "\"https://id.example.com/\"";
        /// The `aud` that a token must have, alone or among others.
        audience: Option<String> = None, example "\"millrace\"";
        /// A JSON Web Key Set (RFC 7517) with the issuer's public keys: `EdDSA` (Ed25519), `RS256` or
        /// `ES256`. It is read again when it changes.
        jwks_file: Option<PathBuf> = None, example "\"jwks.json\"";
        /// A file with the secret of HS256 tokens, at least 32 bytes. A newline at its end does not count.
        hs256_secret_file: Option<PathBuf> = None, example "\"/run/secrets/millrace-hs256\"";
        /// The secret of HS256 tokens itself, at least 32 bytes. Meant for the environment:
        /// `MILLRACE_AUTH__HS256_SECRET`.
        hs256_secret: Option<Secret<String>> = None, example "\"...\"";
        /// Seconds by which the clocks of the issuer and this machine may differ.
        leeway_s: u32 = 30;
    }
}

settings! {
    /// What one request, document or socket may ask for.
    pub struct Limits {
        /// Bytes of a request's body.
        body_bytes: NonZeroUsize = count(256 * 1024);
        /// Sockets and event streams that are open at the same time, of everybody.
        connections: NonZeroUsize = count(20_000);
        /// Sockets and event streams that one caller has open at the same time.
        connections_per_subject: NonZeroUsize = count(10);
        /// Milliseconds that a query waits for the read model to reach its `minPosition`.
        min_position_wait_ms: NonZeroU64 = above_zero(5_000);
    }
    sections {
        /// A GraphQL document. Checked before it is parsed, except depth and complexity, which need the schema.
        document: DocumentLimits;
        /// One WebSocket.
        ws: WebSocketLimits;
    }
}

settings! {
    /// What one GraphQL document may hold.
    pub struct DocumentLimits {
        /// Bytes of the document.
        bytes: NonZeroUsize = count(32 * 1024);
        /// Tokens of the document.
        tokens: NonZeroUsize = count(2_000);
        /// Brackets of any kind inside each other.
        nesting: NonZeroUsize = count(32);
        /// Aliases.
        aliases: NonZeroUsize = count(30);
        /// Directives.
        directives: NonZeroUsize = count(50);
        /// Fields at the top of a query.
        root_fields: NonZeroUsize = count(20);
        /// Fields at the top of a mutation. Each is a command.
        mutation_root_fields: NonZeroUsize = count(5);
        /// Fields inside each other, fragments followed.
        depth: NonZeroUsize = count(12);
        /// Complexity: one for each field, times the size of the page in a connection; see docs/graphql.md.
        complexity: NonZeroUsize = count(5_000);
    }
}

settings! {
    /// What one WebSocket may ask for.
    pub struct WebSocketLimits {
        /// Milliseconds for the client to send `connection_init`.
        init_timeout_ms: NonZeroU64 = above_zero(5_000);
        /// Milliseconds between two pings. A client that is silent for two of them is gone.
        ping_interval_ms: NonZeroU64 = above_zero(20_000);
        /// Operations that one socket has open at the same time.
        operations_per_socket: NonZeroUsize = count(50);
        /// Operations that one socket may start in a minute, in the long run.
        starts_per_minute: NonZeroU32 = count_u32(60);
        /// Operations that one socket may start at once, after a quiet time.
        starts_burst: NonZeroU32 = count_u32(60);
        /// Bytes of a message from the client.
        message_bytes: NonZeroUsize = count(64 * 1024);
    }
}

settings! {
    /// The event store.
    pub struct EventStore {
        /// An EventStoreDB or KurrentDB: `esdb://host:2113`, or all nodes of a cluster, `esdb://a:2113,b:2113,c:2113`. It
        /// is reached with TLS unless it says `?tls=false`.
        url: Option<Secret<String>> = None, example "\"esdb://node1:2113,node2:2113,node3:2113\"";
        /// The user, instead of the one in `url`.
        username: Option<String> = None, example "\"millrace\"";
        /// The user's password. Meant for the environment: `MILLRACE_EVENT_STORE__PASSWORD`.
        password: Option<Secret<String>> = None, example "\"...\"";
        /// A file with the password. A newline at its end does not count.
        password_file: Option<PathBuf> = None, example "\"/run/secrets/event-store-password\"";
        /// The certificates (PEM) that vouch for the nodes', instead of those that the system trusts.
        ca_file: Option<PathBuf> = None, example "\"/etc/millrace/ca.crt\"";
        /// Milliseconds that one call may take.
        call_timeout_ms: NonZeroU64 = above_zero(5_000);
        /// Milliseconds that an append is tried until its outcome is given up as unknown.
        append_budget_ms: NonZeroU64 = above_zero(10_000);
    }
}

settings! {
    /// The read store.
    pub struct ReadStore {
        /// A PostgreSQL database: `postgres://user@host:5432/database`. It is reached with TLS unless it is on this
        /// machine, or `?sslmode=disable` says otherwise.
        url: Option<Secret<String>> = None, example "\"postgres://millrace@db.example.com/millrace\"";
        /// The user's password, instead of the one in `url`. Meant for the environment:
        /// `MILLRACE_READ_STORE__PASSWORD`.
        password: Option<Secret<String>> = None, example "\"...\"";
        /// A file with the password. A newline at its end does not count.
        password_file: Option<PathBuf> = None, example "\"/run/secrets/read-store-password\"";
        /// The certificates (PEM) that vouch for the server's, instead of those that the system trusts.
        ca_file: Option<PathBuf> = None, example "\"/etc/millrace/ca.crt\"";
        /// Connections for questions that an index answers.
        point_connections: NonZeroUsize = count(8);
        /// Connections for lists and reports.
        scan_connections: NonZeroUsize = count(4);
        /// Connections that write.
        write_connections: NonZeroUsize = count(4);
    }
}

settings! {
    /// How processes share the work.
    pub struct Cluster {
        /// What operators see of this process. Without it: the name of the machine and the number of the process.
        node: Option<String> = None, example "\"worker-1\"";
        /// Milliseconds of silence after which a process counts as dead, and others take its work. The same for all.
        lease_ms: NonZeroU64 = above_zero(5_000);
        /// Slices that the keys of a read model are divided into: so many processes can work on one. The same for all; it
        /// holds for generations that are built from then on.
        slices: NonZeroU32 = count_u32(4);
        /// Leases that this process holds at most: a slice is one, and to lead a projection is one. Without it, its share.
        leases_max: Option<NonZeroUsize> = None, example "8";
    }
}

settings! {
    /// The command executor.
    pub struct Executor {
        /// Bytes of folded state that are kept in memory.
        cache_bytes: NonZeroU64 = above_zero(32 * 1024 * 1024);
        /// Commands that may wait for one stream.
        lane_commands: NonZeroUsize = count(10_000);
        /// Milliseconds until the outcome of an append counts as unknown.
        append_timeout_ms: NonZeroU64 = above_zero(5_000);
        /// Milliseconds that an unknown outcome is pursued before the client is told `OUTCOME_UNKNOWN`.
        outcome_wait_ms: NonZeroU64 = above_zero(10_000);
    }
}

settings! {
    /// The workers that keep the read models.
    pub struct Projections {
        /// Events that are applied in one transaction at most.
        batch_events: NonZeroUsize = count(512);
        /// Start with every projection paused, to look at things after an incident: `millrace --paused`. Each goes on
        /// when an operator resumes it.
        paused: bool = false;
        /// Milliseconds that applying one event may take before it counts as failed.
        event_limit_ms: NonZeroU64 = above_zero(5_000);
        /// Percent of the time that a rebuild works while commands arrive. It works all the time while none do.
        rebuild_share: NonZeroU32 = count_u32(30);
        /// Seconds that a generation is kept for a rollback after another one has taken its place.
        keep_generation_s: NonZeroU64 = above_zero(24 * 60 * 60);
        /// Seconds between two drift checks, which fold some rows anew from their events and compare. 0: no checks.
        drift_interval_s: u64 = 10;
        /// Rows that one drift check looks at.
        drift_rows: NonZeroUsize = count(16);
        /// Seconds that a projection may stand although it is behind before it is called stalled.
        stall_after_s: NonZeroU64 = above_zero(10);
    }
}

settings! {
    /// What customers may do.
    pub struct Orders {
        /// Who may order on account, that is without a payment token: `operators`, or `everybody`.
        on_account: OnAccount = OnAccount::Operators;
        /// Seconds for which an order waits for its money, and its pieces are reserved. Then it is cancelled as unpaid.
        unpaid_after_s: NonZeroU64 = above_zero(1_800);
        /// Seconds for which a confirmed order may lie in the house before it is marked as overdue.
        overdue_after_s: NonZeroU64 = above_zero(172_800);
    }
}

settings! {
    /// What is logged, and how.
    pub struct Log {
        /// `pretty` for people, `json` for programs. The log goes to the standard error stream.
        format: LogFormat = LogFormat::Pretty;
        /// Which lines: a level, or levels by module, such as `info,api::edge=debug`.
        filter: String = "info".to_owned();
    }
}

/// Settings that the command line gives. What is absent is left to the other sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overrides {
    /// `--mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// `--listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// `--data-dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// `--paused`.
    pub projections: ProjectionOverrides,
    /// `--log-format` and `--log-filter`.
    pub log: LogOverrides,
}

/// The part of the command line that is about projections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProjectionOverrides {
    /// `--paused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// The part of the command line that is about the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogOverrides {
    /// `--log-format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<LogFormat>,
    /// `--log-filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// Where the keys come from that tokens are verified with, in production mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource<'a> {
    /// A key set of an issuer.
    JwksFile(&'a PathBuf),
    /// A file with a shared secret.
    Hs256SecretFile(&'a PathBuf),
    /// A shared secret.
    Hs256Secret(&'a Secret<String>),
}

/// Everything that production mode needs to know about tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust<'a> {
    /// The `iss` that a token must have.
    pub issuer: &'a str,
    /// The `aud` that a token must have.
    pub audience: &'a str,
    /// What signatures are verified with.
    pub keys: KeySource<'a>,
}

impl Config {
    /// Reads the settings from `sources` and checks them.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        load::load(sources)
    }

    /// These settings as TOML, each with its documentation. Secrets are hidden.
    pub fn to_toml(&self) -> String {
        render::to_toml(self)
    }

    /// The defaults as TOML: the content of api/config.default.toml.
    pub fn default_toml() -> String {
        Self::default().to_toml()
    }

    /// What no single type can check.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.mode {
            Mode::Development if !self.listen.ip().is_loopback() => {
                return Err(ConfigError::NotLoopback { listen: self.listen });
            }
            Mode::Development => {}
            Mode::Production => {
                self.auth.trust()?;
            }
        }
        for origin in &self.allowed_origins {
            if !is_origin(origin) {
                return Err(ConfigError::Unusable {
                    key: "allowed_origins",
                    message: format!("`{origin}` is not an origin: scheme, host and perhaps a port, nothing after it"),
                });
            }
        }
        if self.projections.rebuild_share.get() > 100 {
            let message = "it is a share of the time: 1 to 100 percent".to_owned();
            return Err(ConfigError::Unusable { key: "projections.rebuild_share", message });
        }
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&self.log.filter) {
            return Err(ConfigError::Unusable { key: "log.filter", message: error.to_string() });
        }
        self.otlp.target()?;
        self.payments.check(self.mode == Mode::Production && self.event_store.url.is_some())?;
        self.check_stores()
    }

    fn check_stores(&self) -> Result<(), ConfigError> {
        let unusable = |key, message: &str| Err(ConfigError::Unusable { key, message: message.to_owned() });
        let cluster = &self.cluster;
        if cluster.lease_ms.get() < LEASE_MS_MIN {
            return unusable("cluster.lease_ms", "a lease of less than 500 ms is lost to a store that takes a breath");
        }
        if cluster.slices.get() > SLICES_MAX {
            return unusable("cluster.slices", "1 to 256");
        }
        Ok(())
    }
}

impl EventStore {
    /// The user's password, wherever it is.
    pub fn password(&self) -> Result<Option<Secret<String>>, ConfigError> {
        secret("event_store.password_file", self.password.as_ref(), self.password_file.as_ref())
    }
}

impl ReadStore {
    /// The user's password, wherever it is.
    pub fn password(&self) -> Result<Option<Secret<String>>, ConfigError> {
        secret("read_store.password_file", self.password.as_ref(), self.password_file.as_ref())
    }
}

/// A secret that is given, or lies in a file; `key` is the file's.
pub(super) fn secret(
    key: &'static str,
    given: Option<&Secret<String>>,
    file: Option<&PathBuf>,
) -> Result<Option<Secret<String>>, ConfigError> {
    let Some(file) = file else { return Ok(given.cloned()) };
    if given.is_some() {
        let message = format!("it is given twice; keep this or `{}`", key.trim_end_matches("_file"));
        return Err(ConfigError::Unusable { key, message });
    }
    let read = std::fs::read_to_string(file);
    let read = read.map_err(|error| ConfigError::Unusable { key, message: format!("{}: {error}", file.display()) })?;
    let text = read.strip_suffix('\n').unwrap_or(&read);
    Ok(Some(Secret::new(text.strip_suffix('\r').unwrap_or(text).to_owned())))
}

impl Auth {
    /// Whose tokens to accept in production mode. Refused if something is missing or said twice.
    pub fn trust(&self) -> Result<Trust<'_>, ConfigError> {
        let issuer = self.issuer.as_deref().ok_or(ConfigError::MissingInProduction { key: "auth.issuer" })?;
        let audience = self.audience.as_deref().ok_or(ConfigError::MissingInProduction { key: "auth.audience" })?;
        let sources = [
            self.jwks_file.as_ref().map(|file| ("jwks_file", KeySource::JwksFile(file))),
            self.hs256_secret_file.as_ref().map(|file| ("hs256_secret_file", KeySource::Hs256SecretFile(file))),
            self.hs256_secret.as_ref().map(|secret| ("hs256_secret", KeySource::Hs256Secret(secret))),
        ];
        let given: Vec<_> = sources.into_iter().flatten().collect();
        match given.as_slice() {
            [] => Err(ConfigError::MissingInProduction { key: "auth.jwks_file" }),
            [(_, keys)] => Ok(Trust { issuer, audience, keys: *keys }),
            several => Err(ConfigError::AmbiguousKeySource { keys: several.iter().map(|(name, _)| *name).collect() }),
        }
    }
}

/// Whether a browser would send this text as `Origin` (RFC 6454, section 6.2): `*`, paths and capitals never match.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    })
}

const fn count(value: usize) -> NonZeroUsize {
    NonZeroUsize::new(value).expect("defaults are not zero")
}

const fn count_u32(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).expect("defaults are not zero")
}

const fn above_zero(value: u64) -> NonZeroU64 {
    NonZeroU64::new(value).expect("defaults are not zero")
}
