//! Rows against their events: repairing some, looking at all.

use async_graphql::{Context, Error, ID, InputObject, Object, SimpleObject};
use domain::operator::OperatorAction;
use projections::ManagerError;

use super::{ProjectionUserError, write_down};
use crate::graphql::{
    call::{operator, services},
    projection::{
        error::{Trouble, settled},
        input,
        rows::{ProjectionRepairedRow, ProjectionVerifyReport},
    },
    user_error::path,
};

/// Rows to fold anew.
#[derive(Debug, InputObject)]
struct ProjectionRepairInput {
    /// The projection's name, as `projections` shows it.
    name: String,
    /// The keys of the rows, 1 to 1,000, as `differences` shows them.
    keys: Vec<ID>,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
}

/// What came of `projectionRepair`.
#[derive(Debug, SimpleObject)]
struct ProjectionRepairPayload {
    /// The rows, before and after; empty if there are user errors.
    repaired: Vec<ProjectionRepairedRow>,
    /// What was wrong; empty if every row was written anew.
    user_errors: Vec<ProjectionUserError>,
}

/// A projection to look at.
#[derive(Debug, InputObject)]
struct ProjectionVerifyInput {
    /// Its name, as `projections` shows it.
    name: String,
}

/// What came of `projectionVerify`.
#[derive(Debug, SimpleObject)]
struct ProjectionVerifyPayload {
    /// What was found; null if there are user errors.
    report: Option<ProjectionVerifyReport>,
    /// What was wrong; empty if everything was looked at.
    user_errors: Vec<ProjectionUserError>,
}

#[derive(Debug, Default)]
pub(super) struct RowsMutation;

#[Object]
impl RowsMutation {
    /// Folds these rows anew from their events and writes them: all of them or none. For operators.
    async fn projection_repair(
        &self,
        context: &Context<'_>,
        input: ProjectionRepairInput,
    ) -> Result<ProjectionRepairPayload, Error> {
        operator(context)?;
        let (repaired, user_errors) = settled(repair(context, input).await)?;
        Ok(ProjectionRepairPayload { repaired: repaired.unwrap_or_default(), user_errors })
    }

    /// Folds everything anew into a generation of its own and compares it with what serves, row by row. Takes as long as
    /// a rebuild. Changes nothing, so it is not written down. For operators.
    async fn projection_verify(
        &self,
        context: &Context<'_>,
        input: ProjectionVerifyInput,
    ) -> Result<ProjectionVerifyPayload, Error> {
        operator(context)?;
        let report = services(context).projections.verify(&input.name).await;
        let report = report.map_err(|error| Trouble::of(error, path([&"name"])));
        let (report, user_errors) = settled(report)?;
        Ok(ProjectionVerifyPayload { report: report.as_ref().map(ProjectionVerifyReport::from), user_errors })
    }
}

async fn repair(context: &Context<'_>, order: ProjectionRepairInput) -> Result<Vec<ProjectionRepairedRow>, Trouble> {
    let ProjectionRepairInput { name, keys, reason } = order;
    let manager = &services(context).projections;
    let refused = |error| Trouble::of(error, path([&"name"]));
    let (keys, reason) = (input::keys(&keys)?, input::reason(reason)?);
    manager.can_repair(&name).map_err(refused)?;
    // Knows whether there is anything to fold with these keys, before it is written down.
    let checkup = manager.check(&name, &keys).await.map_err(refused)?;
    if let Some(why) = checkup.unfoldable {
        return Err(refused(ManagerError::Unfoldable(why)));
    }
    write_down(context, (&name, "name"), OperatorAction::Repair { keys: keys.clone() }, reason).await?;
    let repaired = manager.repair(&name, &keys).await.map_err(refused)?;
    Ok(repaired.into_iter().map(ProjectionRepairedRow::from).collect())
}
