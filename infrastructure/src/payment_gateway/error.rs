//! How a payment provider fails to answer.

use std::time::Duration;

/// Why a call has no answer. A card that is declined is an answer, not an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// It cannot be reached, or failed on its side. The call may have taken effect.
    #[error("the payment provider is unavailable: {reason}")]
    Unavailable {
        /// What an operator is to know.
        reason: String,
    },
    /// It did not answer in time. The call may have taken effect.
    #[error("the payment provider did not answer within {} ms", after.as_millis())]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// It asks for a pause. The call had no effect.
    #[error("the payment provider is asked too often; it asks for a pause of {} ms", retry_after.as_millis())]
    Throttled {
        /// How long it wants to be left alone.
        retry_after: Duration,
    },
    /// It failed so often, or asked for such a pause, that it is left alone for a while. It was not asked.
    #[error("the payment provider is left alone and asked again in {} ms", retry_after.as_millis())]
    Resting {
        /// When it is asked again.
        retry_after: Duration,
    },
    /// What it said is no answer. The call may have taken effect.
    #[error("the payment provider's answer is not understood: {reason}")]
    Garbled {
        /// What is wrong with it.
        reason: String,
    },
    /// It refuses the call for good, without effect: a defect of ours, or of the settings. Another try gives the same.
    #[error("the payment provider refuses the call: {reason}")]
    Refused {
        /// What an operator is to know.
        reason: String,
    },
}

impl GatewayError {
    /// Whether another try may have another end.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Timeout { .. }
            | Self::Throttled { .. }
            | Self::Resting { .. }
            | Self::Garbled { .. } => true,
            Self::Refused { .. } => false,
        }
    }

    /// How long to wait before another try at least, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Resting { retry_after } => Some(*retry_after),
            Self::Unavailable { .. } | Self::Timeout { .. } | Self::Garbled { .. } | Self::Refused { .. } => None,
        }
    }

    /// A short name for metrics.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Timeout { .. } => "timeout",
            Self::Throttled { .. } => "throttled",
            Self::Resting { .. } => "resting",
            Self::Garbled { .. } => "garbled",
            Self::Refused { .. } => "refused",
        }
    }
}
