//! What a run has to tell.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use tests::proxy::FaultKind;

use super::{
    RESUME,
    bench::Link,
    load::{Acked, Load},
    schedule::Planned,
};

/// What happened, and how long it took until everything went on.
#[derive(Debug, Default)]
pub(super) struct Report {
    fired: BTreeMap<(Link, FaultKind), u64>,
    /// Connections, callers and messages that were hit.
    hits: u64,
    /// Faults that found nothing to hit.
    missed: u64,
    /// How long faults lasted.
    lasted: Vec<Duration>,
    /// From a fault until each process said that it was not ready.
    pub(super) not_ready: Vec<Duration>,
    /// From the healing until each process took a command,
    pub(super) answered: Vec<Duration>,
    /// each subscriber was told of it,
    pub(super) resumed: Vec<Duration>,
    /// the read model had it,
    pub(super) folded: Vec<Duration>,
    /// and all were ready.
    pub(super) ready: Vec<Duration>,
    pub(super) reconnected: u64,
}

impl Report {
    pub(super) fn count(&mut self, planned: &Planned, hits: u64, lasted: Duration) {
        if hits == 0 {
            self.missed += 1;
            assert!(self.missed <= 3 + self.lasted.len() as u64 / 5, "too many faults hit nothing, last {planned:?}");
            return;
        }
        *self.fired.entry((planned.link, planned.fault.kind())).or_default() += 1;
        self.hits += hits;
        self.lasted.push(lasted);
    }

    /// How many faults have happened.
    pub(super) fn faults(&self) -> usize {
        self.lasted.len()
    }

    /// How many were tried.
    pub(super) fn tries(&self) -> u64 {
        self.lasted.len() as u64 + self.missed
    }

    /// How often a fault of this kind has happened.
    pub(super) fn fired(&self, kind: FaultKind) -> u64 {
        self.fired.iter().filter(|((_, fired), _)| *fired == kind).map(|(_, count)| count).sum()
    }

    pub(super) fn text(&self, acked: &BTreeMap<String, Acked>, load: &Load, connections: &[Vec<usize>; 3]) -> String {
        let mut text = format!(
            "connection faults: {} happened ({} connections, callers and messages hit), {} found nothing to hit\n",
            self.faults(),
            self.hits,
            self.missed
        );
        let _ = writeln!(text, "  {:<14}{:>8}{:>8}{:>8}", "kind", "events", "rows", "clients");
        for kind in FaultKind::ALL {
            let [events, rows, clients] =
                Link::ALL.map(|link| self.fired.get(&(link, kind)).copied().unwrap_or_default());
            let _ = writeln!(text, "  {:<14}{events:>8}{rows:>8}{clients:>8}", format!("{kind:?}"));
        }
        let _ = writeln!(text, "  faults lasted: {}", times(&self.lasted));
        let _ = writeln!(text, "  from a fault until readiness is red: {}", times(&self.not_ready));
        let late = self.resumed.iter().filter(|resumed| **resumed > RESUME).count();
        let _ = writeln!(
            text,
            "  from healing until a subscriber is told of a new order: {}, {late} over {RESUME:?}",
            times(&self.resumed)
        );
        let _ = writeln!(text, "  until a command is taken: {}", times(&self.answered));
        let _ = writeln!(text, "  until the read model has it: {}", times(&self.folded));
        let _ = writeln!(text, "  until everybody is ready: {}", times(&self.ready));
        let _ = writeln!(
            text,
            "  {} commands acknowledged, each once in the log; {} recognised on resend; {} reconnections of subscribers, \
             0 changes skipped, doubled or reordered; other answers: {:?}",
            acked.len(),
            load.repeats(),
            self.reconnected,
            load.errors()
        );
        let _ = write!(text, "  connections at the end to events, rows, from clients: {connections:?}");
        text
    }
}

/// How many, the median, nine of ten, and the longest.
fn times(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |part: usize| sorted.get((sorted.len() * part / 100).min(sorted.len().saturating_sub(1)));
    let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
    format!(
        "{} times, median {:.2} s, 90 of 100 within {:.2} s, longest {:.2} s",
        times.len(),
        seconds(at(50)),
        seconds(at(90)),
        seconds(sorted.last())
    )
}
