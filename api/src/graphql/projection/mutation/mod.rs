//! An operator's orders to projections.

mod generation;
mod parked;
mod pause;
mod rebuild;
mod rows;

use async_graphql::{Context, MergedObject};
use domain::operator::OperatorAction;

use super::{
    error::{ProjectionUserError, Trouble},
    types::ProjectionObject,
};
use crate::graphql::{call::services, operator::record, user_error::path};

/// `projectionRebuild`, `projectionRollback`, `projectionDiscardGeneration`, `projectionPause`, `projectionResume`,
/// `projectionRepair`, `projectionVerify`, `parkedEventRetry` and `parkedEventSkip`.
#[derive(Debug, Default, MergedObject)]
pub(crate) struct ProjectionMutation(
    rebuild::RebuildMutation,
    generation::GenerationMutation,
    pause::PauseMutation,
    rows::RowsMutation,
    parked::ParkedMutation,
);

/// The payload of a mutation that leaves the projection in another state.
macro_rules! projection_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, async_graphql::SimpleObject)]
        struct $name {
            /// The projection after it; null if there are user errors.
            projection: Option<$crate::graphql::projection::types::ProjectionObject>,
            /// What was wrong; empty if it was done.
            user_errors: Vec<$crate::graphql::projection::error::ProjectionUserError>,
        }

        impl $name {
            fn of(
                outcome: Result<
                    $crate::graphql::projection::types::ProjectionObject,
                    $crate::graphql::projection::error::Trouble,
                >,
            ) -> Result<Self, async_graphql::Error> {
                let (projection, user_errors) = $crate::graphql::projection::error::settled(outcome)?;
                Ok(Self { projection, user_errors })
            }
        }
    };
}
use projection_payload;

/// Writes an order down on behalf of the caller. It is carried out only if this succeeds.
async fn write_down(
    context: &Context<'_>,
    (projection, field): (&str, &str),
    action: OperatorAction,
    reason: Option<String>,
) -> Result<(), Trouble> {
    let recorded = record(context, projection, action, reason).await?;
    recorded.map(|_| ()).map_err(|rejection| Trouble::of_log(&rejection, path([&field])))
}

/// The projection as it is now that an order was carried out.
async fn shown(context: &Context<'_>, name: &str) -> Result<ProjectionObject, Trouble> {
    let manager = &services(context).projections;
    let status = manager.status(name).map_err(|error| Trouble::of(error, path([&"name"])))?;
    Ok(ProjectionObject::of(manager, &status).await?)
}
