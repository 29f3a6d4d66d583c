//! Commands to what the caller thinks of a post.

use async_graphql::{Context, Error, ID, InputObject, Object, SimpleObject};
use domain::{
    reaction::{ReactionCommand, ReactionState, id_of},
    values::{PostId, UserId},
};

use super::errors::{ReactionUserError, rejected};
use crate::graphql::{
    call::{self, CommandIdentity, services, viewer},
    node::target,
    post::{Looked, PostObject, look},
    profile,
    user_error::{Done, payloads},
};

/// A post to like.
#[derive(Debug, InputObject)]
struct PostLikeInput {
    /// The post.
    id: ID,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// A post to like no longer.
#[derive(Debug, InputObject)]
struct PostUnlikeInput {
    /// The post.
    id: ID,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// What the caller thinks of a post.
#[derive(Clone, Debug, SimpleObject)]
struct PostReaction {
    /// The post; null if the caller does not see it any more.
    post: Option<PostObject>,
    /// Whether the caller likes it.
    is_liked: bool,
}

payloads! {
    reaction: PostReaction, error: ReactionUserError;
    /// What came of `postLike`.
    PostLikePayload
    /// What came of `postUnlike`.
    PostUnlikePayload
}

/// What came of a command, or everything that was wrong with it.
type Outcome = Result<Done<PostReaction>, Vec<ReactionUserError>>;

/// `postLike`, `postUnlike`.
#[derive(Debug, Default)]
pub(crate) struct ReactionMutation;

#[Object]
impl ReactionMutation {
    /// Says that the caller likes a post. Done twice it is done once.
    async fn post_like(&self, context: &Context<'_>, input: PostLikeInput) -> Result<PostLikePayload, Error> {
        let by = viewer(context)?.user();
        let identity = CommandIdentity::of(context, "postLike", input.idempotency_key.as_deref(), &input)?;
        let post = target(&input.id)?;
        let has_profile = profile::current(context, by).await?.is_some();
        let looked = look(context, post, by).await?;
        let command = ReactionCommand::Like { by, has_profile, post: Box::new(looked.seen.clone()) };
        Ok(execute(context, by, (post, looked), command, &identity).await?.into())
    }

    /// Takes a like back, also of a post that is deleted.
    async fn post_unlike(&self, context: &Context<'_>, input: PostUnlikeInput) -> Result<PostUnlikePayload, Error> {
        let by = viewer(context)?.user();
        let identity = CommandIdentity::of(context, "postUnlike", input.idempotency_key.as_deref(), &input)?;
        let post = target(&input.id)?;
        let looked = look(context, post, by).await?;
        Ok(execute(context, by, (post, looked), ReactionCommand::Unlike, &identity).await?.into())
    }
}

async fn execute(
    context: &Context<'_>,
    by: UserId,
    (post, looked): (PostId, Looked),
    command: ReactionCommand,
    identity: &CommandIdentity,
) -> Result<Outcome, Error> {
    let stream = id_of(post, by).uuid();
    let executed = call::execute_at_any_version(&services(context).reactions, stream, command, identity).await?;
    Ok(match executed {
        Ok(executed) => {
            let is_liked = match *executed.state {
                ReactionState::Neutral => false,
                ReactionState::Liked { .. } => true,
            };
            let post = looked.shown(by).and_then(|row| PostObject::all(vec![row]).pop());
            Ok(Done::new(Some(PostReaction { post, is_liked }), &executed))
        }
        Err(rejection) => Err(vec![rejected(rejection)]),
    })
}
