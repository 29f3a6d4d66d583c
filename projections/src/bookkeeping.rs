//! What the read store knows about its projections: generations, checkpoints, which generation serves.
//!
//! **Invariant:** a checkpoint moves in the transaction that writes the rows, and only forwards. A worker that lost its
//! place to another one (its epoch is old) cannot write.

use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStore, ReadStoreError, Row, Statement, Value},
};

/// A generation of a projection's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: i64,
    pub(crate) version: i64,
    pub(crate) position: Position,
    pub(crate) state: GenerationState,
}

/// What a generation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GenerationState {
    /// It is being filled; nobody reads it.
    Building,
    /// Queries read it.
    Serving,
    /// It served once. Its tables go at the next start or rebuild, when no query can be reading them.
    Retired,
}

impl GenerationState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Serving => "serving",
            Self::Retired => "retired",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Building, Self::Serving, Self::Retired].into_iter().find(|state| state.as_str() == text)
    }
}

/// Makes the bookkeeping table if it is not there.
pub(crate) async fn prepare(store: &dyn ReadStore) -> Result<(), ReadStoreError> {
    let create = "CREATE TABLE IF NOT EXISTS projection_generations (
        name TEXT NOT NULL,
        generation BIGINT NOT NULL,
        version BIGINT NOT NULL,
        position BIGINT NOT NULL,
        epoch BIGINT NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (name, generation)
    )";
    store.transaction(vec![Statement::once(create, vec![])]).await
}

/// Every generation of a projection, oldest first.
pub(crate) async fn generations(store: &dyn ReadStore, name: &str) -> Result<Vec<Generation>, ReadStoreError> {
    let sql = "SELECT generation, version, position, state FROM projection_generations WHERE name = $1 \
               ORDER BY generation";
    let query = Query { sql: sql.into(), params: vec![Value::Text(name.to_owned())], cost: Cost::Point };
    store.query(query).await?.iter().map(generation).collect()
}

fn generation(row: &Row) -> Result<Generation, ReadStoreError> {
    let state = row.text(3)?;
    Ok(Generation {
        number: row.int(0)?,
        version: row.int(1)?,
        position: position(row.int(2)?),
        state: GenerationState::parse(state)
            .ok_or(ReadStoreError::Column { column: 3, wanted: "a generation's state" })?,
    })
}

/// Enters a new generation, empty.
pub(crate) fn insert(name: &str, number: i64, version: u32, state: GenerationState) -> Statement {
    let sql = "INSERT INTO projection_generations (name, generation, version, position, epoch, state) \
               VALUES ($1, $2, $3, 0, 0, $4)";
    let params = vec![
        Value::Text(name.to_owned()),
        Value::Int(number),
        Value::Int(i64::from(version)),
        Value::Text(state.as_str().to_owned()),
    ];
    Statement::once(sql, params)
}

/// Takes a generation over: whoever held it before can write no more. Gives the new epoch, and the position that the
/// one before has left. Of two that claim at the same time one gets [`ReadStoreError::Guard`], so that no epoch is ever
/// given out twice.
pub(crate) async fn claim(store: &dyn ReadStore, name: &str, number: i64) -> Result<(i64, Position), ReadStoreError> {
    let key = || vec![Value::Text(name.to_owned()), Value::Int(number)];
    let select = |column| {
        let sql = format!("SELECT {column} FROM projection_generations WHERE name = $1 AND generation = $2");
        store.query(Query { sql: sql.into(), params: key(), cost: Cost::Point })
    };
    let gone = ReadStoreError::Guard { expected: 1, changed: 0 };
    let epoch = select("epoch").await?.first().ok_or(gone.clone())?.int(0)?;
    let raise =
        "UPDATE projection_generations SET epoch = epoch + 1 WHERE name = $1 AND generation = $2 AND epoch = $3";
    let params = [key(), vec![Value::Int(epoch)]].concat();
    store.transaction(vec![Statement::once(raise, params).must_change(1)]).await?;
    // Read after the raise: up to then the one before could still move it.
    let reached = position(select("position").await?.first().ok_or(gone)?.int(0)?);
    Ok((epoch + 1, reached))
}

/// Moves a checkpoint on. Rolls its transaction back if somebody else owns the generation, or if it is there or further
/// already: so the same events are never applied twice.
pub(crate) fn checkpoint(name: &str, number: i64, epoch: i64, to: Position) -> Statement {
    let sql = "UPDATE projection_generations SET position = $1 \
               WHERE name = $2 AND generation = $3 AND epoch = $4 AND position < $1";
    let params = vec![Value::Int(number_of(to)), Value::Text(name.to_owned()), Value::Int(number), Value::Int(epoch)];
    Statement::once(sql, params).must_change(1)
}

/// Makes a generation the serving one and retires whichever was, in one transaction.
pub(crate) fn switch(name: &str, number: i64) -> Vec<Statement> {
    let retire = "UPDATE projection_generations SET state = 'retired' WHERE name = $1 AND state = 'serving'";
    let serve = "UPDATE projection_generations SET state = 'serving' \
                 WHERE name = $1 AND generation = $2 AND state = 'building'";
    vec![
        Statement::once(retire, vec![Value::Text(name.to_owned())]),
        Statement::once(serve, vec![Value::Text(name.to_owned()), Value::Int(number)]).must_change(1),
    ]
}

/// Removes a generation and its tables. Rolls its transaction back if the generation serves, or is gone already.
pub(crate) fn discard(name: &str, number: i64, tables: &[String]) -> Vec<Statement> {
    let delete = "DELETE FROM projection_generations WHERE name = $1 AND generation = $2 AND state <> 'serving'";
    let params = vec![Value::Text(name.to_owned()), Value::Int(number)];
    let mut statements = vec![Statement::once(delete, params).must_change(1)];
    statements.extend(tables.iter().map(|table| Statement::once(format!("DROP TABLE IF EXISTS {table}"), vec![])));
    statements
}

fn position(stored: i64) -> Position {
    Position::new(u64::try_from(stored).unwrap_or(0))
}

fn number_of(position: Position) -> i64 {
    i64::try_from(position.value()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
