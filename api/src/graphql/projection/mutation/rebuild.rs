//! Building next generations.

use async_graphql::{Context, Error, InputObject, Object, SimpleObject};
use domain::operator::OperatorAction;
use infrastructure::event_store::Position;

use super::{ProjectionUserError, write_down};
use crate::graphql::{
    PositionToken,
    call::{operator, services},
    projection::{
        error::{Trouble, settled},
        input,
        rebuild::{ProjectionRebuild, ProjectionRebuildEstimate},
    },
    user_error::path,
};

/// Projections to build anew.
#[derive(Debug, InputObject)]
struct ProjectionRebuildInput {
    /// Its name, as `projections` shows it.
    name: String,
    /// The names of others to build from the same scan of the log.
    together: Option<Vec<String>>,
    /// Fold only the rows anew that events from here on have changed; the others are copied. For models whose rows can be
    /// folded one by one.
    from_position: Option<PositionToken>,
    /// Do nothing, only say what it would take.
    #[graphql(default = false)]
    dry_run: bool,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
}

/// What came of `projectionRebuild`.
#[derive(Debug, Default, SimpleObject)]
struct ProjectionRebuildPayload {
    /// The rebuilds, which have just begun; watch them with `projectionProgress(name)`. Empty if there are user errors,
    /// and with `dryRun`.
    rebuilds: Vec<ProjectionRebuild>,
    /// What it would take; with `dryRun` only.
    estimates: Vec<ProjectionRebuildEstimate>,
    /// What was wrong; empty if the rebuilds have begun.
    user_errors: Vec<ProjectionUserError>,
}

#[derive(Debug, Default)]
pub(super) struct RebuildMutation;

#[Object]
impl RebuildMutation {
    /// Builds the next generation of a read model beside the serving one, verifies it, then switches. Answers as soon as
    /// it has begun. For operators.
    async fn projection_rebuild(
        &self,
        context: &Context<'_>,
        input: ProjectionRebuildInput,
    ) -> Result<ProjectionRebuildPayload, Error> {
        operator(context)?;
        let (payload, user_errors) = settled(rebuild(context, input).await)?;
        Ok(ProjectionRebuildPayload { user_errors, ..payload.unwrap_or_default() })
    }
}

async fn rebuild(context: &Context<'_>, order: ProjectionRebuildInput) -> Result<ProjectionRebuildPayload, Trouble> {
    let ProjectionRebuildInput { name, together, from_position, dry_run, reason } = order;
    let manager = &services(context).projections;
    let from = from_position.map(|from| from.0);
    let reason = input::reason(reason)?;
    let mut names: Vec<&str> = Vec::new();
    let others = together.iter().flatten().enumerate();
    let all = others.map(|(index, other)| (other.as_str(), path([&"together", &index])));
    for (name, field) in std::iter::once((name.as_str(), path([&"name"]))).chain(all) {
        manager.can_rebuild(&[name], from).await.map_err(|error| Trouble::of(error, field))?;
        // Who names one twice wants it once.
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let refused = |error| Trouble::of(error, path([&"name"]));
    let mut payload = ProjectionRebuildPayload::default();
    if dry_run {
        for name in names {
            let estimate = manager.estimate(name, from).await.map_err(refused)?;
            payload.estimates.push(ProjectionRebuildEstimate::new(name, &estimate));
        }
        return Ok(payload);
    }
    for name in &names {
        let action = OperatorAction::Rebuild { from: from.map(Position::value) };
        write_down(context, (name, "name"), action, reason.clone()).await?;
    }
    let begun = manager.rebuild_together(&names, from).await.map_err(refused)?;
    let begun = names.iter().zip(&begun);
    payload.rebuilds =
        begun.filter_map(|(name, progress)| Some(ProjectionRebuild::new(name, progress.borrow().as_ref()?))).collect();
    Ok(payload)
}
