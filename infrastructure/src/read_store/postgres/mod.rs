//! The read store in a PostgreSQL database, which many processes share.
//!
//! The tables are in the schema that the user's `search_path` names first. Point queries, scans and transactions have
//! connections of their own. The text of a statement goes to the server as it is, but for two things: columns of TEXT are
//! made with the order of bytes, and an insert of many rows goes as one statement over arrays.
//!
//! A dead connection, a deadlock, a statement prepared for tables that have changed: what the store can repair by doing it
//! again is not told to its caller. What it cannot, it says with what to do.

mod error;
mod nudge;
mod open;
mod options;
mod pool;
mod reading;
mod row;
mod sql;
#[cfg(all(unix, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod value;
mod writing;

use async_trait::async_trait;
use tokio::sync::watch;

use self::{
    nudge::Nudges,
    pool::{Connector, Pool, Purpose},
};
pub use self::{
    open::PostgresOpenError,
    options::{PostgresReadStoreOptions, PostgresTls, PostgresUrl, PostgresUrlError},
};
use super::{Cost, Query, ReadStore, ReadStoreError, Row, Statement};

/// Read models in a PostgreSQL database.
///
/// Dropping it closes its connections; what was under way is rolled back.
#[derive(Debug)]
pub struct PostgresReadStore {
    points: Pool,
    scans: Pool,
    writes: Pool,
    nudges: Nudges,
    version: i32,
}

impl PostgresReadStore {
    /// Looks whether the database can hold the read models, and connects to it.
    pub async fn open(options: &PostgresReadStoreOptions) -> Result<Self, PostgresOpenError> {
        let mode = options.tls();
        let tls = match mode {
            PostgresTls::Disable => None,
            PostgresTls::Prefer | PostgresTls::Require => Some(tls::connector(options.root_certificate())?),
        };
        let mut config = options.url.config(mode);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.connect_timeout);
        }
        let connector = Connector { config, tls, timeout: options.connect_timeout };
        let facts = open::look(&connector).await?;
        let pool = |purpose, connections, timeout| Pool::new(&connector, purpose, connections, timeout);
        Ok(Self {
            points: pool(Purpose::Point, options.point_connections, options.point_timeout)?,
            scans: pool(Purpose::Scan, options.scan_connections, options.scan_timeout)?,
            writes: pool(Purpose::Write, options.write_connections, options.write_timeout)?,
            version: facts.version,
            nudges: Nudges::start(connector, facts.schema),
        })
    }

    /// The server's version, as `server_version_num` gives it: 150004 is 15.4.
    pub const fn server_version(&self) -> i32 {
        self.version
    }
}

#[async_trait]
impl ReadStore for PostgresReadStore {
    async fn query(&self, query: Query) -> Result<Vec<Row>, ReadStoreError> {
        let pool = match query.cost {
            Cost::Point => &self.points,
            Cost::Scan => &self.scans,
        };
        reading::query(pool, &query).await
    }

    async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        writing::transaction(&self.writes, statements).await
    }

    fn nudge(&self) {
        self.nudges.nudge();
    }

    fn nudges(&self) -> watch::Receiver<u64> {
        self.nudges.heard()
    }
}
