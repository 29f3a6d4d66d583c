//! One node's round: beat, look, bury the dead, take and give its share.
//!
//! **Invariant:** what the node shows as held is empty from two thirds of a lease after the last successful beat was
//! sent, whatever the store does: every call of it ends by then, and after each the clock is asked first.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use uuid::Uuid;

use super::{
    LeaseOptions, Leases, Timing,
    balance::moves,
    cluster_view::{ClusterView, no_answer, show},
    leftovers::Leftovers,
    silence::{Dead, Silence},
    sql::{self, Table},
};
use crate::{
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError, Row, Statement},
    telemetry,
};

/// A node that takes part.
pub(super) struct Contender {
    store: Arc<dyn ReadStore>,
    id: Uuid,
    node: String,
    names: BTreeSet<String>,
    leases_max: usize,
    timing: Timing,
    shown_held: watch::Sender<Arc<BTreeSet<String>>>,
    shown_view: watch::Sender<Arc<ClusterView>>,
    /// What it holds; empty when it cannot know.
    owned: BTreeSet<String>,
    /// Just before the last successful beat was sent.
    proven: Instant,
    /// At least as many as the row has counted.
    beats: i64,
    silence: Silence,
    leftovers: Leftovers,
    /// Whether the last round failed, so that one outage is one warning.
    is_failing: bool,
}

impl Contender {
    pub(super) fn new(
        store: Arc<dyn ReadStore>,
        id: Uuid,
        names: BTreeSet<String>,
        options: LeaseOptions,
    ) -> (Self, Leases) {
        let timing = Timing::of(options.lease);
        let (shown_held, held) = watch::channel(Arc::default());
        let (shown_view, view) = watch::channel(Arc::default());
        let contender = Self {
            store,
            id,
            node: options.node,
            names,
            leases_max: options.leases_max.map_or(usize::MAX, usize::from),
            timing,
            shown_held,
            shown_view,
            owned: BTreeSet::new(),
            proven: Instant::now(),
            beats: 0,
            silence: Silence::new(timing.lease, timing.trust),
            leftovers: Leftovers::new(timing.patience),
            is_failing: false,
        };
        (contender, Leases { held, view })
    }

    /// Enters the node and the leases it knows.
    pub(super) async fn join(&mut self) -> Result<(), ReadStoreError> {
        let enter = sql::enter(&self.names);
        let join = sql::join(self.id, &self.node, self.beats, self.leases_max);
        self.beat_with(vec![join, enter]).await?;
        tracing::info!(node.id = %self.id, node.name = self.node, "node {} joined the cluster", self.node);
        Ok(())
    }

    /// Takes part until `lifecycle` stops, then leaves.
    pub(super) async fn run(mut self, lifecycle: &Lifecycle) {
        tokio::select! {
            biased;
            () = lifecycle.stopping() => {}
            () = self.rounds() => {}
        }
        self.leave().await;
    }

    async fn rounds(&mut self) {
        loop {
            let next = self.round().await;
            sleep_until(next).await;
        }
    }

    /// One round; whatever fails is tried again in the next one. When that is due.
    pub(super) async fn round(&mut self) -> Instant {
        let started = Instant::now();
        // Before anything else: this process may have been frozen.
        self.expire();
        match self.take_part().await {
            Ok(()) if self.is_failing => {
                tracing::info!(node.name = self.node, "node {} takes part again", self.node);
                self.is_failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                if !self.is_failing {
                    let error = telemetry::with_causes(&error);
                    tracing::warn!(node.name = self.node, error, "node {} cannot take part: {error}", self.node);
                }
                self.is_failing = true;
            }
        }
        let now = Instant::now();
        // A slow store is not asked without a pause.
        let mut next = (started + self.timing.round).max(now + self.timing.round / 4);
        if !self.owned.is_empty() {
            next = next.min(self.proven + self.timing.trust);
        }
        self.silence.next_due(now).map_or(next, |due| next.min(due))
    }

    async fn take_part(&mut self) -> Result<(), ReadStoreError> {
        match self.beat_with(vec![sql::beat(self.id)]).await {
            Err(ReadStoreError::Guard { .. }) => {
                tracing::warn!(node.name = self.node, "node {} was taken for dead and joins anew", self.node);
                self.let_go();
                self.join().await?;
            }
            answer => answer?,
        }
        let mut table = self.look().await?;
        if !self.bury_the_dead(&mut table).await? {
            table = self.look().await?;
        }
        if self.names.iter().any(|name| !table.leases.contains_key(name)) {
            self.write(vec![sql::enter(&self.names)]).await?;
        }
        // What is another version's stays in the table, if this id ever held it.
        self.owned = table.held_by(self.id).intersection(&self.names).cloned().collect();
        self.show_held();
        show(&self.shown_view, ClusterView::of(&table));
        self.balance(&mut table).await?;
        show(&self.shown_view, ClusterView::of(&table));
        Ok(())
    }

    /// Reads the tables and notes what they tell about the others.
    async fn look(&mut self) -> Result<Table, ReadStoreError> {
        let asked = Instant::now();
        let table = Table::of(&self.read().await?)?;
        let now = Instant::now();
        let was_here = self.silence.saw(&table, asked, now);
        self.leftovers.saw(self.id, &table, &self.names, now, was_here);
        Ok(table)
    }

