//! Profiles that are looked up together.

use std::sync::Arc;

use async_graphql::{Context, Error};
use domain::values::UserId;
use projections::{
    ReadModels, Served,
    profile_directory::{ProfileDirectory, ProfileRow},
};
use uuid::Uuid;

use super::ProfileObject;
use crate::graphql::{
    social_graph::PeopleTogether,
    together::{Named, Together},
};

impl Named for ProfileDirectory {
    fn among(models: &ReadModels) -> &Served<Self> {
        &models.profile_directory
    }

    fn key_of(row: &ProfileRow) -> Uuid {
        row.person.user.uuid()
    }
}

/// People of one answer, looked up at most once.
#[derive(Debug)]
pub(in crate::graphql) struct ProfilesTogether {
    rows: Together<ProfileDirectory>,
    people: Arc<PeopleTogether>,
}

impl ProfilesTogether {
    /// `known` are those whose rows are known from the aggregates' own states.
    pub(in crate::graphql) fn new(wanted: impl IntoIterator<Item = UserId>, known: Vec<ProfileRow>) -> Self {
        let wanted: Vec<UserId> = wanted.into_iter().collect();
        let rows = Together::new(wanted.iter().map(|user| user.uuid())).knowing(known);
        Self { rows, people: PeopleTogether::new(wanted) }
    }

    /// One of them, for everybody who is signed in; none if the directory does not show them.
    pub(in crate::graphql) async fn get(
        &self,
        context: &Context<'_>,
        user: UserId,
    ) -> Result<Option<ProfileObject>, Error> {
        let row = self.rows.get(context, user.uuid()).await?;
        Ok(row.map(|row| ProfileObject::among(row.clone(), &self.people)))
    }
}
