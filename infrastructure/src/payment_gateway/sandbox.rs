//! A payment provider in memory, for development, demonstrations and tests. No money moves.
//!
//! It is deterministic: the token decides what happens, to this payment's calls alone. After a restart it has forgotten
//! everything and answers all the same: a payment's reference carries what its token asked for.
//!
//! | Token | What happens |
//! |---|---|
//! | `tok_visa`, and any other | everything succeeds |
//! | `tok_declined` | declined: insufficient funds |
//! | `tok_fraud` | declined: suspected fraud |
//! | `tok_expired_card` | declined: the card has expired |
//! | `tok_timeout` | each call times out once although it takes effect; asked again, it is answered |
//! | `tok_late` | each call is answered with "later" and told by a notice after a while |
//! | `tok_twice` | each call is answered, and told by a notice as well |
//! | `tok_unreachable` | each call fails some times without effect, then it is answered |
//! | `tok_capture_fails` | it is held; no capture succeeds |
//! | `tok_refund_fails` | it is held and captured; no refund succeeds |

mod ledger;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    payment::{ProviderCall, ProviderFact},
    values::{Label, PaymentId},
};

pub use self::ledger::Account;
use self::ledger::{Ledger, Verdict};
use super::{Answer, GatewayError, PaymentGateway, ProviderNotice, ProviderNotices};
use crate::lifecycle::Lifecycle;

/// How often a notice is told to somebody who does not take it.
const TELL_TRIES_MAX: u32 = 20;

/// How the sandbox behaves where no token says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxOptions {
    /// How long every answer takes.
    pub answer_after: Duration,
    /// How long after the call a notice is told, and how long after that once more to somebody who did not take it.
    pub tell_after: Duration,
    /// How often a call with `tok_unreachable` fails.
    pub unreachable_times: u32,
    /// How many calls are remembered; the oldest payments are forgotten first.
    pub calls_max: usize,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            answer_after: Duration::ZERO,
            tell_after: Duration::from_secs(2),
            unreachable_times: 3,
            calls_max: 50_000,
        }
    }
}

/// The provider in memory.
pub struct Sandbox {
    options: SandboxOptions,
    ledger: Arc<Mutex<Ledger>>,
    notices: Arc<dyn ProviderNotices>,
    lifecycle: Lifecycle,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A provider that has seen nothing, and tells `notices` in tasks of `lifecycle`.
    pub fn new(options: SandboxOptions, notices: Arc<dyn ProviderNotices>, lifecycle: Lifecycle) -> Self {
        let ledger = Ledger::new(options.calls_max, options.unreachable_times);
        Self { options, ledger: Arc::new(Mutex::new(ledger)), notices, lifecycle }
    }

    /// What it holds, took and gave back for a payment, if it remembers it.
    pub fn account(&self, payment: PaymentId) -> Option<Account> {
        locked(&self.ledger).account(payment)
    }

    /// Tells a fact after a while, in a task of its own.
    fn tell(&self, call: &ProviderCall, fact: ProviderFact) {
        let key = call.key();
        let id = Label::parse(&format!("sandbox-{key}")).expect("an id is one line of text");
        let payment = call.payment();
        let notice = ProviderNotice { id, payment, fact };
        let (ledger, notices, lifecycle) =
            (Arc::clone(&self.ledger), Arc::clone(&self.notices), self.lifecycle.clone());
        let pause = self.options.tell_after;
        self.lifecycle.spawn(async move {
            // A notice that a stop cuts off is told after the next call: a call without an answer is asked again.
            let is_told = tokio::select! {
                () = lifecycle.stopping() => false,
                is_told = tell_until_taken(&*notices, notice, pause) => is_told,
            };
            locked(&ledger).told(payment, key, is_told);
        });
    }
}

#[async_trait]
impl PaymentGateway for Sandbox {
    async fn call(&self, call: &ProviderCall) -> Result<Answer, GatewayError> {
        if !self.options.answer_after.is_zero() {
            tokio::time::sleep(self.options.answer_after).await;
        }
        let verdict = locked(&self.ledger).verdict(call);
        match verdict {
            Verdict::Answered(fact) => Ok(Answer::Fact(fact)),
            Verdict::ToBeTold(fact) => {
                self.tell(call, fact);
                Ok(Answer::Later)
            }
            Verdict::AnsweredAndTold(fact) => {
                self.tell(call, fact.clone());
                Ok(Answer::Fact(fact))
            }
            Verdict::BeingTold => Ok(Answer::Later),
            Verdict::TimedOut => Err(GatewayError::Timeout { after: self.options.answer_after }),
            Verdict::Unreachable => {
                Err(GatewayError::Unavailable { reason: "the sandbox was asked to be unreachable".to_owned() })
            }
            Verdict::KeyReused => {
                let reason = format!("key {} was used for another call", call.key());
                Err(GatewayError::Refused { reason })
            }
        }
    }
}

/// Tells a notice until it is taken, or not taken for good. False if it was given up.
async fn tell_until_taken(notices: &dyn ProviderNotices, notice: ProviderNotice, pause: Duration) -> bool {
    for _ in 0..TELL_TRIES_MAX {
        tokio::time::sleep(pause).await;
        match notices.tell(notice.clone()).await {
            Ok(()) => return true,
            Err(error) if error.is_retryable() => {}
            Err(error) => {
                tracing::warn!(payment.id = %notice.payment, "a notice of the sandbox is not taken: {error}");
                return true;
            }
        }
    }
    false
}

fn locked(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    // Whoever panicked with it in hand changed one entry at most, and no money is in it.
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
