//! The operations that run on one socket, each in its turn.
//!
//! After an operation has said something, the others are asked first: a busy one cannot starve its neighbours.

use std::task::{Context, Poll};

use async_graphql::Response;
use axum::extract::ws::Utf8Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};

use super::message;
use crate::{
    edge::connections::Subscriber,
    engine::{Deliveries, Delivery, Outcome, errors_json, response_json},
};

/// What an operation is waiting for.
pub(super) enum Work {
    /// What a subscription delivers.
    Subscription { deliveries: Deliveries, _counted: Subscriber },
    /// The one answer of a query or a mutation.
    Answer(BoxFuture<'static, Response>),
    /// Nothing: it has been answered.
    Done,
}

/// What is running, by the ids that the client gave.
#[derive(Default)]
pub(super) struct Operations {
    running: Vec<(String, Work)>,
    /// Who is asked first.
    turn: usize,
}

impl Operations {
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.running.iter().any(|(known, _)| known == id)
    }

    pub(super) fn start(&mut self, id: String, work: Work) {
        self.running.push((id, work));
    }

    /// Ends an operation that the client is done with. An unknown one has ended already.
    pub(super) fn stop(&mut self, id: &str) {
        self.running.retain(|(known, _)| known != id);
    }

    /// Ends all.
    pub(super) fn stop_all(&mut self) {
        self.running.clear();
    }

    /// The next message of any operation. Waits for ever if there is none.
    pub(super) async fn next(&mut self) -> Utf8Bytes {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Utf8Bytes> {
        let count = self.running.len();
        for offset in 0..count {
            let index = (self.turn + offset) % count;
            let (id, work) = &mut self.running[index];
            let Poll::Ready(said) = work.poll(context) else { continue };
            self.turn = index + 1;
            let text = match said {
                Said::Next(payload) => return Poll::Ready(message::with_payload(id, "next", &payload)),
                Said::Error(errors) => message::with_payload(id, "error", &errors),
                Said::Complete => message::complete(id),
            };
            // The order of the others stays, and with it their turns.
            self.running.remove(index);
            self.turn = index;
            return Poll::Ready(text);
        }
        Poll::Pending
    }
}

/// One word of an operation; the last two end it.
enum Said {
    Next(bytes::Bytes),
    Error(bytes::Bytes),
    Complete,
}

impl Work {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Said> {
        match self {
            Self::Subscription { deliveries, .. } => {
                deliveries.poll_next_unpin(context).map(|delivery| match delivery {
                    Some(Delivery::Next { payload, .. }) => Said::Next(payload),
                    Some(Delivery::Error { errors }) => Said::Error(errors),
                    Some(Delivery::Complete) | None => Said::Complete,
                })
            }
            Self::Answer(answer) => answer.poll_unpin(context).map(|response| {
                *self = Self::Done;
                match Outcome::of(&response) {
                    Outcome::Data | Outcome::NoData => Said::Next(response_json(&response)),
                    Outcome::Refused => Said::Error(errors_json(&response.errors)),
                }
            }),
            Self::Done => Poll::Ready(Said::Complete),
        }
    }
}
