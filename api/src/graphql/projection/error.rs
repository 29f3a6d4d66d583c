//! What can be wrong with an order to a projection, and what is merely broken.

use async_graphql::{Enum, Error, SimpleObject};
use domain::operator::OperatorRejection;
use projections::ManagerError;

use crate::{
    error_code::ErrorCode,
    graphql::{
        read::{event_store_error, internal, read_store_error},
        user_error::path,
    },
};

/// What can be wrong with an order to a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum ProjectionErrorCode {
    /// There is no projection of this name.
    UnknownProjection,
    /// A generation of it is being built, compared or put in place already.
    AlreadyRebuilding,
    /// It cannot be rebuilt from a position on, only whole.
    NotFromPosition,
    /// The position is beyond the end of the log.
    BeyondHead,
    /// There is no other generation to go back to.
    NoStandby,
    /// The generation on standby cannot serve.
    CannotServe,
    /// The generation is not the one on standby.
    UnknownGeneration,
    /// It is paused already, or will be at a position.
    AlreadyPaused,
    /// It is neither paused nor stopped.
    NotPaused,
    /// Nothing with this key is parked, or nothing at all.
    NotParked,
    /// The key does not wait for this event.
    NotWaiting,
    /// Its rows cannot be folded one by one.
    NotByKey,
    /// There is neither a row nor an event with one of the keys.
    UnknownKeys,
    /// The events of one of the keys cannot be folded.
    Unfoldable,
    /// It serves no generation of this build's version.
    NotServing,
    /// The look at everything came to no end.
    NotVerified,
    /// No process leads it just now: none works, or the one that did was just lost.
    NoLead,
    /// A key is no UUID.
    InvalidKey,
    /// There are no keys.
    NoKeys,
    /// There are over 1,000 keys.
    TooManyKeys,
    /// A key is there more than once.
    RepeatedKey,
    /// The reason is empty, too long or holds control characters.
    InvalidReason,
    /// An event is skipped only for a reason.
    ReasonMissing,
}

/// Something wrong with an order to a projection.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionUserError {
    /// What, for programs.
    pub(super) code: ProjectionErrorCode,
    /// What, for people.
    pub(super) message: String,
    /// Where in the input.
    pub(super) field: Vec<String>,
}

impl ProjectionUserError {
    pub(super) fn new(code: ProjectionErrorCode, message: impl Into<String>, field: Vec<String>) -> Self {
        Self { code, message: message.into(), field }
    }
}

/// Why an order was not carried out.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It makes no sense: an answer for the payload.
    Refused(Vec<ProjectionUserError>),
    /// The caller may not give it, or something is broken: an error of the whole field.
    Failed(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ProjectionUserError> for Trouble {
    fn from(error: ProjectionUserError) -> Self {
        Self::Refused(vec![error])
    }
}

impl Trouble {
    /// What the projection said to an order whose input names it in the field `name`.
    pub(super) fn of(error: ManagerError, name: Vec<String>) -> Self {
        use ProjectionErrorCode as Code;
        let (code, field) = match &error {
            ManagerError::Unknown { .. } => (Code::UnknownProjection, name),
            ManagerError::AlreadyRebuilding(_) => (Code::AlreadyRebuilding, name),
            ManagerError::NotFromPosition { .. } => (Code::NotFromPosition, path([&"fromPosition"])),
            ManagerError::BeyondHead { .. } => (Code::BeyondHead, path([&"fromPosition"])),
            ManagerError::NoStandby(_) => (Code::NoStandby, name),
            ManagerError::CannotServe { .. } => (Code::CannotServe, name),
            ManagerError::UnknownGeneration { .. } => (Code::UnknownGeneration, path([&"generation"])),
            ManagerError::AlreadyPaused(_) => (Code::AlreadyPaused, name),
            ManagerError::NotPaused(_) => (Code::NotPaused, name),
            ManagerError::NotParked { .. } => (Code::NotParked, path([&"key"])),
            ManagerError::NotWaiting { .. } => (Code::NotWaiting, path([&"position"])),
            ManagerError::NotByKey(_) => (Code::NotByKey, name),
            ManagerError::UnknownKeys(_) => (Code::UnknownKeys, path([&"keys"])),
            ManagerError::Unfoldable(_) => (Code::Unfoldable, path([&"keys"])),
            ManagerError::NotServing(_) => (Code::NotServing, name),
            ManagerError::NotVerified(_) => (Code::NotVerified, name),
            ManagerError::NoLead(_) => (Code::NoLead, name),
            ManagerError::Stopping => {
                return Self::Failed(ErrorCode::ShuttingDown.error("the server is stopping; connect again"));
            }
            ManagerError::Events(error) => return Self::Failed(event_store_error(error.clone())),
            ManagerError::Rows(error) => return Self::Failed(read_store_error(error.clone())),
            ManagerError::Log(_) => return Self::Failed(internal(error)),
        };
        ProjectionUserError::new(code, error.to_string(), field).into()
    }

    /// What the operators' log said to an order whose input names the projection in the field `name`.
    pub(super) fn of_log(rejection: &OperatorRejection, name: Vec<String>) -> Self {
        use ProjectionErrorCode as Code;
        let (code, field) = match rejection {
            OperatorRejection::AlreadyPaused { .. } => (Code::AlreadyPaused, name),
            OperatorRejection::ReasonMissing => (Code::ReasonMissing, path([&"reason"])),
            OperatorRejection::NoKeys => (Code::NoKeys, path([&"keys"])),
            OperatorRejection::TooManyKeys(_) => (Code::TooManyKeys, path([&"keys"])),
            OperatorRejection::RepeatedKey(_) => (Code::RepeatedKey, path([&"keys"])),
        };
        ProjectionUserError::new(code, rejection.to_string(), field).into()
    }

    /// The same where there is no payload: what makes no sense is an error of the argument.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Refused(errors) => {
                let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
                ErrorCode::BadUserInput.error(messages.join("; "))
            }
        }
    }
}

/// What an order came to, or what was wrong with it; what is broken is an error of the field.
pub(super) fn settled<T>(outcome: Result<T, Trouble>) -> Result<(Option<T>, Vec<ProjectionUserError>), Error> {
    match outcome {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(Trouble::Refused(errors)) => Ok((None, errors)),
        Err(Trouble::Failed(error)) => Err(error),
    }
}
