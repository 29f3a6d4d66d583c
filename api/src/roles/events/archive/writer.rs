//! Writing an export, from its beginning or from where it was interrupted.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

use infrastructure::event_store::{Position, RecordedEvent};

use super::{ArchiveError, Manifest, PartSizing, files, files::Draft, io_error, line, manifest::Part, reader};

/// What somebody wants to export.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The last position to take; none for the head.
    pub(crate) until: Option<u64>,
    /// The most events of a part; none for the usual.
    pub(crate) part_events: Option<u64>,
    /// Whether an export that is there is to be gone on with.
    pub(crate) resume: bool,
    /// The head of the log.
    pub(crate) head: u64,
}

/// An export under way. Dropped, it leaves what can be resumed.
#[derive(Debug)]
pub(crate) struct ArchiveWriter {
    dir: PathBuf,
    manifest: Manifest,
    part: Option<PartDraft>,
    /// The last event that an earlier run has written.
    earlier: Option<RecordedEvent>,
    _lock: Option<File>,
}

/// The part that is being written.
#[derive(Debug)]
struct PartDraft {
    draft: Draft,
    count: u64,
    first_position: u64,
    last_position: u64,
}

impl Wanted {
    /// A part takes this many events, if nothing else is said.
    pub(crate) const PART_EVENTS: u64 = 50_000;
    /// A part of this size takes no more events (64 MiB).
    const PART_BYTES: u64 = 64 * 1024 * 1024;

    fn manifest(&self) -> Manifest {
        let events = self.part_events.unwrap_or(Self::PART_EVENTS);
        Manifest::new(self.until.unwrap_or(self.head), PartSizing { events, bytes: Self::PART_BYTES })
    }

    /// In what an export that is there differs from this one.
    fn mismatch(&self, there: &Manifest) -> Option<String> {
        if self.until.is_some_and(|until| until != there.as_of) {
            return Some(format!("it goes up to position {}", there.as_of));
        }
        if self.part_events.is_some_and(|events| events != there.part_sizing.events) {
            return Some(format!("its parts hold {} events", there.part_sizing.events));
        }
        (there.as_of > self.head).then(|| format!("it is of another event store, which has position {}", there.as_of))
    }
}

impl ArchiveWriter {
    /// Begins an export in `dir`, or finds out where an earlier one stopped. It may be complete.
    pub(crate) fn open(dir: &Path, wanted: &Wanted) -> Result<Self, ArchiveError> {
        files::create_dir(dir)?;
        let lock = lock(dir)?;
        let Some(manifest) = Manifest::find(dir)? else {
            // Parts whose manifest is gone are somebody's.
            if dir.join(files::part_name(0)).exists() {
                return Err(ArchiveError::Exists { dir: dir.to_owned() });
            }
            let mut manifest = wanted.manifest();
            manifest.store(dir)?;
            return Ok(Self::new(dir, manifest, None, lock));
        };
        match (wanted.resume, manifest.is_complete) {
            (false, true) => return Err(ArchiveError::Exists { dir: dir.to_owned() }),
            (false, false) => return Err(ArchiveError::Unfinished { dir: dir.to_owned() }),
            (true, _) => {}
        }
        if let Some(what) = wanted.mismatch(&manifest) {
            return Err(ArchiveError::Mismatch { dir: dir.to_owned(), what });
        }
        for part in &manifest.parts {
            reader::check_digest(dir, part)?;
        }
        let earlier = manifest.parts.last().map(|part| reader::last_event(dir, part)).transpose()?.flatten();
        Ok(Self::new(dir, manifest, earlier, lock))
    }

    fn new(dir: &Path, manifest: Manifest, earlier: Option<RecordedEvent>, lock: Option<File>) -> Self {
        Self { dir: dir.to_owned(), manifest, part: None, earlier, _lock: lock }
    }

    /// What is planned, and what is there of it.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The last event of the parts that were there before.
    pub(crate) fn earlier(&self) -> Option<&RecordedEvent> {
        self.earlier.as_ref()
    }

    /// Everything up to here is there; go on after it.
    pub(crate) fn position(&self) -> Position {
        Position::new(self.manifest.last_position.unwrap_or(Position::START.value()))
    }

    /// Adds the next event.
    pub(crate) fn add(&mut self, event: &RecordedEvent) -> Result<(), ArchiveError> {
        let position = event.position.value();
        let part = match &mut self.part {
            Some(part) => part,
            none => none.insert(PartDraft {
                draft: Draft::create(&self.dir, files::part_name(self.manifest.parts.len()))?,
                count: 0,
                first_position: position,
                last_position: position,
            }),
        };
        part.draft.add(&self.dir, |buffer| line::write(event, buffer))?;
        part.count += 1;
        part.last_position = position;
        let sizing = self.manifest.part_sizing;
        if part.count >= sizing.events || part.draft.bytes() >= sizing.bytes { self.end_part() } else { Ok(()) }
    }

    /// Ends the export: from now on it can be imported.
    pub(crate) fn finish(mut self) -> Result<Manifest, ArchiveError> {
        self.end_part()?;
        self.manifest.is_complete = true;
        self.manifest.store(&self.dir)?;
        Ok(self.manifest)
    }

    /// The part is durable before the manifest names it; between the two, a resumed export writes the same part again.
    fn end_part(&mut self) -> Result<(), ArchiveError> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let written = part.draft.finish(&self.dir)?;
        self.manifest.push(Part {
            file: files::part_name(self.manifest.parts.len()),
            sha256: written.sha256,
            bytes: written.bytes,
            count: part.count,
            first_position: part.first_position,
            last_position: part.last_position,
        });
        self.manifest.store(&self.dir)
    }
}

/// Keeps other exports out of the folder as long as this process runs. None where the file system has no such locks.
fn lock(dir: &Path) -> Result<Option<File>, ArchiveError> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let folder = File::open(dir).map_err(io_error("open", dir))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(ArchiveError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}
