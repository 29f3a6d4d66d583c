//! What monitoring sees of a process that is well, and of one that is not.

use axum::{body::Body, http::Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

async fn get_path(path: &str, checks: Vec<Check>) -> (StatusCode, String, String) {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || metrics::counter!("orders_total").increment(7));
    let observation = Arc::new(|| futures_util::future::FutureExt::boxed(async {}));
    let router = router(Metrics::of(&recorder), Arc::new(move || checks.clone()), observation);
    let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let media = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, media, String::from_utf8(body.to_vec()).unwrap())
}

fn json_of(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_process_that_answers_is_alive_whatever_its_checks_say() {
    let (status, media, body) = get_path("/health/live", vec![Check::not_ready("event_store", "disk full")]).await;
    assert_eq!((status, media.as_str()), (StatusCode::OK, "application/json"));
    assert_eq!(json_of(&body), json!({"status": "alive"}));
}

#[tokio::test]
async fn a_process_whose_checks_all_pass_is_ready() {
    let (status, _, body) = get_path("/health/ready", vec![Check::ready("event_store")]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(json_of(&body), json!({"status": "ready", "checks": [{"name": "event_store", "ready": true}]}));
}

#[tokio::test]
async fn what_somebody_has_to_look_at_is_shown_and_takes_nobody_out_of_service() {
    let checks = vec![Check::ready("event_store"), Check::ready_though("process:fulfilment", "it stands at event 7")];
    let (status, _, body) = get_path("/health/ready", checks).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        json_of(&body),
        json!({"status": "degraded", "checks": [
            {"name": "event_store", "ready": true},
            {"name": "process:fulfilment", "ready": true, "reason": "it stands at event 7"},
        ]})
    );
}

#[tokio::test]
async fn one_check_that_fails_makes_it_not_ready_and_says_why() {
    let checks = vec![Check::ready("event_store"), Check::not_ready("projection:order_summary", "stopped at event 7")];
    let (status, media, body) = get_path("/health/ready", checks).await;
    assert_eq!((status, media.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "application/json"));
    assert_eq!(
        json_of(&body),
        json!({"status": "not ready", "checks": [
            {"name": "event_store", "ready": true},
            {"name": "projection:order_summary", "ready": false, "reason": "stopped at event 7"},
        ]})
    );
}

#[tokio::test]
async fn metrics_are_served_as_prometheus_reads_them() {
    let (status, media, body) = get_path("/metrics", Vec::new()).await;
    assert_eq!((status, media.as_str()), (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8"));
    assert!(body.lines().any(|line| line == "orders_total 7"), "{body}");
}
