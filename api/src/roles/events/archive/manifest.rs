//! `manifest.json`: what an export holds, how far it is, and what proves that it is whole.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ArchiveError, files, io_error};

/// The manifest's name in the folder of an export.
pub(super) const MANIFEST: &str = "manifest.json";
/// Says what kind of file this is.
const FORMAT: &str = "millrace-events";
/// The form of manifest and lines. A higher one was written by a newer Millrace.
const FORMAT_VERSION: u32 = 1;

/// What an export holds. The same events in parts of the same size give the same manifest, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Manifest {
    format: String,
    format_version: u32,
    /// Whether all is there.
    pub(crate) is_complete: bool,
    /// The export holds the events up to this position, and nothing later.
    pub(crate) as_of: u64,
    /// How large the parts are.
    pub(crate) part_sizing: PartSizing,
    /// How many events there are.
    pub(crate) count: u64,
    /// Where the first one stands.
    pub(crate) first_position: Option<u64>,
    /// Where the last one stands.
    pub(crate) last_position: Option<u64>,
    /// The files, in order.
    pub(crate) parts: Vec<Part>,
    /// SHA-256 of this manifest with an empty text in this place. As it holds the digests of all parts, it is one over
    /// the whole.
    pub(crate) digest: String,
}

/// When a part takes no more events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PartSizing {
    /// It holds this many.
    pub(crate) events: u64,
    /// It has this size, or has just outgrown it.
    pub(crate) bytes: u64,
}

/// One file of an export. It holds at least one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) file: String,
    /// SHA-256 of its bytes.
    pub(crate) sha256: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// How many events it holds.
    pub(crate) count: u64,
    /// Where the first one stands.
    pub(crate) first_position: u64,
    /// Where the last one stands.
    pub(crate) last_position: u64,
}

/// What every version of the format has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    format: String,
    format_version: u32,
}

impl Manifest {
    /// Of an export that has only begun.
    pub(crate) fn new(as_of: u64, part_sizing: PartSizing) -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            is_complete: false,
            as_of,
            part_sizing,
            count: 0,
            first_position: None,
            last_position: None,
            parts: Vec::new(),
            digest: String::new(),
        }
    }

    /// The manifest in this folder, if there is one.
    pub(crate) fn find(dir: &Path) -> Result<Option<Self>, ArchiveError> {
        let path = dir.join(MANIFEST);
        match fs::read(&path) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io_error("read", &path)(source)),
        }
    }

    /// Puts it into the folder of the export, durably; the earlier one stays until it is whole.
    pub(crate) fn store(&mut self, dir: &Path) -> Result<(), ArchiveError> {
        self.digest = self.computed_digest();
        files::write_whole(dir, MANIFEST, &self.text())
    }

    /// Takes one more part into account.
    pub(crate) fn push(&mut self, part: Part) {
        self.count += part.count;
        self.first_position = self.first_position.or(Some(part.first_position));
        self.last_position = Some(part.last_position);
        self.parts.push(part);
    }

    fn parse(text: &[u8]) -> Result<Self, ArchiveError> {
        let damaged = |what: String| ArchiveError::Damaged { file: MANIFEST.to_owned(), what };
        let header: Header = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        if header.format != FORMAT || header.format_version > FORMAT_VERSION {
            return Err(ArchiveError::Format { format: header.format, version: header.format_version });
        }
        let manifest: Self = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        if manifest.digest != manifest.computed_digest() {
            return Err(damaged("it was altered: its digest does not fit".to_owned()));
        }
        manifest.check().map_err(|what| damaged(what.to_owned()))?;
        Ok(manifest)
    }

    /// What would make no sense, whoever computed the digest.
    fn check(&self) -> Result<(), &'static str> {
        if self.format_version == 0 {
            return Err("there is no format 0");
        }
        let mut seen = Self { is_complete: self.is_complete, ..Self::new(self.as_of, self.part_sizing) };
        let mut before = 0;
        for part in &self.parts {
            // A name that leads elsewhere is refused here too.
            if part.file != files::part_name(seen.parts.len()) {
                return Err("the parts are not named in order");
            }
            let fits = part.first_position > before && part.last_position >= part.first_position && part.count > 0;
            if !fits {
                return Err("the positions of the parts are out of order");
            }
            before = part.last_position;
            seen.push(part.clone());
        }
        let is_sum = (seen.count, seen.first_position, seen.last_position)
            == (self.count, self.first_position, self.last_position);
        if !is_sum || before > self.as_of {
            return Err("the whole is not the sum of the parts");
        }
        Ok(())
    }

    fn computed_digest(&self) -> String {
        let blank = Self { digest: String::new(), ..self.clone() };
        format!("{:x}", Sha256::digest(blank.text()))
    }

    fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("numbers and texts are JSON");
        text.push(b'\n');
        text
    }
}
