//! Settings that name a provider name one that can be asked, or say what is wrong.

use async_trait::async_trait;
use domain::{
    payment::{ProviderCall, ProviderFact},
    testing::{eur, the_order, the_payment, token},
};
use infrastructure::payment_gateway::{Answer, NoticeError, ProviderNotice};

use super::*;
use crate::config::{Payments, Secret};

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl ProviderNotices for Nobody {
    async fn tell(&self, notice: ProviderNotice) -> Result<(), NoticeError> {
        Err(NoticeError::UnknownPayment(notice.payment))
    }
}

fn opened(payments: Payments) -> Result<Arc<dyn PaymentGateway>, StartError> {
    gateway(&Config { payments, ..Config::default() }, Arc::new(Nobody), &Lifecycle::new())
}

fn http(url: &str, secret: &str) -> Payments {
    Payments {
        provider: PaymentProvider::Http,
        url: Some(url.to_owned()),
        secret: Some(Secret::new(secret.to_owned())),
        ..Payments::default()
    }
}

#[tokio::test]
async fn without_settings_money_comes_from_the_sandbox() {
    let (payment, order, amount) = (the_payment(), the_order(), eur(5000));
    let call = ProviderCall::Authorise { payment, order, amount, token: token("tok_visa") };
    let answer = opened(Payments::default()).expect("a gateway").call(&call).await;
    assert!(matches!(answer, Ok(Answer::Fact(ProviderFact::Authorised { .. }))), "{answer:?}");
}

#[test]
fn a_provider_that_cannot_be_asked_is_refused_with_the_key_that_is_wrong() {
    opened(http("http://127.0.0.1:9", "open sesame")).expect("a gateway");
    for (url, secret, key) in [
        ("http://pay.example.com", "open sesame", "payments.url"),
        ("pay.example.com", "open sesame", "payments.url"),
        ("http://127.0.0.1:9", "two\nlines", "payments.secret"),
    ] {
        let error = opened(http(url, secret)).expect_err(url).to_string();
        assert!(error.contains(key) && !error.contains("lines"), "{error}");
    }
}
