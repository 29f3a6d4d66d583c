//! Which spans are recorded, and that too many of them hurt nobody.

use axum::http::{HeaderMap, HeaderName, StatusCode};
use tracing_subscriber::{Registry, layer::SubscriberExt as _};

use super::*;
use crate::{
    config::Otlp,
    telemetry::{otlp::collector::Collector, trace},
};

/// What is queued when `work` runs with this part of all traces recorded.
fn recorded(ratio: f64, work: impl FnOnce()) -> (Vec<SpanData>, u64) {
    let settings = Otlp { endpoint: Some("http://127.0.0.1:1".to_owned()), ..Otlp::default() };
    let collector = Collector::new(settings.target().unwrap().unwrap()).unwrap();
    let route = Route::new(&Arc::new(collector), "traces", "v1/traces");
    let resource = Resource::builder_empty().build();
    let (layer, mut spans) = record::<Registry>(route, &resource, ratio);
    tracing::subscriber::with_default(Registry::default().with(layer), work);
    let queued = std::iter::from_fn(|| spans.queue.try_recv().ok()).collect();
    (queued, spans.lost.load(Ordering::Relaxed))
}

#[test]
fn spans_are_recorded_with_their_family_and_what_went_wrong_inside() {
    let (spans, lost) = recorded(1.0, || {
        let outer = tracing::info_span!(REQUEST_SPAN, stream.category = "order");
        let _outer = outer.enter();
        tracing::debug_span!("inner").in_scope(|| {
            tracing::info!("all is well");
            tracing::error!("all is lost");
        });
    });
    assert_eq!(lost, 0);
    let [inner, outer] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((&*inner.name, &*outer.name), ("inner", REQUEST_SPAN));
    assert_eq!(inner.parent_span_id, outer.span_context.span_id());
    assert_eq!(inner.span_context.trace_id(), outer.span_context.trace_id());
    assert_eq!((&inner.span_kind, &outer.span_kind), (&SpanKind::Internal, &SpanKind::Server));
    let attributes: Vec<_> = outer.attributes.iter().map(|pair| (pair.key.as_str(), pair.value.to_string())).collect();
    assert_eq!(attributes, [("stream.category", "order".to_owned())]);
    let events: Vec<_> = inner.events.iter().map(|event| &*event.name).collect();
    assert_eq!(events, ["all is lost"]);
    assert!(matches!(inner.status, opentelemetry::trace::Status::Error { .. }), "{:?}", inner.status);
}

#[test]
fn a_request_is_told_with_its_status_and_fails_if_the_server_did() {
    for (status, is_error) in [(200, false), (404, false), (503, true)] {
        let (spans, _) = recorded(1.0, || {
            let span = tracing::info_span!(REQUEST_SPAN);
            trace::join(&span, &HeaderMap::new());
            span.in_scope(|| ());
            trace::answered(&span, StatusCode::from_u16(status).unwrap());
        });
        let [span] = spans.as_slice() else { panic!("{spans:?}") };
        let pair = span.attributes.iter().find(|pair| pair.key.as_str() == "http.response.status_code").unwrap();
        assert_eq!(pair.value, i64::from(status).into());
        assert_eq!(matches!(span.status, opentelemetry::trace::Status::Error { .. }), is_error);
    }
}

#[test]
fn a_callers_trace_goes_on_but_its_wish_to_be_recorded_is_not_obeyed() {
    let joined = |ratio| {
        recorded(ratio, || {
            let parent = "00-ffffffffffffffffffffffffffffffff-b7ad6b7169203331-01";
            let headers = HeaderMap::from_iter([(HeaderName::from_static("traceparent"), parent.parse().unwrap())]);
            let span = tracing::info_span!(REQUEST_SPAN);
            trace::join(&span, &headers);
            span.in_scope(|| drop(tracing::debug_span!("inner").entered()));
        })
    };
    let (spans, _) = joined(1.0);
    let [inner, outer] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(outer.span_context.trace_id().to_bytes(), [0xff; 16]);
    assert_eq!(outer.parent_span_id.to_bytes(), 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert!(outer.parent_span_is_remote);
    assert_eq!(inner.parent_span_id, outer.span_context.span_id());
    // This id is the last one to be chosen.
    assert!(joined(0.9).0.is_empty());
}

#[test]
fn what_others_do_inside_us_and_what_is_too_fine_is_not_recorded() {
    let (spans, _) = recorded(1.0, || {
        drop(tracing::info_span!(target: "hyper::client", "foreign").entered());
        drop(tracing::info_span!(target: "apiary", "foreign").entered());
        drop(tracing::trace_span!("fine").entered());
        drop(tracing::debug_span!(target: "projections::worker", "ours").entered());
    });
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["ours"]);
}

#[test]
fn the_ratio_says_how_many_traces_are_recorded() {
    const TRACES: usize = 4_000;
    let work = || (0..TRACES).for_each(|_| drop(tracing::info_span!("one").entered()));
    assert_eq!(recorded(1.0, work).0.len(), TRACES);
    let (spans, lost) = recorded(0.25, work);
    assert!((800..1_200).contains(&spans.len()), "{}", spans.len());
    assert_eq!(lost, 0);
}

#[test]
fn what_the_queue_has_no_room_for_is_lost_and_counted() {
    let work = || (0..QUEUE_SPANS_MAX + 7).for_each(|_| drop(tracing::info_span!("one").entered()));
    let (spans, lost) = recorded(1.0, work);
    assert_eq!((spans.len(), lost), (QUEUE_SPANS_MAX, 7));
}
