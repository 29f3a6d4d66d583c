//! The composition root: the only place that knows which adapter stands behind which port.
//!
//! The core (stores, executors, projections) has one lifecycle, the edge (sockets, requests) another: a stop drains
//! the edge first, so that every command that was taken is finished and answered.

mod error;
mod health;
mod stores;

use std::{net::SocketAddr, num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use axum::Router;
use domain::operator::{Operator, OperatorState};
use infrastructure::{
    clock::{Clock, IdSource, SystemClock, SystemIds},
    event_store::EventStore,
    execute::{Executor, ExecutorOptions},
    lifecycle::Lifecycle,
    read_store::ReadStore,
};
use projections::{ClusterOptions, LogFault, Pause, ProjectionManager, ProjectionOptions, ProjectionState, ReadModels};
use tokio::net::TcpListener;

use self::health::StoreHealth;
pub(crate) use self::stores::{open_events, open_rows};
pub use self::{error::StartError, stores::OpenStoreError};
use crate::{
    auth::{Authenticator, DevKey, Issuer, KeyFile},
    config::{Config, ConfigError, KeySource, Mode},
    data_dir::{self, DataDir, ServerInfo},
    edge::{
        self, Authenticate, EdgeLimits, EdgeState, OriginRules, SocketLimits, console,
        operations::{self, Check, Readiness},
    },
    engine::{Engine, EngineLimits, GuardLimits},
    graphql::{self, SchemaLimits, Services},
    operator,
    telemetry::{FLUSH_WAIT_MAX, Telemetry},
};

/// How often key files are looked at again.
const KEY_RELOAD_INTERVAL: Duration = Duration::from_secs(30);

/// How often it is looked whether the log is still the one that the read models are of.
const LOG_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It serves the API and keeps the read models.
    All,
    /// It serves the API; others keep the read models.
    Serve,
    /// It keeps the read models, with others.
    Work,
}

impl Duty {
    const fn works(self) -> bool {
        matches!(self, Self::All | Self::Work)
    }

    const fn serves(self) -> bool {
        matches!(self, Self::All | Self::Serve)
    }

    /// Refuses to share what cannot be shared.
    fn check(self, config: &Config) -> Result<(), ConfigError> {
        let role = match self {
            Self::All => return Ok(()),
            Self::Serve => "serve",
            Self::Work => "work",
        };
        if config.event_store.url.is_none() {
            return Err(ConfigError::NotShared { role, key: "event_store.url" });
        }
        if config.read_store.url.is_none() {
            return Err(ConfigError::NotShared { role, key: "read_store.url" });
        }
        Ok(())
    }
}

/// Stores, executors and projections, running.
#[derive(Debug)]
pub struct Core {
    /// The events.
    pub events: Arc<dyn EventStore>,
    /// The rows that read models consist of.
    pub rows: Arc<dyn ReadStore>,
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
    /// Opens the stores and starts the projections. The data directory must be this process's own if anything of it lies
    /// there.
    pub async fn start(config: &Config, duty: Duty) -> Result<Self, StartError> {
        duty.check(config)?;
        let events = open_events(config, &DataDir::events_db(&config.data_dir)).await?;
        let rows = open_rows(config, &DataDir::read_db(&config.data_dir)).await?;
        let lifecycle = Lifecycle::new();
        let operator =
            Executor::new(Arc::clone(&events), Arc::new(SystemClock), lifecycle.clone(), executor_options(config));
        let paused = operator::paused(&operator).await.map_err(StartError::OperatorLog)?;
        let options = projection_options(config, &paused, &SystemClock, duty);
        let (read_models, projections) = ReadModels::start(
            Arc::clone(&events),
            Arc::clone(&rows),
            Arc::new(SystemClock),
            lifecycle.clone(),
            options,
        )
        .await?;
        Ok(Self { events, rows, projections: Arc::new(projections), read_models, operator, lifecycle })
    }
}

/// Reads and recovers files where nobody else waits for the thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
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
    /// Its own, unless everything it keeps is elsewhere.
    data_dir: Option<DataDir>,
}

