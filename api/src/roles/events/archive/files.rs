//! Files that are either whole and durable or not there: written under another name, synced, renamed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{ArchiveError, io_error};

/// What a file's name ends with until it is whole.
const DRAFT_SUFFIX: &str = ".writing";
/// How much is read or written at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// The name of the part that follows `earlier` others.
pub(super) fn part_name(earlier: usize) -> String {
    format!("events-{:06}.ndjson", earlier + 1)
}

/// Makes the folder, readable by its owner alone. One that is there stays as it is.
pub(super) fn create_dir(dir: &Path) -> Result<(), ArchiveError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(io_error("create", dir))
}

/// A file on its way.
#[derive(Debug)]
pub(super) struct Draft {
    name: String,
    file: File,
    buffer: Vec<u8>,
    digest: Sha256,
    flushed: u64,
}

/// What became of a draft.
#[derive(Debug)]
pub(super) struct Written {
    /// Its size.
    pub(super) bytes: u64,
    /// SHA-256 of its bytes.
    pub(super) sha256: String,
}

impl Draft {
    /// Begins a file that will be called `name`. What an earlier try left is overwritten.
    pub(super) fn create(dir: &Path, name: String) -> Result<Self, ArchiveError> {
        let path = dir.join(draft_name(&name));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(io_error("create", &path))?;
        Ok(Self { name, file, buffer: Vec::with_capacity(2 * CHUNK_BYTES), digest: Sha256::new(), flushed: 0 })
    }

    /// Its size so far.
    pub(super) fn bytes(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    /// Adds what `write` puts into the buffer.
    pub(super) fn add(&mut self, dir: &Path, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), ArchiveError> {
        write(&mut self.buffer);
        if self.buffer.len() >= CHUNK_BYTES { self.flush(dir) } else { Ok(()) }
    }

    fn flush(&mut self, dir: &Path) -> Result<(), ArchiveError> {
        self.file.write_all(&self.buffer).map_err(io_error("write", &dir.join(draft_name(&self.name))))?;
        self.digest.update(&self.buffer);
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes it durable, and gives it its name.
    pub(super) fn finish(mut self, dir: &Path) -> Result<Written, ArchiveError> {
        self.flush(dir)?;
        let (draft, path) = (dir.join(draft_name(&self.name)), dir.join(&self.name));
        self.file.sync_all().map_err(io_error("sync", &draft))?;
        fs::rename(&draft, &path).map_err(io_error("write", &path))?;
        sync_dir(dir)?;
        Ok(Written { bytes: self.flushed, sha256: format!("{:x}", self.digest.finalize()) })
    }
}

/// Writes a small file at once; the earlier one of this name stays until it is whole.
pub(super) fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    let mut draft = Draft::create(dir, name.to_owned())?;
    draft.add(dir, |buffer| buffer.extend_from_slice(bytes))?;
    draft.finish(dir).map(drop)
}

/// SHA-256 of a file.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(format!("{:x}", digest.finalize())),
            length => digest.update(&chunk[..length]),
        }
    }
}

fn draft_name(name: &str) -> String {
    format!("{name}{DRAFT_SUFFIX}")
}

/// Makes durable which files stand in the folder.
fn sync_dir(dir: &Path) -> Result<(), ArchiveError> {
    // Elsewhere folders cannot be opened, and renaming is durable by itself or not at all.
    if cfg!(unix) { File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir)) } else { Ok(()) }
}
