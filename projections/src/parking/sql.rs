//! The table `projection_parked`.

use domain::Timestamp;
use infrastructure::{
    event_store::{Name, Revision, StreamId},
    read_store::{Cost, Query, ReadStore, ReadStoreError, Row, Statement, Value},
};
use uuid::Uuid;

use super::{ParkedEvent, ParkedPage, ParkedState};
use crate::bookkeeping::{number_of, position};

const COLUMNS: &str = "projection, generation, parked_key, position, category, stream_id, revision, event_type, state, \
                       error, attempts, first_at, last_at, next_retry, version, build";
/// How many entries of one key are worked on at once.
pub(crate) const ENTRIES_AT_ONCE: usize = 256;

/// Makes the table if it is not there.
pub(crate) async fn prepare(store: &dyn ReadStore) -> Result<(), ReadStoreError> {
    let create = "CREATE TABLE IF NOT EXISTS projection_parked (
        projection TEXT NOT NULL,
        generation BIGINT NOT NULL,
        parked_key UUID NOT NULL,
        position BIGINT NOT NULL,
        category TEXT NOT NULL,
        stream_id UUID NOT NULL,
        revision BIGINT NOT NULL,
        event_type TEXT NOT NULL,
        state TEXT NOT NULL,
        error TEXT,
        attempts BIGINT NOT NULL,
        first_at TIMESTAMPTZ NOT NULL,
        last_at TIMESTAMPTZ NOT NULL,
        next_retry TIMESTAMPTZ,
        version BIGINT NOT NULL,
        build TEXT NOT NULL,
        PRIMARY KEY (projection, generation, position, parked_key)
    )";
    let by_key = "CREATE INDEX IF NOT EXISTS projection_parked_by_key \
                  ON projection_parked (projection, generation, parked_key, position)";
    store.transaction(vec![Statement::once(create, vec![]), Statement::once(by_key, vec![])]).await
}

/// Writes entries, new or known.
pub(crate) fn put(entries: &[ParkedEvent]) -> Statement {
    let sql = format!(
        "INSERT INTO projection_parked ({COLUMNS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (projection, generation, position, parked_key) DO UPDATE SET \
         state = excluded.state, error = excluded.error, attempts = excluded.attempts, last_at = excluded.last_at, \
         next_retry = excluded.next_retry, version = excluded.version, build = excluded.build"
    );
    Statement::each(sql, entries.iter().map(values).collect())
}

fn values(entry: &ParkedEvent) -> Vec<Value> {
    vec![
        Value::Text(entry.projection.clone()),
        Value::Int(entry.generation),
        Value::Uuid(entry.key),
        Value::Int(number_of(entry.position)),
        Value::Text(entry.stream.category.to_string()),
        Value::Uuid(entry.stream.id),
        Value::Int(i64::try_from(entry.revision.value()).unwrap_or(i64::MAX)),
        Value::Text(entry.type_name.to_string()),
        Value::Text(entry.state.as_str().to_owned()),
        entry.error.clone().map_or(Value::Null, Value::Text),
        Value::Int(i64::from(entry.attempts)),
        Value::Timestamp(entry.first_at),
        Value::Timestamp(entry.last_at),
        entry.next_retry.map_or(Value::Null, Value::Timestamp),
        Value::Int(entry.version),
        Value::Text(entry.build.clone()),
    ]
}

/// Everything of one generation that failed is to be tried now.
pub(crate) fn all_are_due(projection: &str, generation: i64, now: Timestamp) -> Statement {
    let sql = "UPDATE projection_parked SET next_retry = $3 \
               WHERE projection = $1 AND generation = $2 AND state = 'failed'";
    let params = vec![Value::Text(projection.to_owned()), Value::Int(generation), Value::Timestamp(now)];
    Statement::once(sql, params)
}

/// Removes these entries; rolls its transaction back if one is gone already.
pub(crate) fn remove(entries: &[ParkedEvent]) -> Statement {
    let sql = "DELETE FROM projection_parked \
               WHERE projection = $1 AND generation = $2 AND position = $3 AND parked_key = $4";
    let row = |entry: &ParkedEvent| {
        vec![
            Value::Text(entry.projection.clone()),
            Value::Int(entry.generation),
            Value::Int(number_of(entry.position)),
            Value::Uuid(entry.key),
        ]
    };
    Statement::each(sql, entries.iter().map(row).collect()).must_change(1)
}

/// Removes everything of one generation: its name and number.
pub(crate) fn forget(params: Vec<Value>) -> Statement {
    Statement::once("DELETE FROM projection_parked WHERE projection = $1 AND generation = $2", params)
}

/// Everything of one generation, in order.
pub(crate) async fn of_generation(
    store: &dyn ReadStore,
    projection: &str,
    generation: i64,
) -> Result<Vec<ParkedEvent>, ReadStoreError> {
    let condition = "projection = $1 AND generation = $2 ORDER BY position";
    select(store, condition, vec![Value::Text(projection.to_owned()), Value::Int(generation)]).await
}

