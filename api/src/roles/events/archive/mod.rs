//! An export as it lies on disk: events as lines in part files, and a manifest that proves them whole.
//!
//! The log never changes behind a position, so an export as of that position is always the same bytes: that is what
//! lets an interrupted one go on. **Invariant:** a part that the manifest names is complete and durable, and a
//! manifest that says `isComplete` names all of them.

mod files;
mod line;
mod manifest;
mod reader;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
};

pub(crate) use self::{
    manifest::{Manifest, PartSizing},
    reader::Archive,
    writer::{ArchiveWriter, Wanted},
};
use super::super::Failure;

/// Why an export cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// There is none.
    #[error("there is no export in `{}`", .dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// There is one, and it did not get to its end.
    #[error("the export in `{}` is not finished", .dir.display())]
    Unfinished {
        /// The folder.
        dir: PathBuf,
    },
    /// There is one already.
    #[error("there is an export in `{}` already", .dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// Somebody writes one there.
    #[error("another process exports to `{}`", .dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The one that is there is not the one to go on with.
    #[error("the export in `{}` cannot be gone on with: {what}", .dir.display())]
    Mismatch {
        /// The folder.
        dir: PathBuf,
        /// In what they differ.
        what: String,
    },
    /// It is not as it was written.
    #[error("the export is damaged: {file}: {what}")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// It was written by a newer Millrace, or is no export.
    #[error("the export has format `{format}` {version}, which this build does not read")]
    Format {
        /// The kind of file.
        format: String,
        /// Its version.
        version: u32,
    },
    /// The system refuses something.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was tried, to be read before the path.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl ArchiveError {
    /// The stable code that is printed with it.
    const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "EXPORT_MISSING",
            Self::Unfinished { .. } => "EXPORT_UNFINISHED",
            Self::Exists { .. } => "EXPORT_EXISTS",
            Self::InUse { .. } => "EXPORT_IN_USE",
            Self::Mismatch { .. } => "EXPORT_MISMATCH",
            Self::Damaged { .. } => "EXPORT_DAMAGED",
            Self::Format { .. } => "EXPORT_FORMAT_UNKNOWN",
            Self::Io { .. } => "EXPORT_UNUSABLE",
        }
    }

    /// What to do about it.
    const fn advice(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "name the folder that holds `manifest.json`",
            Self::Unfinished { .. } => "finish it with `millrace events export --resume`, or delete the folder",
            Self::Exists { .. } => "choose another folder; an export is never overwritten",
            Self::InUse { .. } => "wait for that process, or choose another folder",
            Self::Mismatch { .. } => "give the same flags on the same data as at first, or choose another folder",
            Self::Damaged { .. } => "take another copy of the export, or export again into a new folder",
            Self::Format { .. } => "use the Millrace that wrote it, or a newer one",
            Self::Io { .. } => "check the path, its owner, and the room on the device",
        }
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::new(error.code(), &error, error.advice())
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Io { action, path, source }
}

#[cfg(test)]
mod tests;
