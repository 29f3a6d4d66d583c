//! How far rebuilds are, to their end: a bar for each on a terminal, a line now and then in a pipe.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    poll::{LINE_INTERVAL, POLL_INTERVAL, Poll},
    view::Rebuild,
};
use crate::roles::{
    Failure, asked_to_stop,
    client::Client,
    output::{is_watched, note},
};

/// A rebuild that is over.
pub(super) struct Ended {
    /// Of which projection.
    pub(super) name: String,
    /// How it ended.
    pub(super) rebuild: Rebuild,
    /// The same as it was answered.
    pub(super) answer: Value,
}

#[derive(Deserialize)]
struct Answer {
    projections: Vec<OfProjection>,
}

#[derive(Deserialize)]
struct OfProjection {
    name: String,
    rebuild: Option<Value>,
}

/// Shows how far the rebuilds of these projections are until all of them are over. They go on if this is interrupted.
pub(super) async fn follow(client: &Client, names: &[String]) -> Result<Vec<Ended>, Failure> {
    let mut poll = Poll::new(client);
    let mut display = Display::new(names);
    let mut generations: Option<Vec<i64>> = None;
    let stop = asked_to_stop();
    tokio::pin!(stop);
    loop {
        let rebuilds = tokio::select! {
            rebuilds = rebuilds_of(&mut poll, names) => rebuilds?,
            () = &mut stop => return Err(interrupted(client, names)),
        };
        let now: Vec<i64> = rebuilds.iter().map(|ended| ended.rebuild.generation).collect();
        if generations.get_or_insert_with(|| now.clone()) != &now {
            return Err(lost("another rebuild has begun before this one was seen to end"));
        }
        if rebuilds.iter().all(|ended| ended.rebuild.is_over()) {
            return Ok(rebuilds);
        }
        display.show(&rebuilds);
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = &mut stop => return Err(interrupted(client, names)),
        }
    }
}

/// The rebuild of each of these projections, the one that goes on or the last one.
pub(super) async fn rebuilds_of(poll: &mut Poll<'_>, names: &[String]) -> Result<Vec<Ended>, Failure> {
    let document = "query Rebuilds { projections { name rebuild { projection generation phase done total resumedAt \
        events parkedKeys rate elapsedSeconds heldBackSeconds remainingSeconds \
        verified { rows checksum sampled invariants } error } } }";
    let Answer { mut projections } = poll.ask(document, &json!({})).await?;
    let mut rebuilds = Vec::new();
    for name in names {
        let found = projections.iter_mut().find(|projection| projection.name == *name);
        let answer = found.and_then(|projection| projection.rebuild.take());
        let answer = answer.ok_or_else(|| lost("the server has no word of the rebuild"))?;
        let rebuild = Client::parsed(answer.clone())?;
        rebuilds.push(Ended { name: name.clone(), rebuild, answer });
    }
    Ok(rebuilds)
}

fn lost(why: &str) -> Failure {
    let advice = "see `millrace projections show` and the server's log; what served before serves on until a switch";
    Failure::said("REBUILD_LOST", why, advice)
}

fn interrupted(client: &Client, names: &[String]) -> Failure {
    let names = names.join(" ");
    if client.is_alone() {
        let message = format!("the rebuild of {names} is not finished");
        let advice = "the next start goes on with what is written of it; if nothing is yet, order it again";
        return Failure::said("REBUILD_UNFINISHED", message, advice);
    }
    let message = format!("the rebuild of {names} goes on in the server; only its progress is shown no longer");
    Failure::said("REBUILD_GOES_ON", message, "see how far it is with `millrace projections watch`")
}

/// What is seen of rebuilds meanwhile.
struct Display {
    /// One for each; none if nobody watches.
    bars: Vec<ProgressBar>,
    last_line: Option<Instant>,
}

impl Display {
    fn new(names: &[String]) -> Self {
        let mut bars = Vec::new();
        if is_watched() {
            let all = MultiProgress::new();
            let width = names.iter().map(String::len).max().unwrap_or(0);
            for name in names {
                let bar = all.add(ProgressBar::new(1).with_prefix(format!("{name:width$}")));
                let style = ProgressStyle::with_template("{prefix} {bar:40} {percent:>3} % {msg}");
                bars.push(if let Ok(style) = style { bar.with_style(style) } else { bar });
            }
        }
        Self { bars, last_line: None }
    }

    fn show(&mut self, rebuilds: &[Ended]) {
        for (bar, Ended { rebuild, .. }) in self.bars.iter().zip(rebuilds) {
            bar.set_length(rebuild.total.max(1));
            bar.set_position(rebuild.done);
            bar.set_message(rebuild.words());
        }
        if self.bars.is_empty() && self.last_line.is_none_or(|last| last.elapsed() >= LINE_INTERVAL) {
            let each = rebuilds.iter().map(|Ended { name, rebuild, .. }| format!("{name}: {}", rebuild.words()));
            note(&each.collect::<Vec<_>>().join("; "));
            self.last_line = Some(Instant::now());
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        for bar in &self.bars {
            bar.finish_and_clear();
        }
    }
}