/// The first entries of one key that wait, in order.
pub(crate) async fn waiting(
    store: &dyn ReadStore,
    projection: &str,
    generation: i64,
    key: Uuid,
    limit: usize,
) -> Result<Vec<ParkedEvent>, ReadStoreError> {
    let condition = format!(
        "projection = $1 AND generation = $2 AND parked_key = $3 AND state <> 'skipped' ORDER BY position LIMIT {limit}"
    );
    select(store, &condition, of_key(projection, generation, key)).await
}

/// Every entry of one key, in order: what its row does not show.
pub(crate) async fn of_one_key(
    store: &dyn ReadStore,
    projection: &str,
    generation: i64,
    key: Uuid,
) -> Result<Vec<ParkedEvent>, ReadStoreError> {
    let condition = "projection = $1 AND generation = $2 AND parked_key = $3 ORDER BY position";
    select(store, condition, of_key(projection, generation, key)).await
}

/// The positions that an operator has skipped for a projection of this version, in any generation.
pub(crate) async fn skipped(
    store: &dyn ReadStore,
    projection: &str,
    version: i64,
) -> Result<Vec<ParkedEvent>, ReadStoreError> {
    let condition = "projection = $1 AND version = $2 AND state = 'skipped' ORDER BY position";
    select(store, condition, vec![Value::Text(projection.to_owned()), Value::Int(version)]).await
}

/// A part of the list of what is parked in the generations that serve.
pub(crate) async fn page(store: &dyn ReadStore, page: &ParkedPage) -> Result<Vec<ParkedEvent>, ReadStoreError> {
    let mut params = Vec::new();
    let mut conditions = vec![
        "EXISTS (SELECT 1 FROM projection_generations g WHERE g.name = projection_parked.projection \
         AND g.generation = projection_parked.generation AND g.state = 'serving')"
            .to_owned(),
    ];
    let filter = &page.filter;
    let mut equal = |column: &str, value: Value| {
        params.push(value);
        conditions.push(format!("{column} = ${}", params.len()));
    };
    if let Some(projection) = &filter.projection {
        equal("projection", Value::Text(projection.clone()));
    }
    if let Some(key) = filter.key {
        equal("parked_key", Value::Uuid(key));
    }
    if let Some(type_name) = &filter.type_name {
        equal("event_type", Value::Text(type_name.clone()));
    }
    if let Some(state) = filter.state {
        equal("state", Value::Text(state.as_str().to_owned()));
    }
    for (place, comparison) in [(&page.after, ">"), (&page.before, "<")] {
        let Some((projection, position, key)) = place else { continue };
        params.extend([Value::Text(projection.clone()), Value::Int(number_of(*position)), Value::Uuid(*key)]);
        let last = params.len();
        let (projection, position, key) = (last - 2, last - 1, last);
        conditions
            .push(format!("(projection, position, parked_key) {comparison} (${projection}, ${position}, ${key})"));
    }
    let direction = if page.from_end { "DESC" } else { "ASC" };
    let condition = format!(
        "{} ORDER BY projection {direction}, position {direction}, parked_key {direction} LIMIT {}",
        conditions.join(" AND "),
        page.limit
    );
    select(store, &condition, params).await
}

fn of_key(projection: &str, generation: i64, key: Uuid) -> Vec<Value> {
    vec![Value::Text(projection.to_owned()), Value::Int(generation), Value::Uuid(key)]
}

async fn select(
    store: &dyn ReadStore,
    condition: &str,
    params: Vec<Value>,
) -> Result<Vec<ParkedEvent>, ReadStoreError> {
    let sql = format!("SELECT {COLUMNS} FROM projection_parked WHERE {condition}");
    store.query(Query { sql: sql.into(), params, cost: Cost::Point }).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<ParkedEvent, ReadStoreError> {
    let state = ParkedState::parse(row.text(8)?);
    let number = |column| row.int(column).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(ParkedEvent {
        projection: row.text(0)?.to_owned(),
        generation: row.int(1)?,
        key: row.uuid(2)?,
        position: position(row.int(3)?),
        stream: StreamId::new(row.text(4)?, row.uuid(5)?),
        revision: Revision::new(number(6)?),
        type_name: Name::from(row.text(7)?),
        state: state.ok_or(ReadStoreError::Column { column: 8, wanted: "the state of a parked event" })?,
        error: row.optional_text(9)?.map(str::to_owned),
        attempts: u32::try_from(row.int(10)?).unwrap_or(u32::MAX),
        first_at: row.timestamp(11)?,
        last_at: row.timestamp(12)?,
        next_retry: if row.is_null(13) { None } else { Some(row.timestamp(13)?) },
        version: row.int(14)?,
        build: row.text(15)?.to_owned(),
    })
}
