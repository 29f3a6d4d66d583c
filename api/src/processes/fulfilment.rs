//! Carries out the commands of the fulfilment process.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{
    Command, Decider, Rejection,
    fulfilment::{AfterRefusal, Fulfilment, FulfilmentState, Instruction},
    order::Order,
    payment::Payment,
    stock::Stock,
};
use infrastructure::{
    execute::{CommandMetadata, ExecuteError, Executor, Request},
    process::{Perform, Performed, Todo},
    telemetry::with_causes,
};
use uuid::Uuid;

/// On whose behalf the process acts.
const ACTOR: &str = "fulfilment";

/// Sends the process's commands to the aggregates they are for.
#[derive(Clone, Debug)]
pub struct CarryOut {
    /// For orders.
    pub orders: Executor<Order>,
    /// For stocks.
    pub stocks: Executor<Stock>,
    /// For payments.
    pub payments: Executor<Payment>,
}

/// Why a command had no effect.
enum NotDone {
    Refused(Rejection),
    Failed(String),
}

impl CarryOut {
    async fn command(&self, instruction: &Instruction, cause: Option<Uuid>) -> Result<(), NotDone> {
        let metadata = CommandMetadata {
            command_id: instruction.id,
            actor: ACTOR.into(),
            correlation_id: instruction.order.uuid(),
            causation_id: cause,
            input_hash: None,
        };
        match instruction.command.clone() {
            Command::Order(id, command) => execute(&self.orders, id.uuid(), command, metadata, Rejection::Order).await,
            Command::Stock(id, command) => execute(&self.stocks, id.uuid(), command, metadata, Rejection::Stock).await,
            Command::Payment(id, command) => {
                execute(&self.payments, id.uuid(), command, metadata, Rejection::Payment).await
            }
            Command::Product(..)
            | Command::Profile(..)
            | Command::Handle(..)
            | Command::Follow(..)
            | Command::Post(..)
            | Command::Reaction(..)
            | Command::Inbox(..)
            | Command::Operator(_) => {
                Err(NotDone::Failed("the fulfilment commands orders, stocks and payments only".to_owned()))
            }
        }
    }

    async fn instead(
        &self,
        state: &FulfilmentState,
        refused: &Instruction,
        rejection: &Rejection,
        cause: Option<Uuid>,
    ) -> Performed {
        match Fulfilment::refused(state, refused, rejection) {
            AfterRefusal::Wait => Performed::Wait,
            AfterRefusal::Stuck => Performed::Stuck(format!("{} is refused: {rejection}", name(&refused.command))),
            AfterRefusal::Instead(other) => match self.command(&other, cause).await {
                Ok(()) => Performed::Done,
                // Whoever was faster with the other thing is seen in the log.
                Err(NotDone::Refused(_)) => Performed::Wait,
                Err(NotDone::Failed(error)) => Performed::Failed(error),
            },
        }
    }
}

#[async_trait]
impl Perform<Fulfilment> for CarryOut {
    async fn perform(&self, todo: &Todo<Fulfilment>) -> Performed {
        match self.command(&todo.step, todo.cause).await {
            Ok(()) => Performed::Done,
            Err(NotDone::Failed(error)) => Performed::Failed(error),
            Err(NotDone::Refused(rejection)) => self.instead(&todo.state, &todo.step, &rejection, todo.cause).await,
        }
    }
}

async fn execute<D: Decider>(
    executor: &Executor<D>,
    stream: Uuid,
    command: D::Command,
    metadata: CommandMetadata,
    rejection: impl Fn(D::Rejection) -> Rejection,
) -> Result<(), NotDone> {
    let request = Request { stream, command, metadata, expected: None, is_fresh: false };
    match executor.execute(request).await {
        Ok(_) => Ok(()),
        Err(ExecuteError::Rejected(reason)) => Err(NotDone::Refused(rejection(reason))),
        Err(error) => Err(NotDone::Failed(with_causes(&error))),
    }
}

const fn name(command: &Command) -> &'static str {
    match command {
        Command::Product(..) => "a command to a product",
        Command::Order(..) => "a command to the order",
        Command::Stock(..) => "a command to a stock",
        Command::Payment(..) => "a command to a payment",
        Command::Profile(..) => "a command to a profile",
        Command::Handle(..) => "a command to a handle",
        Command::Follow(..) => "a command between two people",
        Command::Post(..) => "a command to a post",
        Command::Reaction(..) => "a command to a reaction",
        Command::Inbox(..) => "a command to an inbox",
        Command::Operator(_) => "a command to the operators' log",
    }
}
