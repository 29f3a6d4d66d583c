//! Where an export goes on.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use infrastructure::event_store::Position;

/// Marks the version of the cursor's form.
const FORM: u8 = 1;
/// Bytes of a cursor: the form and two positions.
const BYTES: usize = 17;

/// A place in an export. It says of when the export is, so that whoever goes on gets the orders as of the same position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportCursor {
    /// Of when the export is.
    pub as_of: Position,
    /// The position of the placement of the last order that was told.
    pub after: Position,
}

impl ExportCursor {
    /// Reads a cursor.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (form, positions) = bytes.split_first()?;
        let (as_of, after) = positions.split_first_chunk::<8>()?;
        let position = |bytes: &[u8]| bytes.try_into().ok().map(|bytes| Position::new(u64::from_be_bytes(bytes)));
        let (as_of, after) = (position(as_of)?, position(after)?);
        (*form == FORM && after <= as_of).then_some(Self { as_of, after })
    }
}

impl fmt::Display for ExportCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [FORM; BYTES];
        bytes[1..9].copy_from_slice(&self.as_of.value().to_be_bytes());
        bytes[9..].copy_from_slice(&self.after.value().to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}
