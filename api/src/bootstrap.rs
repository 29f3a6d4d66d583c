//! The composition root: the only place that knows which adapter stands behind which port.
//!
//! The core (stores, executors, projections) has one lifecycle, the edge (sockets, requests) another: a stop drains
//! the edge first, so that every command that was taken is finished and answered.

use std::{net::SocketAddr, num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use axum::Router;
use domain::operator::{Operator, OperatorRejection, OperatorState};
use infrastructure::{
    clock::{Clock, IdSource, SystemClock, SystemIds},
    event_store::{EventStore, SqliteEventStore, SqliteEventStoreOptions, StoreError},
    execute::{ExecuteError, Executor, ExecutorOptions},
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError, SqliteReadStore, SqliteReadStoreOptions},
};
use projections::{ManagerError, Pause, ProjectionManager, ProjectionOptions, ProjectionState, ReadModels};
use tokio::net::TcpListener;

use crate::{
    auth::{Authenticator, DevKey, DevKeyError, Issuer, KeyError, KeyFile},
    config::{Config, ConfigError, KeySource, Mode},
    data_dir::{DataDir, DataDirError, ServerInfo},
    edge::{
        self, Authenticate, EdgeLimits, EdgeState, OriginRules, SocketLimits, console,
        operations::{self, Check, Readiness},
    },
    engine::{Engine, EngineLimits, GuardLimits},
    graphql::{self, SchemaLimits, Services},
    operator,
    telemetry::{FLUSH_WAIT_MAX, Metrics, Telemetry},
};

/// How often key files are looked at again.
const KEY_RELOAD_INTERVAL: Duration = Duration::from_secs(30);

/// Why the process does not start. Each has a stable code and a way out.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory is not to be had.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The event store does not open.
    #[error("the event store does not open")]
    Events(#[source] StoreError),
    /// The read store does not open.
    #[error("the read store does not open")]
    Rows(#[source] ReadStoreError),
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
            Self::Events(_) => "EVENT_STORE_UNUSABLE",
            Self::Rows(_) => "READ_STORE_UNUSABLE",
            Self::OperatorLog(_) => "OPERATOR_LOG_UNREADABLE",
            Self::Projections(ManagerError::AheadOfLog { .. }) => "READ_STORE_AHEAD",
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
            Self::Events(_) => "check the disk and the file events.db; restore it from a backup if it is damaged",
            Self::OperatorLog(_) => "see `millrace events check`; start the build that wrote what this one cannot read",
            Self::Projections(ManagerError::AheadOfLog { .. }) => {
                "put the events.db back that belongs to this read.db, or delete read.db: it is rebuilt from the events"
            }
            Self::Rows(_) | Self::Projections(_) => {
                "check the disk; if read.db is damaged, stop the server and delete it: it is rebuilt from the events"
            }
            Self::DevKey(_) => "check that the data directory belongs to this user",
            Self::Keys(_) => "check the key file that the configuration names under [auth]",
            Self::Listen { .. } => "stop whatever uses the address, or choose another one with `--listen`",
        }
    }
}

/// Stores, executors and projections, running.
#[derive(Debug)]
pub struct Core {
    /// The events.
    pub events: Arc<dyn EventStore>,
    /// The projections.
    pub projections: Arc<ProjectionManager>,
    /// The read models.
    pub read_models: ReadModels,
    /// Writes down what operators do, and knows what they paused.
    pub operator: Executor<Operator>,
    /// Owns the core's tasks.
    pub lifecycle: Lifecycle,
}

impl Core {
    /// Opens the stores in `data_dir` and starts the projections.
    pub async fn start(config: &Config, data_dir: &DataDir) -> Result<Self, StartError> {
        let (events_db, read_db) = (data_dir.events_db(), data_dir.read_db());
        let events = blocking(move || SqliteEventStore::open(&events_db, SqliteEventStoreOptions::default()));
        let events: Arc<dyn EventStore> = Arc::new(events.await.map_err(StartError::Events)?);
        let rows = blocking(move || SqliteReadStore::open(&read_db, SqliteReadStoreOptions::default()));
        let rows: Arc<dyn ReadStore> = Arc::new(rows.await.map_err(StartError::Rows)?);
        let lifecycle = Lifecycle::new();
        let operator =
            Executor::new(Arc::clone(&events), Arc::new(SystemClock), lifecycle.clone(), executor_options(config));
        let paused = operator::paused(&operator).await.map_err(StartError::OperatorLog)?;
        let options = projection_options(config, &paused, &SystemClock);
        let (read_models, projections) =
            ReadModels::start(Arc::clone(&events), rows, Arc::new(SystemClock), lifecycle.clone(), options).await?;
        Ok(Self { events, projections: Arc::new(projections), read_models, operator, lifecycle })
    }
}

/// Reads and recovers files where nobody else waits for the thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("opening a file does not panic")
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    router: Router,
    core: Core,
    edge: Lifecycle,
    /// Sends metrics and traces. Stops last, so that the others' end is told too.
    export: Lifecycle,
    grace: Duration,
    data_dir: DataDir,
}

