//! Snapshots: a cold stream is the same with and without them, whatever becomes of them.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;

use super::*;
use crate::{
    read_store::ReadStoreError,
    snapshot_store::{MemorySnapshotStore, Snapshot, Tip},
};

/// Snapshots in memory, with something wrong.
#[derive(Debug, Default)]
struct Troubled {
    inner: MemorySnapshotStore,
    trouble: Mutex<Option<Trouble>>,
    loads: AtomicUsize,
    saves: AtomicUsize,
    saving: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Fails,
    Hangs,
    /// It takes so many milliseconds to store one.
    Slow(u64),
}

impl Troubled {
    fn is(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap() = trouble;
    }

    fn saves(&self) -> usize {
        self.saves.load(Ordering::Relaxed)
    }

    async fn answer(&self) -> Result<(), ReadStoreError> {
        let trouble = *self.trouble.lock().unwrap();
        match trouble {
            None => Ok(()),
            Some(Trouble::Fails) => Err(ReadStoreError::Full),
            Some(Trouble::Hangs) => std::future::pending().await,
            Some(Trouble::Slow(millis)) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl SnapshotStore for Troubled {
    async fn load(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadStoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.answer().await?;
        self.inner.load(stream).await
    }

    async fn save(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), ReadStoreError> {
        let _alone = self.saving.try_lock().expect("no two are stored at the same time");
        self.answer().await?;
        self.saves.fetch_add(1, Ordering::Relaxed);
        self.inner.save(stream, snapshot).await
    }
}

const PAUSE: Duration = Duration::from_secs(3);

fn name() -> StreamId {
    StreamId::new("counter", Uuid::from_u128(STREAM))
}

/// An executor with nothing in memory, that writes a snapshot after so many events.
fn cold(store: &Arc<FaultStore>, snapshots: &Arc<Troubled>, every_events: u64) -> Executor<Counter> {
    let store_of_snapshots = Arc::clone(snapshots) as Arc<dyn SnapshotStore>;
    let every_events = NonZeroU64::new(every_events).unwrap();
    let snapshots = SnapshotOptions { every_events, pause: PAUSE, ..SnapshotOptions::new(store_of_snapshots) };
    executor_with(store, ExecutorOptions { snapshots: Some(snapshots), ..ExecutorOptions::default() })
}

/// Waits until what was due is written.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// What the stream is, by its state, place, and what becomes of each of these commands.
async fn seen(executor: &Executor<Counter>, commands: &[Request<CountCommand>]) -> Vec<String> {
    let mut seen = vec![format!("{:?}", executor.current(Uuid::from_u128(STREAM)).await)];
    for command in commands {
        seen.push(format!("{:?}", executor.execute(command.clone()).await));
    }
    seen
}

fn with_key(mut request: Request<CountCommand>, hash: u128) -> Request<CountCommand> {
    request.metadata.input_hash = Some(Uuid::from_u128(hash));
    request
}

#[tokio::test(start_paused = true)]
async fn a_cold_stream_is_its_snapshot_and_what_came_after() {
    let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
    let executor = cold(&store, &snapshots, 10);
    let commands: Vec<_> = (1..=25).map(|id| add(id, 1)).chain([with_key(add(26, 1), 7)]).collect();
    for command in &commands {
        executor.execute(command.clone()).await.unwrap();
        settle().await;
    }
    store.events_read();
    let again = cold(&store, &snapshots, 10);
    let current = again.current(Uuid::from_u128(STREAM)).await.unwrap();
    assert_eq!((current.state.sum, current.revision), (26, Some(Revision::new(25))));
    assert_eq!(store.events_read(), 7, "the last of the first twenty, and six more");

    let last = again.execute(with_key(add(26, 1), 7)).await.unwrap();
    assert_eq!((last.is_repeat, last.position.value()), (true, 26));
    let first = again.execute(add(1, 1)).await.unwrap();
    assert_eq!((first.is_repeat, first.position.value()), (true, 1), "one that is in the snapshot");
    let otherwise = again.execute(with_key(add(26, 2), 8)).await;
    assert!(matches!(otherwise, Err(ExecuteError::CommandReused(_))), "{otherwise:?}");
    assert_eq!(again.execute(add(27, 1)).await.unwrap().state.sum, 27);
}

#[tokio::test(start_paused = true)]
async fn a_long_stream_without_a_snapshot_gets_one_when_it_is_loaded() {
    let store = Arc::new(FaultStore::with([]));
    let without = executor_with(&store, ExecutorOptions::default());
    for id in 1..=40 {
        without.execute(add(id, 1)).await.unwrap();
    }
    let snapshots = Arc::new(Troubled::default());
    cold(&store, &snapshots, 10).current(Uuid::from_u128(STREAM)).await.unwrap();
    settle().await;
    store.events_read();
    let current = cold(&store, &snapshots, 10).current(Uuid::from_u128(STREAM)).await.unwrap();
    assert_eq!((current.state.sum, store.events_read(), snapshots.saves()), (40, 1, 1));
}

/// A lie that would be seen if anybody believed it.
fn lying(mut snapshot: Snapshot) -> Snapshot {
    snapshot.state = r#"{"sum":1000000,"events":1000000}"#.to_owned();
    snapshot
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_in_doubt_is_not_used() {
    let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
    let commands: Vec<_> = (1..=20_u8).map(|id| add(id.into(), id.into())).collect();
    let executor = cold(&store, &snapshots, 10);
    for command in &commands {
        executor.execute(command.clone()).await.unwrap();
    }
    settle().await;
    let good = snapshots.inner.load(&name()).await.unwrap().expect("one was due");
    let other = |change: fn(&mut Tip)| {
        let mut snapshot = lying(good.clone());
        change(&mut snapshot.tip);
        snapshot
    };
    let doubtful = [
        ("of another version", Snapshot { version: good.version + 1, ..lying(good.clone()) }),
        ("of another log, by the position", other(|tip| tip.position = Position::new(tip.position.value() + 1))),
        ("of another log, by the event", other(|tip| tip.id = Uuid::from_u128(1))),
        ("of a log written anew", other(|tip| tip.recorded_at += 1)),
        ("of an earlier event", other(|tip| tip.revision = tip.revision.previous().unwrap())),
        ("ahead of the log", other(|tip| tip.revision = Revision::new(20))),
        ("far ahead of it", other(|tip| tip.revision = Revision::new(1 << 40))),
        ("without a state", Snapshot { state: "{".to_owned(), ..lying(good.clone()) }),
        ("without receipts", Snapshot { receipts: "?".to_owned(), ..lying(good.clone()) }),
    ];
    let folded = seen(&executor_with(&store, ExecutorOptions::default()), &commands).await;
    for (what, snapshot) in doubtful {
        snapshots.inner.save(&name(), snapshot).await.unwrap();
        assert_eq!(seen(&cold(&store, &snapshots, 1_000), &commands).await, folded, "{what}");
    }
    // And the lie itself is one: were the tip right, it would be believed.
    snapshots.inner.save(&name(), lying(good)).await.unwrap();
    assert_ne!(seen(&cold(&store, &snapshots, 1_000), &commands).await, folded);
}

#[tokio::test(start_paused = true)]
async fn after_the_log_was_set_back_its_snapshots_are_of_no_use() {
    let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
    let executor = cold(&store, &snapshots, 10);
    for id in 1..=20 {
        executor.execute(add(id, 1)).await.unwrap();
    }
    settle().await;
    for kept in [5, 19] {
        let before = Arc::new(store.set_back(&name(), kept).await);
        let current = cold(&before, &snapshots, 10).current(Uuid::from_u128(STREAM)).await.unwrap();
        assert_eq!(current.state.sum, i64::try_from(kept).unwrap());
        // It grows over the snapshot, with other commands.
        let anew = executor_with(&before, ExecutorOptions::default());
        for id in 101..=130 {
            anew.execute(add(id, 2)).await.unwrap();
        }
        let folded = anew.current(Uuid::from_u128(STREAM)).await.unwrap();
        let current = cold(&before, &snapshots, 1_000).current(Uuid::from_u128(STREAM)).await.unwrap();
        assert_eq!((current.state.sum, current.revision), (folded.state.sum, folded.revision));
    }
}

#[tokio::test(start_paused = true)]
async fn where_snapshots_fail_commands_do_not() {
    let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
    for (round, trouble) in (0_u32..).zip([Trouble::Fails, Trouble::Hangs]) {
        snapshots.is(Some(trouble));
        let executor = cold(&store, &snapshots, 10);
        let base = i64::from(round) * 1_000;
        assert_eq!(executor.current(Uuid::from_u128(STREAM)).await.unwrap().state.sum, base);
        let started = tokio::time::Instant::now();
        for id in 1..=1_000_u128 {
            executor.execute(add(1_000 * u128::from(round) + id, 1)).await.unwrap();
        }
        assert_eq!(started.elapsed(), Duration::ZERO, "{trouble:?}: nobody waits for a snapshot");
        assert_eq!(snapshots.saves(), 0);
    }
    // A store that does not answer is asked once, not by every stream.
    let (executor, loads) = (cold(&store, &snapshots, 10), snapshots.loads.load(Ordering::Relaxed));
    let started = tokio::time::Instant::now();
    for stream in 0..50 {
        executor.current(Uuid::from_u128(1_000 + stream)).await.unwrap();
    }
    assert_eq!(snapshots.loads.load(Ordering::Relaxed), loads + 1);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());

    snapshots.is(None);
    settle().await;
    let executor = cold(&store, &snapshots, 10);
    executor.execute(add(10_000, 1)).await.unwrap();
    settle().await;
    assert!(snapshots.saves() > 0, "it goes on by itself");
}

#[tokio::test(start_paused = true)]
async fn a_hot_stream_is_written_now_and_then_one_snapshot_at_a_time() {
    let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
    snapshots.is(Some(Trouble::Slow(100)));
    let executor = cold(&store, &snapshots, 10);
    let started = tokio::time::Instant::now();
    for id in 0..6_000_u128 {
        // Three streams, all of them hot.
        let stream = Uuid::from_u128(STREAM + id % 3);
        executor.execute(Request { stream, ..add(id, 1) }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Of each stream one in three seconds; and of all of them none for ten times as long as it took.
    let rounds = usize::try_from(started.elapsed().as_millis() / PAUSE.as_millis()).unwrap();
    let saves = snapshots.saves();
    assert!(saves <= 3 * rounds && saves >= rounds / 2, "{saves} in {rounds} rounds");
    settle().await;
    store.events_read();
    for stream in 0..3 {
        let current = cold(&store, &snapshots, 10).current(Uuid::from_u128(STREAM + stream)).await.unwrap();
        assert_eq!(current.state.sum, 2_000);
    }
    assert!(store.events_read() <= 3 * 10, "all but a few events are in the snapshots");
}

#[tokio::test(start_paused = true)]
async fn a_stop_writes_what_is_not_in_a_snapshot_yet() {
    let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
    let lifecycle = Lifecycle::new();
    let events = Arc::clone(&store) as Arc<dyn EventStore>;
    let options = SnapshotOptions {
        every_events: NonZeroU64::new(10).unwrap(),
        ..SnapshotOptions::new(Arc::clone(&snapshots) as Arc<dyn SnapshotStore>)
    };
    let options = ExecutorOptions { snapshots: Some(options), ..ExecutorOptions::default() };
    let clock = Arc::new(ManualClock::at(now()));
    let executor = Executor::<Counter>::new(events, clock, lifecycle.clone(), options);
    for id in 1..=10 {
        executor.execute(add(id, 1)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    for id in 11..=95 {
        executor.execute(add(id, 1)).await.unwrap();
    }
    assert_eq!(snapshots.saves(), 1);
    assert!(lifecycle.stop(Duration::from_secs(60)).await);
    store.events_read();
    let current = cold(&store, &snapshots, 10).current(Uuid::from_u128(STREAM)).await.unwrap();
    assert_eq!((current.state.sum, store.events_read()), (95, 1));
}

/// Like `seeds`: whatever is sent, wherever a snapshot falls and the process dies, it is the fold.
#[tokio::test(start_paused = true)]
async fn with_snapshots_every_answer_is_that_of_a_fold() {
    const SEEDS: u64 = 200;
    let (mut from_snapshots, mut crashes) = (0, 0);
    for seed in 0..SEEDS {
        let mut numbers = seeds::Numbers::of(seed);
        let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
        let every_events = 1 + numbers.below(12) as u64;
        let mut executor = cold(&store, &snapshots, every_events);
        let mut sent = Vec::new();
        for id in 0..60_u128 {
            let by = i64::try_from(numbers.below(9)).unwrap();
            let command = match numbers.below(5) {
                0 => CountCommand::Take(by * 3),
                1 => CountCommand::AddOnes(numbers.below(5)),
                2 => CountCommand::Nothing,
                _ => CountCommand::Add(by),
            };
            let request = request(id, command);
            let request = if numbers.below(3) == 0 { with_key(request, id) } else { request };
            let _refused_or_not = executor.execute(request.clone()).await;
            sent.push(request);
            match numbers.below(8) {
                // Time goes by, and something is written.
                0 => tokio::time::sleep(Duration::from_secs(numbers.below(5) as u64)).await,
                // The process dies, with what it was about to write.
                1 => {
                    executor = cold(&store, &snapshots, every_events);
                    crashes += 1;
                }
                // Another one is written at a worse moment still.
                2 => tokio::task::yield_now().await,
                _ => {}
            }
        }
        // Those that take effect now have been refused before, or never had one: the order decides, so it is the same.
        let repeats: Vec<_> = (0..40).map(|_| sent[numbers.below(sent.len())].clone()).collect();
        let events = stored(&*store, STREAM).await.len();
        let (one, other) = (store.set_back(&name(), events).await, store.set_back(&name(), events).await);
        let (one, other) = (Arc::new(one), Arc::new(other));
        let with = seen(&cold(&one, &snapshots, every_events), &repeats).await;
        if one.events_read() < events {
            from_snapshots += 1;
        }
        let without = seen(&executor_with(&other, ExecutorOptions::default()), &repeats).await;
        assert_eq!(with, without, "seed {seed}");
    }
    assert!(from_snapshots > SEEDS / 2 && crashes > SEEDS, "{from_snapshots} from snapshots, {crashes} crashes");
}

#[tokio::test(start_paused = true)]
async fn a_stream_remembers_its_newest_commands_whether_it_was_folded_or_loaded() {
    const ALL: u128 = COMMANDS_REMEMBERED_MAX as u128 + 1_000;
    let (store, snapshots) = (Arc::new(FaultStore::with([])), Arc::new(Troubled::default()));
    let warm = cold(&store, &snapshots, 1_000);
    warm.execute(with_key(add(u128::MAX, 1), 7)).await.unwrap();
    let requests: Vec<_> = (0..ALL).map(|id| add(id, 1)).collect();
    for batch in requests.chunks(BATCH_COMMANDS_MAX) {
        execute_behind_a_slow_one(&warm, batch.to_vec()).await;
    }
    settle().await;
    assert!(snapshots.saves() > 0);
    // Everything after the first thousand, and the key of a caller however old it is.
    let remembered = [u128::MAX, 1_000, ALL - 1];
    for executor in [warm, cold(&store, &snapshots, 1_000), executor_with(&store, ExecutorOptions::default())] {
        for id in remembered {
            let request = if id == u128::MAX { with_key(add(id, 1), 7) } else { add(id, 1) };
            assert!(executor.execute(request).await.unwrap().is_repeat, "{id}");
        }
    }
    let forgotten = cold(&store, &snapshots, 1_000).execute(add(999, 1)).await.unwrap();
    assert!(!forgotten.is_repeat, "it is decided like a new one");
}
