//! What a provider tells by itself: signed, and again and again until it is taken.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::hmac;
use futures_util::future::BoxFuture;
use infrastructure::{
    clock::{Clock as _, SystemClock},
    payment_gateway::{
        ProviderNotices,
        webhook::{self, NoticeVerifier, SIGNATURE_HEADER},
    },
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use super::WEBHOOK_SECRET;

/// How long it waits before it tells something, and before it tells it again.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends a signed body. True if it was taken.
type Deliver = dyn Fn(String, String) -> BoxFuture<'static, bool> + Send + Sync;

/// Whom a provider tells.
pub struct Notices {
    deliver: Arc<Deliver>,
    under_way: Mutex<JoinSet<()>>,
}

impl fmt::Debug for Notices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Notices(..)")
    }
}

impl Notices {
    fn new(deliver: impl Fn(String, String) -> BoxFuture<'static, bool> + Send + Sync + 'static) -> Self {
        Self { deliver: Arc::new(deliver), under_way: Mutex::default() }
    }

    /// A server, wherever it is just now.
    pub fn to_server(url: watch::Receiver<String>) -> Self {
        let http = reqwest::Client::new();
        Self::new(move |signature, body| {
            let url = format!("{}/webhooks/payments", *url.borrow());
            let request = http.post(url).header(SIGNATURE_HEADER, signature).header("content-type", "application/json");
            let answer = request.body(body).send();
            Box::pin(async move { answer.await.is_ok_and(|answer| answer.status().is_success()) })
        })
    }

    /// Somebody in this process, who verifies and reads them as a server does.
    pub fn to_sink(sink: Arc<dyn ProviderNotices>) -> Self {
        let verifier = Arc::new(NoticeVerifier::try_new(WEBHOOK_SECRET.as_bytes()).expect("a secret"));
        Self::new(move |signature, body| {
            let (sink, verifier) = (Arc::clone(&sink), Arc::clone(&verifier));
            Box::pin(async move {
                verifier.verify(&signature, body.as_bytes(), SystemClock.now()).expect("it is genuine");
                sink.tell(webhook::notice(body.as_bytes()).expect("it is a notice")).await.is_ok()
            })
        })
    }

    /// Tells this of the call with this key until it is taken, twice: a provider may do that.
    pub(super) fn tell(&self, key: Uuid, payment: &Value, answer: &Value, taken: impl FnOnce() + Send + 'static) {
        let mut notice = answer.clone();
        notice["id"] = json!(format!("evt_{key}"));
        notice["payment"] = payment.clone();
        // What is failed names its part as well.
        match answer["status"].as_str() {
            Some("capture_failed") => notice["capture"] = json!(key),
            Some("refund_failed") => notice["refund"] = json!(key),
            _ => {}
        }
        let (deliver, body) = (Arc::clone(&self.deliver), notice.to_string());
        let mut under_way = self.under_way.lock().expect("nobody panics with it in hand");
        under_way.spawn(async move {
            for _ in 0..2 {
                loop {
                    tokio::time::sleep(PAUSE).await;
                    let signature = sign(WEBHOOK_SECRET, SystemClock.now().timestamp(), &body);
                    if deliver(signature, body.clone()).await {
                        break;
                    }
                }
            }
            taken();
        });
    }
}

/// The header that signs a body.
pub fn sign(secret: &str, at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let hex = tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("t={at},v1={hex}")
}
