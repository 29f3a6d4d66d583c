//! What a runner has written down, in the read store.

use std::sync::Arc;

use domain::{Event, Process, Timestamp};
use uuid::Uuid;

use super::{
    desk::{Note, Noted},
    parked::{ParkedKey, Place},
    sql,
    status::{Concern, ProcessStatus},
};
use crate::{
    codec::{self, DecodeCode},
    event_store::{Name, Position},
    read_store::{ReadStore, ReadStoreError, Row, Value},
};

/// The notes of one process, in the hands of whoever took them over last.
#[derive(Debug)]
pub(super) struct Notes {
    store: Arc<dyn ReadStore>,
    name: &'static str,
    epoch: i64,
}

impl Notes {
    /// Takes the process over from whoever had it. Gives where its cursor is. [`ReadStoreError::Guard`]: somebody else takes it
    /// over at the same moment.
    pub(super) async fn take_over<P: Process>(store: Arc<dyn ReadStore>) -> Result<(Self, Position), ReadStoreError> {
        let mut statements = sql::create();
        statements.push(sql::begin(P::NAME, P::VERSION));
        store.transaction(statements).await?;
        let before = cursor(&*store, P::NAME).await?.0;
        // Of those who saw the same epoch, one raises it.
        store.transaction(sql::take_over(P::NAME, P::VERSION, before)).await?;
        let position = cursor(&*store, P::NAME).await?.1;
        Ok((Self { store, name: P::NAME, epoch: before + 1 }, position))
    }

    /// Writes down what has changed, how far everything was seen, and how the process is. [`ReadStoreError::Guard`]: somebody
    /// else has taken over.
    pub(super) async fn write<P: Process>(
        &self,
        notes: &[Note<P::State>],
        position: Position,
        status: &ProcessStatus,
    ) -> Result<(), ReadStoreError> {
        let name = || Value::Text(self.name.to_owned());
        let optional = |value: Option<Value>| value.unwrap_or(Value::Null);
        let mut written = Vec::new();
        let mut removed = Vec::new();
        let (mut parked, mut released) = (Vec::new(), Vec::new());
        for note in notes {
            match &note.parked {
                Some(waits) => parked.push(self.parked_row(waits)),
                None if note.is_released => released.push(vec![name(), Value::Uuid(note.key)]),
                None => {}
            }
            match &note.state {
                Some(state) => written.push(vec![
                    name(),
                    Value::Uuid(note.key),
                    optional(note.cause.map(Value::Uuid)),
                    optional(note.due.map(Value::Timestamp)),
                    optional(note.concern.clone().map(Value::Text)),
                    Value::Text(
                        serde_json::to_string(state.as_ref()).expect("a state is plain data with text as keys"),
                    ),
                ]),
                None if note.is_known => removed.push(vec![name(), Value::Uuid(note.key)]),
                None => {}
            }
        }
        let report = serde_json::to_string(status).expect("a status is plain data");
        let mut statements = vec![sql::advance(self.name, self.epoch, position), sql::tell(self.name, report)];
        statements.extend((!written.is_empty()).then(|| sql::write(written)));
        statements.extend((!removed.is_empty()).then(|| sql::remove(removed)));
        statements.extend((!parked.is_empty()).then(|| sql::park(parked)));
        statements.extend((!released.is_empty()).then(|| sql::release(released)));
        self.store.transaction(statements).await
    }

    fn parked_row(&self, parked: &ParkedKey) -> Vec<Value> {
        let ParkedKey { key, position, type_name, code, reason, after } = parked;
        vec![
            Value::Text(self.name.to_owned()),
            Value::Uuid(*key),
            sql::at(*after),
            sql::at(*position),
            Value::Text(type_name.to_string()),
            Value::Text(code.as_str().to_owned()),
            Value::Text(reason.clone()),
            Value::Text(codec::fingerprint::<Event>()),
        ]
    }

