//! What follows when a command of the process is refused.

use super::{FulfilmentState, Instruction};
use crate::{
    Command, Rejection,
    order::{CancelReason, OrderCommand, OrderRejection, Party},
    payment::{PaymentCommand, PaymentRejection},
    stock::StockRejection,
};

/// What follows when a command is refused.
#[derive(Clone, Debug)]
pub enum AfterRefusal {
    /// Something else is to be done.
    Instead(Instruction),
    /// Things have changed; what changed them is on its way here.
    Wait,
    /// It cannot go on by itself: somebody has to look at it.
    Stuck,
}

pub(super) fn after(state: &FulfilmentState, refused: &Instruction, rejection: &Rejection) -> AfterRefusal {
    match (rejection, &refused.command) {
        (Rejection::Order(rejection), _) => order(rejection),
        (Rejection::Stock(StockRejection::Insufficient { .. }), _) => give_up(state, refused),
        (Rejection::Payment(rejection), Command::Payment(_, command)) => payment(rejection, command),
        (
            Rejection::Stock(_)
            | Rejection::Payment(_)
            | Rejection::Product(_)
            | Rejection::Profile(_)
            | Rejection::Handle(_)
            | Rejection::Follow(_)
            | Rejection::Post(_)
            | Rejection::Reaction(_)
            | Rejection::Inbox(_)
            | Rejection::Operator(_),
            _,
        ) => AfterRefusal::Stuck,
    }
}

/// Another order was faster.
fn give_up(state: &FulfilmentState, refused: &Instruction) -> AfterRefusal {
    match state.order.placed() {
        Some(placed) => {
            let command = OrderCommand::Cancel { by: Party::Process, reason: CancelReason::InsufficientStock };
            AfterRefusal::Instead(Instruction::to_order(placed.order, &format!("give-up/{}", refused.id), command))
        }
        None => AfterRefusal::Wait,
    }
}

fn order(rejection: &OrderRejection) -> AfterRefusal {
    match rejection {
        // Somebody else was faster: a customer, an operator, the provider.
        OrderRejection::Cancelled
        | OrderRejection::AlreadyConfirmed
        | OrderRejection::AlreadyShipped
        | OrderRejection::AlreadyDelivered
        | OrderRejection::OtherPayment
        | OrderRejection::NotConfirmed => AfterRefusal::Wait,
        OrderRejection::NoLines
        | OrderRejection::TooManyLines(_)
        | OrderRejection::Lines(_)
        | OrderRejection::TotalTooLarge
        | OrderRejection::AlreadyPlaced
        | OrderRejection::NotFound
        | OrderRejection::NotShipped
        | OrderRejection::Parts(_)
        | OrderRejection::OnAccount
        | OrderRejection::PaymentUnderWay
        | OrderRejection::TooManyAttempts
        | OrderRejection::NoSuchReturn
        | OrderRejection::ReturnAlreadyReceived
        | OrderRejection::NoAmount
        | OrderRejection::OtherCurrency { .. }
        | OrderRejection::OverPaid { .. }
        | OrderRejection::KeyReused => AfterRefusal::Stuck,
    }
}

fn payment(rejection: &PaymentRejection, command: &PaymentCommand) -> AfterRefusal {
    match rejection {
        PaymentRejection::AlreadyRequested
        | PaymentRejection::NotAuthorised
        | PaymentRejection::CaptureUnderWay
        | PaymentRejection::NotYet => AfterRefusal::Wait,
        // The hold is over; that it is will be seen in the log.
        PaymentRejection::NotHeld if matches!(command, PaymentCommand::Capture { .. }) => AfterRefusal::Wait,
        PaymentRejection::NotFound
        | PaymentRejection::NoAmount
        | PaymentRejection::OtherCurrency { .. }
        | PaymentRejection::NotHeld
        | PaymentRejection::OverAuthorised { .. }
        | PaymentRejection::OverCaptured { .. }
        | PaymentRejection::KeyReused { .. } => AfterRefusal::Stuck,
    }
}
