//! Applying events to a model of set changes: their statements, in order, in one transaction.

use std::{collections::HashSet, marker::PhantomData, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use infrastructure::{
    event_store::Position,
    read_store::{ReadStore, Statement},
};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};
use uuid::Uuid;

use super::{
    ApplyError, Audience, Batch, Builder, CheckError, Checked, Copied, Difference, Failure, Look, Repaired, Shape,
    Verified, ended, rows::too_slow, verify,
};
use crate::{Decoded, SetChange, Tables, bookkeeping::Tally, decoded::Place, table::only_in};

/// How many batches a listener may be behind before it misses some.
const APPLIED_BATCHES_KEPT: usize = 256;

/// A model of set changes at work.
#[derive(Debug)]
pub(crate) struct SetChangeShape<M: SetChange> {
    /// The tables queries read; none until the first generation is built.
    pub(crate) serving: watch::Sender<Option<Tables>>,
    /// What is applied, for whoever listens.
    pub(crate) applied: broadcast::Sender<Arc<Vec<Decoded>>>,
    model: PhantomData<fn() -> M>,
}

impl<M: SetChange> SetChangeShape<M> {
    pub(crate) fn new() -> Self {
        Self {
            serving: watch::Sender::new(None),
            applied: broadcast::Sender::new(APPLIED_BATCHES_KEPT),
            model: PhantomData,
        }
    }
}

impl<M: SetChange> SetChangeShape<M> {
    fn tell(&self, events: Arc<Vec<Decoded>>) {
        // It fails only if nobody listens.
        let _ = self.applied.send(events);
    }
}

/// The statements of these events in order, and what failed. Later events of a key that failed are kept back.
fn changes<M: SetChange>(events: &[Decoded], tables: &Tables, limit: Duration) -> (Vec<Statement>, Vec<Failure>) {
    let (mut statements, mut failures) = (Vec::new(), Vec::new());
    let mut waiting = HashSet::new();
    for (index, event) in events.iter().enumerate() {
        let key = std::panic::catch_unwind(|| M::key(event)).unwrap_or(event.stream.id);
        if waiting.contains(&key) {
            failures.push(Failure { index, place: Place::of(event), key, error: None });
            continue;
        }
        let started = Instant::now();
        let error = match std::panic::catch_unwind(AssertUnwindSafe(|| M::changes(event, tables))) {
            Err(_) => "its change panicked".to_owned(),
            Ok(_) if started.elapsed() > limit => too_slow(started.elapsed(), limit),
            Ok(changes) => {
                statements.extend(changes);
                continue;
            }
        };
        waiting.insert(key);
        failures.push(Failure { index, place: Place::of(event), key, error: Some(error) });
    }
    (statements, failures)
}

