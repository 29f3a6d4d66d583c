//! Pages of posts and of people.

use std::collections::HashMap;

use async_graphql::{Context, Error};
use domain::values::{PostId, UserId};
use infrastructure::event_store::Position;
use projections::{
    QueryError, ServedTables,
    social_graph::{Entry, FeedPage, PeoplePage, SocialGraph},
};

use crate::graphql::{
    PositionToken,
    call::{services, viewer},
    connection::{Cursor, Page, PageInfo, Window, bad_cursor, connection},
    post::PostObject,
    profile::ProfileObject,
    read::{query_error, ready, ready_tables},
};

connection!(PostConnection, PostEdge, PostObject);
connection!(PeopleConnection, PeopleEdge, ProfileObject);

/// How many items, and the cursor behind which they begin.
pub(super) type Asked = (i32, Option<Cursor>);

/// A part of a list that has one direction, asked of the graph by somebody.
#[derive(Debug)]
pub(super) struct List<'a> {
    name: String,
    pub(super) graph: &'a ServedTables<SocialGraph>,
    /// Who asks.
    pub(super) viewer: UserId,
    /// The place in the log behind which the page begins.
    pub(super) after: Option<Position>,
    /// How many items there are on it.
    pub(super) first: usize,
}

impl<'a> List<'a> {
    /// The part of the list called `name`, once the graph has got to `min_position`.
    pub(super) async fn asked(
        context: &Context<'a>,
        name: impl Into<String>,
        (first, after): Asked,
        min_position: Option<PositionToken>,
    ) -> Result<Self, Error> {
        let (name, viewer) = (name.into(), viewer(context)?.user());
        let first = Window::of(Some(first), None)?.size;
        let place = |cursor: Cursor| cursor.key(&name)?.parse().map(Position::new).map_err(|_| bad_cursor());
        let after = after.map(place).transpose()?;
        let graph = ready_tables(context, &services(context).read_models.social_graph, min_position).await?;
        Ok(Self { name, graph, viewer, after, first })
    }

    fn cursor(&self, position: Position) -> Cursor {
        Cursor::new(&self.name, &position.value().to_string())
    }

    /// The page that begins and ends with these places in the log.
    fn page<T>(
        &self,
        edges: Vec<(Cursor, T)>,
        places: [Option<Position>; 2],
        has_more: bool,
        as_of: Position,
    ) -> Page<T> {
        let [start_cursor, end_cursor] = places.map(|place| place.map(|place| self.cursor(place)));
        let info =
            PageInfo { has_next_page: has_more, has_previous_page: self.after.is_some(), start_cursor, end_cursor };
        Page { edges, info, position: PositionToken(as_of) }
    }

    /// The page with what these posts say. One of which the words cannot be read is left out.
    pub(super) async fn posts(
        &self,
        context: &Context<'_>,
        found: Result<FeedPage, QueryError>,
    ) -> Result<PostConnection, Error> {
        let FeedPage { entries, has_more, as_of } = found.map_err(query_error)?;
        let newest = entries.iter().map(|entry| entry.position).max().unwrap_or_default();
        let board = ready(context, &services(context).read_models.post_board, Some(PositionToken(newest))).await?;
        let ids: Vec<_> = entries.iter().map(|entry| entry.post.uuid()).collect();
        let rows = board.rows(&ids).await.map_err(query_error)?;
        let mut objects: HashMap<PostId, PostObject> =
            PostObject::all(rows).into_iter().map(|post| (post.post(), post)).collect();
        let edge = |entry: &Entry| Some((self.cursor(entry.position), objects.remove(&entry.post)?));
        let edges = entries.iter().filter_map(edge).collect();
        let ends = [entries.first(), entries.last()].map(|end| end.map(|entry| entry.position));
        Ok(self.page(edges, ends, has_more, as_of).into())
    }

    /// The page with who these people are.
    async fn people(
        &self,
        context: &Context<'_>,
        found: Result<PeoplePage, QueryError>,
    ) -> Result<PeopleConnection, Error> {
        let PeoplePage { people, has_more, as_of } = found.map_err(query_error)?;
        let directory = ready(context, &services(context).read_models.profile_directory, None).await?;
        let ids: Vec<_> = people.iter().map(|(user, _)| user.uuid()).collect();
        let rows = directory.rows(&ids).await.map_err(query_error)?;
        let mut objects: HashMap<UserId, ProfileObject> =
            ProfileObject::all(rows).into_iter().map(|profile| (profile.user(), profile)).collect();
        let edge = |(user, since): &(UserId, Position)| Some((self.cursor(*since), objects.remove(user)?));
        let edges = people.iter().filter_map(edge).collect();
        let ends = [people.first(), people.last()].map(|end| end.map(|(_, since)| *since));
        Ok(self.page(edges, ends, has_more, as_of).into())
    }
}

/// What somebody posted and reposted.
pub(in crate::graphql) async fn timeline(
    context: &Context<'_>,
    author: UserId,
    asked: Asked,
    min_position: Option<PositionToken>,
) -> Result<PostConnection, Error> {
    let list = List::asked(context, format!("posts:{author}"), asked, min_position).await?;
    list.posts(context, list.graph.timeline(author, list.viewer, list.after, list.first).await).await
}

/// What answers a post directly.
pub(in crate::graphql) async fn replies(
    context: &Context<'_>,
    post: PostId,
    asked: Asked,
    min_position: Option<PositionToken>,
) -> Result<PostConnection, Error> {
    let list = List::asked(context, format!("replies:{post}"), asked, min_position).await?;
    list.posts(context, list.graph.replies(post, list.viewer, list.after, list.first).await).await
}

/// Who follows somebody.
pub(in crate::graphql) async fn followers(
    context: &Context<'_>,
    user: UserId,
    asked: Asked,
    min_position: Option<PositionToken>,
) -> Result<PeopleConnection, Error> {
    let list = List::asked(context, format!("followers:{user}"), asked, min_position).await?;
    list.people(context, list.graph.followers(user, list.viewer, list.after, list.first).await).await
}

/// Whom somebody follows.
pub(in crate::graphql) async fn following(
    context: &Context<'_>,
    user: UserId,
    asked: Asked,
    min_position: Option<PositionToken>,
) -> Result<PeopleConnection, Error> {
    let list = List::asked(context, format!("following:{user}"), asked, min_position).await?;
    list.people(context, list.graph.following(user, list.viewer, list.after, list.first).await).await
}
