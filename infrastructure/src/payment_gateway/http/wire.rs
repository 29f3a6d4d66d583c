//! The JSON that is exchanged with a provider: docs/operations/payments.md describes it.
//!
//! What it asks and answers is ours to say; what it tells in words is its own, and is cut to what fits.

use domain::{
    payment::{DeclineReason, ProviderCall, ProviderFact},
    values::{CaptureId, LABEL_CHARS_MAX, Label, Money, OrderId, PaymentId, PaymentToken, RefundId},
};
use serde::{Deserialize, Serialize};

use crate::payment_gateway::{Answer, ProviderNotice};

/// What is asked, without its key, which stands in a header.
#[derive(Serialize)]
#[serde(untagged)]
enum Asked<'a> {
    Authorise { payment: PaymentId, order: OrderId, amount: Money, token: &'a PaymentToken },
    Capture { payment: PaymentId, reference: &'a Label, capture: CaptureId, amount: Money },
    Void { payment: PaymentId, reference: &'a Label },
    Refund { payment: PaymentId, reference: &'a Label, refund: RefundId, amount: Money },
}

/// What a provider says has happened, as an answer or by itself. A call's own part need not be named in its answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Said {
    Pending,
    Authorised { reference: Label, amount: Money },
    Declined { reason: String },
    Captured { capture: Option<CaptureId>, amount: Money },
    CaptureFailed { capture: Option<CaptureId>, reason: String },
    Voided,
    Refunded { refund: Option<RefundId>, amount: Money },
    RefundFailed { refund: Option<RefundId>, reason: String },
    Expired,
}

#[derive(Deserialize)]
struct Noticed {
    id: Label,
    payment: PaymentId,
    #[serde(flatten)]
    said: Said,
}

/// The body that asks for this.
pub(super) fn asked(call: &ProviderCall) -> Vec<u8> {
    let asked = match call {
        ProviderCall::Authorise { payment, order, amount, token } => {
            Asked::Authorise { payment: *payment, order: *order, amount: *amount, token }
        }
        ProviderCall::Capture { payment, reference, capture, amount } => {
            Asked::Capture { payment: *payment, reference, capture: *capture, amount: *amount }
        }
        ProviderCall::Void { payment, reference } => Asked::Void { payment: *payment, reference },
        ProviderCall::Refund { payment, reference, refund, amount } => {
            Asked::Refund { payment: *payment, reference, refund: *refund, amount: *amount }
        }
    };
    serde_json::to_vec(&asked).expect("ids, amounts and texts are JSON")
}

/// What the provider answers to a call. An error says why that is no answer.
pub(super) fn answered(call: &ProviderCall, body: &[u8]) -> Result<Answer, String> {
    // The text of serde's error could quote what the provider quotes: where it is wrong is enough.
    let place = |error: serde_json::Error| format!("it is not the JSON that was agreed on, at byte {}", error.column());
    let said: Said = serde_json::from_slice(body).map_err(place)?;
    let fact = match (call, said) {
        (_, Said::Pending) => return Ok(Answer::Later),
        (ProviderCall::Authorise { .. }, Said::Authorised { reference, amount }) => {
            ProviderFact::Authorised { reference, amount }
        }
        (ProviderCall::Authorise { .. }, Said::Declined { reason }) => {
            ProviderFact::Declined { reason: decline_reason(&reason) }
        }
        (ProviderCall::Capture { capture, .. }, Said::Captured { capture: said, amount }) if is_it(said, capture) => {
            ProviderFact::Captured { capture: *capture, amount }
        }
        (ProviderCall::Capture { capture, .. }, Said::CaptureFailed { capture: said, reason })
            if is_it(said, capture) =>
        {
            ProviderFact::CaptureFailed { capture: *capture, reason: words(&reason) }
        }
        (ProviderCall::Void { .. }, Said::Voided) => ProviderFact::Voided,
        (ProviderCall::Void { .. }, Said::Expired) => ProviderFact::Expired,
        (ProviderCall::Refund { refund, .. }, Said::Refunded { refund: said, amount }) if is_it(said, refund) => {
            ProviderFact::Refunded { refund: *refund, amount }
        }
        (ProviderCall::Refund { refund, .. }, Said::RefundFailed { refund: said, reason }) if is_it(said, refund) => {
            ProviderFact::RefundFailed { refund: *refund, reason: words(&reason) }
        }
        (
            ProviderCall::Authorise { .. }
            | ProviderCall::Capture { .. }
            | ProviderCall::Void { .. }
            | ProviderCall::Refund { .. },
            Said::Authorised { .. }
            | Said::Declined { .. }
            | Said::Captured { .. }
            | Said::CaptureFailed { .. }
            | Said::Voided
            | Said::Refunded { .. }
            | Said::RefundFailed { .. }
            | Said::Expired,
        ) => return Err(format!("it answers another question than {}", call.name())),
    };
    Ok(Answer::Fact(fact))
}

/// What the provider tells by itself. An error says what is wrong with it.
pub(in crate::payment_gateway) fn noticed(body: &[u8]) -> Result<ProviderNotice, String> {
    let Noticed { id, payment, said } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let nameless = |part: &str| format!("it does not say which {part} it is about");
    let fact = match said {
        Said::Pending => return Err("nothing has happened yet".to_owned()),
        Said::Authorised { reference, amount } => ProviderFact::Authorised { reference, amount },
        Said::Declined { reason } => ProviderFact::Declined { reason: decline_reason(&reason) },
        Said::Captured { capture, amount } => {
            ProviderFact::Captured { capture: capture.ok_or_else(|| nameless("capture"))?, amount }
        }
        Said::CaptureFailed { capture, reason } => {
            let capture = capture.ok_or_else(|| nameless("capture"))?;
            ProviderFact::CaptureFailed { capture, reason: words(&reason) }
        }
        Said::Voided => ProviderFact::Voided,
        Said::Refunded { refund, amount } => {
            ProviderFact::Refunded { refund: refund.ok_or_else(|| nameless("refund"))?, amount }
        }
        Said::RefundFailed { refund, reason } => {
            let refund = refund.ok_or_else(|| nameless("refund"))?;
            ProviderFact::RefundFailed { refund, reason: words(&reason) }
        }
        Said::Expired => ProviderFact::Expired,
    };
    Ok(ProviderNotice { id, payment, fact })
}

/// Whether the part that the provider names, if it does, is the one that it was asked about.
fn is_it<I: PartialEq>(said: Option<I>, asked: &I) -> bool {
    said.is_none_or(|said| said == *asked)
}

/// Issuers have hundreds of reasons; one that is not known here is a plain no.
fn decline_reason(text: &str) -> DeclineReason {
    match text {
        "insufficient_funds" => DeclineReason::InsufficientFunds,
        "card_expired" => DeclineReason::CardExpired,
        "suspected_fraud" => DeclineReason::SuspectedFraud,
        "unknown_token" => DeclineReason::UnknownToken,
        "provider_failed" => DeclineReason::ProviderFailed,
        _ => DeclineReason::Refused,
    }
}

/// The provider's words, as far as they are one line of text.
fn words(text: &str) -> Label {
    let line: String = text.chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect();
    Label::parse(&line).unwrap_or_else(|_| Label::parse("no reason given").expect("it is one line of text"))
}

#[cfg(test)]
mod tests;
