//! What the payment provider tells by itself: `POST /webhooks/payments`.
//!
//! **Invariant:** nothing is believed that is not signed, and 200 means that it is on disk. Whoever sends it signs, so
//! there is no token and no origin; the provider tells again what was not answered with 200.

use std::{fmt, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
    routing::any,
};
use domain::payment::PaymentRejection;
use infrastructure::{
    clock::{Clock, IdSource},
    event_store::StoreError,
    execute::ExecuteError,
    lifecycle::Lifecycle,
    payment_gateway::{
        NoticeError, ProviderNotice, ProviderNotices,
        webhook::{self, NoticeVerifier, SIGNATURE_HEADER},
    },
    telemetry::{PAYMENT_NOTICES, with_causes},
};

use super::{
    EdgeLimits,
    frame::{Frame, framed},
    intake,
    media::Media,
    refusal::Refusal,
};
use crate::{engine::RequestId, error_code::ErrorCode};

/// Where notices come in.
const PATH: &str = "/webhooks/payments";
/// The most bytes of a notice. One has a few hundred.
const NOTICE_BYTES_MAX: usize = 16 * 1024;
/// After how many seconds a notice that came too early, or could not be written, is to be told again.
const RETRY_AFTER_S: &str = "5";

/// What the address needs.
pub struct WebhookState {
    /// Tells genuine notices from others.
    pub verifier: NoticeVerifier,
    /// Records them.
    pub notices: Arc<dyn ProviderNotices>,
    /// Tells how old a notice is.
    pub clock: Arc<dyn Clock>,
    /// Names requests.
    pub ids: Arc<dyn IdSource>,
    /// Tells when to stop.
    pub lifecycle: Lifecycle,
    /// How long a body may take.
    pub limits: EdgeLimits,
}

impl fmt::Debug for WebhookState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WebhookState").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The route `/webhooks/payments`.
pub fn router(state: WebhookState) -> Router {
    let limits = EdgeLimits { body_bytes_max: state.limits.body_bytes_max.min(NOTICE_BYTES_MAX), ..state.limits };
    Router::new().route(PATH, any(payments)).with_state(Arc::new(WebhookState { limits, ..state }))
}

async fn payments(State(state): State<Arc<WebhookState>>, request: Request) -> Response {
    let frame = Frame { path: PATH, ids: &*state.ids, origins: None, media: Media::Json };
    framed(frame, request, |request, _, request_id| take(&state, request, request_id)).await
}

/// Verifies, reads and records.
async fn take(state: &WebhookState, request: Request, request_id: RequestId) -> Result<Response, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::method_not_allowed("POST", "a notice is sent as POST"));
    }
    if state.lifecycle.is_stopping() {
        return Err(Refusal::stopping());
    }
    intake::check_json(request.headers())?;
    let signature = signature(request.headers());
    let body = intake::read_body(request, &state.limits).await?;
    verify(state, signature.as_ref(), &body)?;
    let notice = webhook::notice(&body).map_err(|malformed| {
        count("malformed");
        tracing::warn!("a genuine notice of the payment provider is malformed: {malformed}");
        let message = format!("the notice is malformed: {malformed}");
        Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, message)
    })?;
    match state.notices.tell(notice.clone()).await {
        Ok(()) => {
            count("recorded");
            Ok(recorded())
        }
        Err(error) => Err(not_taken(&notice, &error, &request_id)),
    }
}

/// The one header that there must be.
fn signature(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(SIGNATURE_HEADER).iter();
    values.next().filter(|_| values.next().is_none()).cloned()
}

/// Whoever is not the provider learns nothing but that.
fn verify(state: &WebhookState, signature: Option<&HeaderValue>, body: &Bytes) -> Result<(), Refusal> {
    let header = signature.and_then(|value| value.to_str().ok()).unwrap_or_default();
    state.verifier.verify(header, body, state.clock.now()).map_err(|error| {
        count("unsigned");
        tracing::warn!("a notice to {PATH} is not genuine: {error}");
        let message = "the notice is not signed with the secret, or not now";
        Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::SignatureInvalid, message)
    })
}

/// Why it is not recorded, for the provider; for us, the log has the rest.
fn not_taken(notice: &ProviderNotice, error: &NoticeError, request_id: &RequestId) -> Refusal {
    let (id, payment) = (&notice.id, notice.payment);
    let cause = with_causes(error);
    match error {
        NoticeError::NotYet => tracing::info!(notice.id = %id, payment.id = %payment, "a notice came too early"),
        NoticeError::UnknownPayment(_) | NoticeError::IdReused => {
            tracing::warn!(notice.id = %id, payment.id = %payment, "a genuine notice is not taken: {cause}");
        }
        NoticeError::NotRecorded(_) => {
            tracing::error!(
                notice.id = %id, payment.id = %payment, request.id = %request_id, error = cause,
                "a notice of the payment provider cannot be recorded; it is to be told again"
            );
        }
    }
    match error {
        NoticeError::NotYet => {
            count("early");
            Refusal::new(StatusCode::CONFLICT, ErrorCode::NoticeTooEarly, error.to_string())
                .with(header::RETRY_AFTER, RETRY_AFTER_S)
        }
        NoticeError::UnknownPayment(_) => {
            count("unknown");
            Refusal::new(StatusCode::NOT_FOUND, ErrorCode::UnknownPayment, error.to_string())
        }
        NoticeError::IdReused => {
            count("reused");
            Refusal::new(StatusCode::CONFLICT, ErrorCode::NoticeIdReused, error.to_string())
        }
        NoticeError::NotRecorded(error) => {
            count("failed");
            not_recorded(error)
        }
    }
}

fn not_recorded(error: &ExecuteError<PaymentRejection>) -> Refusal {
    let code = match error {
        ExecuteError::Contended { .. } => ErrorCode::Contended,
        ExecuteError::Overloaded(_) => ErrorCode::RateLimited,
        ExecuteError::OutcomeUnknown(_) => ErrorCode::OutcomeUnknown,
        ExecuteError::Store(StoreError::Full) => ErrorCode::StorageFull,
        ExecuteError::Store(StoreError::Unavailable(_) | StoreError::Stopped(_)) => ErrorCode::StoreUnavailable,
        ExecuteError::Store(StoreError::Corrupt(_) | StoreError::Format(_))
        | ExecuteError::Undecodable { .. }
        | ExecuteError::Panicked(_)
        | ExecuteError::TooLarge(_)
        | ExecuteError::CommandReused(_)
        | ExecuteError::Rejected(_)
        | ExecuteError::VersionConflict { .. } => {
            let message = "the notice could not be recorded; the log says why";
            return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, message);
        }
    };
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, "the notice cannot be recorded now; tell it again")
        .with(header::RETRY_AFTER, RETRY_AFTER_S)
}

fn recorded() -> Response {
    let mut response = Response::new(Body::from(r#"{"status":"recorded"}"#));
    response.headers_mut().insert(header::CONTENT_TYPE, Media::Json.header_value());
    response
}

fn count(outcome: &'static str) {
    metrics::counter!(PAYMENT_NOTICES, "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests;
