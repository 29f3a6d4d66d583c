//! From a mutation to the executor and back: command ids, rights, and what becomes of failures.

use async_graphql::{Context, Error, ErrorExtensions as _, InputType, Value};
use domain::Decider;
use infrastructure::{
    event_store::{Revision, StoreError},
    execute::{CommandMetadata, ExecuteError, Executed, Executor, Request},
};
use uuid::Uuid;

use super::Services;
use crate::{
    auth::{Role, Viewer},
    engine::RequestId,
    error_code::ErrorCode,
};

/// The longest idempotency key in characters.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// The root of the ids that come from idempotency keys.
const KEYED_COMMANDS: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_8000_0000_0000_0002);
/// The root of the hashes of inputs.
const INPUTS: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_8000_0000_0000_0003);

/// Who calls.
pub(super) fn viewer<'a>(context: &Context<'a>) -> Result<&'a Viewer, Error> {
    context.data_opt::<Viewer>().ok_or_else(|| ErrorCode::Unauthenticated.error("sign in first"))
}

/// Who calls, if they run the shop.
pub(super) fn operator<'a>(context: &Context<'a>) -> Result<&'a Viewer, Error> {
    let viewer = viewer(context)?;
    match viewer.role {
        Role::Operator => Ok(viewer),
        Role::Customer => Err(ErrorCode::Forbidden.error("this needs the role operator")),
    }
}

pub(super) fn services<'a>(context: &Context<'a>) -> &'a Services {
    context.data_unchecked::<Services>()
}

/// What makes a command recognisable.
#[derive(Clone, Debug)]
pub(super) struct CommandIdentity {
    pub(super) metadata: CommandMetadata,
    /// Whether the caller chose a key, so that the command may be a repeat.
    pub(super) is_keyed: bool,
}

impl CommandIdentity {
    /// With a key: the same id for the same caller and key, and a hash of the input to tell a repeat from a reuse.
    /// Without: a fresh id.
    pub(super) fn of(
        context: &Context<'_>,
        mutation: &str,
        key: Option<&str>,
        input: &impl InputType,
    ) -> Result<Self, Error> {
        let viewer = viewer(context)?;
        let (command_id, input_hash) = match key {
            None => return Self::fresh(context),
            Some(key) if key.is_empty() || key.chars().count() > IDEMPOTENCY_KEY_CHARS_MAX => {
                let text = format!("an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters");
                return Err(ErrorCode::BadUserInput.error(text));
            }
            Some(key) => {
                let actor = Uuid::new_v5(&KEYED_COMMANDS, viewer.subject.as_bytes());
                let input = format!("{mutation} {}", sorted(input.to_value()));
                (Uuid::new_v5(&actor, key.as_bytes()), Some(Uuid::new_v5(&INPUTS, input.as_bytes())))
            }
        };
        Ok(Self { metadata: metadata(context, command_id, input_hash)?, is_keyed: true })
    }

    /// A command of its own, whatever was asked before.
    pub(super) fn fresh(context: &Context<'_>) -> Result<Self, Error> {
        let command_id = services(context).ids.fresh();
        Ok(Self { metadata: metadata(context, command_id, None)?, is_keyed: false })
    }

    /// The id of the object that the command creates: derived from the key if there is one, so that a repeat finds it.
    pub(super) fn new_object(&self, kind: &str) -> Uuid {
        if self.is_keyed {
            return Uuid::new_v5(&self.metadata.command_id, kind.as_bytes());
        }
        self.metadata.command_id
    }
}

fn metadata(context: &Context<'_>, command_id: Uuid, input_hash: Option<Uuid>) -> Result<CommandMetadata, Error> {
    let request = context.data_opt::<RequestId>().and_then(|id| Uuid::parse_str(id.as_str()).ok());
    Ok(CommandMetadata {
        command_id,
        actor: viewer(context)?.subject.as_str().into(),
        correlation_id: request.unwrap_or_else(|| services(context).ids.fresh()),
        causation_id: None,
        input_hash,
    })
}

/// The value as text, object fields sorted, so that equal inputs are equal texts.
fn sorted(value: Value) -> String {
    value.into_json().map_or_else(|_| String::new(), |json| json.to_string())
}

