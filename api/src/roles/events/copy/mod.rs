//! `millrace events copy`: the whole log in another kind of event store, event for event.
//!
//! Everything but the positions stays: streams, revisions, ids, types, times, bytes, and the order of the whole log.
//! **Invariant:** at any moment the target holds the beginning of the source and nothing else. So a copy that was killed
//! goes on where the target ends, and needs nothing to remember it by.
//!
//! The time of an event is kept by every store beside its metadata (`NewEvent::at`), so a copy has the time of the
//! original.

mod appends;
mod checksum;
mod ends;
mod error;
mod resume;
mod rows;
mod switch;
mod transfer;
mod verify;

use super::{
    super::{
        Failure, asked_to_stop,
        output::{note, print},
    },
    log::Log,
};
use crate::{
    bootstrap::StartError,
    cli::{EventsCopyArgs, EventsSide},
    config::Config,
    data_dir::DataDir,
};
use ends::Target;
use error::CopyError;
use rows::Rows;
use transfer::Copied;
use verify::Verified;

/// How many events are read at once.
const PAGE_EVENTS: usize = 2_048;

/// Copies, or goes on with a copy; verifies it, and says whether it can take the source's place.
pub(super) async fn run(config: &Config, args: &EventsCopyArgs) -> Result<(), Failure> {
    if args.from == args.to {
        return Err(CopyError::SameSide.into());
    }
    if config.event_store.url.is_none() {
        return Err(CopyError::NoUrl.into());
    }
    let source = ends::source(config, args.from).await?;
    // No server may write to the file meanwhile, or start on a read store that is being changed.
    let is_ours = args.to == EventsSide::Embedded || args.checkpoints;
    let _data_dir = is_ours.then(|| DataDir::open(&config.data_dir)).transpose().map_err(StartError::from)?;
    let target = Target::open(config, args.to).await?;
    let rows = if args.checkpoints { Some(Rows::open(config, &source, &target.log).await?) } else { None };
    let start = resume::start(&source, &target.log, args.from).await?;
    if start.there > 0 {
        note(&format!("the target holds the first {} events already", start.there));
    }
    let copied = transfer::transfer(&source, &target, start, args.follow).await?;
    print(&copied.to_string());
    match rows {
        None => {
            let verified = verified(&source, copied, &target, args.follow).await?;
            print(&verified.to_string());
            print(&switch::advice(config, args, &source, copied.until).await?);
        }
        Some(mut rows) => {
            let verified = verify::verify(&source, copied.until, &target.log, |from, to| rows.see(from, to)).await?;
            print(&verified.to_string());
            switch::refuse_grown(&source, copied.until).await?;
            print(rows.carry_over(&target.log).await?);
            print(&switch::steps(config, args.to));
        }
    }
    Ok(())
}

/// Verifies. Whoever has ended the following with Ctrl-C can end this, too.
async fn verified(source: &Log, copied: Copied, target: &Target, follows: bool) -> Result<Verified, Failure> {
    let verify = verify::verify(source, copied.until, &target.log, |_, _| {});
    if !follows {
        return verify.await;
    }
    tokio::select! {
        verified = verify => verified,
        () = asked_to_stop() => Err(CopyError::Unverified.into()),
    }
}
