//! The fault script: what goes wrong, where, and how often. And how often it did.
//!
//! A test plans faults for operations of a node. Whenever such an operation comes by, the first plan that is due takes
//! effect and is counted, so that a test can demand that its fault has really happened.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::random::Random;

/// Where a fault may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An append.
    Append,
    /// A deletion, soft or for good.
    Delete,
    /// The call of a read.
    Read,
    /// One event of a read.
    ReadEvent,
    /// The call of a subscription.
    Subscribe,
    /// One event of a subscription.
    SubscriptionEvent,
    /// A question for the members of the cluster.
    Gossip,
    /// A question for the methods of the server, with which a client connects.
    Features,
}

/// What goes wrong. What is said to happen *after* an operation has taken effect happens, with one event of a read or
/// a subscription, after that event is sent; for operations that change nothing it is the same as before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The connection is closed before the operation takes effect.
    DropBefore,
    /// The connection is closed after the operation took effect, without an answer.
    DropAfter,
    /// The connection is reset (TCP RST) before the operation takes effect.
    ResetBefore,
    /// The connection is reset after the operation took effect, without an answer.
    ResetAfter,
    /// The operation waits for [`Faults::release`] before it takes effect.
    HangBefore,
    /// The operation has taken effect; its answer waits for [`Faults::release`].
    HangAfter,
    /// `Aborted`, "Operation timed out"; nothing took effect.
    TimedOutBefore,
    /// `Aborted`, "Operation timed out", though the operation took effect.
    TimedOutAfter,
    /// `Unavailable`: the server is not ready.
    Unavailable,
    /// `Unavailable`: the server is too busy.
    Busy,
    /// Somebody else is the leader: another node, or the same one.
    NotLeader(SocketAddr),
    /// The operation, or the event, comes late.
    Delay(Duration),
    /// The write is on the leader, but for so long nothing is replicated: it and its retries get no answer until the
    /// operation times out. Appends only.
    ReplicateLater(Duration),
    /// The stream of a read or a subscription ends as if all were well, before the event.
    CleanEnd,
    /// The event comes twice. Events only.
    Duplicate,
    /// The event comes after the next one. Events only.
    WrongOrder,
}

/// A fault without its parameters, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the fault of that name")]
pub enum FaultKind {
    DropBefore,
    DropAfter,
    ResetBefore,
    ResetAfter,
    HangBefore,
    HangAfter,
    TimedOutBefore,
    TimedOutAfter,
    Unavailable,
    Busy,
    NotLeader,
    Delay,
    ReplicateLater,
    CleanEnd,
    Duplicate,
    WrongOrder,
}

impl Fault {
    /// Its kind.
    pub const fn kind(self) -> FaultKind {
        match self {
            Self::DropBefore => FaultKind::DropBefore,
            Self::DropAfter => FaultKind::DropAfter,
            Self::ResetBefore => FaultKind::ResetBefore,
            Self::ResetAfter => FaultKind::ResetAfter,
            Self::HangBefore => FaultKind::HangBefore,
            Self::HangAfter => FaultKind::HangAfter,
            Self::TimedOutBefore => FaultKind::TimedOutBefore,
            Self::TimedOutAfter => FaultKind::TimedOutAfter,
            Self::Unavailable => FaultKind::Unavailable,
            Self::Busy => FaultKind::Busy,
            Self::NotLeader(_) => FaultKind::NotLeader,
            Self::Delay(_) => FaultKind::Delay,
            Self::ReplicateLater(_) => FaultKind::ReplicateLater,
            Self::CleanEnd => FaultKind::CleanEnd,
            Self::Duplicate => FaultKind::Duplicate,
            Self::WrongOrder => FaultKind::WrongOrder,
        }
    }
}

/// A fault that is to happen.
#[derive(Clone, Debug)]
pub struct Plan {
    operation: Operation,
    fault: Fault,
    /// How often it still happens; without an end if none.
    left: Option<u64>,
    /// How many operations are spared first.
    spared: u64,
    /// One operation in so many, by these numbers.
    chance: Option<(u64, Random)>,
}

impl Plan {
    /// `fault` at the next `operation`, once.
    pub const fn new(operation: Operation, fault: Fault) -> Self {
        Self { operation, fault, left: Some(1), spared: 0, chance: None }
    }

    /// So many times.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.left = Some(times);
        self
    }

    /// Until [`Faults::clear`].
    #[must_use]
    pub const fn always(mut self) -> Self {
        self.left = None;
        self
    }

    /// After so many operations that go well.
    #[must_use]
    pub const fn after(mut self, operations: u64) -> Self {
        self.spared = operations;
        self
    }

    /// At one operation in `every` on average, chosen by `random`.
    #[must_use]
    pub const fn one_in(mut self, every: u64, random: Random) -> Self {
        self.chance = Some((every, random));
        self
    }

    /// Whether it happens now.
    fn strikes(&mut self, operation: Operation) -> bool {
        if self.operation != operation || self.left == Some(0) {
            return false;
        }
        if self.spared > 0 {
            self.spared -= 1;
            return false;
        }
        if let Some((every, random)) = &mut self.chance
            && random.below(*every) != 0
        {
            return false;
        }
        self.left = self.left.map(|left| left - 1);
        true
    }
}

/// The fault script of one node.
#[derive(Debug, Default)]
pub struct Faults {
    plans: Mutex<Vec<Plan>>,
    /// Whether there are plans: what the usual operation looks at.
    has_plans: AtomicBool,
    fired: Mutex<HashMap<(Operation, FaultKind), u64>>,
    releases: watch::Sender<u64>,
}

impl Faults {
    /// Plans a fault.
    pub fn plan(&self, plan: Plan) {
        let mut plans = lock(&self.plans);
        plans.push(plan);
        self.has_plans.store(true, Ordering::Release);
    }

    /// Forgets all plans. What hangs goes on hanging, and what was counted stays.
    pub fn clear(&self) {
        let mut plans = lock(&self.plans);
        plans.clear();
        self.has_plans.store(false, Ordering::Release);
    }

    /// Lets everything go on that hangs now.
    pub fn release(&self) {
        self.releases.send_modify(|releases| *releases += 1);
    }

    /// How often a fault of this kind has happened.
    pub fn fired(&self, kind: FaultKind) -> u64 {
        lock(&self.fired).iter().filter(|((_, fired), _)| *fired == kind).map(|(_, count)| count).sum()
    }

    /// How often a fault of this kind has happened at this operation.
    pub fn fired_at(&self, operation: Operation, kind: FaultKind) -> u64 {
        lock(&self.fired).get(&(operation, kind)).copied().unwrap_or_default()
    }

    /// The fault of this operation, if one is due.
    pub(super) fn take(&self, operation: Operation) -> Option<Fault> {
        if !self.has_plans.load(Ordering::Acquire) {
            return None;
        }
        let mut plans = lock(&self.plans);
        let index = plans.iter_mut().position(|plan| plan.strikes(operation))?;
        let fault = plans[index].fault;
        if plans[index].left == Some(0) {
            plans.remove(index);
        }
        self.has_plans.store(!plans.is_empty(), Ordering::Release);
        *lock(&self.fired).entry((operation, fault.kind())).or_default() += 1;
        Some(fault)
    }

    /// Waits for the next release.
    pub(super) async fn hang(&self) {
        let mut releases = self.releases.subscribe();
        // Its sender lives as long as the script that is asked.
        let _ = releases.changed().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
