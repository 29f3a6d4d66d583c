//! GraphQL over HTTP: one POST, one operation, one JSON answer, with statuses after the working draft.
//!
//! No GET (a URL is no place for documents and an invitation to forge requests), no batches, no uploads, nothing but
//! JSON. A response with data is 200 even if some fields failed; one without data says in its status why.

use async_graphql::Executor;
use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, header},
    response::Response,
};

use super::{Edge, intake, media::Media, refusal::Refusal};
use crate::{
    engine::{CallContext, OperationKind, Outcome, RequestError, RequestId, response_json},
    error_code::ErrorCode,
};

pub(super) async fn answer<S: Executor>(
    edge: &Edge<S>,
    request: Request,
    media: Option<Media>,
    request_id: &RequestId,
) -> Result<Response, Refusal> {
    let Some(media) = media else {
        let message = "accept application/graphql-response+json or application/json";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, ErrorCode::NotAcceptable, message));
    };
    let (viewer, graphql) = intake::receive(&edge.state, request).await?;
    let prepared = edge.state.engine.prepare(graphql)?;
    match prepared.kind() {
        OperationKind::Query | OperationKind::Mutation => {}
        OperationKind::Subscription => {
            let message = "subscriptions need a WebSocket at /graphql or a POST to /graphql/stream";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Refusal::new(status, ErrorCode::OperationNotSupported, message));
        }
    }
    let context = CallContext { viewer, request_id: request_id.clone(), resume_after: None };
    let response = edge.state.engine.execute(prepared, context).await;
    match Outcome::of(&response) {
        Outcome::Data | Outcome::NoData => {
            let mut answer = Response::new(Body::from(response_json(&response)));
            answer.headers_mut().insert(header::CONTENT_TYPE, media.header_value());
            Ok(answer)
        }
        Outcome::Refused => Err(RequestError::Invalid(response.errors).into()),
    }
}

#[cfg(test)]
mod tests;
