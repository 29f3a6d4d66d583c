//! Questions about projections.

use async_graphql::{Context, Error, ID, Object};
use projections::ManagerError;

use super::{error::Trouble, input, rows::ProjectionCheckup, types::ProjectionObject};
use crate::graphql::{
    call::{operator, services},
    user_error::path,
};

/// `projections`, `projection` and `projectionCheck`.
#[derive(Debug, Default)]
pub(crate) struct ProjectionQuery;

#[Object]
impl ProjectionQuery {
    /// Every projection: where it is, how far behind, and if it does not move, why. For operators.
    async fn projections(&self, context: &Context<'_>) -> Result<Vec<ProjectionObject>, Error> {
        operator(context)?;
        let manager = &services(context).projections;
        let mut projections = Vec::new();
        for status in manager.statuses() {
            projections.push(ProjectionObject::of(manager, &status).await?);
        }
        Ok(projections)
    }

    /// One projection; null if there is none of this name. For operators.
    async fn projection(&self, context: &Context<'_>, name: String) -> Result<Option<ProjectionObject>, Error> {
        operator(context)?;
        let manager = &services(context).projections;
        match manager.statuses().into_iter().find(|status| status.name == name) {
            Some(status) => Ok(Some(ProjectionObject::of(manager, &status).await?)),
            None => Ok(None),
        }
    }

    /// Folds the rows with these keys, at most 1,000, anew from their events and compares. Changes nothing. For
    /// operators.
    #[graphql(complexity = "keys.len() + child_complexity")]
    async fn projection_check(
        &self,
        context: &Context<'_>,
        name: String,
        keys: Vec<ID>,
    ) -> Result<ProjectionCheckup, Error> {
        operator(context)?;
        check(context, &name, &keys).await.map_err(Trouble::into_error)
    }
}

async fn check(context: &Context<'_>, name: &str, wanted: &[ID]) -> Result<ProjectionCheckup, Trouble> {
    let manager = &services(context).projections;
    let refused = |error: ManagerError| Trouble::of(error, path([&"name"]));
    let keys = input::keys(wanted)?;
    manager.can_repair(name).map_err(refused)?;
    let checkup = manager.check(name, &keys).await.map_err(refused)?;
    Ok(ProjectionCheckup::from(&checkup))
}
