//! A payment provider over HTTP: one POST for each call, with an idempotency key.
//!
//! The key makes every call safe to repeat, so it is repeated: a few times here, and as long as it takes by whoever asks.
//! Many calls run at once, but no more than the provider is to bear; one that fails again and again is left alone for a
//! while. **Invariant:** the secret goes to the configured address and nowhere else: no redirection is followed, and
//! nothing but HTTPS is spoken except to this machine.

mod breaker;
mod options;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::payment::ProviderCall;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{HeaderMap, Response, StatusCode, body::Incoming, header};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use uuid::Uuid;

pub use self::options::{HttpGatewayError, HttpGatewayOptions};
pub(super) use self::wire::noticed;
use self::{
    breaker::{Breaker, Change, Limits},
    options::Target,
};
use super::{Answer, GatewayError, PaymentGateway};
use crate::{
    outbound::HttpClient,
    telemetry::{PAYMENT_CALL_SECONDS, with_causes},
};

/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The pause before the second try; it doubles with each further one.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two tries. Whoever wants a longer one is left to the caller.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);
/// The pause that is kept where a provider asks for one without saying how long.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that a provider is granted.
const THROTTLE_PAUSE_MAX: Duration = Duration::from_secs(3600);

/// The provider's way to know a call again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A provider at some address.
pub struct HttpGateway {
    client: HttpClient,
    target: Target,
    timeout: Duration,
    tries_max: u32,
    ways: Semaphore,
    breaker: Breaker,
}

impl fmt::Debug for HttpGateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpGateway").field("target", &self.target).finish_non_exhaustive()
    }
}

impl HttpGateway {
    /// A provider as the options name it. Nothing is sent yet.
    pub fn try_new(options: &HttpGatewayOptions) -> Result<Self, HttpGatewayError> {
        let target = Target::try_new(options)?;
        let client =
            HttpClient::for_url(&options.url).map_err(|error| HttpGatewayError::Certificates(Arc::new(error)))?;
        let limits = Limits { failures: options.breaker_failures.get(), rest: options.breaker_rest };
        Ok(Self {
            client,
            target,
            timeout: options.timeout,
            tries_max: options.tries.get(),
            ways: Semaphore::new(options.concurrency.get()),
            breaker: Breaker::new(limits),
        })
    }

    /// Asks once, if there is a way and the provider is not left alone just now.
    async fn ask(&self, call: &ProviderCall) -> Result<Answer, GatewayError> {
        let _way = self.way().await?;
        let pass = self.breaker.pass().map_err(|retry_after| GatewayError::Resting { retry_after })?;
        let started = Instant::now();
        let answer = timeout(self.timeout, self.post(call)).await;
        let result = answer.unwrap_or(Err(GatewayError::Timeout { after: self.timeout }));
        let outcome = result.as_ref().map_or_else(GatewayError::outcome, |_| "answered");
        metrics::histogram!(PAYMENT_CALL_SECONDS, "call" => call.name(), "outcome" => outcome)
            .record(started.elapsed());
        let change = match &result {
            Err(
                GatewayError::Unavailable { .. }
                | GatewayError::Timeout { .. }
                | GatewayError::Garbled { .. }
                | GatewayError::Resting { .. },
            ) => pass.failed(),
            Err(GatewayError::Throttled { retry_after }) if *retry_after > RETRY_PAUSE_MAX => pass.rest(*retry_after),
            // It lives, whatever it says.
            Ok(_) | Err(GatewayError::Throttled { .. } | GatewayError::Refused { .. }) => pass.answered(),
        };
        self.say(change, &result);
        result
    }

