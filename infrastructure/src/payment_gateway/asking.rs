//! Asks the provider what a payment's events ask for, and records what it answers.

use std::sync::Arc;

use async_trait::async_trait;
use domain::payment::{Asking, Payment, PaymentCommand, PaymentRejection, ProviderCall, ProviderFact};
use uuid::Uuid;

use super::{Answer, Identity, PaymentGateway, recorded};
use crate::{
    execute::{ExecuteError, Executor, Request},
    process::{Perform, Performed, Todo},
    telemetry::with_causes,
};

/// Carries out the steps of [`Asking`].
#[derive(Clone, Debug)]
pub struct AskProvider {
    gateway: Arc<dyn PaymentGateway>,
    payments: Executor<Payment>,
}

impl AskProvider {
    /// Asks this provider, and records with this executor.
    pub fn new(gateway: Arc<dyn PaymentGateway>, payments: Executor<Payment>) -> Self {
        Self { gateway, payments }
    }

    async fn record(&self, call: &ProviderCall, fact: ProviderFact, cause: Option<Uuid>) -> Performed {
        match self.payments.execute(request(call, fact, cause)).await {
            Ok(_) => Performed::Done,
            Err(ExecuteError::Rejected(PaymentRejection::NotYet)) => Performed::Wait,
            Err(ExecuteError::Rejected(rejection)) => Performed::Stuck(rejection.to_string()),
            Err(error) => Performed::Failed(format!("the answer could not be recorded: {}", with_causes(&error))),
        }
    }
}

#[async_trait]
impl Perform<Asking> for AskProvider {
    async fn perform(&self, todo: &Todo<Asking>) -> Performed {
        match self.gateway.call(&todo.step).await {
            Ok(Answer::Fact(fact)) => self.record(&todo.step, fact, todo.cause).await,
            Ok(Answer::Later) => Performed::Later,
            Err(error) if error.is_retryable() => Performed::Failed(error.to_string()),
            Err(error) => Performed::Stuck(error.to_string()),
        }
    }
}

/// The command that records an answer: the same for the same answer to the same call.
fn request(call: &ProviderCall, fact: ProviderFact, cause: Option<Uuid>) -> Request<PaymentCommand> {
    let said = serde_json::to_vec(&fact).expect("a fact is plain data");
    let command = Uuid::new_v5(&call.key(), &said);
    recorded(call.payment(), fact, Identity { command, input_hash: None, cause })
}
