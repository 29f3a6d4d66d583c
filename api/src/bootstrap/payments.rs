//! Which adapter stands behind the payment gateway, and where the provider's notices come in.

use std::sync::Arc;

use axum::Router;
use infrastructure::{
    clock::{Clock, IdSource},
    lifecycle::Lifecycle,
    payment_gateway::{
        HttpGateway, HttpGatewayError, PaymentGateway, ProviderNotices, RecordNotices, Sandbox, SandboxOptions,
        webhook::{NoticeVerifier, WeakSecret},
    },
    telemetry::with_causes,
};

use super::{Core, StartError, edge_limits};
use crate::{
    config::{Config, ConfigError, PaymentProvider},
    edge::webhooks::{self, WebhookState},
};

/// The provider that the settings name. What it tells by itself without a webhook goes to `notices`, in tasks of
/// `lifecycle`.
pub fn gateway(
    config: &Config,
    notices: Arc<dyn ProviderNotices>,
    lifecycle: &Lifecycle,
) -> Result<Arc<dyn PaymentGateway>, StartError> {
    match config.payments.provider {
        PaymentProvider::Sandbox => {
            tracing::warn!("payments go to the sandbox: no money moves");
            Ok(Arc::new(Sandbox::new(SandboxOptions::default(), notices, lifecycle.clone())))
        }
        PaymentProvider::Http => {
            let gateway = HttpGateway::try_new(&config.payments.http_options()?);
            Ok(Arc::new(gateway.map_err(|error| unusable(&error))?))
        }
    }
}

fn unusable(error: &HttpGatewayError) -> ConfigError {
    let key = match error {
        HttpGatewayError::Url | HttpGatewayError::NotSecure | HttpGatewayError::Certificates(_) => "payments.url",
        HttpGatewayError::Secret => "payments.secret",
    };
    ConfigError::Unusable { key, message: with_causes(error) }
}

/// The address for the provider's notices; none without a secret that they are signed with.
pub(super) fn webhook(
    config: &Config,
    core: &Core,
    edge: &Lifecycle,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
) -> Result<Router, StartError> {
    let Some(secret) = config.payments.webhook_secret()? else { return Ok(Router::new()) };
    let verifier = NoticeVerifier::try_new(secret.expose().as_bytes());
    let verifier = verifier.map_err(|weak: WeakSecret| ConfigError::Unusable {
        key: "payments.webhook_secret",
        message: weak.to_string(),
    })?;
    let notices = Arc::new(RecordNotices::new(core.executors.payments.clone()));
    let (lifecycle, limits) = (edge.clone(), edge_limits(config));
    Ok(webhooks::router(WebhookState { verifier, notices, clock, ids, lifecycle, limits }))
}

#[cfg(test)]
mod tests;