    /// A way to the provider. There may be none for a while: calls that hang keep theirs until they time out.
    async fn way(&self) -> Result<SemaphorePermit<'_>, GatewayError> {
        let busy = || GatewayError::Unavailable { reason: "every way to it is taken by calls that hang".to_owned() };
        let way = timeout(self.timeout, self.ways.acquire()).await.map_err(|_| busy())?;
        Ok(way.expect("nobody closes it"))
    }

    async fn post(&self, call: &ProviderCall) -> Result<Answer, GatewayError> {
        let uri = self.target.uri(call);
        let (headers, body) = (self.target.headers(call.key()), Bytes::from(wire::asked(call)));
        let unavailable = |reason: String| GatewayError::Unavailable { reason };
        let answer = self.client.post(uri, headers, body).await.map_err(|error| unavailable(with_causes(&error)))?;
        let status = answer.status();
        if status == StatusCode::ACCEPTED {
            return Ok(Answer::Later);
        }
        if status != StatusCode::OK {
            return Err(refusal(&answer));
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                GatewayError::Garbled { reason: format!("it is longer than {ANSWER_BYTES_MAX} bytes") }
            } else {
                unavailable(with_causes(&*error))
            }
        })?;
        wire::answered(call, &body.to_bytes()).map_err(|reason| GatewayError::Garbled { reason })
    }

    /// Tells when an outage begins and when it is over.
    fn say(&self, change: Change, result: &Result<Answer, GatewayError>) {
        match (change, result) {
            (Change::Opened, Err(error)) => tracing::error!(
                error = %error,
                "the payment provider at {} failed {} times in a row and is left alone for {} ms",
                self.target, self.breaker.limits().failures, self.breaker.limits().rest.as_millis(),
            ),
            (Change::Closed, _) => tracing::info!("the payment provider at {} answers again", self.target),
            (Change::None, _) | (Change::Opened, Ok(_)) => {}
        }
    }
}

#[async_trait]
impl PaymentGateway for HttpGateway {
    async fn call(&self, call: &ProviderCall) -> Result<Answer, GatewayError> {
        for tried in 1..self.tries_max {
            match self.ask(call).await {
                Err(error) if error.is_retryable() => {
                    let Some(pause) = pause(&error, call.key(), tried) else { return Err(error) };
                    tokio::time::sleep(pause).await;
                }
                result => return result,
            }
        }
        self.ask(call).await
    }
}

/// Why it does not answer, as its status says. What it says beside that is not repeated: it may quote our headers.
fn refusal(answer: &Response<Incoming>) -> GatewayError {
    let status = answer.status();
    let said = format!("it answered {status}");
    match status.as_u16() {
        429 => GatewayError::Throttled { retry_after: retry_after(answer.headers()).unwrap_or(THROTTLE_PAUSE) },
        // The same key is being worked on, or the request did not arrive whole.
        408 | 409 | 425 => GatewayError::Unavailable { reason: said },
        _ if status.is_server_error() => GatewayError::Unavailable { reason: said },
        401 | 403 => GatewayError::Refused { reason: format!("{said}: check `payments.secret`") },
        _ if status.is_redirection() => {
            GatewayError::Refused { reason: format!("{said}: redirections are not followed; check `payments.url`") }
        }
        404 | 405 => GatewayError::Refused { reason: format!("{said}: check `payments.url`") },
        _ => GatewayError::Refused { reason: said },
    }
}

/// `Retry-After` in seconds. A date is not read: it would need the provider's clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(THROTTLE_PAUSE_MAX))
}

/// How long to wait before the next try; nothing if that would take too long here.
fn pause(error: &GatewayError, key: Uuid, tried: u32) -> Option<Duration> {
    let wanted = error.retry_after();
    if wanted.is_some_and(|wanted| wanted > RETRY_PAUSE_MAX) {
        return None;
    }
    let backoff = RETRY_PAUSE_MIN.saturating_mul(1 << tried.saturating_sub(1).min(10)).min(RETRY_PAUSE_MAX);
    Some(spread(backoff, key, tried).max(wanted.unwrap_or_default()))
}

/// Half of it to all of it, so that calls that failed together do not come back together; the same for the same call and
/// try.
fn spread(pause: Duration, key: Uuid, tried: u32) -> Duration {
    let (_, drawn) = Uuid::new_v5(&key, &tried.to_le_bytes()).as_u64_pair();
    let share = u32::try_from(drawn % 1_000).expect("less than a thousand");
    pause / 2 + pause * share / 2_000
}

#[cfg(test)]
mod tests;
