//! `millrace events export`: the log up to a position, as files.

use std::path::Path;

use infrastructure::event_store::{AllPage, Position};

use super::{
    super::{Failure, output::print},
    archive::{ArchiveError, ArchiveWriter, Manifest, Wanted},
    log::Log,
    progress::Progress,
};
use crate::{cli::EventsExportArgs, config::Config};

/// How many events are read at once.
const PAGE_EVENTS: usize = 8_192;

/// Exports, or goes on with an export.
pub(super) async fn run(config: &Config, args: &EventsExportArgs) -> Result<(), Failure> {
    let events = Log::open(config).await?;
    let head = events.head().await?.value();
    if let Some(until) = args.until.filter(|until| *until > head) {
        return Err(Failure {
            code: "POSITION_BEYOND_END".into(),
            message: format!("the log ends at position {head}, before {until}"),
            // An export as of a position must never change, so the position must be there.
            advice: "leave out `--until` to export all there is now".to_owned(),
            exit_code: 2,
        });
    }
    let wanted = Wanted { until: args.until, part_events: args.part_events, resume: args.resume, head };
    let archive = ArchiveWriter::open(&args.to, &wanted)?;
    refuse_other_store(&events, &archive, &args.to).await?;
    let is_complete = archive.manifest().is_complete;
    let manifest = if is_complete { archive.manifest().clone() } else { write(&events, archive).await? };
    print(&summary(&manifest, &args.to));
    Ok(())
}

/// An export that is gone on with must be of this log: its last event stands in the log where it says.
async fn refuse_other_store(events: &Log, archive: &ArchiveWriter, dir: &Path) -> Result<(), Failure> {
    let Some(earlier) = archive.earlier() else { return Ok(()) };
    if events.event_at(earlier.position).await?.as_ref() == Some(earlier) {
        return Ok(());
    }
    let what = format!("it is of another event store, which has another event at position {}", earlier.position);
    Err(ArchiveError::Mismatch { dir: dir.to_owned(), what }.into())
}

async fn write(events: &Log, mut archive: ArchiveWriter) -> Result<Manifest, Failure> {
    let as_of = archive.manifest().as_of;
    let left = |after: Position| events.distance(after, Position::new(as_of));
    let there = archive.manifest().count;
    let mut progress = Progress::start("export", there, there + left(archive.position()));
    let read = async |after: Position| events.read_all(after, PAGE_EVENTS).await;
    let mut page = read(archive.position()).await?;
    let mut write = |page: &AllPage| {
        for event in page.events.iter().take_while(|event| event.position.value() <= as_of) {
            archive.add(event)?;
            progress.advance();
        }
        progress.left(left(page.scanned_to));
        Ok::<_, Failure>(())
    };
    while !page.is_end && page.scanned_to.value() < as_of {
        // The next page is read while this one is written.
        let (next, written) = tokio::join!(read(page.scanned_to), async { write(&page) });
        written?;
        page = next?;
    }
    write(&page)?;
    drop(progress);
    Ok(archive.finish()?)
}

fn summary(manifest: &Manifest, dir: &Path) -> String {
    format!(
        "{} holds {} events in {} parts, as of position {}\ndigest {}",
        dir.display(),
        manifest.count,
        manifest.parts.len(),
        manifest.as_of,
        manifest.digest
    )
}
