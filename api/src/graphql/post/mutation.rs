//! Commands to posts. Authors change their own, everybody passes on what is public.

use async_graphql::{Context, Error, ID, Object};
use domain::{
    post::{PostCommand, PostRejection, PostState, Publication, repost_of},
    values::{PostId, UserId},
};
use infrastructure::{
    event_store::Revision,
    execute::{Executed, Request},
};
use projections::{post_board::PostRow, profile_directory::ProfileRow};

use super::{
    PostObject,
    current::{Looked, draft, look},
    errors::{PostErrorCode, PostUserError, rejected},
    inputs::{PostDeleteInput, PostEditInput, PostPublishInput, PostRepostInput, Said},
    near::Known,
};
use crate::graphql::{
    call::{self, CommandIdentity, Failure, execute_error, expected, services, viewer},
    node::{global, local, target},
    profile,
    user_error::{Done, path, payloads},
};

payloads! {
    post: PostObject, error: PostUserError;
    /// What came of `postPublish`.
    PostPublishPayload
    /// What came of `postEdit`.
    PostEditPayload
    /// What came of `postRepost`.
    PostRepostPayload
}

payloads! {
    deleted_id: ID, error: PostUserError;
    /// What came of `postDelete`. `deletedId` is the id that the post had.
    PostDeletePayload
}

/// What came of a command, or everything that was wrong with it.
type Outcome<O> = Result<Done<O>, Vec<PostUserError>>;
type Executing = Result<Executed<PostState>, Failure<PostRejection>>;

/// `postPublish`, `postEdit`, `postDelete`, `postRepost`.
#[derive(Debug, Default)]
pub(crate) struct PostMutation;

