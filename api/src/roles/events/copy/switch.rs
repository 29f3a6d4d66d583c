//! Whether a copy can take the place of its source, and how.

use std::fmt;

use infrastructure::event_store::Position;

use super::{
    super::{super::Failure, log::Log},
    error::CopyError,
    transfer::Copied,
    verify::Verified,
};
use crate::{
    bootstrap::StartError,
    cli::{EventsCopyArgs, EventsSide},
    config::Config,
    data_dir::DataDir,
};

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(f, "copied {} events in {seconds:.1} s", self.events)?;
        if self.events == 0 {
            return Ok(());
        }
        // A number of events is exact in a float for longer than anybody copies.
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.events as f64 / seconds.max(f64::EPSILON);
        write!(f, ", {rate:.0} a second")
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, streams, digest } = self;
        write!(
            f,
            "verified: {events} events of {streams} streams are the same in both, in the same order\ndigest {digest}"
        )
    }
}

/// What to do next with a copy that is verified up to here.
pub(super) async fn advice(
    config: &Config,
    args: &EventsCopyArgs,
    source: &Log,
    until: Position,
) -> Result<String, Failure> {
    // Before the look at what was appended: whoever stops in between has appended before.
    let is_served =
        args.from == EventsSide::Embedded && DataDir::is_in_use(&config.data_dir).map_err(StartError::from)?;
    let reason = if is_served {
        format!("a server has the data directory `{}`", config.data_dir.display())
    } else if source.first_after(until).await?.is_some() {
        "events were appended meanwhile".to_owned()
    } else {
        return Ok(steps(config, args.to));
    };
    Ok(format!("not ready to switch: {reason}\nstop the servers on it, then run the same command again"))
}

/// Refuses a source that has more than was copied.
pub(super) async fn refuse_grown(source: &Log, until: Position) -> Result<(), Failure> {
    match source.first_after(until).await? {
        None => Ok(()),
        Some(_) => Err(CopyError::NotReady("events were appended meanwhile".to_owned()).into()),
    }
}

/// How the servers come to run on the copy.
pub(super) fn steps(config: &Config, to: EventsSide) -> String {
    match to {
        EventsSide::EventStoreDb => {
            "ready to switch: start the servers with `event_store.url` set, as in these settings; \
                                     no server may run on the embedded store any more"
                .to_owned()
        }
        EventsSide::Embedded => format!(
            "ready to switch, if no server runs on the event store of these settings any more: start `millrace` with \
             `data_dir` {} and without `event_store.url`",
            config.data_dir.display()
        ),
    }
}
