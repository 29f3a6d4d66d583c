//! Commands to the caller's own profile.

use async_graphql::{Context, Error, InputObject, Object};
use domain::{
    profile::{ProfileCommand, ProfileRejection, ProfileState, handle::Claim},
    values::{Biography, DisplayName, Handle, TextError},
};
use infrastructure::{
    event_store::Revision,
    execute::{Executed, Request},
};
use projections::profile_directory::ProfileRow;

use super::{
    ProfileObject,
    claim::claim,
    errors::{ProfileErrorCode, ProfileUserError},
};
use crate::graphql::{
    call::{self, CommandIdentity, Failure, expected, services, viewer},
    user_error::{Done, path, payloads},
};

/// A profile to make.
#[derive(Debug, InputObject)]
struct ProfileCreateInput {
    /// What others find and mention you under, without the `@`: 2 to 30 letters, digits and `_`, in one script, with a letter
    /// in it. Case does not count.
    handle: String,
    /// What others call you, 1 to 50 characters.
    display_name: String,
    /// What you say of yourself, at most 300 characters.
    #[graphql(default)]
    bio: String,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// What is to change of the profile; what is not given stays.
#[derive(Debug, InputObject)]
struct ProfileUpdateInput {
    /// Another handle. The one before may be somebody else's soon.
    handle: Option<String>,
    /// What others call you, 1 to 50 characters.
    display_name: Option<String>,
    /// What you say of yourself, at most 300 characters.
    bio: Option<String>,
    /// Do it only if the profile is at this version.
    expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

payloads! {
    profile: ProfileObject, error: ProfileUserError;
    /// What came of `profileCreate`.
    ProfileCreatePayload
    /// What came of `profileUpdate`.
    ProfileUpdatePayload
}

/// `profileCreate`, `profileUpdate`.
#[derive(Debug, Default)]
pub(crate) struct ProfileMutation;

#[Object]
impl ProfileMutation {
    /// Makes the caller visible to others.
    async fn profile_create(
        &self,
        context: &Context<'_>,
        input: ProfileCreateInput,
    ) -> Result<ProfileCreatePayload, Error> {
        let user = viewer(context)?.user();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "profileCreate", key, &input)?;
        let wanted = Wanted::parse(Some(&input.handle), Some(&input.display_name), Some(&input.bio));
        let (handle, name, biography) = match wanted {
            Ok(Wanted { handle: Some(handle), name: Some(name), biography }) => (handle, name, biography),
            Ok(Wanted { handle: None, .. } | Wanted { name: None, .. }) => unreachable!("both were given"),
            Err(errors) => return Ok(Err(errors).into()),
        };
        let biography = biography.unwrap_or_default();
        let command = |claim| {
            let (name, biography) = (name.clone(), biography.clone());
            ProfileCommand::Create { user, claim, name, biography }
        };
        Ok(take(context, &handle, command, &identity, None).await?.into())
    }

    /// Changes the caller's profile: all of what is given, or nothing.
    async fn profile_update(
        &self,
        context: &Context<'_>,
        input: ProfileUpdateInput,
    ) -> Result<ProfileUpdatePayload, Error> {
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "profileUpdate", key, &input)?;
        let wanted = Wanted::parse(input.handle.as_deref(), input.display_name.as_deref(), input.bio.as_deref());
        let Wanted { handle, name, biography } = match wanted {
            Ok(wanted) => wanted,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let expected = expected(input.expected_version)?;
        let command = |claim| ProfileCommand::Update { claim, name: name.clone(), biography: biography.clone() };
        Ok(match handle {
            None => answer(execute(context, command(None), &identity, expected).await?),
            Some(handle) => take(context, &handle, |claim| command(Some(claim)), &identity, expected).await?,
        }
        .into())
    }
}

/// What somebody wants to be to others, as far as they say so.
struct Wanted {
    handle: Option<Handle>,
    name: Option<DisplayName>,
    biography: Option<Biography>,
}

impl Wanted {
    /// Everything that is wrong, not the first thing.
    fn parse(handle: Option<&str>, name: Option<&str>, bio: Option<&str>) -> Result<Self, Vec<ProfileUserError>> {
        let handle = handle.map(|text| Handle::parse(text.strip_prefix('@').unwrap_or(text))).transpose();
        let (name, biography) = (name.map(DisplayName::parse).transpose(), bio.map(Biography::parse).transpose());
        match (handle, name, biography) {
            (Ok(handle), Ok(name), Ok(biography)) => Ok(Self { handle, name, biography }),
            (handle, name, biography) => {
                let handle = handle.err().map(|error| ProfileUserError::of(error.code(), &error, path([&"handle"])));
                let text = |error: TextError, field: &str| ProfileUserError::of(error.code(), &error, path([&field]));
                let name = name.err().map(|error| text(error, "displayName"));
                let biography = biography.err().map(|error| text(error, "bio"));
                Err([handle, name, biography].into_iter().flatten().collect())
            }
        }
    }
}

/// What came of a command, or everything that was wrong with it.
type Outcome = Result<Done<ProfileObject>, Vec<ProfileUserError>>;

/// Executes a command that wants a handle. It is claimed only where that is what the command lacks: not for a repeat, for
/// a profile that has it, or for a command that is refused anyway.
async fn take(
    context: &Context<'_>,
    handle: &Handle,
    command: impl Fn(Claim) -> ProfileCommand + Send + Sync,
    identity: &CommandIdentity,
    expected: Option<Revision>,
) -> Result<Outcome, Error> {
    let user = viewer(context)?.user();
    let without = command(Claim::over(handle.clone(), user));
    match execute(context, without, identity, expected).await? {
        Err(Failure::Rejected(ProfileRejection::HandleNotClaimed)) => {}
        done => return Ok(answer(done)),
    }
    Ok(match claim(context, handle, user).await? {
        Ok(claim) => answer(execute(context, command(claim), identity, expected).await?),
        Err(rejection) => Err(vec![ProfileUserError::of(rejection.code(), &rejection, path([&"handle"]))]),
    })
}

type Executing = Result<Executed<ProfileState>, Failure<ProfileRejection>>;

async fn execute(
    context: &Context<'_>,
    command: ProfileCommand,
    identity: &CommandIdentity,
    expected: Option<Revision>,
) -> Result<Executing, Error> {
    let stream = viewer(context)?.user().uuid();
    let metadata = identity.metadata.clone();
    call::execute(&services(context).profiles, Request { stream, command, metadata, expected, is_fresh: false }).await
}

fn answer(executed: Executing) -> Outcome {
    match executed {
        Ok(executed) => Ok(done(&executed)),
        Err(Failure::Rejected(rejection)) => Err(vec![rejected(rejection)]),
        Err(Failure::Conflict { current }) => Err(vec![ProfileUserError {
            current_version: current.map(call::version),
            ..ProfileUserError::new(
                ProfileErrorCode::VersionConflict,
                &"the profile has changed meanwhile",
                path([&"expectedVersion"]),
            )
        }]),
    }
}

fn done(executed: &Executed<ProfileState>) -> Done<ProfileObject> {
    let row = executed.revision.and_then(|revision| ProfileRow::of(&executed.state, revision));
    Done::new(row.map(ProfileObject::of), executed)
}

fn rejected(rejection: ProfileRejection) -> ProfileUserError {
    let field = match rejection {
        ProfileRejection::AlreadyCreated | ProfileRejection::NotFound => path([]),
        ProfileRejection::HandleNotClaimed => path([&"handle"]),
    };
    ProfileUserError::of(rejection.code(), &rejection, field)
}
