//! Pages of posts and of people.

use std::collections::HashMap;

use async_graphql::{Context, Error};
use domain::values::{PostId, UserId};
use infrastructure::event_store::Position;
use projections::{
    post_board::PostRow,
    social_graph::{FeedPage, PeoplePage},
};

use crate::{
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        call::{services, viewer},
        connection::{Cursor, PAGE_ITEMS_MAX, Page, PageInfo, bad_cursor, connection},
        post::PostObject,
        profile::ProfileObject,
        read::{query_error, ready, ready_tables},
    },
};

connection!(PostConnection, PostEdge, PostObject);
connection!(PeopleConnection, PeopleEdge, ProfileObject);

/// A page of a list that has one direction: so many items, and the place in the log behind which they begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) first: usize,
    pub(super) after: Option<Position>,
}

impl Part {
    /// The part of the list called `list`.
    pub(super) fn of(list: &str, first: i32, after: Option<Cursor>) -> Result<Self, Error> {
        let size = usize::try_from(first).ok().filter(|size| *size > 0 && first <= PAGE_ITEMS_MAX);
        let first = size.ok_or_else(|| {
            ErrorCode::BadUserInput.error(format!("a page has 1 to {PAGE_ITEMS_MAX} items, not {first}"))
        })?;
        let place = |cursor: Cursor| cursor.key(list)?.parse().map(Position::new).map_err(|_| bad_cursor());
        Ok(Self { first, after: after.map(place).transpose()? })
    }
}

fn cursor(list: &str, position: Position) -> Cursor {
    Cursor::new(list, &position.value().to_string())
}

/// Where a page of these places lies.
fn info(list: &str, part: Part, has_more: bool, places: &[Position]) -> PageInfo {
    PageInfo {
        has_next_page: has_more,
        has_previous_page: part.after.is_some(),
        start_cursor: places.first().map(|place| cursor(list, *place)),
        end_cursor: places.last().map(|place| cursor(list, *place)),
    }
}

/// The page of the list called `list` with what these posts say. One of which the words cannot be read is left out.
pub(super) async fn posts(
    context: &Context<'_>,
    list: &str,
    part: Part,
    page: FeedPage,
) -> Result<PostConnection, Error> {
    let places: Vec<Position> = page.entries.iter().map(|entry| entry.position).collect();
    let ids: Vec<PostId> = page.entries.iter().map(|entry| entry.post).collect();
    let newest = places.iter().max().copied().unwrap_or_default();
    let board = ready(context, &services(context).read_models.post_board, Some(PositionToken(newest))).await?;
    let rows = rows(board.rows(&ids.iter().map(|post| post.uuid()).collect::<Vec<_>>()).await, &ids)?;
    let mut objects: HashMap<PostId, PostObject> =
        PostObject::all(rows).into_iter().map(|post| (post.post(), post)).collect();
    let edges = page
        .entries
        .iter()
        .filter_map(|entry| Some((cursor(list, entry.position), objects.remove(&entry.post)?)))
        .collect();
    let info = info(list, part, page.has_more, &places);
    Ok(Page { edges, info, position: PositionToken(page.as_of) }.into())
}

/// The rows in the order of these ids.
fn rows(found: Result<Vec<PostRow>, projections::QueryError>, ids: &[PostId]) -> Result<Vec<PostRow>, Error> {
    let mut found: HashMap<PostId, PostRow> =
        found.map_err(query_error)?.into_iter().map(|row| (row.post, row)).collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// The page of the list called `list` with who these people are.
async fn people(
    context: &Context<'_>,
    list: &str,
    part: Part,
    page: PeoplePage,
    position: Position,
) -> Result<PeopleConnection, Error> {
    let places: Vec<Position> = page.people.iter().map(|(_, since)| *since).collect();
    let directory = ready(context, &services(context).read_models.profile_directory, None).await?;
    let ids: Vec<_> = page.people.iter().map(|(user, _)| user.uuid()).collect();
    let rows = directory.rows(&ids).await.map_err(query_error)?;
    let mut objects: HashMap<UserId, ProfileObject> =
        ProfileObject::all(rows).into_iter().map(|profile| (profile.user(), profile)).collect();
    let edges =
        page.people.iter().filter_map(|(user, since)| Some((cursor(list, *since), objects.remove(user)?))).collect();
    let info = info(list, part, page.has_more, &places);
    Ok(Page { edges, info, position: PositionToken(position) }.into())
}

/// How many items, and the cursor behind which they begin.
type Asked = (i32, Option<Cursor>);

/// What somebody posted and reposted.
pub(in crate::graphql) async fn timeline(
    context: &Context<'_>,
    author: UserId,
    (first, after): Asked,
    min_position: Option<PositionToken>,
) -> Result<PostConnection, Error> {
    let (list, viewer) = (format!("posts:{author}"), viewer(context)?.user());
    let part = Part::of(&list, first, after)?;
    let graph = ready_tables(context, &services(context).read_models.social_graph, min_position).await?;
    let page = graph.timeline(author, viewer, part.after, part.first).await.map_err(query_error)?;
    posts(context, &list, part, page).await
}

/// What answers a post directly.
pub(in crate::graphql) async fn replies(
    context: &Context<'_>,
    post: PostId,
    (first, after): Asked,
    min_position: Option<PositionToken>,
) -> Result<PostConnection, Error> {
    let (list, viewer) = (format!("replies:{post}"), viewer(context)?.user());
    let part = Part::of(&list, first, after)?;
    let graph = ready_tables(context, &services(context).read_models.social_graph, min_position).await?;
    let page = graph.replies(post, viewer, part.after, part.first).await.map_err(query_error)?;
    posts(context, &list, part, page).await
}

/// Who follows somebody.
pub(in crate::graphql) async fn followers(
    context: &Context<'_>,
    user: UserId,
    (first, after): Asked,
    min_position: Option<PositionToken>,
) -> Result<PeopleConnection, Error> {
    let (list, viewer) = (format!("followers:{user}"), viewer(context)?.user());
    let part = Part::of(&list, first, after)?;
    let graph = ready_tables(context, &services(context).read_models.social_graph, min_position).await?;
    let position = graph.position();
    let page = graph.followers(user, viewer, part.after, part.first).await.map_err(query_error)?;
    people(context, &list, part, page, position).await
}

/// Whom somebody follows.
pub(in crate::graphql) async fn following(
    context: &Context<'_>,
    user: UserId,
    (first, after): Asked,
    min_position: Option<PositionToken>,
) -> Result<PeopleConnection, Error> {
    let (list, viewer) = (format!("following:{user}"), viewer(context)?.user());
    let part = Part::of(&list, first, after)?;
    let graph = ready_tables(context, &services(context).read_models.social_graph, min_position).await?;
    let position = graph.position();
    let page = graph.following(user, viewer, part.after, part.first).await.map_err(query_error)?;
    people(context, &list, part, page, position).await
}