/// Why a mutation did nothing: an answer for its payload, or an error for the whole field.
#[derive(Debug)]
pub(super) enum Failure<R> {
    /// The rules say no.
    Rejected(R),
    /// `expectedVersion` is not the object's version.
    Conflict {
        /// Its version; none if it does not exist.
        current: Option<Revision>,
    },
}

/// Executes a command; what is the caller's business comes back as a [`Failure`], everything else as an error.
pub(super) async fn execute<D: Decider>(
    executor: &Executor<D>,
    request: Request<D::Command>,
) -> Result<Result<Executed<D::State>, Failure<D::Rejection>>, Error> {
    match executor.execute(request).await {
        Ok(executed) => Ok(Ok(executed)),
        Err(ExecuteError::Rejected(rejection)) => Ok(Err(Failure::Rejected(rejection))),
        Err(ExecuteError::VersionConflict { actual, .. }) => Ok(Err(Failure::Conflict { current: actual })),
        Err(error) => Err(execute_error(error)),
    }
}

/// The same for a command that is right at whatever version its object is.
pub(super) async fn execute_at_any_version<D: Decider>(
    executor: &Executor<D>,
    stream: Uuid,
    command: D::Command,
    identity: &CommandIdentity,
) -> Result<Result<Executed<D::State>, D::Rejection>, Error> {
    let metadata = identity.metadata.clone();
    match execute(executor, Request { stream, command, metadata, expected: None, is_fresh: false }).await? {
        Ok(executed) => Ok(Ok(executed)),
        Err(Failure::Rejected(rejection)) => Ok(Err(rejection)),
        Err(Failure::Conflict { .. }) => Err(unasked_conflict()),
    }
}

/// What a client is told of a conflict where it relied on no version.
pub(super) fn unasked_conflict() -> Error {
    super::read::internal(UnaskedConflict)
}

/// A command that relies on no version was refused for one.
#[derive(Debug, thiserror::Error)]
#[error("a command that relies on no version met a conflict of versions")]
struct UnaskedConflict;

/// What a client is told when a command could not be decided or written.
pub(super) fn execute_error<R>(error: ExecuteError<R>) -> Error
where
    ExecuteError<R>: std::error::Error + Send + Sync + 'static,
{
    match error {
        ExecuteError::CommandReused(_) => ErrorCode::IdempotencyKeyReused
            .error("this idempotency key was used with another input; use a new key for a new request"),
        ExecuteError::Contended { .. } => {
            ErrorCode::Contended.error("others kept changing the same object; nothing was written, try again")
        }
        ExecuteError::Overloaded(_) => {
            ErrorCode::RateLimited.error("too many requests for the same object; nothing was written, try again later")
        }
        ExecuteError::TooLarge(reason) => ErrorCode::BadUserInput.error(format!("the request is too large: {reason}")),
        ExecuteError::OutcomeUnknown(command) => ErrorCode::OutcomeUnknown
            .error(
                "whether the request took effect is not known yet; send it again with the same idempotency key, or read \
                 the object before you send it anew",
            )
            .extend_with(|_, extensions| extensions.set("commandId", command.to_string())),
        ExecuteError::Store(StoreError::Full) => ErrorCode::StorageFull
            .error("the server has no room to store the request durably; nothing was written, try again later"),
        ExecuteError::Store(StoreError::Unavailable(_) | StoreError::Stopped(_)) => {
            ErrorCode::StoreUnavailable.error("the server cannot store anything now; nothing was written, try again later")
        }
        error @ (ExecuteError::Store(StoreError::Corrupt(_) | StoreError::Format(_))
        | ExecuteError::Undecodable { .. }
        | ExecuteError::Panicked(_)
        | ExecuteError::Rejected(_)
        | ExecuteError::VersionConflict { .. }) => super::read::internal(error),
    }
}

/// The object's version as clients see it.
pub(super) fn version(revision: Revision) -> i32 {
    i32::try_from(revision.value()).unwrap_or(i32::MAX)
}

/// The revision a client relies on.
pub(super) fn expected(version: Option<i32>) -> Result<Option<Revision>, Error> {
    version.map(revision).transpose()
}

/// The revision that clients know by this version.
pub(super) fn revision(version: i32) -> Result<Revision, Error> {
    let negative = |_| ErrorCode::BadUserInput.error("a version is not negative");
    u64::try_from(version).map(Revision::new).map_err(negative)
}
