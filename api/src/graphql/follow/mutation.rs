//! Commands to what two people are to each other. The caller does it, to somebody else.

use async_graphql::{Context, Error, ID, InputObject, InputType, Object};
use domain::{
    follow::{FollowCommand, HaveProfiles, id_of},
    values::UserId,
};

use super::{
    errors::{FollowUserError, rejected},
    types::UserRelation,
};
use crate::graphql::{
    call::{self, CommandIdentity, services, viewer},
    node::target,
    profile,
    user_error::{Done, payloads},
};

/// The inputs of mutations that say nothing but to whom.
macro_rules! inputs {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, InputObject)]
        struct $name {
            /// Their profile.
            id: ID,
            /// Makes a repeat of this request harmless: it gets the first one's outcome.
            idempotency_key: Option<String>,
        }
    )*};
}

inputs! {
    /// Somebody to follow.
    UserFollowInput
    /// Somebody to follow no longer.
    UserUnfollowInput
    /// Somebody to block.
    UserBlockInput
    /// Somebody to block no longer.
    UserUnblockInput
    /// Somebody to mute.
    UserMuteInput
    /// Somebody to mute no longer.
    UserUnmuteInput
}

payloads! {
    relation: UserRelation, error: FollowUserError;
    /// What came of `userFollow`.
    UserFollowPayload
    /// What came of `userUnfollow`.
    UserUnfollowPayload
    /// What came of `userBlock`.
    UserBlockPayload
    /// What came of `userUnblock`.
    UserUnblockPayload
    /// What came of `userMute`.
    UserMutePayload
    /// What came of `userUnmute`.
    UserUnmutePayload
}

/// What came of a command: what the two are to each other after it, or everything that was wrong.
type Outcome = Result<Done<UserRelation>, Vec<FollowUserError>>;

/// `userFollow`, `userUnfollow`, `userBlock`, `userUnblock`, `userMute`, `userUnmute`.
#[derive(Debug, Default)]
pub(crate) struct FollowMutation;

#[Object]
impl FollowMutation {
    /// Lets the caller see what somebody posts.
    async fn user_follow(&self, context: &Context<'_>, input: UserFollowInput) -> Result<UserFollowPayload, Error> {
        let asked = Asked::of(context, "userFollow", &input.id, input.idempotency_key.as_deref(), &input)?;
        let follow = |by, whom, have_profiles| FollowCommand::Follow { by, whom, have_profiles };
        Ok(asked.execute(context, follow).await?.into())
    }

    /// Takes a follow back.
    async fn user_unfollow(
        &self,
        context: &Context<'_>,
        input: UserUnfollowInput,
    ) -> Result<UserUnfollowPayload, Error> {
        let asked = Asked::of(context, "userUnfollow", &input.id, input.idempotency_key.as_deref(), &input)?;
        Ok(asked.execute(context, |by, whom, _| FollowCommand::Unfollow { by, whom }).await?.into())
    }

    /// Lets the caller and somebody have nothing to do with each other: neither sees what the other posts, and whoever of
    /// the two followed the other does so no longer.
    async fn user_block(&self, context: &Context<'_>, input: UserBlockInput) -> Result<UserBlockPayload, Error> {
        let asked = Asked::of(context, "userBlock", &input.id, input.idempotency_key.as_deref(), &input)?;
        let block = |by, whom, have_profiles| FollowCommand::Block { by, whom, have_profiles };
        Ok(asked.execute(context, block).await?.into())
    }

    /// Takes a block back. Follows do not come back.
    async fn user_unblock(&self, context: &Context<'_>, input: UserUnblockInput) -> Result<UserUnblockPayload, Error> {
        let asked = Asked::of(context, "userUnblock", &input.id, input.idempotency_key.as_deref(), &input)?;
        Ok(asked.execute(context, |by, whom, _| FollowCommand::Unblock { by, whom }).await?.into())
    }

    /// Lets the caller hear nothing of somebody, who does not know of it. Follows stay.
    async fn user_mute(&self, context: &Context<'_>, input: UserMuteInput) -> Result<UserMutePayload, Error> {
        let asked = Asked::of(context, "userMute", &input.id, input.idempotency_key.as_deref(), &input)?;
        let mute = |by, whom, have_profiles| FollowCommand::Mute { by, whom, have_profiles };
        Ok(asked.execute(context, mute).await?.into())
    }

    /// Takes a mute back.
    async fn user_unmute(&self, context: &Context<'_>, input: UserUnmuteInput) -> Result<UserUnmutePayload, Error> {
        let asked = Asked::of(context, "userUnmute", &input.id, input.idempotency_key.as_deref(), &input)?;
        Ok(asked.execute(context, |by, whom, _| FollowCommand::Unmute { by, whom }).await?.into())
    }
}

/// Who asks for something to happen to whom.
struct Asked {
    by: UserId,
    whom: UserId,
    identity: CommandIdentity,
}

impl Asked {
    fn of(
        context: &Context<'_>,
        mutation: &str,
        id: &ID,
        key: Option<&str>,
        input: &impl InputType,
    ) -> Result<Self, Error> {
        let by = viewer(context)?.user();
        let identity = CommandIdentity::of(context, mutation, key, input)?;
        Ok(Self { by, whom: target(id)?, identity })
    }

    async fn execute(
        &self,
        context: &Context<'_>,
        command: impl FnOnce(UserId, UserId, HaveProfiles) -> FollowCommand + Send,
    ) -> Result<Outcome, Error> {
        let Self { by, whom, identity } = self;
        let own = profile::current(context, *by).await?;
        let other = profile::current(context, *whom).await?;
        let command = command(*by, *whom, HaveProfiles { by: own.is_some(), whom: other.is_some() });
        let stream = id_of(*by, *whom).uuid();
        let executed = call::execute_at_any_version(&services(context).follows, stream, command, identity).await?;
        Ok(match executed {
            Ok(executed) => {
                let relation = UserRelation::of(*by, *whom, *executed.state, other);
                Ok(Done::new(Some(relation), &executed))
            }
            Err(rejection) => Err(vec![rejected(rejection)]),
        })
    }
}
