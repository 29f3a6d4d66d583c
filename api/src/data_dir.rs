//! The directory that one process owns: event store, read models, development key, and word of who serves it.
//!
//! **Invariant:** whoever holds a [`DataDir`] holds the lock on its file `lock`; the system releases it when the
//! process ends, however it ends. So `server.json` is believed only while somebody holds the lock.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

const LOCK: &str = "lock";
const SERVER: &str = "server.json";
const DEV_KEY: &str = "development.key";

/// How often the lock is tried. Somebody who only looks whether it is held holds it for a moment too, and a process
/// that was just killed may take a moment to let go.
const LOCK_ATTEMPTS: u32 = 10;
/// How long to wait between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// A data directory that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Who serves a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Its process id.
    pub pid: u32,
    /// Where it listens, such as `http://127.0.0.1:8080`.
    pub url: String,
}

/// Word in the data directory that a server listens. Taken back when dropped.
#[derive(Debug)]
pub struct Announcement {
    file: PathBuf,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error("the data directory `{}` is in use by {}", .path.display(), holder(*.pid))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that has it, if it said so.
        pid: Option<u32>,
    },
    /// The system refuses something.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was tried, to be read before the path.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl DataDirError {
    /// The stable code that is printed with it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "DATA_DIR_IN_USE",
            Self::Io { .. } => "DATA_DIR_UNUSABLE",
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "stop that process, or choose another directory with `--data-dir`",
            Self::Io { .. } => "check that the directory is on a local disk and belongs to this user",
        }
    }
}

impl DataDir {
    /// Makes the directory if it is not there, and takes it for this process.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let path = path.into();
        create(&path)?;
        let file = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(io_error("open", &file))?;
        if !take(&lock).map_err(io_error("lock", &file))? {
            return Err(DataDirError::InUse { pid: read_pid(&mut lock), path });
        }
        // Only for the message that the next process gives; the lock itself is what counts.
        lock.set_len(0)
            .and_then(|()| lock.write_all(std::process::id().to_string().as_bytes()))
            .map_err(io_error("write", &file))?;
        // Left by a server that crashed. Now that the lock is held it would be taken for this process's word.
        match fs::remove_file(path.join(SERVER)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(DataDirError::Io { action: "remove", path: path.join(SERVER), source: error });
            }
            Ok(()) | Err(_) => {}
        }
        Ok(Self { path, _lock: lock })
    }

    /// The server that has the directory at `path` now. None if nobody has it, or whoever has it does not listen (yet).
    pub fn server(path: &Path) -> Result<Option<ServerInfo>, DataDirError> {
        if is_free(&path.join(LOCK))? {
            return Ok(None);
        }
        let file = path.join(SERVER);
        match fs::read(&file) {
            Ok(json) => Ok(serde_json::from_slice(&json).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DataDirError::Io { action: "read", path: file, source }),
        }
    }

    /// Whether a process has the directory at `path`.
    pub fn is_in_use(path: &Path) -> Result<bool, DataDirError> {
        is_free(&path.join(LOCK)).map(|is_free| !is_free)
    }

    /// Tells other processes where this one listens, until the announcement is dropped.
    pub fn announce(&self, server: &ServerInfo) -> Result<Announcement, DataDirError> {
        let file = self.path.join(SERVER);
        let draft = self.path.join("server.json.new");
        let json = serde_json::to_vec(server).expect("a number and a text are JSON");
        // Renaming replaces the old content at once: a reader sees either all of the old or all of the new.
        fs::write(&draft, json).and_then(|()| fs::rename(&draft, &file)).map_err(io_error("write", &file))?;
        Ok(Announcement { file })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the event store in the directory at `path`.
    pub fn events_db(path: &Path) -> PathBuf {
        path.join("events.db")
    }

    /// The file of the read models in the directory at `path`.
    pub fn read_db(path: &Path) -> PathBuf {
        path.join("read.db")
    }

    /// The file of the development key in the directory at `path`. Needs no lock: the key never changes.
    pub fn dev_key(path: &Path) -> PathBuf {
        path.join(DEV_KEY)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // If it cannot be removed it is not believed either, once the lock is free.
        let _ = fs::remove_file(&self.file);
    }
}

/// Makes the directory `path`, readable by its owner alone. One that is there stays as it is.
pub fn create(path: &Path) -> Result<(), DataDirError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(io_error("create", path))
}

/// Takes the lock, patiently for a moment. False if somebody else has it.
fn take(lock: &File) -> io::Result<bool> {
    for attempt in 1..=LOCK_ATTEMPTS {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// Whether nobody holds the lock.
fn is_free(file: &Path) -> Result<bool, DataDirError> {
    let lock = match File::open(file) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(source) => return Err(DataDirError::Io { action: "open", path: file.to_owned(), source }),
    };
    // Shared, so that two who look at the same time do not take each other for the owner.
    match lock.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(DataDirError::Io { action: "lock", path: file.to_owned(), source }),
    }
}

fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { action, path, source }
}
