//! Shared execution of equal subscriptions. (Skeleton.)

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use async_graphql::Executor;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use super::{CallContext, Engine, Outcome, Prepared, errors, errors_json, response_json};
use crate::error_code::ErrorCode;

const DELIVERIES_MAX: usize = 64;

/// One thing a subscription has to say to its client.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A GraphQL response, serialised: `{"data":{...}}`. The bytes are shared between subscribers.
    Next {
        /// The response.
        payload: Bytes,
        /// The position to resume after, where the message has one.
        cursor: Option<String>,
    },
    /// The operation ends with errors: a JSON array of GraphQL errors, serialised. Nothing follows.
    Error {
        /// The errors.
        errors: Bytes,
    },
    /// The operation ends. Nothing follows.
    Complete,
}

/// What a subscription delivers, in order. Ends after `Error` or `Complete`; dropping it ends the subscription.
#[derive(Debug)]
pub struct Deliveries(pub(super) mpsc::Receiver<Delivery>);

impl Stream for Deliveries {
    type Item = Delivery;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.0.poll_recv(context)
    }
}

impl<S: Executor> Engine<S> {
    /// Starts a subscription.
    pub fn subscribe(&self, prepared: Prepared, context: CallContext) -> Deliveries {
        let (sender, receiver) = mpsc::channel(DELIVERIES_MAX + 1);
        let request_id = context.request_id.clone();
        let mut responses = self.schema().execute_stream(context.attach(prepared.to_request()), None);
        self.lifecycle().spawn(async move {
            loop {
                let response = tokio::select! {
                    response = responses.next() => response,
                    () = sender.closed() => return,
                };
                let Some(mut response) = response else { break };
                errors::finish(&mut response, &request_id);
                if Outcome::of(&response) == Outcome::Refused {
                    let _ = sender.send(Delivery::Error { errors: errors_json(&response.errors) }).await;
                    return;
                }
                if sender.capacity() <= 1 {
                    let error = ErrorCode::ConsumerTooSlow
                        .error("the subscriber read too slowly")
                        .into_server_error(async_graphql::Pos::default());
                    let _ = sender.try_send(Delivery::Error { errors: errors_json(&[error]) });
                    return;
                }
                let cursor = match &response.data {
                    async_graphql::Value::Object(fields) => {
                        fields.values().next().map(ToString::to_string)
                    }
                    _ => None,
                };
                let _ = sender.try_send(Delivery::Next { payload: response_json(&response), cursor });
            }
            let _ = sender.send(Delivery::Complete).await;
        });
        Deliveries(receiver)
    }
}
