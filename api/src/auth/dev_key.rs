//! The key of development mode: made at first use, kept in the data directory, never leaving this machine.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use domain::Timestamp;
use infrastructure::clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::{Audience, Claims, Role};
use crate::{
    config::Secret,
    data_dir::{self, DataDir, DataDirError},
};

/// The `iss` of tokens of development mode.
pub(super) const DEVELOPMENT_ISSUER: &str = "millrace-development";
/// The `aud` of tokens of development mode.
pub(super) const DEVELOPMENT_AUDIENCE: &str = "millrace";

const KEY_BYTES: usize = 32;
/// Numbers the drafts of this process, so that no two threads write the same one.
static DRAFTS: AtomicU32 = AtomicU32::new(0);

/// The key that signs and verifies the tokens of development mode.
#[derive(Clone, Debug)]
pub struct DevKey(Secret<[u8; KEY_BYTES]>);

/// Why there is no development key.
#[derive(Debug, thiserror::Error)]
pub enum DevKeyError {
    /// The data directory cannot be made.
    #[error("no place for the development key")]
    DataDir(#[from] DataDirError),
    /// The file cannot be read or written, or there is no randomness.
    #[error("cannot {action} the development key `{}`", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Something else stands in the file.
    #[error("`{}` is not a development key; remove it to get a new one", .path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

impl DevKey {
    /// The key in the data directory `directory`; made, with the directory, if there is none.
    pub fn load_or_create(directory: &Path) -> Result<Self, DevKeyError> {
        let path = DataDir::dev_key(directory);
        if let Some(key) = load(&path)? {
            return Ok(key);
        }
        data_dir::create(directory)?;
        create(&path)?;
        // Whoever was first made the key that everybody uses.
        load(&path)?.ok_or(DevKeyError::NotAKey { path })
    }

    /// A token of development mode, from `now` on for `lifetime`.
    pub fn token(&self, subject: &str, role: Role, now: Timestamp, lifetime: chrono::TimeDelta) -> String {
        let seconds = |time: Timestamp| u64::try_from(time.timestamp()).unwrap_or_default();
        let ends = now.checked_add_signed(lifetime).unwrap_or(Timestamp::MAX_UTC);
        self.sign(&Claims {
            iss: DEVELOPMENT_ISSUER.to_owned(),
            aud: Audience::One(DEVELOPMENT_AUDIENCE.to_owned()),
            sub: subject.to_owned(),
            role,
            exp: seconds(ends),
            nbf: None,
            iat: Some(seconds(now)),
        })
    }

    /// A token that says exactly this.
    pub fn sign(&self, claims: &Claims) -> String {
        let key = EncodingKey::from_secret(self.secret());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("texts and numbers can be signed")
    }

    pub(super) const fn secret(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The key in the file; none if there is no file.
fn load(path: &Path) -> Result<Option<DevKey>, DevKeyError> {
    match fs::read(path) {
        Ok(bytes) => match bytes.try_into() {
            Ok(key) => Ok(Some(DevKey(Secret::new(key)))),
            Err(_) => Err(DevKeyError::NotAKey { path: path.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DevKeyError::Io { action: "read", path: path.to_owned(), source }),
    }
}

/// Writes a fresh key, unless somebody else does so at the same time. Nobody ever sees half a key.
fn create(path: &Path) -> Result<(), DevKeyError> {
    let failed = |action| move |source| DevKeyError::Io { action, path: path.to_owned(), source };
    let key = clock::unguessable().map_err(failed("find randomness for"))?;
    let draft = path.with_extension(format!("{}-{}.new", std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
    write_private(&draft, &key).map_err(failed("write"))?;
    // A link, unlike a rename, never replaces a key that is already there.
    let linked = fs::hard_link(&draft, path);
    let removed = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("write")(error)),
        Ok(()) | Err(_) => removed.map_err(failed("write")),
    }
}

/// Writes a file that its owner alone can read.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
