//! The generation on standby: serving it again, giving it up.

use async_graphql::{Context, Error, InputObject, Object};
use domain::operator::OperatorAction;

use super::{projection_payload, shown, write_down};
use crate::graphql::{
    call::{operator, services},
    projection::{error::Trouble, input, types::ProjectionObject},
    user_error::path,
};

/// A projection that is to serve the generation on standby.
#[derive(Debug, InputObject)]
struct ProjectionRollbackInput {
    /// Its name, as `projections` shows it.
    name: String,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
}

/// A generation to remove.
#[derive(Debug, InputObject)]
struct ProjectionDiscardGenerationInput {
    /// The projection's name, as `projections` shows it.
    name: String,
    /// The generation on standby.
    generation: i64,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
}

projection_payload! {
    /// What came of `projectionRollback`.
    ProjectionRollbackPayload
}
projection_payload! {
    /// What came of `projectionDiscardGeneration`.
    ProjectionDiscardGenerationPayload
}

#[derive(Debug, Default)]
pub(super) struct GenerationMutation;

#[Object]
impl GenerationMutation {
    /// Serves the generation on standby, once it is where the serving one is; that one stands by from then on. Once more
    /// rolls forward again. For operators.
    async fn projection_rollback(
        &self,
        context: &Context<'_>,
        input: ProjectionRollbackInput,
    ) -> Result<ProjectionRollbackPayload, Error> {
        operator(context)?;
        ProjectionRollbackPayload::of(roll_back(context, input).await)
    }

    /// Removes the generation on standby before its time: it gives its room back. For operators.
    async fn projection_discard_generation(
        &self,
        context: &Context<'_>,
        input: ProjectionDiscardGenerationInput,
    ) -> Result<ProjectionDiscardGenerationPayload, Error> {
        operator(context)?;
        ProjectionDiscardGenerationPayload::of(discard(context, input).await)
    }
}

async fn roll_back(context: &Context<'_>, order: ProjectionRollbackInput) -> Result<ProjectionObject, Trouble> {
    let ProjectionRollbackInput { name, reason } = order;
    let manager = &services(context).projections;
    let refused = |error| Trouble::of(error, path([&"name"]));
    let reason = input::reason(reason)?;
    manager.can_roll_back(&name).map_err(refused)?;
    write_down(context, (&name, "name"), OperatorAction::Rollback, reason).await?;
    manager.roll_back(&name).await.map_err(refused)?;
    shown(context, &name).await
}

async fn discard(context: &Context<'_>, order: ProjectionDiscardGenerationInput) -> Result<ProjectionObject, Trouble> {
    let ProjectionDiscardGenerationInput { name, generation, reason } = order;
    let manager = &services(context).projections;
    let refused = |error| Trouble::of(error, path([&"name"]));
    let reason = input::reason(reason)?;
    manager.can_discard(&name, generation).map_err(refused)?;
    write_down(context, (&name, "name"), OperatorAction::DiscardGeneration { generation }, reason).await?;
    manager.discard_generation(&name, generation).await.map_err(refused)?;
    shown(context, &name).await
}
