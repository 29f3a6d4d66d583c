//! The database behind one node or a whole cluster: the engine, the log in memory that follows it, replication.
//!
//! Every write goes through the engine. The log in memory is what the engine has, in its order: it is filled by
//! following the engine, so a write by another way, or by an earlier process, is in it too. Readers see it up to the
//! last record that is *replicated*, which is all of it unless a test holds replication.

use std::{
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::Timestamp;
use infrastructure::{
    clock::{Clock as _, IdSource as _, SystemClock, SystemIds},
    event_store::{
        Append, Batch, EventStore, ExpectedRevision, MemoryEventStore, NewEvent, Position, StoreError, Subscription,
        TypeFilter,
    },
};
use tokio::{
    sync::{Mutex as AsyncMutex, RwLock as AsyncRwLock, watch},
    task::JoinSet,
};
use uuid::Uuid;

use super::{log::Log, options::Limits};

/// How many of the engine's events are taken over at once.
const PAGE_EVENTS: usize = 4_096;
/// How long the follower waits after the engine has failed.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// A database that outlives the nodes in front of it.
#[derive(Debug)]
pub struct Database {
    pub(super) engine: Arc<dyn EventStore>,
    pub(super) limits: Limits,
    /// Writes whose outcome depends on the stream's revision alone share it, for the engine decides about them. Every
    /// other write has it alone.
    pub(super) order: AsyncRwLock<()>,
    shared: Arc<Shared>,
    follower: AsyncMutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    log: RwLock<Log>,
    /// What the leader has.
    indexed: watch::Sender<Progress>,
    /// What readers may see.
    replicated: watch::Sender<Progress>,
    /// How many want replication to stand still.
    holds: AtomicUsize,
}

/// How far something has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Records of the log.
    pub(super) count: usize,
    /// The engine's last position among them.
    pub(super) engine: Position,
}

impl Database {
    /// The database that `engine` holds.
    pub async fn open(engine: Arc<dyn EventStore>, limits: Limits) -> Result<Arc<Self>, StoreError> {
        let shared = Arc::new(Shared {
            log: RwLock::new(Log::new(limits.ids_remembered)),
            indexed: watch::Sender::default(),
            replicated: watch::Sender::default(),
            holds: AtomicUsize::new(0),
        });
        let head = engine.head().await?;
        let mut follower = JoinSet::new();
        follower
            .spawn(follow(Arc::clone(&shared), Subscription::new(engine.clone(), Position::START, TypeFilter::All)));
        let database =
            Self { engine, limits, order: AsyncRwLock::default(), shared, follower: AsyncMutex::new(follower) };
        database.wait_indexed(head).await;
        database.forget_ids();
        if head == Position::START && database.limits.has_system_events {
            database.write_system_events().await?;
        }
        Ok(Arc::new(database))
    }

    /// Lets go of the engine, once its nodes are dead: whoever opens the engine's file next must find it free.
    pub async fn close(&self) {
        self.follower.lock().await.shutdown().await;
    }

    /// A copy of what there is now, to be restored by another double.
    pub async fn backup(&self) -> Arc<dyn EventStore> {
        let (copy, mut after) = (MemoryEventStore::new(), Position::START);
        loop {
            let page =
                self.engine.read_all(after, &TypeFilter::All, PAGE_EVENTS).await.expect("the engine can be read");
            for event in page.events {
                let (stream, expected) = (event.stream.clone(), ExpectedRevision::after(event.revision.previous()));
                let events = [NewEvent::from(event)].into();
                copy.append(Append { stream, expected, events }).await.expect("what one engine held another one takes");
            }
            if page.is_end {
                return Arc::new(copy);
            }
            after = page.scanned_to;
        }
    }

    /// Stops replication: what is written from now on is on the leader only. Readers do not see it, and who has
    /// written it waits for an answer until the operation times out. Until the guard is dropped, and every other one.
    #[must_use]
    pub fn hold_replication(&self) -> ReplicationHold {
        self.shared.holds.fetch_add(1, Ordering::AcqRel);
        ReplicationHold(Arc::clone(&self.shared))
    }

    /// Forgets the ids of the latest events, as a node does that restarts or has just become leader.
    pub fn forget_ids(&self) {
        self.shared.log.write().unwrap_or_else(PoisonError::into_inner).forget_ids();
    }

    pub(super) fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.shared.log()
    }

    /// What readers may see, as it grows.
    pub(super) fn replicated(&self) -> watch::Receiver<Progress> {
        self.shared.replicated.subscribe()
    }

    /// How many records readers may see.
    pub(super) fn visible(&self) -> usize {
        self.shared.replicated.borrow().count
    }

    /// How far the leader's log reaches.
    pub(super) fn indexed(&self) -> Progress {
        *self.shared.indexed.borrow()
    }

    /// Waits until the log has everything of the engine up to `position`.
    pub(super) async fn wait_indexed(&self, position: Position) {
        wait(&self.shared.indexed, position).await;
    }

    /// Waits until readers see everything of the engine up to `position`; no longer than an operation may take.
    pub(super) async fn wait_replicated(&self, position: Position) -> bool {
        tokio::time::timeout(self.limits.commit_timeout, wait(&self.shared.replicated, position)).await.is_ok()
    }

    pub(super) fn now() -> Timestamp {
        SystemClock.now()
    }

    pub(super) fn fresh_id() -> Uuid {
        SystemIds.fresh()
    }
}

async fn wait(progress: &watch::Sender<Progress>, position: Position) {
    let mut progress = progress.subscribe();
    // Its sender lives as long as the database that is asked.
    let _ = progress.wait_for(|progress| progress.engine >= position).await;
}

/// Takes over what is in the engine, and then what comes.
async fn follow(shared: Arc<Shared>, mut subscription: Subscription) {
    loop {
        match subscription.next(PAGE_EVENTS).await {
            Ok(batch) => shared.take(batch),
            Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
        }
    }
}

impl Shared {
    fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, batch: Batch) {
        let mut log: RwLockWriteGuard<'_, Log> = self.log.write().unwrap_or_else(PoisonError::into_inner);
        for event in batch.events {
            log.push(event);
        }
        let progress = Progress { count: log.len(), engine: batch.scanned_to };
        // Under the lock, so that neither goes back and a release is not overtaken.
        self.indexed.send_replace(progress);
        if self.holds.load(Ordering::Acquire) == 0 {
            self.replicated.send_replace(progress);
        }
    }
}

/// Keeps replication from going on.
#[derive(Debug)]
pub struct ReplicationHold(Arc<Shared>);

impl Drop for ReplicationHold {
    fn drop(&mut self) {
        // The lock keeps the follower from publishing meanwhile.
        let log = self.0.log();
        if self.0.holds.fetch_sub(1, Ordering::AcqRel) == 1 {
            let indexed = *self.0.indexed.borrow();
            self.0.replicated.send_replace(indexed);
        }
        drop(log);
    }
}
