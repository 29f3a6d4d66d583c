//! A subscription to the whole log, for one thing only: to hear that there is something new.
//!
//! It has a client and a task of its own: no read waits behind what it is sent, and should it panic, it ends as a
//! subscription that is lost.

use std::sync::Arc;

use tokio::{runtime::Handle, sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::Position,
    address::Node,
    call::{Query, Reading},
    client::Client,
    failure::Failure,
    settings::Settings,
};

/// A running subscription. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Ear {
    heard: watch::Receiver<Position>,
    task: AbortOnDropHandle<Result<(), Failure>>,
}

impl Ear {
    /// Begins to listen to what comes after `from`.
    pub(super) fn open(settings: Arc<Settings>, from: Position) -> Self {
        let (sender, heard) = watch::channel(from);
        // Owned and ended by whoever listens, so it is none of the process's own tasks.
        let task = Handle::current().spawn(listen(settings, from, sender));
        Self { heard, task: AbortOnDropHandle::new(task) }
    }

    /// The last position heard of, once there is a new one; none when the subscription has ended. Cancel-safe.
    pub(super) async fn hear(&mut self) -> Option<Position> {
        self.heard.changed().await.ok()?;
        Some(*self.heard.borrow_and_update())
    }

    /// Ends it, and says why it had ended by itself, if it had.
    pub(super) async fn close(self) -> String {
        self.task.abort();
        match self.task.await {
            Ok(Ok(())) => "the server ended it".to_owned(),
            Ok(Err(failure)) => failure.to_string(),
            Err(error) if error.is_panic() => Failure::Panicked.to_string(),
            Err(_) => "it was silent".to_owned(),
        }
    }
}

/// Passes on where the subscription is, until it ends.
async fn listen(settings: Arc<Settings>, from: Position, heard: watch::Sender<Position>) -> Result<(), Failure> {
    let mut subscription = match subscribe(&settings, from, None).await {
        Err(Failure::NotLeader { leader: Some(leader) }) => subscribe(&settings, from, Some(leader)).await?,
        outcome => outcome?,
    };
    while let Some(position) = subscription.next_position().await? {
        heard.send_if_modified(|last| {
            let is_new = position > *last;
            *last = position.max(*last);
            is_new
        });
    }
    Ok(())
}

/// A subscription at `node`, or at the one that is found.
async fn subscribe(settings: &Arc<Settings>, from: Position, node: Option<Node>) -> Result<Reading, Failure> {
    let client = Client::new(Arc::clone(settings), node);
    let link = timeout(settings.call_timeout, client.link()).await.unwrap_or(Err(Failure::TimedOut))?;
    link.subscribe(&Query::log(from)).await
}
