//! Which provider money comes from, and how it is asked.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use axum::http::Uri;
use infrastructure::payment_gateway::HttpGatewayOptions;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Secret, settings::settings, tree::secret};

/// Who holds, takes and gives back money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentProvider {
    /// Nobody: a sandbox in memory, for development and demonstrations.
    #[default]
    Sandbox,
    /// A server that speaks the protocol of docs/operations/payments.md.
    Http,
}

settings! {
    /// Who holds, takes and gives back money (docs/operations/payments.md).
    pub struct Payments {
        /// `sandbox` moves no money: cards are good or bad as their tokens say. `http` asks the provider at `url`.
        provider: PaymentProvider = PaymentProvider::Sandbox;
        /// Whether the sandbox may stand for a provider where processes share an event store in production mode. Orders
        /// are then paid with nothing.
        sandbox_in_production: bool = false;
        /// The provider's address. It must begin with `https://`, unless it is on this machine.
        url: Option<String> = None, example "\"https://payments.example.com/v1\"";
        /// The bearer token of every call to it. Meant for the environment: `MILLRACE_PAYMENTS__SECRET`.
        secret: Option<Secret<String>> = None, example "\"...\"";
        /// A file with that token. A newline at its end does not count.
        secret_file: Option<PathBuf> = None, example "\"/run/secrets/payments\"";
        /// What the provider signs its notices to `/webhooks/payments` with, at least 16 bytes. Without it there is no
        /// such address. Meant for the environment: `MILLRACE_PAYMENTS__WEBHOOK_SECRET`.
        webhook_secret: Option<Secret<String>> = None, example "\"...\"";
        /// A file with that secret. A newline at its end does not count.
        webhook_secret_file: Option<PathBuf> = None, example "\"/run/secrets/payments-webhook\"";
        /// Milliseconds that one try of a call may take.
        timeout_ms: NonZeroU64 = const { NonZeroU64::new(10_000).expect("it is not zero") };
        /// Calls that run at the same time.
        concurrency: NonZeroUsize = const { NonZeroUsize::new(64).expect("it is not zero") };
        /// Tries of a call, before whoever asks is told that there is no answer. It is asked again later.
        tries: NonZeroU32 = const { NonZeroU32::new(3).expect("it is not zero") };
        /// Failures in a row after which the provider is left alone.
        breaker_failures: NonZeroU32 = const { NonZeroU32::new(10).expect("it is not zero") };
        /// Milliseconds for which it is left alone then, before one call tries again.
        breaker_rest_ms: NonZeroU64 = const { NonZeroU64::new(5_000).expect("it is not zero") };
    }
}

impl Payments {
    /// What no single type can check. `is_serious` is whether orders are for real.
    pub(super) fn check(&self, is_serious: bool) -> Result<(), ConfigError> {
        match self.provider {
            PaymentProvider::Sandbox if is_serious && !self.sandbox_in_production => {
                Err(ConfigError::SandboxInProduction)
            }
            PaymentProvider::Sandbox => Ok(()),
            PaymentProvider::Http => {
                let url = self.url.as_deref().ok_or(missing("payments.url"))?;
                if url.parse::<Uri>().is_err() {
                    return Err(unusable("payments.url", "it is not a URL"));
                }
                if self.secret.is_none() && self.secret_file.is_none() {
                    return Err(missing("payments.secret"));
                }
                if self.webhook_secret.is_none() && self.webhook_secret_file.is_none() {
                    return Err(missing("payments.webhook_secret"));
                }
                Ok(())
            }
        }
    }

    /// What notices are signed with, wherever it is.
    pub fn webhook_secret(&self) -> Result<Option<Secret<String>>, ConfigError> {
        let (given, file) = (self.webhook_secret.as_ref(), self.webhook_secret_file.as_ref());
        secret("payments.webhook_secret_file", given, file)
    }

    /// How the provider at `url` is asked.
    pub fn http_options(&self) -> Result<HttpGatewayOptions, ConfigError> {
        let secret = secret("payments.secret_file", self.secret.as_ref(), self.secret_file.as_ref())?;
        Ok(HttpGatewayOptions {
            url: self.url.clone().ok_or(missing("payments.url"))?,
            secret: secret.ok_or(missing("payments.secret"))?.expose().clone(),
            timeout: Duration::from_millis(self.timeout_ms.get()),
            concurrency: self.concurrency,
            tries: self.tries,
            breaker_failures: self.breaker_failures,
            breaker_rest: Duration::from_millis(self.breaker_rest_ms.get()),
        })
    }
}

const fn missing(key: &'static str) -> ConfigError {
    ConfigError::MissingForProvider { key }
}

fn unusable(key: &'static str, message: &str) -> ConfigError {
    ConfigError::Unusable { key, message: message.to_owned() }
}

#[cfg(test)]
mod tests;
