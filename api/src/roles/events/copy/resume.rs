//! Where a copy goes on. The target itself is the truth: no file beside it says how far it is.
//!
//! What the target holds must be the beginning of the source. One side is always the embedded store, whose positions
//! count: it tells how many events there are, and can be asked for each of them.

use infrastructure::event_store::{Position, RecordedEvent};

use super::{
    super::{super::Failure, log::Log},
    error::{CopyError, Place},
};
use crate::cli::EventsSide;

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Everything of the source up to here is in the target.
    pub(super) after: Position,
    /// So many events.
    pub(super) there: u64,
}

/// Looks where to go on. Refuses a target that holds anything but the beginning of the source.
pub(super) async fn start(source: &Log, target: &Log, from: EventsSide) -> Result<Start, Failure> {
    let start = match from {
        EventsSide::Embedded => of_counted_source(source, target).await?,
        EventsSide::EventStoreDb => of_counted_target(source, target).await?,
    };
    if start.there > 0 {
        // The cheapest sign of another log. That all in between is the same, the verification says.
        let (first, copy) = (source.first_after(Position::START).await?, target.first_after(Position::START).await?);
        if let (Some(first), Some(copy)) = (first, copy)
            && !is_same(&first, &copy)
        {
            let (first, copy) = (Place::from(&first), Place::from(&copy));
            return Err(CopyError::TargetDiffers(format!("it begins with {copy}, the source with {first}")).into());
        }
    }
    Ok(start)
}

/// The target is elsewhere: some event of the source is the last one that is there.
async fn of_counted_source(source: &Log, target: &Log) -> Result<Start, Failure> {
    let (mut there, mut beyond) = (0, source.head().await?.value() + 1);
    while beyond - there > 1 {
        let middle = there.midpoint(beyond);
        let event = event_at(source, middle).await?;
        if target.event_of(&event.stream, event.revision).await?.is_some() { there = middle } else { beyond = middle }
    }
    let mut end = Position::START;
    if there > 0 {
        let last = event_at(source, there).await?;
        let copy = target.event_of(&last.stream, last.revision).await?;
        end = copy.filter(|copy| is_same(&last, copy)).ok_or_else(|| has_another(&last))?.position;
    }
    match target.first_after(end).await? {
        None => Ok(Start { after: Position::new(there), there }),
        Some(more) => {
            let what = format!("it has {}, which the source does not have there", Place::from(&more));
            Err(CopyError::TargetDiffers(what).into())
        }
    }
}

/// The target counts: its last event is somewhere in the source.
async fn of_counted_target(source: &Log, target: &Log) -> Result<Start, Failure> {
    let there = target.head().await?.value();
    if there == 0 {
        return Ok(Start { after: Position::START, there });
    }
    let last = event_at(target, there).await?;
    match source.event_of(&last.stream, last.revision).await? {
        Some(event) if is_same(&event, &last) => Ok(Start { after: event.position, there }),
        Some(_) => Err(has_another(&last).into()),
        None => {
            let what = format!("it ends with {}, which the source does not have", Place::from(&last));
            Err(CopyError::TargetDiffers(what).into())
        }
    }
}

fn has_another(event: &RecordedEvent) -> CopyError {
    CopyError::TargetDiffers(format!("it has another event at {}", Place::from(event)))
}

/// The event with this number in a log that counts.
async fn event_at(log: &Log, number: u64) -> Result<RecordedEvent, Failure> {
    log.event_at(Position::new(number)).await?.ok_or_else(|| {
        let message = format!("there is no event at position {number} of the embedded event store");
        Failure::said("EVENTS_DAMAGED", message, "`millrace events check --structure` says more; restore a backup")
    })
}

/// Whether it is the same event, wherever it stands.
pub(super) fn is_same(one: &RecordedEvent, other: &RecordedEvent) -> bool {
    RecordedEvent { position: one.position, ..other.clone() } == *one
}