#[Object]
impl PostMutation {
    /// Says something: to everybody or to the caller's followers, as an answer or by itself, with or without a quote.
    async fn post_publish(&self, context: &Context<'_>, input: PostPublishInput) -> Result<PostPublishPayload, Error> {
        let author = viewer(context)?.user();
        let identity = CommandIdentity::of(context, "postPublish", input.idempotency_key.as_deref(), &input)?;
        let said = match Said::parse(input.text.as_deref(), &input.media, input.product_id.as_ref()) {
            Ok(said) => said,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let own = profile::current(context, author).await?;
        let reply_to = look_at(context, input.reply_to_id.as_ref(), author).await?;
        let quotes = look_at(context, input.quoted_id.as_ref(), author).await?;
        let (draft, mentioned) = draft(context, said).await?;
        let post = PostId::new(identity.new_object("post"));
        let publication = Publication {
            post,
            author,
            has_profile: own.is_some(),
            draft,
            visibility: input.visibility.into(),
            reply_to: reply_to.as_ref().map(|looked| looked.seen.clone()),
            quotes: quotes.as_ref().map(|looked| looked.seen.clone()),
        };
        let command = PostCommand::Publish(Box::new(publication));
        // The rules look at the answered post first.
        let is_reply_seen = reply_to.as_ref().is_none_or(|looked| looked.seen.by(author).is_ok());
        let target = if is_reply_seen { "quotedId" } else { "replyToId" };
        let known = known(author, own.into_iter().chain(mentioned), reply_to.into_iter().chain(quotes));
        let executing = execute(context, post, command, &identity, None).await?;
        Ok(outcome(post, executing, known, target)?.into())
    }

    /// Says it otherwise: text, pictures and product are what is given. Who may see it, and what it answers and quotes, stays.
    async fn post_edit(&self, context: &Context<'_>, input: PostEditInput) -> Result<PostEditPayload, Error> {
        let by = viewer(context)?.user();
        let identity = CommandIdentity::of(context, "postEdit", input.idempotency_key.as_deref(), &input)?;
        let post = target(&input.id)?;
        let said = match Said::parse(input.text.as_deref(), &input.media, input.product_id.as_ref()) {
            Ok(said) => said,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let (draft, mentioned) = draft(context, said).await?;
        let command = PostCommand::Edit { by, draft: Box::new(draft) };
        let known = known(by, mentioned, []);
        Ok(match execute(context, post, command, &identity, expected(input.expected_version)?).await? {
            Err(Failure::Conflict { current }) => Err(vec![conflict(context, post, by, current).await?]).into(),
            executing => outcome(post, executing, known, "id")?.into(),
        })
    }

    /// Takes a post back, for good; or a repost, which may be done again.
    async fn post_delete(&self, context: &Context<'_>, input: PostDeleteInput) -> Result<PostDeletePayload, Error> {
        let by = viewer(context)?.user();
        let identity = CommandIdentity::of(context, "postDelete", input.idempotency_key.as_deref(), &input)?;
        let post: PostId = target(&input.id)?;
        let command = PostCommand::Delete { by };
        let executed = call::execute_at_any_version(&services(context).posts, post.uuid(), command, &identity).await?;
        let outcome: Outcome<ID> = match executed {
            Ok(executed) => Ok(Done::new(Some(global(post)), &executed)),
            Err(rejection) => Err(vec![rejected(rejection, "id")]),
        };
        Ok(outcome.into())
    }

    /// Shows a public post to the caller's followers. Done twice it is done once; `postDelete` of the repost undoes it.
    async fn post_repost(&self, context: &Context<'_>, input: PostRepostInput) -> Result<PostRepostPayload, Error> {
        let by = viewer(context)?.user();
        let identity = CommandIdentity::of(context, "postRepost", input.idempotency_key.as_deref(), &input)?;
        let of = target(&input.id)?;
        let own = profile::current(context, by).await?;
        let looked = look(context, of, by).await?;
        let seen = Box::new(looked.seen.clone());
        let command = PostCommand::Repost { by, has_profile: own.is_some(), of: seen };
        let post = repost_of(by, of);
        let executing = execute(context, post, command, &identity, None).await?;
        Ok(outcome(post, executing, known(by, own, [looked]), "id")?.into())
    }
}

/// A post that an input names. One that is none is looked at as well: there is none.
async fn look_at(context: &Context<'_>, id: Option<&ID>, viewer: UserId) -> Result<Option<Looked>, Error> {
    Ok(match id.map(local) {
        None => None,
        Some(None) => Some(Looked::default()),
        Some(Some(post)) => Some(look(context, post, viewer).await?),
    })
}

/// What was looked at on the way, as far as `viewer` sees it.
fn known(
    viewer: UserId,
    people: impl IntoIterator<Item = ProfileRow>,
    posts: impl IntoIterator<Item = Looked>,
) -> Known {
    let posts = posts.into_iter().filter_map(|looked| looked.shown(viewer));
    Known { people: people.into_iter().collect(), posts: posts.collect() }
}

async fn execute(
    context: &Context<'_>,
    post: PostId,
    command: PostCommand,
    identity: &CommandIdentity,
    expected: Option<Revision>,
) -> Result<Executing, Error> {
    let is_fresh = matches!(command, PostCommand::Publish(_)) && !identity.is_keyed;
    let metadata = identity.metadata.clone();
    let request = Request { stream: post.uuid(), command, metadata, expected, is_fresh };
    call::execute(&services(context).posts, request).await
}

/// What a client is told. A post that was deleted since is not shown.
fn outcome(post: PostId, executing: Executing, known: Known, target: &str) -> Result<Outcome<PostObject>, Error> {
    match executing {
        Ok(executed) => {
            let state = PostState::clone(&executed.state);
            let row = executed.revision.and_then(|revision| PostRow::of(post, state, revision));
            Ok(Ok(Done::new(row.and_then(|row| PostObject::written(row, known)), &executed)))
        }
        Err(Failure::Rejected(rejection)) => Ok(Err(vec![rejected(rejection, target)])),
        Err(Failure::Conflict { .. }) => Err(call::unasked_conflict()),
    }
}

/// What is said of a wrong `expectedVersion`. For whoever cannot edit the post, there is none at any version.
async fn conflict(
    context: &Context<'_>,
    post: PostId,
    by: UserId,
    version: Option<Revision>,
) -> Result<PostUserError, Error> {
    let current = services(context).posts.current(post.uuid()).await.map_err(execute_error)?;
    let is_own = matches!(&*current.state, PostState::Published(post) if post.author == by);
    if !is_own {
        return Ok(rejected(PostRejection::NotFound, "id"));
    }
    let message = "the post has changed meanwhile";
    Ok(PostUserError {
        current_version: version.map(call::version),
        ..PostUserError::new(PostErrorCode::VersionConflict, &message, path([&"expectedVersion"]))
    })
}
