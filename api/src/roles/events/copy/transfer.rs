//! The way from one log into the other, page by page.

use std::{
    future::{pending, ready},
    time::{Duration, Instant},
};

use infrastructure::event_store::{AllPage, Position};

use super::{
    super::{
        super::{Failure, asked_to_stop, output::note},
        log::Log,
        progress::Progress,
    },
    PAGE_EVENTS,
    ends::Target,
    resume::Start,
};

/// How often the end of the source is looked at while it is followed. Its writer is another process.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);
/// How often it is told how far the copy is while the source is followed.
const TELL_INTERVAL: Duration = Duration::from_secs(5);

/// What was copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    /// Everything of the source up to here is in the target.
    pub(super) until: Position,
    /// So many events were copied now.
    pub(super) events: u64,
    /// In this time.
    pub(super) took: Duration,
}

/// Copies to the end of the source; with `follows`, what is appended meanwhile too, until this process is asked to stop.
pub(super) async fn transfer(source: &Log, target: &Target, start: Start, follows: bool) -> Result<Copied, Failure> {
    let mut copied = Copied { until: start.after, events: 0, took: Duration::ZERO };
    let stop = async { if follows { asked_to_stop().await } else { pending().await } };
    tokio::pin!(stop);
    let mut teller = Teller { last: None };
    let mut progress = Progress::start("copy", start.there, start.there);
    let mut page = source.read_all(copied.until, PAGE_EVENTS).await?;
    loop {
        let (is_end, until, events) = (page.is_end, page.scanned_to, page.events.len());
        progress.left(events as u64 + source.distance(until, source.head().await?));
        let started = Instant::now();
        let next = write_and_read(source, target, page).await?;
        (0..events).for_each(|_| progress.advance());
        copied.events += events as u64;
        if events > 0 {
            copied.took += started.elapsed();
        }
        copied.until = until;
        if follows && is_end {
            teller.tell(start.there + copied.events);
        }
        tokio::select! {
            biased;
            () = &mut stop => return Ok(copied),
            () = tokio::time::sleep(FOLLOW_INTERVAL), if is_end && follows => {}
            () = ready(()), if !is_end => {}
            () = ready(()), if is_end && !follows => return Ok(copied),
        }
        page = match next {
            Some(next) => next,
            None => source.read_all(until, PAGE_EVENTS).await?,
        };
    }
}

/// Writes a page; the next one is read meanwhile, if there is one.
async fn write_and_read(source: &Log, target: &Target, page: AllPage) -> Result<Option<AllPage>, Failure> {
    let AllPage { events, scanned_to, is_end } = page;
    if is_end {
        target.write(events).await?;
        return Ok(None);
    }
    let (written, next) = tokio::join!(target.write(events), source.read_all(scanned_to, PAGE_EVENTS));
    written?;
    next.map(Some)
}

/// Tells now and then that the copy is where the source is.
struct Teller {
    /// When, and at how many events.
    last: Option<(Instant, u64)>,
}

impl Teller {
    fn tell(&mut self, events: u64) {
        match self.last {
            None => note(&format!("follow: {events} events are copied, nothing is left; Ctrl-C ends it and verifies")),
            Some((when, told)) if told != events && when.elapsed() >= TELL_INTERVAL => {
                note(&format!("follow: {events} events are copied, nothing is left"));
            }
            Some(_) => return,
        }
        self.last = Some((Instant::now(), events));
    }
}
