//! The read store port: SQL tables that projections write and queries read.
//!
//! SQL text is written once for both engines: `$1` placeholders, `INSERT ... ON CONFLICT`, no vendor functions.
//! Text stands in projections/src/*/sql.rs and query.rs, infrastructure/src/lease/sql.rs,
//! process/sql.rs and snapshot_store/sql.rs only. Values are typed; each engine maps them to its own types (SQLite: uuid
//! as 16-byte BLOB, timestamp as microseconds since 1970, JSON as TEXT). Tables declare their columns as `UUID`,
//! `TIMESTAMPTZ`, `BIGINT`, `TEXT` and `JSONB`, which both engines accept. A key of several columns is named at the end of
//! the table, as `PRIMARY KEY (…)`: SQLite then keeps the table in the order of that key.
//!
//! Text is compared and sorted by its bytes. On SQLite that is so anyway; the PostgreSQL adapter sees to it by making
//! each column that a `CREATE TABLE` or `ALTER TABLE` declares as `TEXT` with `COLLATE "C"`.
//!
//! JSON comes back as the same document; a store may give it back in canonical form (keys sorted by bytes, no white
//! space, numbers without exponent), so who compares bytes writes canonical text.
//!
//! A text must not hold the character U+0000: PostgreSQL refuses it.

mod error;
mod json;
mod postgres;
mod sqlite;
mod value;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

pub use error::ReadStoreError;
pub use json::canonical_json;
#[cfg(all(unix, feature = "testing"))]
pub use postgres::testing;
pub use postgres::{
    PostgresOpenError, PostgresReadStore, PostgresReadStoreOptions, PostgresTls, PostgresUrl, PostgresUrlError,
};
pub use sqlite::{SqliteReadStore, SqliteReadStoreOptions};
pub use value::{RawValue, Row, Value};

/// What a query costs, so that an embedded engine knows where to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// A few rows by an index: microseconds.
    Point,
    /// Anything more.
    Scan,
}

/// One SQL statement to read with.
#[derive(Clone, Debug)]
pub struct Query {
    /// The text, with `$1` placeholders.
    pub sql: Arc<str>,
    /// Their values.
    pub params: Vec<Value>,
    /// What it costs.
    pub cost: Cost,
}

/// One SQL statement to write with, run once for each row of parameters.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text, with `$1` placeholders.
    pub sql: Arc<str>,
    /// The values, one row for each run.
    pub rows: Vec<Vec<Value>>,
    /// How many rows each run must change; anything else rolls the transaction back with
    /// [`ReadStoreError::Guard`]. None: any number.
    pub must_change: Option<u64>,
}

impl Statement {
    /// A statement to run once.
    pub fn once(sql: impl Into<Arc<str>>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), rows: vec![params], must_change: None }
    }

    /// A statement to run for each of `rows`.
    pub fn each(sql: impl Into<Arc<str>>, rows: Vec<Vec<Value>>) -> Self {
        Self { sql: sql.into(), rows, must_change: None }
    }

    /// The same, rolled back unless each run changes exactly `rows` rows.
    #[must_use]
    pub const fn must_change(mut self, rows: u64) -> Self {
        self.must_change = Some(rows);
        self
    }
}

/// Tables for read models.
///
/// Promises, each tested in `tests/src/contracts/read_store.rs` against every adapter:
///
/// 1. A transaction is all or nothing, whatever statement fails.
/// 2. A statement that changes another number of rows than it must rolls everything back.
/// 3. A query sees every transaction that returned before it started, and no part of an unfinished one.
/// 4. Values come back as they went in: uuid, timestamp (microseconds), 64-bit integer, text, JSON, null.
/// 5. After a restart every transaction is there whole or not at all, and no later one without an earlier one.
/// 6. Text compares and sorts by its bytes.
/// 7. Whoever waits for a nudge hears of one that is given on the same store, and where processes share a database, in
///    any of them.
#[async_trait]
pub trait ReadStore: Send + Sync + std::fmt::Debug {
    /// The rows of a query.
    async fn query(&self, query: Query) -> Result<Vec<Row>, ReadStoreError>;

    /// Runs statements in order in one transaction.
    ///
    /// Every statement writes: it inserts, updates or deletes rows, or makes, alters or drops tables and indexes. After
    /// [`ReadStoreError::Unavailable`] the transaction may have happened all the same, if the store was lost between the
    /// commit and its answer. So whoever tries it again guards it with a statement that must change a row and cannot do
    /// so twice, as the checkpoint of a projection does. After any other error it did not happen.
    async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError>;

    /// Whether it answers.
    async fn ping(&self) -> Result<(), ReadStoreError> {
        self.query(Query { sql: "SELECT 1".into(), params: vec![], cost: Cost::Point }).await.map(drop)
    }

    /// Tells every process on the same store that something was committed. It returns at once, and what it tells may
    /// come late or not at all: the store is the truth, a nudge only a reason to look.
    fn nudge(&self);

    /// A number that changes with every nudge heard, those of this process included. Several that come at once may be
    /// heard as one.
    fn nudges(&self) -> watch::Receiver<u64>;
}