#[async_trait]
impl<M: SetChange> Shape for SetChangeShape<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn version(&self) -> u32 {
        M::VERSION
    }

    fn form(&self) -> String {
        M::TABLES.join(", ")
    }

    fn events(&self) -> &'static [&'static str] {
        M::EVENTS
    }

    fn key(&self, event: &Decoded) -> Result<Option<Uuid>, String> {
        std::panic::catch_unwind(|| Some(M::key(event))).map_err(|_| "finding its key panicked".to_owned())
    }

    fn tables(&self, generation: i64) -> Vec<String> {
        let tables = Tables::new(M::NAME, generation);
        M::TABLES.iter().map(|table| tables.name(table)).collect()
    }

    fn create(&self, generation: i64) -> Vec<Statement> {
        let statements = M::create(&Tables::new(M::NAME, generation));
        statements.into_iter().map(|sql| Statement::once(sql, vec![])).collect()
    }

    fn finish(&self, generation: i64) -> Vec<Statement> {
        let statements = M::finish(&Tables::new(M::NAME, generation));
        statements.into_iter().map(|sql| Statement::once(sql, vec![])).collect()
    }

    async fn apply(&self, batch: Batch<'_>) -> Result<Vec<Failure>, ApplyError> {
        let Batch { store, generation, events, limit, audience, finish, .. } = batch;
        let tables = Tables::new(M::NAME, generation);
        let events = Arc::new(events);
        let applied = Arc::clone(&events);
        let making = tokio::task::spawn_blocking(move || changes::<M>(&events, &tables, limit));
        let (mut statements, failures) = match tokio::time::timeout(limit, making).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return Err(ended(&error, "its change panicked")),
            Err(_) => return Err(ApplyError::Batch(too_slow(limit, limit))),
        };
        statements.extend(finish(&failures));
        store.transaction(statements).await?;
        match audience {
            Audience::Live | Audience::Late => self.tell(applied),
            Audience::Nobody => {}
        }
        Ok(failures)
    }

    fn builder(&self, generation: i64, _tally: Option<Tally>, limit: Duration) -> Box<dyn Builder> {
        let tables = Tables::new(M::NAME, generation);
        Box::new(SetChangeBuilder::<M> { tables, held: Vec::new(), bytes: 0, limit, model: PhantomData })
    }

    fn is_divisible(&self) -> bool {
        false
    }

    fn folds_rows(&self) -> bool {
        false
    }

    async fn verify(&self, look: Look<'_>, _expected: Option<Tally>) -> Result<Verified, CheckError> {
        verify::set_change::<M>(look).await
    }

    async fn check(&self, _look: Look<'_>, _keys: &[Uuid]) -> Result<Checked, CheckError> {
        Err(CheckError::NotByKey)
    }

    async fn sample(&self, _look: Look<'_>, _dice: u64, _count: usize) -> Result<Vec<Uuid>, CheckError> {
        Ok(Vec::new())
    }

    async fn repair(
        &self,
        _look: Look<'_>,
        _keys: &[Uuid],
        _with: Vec<Statement>,
    ) -> Result<Vec<Repaired>, CheckError> {
        Err(CheckError::NotByKey)
    }

    async fn copy(&self, _look: Look<'_>, _to: i64, _after: Option<Uuid>) -> Result<Option<Copied>, CheckError> {
        Err(CheckError::NotByKey)
    }

    async fn compare(&self, look: Look<'_>, other: i64, limit: usize) -> Result<Vec<Difference>, CheckError> {
        let (ours, theirs) = (Tables::new(M::NAME, look.generation), Tables::new(M::NAME, other));
        let mut differences = Vec::new();
        for table in M::TABLES {
            let (ours, theirs) = (ours.name(table), theirs.name(table));
            for (one, two, is_ours) in [(&ours, &theirs, true), (&theirs, &ours, false)] {
                for row in look.store.query(only_in(one, two, limit)).await? {
                    let text = Some(format!("{table}: {:?}", row.0));
                    let (stored, folded) = if is_ours { (text, None) } else { (None, text) };
                    let key = row.uuid(0).unwrap_or_default();
                    let (generation, position) = (look.generation, look.position);
                    differences.push(Difference { key, generation, position, stored, folded });
                }
            }
        }
        differences.truncate(limit);
        Ok(differences)
    }

    fn serve(&self, generation: i64, _position: Position, _has_gap: bool) {
        self.serving.send_replace(Some(Tables::new(M::NAME, generation)));
    }

    fn reads(&self, version: i64, _form: &str) -> bool {
        (i64::from(M::READS_SINCE)..=i64::from(M::VERSION)).contains(&version)
    }

    fn serve_frozen(&self, generation: i64, _form: &str, position: Position) {
        self.serve(generation, position, true);
    }

    fn skip(&self, _to: Position) -> bool {
        self.applied.receiver_count() == 0
    }

    async fn retell(
        &self,
        _look: Look<'_>,
        mut events: Vec<Decoded>,
        left_out: &HashSet<Position>,
        _to: Position,
    ) -> Result<(), CheckError> {
        events.retain(|event| !left_out.contains(&event.position));
        self.tell(Arc::new(events));
        Ok(())
    }

    fn tell_late(&self, _keys: &[Uuid], _from: Position) {}

    fn close(&self) {}
}

struct SetChangeBuilder<M: SetChange> {
    tables: Tables,
    held: Vec<Statement>,
    bytes: usize,
    /// How long making an event's statements may take.
    limit: Duration,
    model: PhantomData<fn() -> M>,
}

#[async_trait]
impl<M: SetChange> Builder for SetChangeBuilder<M> {
    async fn apply(&mut self, _store: &dyn ReadStore, events: Vec<Decoded>) -> Result<Vec<Failure>, ApplyError> {
        self.bytes += events.iter().map(|event| event.bytes).sum::<usize>();
        let (statements, failures) = changes::<M>(&events, &self.tables, self.limit);
        self.held.extend(statements);
        Ok(failures)
    }

    fn held(&self) -> (usize, usize) {
        (self.held.len(), self.bytes)
    }

    fn flush(&mut self) -> Result<Vec<Statement>, ApplyError> {
        self.bytes = 0;
        Ok(std::mem::take(&mut self.held))
    }

    fn tally(&self) -> Option<Tally> {
        None
    }

    fn reset(&mut self) {
        self.held.clear();
        self.bytes = 0;
    }
}
