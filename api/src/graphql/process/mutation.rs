//! One more try for what is stuck.

use async_graphql::{Context, Enum, Error, ID, InputObject, Object, SimpleObject};
use domain::{
    operator::OperatorAction,
    values::{Label, OrderId},
};
use uuid::Uuid;

use super::{query::unseen, types::ProcessObject};
use crate::{
    graphql::{
        call::{CommandIdentity, operator, services},
        node::local,
        operator::{record_once, recorded_before},
        read::read_store_error,
        user_error::{Done, path, payloads},
    },
    processes::Seen,
};

/// Steps to try again.
#[derive(Debug, InputObject)]
struct ProcessRetryInput {
    /// The process's name, as `processes` shows it.
    name: String,
    /// Whose steps: the key as `troubles` shows it; of an order its global id, too.
    key: ID,
    /// Why; 1 to 200 characters.
    reason: Option<String>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// What can be wrong with an order to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum ProcessErrorCode {
    /// There is no process of this name.
    UnknownProcess,
    /// The key is neither a UUID nor the id of an order.
    InvalidKey,
    /// No step of this key is in trouble, and it waits for no event.
    NotInTrouble,
    /// The reason is empty, too long or holds control characters.
    InvalidReason,
    /// The operators' log refuses it.
    Refused,
}

/// Something wrong with an order to a process.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
struct ProcessUserError {
    /// What, for programs.
    code: ProcessErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
}

payloads! {
    process: ProcessObject, error: ProcessUserError;
    /// What came of `processRetry`. The process tries the steps as soon as it reads of it: `troubles` shows what is left.
    ProcessRetryPayload
}

/// `processRetry`.
#[derive(Debug, Default)]
pub(crate) struct ProcessMutation;

#[Object]
impl ProcessMutation {
    /// Tries the steps of this key that do not work again, as soon as the process reads of it; and one that waits for an event
    /// that could not be read is folded anew. For operators.
    async fn process_retry(
        &self,
        context: &Context<'_>,
        input: ProcessRetryInput,
    ) -> Result<ProcessRetryPayload, Error> {
        operator(context)?;
        Ok(retry(context, input).await?.into())
    }
}

async fn retry(
    context: &Context<'_>,
    input: ProcessRetryInput,
) -> Result<Result<Done<ProcessObject>, Vec<ProcessUserError>>, Error> {
    let identity = CommandIdentity::of(context, "processRetry", input.idempotency_key.as_deref(), &input)?;
    let ProcessRetryInput { name, key: text, reason, idempotency_key: _ } = input;
    let oversight = &services(context).oversight;
    let wrong =
        |code, message: String, field: &str| Ok(Err(vec![ProcessUserError { code, message, field: path([&field]) }]));
    let Some(seen) = oversight.one(&name).await.map_err(unseen)? else {
        let message = format!("there is no such process; there are: {}", oversight.names().join(", "));
        return wrong(ProcessErrorCode::UnknownProcess, message, "name");
    };
    let key = Uuid::parse_str(text.as_str()).ok().or_else(|| local(&text).map(OrderId::uuid));
    let Some(key) = key else {
        let message = format!("{:?} is neither a UUID nor the id of an order", text.as_str());
        return wrong(ProcessErrorCode::InvalidKey, message, "key");
    };
    if let Some(Err(error)) = reason.as_deref().map(Label::parse) {
        return wrong(ProcessErrorCode::InvalidReason, error.to_string(), "reason");
    }
    let action = OperatorAction::RetrySteps { key };
    // Whoever repeats it because the answer was lost may find that nothing is in trouble any more.
    let before = recorded_before(context, identity.clone(), &name, action.clone(), reason.clone()).await?;
    if let Some(executed) = before {
        return Ok(Ok(Done::new(Some(seen.into()), &executed)));
    }
    if !may_be_in_trouble(&seen, key) && !oversight.is_parked(&name, key).await.map_err(read_store_error)? {
        let message = format!("no step of {key} is in trouble, nor does it wait; `processes` shows those that do");
        return wrong(ProcessErrorCode::NotInTrouble, message, "key");
    }
    match record_once(context, identity, &name, action, reason).await? {
        Ok(executed) => Ok(Ok(Done::new(Some(seen.into()), &executed))),
        Err(rejection) => wrong(ProcessErrorCode::Refused, rejection.to_string(), "name"),
    }
}

/// Whether a step of this key is in trouble, or could be: not all of many are listed.
fn may_be_in_trouble(seen: &Seen, key: Uuid) -> bool {
    let troubles = &seen.status.troubles;
    troubles.iter().any(|trouble| trouble.key == key) || troubles.len() < seen.status.in_trouble
}
