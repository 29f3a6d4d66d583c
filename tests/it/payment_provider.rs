//! The adapter for payment providers over real sockets, against a double that fails in every way.

mod faults;

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use infrastructure::{
    lifecycle::Lifecycle,
    payment_gateway::{HttpGateway, HttpGatewayOptions, Sandbox, SandboxOptions},
};
use tests::{
    contracts::payment_gateway::{Subject, TELL_AFTER, Told},
    provider::{Notices, Provider, ProviderOptions, SECRET},
};

/// For the contract suite.
pub(crate) async fn sandbox() -> (Subject, ()) {
    let told = Arc::new(Told::default());
    let options = SandboxOptions { tell_after: TELL_AFTER, ..SandboxOptions::default() };
    (Subject { gateway: Arc::new(Sandbox::new(options, told.clone(), Lifecycle::new())), told }, ())
}

/// For the contract suite.
pub(crate) async fn http_gateway() -> (Subject, Provider) {
    let told = Arc::new(Told::default());
    let notices = Some(Notices::to_sink(told.clone()));
    let provider = Provider::start(ProviderOptions { notices, is_lenient: true, ..ProviderOptions::default() }).await;
    let gateway = HttpGateway::try_new(&options(&provider.url)).expect("a gateway");
    (Subject { gateway: Arc::new(gateway), told }, provider)
}

/// How the tests ask: patient enough for a slow machine, and not too long with somebody who is silent.
fn options(url: &str) -> HttpGatewayOptions {
    HttpGatewayOptions {
        url: url.to_owned(),
        secret: SECRET.to_owned(),
        timeout: Duration::from_secs(2),
        concurrency: count(8),
        tries: NonZeroU32::new(3).expect("not zero"),
        breaker_failures: NonZeroU32::new(1_000).expect("not zero"),
        breaker_rest: Duration::from_secs(1),
    }
}

fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not zero")
}
