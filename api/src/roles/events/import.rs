//! `millrace events import`: an empty data directory gets the events of an export.
//!
//! **Invariant:** a refused or killed import leaves the data directory without events, as it was.

use std::{fs, io, path::Path};

use infrastructure::event_store::{ImportError, LogSequence, OutOfSequence, SqliteEventImport, StoreError};

use super::{
    super::{Failure, output::print},
    archive::Archive,
    progress::Progress,
};
use crate::{bootstrap::StartError, cli::EventsImportArgs, config::Config, data_dir::DataDir};

/// The read models of whatever was there before. A server builds them from the events.
const READ_MODELS: [&str; 3] = ["read.db-wal", "read.db-shm", "read.db"];

/// Checks the whole export, then imports it.
pub(super) fn run(config: &Config, args: &EventsImportArgs) -> Result<(), Failure> {
    let archive = Archive::open(&args.from)?;
    // Taken first, so that nobody starts a server meanwhile; a directory that is not there yet is made only for an
    // export that is whole.
    let taken = config.data_dir.exists().then(|| take(&config.data_dir)).transpose()?;
    verify(&archive)?;
    let data_dir = taken.map_or_else(|| take(&config.data_dir), Ok)?;
    import(&archive, &data_dir)?;
    let manifest = archive.manifest();
    print(&format!(
        "{} holds {} events up to position {}\nstart the server: it builds the read models from them",
        config.data_dir.display(),
        manifest.count,
        manifest.last_position.unwrap_or_default()
    ));
    Ok(())
}

/// Takes the data directory, if it has no events.
fn take(path: &Path) -> Result<DataDir, Failure> {
    let data_dir = DataDir::open(path).map_err(StartError::from)?;
    SqliteEventImport::refuse_unless_empty(&DataDir::events_db(data_dir.path())).map_err(|error| failure(&error))?;
    Ok(data_dir)
}

/// Reads everything, and writes nothing.
fn verify(archive: &Archive) -> Result<(), Failure> {
    let mut sequence = LogSequence::default();
    let mut progress = Progress::start("verify", 0, archive.manifest().count);
    archive.for_each(|event| {
        progress.advance();
        sequence.accept(&event).map_err(|error| out_of_sequence(&error))
    })
}

fn import(archive: &Archive, data_dir: &DataDir) -> Result<(), Failure> {
    let mut import = SqliteEventImport::begin(&DataDir::events_db(data_dir.path())).map_err(|error| failure(&error))?;
    let mut progress = Progress::start("import", 0, archive.manifest().count);
    archive.for_each(|event| {
        progress.advance();
        import.add(&event).map_err(|error| failure(&error))
    })?;
    drop(progress);
    let complete = import.complete().map_err(|error| failure(&error))?;
    // Before the events are there: rows of other events must never be taken for theirs.
    for name in READ_MODELS {
        match fs::remove_file(data_dir.path().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&StoreError::Unavailable(format!("{name} cannot be removed: {error}"))));
            }
            Ok(()) | Err(_) => {}
        }
    }
    complete.install().map_err(|error| failed(&error))
}

fn failure(error: &ImportError) -> Failure {
    match error {
        ImportError::NotEmpty { .. } => Failure::new(
            "EVENT_STORE_NOT_EMPTY",
            error,
            "events are imported into an empty store only; choose another directory with `--data-dir`",
        ),
        ImportError::OutOfSequence(error) => out_of_sequence(error),
        ImportError::Store(error) => failed(error),
    }
}

fn out_of_sequence(error: &OutOfSequence) -> Failure {
    let advice = "the embedded store holds whole logs only, whose positions and revisions are counters without gaps; a \
                  log of the event store of the settings comes here with `millrace events copy`";
    Failure::new("EXPORT_NOT_GAPLESS", error, advice)
}

fn failed(error: &StoreError) -> Failure {
    Failure::new(
        "IMPORT_FAILED",
        error,
        "check the disk and its room, and try again; nothing that counts was there, so nothing is lost",
    )
}
