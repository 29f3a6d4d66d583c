//! What SQLite's errors mean for the event store.
//!
//! The one hard question is whether a failed write may be durable after all. Before COMMIT it never is. A COMMIT that
//! fails for want of room has not written its last frame, without which recovery ignores the others. Any other
//! failure of a COMMIT, such as a failed fsync, leaves it open; what the device holds is then known only after a
//! restart, because the kernel may have dropped the pages it could not write.

use rusqlite::{Error, ErrorCode};

use super::{AppendError, StoreError};

/// Why the batch of the writer was not committed.
#[derive(Clone, Debug)]
pub(super) struct BatchFailure {
    /// What its appends are told.
    pub(super) answer: AppendError,
    /// Why the writer takes no more writes; none if it goes on.
    pub(super) stop: Option<String>,
}

/// A read that failed.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn of_read(error: Error) -> StoreError {
    let code = error.sqlite_error_code();
    if code == Some(ErrorCode::DiskFull) {
        StoreError::Full
    } else if code == Some(ErrorCode::NotADatabase) {
        StoreError::Format("it is no SQLite database".to_owned())
    } else if code == Some(ErrorCode::DatabaseCorrupt) || is_of_content(&error) {
        StoreError::Corrupt(error.to_string())
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

/// Whether SQLite gave what it holds, but that is not what this adapter writes.
fn is_of_content(error: &Error) -> bool {
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
            | Error::QueryReturnedNoRows
    )
}

/// A write that failed before COMMIT and was rolled back: nothing was written.
pub(super) fn before_commit(error: &Error) -> BatchFailure {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => go_on(StoreError::Full),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            go_on(StoreError::Unavailable(format!("another program writes to the file: {error}")))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            let reason = error.to_string();
            let answer = AppendError::NotWritten(StoreError::Corrupt(reason.clone()));
            BatchFailure { answer, stop: Some(reason) }
        }
        Some(_) | None => {
            let reason = error.to_string();
            BatchFailure { answer: AppendError::NotWritten(StoreError::Stopped(reason.clone())), stop: Some(reason) }
        }
    }
}

/// A COMMIT that failed, or a failure after which the transaction could not be rolled back.
pub(super) fn of_commit(error: &Error) -> BatchFailure {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        return go_on(StoreError::Full);
    }
    unknown(error.to_string())
}

/// Nobody can tell whether the batch is durable.
pub(super) fn unknown(reason: String) -> BatchFailure {
    BatchFailure { answer: AppendError::OutcomeUnknown(StoreError::Stopped(reason.clone())), stop: Some(reason) }
}

fn go_on(error: StoreError) -> BatchFailure {
    BatchFailure { answer: AppendError::NotWritten(error), stop: None }
}