    /// Every key that waits, where, and whether it was a build of other events that could not read its event.
    pub(super) async fn parked(&self) -> Result<Vec<(Uuid, Place, bool)>, ReadStoreError> {
        let (mut all, mut after, build) = (Vec::new(), Uuid::nil(), codec::fingerprint::<Event>());
        loop {
            let rows = self.store.query(sql::parked(self.name, after, sql::KEYS_MAX)).await?;
            for row in &rows {
                after = row.uuid(0)?;
                let place = Place { after: position(row, 1)?, position: position(row, 2)? };
                all.push((after, place, row.text(6)? != build));
            }
            if rows.len() < sql::KEYS_MAX {
                return Ok(all);
            }
        }
    }

    /// What is noted of these keys.
    pub(super) async fn of_keys<P: Process>(&self, keys: &[Uuid]) -> Result<Vec<Noted<P::State>>, ReadStoreError> {
        let mut noted = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(sql::KEYS_MAX) {
            let rows = self.store.query(sql::of_keys(self.name, chunk)).await?;
            for row in &rows {
                noted.push(read::<P>(row)?);
            }
        }
        Ok(noted)
    }

    /// The keys that have to be looked at until then.
    pub(super) async fn due(&self, until: Timestamp) -> Result<Vec<Uuid>, ReadStoreError> {
        let mut due = Vec::new();
        let mut after = None;
        loop {
            let rows = self.store.query(sql::due(self.name, until, after)).await?;
            for row in &rows {
                due.push(row.uuid(0)?);
            }
            let Some(last) = rows.last().filter(|_| rows.len() == sql::DUE_MAX) else { return Ok(due) };
            after = Some((last.timestamp(1)?, last.uuid(0)?));
        }
    }
}

/// Epoch and position of a process.
async fn cursor(store: &dyn ReadStore, name: &str) -> Result<(i64, Position), ReadStoreError> {
    let rows = store.query(sql::cursor(name)).await?;
    let row = rows.first().ok_or(ReadStoreError::Column { column: 0, wanted: "the row of a process" })?;
    Ok((row.int(0)?, position(row, 1)?))
}

/// The position in this column.
pub(super) fn position(row: &Row, column: usize) -> Result<Position, ReadStoreError> {
    let position = u64::try_from(row.int(column)?);
    position.map(Position::new).map_err(|_| ReadStoreError::Column { column, wanted: "a position" })
}

fn read<P: Process>(row: &Row) -> Result<Noted<P::State>, ReadStoreError> {
    let cause = if row.is_null(1) { None } else { Some(row.uuid(1)?) };
    let due = if row.is_null(2) { None } else { Some(row.timestamp(2)?) };
    let state = serde_json::from_str(row.text(3)?)
        .map_err(|_| ReadStoreError::Column { column: 3, wanted: "a state of this version" })?;
    Ok(Noted { key: row.uuid(0)?, cause, due, state })
}

/// The keys that wait for an event, after this one, at most so many.
pub(super) async fn parked(
    store: &dyn ReadStore,
    name: &str,
    after: Uuid,
    limit: usize,
) -> Result<Vec<ParkedKey>, ReadStoreError> {
    let rows = store.query(sql::parked(name, after, limit)).await?;
    let read = |row: &Row| {
        let unknown = ReadStoreError::Column { column: 4, wanted: "why an event cannot be read" };
        Ok(ParkedKey {
            key: row.uuid(0)?,
            after: position(row, 1)?,
            position: position(row, 2)?,
            type_name: Name::from(row.text(3)?),
            code: DecodeCode::parse(row.text(4)?).ok_or(unknown)?,
            reason: row.text(5)?.to_owned(),
        })
    };
    rows.iter().map(read).collect()
}

/// What somebody has to look at, at most so many.
pub(super) async fn concerns(store: &dyn ReadStore, name: &str, limit: usize) -> Result<Vec<Concern>, ReadStoreError> {
    let rows = store.query(sql::concerns(name, limit)).await?;
    rows.iter().map(|row| Ok(Concern { key: row.uuid(0)?, text: row.text(1)?.to_owned() })).collect()
}
