//! The look at a server before it is used: what is wrong, and what to set.

use tokio_postgres::{Client, Error, error::SqlState};

use super::{
    super::ReadStoreError,
    error::{chain, failed},
    pool::Connector,
};

/// The oldest server that is tested.
const VERSION_MIN: i32 = 13;

/// Why a database cannot hold the read models. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PostgresOpenError {
    /// Nothing answers there, or not as a PostgreSQL would. It may answer later.
    #[error("PostgreSQL cannot be reached: {0}; check the address, and that the server runs and listens there")]
    Unreachable(String),
    /// It is starting, stopping, or has no connection left. It may have one later.
    #[error("{0}")]
    NotReady(ReadStoreError),
    /// The connection cannot be encrypted as it must be.
    #[error(
        "the connection to PostgreSQL cannot be made safe: {0}; give the authority that signed the server's \
         certificate with sslrootcert, or add sslmode=disable to the address if the network is trusted"
    )]
    Tls(String),
    /// The user is not known, the password is wrong, or pg_hba.conf does not let the user in from here.
    #[error("PostgreSQL does not let the user in: {0}; check user and password in the address, and pg_hba.conf")]
    Login(String),
    /// There is no such database.
    #[error("PostgreSQL has no such database: make it with CREATE DATABASE, or correct the name in the address")]
    Database,
    /// It is too old.
    #[error("PostgreSQL {0} is too old: version {VERSION_MIN} or later is needed")]
    Version(i32),
    /// It does not store text as UTF-8.
    #[error("the database stores text as {0}: make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")]
    Encoding(String),
    /// It is a standby, or set so.
    #[error("the database is read-only: {0}")]
    ReadOnly(&'static str),
    /// Tables cannot be made in it.
    #[error("the user cannot make tables: {0}")]
    Schema(String),
    /// Something else failed.
    #[error(transparent)]
    Store(#[from] ReadStoreError),
}

/// What is known of a database after the look.
#[derive(Debug)]
pub(super) struct Facts {
    /// What `version()` says of itself: its number.
    pub(super) version: i32,
    /// The schema that tables are made in, by the number that the database has for it.
    pub(super) schema: i64,
}

const FACTS: &str = "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding')::text, \
                     pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', current_schema()::text, \
                     coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), \
                     (SELECT oid::int8 FROM pg_namespace WHERE nspname = current_schema())";

/// Looks whether the read models can live there.
pub(super) async fn look(connector: &Connector) -> Result<Facts, PostgresOpenError> {
    let looking = async {
        let (client, _task) = connector.open().await.map_err(|error| refused(&error))?;
        facts(&client).await
    };
    tokio::time::timeout(connector.timeout, looking)
        .await
        .map_err(|_| PostgresOpenError::Unreachable("it does not answer in time".to_owned()))?
}

async fn facts(client: &Client) -> Result<Facts, PostgresOpenError> {
    let row = client.query_one(FACTS, &[]).await.map_err(|error| failed(&error))?;
    let broken = |error: Error| ReadStoreError::Corrupt(chain(&error));
    let version: i32 = row.try_get(0).map_err(broken)?;
    if version < VERSION_MIN * 10_000 {
        return Err(PostgresOpenError::Version(version / 10_000));
    }
    let encoding: String = row.try_get(1).map_err(broken)?;
    if encoding != "UTF8" {
        return Err(PostgresOpenError::Encoding(encoding));
    }
    if row.try_get(2).map_err(broken)? {
        return Err(PostgresOpenError::ReadOnly("it is a standby; give the address of the primary"));
    }
    if row.try_get(3).map_err(broken)? {
        let says = "default_transaction_read_only is on for this server, database or user; set it off";
        return Err(PostgresOpenError::ReadOnly(says));
    }
    let schema: Option<String> = row.try_get(4).map_err(broken)?;
    let number: Option<i64> = row.try_get(6).map_err(broken)?;
    let lasting = schema.filter(|schema| !schema.starts_with("pg_"));
    let (Some(schema), Some(number)) = (lasting, number) else {
        let says = "there is no schema in its search_path; make it with CREATE SCHEMA, or set search_path";
        return Err(PostgresOpenError::Schema(says.to_owned()));
    };
    if !row.try_get(5).map_err(broken)? {
        let says = format!("it lacks the right; GRANT CREATE ON SCHEMA \"{schema}\" TO the user");
        return Err(PostgresOpenError::Schema(says));
    }
    Ok(Facts { version, schema: number })
}

fn refused(error: &Error) -> PostgresOpenError {
    let Some(answer) = error.as_db_error() else {
        let says = chain(error);
        // The driver has no other name for it.
        return if says.starts_with("error performing TLS handshake") {
            PostgresOpenError::Tls(says)
        } else if says.starts_with("authentication error") || says.starts_with("invalid configuration") {
            PostgresOpenError::Login(says)
        } else {
            PostgresOpenError::Unreachable(says)
        };
    };
    let code = answer.code();
    if *code == SqlState::INVALID_CATALOG_NAME {
        return PostgresOpenError::Database;
    }
    // What it says names the user, the machine and the database, never the password.
    if code.code().starts_with("28") {
        return PostgresOpenError::Login(answer.message().to_owned());
    }
    PostgresOpenError::NotReady(failed(error))
}
