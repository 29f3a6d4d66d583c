//! How far a long command is: a bar on a terminal, a line now and then in a pipe.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::output::{is_watched, note};

/// How often a line is written where nobody watches a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// After how many events the clock is looked at.
const LOOK_EVENTS: u64 = 1_024;

/// The events done, of those there are.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Progress {
    /// Of work that is called `what` on so many events, of which some are done already.
    pub(super) fn start(what: &'static str, done: u64, total: u64) -> Self {
        let bar = is_watched().then(|| {
            let bar = ProgressBar::new(total).with_position(done).with_prefix(what);
            match ProgressStyle::with_template("{prefix} {bar:40} {percent:>3} % {human_pos} events, {eta} left") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { what, total, done, bar, last_line: Instant::now() }
    }

    /// So many are left, as far as is known now: where positions are no counters, the total is an estimate.
    pub(super) fn left(&mut self, left: u64) {
        self.total = self.done + left;
        if let Some(bar) = &self.bar {
            bar.set_length(self.total);
        }
    }

    /// One more event is done.
    pub(super) fn advance(&mut self) {
        self.done += 1;
        if !self.done.is_multiple_of(LOOK_EVENTS) {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if self.last_line.elapsed() >= LINE_INTERVAL {
            note(&format!("{}: {}/{} events", self.what, self.done, self.total));
            self.last_line = Instant::now();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
