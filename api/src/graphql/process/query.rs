//! Questions about processes.

use async_graphql::{Context, Error, Object};

use super::types::ProcessObject;
use crate::{
    graphql::{
        call::{operator, services},
        read::{event_store_error, read_store_error},
    },
    processes::OversightError,
};

/// `processes` and `process`.
#[derive(Debug, Default)]
pub(crate) struct ProcessQuery;

#[Object]
impl ProcessQuery {
    /// Every process of the shop: how far it is, what it is at, and what does not move, and why. For operators.
    async fn processes(&self, context: &Context<'_>) -> Result<Vec<ProcessObject>, Error> {
        operator(context)?;
        let all = services(context).oversight.all().await.map_err(unseen)?;
        Ok(all.into_iter().map(ProcessObject::from).collect())
    }

    /// One process; null if there is none of this name. For operators.
    async fn process(&self, context: &Context<'_>, name: String) -> Result<Option<ProcessObject>, Error> {
        operator(context)?;
        let one = services(context).oversight.one(&name).await.map_err(unseen)?;
        Ok(one.map(ProcessObject::from))
    }
}

/// What a client is told when it is not known how a process is.
pub(super) fn unseen(error: OversightError) -> Error {
    match error {
        OversightError::Events(error) => event_store_error(error),
        OversightError::Rows(error) => read_store_error(error),
    }
}
