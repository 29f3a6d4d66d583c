//! The two ends of a copy: a log to read, a log to write.

use std::sync::Arc;

use infrastructure::event_store::{
    Append, AppendError, EventStore, RecordedEvent, SqliteEventStore, SqliteEventStoreOptions,
};

use super::{
    super::{super::Failure, log::Log},
    appends::appends,
    error::{CopyError, Place},
};
use crate::{
    bootstrap::{OpenStoreError, StartError, blocking},
    cli::EventsSide,
    config::Config,
    data_dir::DataDir,
};

/// How many appends the embedded store is given at once. They are written whole or not at all.
const APPENDS_AT_ONCE: usize = 256;

/// Opens the log that is copied.
pub(super) async fn source(config: &Config, from: EventsSide) -> Result<Log, Failure> {
    match from {
        EventsSide::Embedded => Log::of_file(config),
        EventsSide::EventStoreDb => Log::open(config).await,
    }
}

/// Where it goes.
#[derive(Debug)]
pub(super) struct Target {
    /// It as a log.
    pub(super) log: Log,
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    /// The file, which must be this process's own.
    Embedded(Arc<SqliteEventStore>),
    /// The event store of the settings.
    Elsewhere(Arc<dyn EventStore>),
}

impl Target {
    /// Opens it. The data directory must be this process's own if it is the embedded one.
    pub(super) async fn open(config: &Config, to: EventsSide) -> Result<Self, Failure> {
        match to {
            EventsSide::Embedded => {
                let path = DataDir::events_db(&config.data_dir);
                let opened = blocking(move || SqliteEventStore::open(&path, SqliteEventStoreOptions::default())).await;
                let store = opened.map_err(|error| StartError::from(OpenStoreError::EventsFile(error)))?;
                let store = Arc::new(store);
                Ok(Self { log: Log::Store(store.clone()), writer: Writer::Embedded(store) })
            }
            EventsSide::EventStoreDb => {
                let log = Log::open(config).await?;
                let Log::Store(store) = &log else { return Err(CopyError::NoUrl.into()) };
                Ok(Self { writer: Writer::Elsewhere(Arc::clone(store)), log })
            }
        }
    }

    /// Appends events of the source, in their order. Those that are there already stay as they are.
    pub(super) async fn write(&self, events: Vec<RecordedEvent>) -> Result<(), Failure> {
        let appends = appends(events);
        match &self.writer {
            Writer::Embedded(store) => {
                for chunk in appends.chunks(APPENDS_AT_ONCE) {
                    let written = store.append_whole(chunk.to_vec()).await;
                    written.map_err(|(index, error)| refused(&chunk[index], error))?;
                }
            }
            // One after the other: the server promises no order between two that are on the way at once.
            Writer::Elsewhere(store) => {
                for append in appends {
                    store.append(append.clone()).await.map_err(|error| refused(&append, error))?;
                }
            }
        }
        Ok(())
    }
}

fn refused(append: &Append, error: AppendError) -> Failure {
    let first = append.expected.first_new();
    let place = Place::new(&append.stream, first);
    let error = match error {
        AppendError::WrongExpectedRevision { actual } => {
            let next = actual.map_or(0, |actual| actual.value() + 1);
            CopyError::TargetDiffers(format!("{place} is to be appended, and revision {next} would be next there"))
        }
        AppendError::Refused(reason) => CopyError::Refused { place, reason },
        source @ (AppendError::NotWritten(_) | AppendError::OutcomeUnknown(_)) => CopyError::Failed { place, source },
    };
    error.into()
}
