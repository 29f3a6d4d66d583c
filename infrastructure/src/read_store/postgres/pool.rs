//! Connections, and who may have one.

use std::{fmt, time::Duration};

use deadpool_postgres::{
    Connect, Manager, ManagerConfig, Object, Pool as Connections, PoolError, RecyclingMethod, Runtime, TimeoutType,
    Timeouts,
};
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls, Socket, tls::TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    super::ReadStoreError,
    error::{chain, failed},
};

/// Prepared statements kept by each connection. A projection has about ten; the generations of a rebuild come and go.
const STATEMENTS_CACHED_MAX: usize = 256;

/// How much longer than the server may take for a statement it is waited for.
const ANSWER_GRACE: Duration = Duration::from_secs(2);

/// How a connection is made.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Config,
    /// None: nothing is encrypted.
    pub(super) tls: Option<MakeRustlsConnect>,
    /// How long it may take.
    pub(super) timeout: Duration,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Point,
    Scan,
    Write,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Point => "point queries",
            Self::Scan => "scans",
            Self::Write => "transactions",
        }
    }
}

/// Makes the connections of one purpose.
struct Opener {
    connector: Connector,
    /// What each session is told first.
    session: String,
}

/// The connections of one purpose.
#[derive(Clone)]
pub(super) struct Pool {
    connections: Connections,
    purpose: Purpose,
    timeout: Duration,
}

/// A connection that somebody has. It goes back only when it is idle: one that is dropped in the middle of something is
/// closed, and the server rolls back what was under way.
pub(super) struct Lease {
    connection: Option<Object>,
    is_idle: bool,
}

/// What each session is told first.
///
/// A commit waits for the device even where the server's default is not to: a server that crashes must not forget what a
/// worker has seen committed and builds upon.
fn session(purpose: Purpose, timeout: Duration) -> String {
    // A process that stands still in the middle of a transaction holds its rows no longer than others may wait for them:
    // they take over within the lease and two seconds more.
    // Whether transactions may write is up to the server.
    let read_only = if purpose == Purpose::Write { "" } else { "SET default_transaction_read_only = on; " };
    format!(
        "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = 2000; \
         SET client_min_messages = warning; SET standard_conforming_strings = on; SET jit = off; {read_only}\
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        timeout.as_millis()
    )
}

impl Connector {
    /// A connection, and the task that carries it until the client is dropped.
    pub(super) async fn open(&self) -> Result<(Client, JoinHandle<()>), Error> {
        Ok(match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, serve(connection))
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, serve(connection))
            }
        })
    }
}

impl Connect for Opener {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(async {
            let (client, task) = self.connector.open().await?;
            // Should it fail, the client is dropped and the task ends by itself.
            client.batch_execute(&self.session).await?;
            Ok((client, task))
        })
    }
}

/// Carries what is sent and received until the client is dropped.
fn serve<S>(connection: tokio_postgres::Connection<Socket, S>) -> JoinHandle<()>
where
    S: TlsStream + Unpin + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the client, whoever that belongs to")]
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = chain(&error), "a connection to PostgreSQL ended");
        }
    })
}

impl Pool {
    /// Opens nothing yet.
    pub(super) fn new(
        connector: &Connector,
        purpose: Purpose,
        connections: usize,
        timeout: Duration,
    ) -> Result<Self, ReadStoreError> {
        let opener = Opener { connector: connector.clone(), session: session(purpose, timeout) };
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(connector.config.clone(), opener, recycling);
        let timeouts = Timeouts { wait: Some(timeout), create: Some(connector.timeout), recycle: None };
        let connections = Connections::builder(manager)
            .max_size(connections.max(1))
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| ReadStoreError::Unavailable(error.to_string()))?;
        Ok(Self { connections, purpose, timeout })
    }

    /// A connection that was alive when it was last looked at.
    pub(super) async fn get(&self) -> Result<Lease, ReadStoreError> {
        let connection = self.connections.get().await.map_err(|error| self.unavailable(&error))?;
        if connection.statement_cache.size() >= STATEMENTS_CACHED_MAX {
            connection.statement_cache.clear();
        }
        Ok(Lease { connection: Some(connection), is_idle: false })
    }

    fn unavailable(&self, error: &PoolError) -> ReadStoreError {
        let says = match error {
            PoolError::Backend(error) if error.as_db_error().is_some() => return failed(error),
            PoolError::Backend(error) => format!("PostgreSQL cannot be reached: {}", chain(error)),
            PoolError::Timeout(TimeoutType::Wait) => format!(
                "all {} connections for {} were busy for {:.1} s",
                self.connections.status().max_size,
                self.purpose.as_str(),
                self.timeout.as_secs_f64()
            ),
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                "PostgreSQL does not answer: opening a connection took too long".to_owned()
            }
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => error.to_string(),
        };
        ReadStoreError::Unavailable(says)
    }

    /// How long a query may go unanswered: the server cuts it short before, if it is still there.
    pub(super) fn answer_within(&self) -> Duration {
        self.timeout + ANSWER_GRACE
    }

    /// Closes the connections that nobody has, so that the next one is fresh: when one is lost, the others rarely live.
    pub(super) fn forget_idle(&self) {
        self.connections.retain(|_, _| false);
    }
}

impl Lease {
    pub(super) fn connection(&self) -> &Object {
        self.connection.as_ref().expect("it is there until the lease is dropped")
    }

    /// Nobody can use it any more.
    pub(super) const fn is_broken(&mut self) {
        self.is_idle = false;
    }

    /// Nothing is under way on it: the next one may have it.
    pub(super) const fn is_idle(&mut self) {
        self.is_idle = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.is_idle
        {
            drop(Object::take(connection));
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("purpose", &self.purpose)
            .field("status", &self.connections.status())
            .finish_non_exhaustive()
    }
}
