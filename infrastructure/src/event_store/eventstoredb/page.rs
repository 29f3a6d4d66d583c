//! What makes a page: the rules that need no server.

use super::super::{
    AllPage, Direction, Position, RecordedEvent, Revision, StoreError, StreamId, StreamPage, TypeFilter,
};

/// An event of the log that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Where it lies.
    pub(super) position: Position,
    /// The event, if it is in one of our streams and not the server's own.
    pub(super) event: Option<RecordedEvent>,
}

/// The page of the log after `after` out of what the server gave. `head` was the last position before that, and
/// `is_whole` says that the server had no more.
pub(super) fn of_log(
    after: Position,
    head: Position,
    seen: Vec<Seen>,
    is_whole: bool,
    filter: &TypeFilter,
    limit: usize,
) -> Result<AllPage, StoreError> {
    let (mut events, mut scanned_to, mut is_cut) = (Vec::new(), after, false);
    // A read begins with the event at the position itself.
    for seen in seen.into_iter().skip_while(|seen| seen.position <= after) {
        if events.len() >= limit {
            is_cut = true;
            break;
        }
        if seen.position <= scanned_to {
            return Err(StoreError::Corrupt(format!(
                "the log is out of order: {} comes after {scanned_to}",
                seen.position
            )));
        }
        scanned_to = seen.position;
        events.extend(seen.event.filter(|event| filter.passes(&event.type_name)));
    }
    if is_whole && !is_cut {
        scanned_to = scanned_to.max(head);
    }
    Ok(AllPage { events, scanned_to, is_end: scanned_to >= head })
}

/// The page of a stream out of what the server gave: at most one event more than `limit`. `is_whole` says that the
/// server had no more.
pub(super) fn of_stream(
    stream: &StreamId,
    from: Revision,
    direction: Direction,
    limit: usize,
    mut events: Vec<RecordedEvent>,
    is_whole: bool,
) -> Result<StreamPage, StoreError> {
    let is_in_order = |pair: &[RecordedEvent]| match direction {
        Direction::Forwards => pair[0].revision.value() + 1 == pair[1].revision.value(),
        Direction::Backwards => pair[1].revision.value() + 1 == pair[0].revision.value(),
    };
    if let Some(pair) = events.windows(2).find(|pair| !is_in_order(pair)) {
        let (before, after) = (pair[0].revision.value(), pair[1].revision.value());
        return Err(StoreError::Corrupt(format!("stream {stream} has a gap: revision {after} comes after {before}")));
    }
    let oldest = match direction {
        Direction::Forwards => events.first().filter(|first| first.revision > from),
        Direction::Backwards => events.last().filter(|last| is_whole && last.revision > Revision::FIRST),
    };
    if let Some(oldest) = oldest {
        return Err(StoreError::Corrupt(format!(
            "stream {stream} was truncated: its first event is revision {}; such streams must keep all events, \
             without $maxAge, $maxCount or $tb, and must not be deleted",
            oldest.revision.value()
        )));
    }
    let is_end = is_whole && events.len() <= limit;
    events.truncate(limit);
    Ok(StreamPage { events, is_end })
}

#[cfg(test)]
mod tests;
