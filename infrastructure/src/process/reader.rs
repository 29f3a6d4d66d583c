//! Reads ahead: the next events are decoded while the ones before are worked on.

use std::{sync::Arc, time::Duration};

use domain::{Event, Owner, Process, RETRIES, Unread};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::parked::ParkedKey;
use crate::{
    codec::{self, DecodeCode},
    event_store::{Batch, EventStore, Position, RecordedEvent, Subscription, TypeFilter},
    lifecycle::Lifecycle,
};

/// How many batches are read ahead.
const AHEAD: usize = 4;
/// How long to wait after the log could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// Some events, decoded.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) events: Vec<Read>,
    pub(super) scanned_to: Position,
}

/// An event's id, and what happened; else whose it is, and why it cannot be read.
pub(super) type Read = (Uuid, Result<Event, ParkedKey>);

/// The next events of a process, or why there are none for now. Ends with the receiver, or with the lifecycle.
pub(super) fn read<P: Process>(
    store: &Arc<dyn EventStore>,
    after: Position,
    limit: usize,
    lifecycle: &Lifecycle,
) -> mpsc::Receiver<Result<Page, String>> {
    let wanted = [P::EVENTS, &[RETRIES]].concat();
    let mut subscription = Subscription::new(Arc::clone(store), after, TypeFilter::prefixes(&wanted));
    let (sender, receiver) = mpsc::channel(AHEAD);
    let until = lifecycle.clone();
    lifecycle.spawn(async move {
        // What was read and does not decode, and from where; another build may be on its way that knows it.
        let mut undecoded: Option<(Position, Batch)> = None;
        loop {
            let page = tokio::select! {
                () = until.stopping() => return,
                () = sender.closed() => return,
                page = next::<P>(&mut subscription, &mut undecoded, limit) => page,
            };
            let is_broken = page.is_err();
            if sender.send(page).await.is_err() {
                return;
            }
            if is_broken {
                tokio::time::sleep(PAUSE).await;
            }
        }
    });
    receiver
}

async fn next<P: Process>(
    subscription: &mut Subscription,
    undecoded: &mut Option<(Position, Batch)>,
    limit: usize,
) -> Result<Page, String> {
    let is_new = undecoded.is_none();
    let (after, batch) = if let Some(batch) = undecoded.take() {
        batch
    } else {
        let after = subscription.position();
        let batch = subscription.next(limit).await;
        (after, batch.map_err(|error| format!("the log cannot be read: {error}"))?)
    };
    match decode::<P>(&batch.events, after) {
        Ok(events) => Ok(Page { events, scanned_to: batch.scanned_to }),
        Err(ParkedKey { position, type_name, code, reason, .. }) => {
            *undecoded = Some((after, batch));
            let (position, code) = (position.value(), code.as_str());
            if is_new {
                let process = P::NAME;
                tracing::error!(
                    process,
                    position,
                    code,
                    error = reason,
                    "an event cannot be read; the process waits for it"
                );
            }
            Err(format!(
                "the event at {position} ({type_name}) cannot be read ({code}), and it is not known whose it is"
            ))
        }
    }
}

fn decode<P: Process>(recorded: &[RecordedEvent], mut after: Position) -> Result<Vec<Read>, ParkedKey> {
    let mut events = Vec::with_capacity(recorded.len());
    for recorded in recorded {
        events.extend(read_one::<P>(recorded, after)?);
        after = recorded.position;
    }
    Ok(events)
}

/// Reads an event; `after` is a position before it, with none of the process's events in between. None: it cannot be read, and
/// is nobody's. An error, without a key: it cannot be read, and may be any key's.
pub(super) fn read_one<P: Process>(recorded: &RecordedEvent, after: Position) -> Result<Option<Read>, ParkedKey> {
    let RecordedEvent { position, stream, type_name, .. } = recorded;
    let error = match codec::decode_foreign::<Event>(type_name, &recorded.data) {
        Ok(event) => return Ok(Some((recorded.id, Ok(event)))),
        Err(error) => error,
    };
    let fields = serde_json::from_str(&recorded.data).ok();
    let unread = Unread { category: &stream.category, stream: stream.id, type_name, fields: fields.as_ref() };
    // What operators do to others is read for the sake of their retries alone.
    let is_ours = P::EVENTS.iter().any(|prefix| type_name.starts_with(prefix));
    let owner = if is_ours { P::owner(&unread) } else { Owner::Nobody };
    let parked = |key| {
        let code = if codec::is_known::<Event>(type_name) { error.code() } else { DecodeCode::Unknown };
        let (position, type_name, reason) = (*position, type_name.clone(), error.to_string());
        ParkedKey { key, position, type_name, code, reason, after }
    };
    match owner {
        Owner::Key(key) => Ok(Some((recorded.id, Err(parked(key))))),
        Owner::Unknown => Err(parked(Uuid::nil())),
        Owner::Nobody => {
            tracing::warn!(process = P::NAME, position = position.value(), error = %error, "an event is passed over");
            Ok(None)
        }
    }
}
