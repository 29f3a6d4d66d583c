//! An operator's orders to projections.

use async_graphql::{Context, Enum, Error, InputObject, Object, SimpleObject};
use projections::ManagerError;

use super::types::ProjectionRebuild;
use crate::graphql::{
    call::{operator, services},
    read::internal,
    user_error::path,
};

/// A projection to build anew.
#[derive(Debug, InputObject)]
struct ProjectionRebuildInput {
    /// Its name, as `projections` shows it.
    name: String,
}

/// What can be wrong with an order to a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum ProjectionErrorCode {
    /// There is no projection of this name.
    UnknownProjection,
    /// It is being rebuilt already.
    AlreadyRebuilding,
}

/// Something wrong with an order to a projection.
#[derive(Debug, SimpleObject)]
struct ProjectionUserError {
    /// What, for programs.
    code: ProjectionErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
}

/// What came of `projectionRebuild`.
#[derive(Debug, SimpleObject)]
struct ProjectionRebuildPayload {
    /// The rebuild, which has just begun; watch it with `projection(name)`.
    rebuild: Option<ProjectionRebuild>,
    /// What was wrong; empty if the rebuild has begun.
    user_errors: Vec<ProjectionUserError>,
}

/// `projectionRebuild`.
#[derive(Debug, Default)]
pub(crate) struct ProjectionMutation;

#[Object]
impl ProjectionMutation {
    /// Builds the next generation of a read model beside the serving one, then switches. Answers as soon as it has begun.
    /// For operators.
    async fn projection_rebuild(
        &self,
        context: &Context<'_>,
        input: ProjectionRebuildInput,
    ) -> Result<ProjectionRebuildPayload, Error> {
        operator(context)?;
        let refused = |code, error: &ManagerError| ProjectionRebuildPayload {
            rebuild: None,
            user_errors: vec![ProjectionUserError { code, message: error.to_string(), field: path([&"name"]) }],
        };
        match services(context).projections.rebuild(&input.name).await {
            Ok(progress) => {
                let rebuild = progress.borrow().as_ref().map(ProjectionRebuild::new);
                Ok(ProjectionRebuildPayload { rebuild, user_errors: vec![] })
            }
            Err(error @ ManagerError::Unknown { .. }) => Ok(refused(ProjectionErrorCode::UnknownProjection, &error)),
            Err(error @ ManagerError::AlreadyRebuilding(_)) => {
                Ok(refused(ProjectionErrorCode::AlreadyRebuilding, &error))
            }
            Err(error @ (ManagerError::AheadOfLog { .. } | ManagerError::Rows(_) | ManagerError::Events(_))) => {
                Err(internal(error))
            }
        }
    }
}
