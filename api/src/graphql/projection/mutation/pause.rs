//! Standing still and going on.

use async_graphql::{Context, Error, InputObject, Object};
use domain::{operator::OperatorAction, values::ProjectionName};
use projections::Pause;

use super::{projection_payload, shown, write_down};
use crate::{
    graphql::{
        PositionToken,
        call::{execute_error, operator, services},
        projection::{error::Trouble, input, types::ProjectionObject},
        user_error::path,
    },
    operator::paused,
};

/// A projection to let stand still.
#[derive(Debug, InputObject)]
struct ProjectionPauseInput {
    /// Its name, as `projections` shows it.
    name: String,
    /// It goes on up to this position, which may be still to come, and stands there; absent: it stands at once.
    at_position: Option<PositionToken>,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
}

/// A projection to let go on.
#[derive(Debug, InputObject)]
struct ProjectionResumeInput {
    /// Its name, as `projections` shows it.
    name: String,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
}

projection_payload! {
    /// What came of `projectionPause`.
    ProjectionPausePayload
}
projection_payload! {
    /// What came of `projectionResume`.
    ProjectionResumePayload
}

#[derive(Debug, Default)]
pub(super) struct PauseMutation;

#[Object]
impl PauseMutation {
    /// Lets a projection stand still, at once or at a position, until it is resumed; also over restarts. It serves what
    /// it has. For operators.
    async fn projection_pause(
        &self,
        context: &Context<'_>,
        input: ProjectionPauseInput,
    ) -> Result<ProjectionPausePayload, Error> {
        operator(context)?;
        ProjectionPausePayload::of(pause(context, input).await)
    }

    /// Lets a projection go on, from a pause or from an event that it stopped at. For operators.
    async fn projection_resume(
        &self,
        context: &Context<'_>,
        input: ProjectionResumeInput,
    ) -> Result<ProjectionResumePayload, Error> {
        operator(context)?;
        ProjectionResumePayload::of(resume(context, input).await)
    }
}

async fn pause(context: &Context<'_>, order: ProjectionPauseInput) -> Result<ProjectionObject, Trouble> {
    let ProjectionPauseInput { name, at_position, reason } = order;
    let manager = &services(context).projections;
    let refused = |error| Trouble::of(error, path([&"name"]));
    let reason = input::reason(reason)?;
    manager.can_pause(&name).map_err(refused)?;
    let action = OperatorAction::Pause { at: at_position.map(|at| at.0.value()) };
    write_down(context, (&name, "name"), action, reason).await?;
    // As it stands in the log, so that it is the same after a restart. Somebody else may have resumed it right after.
    let log = paused(&services(context).operator).await.map_err(execute_error)?;
    if let Some(pause) = ProjectionName::parse(&name).ok().and_then(|name| log.paused.get(&name).map(Pause::of)) {
        manager.pause(&name, pause).await.map_err(refused)?;
    }
    shown(context, &name).await
}

async fn resume(context: &Context<'_>, order: ProjectionResumeInput) -> Result<ProjectionObject, Trouble> {
    let ProjectionResumeInput { name, reason } = order;
    let manager = &services(context).projections;
    let refused = |error| Trouble::of(error, path([&"name"]));
    let reason = input::reason(reason)?;
    manager.can_resume(&name).map_err(refused)?;
    write_down(context, (&name, "name"), OperatorAction::Resume, reason).await?;
    manager.resume(&name).await.map_err(refused)?;
    shown(context, &name).await
}
