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
            Self::Events(error) => advice_on_events(error),
            Self::Rows(error) => advice_on_rows(error),
        }
    }
}

/// What to set where the event store elsewhere cannot be used.
const fn advice_on_events(error: &OpenError) -> &'static str {
    match error {
        OpenError::Scheme { .. } | OpenError::Unparsable(_) | OpenError::NodePreference => {
            "correct `event_store.url` (MILLRACE_EVENT_STORE__URL); docs/operations/cluster.md has its options"
        }
        OpenError::HostNotFound { .. } | OpenError::Refused { .. } | OpenError::NoAnswer { .. } => {
            "start the event store, or correct host and port in `event_store.url`; this process may just be started again"
        }
        OpenError::TlsWanted { .. } | OpenError::TlsUnknown { .. } => {
            "client and server must agree: see `tls` in `event_store.url`, and the server's own settings"
        }
        OpenError::CertificateNotTrusted { .. } => {
            "set `event_store.ca_file` to the certificate of the authority that signed the server's; and the name in \
             `event_store.url` must be one of those in the server's certificate"
        }
        OpenError::CertificateFile { .. } => "set `event_store.ca_file` to a file with certificates in PEM",
        OpenError::UserWanted | OpenError::WrongCredentials => {
            "set `event_store.username` and `event_store.password_file`"
        }
        OpenError::NotPermitted => {
            "give the user of `event_store.username` the right, as docs/operations/cluster.md tells under *Rights*"
        }
        OpenError::NotReady(_) => {
            "see the event store's own log: it may be starting, or have no leader; this process may just be started again"
        }
    }
}

/// What to set where the database of the read models cannot be used.
const fn advice_on_rows(error: &PostgresOpenError) -> &'static str {
    match error {
        PostgresOpenError::Unreachable(_) | PostgresOpenError::NotReady(_) | PostgresOpenError::Store(_) => {
            "start PostgreSQL, or correct `read_store.url`; this process may just be started again"
        }
        PostgresOpenError::Tls(_) => {
            "set `read_store.ca_file` to the certificate of the authority that signed the server's; the name in \
             `read_store.url` must be one of those in the server's certificate"
        }
        PostgresOpenError::Login(_) => "set user and `read_store.password_file`, or correct them; see pg_hba.conf",
        PostgresOpenError::Database | PostgresOpenError::Encoding(_) | PostgresOpenError::Version(_) => {
            "name in `read_store.url` a database that is made for Millrace: UTF-8, PostgreSQL 13 or later"
        }
        PostgresOpenError::ReadOnly(_) => "name the primary in `read_store.url`; a replica cannot be the read store",
        PostgresOpenError::Schema(_) => {
            "give the user of `read_store.url` a schema of its own; docs/operations/cluster.md has the rights"
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
    let unusable = |error: OpenError| ConfigError::Unusable { key: "event_store.url", message: error.to_string() };
    let mut options = EventStoreDbOptions::try_new(url.expose()).map_err(unusable)?;
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
