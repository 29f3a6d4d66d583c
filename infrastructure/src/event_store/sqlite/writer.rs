//! The one thread that writes: takes what is waiting, commits it as one transaction, answers everybody.
//!
//! While one batch is made durable the next gathers in the queue, so the more is waiting, the less each append pays
//! for the device. **Invariant:** every append that enters the queue is answered, whatever happens to the thread;
//! after a failure that leaves the device in doubt the writer writes no more.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    super::{Append, AppendError, Appended, Position, StoreError},
    failure::{self, BatchFailure},
    log::Log,
};
use crate::telemetry;
use crate::wal::Checkpoints;

/// How many appends wait for the writer before their callers wait for the queue.
const QUEUE_APPENDS_MAX: usize = 2_048;
/// The most appends of one transaction.
const BATCH_APPENDS_MAX: usize = 512;
/// The size at which a transaction takes no more appends (4 MiB).
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What an event adds to its payload: with it, a batch of many tiny events has a bound too.
const EVENT_OVERHEAD_BYTES: usize = 64;

type Answer = Result<Appended, AppendError>;

/// The way to the writer. Dropping it finishes what is queued and waits for the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    /// Done to the writer's connection before the next batch.
    #[cfg(test)]
    pub(super) fault: Fault,
}

/// How a test gives the writer a device with faults.
#[cfg(test)]
pub(super) type Fault = Arc<std::sync::Mutex<Option<fn(&rusqlite::Connection)>>>;

type WholeAnswer = Result<(), (usize, AppendError)>;

/// What waits in the queue.
enum Request {
    One(One),
    Whole(Whole),
}

/// An append that shares its transaction with others.
struct One {
    append: Append,
    bytes: usize,
    reply: oneshot::Sender<Answer>,
}

/// Appends that are written together or not at all.
struct Whole {
    appends: Vec<Append>,
    reply: oneshot::Sender<WholeAnswer>,
}

impl Writer {
    /// Starts the thread. It publishes each committed position on `tail`.
    pub(super) fn start(
        log: Log,
        checkpoints: Checkpoints,
        tail: Arc<watch::Sender<Position>>,
    ) -> Result<Self, StoreError> {
        let (queue, requests) = mpsc::channel(QUEUE_APPENDS_MAX);
        #[cfg(test)]
        let fault = Fault::default();
        let worker = Worker {
            log,
            checkpoints,
            tail,
            stopped: None,
            is_full: false,
            #[cfg(test)]
            fault: Arc::clone(&fault),
        };
        let thread = thread::Builder::new()
            .name("event-writer".to_owned())
            .spawn(move || worker.run(requests))
            .map_err(|error| StoreError::Unavailable(format!("the writer's thread does not start: {error}")))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            #[cfg(test)]
            fault,
        })
    }

    /// Appends; `bytes` is its size. Goes on by itself when the caller stops waiting.
    pub(super) async fn append(&self, append: Append, bytes: usize) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Request::One(One { append, bytes, reply })).await?;
        answer.await.unwrap_or_else(|_| Err(ended_meanwhile()))
    }

    /// Appends all of these in one transaction, or none.
    pub(super) async fn append_whole(&self, appends: Vec<Append>) -> WholeAnswer {
        let (reply, answer) = oneshot::channel();
        let whole = Whole { appends, reply };
        self.enqueue(Request::Whole(whole)).await.map_err(|error| (0, error))?;
        answer.await.unwrap_or_else(|_| Err((0, ended_meanwhile())))
    }

    async fn enqueue(&self, request: Request) -> Result<(), AppendError> {
        let queue = self.queue.as_ref().expect("the queue is open until the writer is dropped");
        let sent = queue.send(request).await;
        sent.map_err(|_| AppendError::NotWritten(StoreError::Stopped("the writer has ended".to_owned())))
    }
}

fn ended_meanwhile() -> AppendError {
    AppendError::OutcomeUnknown(StoreError::Stopped("the writer ended during the append".to_owned()))
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the event store's writer ended with a panic");
        }
    }
}

/// What the thread holds.
struct Worker {
    log: Log,
    checkpoints: Checkpoints,
    tail: Arc<watch::Sender<Position>>,
    /// Why it writes no more.
    stopped: Option<String>,
    /// Whether the device was full at the last batch.
    is_full: bool,
    #[cfg(test)]
    fault: Fault,
}

