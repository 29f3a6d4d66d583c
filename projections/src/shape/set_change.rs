//! Applying events to a model of set changes: their statements, in order, in one transaction.

use std::{marker::PhantomData, panic::AssertUnwindSafe};

use async_trait::async_trait;
use infrastructure::{
    event_store::Position,
    read_store::{ReadStore, Statement},
};
use tokio::sync::watch;

use super::{ApplyError, Builder, Shape};
use crate::{Decoded, SetChange, Tables};

/// How many statements a rebuild holds back before it writes them.
const BUILDER_STATEMENTS_MAX: usize = 8_192;

/// A model of set changes at work.
#[derive(Debug)]
pub(crate) struct SetChangeShape<M: SetChange> {
    /// The tables queries read; none until the first generation is built.
    pub(crate) serving: watch::Sender<Option<Tables>>,
    model: PhantomData<fn() -> M>,
}

impl<M: SetChange> SetChangeShape<M> {
    pub(crate) fn new() -> Self {
        Self { serving: watch::Sender::new(None), model: PhantomData }
    }
}

/// The event's statements. One that panics counts as a failure of that event.
fn changes<M: SetChange>(event: &Decoded, tables: &Tables) -> Result<Vec<Statement>, ApplyError> {
    std::panic::catch_unwind(AssertUnwindSafe(|| M::changes(event, tables)))
        .map_err(|_| ApplyError::Event { position: event.position, error: "its change panicked".to_owned() })
}

#[async_trait]
impl<M: SetChange> Shape for SetChangeShape<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn version(&self) -> u32 {
        M::VERSION
    }

    fn events(&self) -> &'static [&'static str] {
        M::EVENTS
    }

    fn tables(&self, generation: i64) -> Vec<String> {
        let tables = Tables::new(M::NAME, generation);
        M::TABLES.iter().map(|table| tables.name(table)).collect()
    }

    fn create(&self, generation: i64) -> Vec<Statement> {
        let statements = M::create(&Tables::new(M::NAME, generation));
        statements.into_iter().map(|sql| Statement::once(sql, vec![])).collect()
    }

    fn finish(&self, _generation: i64) -> Vec<Statement> {
        // Set changes read what they change, so their indexes are there from the start.
        Vec::new()
    }

    async fn apply(
        &self,
        store: &dyn ReadStore,
        generation: i64,
        events: &[Decoded],
        _scanned_to: Position,
        checkpoint: Statement,
        _is_live: bool,
    ) -> Result<(), ApplyError> {
        let tables = Tables::new(M::NAME, generation);
        let mut statements = Vec::new();
        for event in events {
            statements.extend(changes::<M>(event, &tables)?);
        }
        statements.push(checkpoint);
        store.transaction(statements).await?;
        Ok(())
    }

    fn builder(&self, generation: i64) -> Box<dyn Builder> {
        let tables = Tables::new(M::NAME, generation);
        Box::new(SetChangeBuilder::<M> { tables, held: Vec::new(), model: PhantomData })
    }

    fn serve(&self, generation: i64, _position: Position, _has_gap: bool) {
        self.serving.send_replace(Some(Tables::new(M::NAME, generation)));
    }

    fn close(&self) {}
}

struct SetChangeBuilder<M: SetChange> {
    tables: Tables,
    held: Vec<Statement>,
    model: PhantomData<fn() -> M>,
}

#[async_trait]
impl<M: SetChange> Builder for SetChangeBuilder<M> {
    async fn apply(&mut self, _store: &dyn ReadStore, events: &[Decoded]) -> Result<(), ApplyError> {
        for event in events {
            self.held.extend(changes::<M>(event, &self.tables)?);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.held.len() >= BUILDER_STATEMENTS_MAX
    }

    fn flush(&mut self) -> Vec<Statement> {
        std::mem::take(&mut self.held)
    }
}