impl Server {
    /// Starts everything and begins to listen. `telemetry` is the process's, installed before.
    pub async fn start(config: &Config, telemetry: Telemetry, duty: Duty) -> Result<Self, StartError> {
        let Telemetry { metrics, exporter } = telemetry;
        duty.check(config)?;
        // Processes that share their stores may share a folder, too: all that lies there then is the development key.
        let data_dir = match duty {
            Duty::All => Some(DataDir::open(&config.data_dir)?),
            Duty::Serve | Duty::Work => None,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let core = Core::start(config, duty).await?;
        let (edge, export) = (Lifecycle::new(), Lifecycle::new());
        edge.spawn(metrics.clone().upkeep(edge.clone()));
        if let Some(exporter) = exporter {
            exporter.start(metrics.clone(), observation(&core), &export);
        }
        let health = StoreHealth::start(Arc::clone(&core.events), Arc::clone(&core.rows), &edge);
        let tools = operations::router(metrics, readiness(&core, health), observation(&core));
        let router = match duty {
            Duty::Work => tools,
            Duty::All | Duty::Serve => {
                data_dir::create(&config.data_dir)?;
                let authenticator = authenticator(config, &config.data_dir, Arc::clone(&clock))?;
                edge.spawn(reload_keys(Arc::clone(&authenticator), edge.clone()));
                api_router(config, &core, &edge, authenticator, clock).merge(tools)
            }
        };
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
        let server = ServerInfo { pid: std::process::id(), url };
        let _announcement = self.data_dir.as_ref().map(|data_dir| data_dir.announce(&server)).transpose()?;
        let edge = self.edge.clone();
        self.edge.spawn(async move {
            tokio::select! {
                () = stop => edge.begin_stop(),
                () = edge.stopping() => {}
            }
        });
        let projections = Arc::clone(&self.core.projections);
        let fault = self.edge.spawn(halt_on(projections, self.edge.clone()));
        edge::serve(self.listener, self.router, self.edge.clone()).await;
        // The core stops after the edge, which may still be waiting for it; and it stops even if the edge does not.
        let is_edge_drained = self.edge.stop(self.grace).await;
        let is_core_drained = self.core.lifecycle.stop(self.grace).await;
        if !(is_edge_drained && is_core_drained) {
            tracing::warn!("some tasks were still running at the end of the grace period");
        }
        // A collector that is away keeps nothing from ending.
        self.export.stop(FLUSH_WAIT_MAX).await;
        match fault.await {
            Ok(Some(fault)) => Err(StartError::Projections(fault.into())),
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

/// Ends everything once the log turns out to be another one: what is served then is not of the log that is written. Gives
/// what is wrong with it.
async fn halt_on(projections: Arc<ProjectionManager>, edge: Lifecycle) -> Option<LogFault> {
    tokio::select! {
        biased;
        () = edge.stopping() => None,
        fault = projections.log_fault() => {
            edge.begin_stop();
            Some(fault)
        }
    }
}

fn api_router(
    config: &Config,
    core: &Core,
    edge: &Lifecycle,
    authenticator: Arc<Authenticator>,
    clock: Arc<dyn Clock>,
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
    let router = edge::router(state);
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
fn projection_options(config: &Config, log: &OperatorState, clock: &dyn Clock, duty: Duty) -> ProjectionOptions {
    let settings = &config.projections;
    let paused = log.paused.iter().map(|(name, paused)| (name.as_str().to_owned(), Pause::of(paused)));
    let everything = Pause {
        by: "the start of the server".to_owned(),
        reason: Some("it was started with `--paused`".to_owned()),
        since: clock.now(),
        at: None,
    };
    ProjectionOptions {
        batch_events_max: settings.batch_events.get(),
        // Where nobody shares the work, there is nothing to divide.
        slices: if config.read_store.url.is_some() { config.cluster.slices } else { NonZeroU32::MIN },
        event_limit: Duration::from_millis(settings.event_limit_ms.get()),
        rebuild_share: settings.rebuild_share.get(),
        keep_generation: Duration::from_secs(settings.keep_generation_s.get()),
        drift_interval: (settings.drift_interval_s > 0).then(|| Duration::from_secs(settings.drift_interval_s)),
        drift_rows: settings.drift_rows.get(),
        stall_after: Duration::from_secs(settings.stall_after_s.get()),
        paused: paused.collect(),
        all_paused: settings.paused.then_some(everything),
        log_look_interval: LOG_LOOK_INTERVAL,
        cluster: config.read_store.url.is_some().then(|| cluster_options(config, duty)),
    }
}

/// How this process takes part in the work on read models that others can reach, too.
fn cluster_options(config: &Config, duty: Duty) -> ClusterOptions {
    let host = || hostname().unwrap_or_else(|| "millrace".to_owned());
    ClusterOptions {
        id: SystemIds.fresh(),
        ids: Arc::new(SystemIds),
        node: config.cluster.node.clone().unwrap_or_else(|| format!("{}-{}", host(), std::process::id())),
        lease: Duration::from_millis(config.cluster.lease_ms.get()),
        works: duty.works(),
        serves: duty.serves(),
        leases_max: config.cluster.leases_max,
    }
}

/// What this machine calls itself.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn executor_options(config: &Config) -> ExecutorOptions {
    // A store elsewhere pursues an unknown outcome itself, for as long as its budget says.
    let own_budget = config.event_store.url.as_ref().map_or(0, |_| config.event_store.append_budget_ms.get());
    ExecutorOptions {
        lane_commands_max: config.executor.lane_commands.get(),
        cache_bytes_max: config.executor.cache_bytes.get(),
        append_timeout: Duration::from_millis(config.executor.append_timeout_ms.get() + own_budget),
        is_shared: config.event_store.url.is_some(),
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

/// A process is ready while its stores answer, once every read model has a generation to serve.
fn readiness(core: &Core, health: StoreHealth) -> Readiness {
    let projections = Arc::clone(&core.projections);
    Arc::new(move || {
        let models = projections.statuses().into_iter().map(|status| {
            let name = format!("projection:{}", status.name);
            match status.state {
                ProjectionState::Building => Check::not_ready(name, "it is being built from the events; wait"),
                // What stands still serves what it has, and says so to whoever asks for more.
                ProjectionState::Running
                | ProjectionState::Unattended { .. }
                | ProjectionState::Retrying { .. }
                | ProjectionState::Frozen { .. }
                | ProjectionState::Stopped(_) => Check::ready(name),
                ProjectionState::Paused(_) if status.generation.is_some() => Check::ready(name),
                ProjectionState::Paused(_) => Check::not_ready(name, "it was paused before it was built; resume it"),
            }
        });
        health.checks().into_iter().chain(models).collect()
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
