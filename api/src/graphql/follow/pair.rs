//! What two people are to each other at this moment: from their stream, which never lags.

use async_graphql::{Context, Error};
use domain::{
    follow::{PairState, id_of},
    values::UserId,
};

use crate::graphql::call::{execute_error, services};

/// The two of them; the default where they are the same person.
pub(in crate::graphql) async fn pair(context: &Context<'_>, one: UserId, other: UserId) -> Result<PairState, Error> {
    if one == other {
        return Ok(PairState::default());
    }
    let current = services(context).follows.current(id_of(one, other).uuid()).await.map_err(execute_error)?;
    Ok(*current.state)
}
