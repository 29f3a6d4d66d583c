//! A post's rules.

use super::{
    Content, Draft, POST_EDITS_MAX, PostCommand, PostEvent, PostRejection, PostState, Publication, Published,
    PublishedPost, Quoted, Reply, Seen, THREAD_DEPTH_MAX, Visibility, repost_of,
};
use crate::{
    Timestamp,
    values::{PostId, UserId},
};

pub(super) fn decide(state: &PostState, command: PostCommand, now: Timestamp) -> Result<Vec<PostEvent>, PostRejection> {
    match command {
        PostCommand::Publish(publication) => publish(state, *publication, now),
        PostCommand::Edit { by, draft } => edit(state, by, *draft, now),
        PostCommand::Repost { by, has_profile, of } => repost(state, by, has_profile, &of, now),
        PostCommand::Delete { by } => delete(state, by, now),
    }
}

fn publish(state: &PostState, publication: Publication, at: Timestamp) -> Result<Vec<PostEvent>, PostRejection> {
    match state {
        PostState::Unpublished => {}
        PostState::Published(_) | PostState::Reposted(_) | PostState::Deleted(_) => {
            return Err(PostRejection::AlreadyPublished);
        }
    }
    let Publication { post, author, has_profile, draft, visibility, reply_to, quotes } = publication;
    if !has_profile {
        return Err(PostRejection::NoProfile);
    }
    let reply = reply_to.map(|seen| answer(post, author, &seen)).transpose()?;
    let quoted = quotes.map(|seen| quote(author, &seen)).transpose()?;
    let content = Content::of(draft, None)?;
    let published = Published { post, author, content, visibility, reply, quoted, at };
    Ok(vec![PostEvent::Published(Box::new(published))])
}

fn answer(post: PostId, author: UserId, seen: &Seen) -> Result<Reply, PostRejection> {
    let parent = seen.by(author)?;
    if parent.post == post {
        return Err(PostRejection::AnswersItself);
    }
    let (root, above) = parent.reply.map_or((parent.post, 0), |reply| (reply.root, reply.depth));
    if above >= THREAD_DEPTH_MAX {
        return Err(PostRejection::ThreadTooDeep);
    }
    Ok(Reply { parent: parent.post, parent_author: parent.author, root, depth: above + 1 })
}

fn quote(author: UserId, seen: &Seen) -> Result<Quoted, PostRejection> {
    let quoted = public(seen, author)?;
    Ok(Quoted { post: quoted.post, author: quoted.author })
}

fn edit(state: &PostState, by: UserId, draft: Draft, at: Timestamp) -> Result<Vec<PostEvent>, PostRejection> {
    let post = match state {
        PostState::Published(post) => owned(post, by)?,
        PostState::Reposted(repost) => return Err(PostRejection::TargetIsRepost { of: repost.of }),
        PostState::Unpublished => return Err(PostRejection::NotFound),
        PostState::Deleted(_) => return Err(PostRejection::Deleted),
    };
    let content = Content::of(draft, post.content.product)?;
    if content == post.content {
        return Ok(vec![]); // Already so: success, nothing new.
    }
    if post.edits >= POST_EDITS_MAX {
        return Err(PostRejection::TooManyEdits);
    }
    Ok(vec![PostEvent::Edited { post: post.post, author: by, content, at }])
}

fn repost(
    state: &PostState,
    by: UserId,
    has_profile: bool,
    of: &Seen,
    at: Timestamp,
) -> Result<Vec<PostEvent>, PostRejection> {
    match state {
        PostState::Unpublished => {}
        // What was undone may be done again.
        PostState::Deleted(was) if was.repost_of.is_some() => {}
        PostState::Reposted(_) => return Ok(vec![]), // Already so: success, nothing new.
        PostState::Published(_) | PostState::Deleted(_) => return Err(PostRejection::AlreadyPublished),
    }
    if !has_profile {
        return Err(PostRejection::NoProfile);
    }
    let of = public(of, by)?;
    let post = repost_of(by, of.post);
    Ok(vec![PostEvent::Reposted { post, author: by, of: of.post, of_author: of.author, at }])
}

fn delete(state: &PostState, by: UserId, at: Timestamp) -> Result<Vec<PostEvent>, PostRejection> {
    let post = match state {
        PostState::Unpublished => return Err(PostRejection::NotFound),
        PostState::Published(post) => owned(post, by)?.post,
        PostState::Reposted(repost) if repost.author == by => repost.post,
        PostState::Deleted(was) if was.author == by => return Ok(vec![]), // Already so: success, nothing new.
        PostState::Reposted(_) => return Err(PostRejection::NotAuthor),
        PostState::Deleted(_) => return Err(PostRejection::Deleted),
    };
    Ok(vec![PostEvent::Deleted { post, author: by, at }])
}

/// The post, if it is theirs. One that not everybody sees looks like none to others.
fn owned(post: &PublishedPost, by: UserId) -> Result<&PublishedPost, PostRejection> {
    match post.visibility {
        _ if post.author == by => Ok(post),
        Visibility::Public => Err(PostRejection::NotAuthor),
        Visibility::Followers => Err(PostRejection::NotFound),
    }
}

/// The post, if it may be passed on to others by `viewer`.
fn public(seen: &Seen, viewer: UserId) -> Result<&PublishedPost, PostRejection> {
    let post = seen.by(viewer)?;
    match post.visibility {
        Visibility::Public => Ok(post),
        Visibility::Followers => Err(PostRejection::NotPublic),
    }
}