impl Server {
    /// Starts everything and begins to listen. `telemetry` is the process's, installed before.
    pub async fn start(config: &Config, telemetry: Telemetry) -> Result<Self, StartError> {
        let Telemetry { metrics, exporter } = telemetry;
        let data_dir = DataDir::open(&config.data_dir)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let authenticator = authenticator(config, data_dir.path(), Arc::clone(&clock))?;
        let core = Core::start(config, &data_dir).await?;
        let (edge, export) = (Lifecycle::new(), Lifecycle::new());
        edge.spawn(metrics.clone().upkeep(edge.clone()));
        edge.spawn(reload_keys(Arc::clone(&authenticator), edge.clone()));
        if let Some(exporter) = exporter {
            exporter.start(metrics.clone(), observation(&core), &export);
        }
        let router = router(config, &core, &edge, authenticator, clock, metrics);
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let grace = Duration::from_secs(config.shutdown_grace_s.get());
        Ok(Self { address, listener, router, core, edge, export, grace, data_dir })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves; then finishes what is in flight. When it returns, everything is on disk.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), StartError> {
        let url = format!("http://{}", self.address);
        let _announcement = self.data_dir.announce(&ServerInfo { pid: std::process::id(), url })?;
        let edge = self.edge.clone();
        self.edge.spawn(async move {
            tokio::select! {
                () = stop => edge.begin_stop(),
                () = edge.stopping() => {}
            }
        });
        edge::serve(self.listener, self.router, self.edge.clone()).await;
        // The core stops after the edge, which may still be waiting for it; and it stops even if the edge does not.
        let is_edge_drained = self.edge.stop(self.grace).await;
        let is_core_drained = self.core.lifecycle.stop(self.grace).await;
        if !(is_edge_drained && is_core_drained) {
            tracing::warn!("some tasks were still running at the end of the grace period");
        }
        // A collector that is away keeps nothing from ending.
        self.export.stop(FLUSH_WAIT_MAX).await;
        Ok(())
    }
}

fn router(
    config: &Config,
    core: &Core,
    edge: &Lifecycle,
    authenticator: Arc<Authenticator>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
) -> Router {
    let ids: Arc<dyn IdSource> = Arc::new(SystemIds);
    let services = services(config, core, &clock, &ids);
    let document = &config.limits.document;
    let schema_limits = SchemaLimits {
        depth_max: document.depth.get(),
        complexity_max: document.complexity.get(),
        has_introspection: config.mode == Mode::Development,
    };
    let engine_limits = EngineLimits { guard: guard_limits(config), ..EngineLimits::default() };
    let mut engine = Engine::new(graphql::schema(services, schema_limits), engine_limits, edge.clone());
    if schema_limits.has_introspection {
        engine = engine.with_introspection(graphql::introspection_schema());
    }
    let authenticate: Arc<dyn Authenticate> = authenticator;
    let state = EdgeState {
        engine,
        authenticate,
        lifecycle: edge.clone(),
        limits: edge_limits(config),
        origins: OriginRules {
            loopback_only: config.mode == Mode::Development,
            allowed_origins: config.allowed_origins.clone(),
        },
        ids,
        clock,
    };
    let router = edge::router(state).merge(operations::router(metrics, readiness(core), observation(core)));
    match config.mode {
        Mode::Development => router.merge(console::router()),
        Mode::Production => router,
    }
}

/// What resolvers work with.
pub(crate) fn services(config: &Config, core: &Core, clock: &Arc<dyn Clock>, ids: &Arc<dyn IdSource>) -> Services {
    let executor = executor_options(config);
    let events = || Arc::clone(&core.events);
    Services {
        products: Executor::new(events(), Arc::clone(clock), core.lifecycle.clone(), executor.clone()),
        orders: Executor::new(events(), Arc::clone(clock), core.lifecycle.clone(), executor),
        operator: core.operator.clone(),
        read_models: core.read_models.clone(),
        projections: Arc::clone(&core.projections),
        events: events(),
        ids: Arc::clone(ids),
        min_position_wait: Duration::from_millis(config.limits.min_position_wait_ms.get()),
    }
}

/// What an operator has paused stays paused over a restart.
fn projection_options(config: &Config, log: &OperatorState, clock: &dyn Clock) -> ProjectionOptions {
    let settings = &config.projections;
    let paused = log.paused.iter().map(|(name, paused)| (name.as_str().to_owned(), operator::pause_of(paused)));
    let everything = Pause {
        by: "the start of the server".to_owned(),
        reason: Some("it was started with `--paused`".to_owned()),
        since: clock.now(),
        at: None,
    };
    ProjectionOptions {
        batch_events_max: settings.batch_events.get(),
        slices: NonZeroU32::MIN,
        event_limit: Duration::from_millis(settings.event_limit_ms.get()),
        rebuild_share: settings.rebuild_share.get(),
        keep_generation: Duration::from_secs(settings.keep_generation_s.get()),
        drift_interval: (settings.drift_interval_s > 0).then(|| Duration::from_secs(settings.drift_interval_s)),
        drift_rows: settings.drift_rows.get(),
        stall_after: Duration::from_secs(settings.stall_after_s.get()),
        paused: paused.collect(),
        all_paused: settings.paused.then_some(everything),
    }
}

