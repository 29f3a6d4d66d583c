//! Questions about projections.

use async_graphql::{Context, Error, Object};

use super::types::ProjectionObject;
use crate::graphql::{
    PositionToken,
    call::{operator, services},
    read::internal,
};

/// `projections` and `projection`.
#[derive(Debug, Default)]
pub(crate) struct ProjectionQuery;

#[Object]
impl ProjectionQuery {
    /// Every projection: where it is, how far behind, and if it does not move, why. For operators.
    async fn projections(&self, context: &Context<'_>) -> Result<Vec<ProjectionObject>, Error> {
        operator(context)?;
        all(context).await
    }

    /// One projection; null if there is none of this name. For operators.
    async fn projection(&self, context: &Context<'_>, name: String) -> Result<Option<ProjectionObject>, Error> {
        operator(context)?;
        Ok(all(context).await?.into_iter().find(|projection| projection.name == name))
    }
}

async fn all(context: &Context<'_>) -> Result<Vec<ProjectionObject>, Error> {
    let manager = &services(context).projections;
    let head = PositionToken(manager.head().await.map_err(internal)?);
    let mut projections = Vec::new();
    for status in manager.statuses() {
        let lag = manager.lag(&status).await.map_err(internal)?;
        projections.push(ProjectionObject::new(&status, head, lag));
    }
    Ok(projections)
}
