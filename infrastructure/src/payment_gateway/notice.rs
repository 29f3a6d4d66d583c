//! What the provider tells by itself, and how it becomes an event.
//!
//! **Invariant:** a notice is taken once it is durable, and a notice that comes again changes nothing: its id is the
//! command's.

use async_trait::async_trait;
use domain::{
    payment::{Payment, PaymentCommand, PaymentRejection, ProviderFact},
    values::{Label, PaymentId},
};
use uuid::Uuid;

use super::{Identity, recorded};
use crate::execute::{ExecuteError, Executor, Request};

/// The root of the ids of commands that a notice is recorded with.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_8000_0000_7061_7901);

/// The provider says that something has happened, without having been asked just now.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderNotice {
    /// The provider's name for this notice: the same each time it is told.
    pub id: Label,
    /// The payment.
    pub payment: PaymentId,
    /// What has happened.
    pub fact: ProviderFact,
}

/// Takes what the provider tells by itself.
#[async_trait]
pub trait ProviderNotices: Send + Sync + std::fmt::Debug {
    /// Takes a notice. It is durable when this returns `Ok`; otherwise the error says whether to tell it again.
    async fn tell(&self, notice: ProviderNotice) -> Result<(), NoticeError>;
}

/// Why a notice is not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoticeError {
    /// Nobody asked for money with this id.
    #[error("there is no payment {0}")]
    UnknownPayment(PaymentId),
    /// It tells of the end before the beginning. Told again later, it is taken.
    #[error("what comes before it has not been told yet; tell it again")]
    NotYet,
    /// Its id was used for something else before.
    #[error("another notice has this id")]
    IdReused,
    /// It may be recorded or not. Told again, it is recorded once.
    #[error("the notice could not be recorded")]
    NotRecorded(#[source] Box<ExecuteError<PaymentRejection>>),
}

impl NoticeError {
    /// Whether telling it again may have another end.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NotYet | Self::NotRecorded(_) => true,
            Self::UnknownPayment(_) | Self::IdReused => false,
        }
    }
}

/// Records notices as commands to the payments they are about.
#[derive(Clone, Debug)]
pub struct RecordNotices {
    payments: Executor<Payment>,
}

impl RecordNotices {
    /// Records with this executor.
    pub const fn new(payments: Executor<Payment>) -> Self {
        Self { payments }
    }
}

#[async_trait]
impl ProviderNotices for RecordNotices {
    async fn tell(&self, notice: ProviderNotice) -> Result<(), NoticeError> {
        let payment = notice.payment;
        match self.payments.execute(request(notice)).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Rejected(PaymentRejection::NotFound)) => Err(NoticeError::UnknownPayment(payment)),
            Err(ExecuteError::Rejected(PaymentRejection::NotYet)) => Err(NoticeError::NotYet),
            Err(ExecuteError::CommandReused(_)) => Err(NoticeError::IdReused),
            Err(error) => Err(NoticeError::NotRecorded(Box::new(error))),
        }
    }
}

/// The command that records a notice; the same for the same notice.
fn request(notice: ProviderNotice) -> Request<PaymentCommand> {
    let ProviderNotice { id, payment, fact } = notice;
    let said = serde_json::to_vec(&fact).expect("a fact is plain data");
    let identity = Identity {
        command: Uuid::new_v5(&NAMESPACE, id.as_str().as_bytes()),
        input_hash: Some(Uuid::new_v5(&NAMESPACE, &said)),
        cause: None,
    };
    recorded(payment, fact, identity)
}

#[cfg(test)]
mod tests;
