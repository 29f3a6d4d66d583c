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
    checkpoint::Checkpoints,
    failure::{self, BatchFailure},
    log::{Answers, Log},
};
use crate::telemetry;

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

struct Request {
    append: Append,
    bytes: usize,
    reply: oneshot::Sender<Answer>,
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
        answered(self.enqueue(append, bytes).await?).await
    }

    /// Appends each, in this order, and waits for all of them.
    pub(super) async fn append_in_order(&self, appends: impl Iterator<Item = (Append, usize)>) -> Vec<Answer> {
        let (mut waiting, mut answers) = (Vec::new(), Vec::new());
        for (append, bytes) in appends {
            waiting.push(self.enqueue(append, bytes).await);
        }
        for queued in waiting {
            answers.push(match queued {
                Ok(answer) => answered(answer).await,
                Err(error) => Err(error),
            });
        }
        answers
    }

    async fn enqueue(&self, append: Append, bytes: usize) -> Result<oneshot::Receiver<Answer>, AppendError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().expect("the queue is open until the writer is dropped");
        match queue.send(Request { append, bytes, reply }).await {
            Ok(()) => Ok(answer),
            Err(_) => Err(AppendError::NotWritten(StoreError::Stopped("the writer has ended".to_owned()))),
        }
    }
}

async fn answered(answer: oneshot::Receiver<Answer>) -> Answer {
    answer.await.unwrap_or_else(|_| {
        Err(AppendError::OutcomeUnknown(StoreError::Stopped("the writer ended during the append".to_owned())))
    })
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

    fn add(&mut self, request: Request) {
        let events = request.append.events.len();
        self.events += events;
        self.bytes += request.bytes + events * EVENT_OVERHEAD_BYTES;
        self.appends.push(request.append);
        self.replies.push(request.reply);
    }
}

impl Worker {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = Batch::default();
            batch.add(first);
            while batch.has_room()
                && let Ok(request) = requests.try_recv()
            {
                batch.add(request);
            }
            self.answer(batch);
        }
    }

    fn answer(&mut self, batch: Batch) {
        if let Some(reason) = &self.stopped {
            let answer = AppendError::NotWritten(StoreError::Stopped(reason.clone()));
            return reply_all(batch.replies, &answer);
        }
        match self.write(&batch) {
            Ok(answers) => {
                // Before the answers, so that nobody who has one can find the tail behind it.
                self.publish();
                for (reply, answer) in batch.replies.into_iter().zip(answers) {
                    // An error means that the caller has stopped waiting.
                    let _ = reply.send(answer);
                }
                metrics::histogram!(telemetry::APPEND_BATCH_EVENTS)
                    .record(f64::from(u32::try_from(batch.events).unwrap_or(u32::MAX)));
                if let Err(reason) = self.checkpoints.after_commit(self.log.connection(), batch.events, batch.bytes) {
                    self.stop(reason);
                }
            }
            Err(failure) => self.failed(failure, batch.replies),
        }
    }

    /// A panic inside is a failure like others: the thread goes on, to tell everybody that it writes no more.
    fn write(&mut self, batch: &Batch) -> Result<Answers, BatchFailure> {
        catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            if let Some(fault) = self.fault.lock().unwrap().take() {
                fault(self.log.connection());
            }
            self.log.write(&batch.appends)
        }))
        .unwrap_or_else(|_| Err(failure::unknown("the writer panicked".to_owned())))
    }

    fn failed(&mut self, failure: BatchFailure, replies: Vec<oneshot::Sender<Answer>>) {
        if failure.answer == AppendError::NotWritten(StoreError::Full) && !self.is_full {
            self.is_full = true;
            tracing::error!("the event store's device is full; appends fail until there is room");
        }
        reply_all(replies, &failure.answer);
        if let Some(reason) = failure.stop {
            self.stop(reason);
        }
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
