//! The proof of a copy: both logs are read once, side by side, from their beginnings.

use std::vec;

use infrastructure::event_store::{Position, RecordedEvent};

use super::{
    super::{super::Failure, log::Log, progress::Progress},
    PAGE_EVENTS,
    checksum::Checksums,
    error::{CopyError, Place},
};

/// What was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) events: u64,
    pub(super) streams: usize,
    /// Over all streams, in the order of the log. Both logs have it.
    pub(super) digest: String,
}

/// Compares the source up to `until` with all of the target: every stream by its checksum, and the order of the whole.
/// Tells `seen` where each event stands in the one and in the other.
pub(super) async fn verify(
    source: &Log,
    until: Position,
    target: &Log,
    mut seen: impl FnMut(Position, Position),
) -> Result<Verified, Failure> {
    let mut progress = Progress::start("verify", 0, source.distance(Position::START, until));
    let mut checksums = Checksums::default();
    let (mut source, mut target) = (Reader::new(source, until), Reader::new(target, Position::new(u64::MAX)));
    loop {
        let (event, copy) = (source.next().await?, target.next().await?);
        let (Some(event), Some(copy)) = (&event, &copy) else {
            return match event.as_ref().or(copy.as_ref()) {
                Some(more) => Err(missing(&mut checksums, more, event.is_some()).into()),
                None => Ok(Verified {
                    events: checksums.events(),
                    streams: checksums.streams(),
                    digest: checksums.digest(),
                }),
            };
        };
        compare(&mut checksums, event, copy)?;
        seen(event.position, copy.position);
        progress.advance();
    }
}

fn compare(checksums: &mut Checksums, event: &RecordedEvent, copy: &RecordedEvent) -> Result<(), CopyError> {
    let checksum = checksums.of(&event.stream).with(event);
    let of_copy = checksums.of(&copy.stream).with(copy);
    let (place, place_of_copy) = (Place::from(event), Place::from(copy));
    if place != place_of_copy {
        return Err(CopyError::Differs(format!(
            "event {} of the source is {place}, with checksum {checksum}; of the target it is {place_of_copy}, with \
             checksum {of_copy}",
            checksums.events() + 1
        )));
    }
    if checksum != of_copy {
        return Err(CopyError::Differs(format!(
            "{place} has checksum {checksum} in the source and {of_copy} in the target; not the same: {}",
            differing(event, copy).join(", ")
        )));
    }
    checksums.take(event, checksum);
    Ok(())
}

/// One log has ended, and the other one has this event.
fn missing(checksums: &mut Checksums, more: &RecordedEvent, is_in_source: bool) -> CopyError {
    let (has, lacks) = if is_in_source { ("source", "target") } else { ("target", "source") };
    let without = checksums.of(&more.stream);
    CopyError::Differs(format!(
        "the {lacks} ends before {}, which the {has} has: checksum {} there, {without} in the {lacks}",
        Place::from(more),
        without.with(more)
    ))
}

fn differing(event: &RecordedEvent, copy: &RecordedEvent) -> Vec<&'static str> {
    let parts = [
        ("id", event.id == copy.id),
        ("type", event.type_name == copy.type_name),
        ("recorded time", event.recorded_at == copy.recorded_at),
        ("metadata", event.metadata == copy.metadata),
        ("data", event.data == copy.data),
    ];
    parts.into_iter().filter_map(|(name, is_same)| (!is_same).then_some(name)).collect()
}

/// The events of a log, one after the other.
struct Reader<'a> {
    log: &'a Log,
    until: Position,
    after: Position,
    is_end: bool,
    page: vec::IntoIter<RecordedEvent>,
}

impl<'a> Reader<'a> {
    fn new(log: &'a Log, until: Position) -> Self {
        Self { log, until, after: Position::START, is_end: false, page: Vec::new().into_iter() }
    }

    /// The next event, up to the end that is wanted.
    async fn next(&mut self) -> Result<Option<RecordedEvent>, Failure> {
        loop {
            if let Some(event) = self.page.next() {
                return Ok((event.position <= self.until).then_some(event));
            }
            if self.is_end || self.after >= self.until {
                return Ok(None);
            }
            let page = self.log.read_all(self.after, PAGE_EVENTS).await?;
            (self.after, self.is_end) = (page.scanned_to, page.is_end);
            self.page = page.events.into_iter();
        }
    }
}