/// Appends that go into one transaction, and who waits for them.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    replies: Vec<oneshot::Sender<Answer>>,
    events: usize,
    bytes: usize,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.appends.len() < BATCH_APPENDS_MAX && self.bytes < BATCH_BYTES_MAX
    }

    fn add(&mut self, request: One) {
        let events = request.append.events.len();
        self.events += events;
        self.bytes += request.bytes + events * EVENT_OVERHEAD_BYTES;
        self.appends.push(request.append);
        self.replies.push(request.reply);
    }
}

impl Worker {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut next = None;
        while let Some(request) = next.take().or_else(|| requests.blocking_recv()) {
            let mut batch = Batch::default();
            match request {
                Request::One(first) => batch.add(first),
                Request::Whole(whole) => {
                    self.answer_whole(whole);
                    continue;
                }
            }
            while batch.has_room()
                && let Ok(request) = requests.try_recv()
            {
                match request {
                    Request::One(more) => batch.add(more),
                    Request::Whole(whole) => {
                        next = Some(Request::Whole(whole));
                        break;
                    }
                }
            }
            self.answer(batch);
        }
    }

    fn answer_whole(&mut self, Whole { appends, reply }: Whole) {
        let answer = match &self.stopped {
            Some(reason) => Err((0, AppendError::NotWritten(StoreError::Stopped(reason.clone())))),
            None => match self.guarded(|log| log.write_whole(&appends)) {
                Ok(answer) => {
                    self.publish();
                    answer
                }
                Err(failure) => Err((0, self.fail(failure))),
            },
        };
        let is_written = answer.is_ok();
        // An error means that the caller has stopped waiting.
        let _ = reply.send(answer);
        if is_written {
            self.after_commit();
        }
    }

    fn answer(&mut self, batch: Batch) {
        if let Some(reason) = &self.stopped {
            let answer = AppendError::NotWritten(StoreError::Stopped(reason.clone()));
            return reply_all(batch.replies, &answer);
        }
        match self.guarded(|log| log.write(&batch.appends)) {
            Ok(answers) => {
                // Before the answers, so that nobody who has one can find the tail behind it.
                self.publish();
                for (reply, answer) in batch.replies.into_iter().zip(answers) {
                    // An error means that the caller has stopped waiting.
                    let _ = reply.send(answer);
                }
                metrics::histogram!(telemetry::APPEND_BATCH_EVENTS)
                    .record(f64::from(u32::try_from(batch.events).unwrap_or(u32::MAX)));
                self.after_commit();
            }
            Err(failure) => {
                let answer = self.fail(failure);
                reply_all(batch.replies, &answer);
            }
        }
    }

    fn after_commit(&mut self) {
        if let Err(reason) = self.checkpoints.after_commit(self.log.connection()) {
            self.stop(reason);
        }
    }

    /// A panic inside is a failure like others: the thread goes on, to tell everybody that it writes no more.
    fn guarded<T>(&mut self, write: impl FnOnce(&mut Log) -> Result<T, BatchFailure>) -> Result<T, BatchFailure> {
        catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            if let Some(fault) = self.fault.lock().unwrap().take() {
                fault(self.log.connection());
            }
            write(&mut self.log)
        }))
        .unwrap_or_else(|_| Err(failure::unknown("the writer panicked".to_owned())))
    }

    /// What everybody is answered whose transaction failed.
    fn fail(&mut self, failure: BatchFailure) -> AppendError {
        if failure.answer == AppendError::NotWritten(StoreError::Full) && !self.is_full {
            self.is_full = true;
            tracing::error!("the event store's device is full; appends fail until there is room");
        }
        if let Some(reason) = failure.stop {
            self.stop(reason);
        }
        failure.answer
    }

    fn publish(&mut self) {
        let head = self.log.head();
        let has_moved = self.tail.send_if_modified(|tail| std::mem::replace(tail, head) != head);
        if has_moved && self.is_full {
            self.is_full = false;
            tracing::info!("the event store's device has room again; appends go on");
        }
    }

    fn stop(&mut self, reason: String) {
        tracing::error!(error = %reason, "the event store has stopped taking writes until a restart: {reason}");
        self.stopped = Some(reason);
    }
}

fn reply_all(replies: Vec<oneshot::Sender<Answer>>, answer: &AppendError) {
    for reply in replies {
        // An error means that the caller has stopped waiting.
        let _ = reply.send(Err(answer.clone()));
    }
}
