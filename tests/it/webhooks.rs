//! The address for notices of a server that runs.

use domain::testing::the_payment;
use infrastructure::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tests::{
    provider::{WEBHOOK_SECRET, sign},
    server::{Server, Start, temp_dir},
};

/// A server that knows what notices are signed with.
async fn server(data_dir: &std::path::Path) -> Server {
    let environment = vec![("MILLRACE_PAYMENTS__WEBHOOK_SECRET".to_owned(), WEBHOOK_SECRET.to_owned())];
    Server::start_in(data_dir, Start { environment, ..Start::default() }).await
}

async fn send(server: &Server, secret: &str, age_s: i64) -> (u16, Value) {
    let body = json!({ "id": "evt-1", "payment": the_payment(), "status": "voided" }).to_string();
    let signature = sign(secret, SystemClock.now().timestamp() - age_s, &body);
    let request = reqwest::Client::new().post(format!("{}/webhooks/payments", server.url));
    let request = request.header("millrace-signature", signature).header("content-type", "application/json");
    let answer = request.body(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn a_genuine_notice_of_no_payment_of_ours_is_told_apart_from_a_forged_one() {
    let folder = temp_dir();
    let server = server(folder.path()).await;
    let code = |answer: &Value| answer["errors"][0]["extensions"]["code"].clone();
    let (status, answer) = send(&server, WEBHOOK_SECRET, 0).await;
    assert_eq!((status, code(&answer)), (404, json!("UNKNOWN_PAYMENT")), "{answer}");
    for (secret, age_s) in [("this-is-not-the-secret", 0), (WEBHOOK_SECRET, 3_600), (WEBHOOK_SECRET, -3_600)] {
        let (status, answer) = send(&server, secret, age_s).await;
        assert_eq!((status, code(&answer)), (401, json!("SIGNATURE_INVALID")), "{answer}");
    }
    let log = server.stderr();
    assert!(log.contains(&the_payment().to_string()) && !log.contains(WEBHOOK_SECRET), "{log}");
    server.stop().await;
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_address() {
    let server = Server::start().await;
    assert_eq!(send(&server, WEBHOOK_SECRET, 0).await.0, 404);
    assert_eq!(send(&server, WEBHOOK_SECRET, 0).await.1, Value::Null);
    server.stop().await;
}
