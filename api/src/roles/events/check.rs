//! `millrace events check`: what this build could not read of the log, before it is deployed.

use std::{
    collections::{BTreeMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use domain::{Event, EventPayload as _};
use infrastructure::{
    codec::{self, DecodeError},
    event_store::{EVENT_BYTES_MAX, Position, RecordedEvent, StoreError},
};

use super::{
    super::{
        Failure,
        output::{note, print, try_print},
    },
    log::Log,
    progress::Progress,
};
use crate::{cli::EventsCheckArgs, config::Config};

/// How many events are read at once.
const PAGE_EVENTS: usize = 8_192;

/// What is wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    /// This build has no such type.
    UnknownType,
    /// It has the type, but cannot read the event.
    Undecodable(String),
    /// It is larger than an event may be, so no store would take it again.
    TooLarge(usize),
}

impl Finding {
    /// Names its kind.
    const fn kind(&self) -> &'static str {
        match self {
            Self::UnknownType => "unknown type",
            Self::Undecodable(_) => "does not decode",
            Self::TooLarge(_) => "too large",
        }
    }

    /// Says it in full.
    fn text(&self) -> String {
        match self {
            Self::UnknownType => "this build does not know the type".to_owned(),
            Self::Undecodable(error) => error.clone(),
            Self::TooLarge(bytes) => format!("it has {bytes} bytes, more than {EVENT_BYTES_MAX}"),
        }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings {
    /// How many events there are with a finding.
    events: u64,
    /// How many findings there are, by type and kind.
    by_type: BTreeMap<(String, &'static str), u64>,
}

/// Looks at every event that there is now.
pub(super) async fn run(config: &Config, args: &EventsCheckArgs) -> Result<(), Failure> {
    let events = Log::open(config).await?;
    if args.structure {
        check_structure(&events).await?;
    }
    let (checked, findings) = check_events(&events, args.limit).await?;
    if findings.events == 0 {
        print(&format!("{checked} events: this build reads all of them"));
        return Ok(());
    }
    for ((type_name, kind), count) in &findings.by_type {
        print(&format!("{type_name}: {count} {kind}"));
    }
    Err(Failure {
        code: "EVENTS_UNREADABLE".into(),
        message: format!("{} of {checked} events fail with this build", findings.events),
        advice: "do not deploy it on this data: give old forms an upcaster, and keep the types that are stored"
            .to_owned(),
        exit_code: 1,
    })
}

async fn check_structure(events: &Log) -> Result<(), Failure> {
    let Log::File(file) = events else {
        let message = "the structure of an events.db can be checked, and the settings name another event store";
        let advice = "leave out `--structure`: every event is read anyway; the event store checks its own files";
        return Err(Failure::said("STRUCTURE_NOT_OURS", message, advice).typed());
    };
    note("checking the structure of events.db; on a large one this takes minutes");
    file.verify().await.map_err(|error| match error {
        StoreError::Corrupt(_) => Failure::new(
            "EVENTS_DAMAGED",
            &error,
            "check the device; restore a backup or import an export (docs/operations/embedded.md)",
        ),
        StoreError::Full | StoreError::Unavailable(_) | StoreError::Stopped(_) | StoreError::Format(_) => {
            events.failure(&error)
        }
    })?;
    print("the structure of events.db is whole");
    Ok(())
}

/// Gives how many events there are, and what is wrong with them; lists the first `limit` findings.
async fn check_events(events: &Log, limit: usize) -> Result<(u64, Findings), Failure> {
    let head = events.head().await?;
    let known = known_types();
    let (mut checked, mut listed, mut after) = (0, 0, Position::START);
    let mut findings = Findings::default();
    let mut progress = Progress::start("check", 0, events.distance(after, head));
    while after < head {
        let page = events.read_all(after, PAGE_EVENTS).await?;
        after = page.scanned_to;
        for event in page.events.iter().filter(|event| event.position <= head) {
            checked += 1;
            let found = check(event, &known);
            for finding in &found {
                let is_listed = listed < limit && try_print(&line(event, finding));
                listed += usize::from(is_listed);
                *findings.by_type.entry((event.type_name.to_string(), finding.kind())).or_default() += 1;
            }
            findings.events += u64::from(!found.is_empty());
            progress.advance();
        }
        progress.left(events.distance(after, head));
        if page.is_end {
            break;
        }
    }
    Ok((checked, findings))
}

/// Every stored name that this build reads: those it writes, and those it lifts.
fn known_types() -> HashSet<&'static str> {
    let old = domain::upcasters().into_iter().map(|step| step.from);
    Event::types().into_iter().chain(old).collect()
}

fn check(event: &RecordedEvent, known: &HashSet<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    if known.contains(&*event.type_name) {
        found.extend(decode(event).err().map(|error| Finding::Undecodable(error.to_string())));
    } else {
        found.push(Finding::UnknownType);
    }
    let bytes = event.metadata.len() + event.data.len();
    if bytes > EVENT_BYTES_MAX {
        found.push(Finding::TooLarge(bytes));
    }
    found
}

/// A panicking upcaster is a failure of that event.
fn decode(event: &RecordedEvent) -> Result<Event, DecodeError> {
    catch_unwind(AssertUnwindSafe(|| codec::decode::<Event>(&event.type_name, &event.data)))
        .unwrap_or_else(|_| Err(DecodeError::Panicked { type_name: event.type_name.to_string() }))
}

fn line(event: &RecordedEvent, finding: &Finding) -> String {
    format!(
        "position {} stream {} revision {} type {}: {}",
        event.position,
        event.stream,
        event.revision.value(),
        event.type_name,
        finding.text()
    )
}

#[cfg(test)]
mod tests;
