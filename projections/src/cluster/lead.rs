//! The lead of a projection: the one process that rebuilds it, keeps a generation on standby and carries out what
//! operators order. It holds no slice but for the moments of an order.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::{Membership, Names, holding, sql};
use crate::{
    ManagerError,
    context::Context,
    shape::{CheckError, Checked, Look},
    worker::{CompareError, Held, Order, SwitchError, Which, Worker, some_keys},
};

/// How long until a lead that could not begin tries again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Whether this process leads a projection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leading(Arc<AtomicBool>);

impl Leading {
    /// For a process that has everything to itself.
    pub(crate) fn always() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(crate) fn is_here(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, is_here: bool) {
        self.0.store(is_here, Ordering::Release);
    }
}

/// A projection's lead in this process, in the times when its lease is here.
#[derive(Debug)]
pub(crate) struct Lead {
    context: Context,
    lease: String,
    names: Names,
    membership: Membership,
    leading: Leading,
}

/// What a process does as the lead comes to it, and as it leaves.
#[async_trait::async_trait]
pub(crate) trait Term: Send + Sync {
    /// Goes on with what the lead before has left. An outdated lead leaves alone what a later version has made.
    async fn begin(&self, is_outdated: bool) -> Result<(), ManagerError>;
    /// Lets go of everything.
    async fn end(&self);
    /// Carries out the orders that were left for the lead.
    async fn attend(&self);
}

impl Lead {
    /// `context` is its own: nobody else looks at its monitor, and nobody reads through its shape.
    pub(crate) fn new(context: Context, names: Names, membership: Membership, leading: Leading) -> Self {
        Self { context, lease: names.lead(), names, membership, leading }
    }

    /// Leads whenever the lease is here. `orders` are those of this process for the projection.
    pub(crate) async fn run(self, term: impl Term, mut orders: mpsc::Receiver<Order>) {
        let Some(leases) = &self.membership.leases else { return };
        let lifecycle = self.context.lifecycle.clone();
        let mut held = leases.held();
        loop {
            tokio::select! {
                biased;
                () = lifecycle.stopping() => return,
                is_here = self.comes(&mut held, true) => if !is_here { return },
            }
            if let Err(error) = self.begin(&term).await {
                let (name, error) = (self.context.name(), infrastructure::telemetry::with_causes(&error));
                tracing::warn!(projection.name = name, error, "{name} cannot be led from here yet: {error}");
                tokio::select! {
                    biased;
                    () = lifecycle.stopping() => return,
                    () = tokio::time::sleep(TRY_AGAIN) => {}
                }
                continue;
            }
            tracing::info!(projection.name = self.context.name(), "leads {}", self.context.name());
            self.leading.set(true);
            let mut nudges = self.context.rows.nudges();
            loop {
                tokio::select! {
                    biased;
                    () = lifecycle.stopping() => break,
                    _ = self.comes(&mut held, false) => break,
                    Some(order) = orders.recv() => self.obey(order).await,
                    _ = nudges.changed() => term.attend().await,
                    () = tokio::time::sleep(Duration::from_millis(250)) => term.attend().await,
                }
            }
            self.leading.set(false);
            tracing::info!(projection.name = self.context.name(), "leads {} no longer", self.context.name());
            term.end().await;
        }
    }

    /// Waits until the lease is here, or is not. False if the process holds no leases any more.
    async fn comes(&self, held: &mut watch::Receiver<Arc<BTreeSet<String>>>, is_here: bool) -> bool {
        held.wait_for(|held| held.contains(&self.lease) == is_here).await.is_ok()
    }

    async fn begin(&self, term: &impl Term) -> Result<(), ManagerError> {
        let (rows, name) = (&*self.context.rows, self.context.name());
        // Whatever a lead before still holds back, its workers are to go on.
        if let Some(holder) = sql::holder(rows, name).await? {
            rows.transaction(vec![sql::give_back(name, holder)]).await?;
        }
        self.clear_away().await?;
        let is_outdated = self.names.is_outdated(&self.membership.view.borrow());
        term.begin(is_outdated).await
    }

    /// Reports of processes that are gone.
    async fn clear_away(&self) -> Result<(), ManagerError> {
        let rows = &*self.context.rows;
        let mut gone: Vec<Uuid> = sql::reports(rows).await?.into_iter().map(|(node, ..)| node).collect();
        gone.retain(|node| !self.membership.is_alive(*node));
        gone.dedup();
        for node in gone {
            rows.transaction(vec![sql::remove_reports(node)]).await?;
        }
        Ok(())
    }

    /// Carries an order out with the whole projection in hand; a look at some rows only if it finds something.
    async fn obey(&self, order: Order) {
        let order = if let Order::Check { which: Which::Some { dice, count }, answer } = order {
            match self.doubtful(dice, count).await {
                Ok((_, keys)) if !keys.is_empty() => Order::Check { which: Which::Keys(keys), answer },
                Ok((rows, _)) => return drop(answer.send(Ok(Checked { rows, ..Checked::default() }))),
                Err(error) => return drop(answer.send(Err(error))),
            }
        } else {
            order
        };
        match holding::take(&self.context, self.membership.id).await {
            Ok(held) => {
                let (_orders, none) = mpsc::channel(1);
                let mut worker = Worker::new(self.context.clone(), Held::Nothing, none, None);
                worker.hold(held);
                worker.obey(order).await;
                holding::give_back(&self.context, self.membership.id, worker.let_go()).await;
            }
            Err(reason) => {
                holding::give_back(&self.context, self.membership.id, Held::Nothing).await;
                refuse(order, reason);
            }
        }
    }

    /// Looks at some rows while the workers go on. A row that differs may only have moved on since its slice's position was
    /// read: it is to be looked at again. Gives how many were looked at, and those that differ.
    async fn doubtful(&self, dice: u64, count: usize) -> Result<(u64, Vec<Uuid>), CheckError> {
        let Context { rows, events, shape, .. } = &self.context;
        let serving = sql::serving(&**rows).await?.remove(self.context.name());
        let Some(serving) = serving.filter(|serving| serving.is_of(&**shape)) else { return Ok((0, Vec::new())) };
        let look = |position| Look { store: &**rows, events: &**events, generation: serving.generation, position };
        let stored = serving.stored();
        let (mut looked_at, mut doubtful) = (0, Vec::new());
        for key in some_keys(&self.context, look(stored), dice, count).await? {
            let checked = shape.check(look(serving.stored_of(key).unwrap_or(stored)), &[key]).await?;
            looked_at += checked.rows;
            if !checked.differences.is_empty() {
                doubtful.push(key);
            }
        }
        Ok((looked_at, doubtful))
    }
}

/// The projection could not be had: what was to be put in place goes back to whoever brought it. The others see that their
/// order ends without an answer.
fn refuse(order: Order, reason: String) {
    match order {
        Order::Switch { to, answer, .. } => drop(answer.send(Err(SwitchError { reason, held: to }))),
        Order::Compare { with, answer, .. } => drop(answer.send(Err(CompareError { reason, with }))),
        Order::Pause { .. }
        | Order::Resume(_)
        | Order::Release { .. }
        | Order::ReleaseAll(_)
        | Order::Skip { .. }
        | Order::Check { .. }
        | Order::Repair { .. } => {
            tracing::warn!(error = %reason, "an order was not carried out: {reason}");
        }
    }
}
