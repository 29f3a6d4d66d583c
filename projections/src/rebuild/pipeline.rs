//! The first stages of a rebuild: the log is scanned once and decoded once, for every model that is being built.

use std::sync::Arc;

use infrastructure::{
    event_store::{EventStore, Name, Position, RecordedEvent, StoreError, TypeFilter},
    lifecycle::Lifecycle,
};
use tokio::sync::mpsc;

use crate::{Decoded, decoded::Undecodable};

/// How many events one page of the scan holds.
const SCAN_PAGE_EVENTS: usize = 2_048;
/// How many pages may wait between two stages of the pipeline.
const PIPELINE_PAGES: usize = 3;

/// Events of a page, decoded where that is possible.
pub(super) type DecodedEvents = Vec<Result<Decoded, Undecodable>>;

/// A part of the log, decoded; and up to where it was looked at.
pub(super) type Page = (DecodedEvents, Position);

type Scanned = Result<(Vec<RecordedEvent>, Position), StoreError>;

/// Reads the log between two positions and decodes it, ahead of whoever takes the pages.
pub(super) fn start(
    events: Arc<dyn EventStore>,
    lifecycle: &Lifecycle,
    prefixes: &[&str],
    (after, target): (Position, Position),
) -> mpsc::Receiver<Result<Page, StoreError>> {
    let (page_sender, pages) = mpsc::channel(PIPELINE_PAGES);
    let (decoded_sender, decoded) = mpsc::channel(PIPELINE_PAGES);
    lifecycle.spawn(scan(events, TypeFilter::prefixes(prefixes), after, target, page_sender));
    tokio::task::spawn_blocking(move || decode(pages, &decoded_sender));
    decoded
}

/// First stage: reads the log.
async fn scan(
    events: Arc<dyn EventStore>,
    filter: TypeFilter,
    mut after: Position,
    target: Position,
    pages: mpsc::Sender<Scanned>,
) {
    while after < target {
        let page = events.read_all(after, &filter, SCAN_PAGE_EVENTS).await;
        let page = page.map(|mut page| {
            page.events.retain(|event| event.position <= target);
            after = page.scanned_to.min(target);
            (page.events, after)
        });
        let is_over = page.is_err();
        if pages.send(page).await.is_err() || is_over {
            return;
        }
    }
}

/// Second stage: decodes, on a thread of its own.
fn decode(mut pages: mpsc::Receiver<Scanned>, decoded: &mpsc::Sender<Result<Page, StoreError>>) {
    while let Some(page) = pages.blocking_recv() {
        let page = page.map(|(events, scanned_to)| (events.iter().map(Decoded::or_why).collect(), scanned_to));
        let is_over = page.is_err();
        if decoded.blocking_send(page).is_err() || is_over {
            return;
        }
    }
}

/// The type of an event, decoded or not.
pub(super) fn type_name(event: &Result<Decoded, Undecodable>) -> &Name {
    match event {
        Ok(event) => &event.type_name,
        Err(event) => &event.place.type_name,
    }
}

/// The position of an event, decoded or not.
pub(super) fn position(event: &Result<Decoded, Undecodable>) -> Position {
    match event {
        Ok(event) => event.position,
        Err(event) => event.place.position,
    }
}
