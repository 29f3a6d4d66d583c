//! Queries.

use futures_util::TryStreamExt as _;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::{
    super::{Cost, Query, ReadStoreError, Row},
    error::{failed, is_lost, is_outdated},
    pool::{Lease, Pool},
    row::row,
    value::{Param, check},
};

/// Why a query did not happen on a connection.
enum Failure {
    /// It would not happen on another one either.
    Final(ReadStoreError),
    /// The connection is lost.
    Lost(ReadStoreError),
    /// The statement was prepared for tables that have changed since, or a value does not fit.
    Outdated(ReadStoreError),
}

/// The rows of a query. It reads, so it may be tried again whatever happened.
pub(super) async fn query(pool: &Pool, query: &Query) -> Result<Vec<Row>, ReadStoreError> {
    let mut lease = lend(pool, query).await?;
    let (mut is_fresh, mut has_fresh_statement) = (false, false);
    loop {
        let Ok(found) = timeout(pool.answer_within(), rows(&lease, query)).await else {
            // The server would have cut it short. What it does not answer on is of no use, and the others rarely are.
            lease.is_broken();
            drop(lease);
            pool.forget_idle();
            return Err(ReadStoreError::Unavailable("PostgreSQL does not answer".to_owned()));
        };
        match found {
            Ok(rows) => {
                lease.is_idle();
                return Ok(rows);
            }
            Err(Failure::Lost(_)) if !is_fresh => {
                // It must not be waited for, nor be found again.
                drop(lease);
                pool.forget_idle();
                lease = lend(pool, query).await?;
                is_fresh = true;
            }
            Err(Failure::Outdated(_)) if !has_fresh_statement => {
                lease.connection().statement_cache.clear();
                has_fresh_statement = true;
            }
            Err(Failure::Final(error) | Failure::Outdated(error)) => {
                lease.is_idle();
                return Err(error);
            }
            Err(Failure::Lost(error)) => return Err(error),
        }
    }
}

async fn lend(pool: &Pool, query: &Query) -> Result<Lease, ReadStoreError> {
    let mut lease = pool.get().await?;
    if query.cost == Cost::Point {
        // It is over soon, whether its caller waits for it or not; opening another connection takes longer.
        lease.is_idle();
    }
    Ok(lease)
}

async fn rows(lease: &Lease, query: &Query) -> Result<Vec<Row>, Failure> {
    let connection = lease.connection();
    let statement = connection.prepare_cached(&query.sql).await.map_err(|error| failure(&error))?;
    // Without columns it may be a BEGIN, which would pin the connection to an old snapshot.
    if statement.columns().is_empty() {
        return Err(Failure::Final(only_reads()));
    }
    check(statement.params(), &query.params).map_err(Failure::Outdated)?;
    let found = connection.query_raw(&statement, query.params.iter().map(Param)).await;
    let found = found.map_err(|error| failure(&error))?.try_collect::<Vec<_>>().await;
    let rows = found.map_err(|error| failure(&error))?;
    rows.iter().map(row).collect::<Result<_, _>>().map_err(Failure::Final)
}

fn failure(error: &tokio_postgres::Error) -> Failure {
    if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
        return Failure::Final(only_reads());
    }
    match failed(error) {
        says if is_lost(error) => Failure::Lost(says),
        says if is_outdated(error) => Failure::Outdated(says),
        says => Failure::Final(says),
    }
}

fn only_reads() -> ReadStoreError {
    ReadStoreError::Refused("a query must only read".to_owned())
}
