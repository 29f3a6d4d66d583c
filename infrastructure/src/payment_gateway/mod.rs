//! The payment gateway port: the provider that holds, takes and gives back money.
//!
//! What it is asked follows from a payment's events (`PaymentState::pending_calls`), and what it says becomes one
//! (`PaymentCommand::Record`). It is asked by a process of its own, never inside a decision and never on a rebuild. What
//! everything above relies on are the numbered promises of [`PaymentGateway`], each with a contract test in
//! tests/src/contracts/payment_gateway.rs.

mod asking;
mod error;
mod http;
mod notice;
mod sandbox;
pub mod webhook;

use async_trait::async_trait;
use domain::{
    payment::{PaymentCommand, ProviderCall, ProviderFact},
    values::PaymentId,
};
use uuid::Uuid;

pub use asking::AskProvider;
pub use error::GatewayError;
pub use http::{HttpGateway, HttpGatewayError, HttpGatewayOptions};
pub use notice::{NoticeError, ProviderNotice, ProviderNotices, RecordNotices};
pub use sandbox::{Account, Sandbox, SandboxOptions};

use crate::execute::{CommandMetadata, Request};

/// On whose behalf it is recorded what the provider says.
const ACTOR: &str = "payment-provider";

/// A provider that does what it is asked once per key.
///
/// Promises, each tested in `tests/src/contracts/payment_gateway.rs` against every adapter:
///
/// 1. A call takes effect at most once, however often it is asked, one after the other or at the same time.
/// 2. A call that was answered with a fact is answered with the same fact again.
/// 3. A fact answers the call: it is about the same part of the money, and of the kind that the call can end in.
/// 4. After a failure that is retryable the call may have taken effect or not; asked again, it tells.
/// 5. A call that is refused has no effect.
/// 6. What was answered with [`Answer::Later`] is told through [`ProviderNotices`] in the end. Asking again meanwhile does
///    no harm.
///
/// It returns in bounded time, and waits for nobody but the provider.
#[async_trait]
pub trait PaymentGateway: Send + Sync + std::fmt::Debug {
    /// Asks the provider to do this, under the call's key.
    async fn call(&self, call: &ProviderCall) -> Result<Answer, GatewayError>;
}

/// What the provider answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// This has happened.
    Fact(ProviderFact),
    /// It took the call and will tell by itself what became of it.
    Later,
}

/// By what the record of a fact is known again.
#[derive(Clone, Copy)]
struct Identity {
    command: Uuid,
    input_hash: Option<Uuid>,
    cause: Option<Uuid>,
}

/// The command that records what the provider says of a payment.
fn recorded(payment: PaymentId, fact: ProviderFact, identity: Identity) -> Request<PaymentCommand> {
    let Identity { command, input_hash, cause } = identity;
    let stream = payment.uuid();
    let metadata = CommandMetadata {
        command_id: command,
        actor: ACTOR.into(),
        correlation_id: stream,
        causation_id: cause,
        input_hash,
    };
    Request { stream, command: PaymentCommand::Record(fact), metadata, expected: None, is_fresh: false }
}
