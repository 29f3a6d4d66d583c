//! Which stores the settings mean, and opening them.

use std::{path::Path, sync::Arc, time::Duration};

use infrastructure::{
    event_store::{
        EventStore, EventStoreDb, EventStoreDbOptions, OpenError, SqliteEventStore, SqliteEventStoreOptions, StoreError,
    },
    read_store::{
        PostgresOpenError, PostgresReadStore, PostgresReadStoreOptions, PostgresUrl, ReadStore, ReadStoreError,
        SqliteReadStore, SqliteReadStoreOptions,
    },
};

use super::blocking;
use crate::config::{Config, ConfigError};

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file of events does not open.
    #[error("the event store does not open")]
    EventsFile(#[source] StoreError),
    /// The file of read models does not open.
    #[error("the read store does not open")]
    RowsFile(#[source] ReadStoreError),
    /// The event store elsewhere cannot be used.
    #[error(transparent)]
    Events(#[from] OpenError),
    /// The database of the read models cannot be used.
    #[error(transparent)]
    Rows(#[from] PostgresOpenError),
}

impl OpenStoreError {
    /// The stable code that is printed with it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::EventsFile(_) | Self::Events(_) => "EVENT_STORE_UNUSABLE",
            Self::RowsFile(_) | Self::Rows(_) => "READ_STORE_UNUSABLE",
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Config(error) => error.advice(),
            Self::EventsFile(_) => "check the disk and the file events.db; restore it from a backup if it is damaged",
            Self::RowsFile(_) => {
                "check the disk; if read.db is damaged, stop the server and delete it: it is rebuilt from the events"
            }
            Self::Events(_) => "see [event_store] in the settings; docs/operations/cluster.md tells each case",
            Self::Rows(_) => "see [read_store] in the settings; docs/operations/cluster.md tells each case",
        }
    }
}

/// Opens the events, in the data directory or elsewhere.
pub(crate) async fn open_events(config: &Config, file: &Path) -> Result<Arc<dyn EventStore>, OpenStoreError> {
    let Some(url) = &config.event_store.url else {
        let file = file.to_owned();
        let opened = blocking(move || SqliteEventStore::open(&file, SqliteEventStoreOptions::default())).await;
        return Ok(Arc::new(opened.map_err(OpenStoreError::EventsFile)?));
    };
    let settings = &config.event_store;
    let mut options = EventStoreDbOptions::try_new(url.expose())?;
    match (&settings.username, settings.password()?) {
        (Some(user), Some(password)) => options = options.with_user(user, password.expose()),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            let message = "user and password go together".to_owned();
            return Err(ConfigError::Unusable { key: "event_store.username", message }.into());
        }
    }
    if let Some(file) = &settings.ca_file {
        options = options.with_ca_file(file);
    }
    options.call_timeout = Duration::from_millis(settings.call_timeout_ms.get());
    options.append_budget = Duration::from_millis(settings.append_budget_ms.get());
    Ok(Arc::new(EventStoreDb::open(options).await?))
}

/// Opens the read models, in the data directory or elsewhere.
pub(crate) async fn open_rows(config: &Config, file: &Path) -> Result<Arc<dyn ReadStore>, OpenStoreError> {
    let Some(url) = &config.read_store.url else {
        let file = file.to_owned();
        let opened = blocking(move || SqliteReadStore::open(&file, SqliteReadStoreOptions::default())).await;
        return Ok(Arc::new(opened.map_err(OpenStoreError::RowsFile)?));
    };
    let settings = &config.read_store;
    let unusable =
        |error: &dyn std::fmt::Display| ConfigError::Unusable { key: "read_store.url", message: error.to_string() };
    let mut url: PostgresUrl = url.expose().parse().map_err(|error| unusable(&error))?;
    if let Some(password) = settings.password()? {
        url = url.with_password(password.expose());
    }
    let options = PostgresReadStoreOptions {
        point_connections: settings.point_connections.get(),
        scan_connections: settings.scan_connections.get(),
        write_connections: settings.write_connections.get(),
        root_certificate: settings.ca_file.clone(),
        ..PostgresReadStoreOptions::new(url)
    };
    Ok(Arc::new(PostgresReadStore::open(&options).await?))
}
