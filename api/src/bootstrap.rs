//! The composition root: the only place that knows which adapter stands behind which port.
//!
//! The core (stores, executors, projections) has one lifecycle, the edge (sockets, requests) another: a stop drains
//! the edge first, so that every command that was taken is finished and answered.

mod error;
mod executors;
mod health;
mod payments;
mod processes;
mod readiness;
mod stores;

use std::{net::SocketAddr, num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use axum::Router;
use domain::operator::{Operator, OperatorState};
use infrastructure::{
    clock::{Clock, IdSource, SystemClock, SystemIds},
    event_store::EventStore,
    execute::{Executor, SnapshotOptions},
    lifecycle::Lifecycle,
    process::{self, ProcessRunner},
    read_store::ReadStore,
    snapshot_store::ReadStoreSnapshots,
};
use projections::{
    ClusterOptions, LogFault, ManagerError, Pause, ProjectionManager, ProjectionOptions, ReadModels,
    notifications::InboxWatchers, social_graph::Watchers,
};
use tokio::net::TcpListener;

pub(crate) use self::stores::{open_events, open_rows};
pub use self::{error::StartError, executors::Executors, payments::gateway, stores::OpenStoreError};
use self::{
    health::StoreHealth,
    readiness::{observation, readiness},
};
use crate::{
    auth::{Authenticator, DevKey, Issuer, KeyFile},
    config::{Config, ConfigError, KeySource, Mode},
    data_dir::{self, DataDir, ServerInfo},
    edge::{
        self, Authenticate, EdgeLimits, EdgeState, OriginRules, SocketLimits, console,
        export::{self, ExportState},
        operations,
    },
    engine::{Engine, EngineLimits, GuardLimits},
    graphql::{self, SchemaLimits, Services, ShopSchema},
    operator,
    processes::{Books, Oversight},
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
    /// Execute the commands to the shop's aggregates, of whoever sends them.
    pub executors: Executors,
    /// The processes that run here; none before a server has started them.
    pub processes: Vec<ProcessRunner>,
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
        let operator = executors::operator(config, &events, &lifecycle);
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
        // By now it is known that the read store is of this log.
        let snapshots = ReadStoreSnapshots::open(Arc::clone(&rows)).await.map_err(ManagerError::from)?;
        let snapshots = SnapshotOptions::new(Arc::new(snapshots));
        let executors = Executors::new(config, snapshots, &events, &lifecycle);
        // Whoever runs none looks at them all the same.
        process::prepare(&*rows).await.map_err(|source| StartError::Stores(OpenStoreError::RowsFile(source)))?;
        let (projections, processes) = (Arc::new(projections), Vec::new());
        Ok(Self { events, rows, projections, read_models, operator, executors, processes, lifecycle })
    }

    /// Sees how the processes are, here and elsewhere.
    pub(crate) fn oversight(&self) -> Oversight {
        Oversight::new(Arc::clone(&self.events), &self.rows, Arc::clone(&self.projections), &self.processes)
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
    /// What answers behind the router; none where nothing is served.
    engine: Option<Engine<ShopSchema>>,
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
        let mut core = Core::start(config, duty).await?;
        if duty.works() {
            core.processes = processes::start(config, &core)?;
        }
        let (edge, export) = (Lifecycle::new(), Lifecycle::new());
        edge.spawn(metrics.clone().upkeep(edge.clone()));
        if let Some(exporter) = exporter {
            exporter.start(metrics.clone(), observation(&core), &export);
        }
        let health = StoreHealth::start(Arc::clone(&core.events), Arc::clone(&core.rows), &edge);
        let tools = operations::router(metrics, readiness(&core, health), observation(&core));
        let (router, engine) = match duty {
            Duty::Work => (tools, None),
            Duty::All | Duty::Serve => {
                data_dir::create(&config.data_dir)?;
                let authenticator = authenticator(config, &config.data_dir, Arc::clone(&clock))?;
                edge.spawn(reload_keys(Arc::clone(&authenticator), edge.clone()));
                let webhook = payments::webhook(config, &core, &edge, Arc::clone(&clock), Arc::new(SystemIds))?;
                let (router, engine) = api_router(config, &core, &edge, authenticator, clock);
                (router.merge(webhook).merge(tools), Some(engine))
            }
        };
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let grace = Duration::from_secs(config.shutdown_grace_s.get());
        Ok(Self { address, listener, router, engine, core, edge, export, grace, data_dir })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What answers requests, for whoever asks from within this process; none where nothing is served.
    pub const fn engine(&self) -> Option<&Engine<ShopSchema>> {
        self.engine.as_ref()
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
) -> (Router, Engine<ShopSchema>) {
    let ids: Arc<dyn IdSource> = Arc::new(SystemIds);
    let services = services(config, core, &ids, &clock);
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
    let origins = OriginRules {
        loopback_only: config.mode == Mode::Development,
        allowed_origins: config.allowed_origins.clone(),
    };
    let exports = export::router(ExportState {
        events: Arc::clone(&core.events),
        authenticate: Arc::clone(&authenticate),
        origins: origins.clone(),
        ids: Arc::clone(&ids),
        clock: Arc::clone(&clock),
        lifecycle: edge.clone(),
    });
    let state = EdgeState {
        engine: engine.clone(),
        authenticate,
        lifecycle: edge.clone(),
        limits: edge_limits(config),
        origins,
        ids,
        clock,
    };
    let router = edge::router(state).merge(exports);
    let router = match config.mode {
        Mode::Development => router.merge(console::router()),
        Mode::Production => router,
    };
    (router, engine)
}

/// What resolvers work with.
pub(crate) fn services(config: &Config, core: &Core, ids: &Arc<dyn IdSource>, clock: &Arc<dyn Clock>) -> Services {
    let Executors { products, orders, stocks, profiles, handles, follows, posts, reactions, inboxes, payments: _ } =
        core.executors.clone();
    Services {
        products,
        orders,
        stocks,
        profiles,
        handles,
        follows,
        posts,
        reactions,
        inboxes,
        operator: core.operator.clone(),
        read_models: core.read_models.clone(),
        inbox_watchers: InboxWatchers::start(&core.read_models.notifications, &core.lifecycle),
        watchers: Watchers::start(core.read_models.social_graph.clone(), &core.lifecycle),
        projections: Arc::clone(&core.projections),
        events: Arc::clone(&core.events),
        ids: Arc::clone(ids),
        clock: Arc::clone(clock),
        min_position_wait: Duration::from_millis(config.limits.min_position_wait_ms.get()),
        on_account: config.orders.on_account,
        oversight: core.oversight(),
        books: Books::new(Arc::clone(&core.events), Arc::clone(&core.rows)),
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
        also: processes::leases(),
    }
}

/// What this machine calls itself.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
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
