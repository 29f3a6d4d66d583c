//! A profile as others see it.

use std::sync::Arc;

use async_graphql::{Context, Error, ID, Object};
use domain::{Timestamp, values::UserId};
use projections::{profile_directory::ProfileRow, social_graph::Regards};

use crate::graphql::{
    PositionToken,
    behind::RowBehind,
    call::{services, version},
    connection::Cursor,
    node::global,
    social_graph::{self, PeopleConnection, PeopleTogether, PostConnection},
};

/// Somebody, as others see them.
#[derive(Clone, Debug)]
pub(crate) struct ProfileObject {
    row: ProfileRow,
    /// Those of whom the read model is asked together with them.
    people: Arc<PeopleTogether>,
}

impl ProfileObject {
    /// Somebody by themselves.
    pub(in crate::graphql) fn of(row: ProfileRow) -> Self {
        let people = PeopleTogether::new(vec![row.person.user]);
        Self { row, people }
    }

    /// Somebody of whom more is asked together with others.
    pub(in crate::graphql) fn among(row: ProfileRow, people: &Arc<PeopleTogether>) -> Self {
        Self { row, people: Arc::clone(people) }
    }

    /// People of one page.
    pub(in crate::graphql) fn all(rows: Vec<ProfileRow>) -> Vec<Self> {
        let people = PeopleTogether::new(rows.iter().map(|row| row.person.user).collect());
        rows.into_iter().map(|row| Self::among(row, &people)).collect()
    }

    /// Who it is.
    pub(in crate::graphql) const fn user(&self) -> UserId {
        self.row.person.user
    }

    async fn regards(&self, context: &Context<'_>) -> Result<Regards, Error> {
        self.people.regards(context, self.user()).await
    }
}

/// Somebody, as others see them.
#[Object(name = "Profile")]
impl ProfileObject {
    /// The global id, opaque. It stays when the handle changes.
    pub(in crate::graphql) async fn id(&self) -> ID {
        global(self.row.person.user)
    }

    /// The handle they are found and mentioned under, without the `@`, in small letters. Somebody else may have it once it was
    /// changed: keep the id.
    async fn handle(&self) -> &str {
        self.row.person.handle.as_str()
    }

    /// What others call them.
    async fn display_name(&self) -> &str {
        self.row.person.name.as_str()
    }

    /// What they say of themselves; may be empty, and may have several lines.
    async fn bio(&self) -> &str {
        self.row.person.biography.as_str()
    }

    /// Since when they are here.
    async fn created_at(&self) -> Timestamp {
        self.row.person.created_at
    }

    /// When anything about the profile changed last.
    async fn updated_at(&self) -> Timestamp {
        self.row.person.updated_at
    }

    /// Counts its changes. Give it as `expectedVersion` to change it only if nobody else did meanwhile.
    async fn version(&self) -> i32 {
        version(self.row.revision)
    }

    /// How many people follow them.
    #[graphql(complexity = "2 + child_complexity")]
    async fn follower_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        Ok(self.people.counts(context, self.user()).await?.followers)
    }

    /// How many people they follow.
    #[graphql(complexity = "2 + child_complexity")]
    async fn following_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        Ok(self.people.counts(context, self.user()).await?.following)
    }

    /// How many posts of theirs are there; reposts are not counted.
    #[graphql(complexity = "2 + child_complexity")]
    async fn post_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        Ok(self.people.counts(context, self.user()).await?.posts)
    }

    /// Whether the caller follows them.
    #[graphql(complexity = "2 + child_complexity")]
    async fn viewer_follows(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(self.regards(context).await?.follows)
    }

    /// Whether they follow the caller.
    #[graphql(complexity = "2 + child_complexity")]
    async fn follows_viewer(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(self.regards(context).await?.is_followed_by)
    }

    /// Whether the caller blocks them.
    #[graphql(complexity = "2 + child_complexity")]
    async fn viewer_blocks(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(self.regards(context).await?.blocks)
    }

    /// Whether the caller mutes them.
    #[graphql(complexity = "2 + child_complexity")]
    async fn viewer_mutes(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(self.regards(context).await?.mutes)
    }

    /// What they posted and reposted, as the caller sees it, newest first.
    #[graphql(complexity = "first.clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn posts(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
        after: Option<Cursor>,
        min_position: Option<PositionToken>,
    ) -> Result<PostConnection, Error> {
        social_graph::timeline(context, self.user(), (first, after), min_position).await
    }

    /// Who follows them, the newest first. Whoever blocks the caller, or is blocked by them, is left out.
    #[graphql(complexity = "first.clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn followers(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
        after: Option<Cursor>,
        min_position: Option<PositionToken>,
    ) -> Result<PeopleConnection, Error> {
        social_graph::followers(context, self.user(), (first, after), min_position).await
    }

    /// Whom they follow, the newest first. Whoever blocks the caller, or is blocked by them, is left out.
    #[graphql(complexity = "first.clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn following(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
        after: Option<Cursor>,
        min_position: Option<PositionToken>,
    ) -> Result<PeopleConnection, Error> {
        social_graph::following(context, self.user(), (first, after), min_position).await
    }

    /// What of it the read model does not show because an event cannot be applied; null if nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn behind(&self, context: &Context<'_>) -> Result<Option<RowBehind>, Error> {
        RowBehind::of(context, services(context).read_models.profile_directory.behind(self.row.person.user.uuid()))
    }
}
