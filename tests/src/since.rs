//! An event store from now on: what a suite sees of a log that others have written to.
//!
//! The cases of a suite expect an empty log with nobody else in it. This view begins at the head of a shared one, and
//! positions of events that it does not show (the server's own, such as its statistics) count as the last one it does
//! show. Nobody else may append meanwhile; see [`Since::open`].

use std::sync::Arc;

use async_trait::async_trait;
use infrastructure::event_store::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, Position, Revision, StoreError, StreamId,
    StreamPage, TypeFilter, Whereabouts,
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    task::JoinSet,
};

/// How many events the view looks at in one go.
const PAGE_EVENTS: usize = 1_000;

/// A store from the position on where it was opened.
#[derive(Debug)]
pub struct Since {
    shared: Arc<Shared>,
    tail: watch::Sender<Position>,
    _follower: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn EventStore>,
    base: Position,
    known: Mutex<Known>,
}

/// The positions of the events that the view shows, and how far it has looked.
#[derive(Debug)]
struct Known {
    positions: Vec<Position>,
    scanned_to: Position,
}

impl Since {
    /// A view of `store` from its end on, and the right to be the only one in this process that has one.
    pub async fn open(store: Arc<dyn EventStore>) -> (Arc<dyn EventStore>, OwnedMutexGuard<()>) {
        static ALONE: std::sync::LazyLock<Arc<Mutex<()>>> = std::sync::LazyLock::new(Arc::default);
        let alone = Arc::clone(&ALONE).lock_owned().await;
        let base = store.head().await.expect("a head");
        let known = Mutex::new(Known { positions: Vec::new(), scanned_to: base });
        let shared = Arc::new(Shared { store, base, known });
        let tail = watch::Sender::new(Position::START);
        let mut follower = JoinSet::new();
        follower.spawn(follow(Arc::clone(&shared), tail.clone()));
        (Arc::new(Self { shared, tail, _follower: follower }), alone)
    }
}

/// Shows the tail of the store as the view's.
async fn follow(shared: Arc<Shared>, shown: watch::Sender<Position>) {
    let mut tail = shared.store.tail();
    loop {
        let last = *tail.borrow_and_update();
        match shared.shown(last).await {
            Ok(position) => {
                shown.send_if_modified(|shown| std::mem::replace(shown, position) != position);
            }
            Err(error) => panic!("the log cannot be read: {error}"),
        }
        if tail.changed().await.is_err() {
            return;
        }
    }
}

impl Shared {
    /// The last position that the view shows, up to `position`.
    async fn shown(&self, position: Position) -> Result<Position, StoreError> {
        let mut known = self.known.lock().await;
        while known.scanned_to < position {
            let page = self.store.read_all(known.scanned_to, &TypeFilter::All, PAGE_EVENTS).await?;
            known.positions.extend(page.events.iter().map(|event| event.position));
            if page.scanned_to == known.scanned_to {
                break;
            }
            known.scanned_to = page.scanned_to;
        }
        let shown = known.positions.partition_point(|known| *known <= position);
        Ok(shown.checked_sub(1).map_or(Position::START, |last| known.positions[last]))
    }
}

#[async_trait]
impl EventStore for Since {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.shared.store.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        self.shared.store.read_stream(stream, from, direction, limit).await
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        let page = self.shared.store.read_all(after.max(self.shared.base), filter, limit).await?;
        let scanned_to = self.shared.shown(page.scanned_to).await?.max(after);
        // What is behind the page may be nothing but what the view does not show.
        let last = self.shared.shown(self.shared.store.head().await?).await?;
        Ok(AllPage { events: page.events, scanned_to, is_end: page.is_end || scanned_to >= last })
    }

    async fn locate(&self, position: Position) -> Result<Whereabouts, StoreError> {
        let place = self.shared.store.locate(position.max(self.shared.base)).await?;
        // What is behind the last event that the view shows is beyond its end.
        let head = self.head().await?;
        Ok(if position > head { Whereabouts::Beyond { head } } else { place })
    }

    async fn head(&self) -> Result<Position, StoreError> {
        let head = self.shared.store.head().await?;
        self.shared.shown(head).await
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }

    fn distance(&self, after: Position, to: Position) -> u64 {
        self.shared.store.distance(after.max(self.shared.base), to)
    }
}