    /// Frees what dead nodes hold, there and in `table`. False if somebody was quicker, and `table` is old.
    async fn bury_the_dead(&mut self, table: &mut Table) -> Result<bool, ReadStoreError> {
        let mut is_current = true;
        let me = self.id;
        for Dead { id, beat, silent } in self.silence.dead().into_iter().filter(|dead| dead.id != me) {
            match self.write(sql::bury(id, beat)).await {
                Ok(()) => {
                    let name = table.nodes.get(&id).map_or("without a name", |node| &node.name).to_owned();
                    let freed = table.forget(id);
                    metrics::counter!(telemetry::LEASE_TAKEOVERS).increment(freed as u64);
                    let silent_ms = millis(silent);
                    tracing::info!(
                        node.id = %id,
                        node.name = name,
                        node.silent_ms = silent_ms,
                        leases.freed = freed,
                        "took {freed} leases from the dead node {name}, silent for {silent_ms} ms"
                    );
                }
                // It beat at the last moment, or another one has buried it.
                Err(ReadStoreError::Guard { .. }) => is_current = false,
                Err(error) => return Err(error),
            }
        }
        Ok(is_current)
    }

    async fn balance(&mut self, table: &mut Table) -> Result<(), ReadStoreError> {
        let moves = moves(self.id, table, &self.leftovers.in_play(&self.names));
        self.give(moves.give, table).await?;
        self.claim(moves.free, moves.claim, table).await?;
        let (due, part) = self.leftovers.due(self.id, Instant::now());
        let room = self.leases_max.saturating_sub(self.owned.len());
        let picked = self.claim(due, part.min(room), table).await?;
        self.leftovers.pick(picked);
        Ok(())
    }

    async fn give(&mut self, names: Vec<String>, table: &mut Table) -> Result<(), ReadStoreError> {
        if names.is_empty() {
            return Ok(());
        }
        // First it stops to believe in them, so that their work begins to end.
        self.owned.retain(|name| !names.contains(name));
        self.show_held();
        self.beat_with(sql::give(self.id, &names)).await?;
        tracing::info!(node.name = self.node, leases = ?names, "node {} gave {} leases back", self.node, names.len());
        for name in names {
            table.leases.insert(name, None);
        }
        self.store.nudge();
        Ok(())
    }

    /// Claims `count` of `names`, each alone: a lost race is no error. What it got.
    async fn claim(
        &mut self,
        names: Vec<String>,
        count: usize,
        table: &mut Table,
    ) -> Result<Vec<String>, ReadStoreError> {
        let mut gained = Vec::new();
        let mut failed = Ok(());
        for name in names {
            if gained.len() == count {
                break;
            }
            match self.beat_with(sql::claim(self.id, &name)).await {
                Ok(()) => {
                    table.leases.insert(name.clone(), Some(self.id));
                    self.owned.insert(name.clone());
                    self.show_held();
                    gained.push(name);
                }
                Err(ReadStoreError::Guard { .. }) => {}
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
        }
        if !gained.is_empty() {
            tracing::info!(node.name = self.node, leases = ?gained, "node {} took {} leases", self.node, gained.len());
            self.store.nudge();
        }
        failed.map(|()| gained)
    }

    /// Gives everything back, at the end.
    pub(super) async fn leave(&mut self) {
        self.let_go();
        let left = timeout(self.timing.answer, self.store.transaction(sql::leave(self.id))).await;
        match left.unwrap_or_else(|_| Err(no_answer(self.timing.answer))) {
            Ok(()) => {
                tracing::info!(node.id = %self.id, node.name = self.node, "node {} left the cluster", self.node);
                self.store.nudge();
            }
            Err(error) => {
                let error = telemetry::with_causes(&error);
                tracing::warn!(node.name = self.node, error, "node {} left without giving its leases back", self.node);
            }
        }
    }

    /// A write that proves, if it succeeds, that this node lives.
    async fn beat_with(&mut self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        let sent = Instant::now();
        self.beats += 1;
        self.write(statements).await?;
        self.proven = sent;
        Ok(())
    }

    async fn write(&mut self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        let store = Arc::clone(&self.store);
        self.bounded(store.transaction(statements)).await
    }

    async fn read(&mut self) -> Result<Vec<Row>, ReadStoreError> {
        let store = Arc::clone(&self.store);
        self.bounded(store.query(sql::read())).await
    }

    /// What the store answers in time: while the node still believes in what it holds, not longer than that.
    async fn bounded<T>(
        &mut self,
        answer: impl Future<Output = Result<T, ReadStoreError>> + Send,
    ) -> Result<T, ReadStoreError> {
        let mut until = Instant::now() + self.timing.answer;
        if !self.owned.is_empty() {
            until = until.min(self.proven + self.timing.trust);
        }
        let answer = timeout_at(until, answer).await;
        self.expire();
        answer.unwrap_or_else(|_| Err(no_answer(self.timing.answer)))
    }

    /// Lets go of everything if the last beat was too long ago.
    fn expire(&mut self) {
        let silent = self.proven.elapsed();
        if !self.owned.is_empty() && silent >= self.timing.trust {
            let silent_ms = millis(silent);
            tracing::warn!(
                node.name = self.node,
                node.silent_ms = silent_ms,
                "node {} could not beat for {silent_ms} ms and lets go of its {} leases",
                self.node,
                self.owned.len()
            );
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        self.owned.clear();
        self.show_held();
    }

    /// Shows what the node holds, if it can believe in it.
    #[expect(clippy::cast_precision_loss, reason = "so many leases nobody has")]
    fn show_held(&mut self) {
        if self.proven.elapsed() >= self.timing.trust {
            self.owned.clear();
        }
        metrics::gauge!(telemetry::LEASES_HELD).set(self.owned.len() as f64);
        show(&self.shown_held, self.owned.clone());
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