fn executor_options(config: &Config) -> ExecutorOptions {
    ExecutorOptions {
        lane_commands_max: config.executor.lane_commands.get(),
        cache_bytes_max: config.executor.cache_bytes.get(),
        append_timeout: Duration::from_millis(config.executor.append_timeout_ms.get()),
        unknown_outcome_budget: Duration::from_millis(config.executor.outcome_wait_ms.get()),
    }
}

fn guard_limits(config: &Config) -> GuardLimits {
    let document = &config.limits.document;
    GuardLimits {
        bytes_max: document.bytes.get(),
        tokens_max: document.tokens.get(),
        nesting_max: document.nesting.get(),
        aliases_max: document.aliases.get(),
        directives_max: document.directives.get(),
        root_fields_max: document.root_fields.get(),
        mutation_root_fields_max: document.mutation_root_fields.get(),
        ..GuardLimits::default()
    }
}

fn edge_limits(config: &Config) -> EdgeLimits {
    let (limits, ws) = (&config.limits, &config.limits.ws);
    EdgeLimits {
        body_bytes_max: limits.body_bytes.get(),
        connections_max: limits.connections.get(),
        connections_per_subject_max: limits.connections_per_subject.get(),
        socket: SocketLimits {
            message_bytes_max: ws.message_bytes.get(),
            init_timeout: Duration::from_millis(ws.init_timeout_ms.get()),
            ping_interval: Duration::from_millis(ws.ping_interval_ms.get()),
            operations_max: ws.operations_per_socket.get(),
            starts_burst: ws.starts_burst.get(),
            starts_per_minute: ws.starts_per_minute.get(),
        },
        ..EdgeLimits::default()
    }
}

fn authenticator(config: &Config, data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Authenticator>, StartError> {
    if config.mode == Mode::Development {
        return Ok(Arc::new(Authenticator::development(&DevKey::load_or_create(data_dir)?, clock)));
    }
    let trust = config.auth.trust()?;
    let issuer = Issuer {
        issuer: trust.issuer.to_owned(),
        audience: trust.audience.to_owned(),
        leeway: chrono::TimeDelta::seconds(i64::from(config.auth.leeway_s)),
    };
    let authenticator = match trust.keys {
        KeySource::JwksFile(file) => Authenticator::with_key_file(KeyFile::Jwks(file.clone()), issuer, clock)?,
        KeySource::Hs256SecretFile(file) => {
            Authenticator::with_key_file(KeyFile::Hs256Secret(file.clone()), issuer, clock)?
        }
        KeySource::Hs256Secret(secret) => Authenticator::with_hs256_secret(secret, issuer, clock)?,
    };
    Ok(Arc::new(authenticator))
}

/// Looks now and then whether the key file has changed; a broken one leaves the known keys in force.
async fn reload_keys(authenticator: Arc<Authenticator>, lifecycle: Lifecycle) {
    let mut ticks = tokio::time::interval(KEY_RELOAD_INTERVAL);
    loop {
        tokio::select! {
            () = lifecycle.stopping() => return,
            _ = ticks.tick() => {}
        }
        let keys = Arc::clone(&authenticator);
        match blocking(move || keys.reload()).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("the keys for tokens were read anew"),
            Err(error) => tracing::error!(error = %error, "the keys for tokens cannot be read; the known ones stay"),
        }
    }
}

/// A process is ready once every read model has a generation to serve.
fn readiness(core: &Core) -> Readiness {
    let projections = Arc::clone(&core.projections);
    Arc::new(move || {
        let checks = projections.statuses().into_iter().map(|status| {
            let name = format!("projection:{}", status.name);
            match status.state {
                ProjectionState::Building => Check::not_ready(name, "it is being built from the events; wait"),
                // What stands still serves what it has, and says so to whoever asks for more.
                ProjectionState::Running
                | ProjectionState::Retrying { .. }
                | ProjectionState::Frozen { .. }
                | ProjectionState::Stopped(_) => Check::ready(name),
                ProjectionState::Paused(_) if status.generation.is_some() => Check::ready(name),
                ProjectionState::Paused(_) => Check::not_ready(name, "it was paused before it was built; resume it"),
            }
        });
        checks.collect()
    })
}

/// Brings the gauges of the projections up to date.
fn observation(core: &Core) -> operations::Observation {
    let projections = Arc::clone(&core.projections);
    Arc::new(move || {
        let projections = Arc::clone(&projections);
        Box::pin(async move { projections.observe().await })
    })
}
