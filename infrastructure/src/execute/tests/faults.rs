//! An event store that fails by a script, and counts how often it did.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

use super::counter::added;
use crate::{
    codec,
    event_store::{
        AllPage, Append, AppendError, Appended, Direction, EventStore, ExpectedRevision, MemoryEventStore, NewEvent,
        Position, Revision, StoreError, StreamId, StreamPage, TypeFilter, Whereabouts,
    },
};

/// What happens to one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// None: for the others' turn to come later.
    Works,
    /// It works, after this many milliseconds.
    Slow(u64),
    /// The connection breaks before the request arrives.
    RequestLost,
    /// The connection breaks before the answer arrives.
    AnswerLost,
    /// The store says that it did not write.
    NotWritten,
    /// The store breaks down for good; nobody knows what it wrote last.
    Stops,
    /// A foreign writer, which adds 100 each time, is faster.
    Foreign,
    /// There is never an answer, and nothing is written.
    Hangs,
    /// There is never an answer, but it is written.
    HangsAfterWriting,
}

#[derive(Debug, Default)]
pub(super) struct FaultStore {
    inner: MemoryEventStore,
    script: Mutex<VecDeque<Fault>>,
    /// What happens when the script is over.
    afterwards: Mutex<Option<Fault>>,
    fired: Mutex<Vec<Fault>>,
    /// How many events every append that reached the store had.
    appends: Mutex<Vec<usize>>,
    reads: AtomicUsize,
    events_read: AtomicUsize,
    foreign: AtomicUsize,
}

impl FaultStore {
    pub(super) fn with(script: impl IntoIterator<Item = Fault>) -> Self {
        Self { script: Mutex::new(script.into_iter().collect()), ..Self::default() }
    }

    /// From now on, every append that the script says nothing about.
    pub(super) fn always(&self, fault: Option<Fault>) {
        *self.afterwards.lock().unwrap() = fault;
    }

    /// Every fault of the script happened, and these did, in this order.
    #[track_caller]
    pub(super) fn assert_fired(&self, faults: &[Fault]) {
        assert_eq!(self.script.lock().unwrap().len(), 0, "a planned fault never happened");
        assert_eq!(*self.fired.lock().unwrap(), faults);
    }

    pub(super) fn fired(&self, fault: Fault) -> usize {
        self.fired.lock().unwrap().iter().filter(|fired| **fired == fault).count()
    }

    pub(super) fn append_sizes(&self) -> Vec<usize> {
        self.appends.lock().unwrap().clone()
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many events of streams were read since this was asked last.
    pub(super) fn events_read(&self) -> usize {
        self.events_read.swap(0, Ordering::Relaxed)
    }

    /// The first `events` events of a stream, as they stand, in a log of their own.
    pub(super) async fn set_back(&self, stream: &StreamId, events: usize) -> Self {
        let page = self.inner.read_stream(stream, Revision::FIRST, Direction::Forwards, events).await.unwrap();
        let before = Self::default();
        for event in page.events {
            let expected = ExpectedRevision::after(event.revision.previous());
            let append = Append { stream: stream.clone(), expected, events: vec![event.into()].into() };
            before.inner.append(append).await.unwrap();
        }
        before
    }

    /// Somebody else appends one event.
    pub(super) async fn append_foreign(&self, stream: &StreamId, type_name: &str, data: String) {
        let last = self.inner.read_stream(stream, Revision::MAX, Direction::Backwards, 1).await.unwrap();
        let event = NewEvent {
            id: Uuid::from_u128(0xf0_0000 + self.foreign.fetch_add(1, Ordering::Relaxed) as u128),
            type_name: type_name.into(),
            at: super::now(),
            metadata: "{}".to_owned(),
            data,
        };
        let expected = ExpectedRevision::after(last.events.first().map(|event| event.revision));
        let append = Append { stream: stream.clone(), expected, events: vec![event].into() };
        self.inner.append(append).await.expect("the foreign writer is alone");
    }

    fn next(&self) -> Fault {
        let scripted = self.script.lock().unwrap().pop_front();
        let fault = scripted.or(*self.afterwards.lock().unwrap()).unwrap_or(Fault::Works);
        if fault != Fault::Works {
            self.fired.lock().unwrap().push(fault);
        }
        fault
    }

    async fn write(&self, append: Append) -> Result<Appended, AppendError> {
        self.appends.lock().unwrap().push(append.events.len());
        self.inner.append(append).await
    }
}

fn broken() -> StoreError {
    StoreError::Unavailable("the connection broke".to_owned())
}

#[async_trait]
impl EventStore for FaultStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        match self.next() {
            Fault::Works => self.write(append).await,
            Fault::Slow(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                self.write(append).await
            }
            Fault::RequestLost => Err(AppendError::OutcomeUnknown(broken())),
            Fault::AnswerLost => {
                self.write(append).await?;
                Err(AppendError::OutcomeUnknown(broken()))
            }
            Fault::NotWritten => Err(AppendError::NotWritten(broken())),
            Fault::Stops => {
                self.write(append).await?;
                Err(AppendError::OutcomeUnknown(StoreError::Stopped("the device is in doubt".to_owned())))
            }
            Fault::Foreign => {
                let (type_name, data) = codec::encode(&added(100));
                self.append_foreign(&append.stream, &type_name, data).await;
                self.write(append).await
            }
            Fault::Hangs => pending().await,
            Fault::HangsAfterWriting => {
                self.write(append).await?;
                pending().await
            }
        }
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let page = self.inner.read_stream(stream, from, direction, limit).await?;
        self.events_read.fetch_add(page.events.len(), Ordering::Relaxed);
        Ok(page)
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        self.inner.read_all(after, filter, limit).await
    }

    async fn locate(&self, position: Position) -> Result<Whereabouts, StoreError> {
        self.inner.locate(position).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.inner.head().await
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.inner.tail()
    }
}
