//! Reading an export, and believing nothing of it: sizes, digests, lines, positions are all checked.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, ErrorKind},
    path::{Path, PathBuf},
};

use infrastructure::event_store::RecordedEvent;

use super::{ArchiveError, Manifest, files, io_error, line, manifest::Part};

/// How much of a part is read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// A complete export.
#[derive(Debug)]
pub(crate) struct Archive {
    dir: PathBuf,
    manifest: Manifest,
}

impl Archive {
    /// Opens the export in `dir`. Its parts are not looked at yet.
    pub(crate) fn open(dir: &Path) -> Result<Self, ArchiveError> {
        let manifest = Manifest::find(dir)?.ok_or_else(|| ArchiveError::Missing { dir: dir.to_owned() })?;
        if !manifest.is_complete {
            return Err(ArchiveError::Unfinished { dir: dir.to_owned() });
        }
        Ok(Self { dir: dir.to_owned(), manifest })
    }

    /// What it holds, by its own word.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Gives every event to `visit`, in order. Each part is checked before its first event is given, so whoever has
    /// seen all of them without an error has seen what was exported.
    pub(crate) fn for_each<E: From<ArchiveError>>(
        &self,
        mut visit: impl FnMut(RecordedEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        for part in &self.manifest.parts {
            check_digest(&self.dir, part)?;
            read_part(&self.dir, part, &mut visit)?;
        }
        Ok(())
    }
}

/// Whether the bytes of a part are those that were written.
pub(super) fn check_digest(dir: &Path, part: &Part) -> Result<(), ArchiveError> {
    let path = dir.join(&part.file);
    let bytes = match path.metadata() {
        Ok(file) => file.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(damaged(part, "it is missing".to_owned())),
        Err(source) => return Err(io_error("read", &path)(source)),
    };
    if bytes != part.bytes {
        return Err(damaged(part, format!("it has {bytes} bytes, and had {} when it was written", part.bytes)));
    }
    if files::digest(&path).map_err(io_error("read", &path))? != part.sha256 {
        return Err(damaged(part, "it was altered: its digest does not fit".to_owned()));
    }
    Ok(())
}

/// The last event of a part.
pub(super) fn last_event(dir: &Path, part: &Part) -> Result<Option<RecordedEvent>, ArchiveError> {
    let mut last = None;
    read_part(dir, part, &mut |event| {
        last = Some(event);
        Ok::<_, ArchiveError>(())
    })?;
    Ok(last)
}

/// Gives every event of a part to `visit`.
fn read_part<E: From<ArchiveError>>(
    dir: &Path,
    part: &Part,
    visit: &mut impl FnMut(RecordedEvent) -> Result<(), E>,
) -> Result<(), E> {
    let path = dir.join(&part.file);
    let file = File::open(&path).map_err(io_error("read", &path))?;
    let mut lines = BufReader::with_capacity(CHUNK_BYTES, file);
    let mut text = Vec::new();
    let (mut count, mut last) = (0, part.first_position - 1);
    while lines.read_until(b'\n', &mut text).map_err(io_error("read", &path))? > 0 {
        count += 1;
        let wrong = |what: String| damaged(part, format!("line {count}: {what}"));
        let line = text.strip_suffix(b"\n").ok_or_else(|| wrong("it has no end".to_owned()))?;
        let event = line::read(line).map_err(wrong)?;
        let position = event.position.value();
        let is_first_wrong = count == 1 && position != part.first_position;
        if is_first_wrong || position <= last {
            return Err(wrong(format!("position {position} is not the next one")).into());
        }
        last = position;
        visit(event)?;
        text.clear();
    }
    if (count, last) != (part.count, part.last_position) {
        let what = format!("it has {count} events up to position {last}, not as the manifest says");
        return Err(damaged(part, what).into());
    }
    Ok(())
}

fn damaged(part: &Part, what: String) -> ArchiveError {
    ArchiveError::Damaged { file: part.file.clone(), what }
}
