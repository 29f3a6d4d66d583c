//! A stream of answers that a future fills as it goes, without a task of its own: it runs while somebody listens.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, Stream, future::BoxFuture};
use tokio::sync::mpsc;
use tonic::Status;

use super::wire::event_store::client::streams::{ReadResp, read_resp::Content};

/// Answers that wait to be sent at most.
const ANSWERS_MAX: usize = 64;

/// Why a stream of answers ends early.
#[derive(Debug)]
pub(super) enum Ended {
    /// The client has gone, or the stream ends without a word.
    Silently,
    /// With this error.
    With(Status),
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::With(status)
    }
}

/// Where the answers of one call go in.
#[derive(Clone, Debug)]
pub(super) struct Inlet(mpsc::Sender<Result<ReadResp, Status>>);

impl Inlet {
    /// Sends one answer, when there is room.
    pub(super) async fn send(&self, content: Content) -> Result<(), Ended> {
        self.0.send(Ok(ReadResp { content: Some(content) })).await.map_err(|_| Ended::Silently)
    }
}

/// Where the answers of one call come out.
pub(super) struct Outlet {
    source: Option<BoxFuture<'static, Result<(), Ended>>>,
    /// What goes on in between only to end it: the last error.
    error: Option<Status>,
    answers: mpsc::Receiver<Result<ReadResp, Status>>,
}

impl Outlet {
    /// The answers that the future puts into the inlet.
    pub(super) fn new<F>(source: impl FnOnce(Inlet) -> F) -> Self
    where
        F: Future<Output = Result<(), Ended>> + Send + 'static,
    {
        let (inlet, answers) = mpsc::channel(ANSWERS_MAX);
        Self { source: Some(source(Inlet(inlet)).boxed()), error: None, answers }
    }
}

impl Stream for Outlet {
    type Item = Result<ReadResp, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The source first, so that it stays ahead; it waits by itself when there is no room.
        if let Some(source) = &mut self.source
            && let Poll::Ready(result) = source.poll_unpin(cx)
        {
            self.source = None;
            self.error = match result {
                Err(Ended::With(status)) => Some(status),
                Ok(()) | Err(Ended::Silently) => None,
            };
        }
        match self.answers.poll_recv(cx) {
            Poll::Ready(Some(answer)) => Poll::Ready(Some(answer)),
            // Its inlet went with the source.
            Poll::Ready(None) => Poll::Ready(self.error.take().map(Err)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}
