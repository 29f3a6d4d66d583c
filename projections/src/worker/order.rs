//! What a worker can be ordered to do. Orders are carried out one after the other, between two batches: nothing of the
//! projection moves meanwhile.

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::Held;
use crate::{
    Difference, Pause, Released,
    bookkeeping::GenerationState,
    shape::{CheckError, Checked, Repaired},
    track::{ReleaseError, Track},
};
use infrastructure::event_store::Position;

/// An order, and where to answer. Whoever asked may have gone away.
#[derive(Debug)]
pub(crate) enum Order {
    /// Serve another generation, once it is where the serving one is.
    Switch { to: Held, before: GenerationState, answer: oneshot::Sender<Result<Held, SwitchError>> },
    /// Stand still, at once or at a position.
    Pause { pause: Pause, answer: oneshot::Sender<()> },
    /// Go on, from a pause or from an event it stopped at.
    Resume(oneshot::Sender<()>),
    /// Try the events of this key now.
    Release { key: Uuid, answer: oneshot::Sender<Result<Released, ReleaseError>> },
    /// Try the events of all keys, as soon as there is time. Answers how many keys that are.
    ReleaseAll(oneshot::Sender<u64>),
    /// Pass over the event that a key waits for.
    Skip { key: Uuid, position: Position, reason: String, answer: oneshot::Sender<Result<Released, ReleaseError>> },
    /// Fold rows anew and compare.
    Check { which: Which, answer: oneshot::Sender<Result<Checked, CheckError>> },
    /// Fold rows anew and write them.
    Repair { keys: Vec<Uuid>, answer: oneshot::Sender<Result<Vec<Repaired>, CheckError>> },
    /// Bring another generation to the same position and compare all of it. Gives the differences and the position.
    Compare { with: Box<Track>, limit: usize, answer: oneshot::Sender<Result<Compared, CompareError>> },
}

/// Orders something and waits for the answer; none if the worker ends first.
pub(crate) async fn ask<T>(orders: &mpsc::Sender<Order>, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    orders.send(order(answer)).await.ok()?;
    tokio::select! {
        biased;
        answer = answered => answer.ok(),
        // An order that was sent while the worker was leaving may lie in the channel for good.
        () = orders.closed() => None,
    }
}

/// Which rows to check.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// Those with these keys.
    Keys(Vec<Uuid>),
    /// Some rows, and the rows of some events.
    Some {
        /// Decides which.
        dice: u64,
        /// How many about.
        count: usize,
    },
}

/// Two generations compared at one position.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) position: Position,
    pub(crate) differences: Vec<Difference>,
    pub(crate) with: Box<Track>,
}

/// Why a generation did not become the serving one. The old one serves on; here is the new one back.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct SwitchError {
    pub(crate) reason: String,
    pub(crate) held: Held,
}

/// Why two generations were not compared.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct CompareError {
    pub(crate) reason: String,
    pub(crate) with: Box<Track>,
}
