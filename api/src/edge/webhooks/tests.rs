//! What the payment provider is answered, case by case.

use std::sync::Mutex;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use axum::http::request::Builder;
use domain::{
    Timestamp,
    payment::ProviderFact,
    testing::{label, now, the_payment},
};
use http_body_util::BodyExt as _;
use infrastructure::clock::{CountingIds, ManualClock};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

const SECRET: &str = "a secret of the shop";

/// Takes notices, or gives the error that a test wants.
#[derive(Debug, Default)]
struct Told {
    taken: Mutex<Vec<ProviderNotice>>,
    error: Mutex<Option<NoticeError>>,
}

#[async_trait]
impl ProviderNotices for Told {
    async fn tell(&self, notice: ProviderNotice) -> Result<(), NoticeError> {
        if let Some(error) = self.error.lock().expect("the lock").clone() {
            return Err(error);
        }
        self.taken.lock().expect("the lock").push(notice);
        Ok(())
    }
}

#[derive(Default)]
struct Setup {
    told: Arc<Told>,
    lifecycle: Lifecycle,
}

impl Setup {
    fn failing(error: NoticeError) -> Self {
        let setup = Self::default();
        *setup.told.error.lock().expect("the lock") = Some(error);
        setup
    }

    async fn send(&self, request: Request) -> (u16, HeaderMap, Value) {
        let router = router(WebhookState {
            verifier: NoticeVerifier::try_new(SECRET.as_bytes()).expect("a secret"),
            notices: self.told.clone(),
            clock: Arc::new(ManualClock::at(now())),
            ids: Arc::new(CountingIds::new(7)),
            lifecycle: self.lifecycle.clone(),
            limits: EdgeLimits::default(),
        });
        let response = router.oneshot(request).await.expect("routers do not fail");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.expect("the body is whole").to_bytes();
        (status, headers, serde_json::from_slice(&body).expect("JSON"))
    }

    /// The status and the code.
    async fn refusal(&self, request: Request) -> (u16, String) {
        let (status, _, body) = self.send(request).await;
        assert_eq!(*self.told.taken.lock().expect("the lock"), [], "nothing is taken");
        (status, body["errors"][0]["extensions"]["code"].as_str().expect("a code").to_owned())
    }
}

fn body() -> String {
    json!({ "id": "evt-1", "payment": the_payment(), "status": "voided" }).to_string()
}

fn sign(secret: &str, at: Timestamp, body: &str) -> String {
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        format!("{}.{body}", at.timestamp()).as_bytes(),
    );
    let hex = tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("t={},v1={hex}", at.timestamp())
}

fn post() -> Builder {
    Request::post(PATH).header("content-type", "application/json")
}

/// A genuine request with this body.
fn signed(body: &str) -> Request {
    post().header("Millrace-Signature", sign(SECRET, now(), body)).body(body.to_owned().into()).expect("a request")
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_genuine_notice_is_recorded_before_it_is_answered() {
    let setup = Setup::default();
    let (status, headers, answer) = setup.send(signed(&body())).await;
    assert_eq!((status, answer), (200, json!({ "status": "recorded" })));
    assert_eq!(headers["cache-control"], "no-store");
    assert!(headers.contains_key("x-request-id"));
    let said = ProviderNotice { id: label("evt-1"), payment: the_payment(), fact: ProviderFact::Voided };
    assert_eq!(*setup.told.taken.lock().expect("the lock"), [said]);
}

#[tokio::test]
async fn what_is_not_signed_by_the_provider_about_now_is_refused() {
    let expected = code(401, "SIGNATURE_INVALID");
    let old = now() - chrono::TimeDelta::seconds(301);
    let setup = Setup::default();
    for signature in [
        sign("another secret here!", now(), &body()),
        sign(SECRET, now(), "{}"),
        sign(SECRET, old, &body()),
        sign(SECRET, now() + chrono::TimeDelta::seconds(301), &body()),
        "nonsense".to_owned(),
        String::new(),
    ] {
        let request = post().header("millrace-signature", &signature).body(body().into()).expect("a request");
        assert_eq!(setup.refusal(request).await, expected, "{signature}");
    }
    assert_eq!(setup.refusal(post().body(body().into()).expect("a request")).await, expected);
    let twice = post().header("millrace-signature", sign(SECRET, now(), &body()));
    let twice = twice.header("millrace-signature", sign(SECRET, now(), &body()));
    assert_eq!(setup.refusal(twice.body(body().into()).expect("a request")).await, expected);
}

#[tokio::test]
async fn one_who_does_not_know_the_secret_is_not_told_what_is_wrong_with_the_rest() {
    let forged = post().header("millrace-signature", sign("another secret here!", now(), "{"));
    assert_eq!(Setup::default().refusal(forged.body("{".into()).expect("a request")).await.0, 401);
}

#[tokio::test]
async fn a_genuine_notice_that_says_nothing_is_malformed() {
    let setup = Setup::default();
    for body in ["", "{", "[]", "{}", r#"{"id":"evt-1","payment":"x","status":"voided"}"#] {
        assert_eq!(setup.refusal(signed(body)).await, code(400, "BAD_REQUEST"), "{body}");
    }
}

#[tokio::test]
async fn only_a_small_plain_post_is_read() {
    let setup = Setup::default();
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let mut request = signed(&body());
        *request.method_mut() = method.parse().expect("a method");
        let (status, headers, _) = setup.send(request).await;
        assert_eq!((status, &headers["allow"]), (405, &HeaderValue::from_static("POST")));
    }
    let large = " ".repeat(NOTICE_BYTES_MAX + 1);
    assert_eq!(setup.refusal(signed(&large)).await, code(413, "PAYLOAD_TOO_LARGE"));
    for (name, value) in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
        let mut request = signed(&body());
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        assert_eq!(setup.refusal(request).await, code(415, "UNSUPPORTED_MEDIA_TYPE"));
    }
    setup.lifecycle.begin_stop();
    assert_eq!(setup.refusal(signed(&body())).await, code(503, "SHUTTING_DOWN"));
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_where_that_helps() {
    let store = |error| NoticeError::NotRecorded(Box::new(ExecuteError::Store(error)));
    let id = uuid::Uuid::nil();
    let cases = [
        (NoticeError::NotYet, code(409, "NOTICE_TOO_EARLY"), true),
        (NoticeError::UnknownPayment(the_payment()), code(404, "UNKNOWN_PAYMENT"), false),
        (NoticeError::IdReused, code(409, "NOTICE_ID_REUSED"), false),
        (store(StoreError::Unavailable("away".to_owned())), code(503, "STORE_UNAVAILABLE"), true),
        (store(StoreError::Full), code(503, "STORAGE_FULL"), true),
        (NoticeError::NotRecorded(Box::new(ExecuteError::OutcomeUnknown(id))), code(503, "OUTCOME_UNKNOWN"), true),
        (store(StoreError::Corrupt("bits".to_owned())), code(500, "INTERNAL"), false),
    ];
    for (error, expected, is_told_again) in cases {
        let setup = Setup::failing(error.clone());
        assert_eq!(setup.refusal(signed(&body())).await, expected, "{error}");
        let (_, headers, answer) = setup.send(signed(&body())).await;
        assert_eq!(headers.contains_key("retry-after"), is_told_again, "{error}");
        assert!(!answer.to_string().contains("bits"), "{answer}");
    }
}
