//! Orders and answers as they are written down for another process.

use infrastructure::{event_store::Position, read_store::ReadStoreError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Checkup, ManagerError, Released, Repaired, VerifyReport};

/// What a lead can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ask {
    Rebuild { from: Option<Position> },
    RollBack,
    Discard { generation: i64 },
    BuildMissing,
    Retry { key: Uuid },
    RetryAll,
    Skip { key: Uuid, position: Position, reason: String },
    Check { keys: Vec<Uuid> },
    Repair { keys: Vec<Uuid> },
    Verify,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    Done,
    Generation(i64),
    Released(Released),
    Keys(u64),
    Checked(Checkup),
    Repaired(Vec<Repaired>),
    Verified(VerifyReport),
    Refused(Refusal),
}

/// An answer to something else, which only another build can have given.
fn unexpected<T>() -> Result<T, ManagerError> {
    let why = "the process that leads the projection answered something else than it was asked";
    Err(ManagerError::Rows(ReadStoreError::Unavailable(why.to_owned())))
}

/// Functions that give what one kind of answer holds.
macro_rules! unwraps {
    ($($name:ident: $variant:ident -> $type:ty;)*) => {
        impl Said {
            $(pub(crate) fn $name(self) -> Result<$type, ManagerError> {
                if let Self::$variant(it) = self { Ok(it) } else { unexpected() }
            })*

            pub(crate) fn done(self) -> Result<(), ManagerError> {
                if self == Self::Done { Ok(()) } else { unexpected() }
            }
        }
    };
}

unwraps! {
    generation: Generation -> i64;
    released: Released -> Released;
    keys: Keys -> u64;
    checked: Checked -> Checkup;
    repaired: Repaired -> Vec<Repaired>;
    verified: Verified -> VerifyReport;
}

/// Why it was not done. The names are those of whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    AlreadyRebuilding,
    NotFromPosition(String),
    BeyondHead { position: Position, head: Position },
    NoStandby,
    CannotServe { generation: i64, why: String },
    UnknownGeneration(i64),
    NotParked(Uuid),
    NotWaiting { key: Uuid, position: Position },
    NotByKey,
    UnknownKeys(String),
    Unfoldable(String),
    NotServing,
    NotVerified(String),
    Stopping,
    Broken(String),
}

impl Refusal {
    pub(crate) fn of(error: ManagerError) -> Self {
        let text = infrastructure::telemetry::with_causes(&error);
        match error {
            ManagerError::AlreadyRebuilding(_) => Self::AlreadyRebuilding,
            ManagerError::NotFromPosition { why, .. } => Self::NotFromPosition(why.into_owned()),
            ManagerError::BeyondHead { position, head } => Self::BeyondHead { position, head },
            ManagerError::NoStandby(_) => Self::NoStandby,
            ManagerError::CannotServe { generation, why, .. } => Self::CannotServe { generation, why },
            ManagerError::UnknownGeneration { generation, .. } => Self::UnknownGeneration(generation),
            ManagerError::NotParked { key, .. } => Self::NotParked(key),
            ManagerError::NotWaiting { key, position, .. } => Self::NotWaiting { key, position },
            ManagerError::NotByKey(_) => Self::NotByKey,
            ManagerError::UnknownKeys(text) => Self::UnknownKeys(text),
            ManagerError::Unfoldable(text) => Self::Unfoldable(text),
            ManagerError::NotServing(_) => Self::NotServing,
            ManagerError::NotVerified(text) => Self::NotVerified(text),
            ManagerError::Stopping => Self::Stopping,
            ManagerError::Unknown { .. }
            | ManagerError::AlreadyPaused(_)
            | ManagerError::NotPaused(_)
            | ManagerError::NoLead(_)
            | ManagerError::Log(_)
            | ManagerError::Rows(_)
            | ManagerError::Events(_) => Self::Broken(text),
        }
    }

    pub(crate) fn into_error(self, name: &'static str) -> ManagerError {
        match self {
            Self::AlreadyRebuilding => ManagerError::AlreadyRebuilding(name),
            Self::NotFromPosition(why) => ManagerError::NotFromPosition { name, why: why.into() },
            Self::BeyondHead { position, head } => ManagerError::BeyondHead { position, head },
            Self::NoStandby => ManagerError::NoStandby(name),
            Self::CannotServe { generation, why } => ManagerError::CannotServe { name, generation, why },
            Self::UnknownGeneration(generation) => ManagerError::UnknownGeneration { name, generation },
            Self::NotParked(key) => ManagerError::NotParked { name, key },
            Self::NotWaiting { key, position } => ManagerError::NotWaiting { name, key, position },
            Self::NotByKey => ManagerError::NotByKey(name),
            Self::UnknownKeys(text) => ManagerError::UnknownKeys(text),
            Self::Unfoldable(text) => ManagerError::Unfoldable(text),
            Self::NotServing => ManagerError::NotServing(name),
            Self::NotVerified(text) => ManagerError::NotVerified(text),
            // The lead stops, not whoever asked: another one takes its place in a moment.
            Self::Stopping => ManagerError::NoLead(name),
            Self::Broken(text) => ManagerError::Rows(ReadStoreError::Unavailable(text)),
        }
    }
}
