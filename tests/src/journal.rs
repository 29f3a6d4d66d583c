//! What a client knows of its commands, kept outside the process that is killed: sent, and acknowledged.
//!
//! A line is on stable storage before its command is sent, and before an acknowledgement counts. One thread writes what
//! is waiting and syncs it at once, so that many clients share one fsync.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    thread,
};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// A step of an order's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// It is placed.
    Place,
    /// It is cancelled.
    Cancel,
    /// It is shipped.
    Ship,
    /// It is delivered.
    Deliver,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A command is about to be sent.
    Sent {
        /// Its idempotency key, unlike any other.
        key: String,
        /// Who sends it.
        actor: String,
        /// What it does.
        step: Step,
    },
    /// The server said that it took effect.
    Acked {
        /// The command's key.
        key: String,
        /// The order, by its global id.
        order: String,
        /// The order's version right after it.
        version: u64,
        /// The position it was given.
        position: u64,
    },
}

/// The journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
    queue: mpsc::UnboundedSender<(Entry, oneshot::Sender<()>)>,
}

impl Step {
    /// The type of the event that it leaves.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Place => "order.placed.v2",
            Self::Cancel => "order.cancelled.v2",
            Self::Ship => "order.shipped.v2",
            Self::Deliver => "order.delivered.v1",
        }
    }
}

impl Journal {
    /// An empty journal in this file.
    pub fn create(path: &Path) -> Self {
        let file = OpenOptions::new().create_new(true).append(true).open(path).expect("the journal can be written");
        let (queue, entries) = mpsc::unbounded_channel();
        thread::spawn(move || write(file, entries));
        Self { path: path.to_owned(), queue }
    }

    /// Writes a line; it is durable when this returns.
    pub async fn write(&self, entry: Entry) {
        let (written, is_written) = oneshot::channel();
        self.queue.send((entry, written)).expect("the journal is being written");
        is_written.await.expect("the journal is being written");
    }

    /// Every line, in the order in which they were written.
    pub fn read(&self) -> Vec<Entry> {
        let text = fs::read_to_string(&self.path).expect("the journal can be read");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of the journal")).collect()
    }
}

fn write(mut file: File, mut entries: mpsc::UnboundedReceiver<(Entry, oneshot::Sender<()>)>) {
    while let Some(first) = entries.blocking_recv() {
        let mut lines = Vec::new();
        let mut waiting = Vec::new();
        let mut next = Some(first);
        while let Some((entry, written)) = next {
            serde_json::to_writer(&mut lines, &entry).expect("an entry is plain data");
            lines.push(b'\n');
            waiting.push(written);
            next = entries.try_recv().ok();
        }
        file.write_all(&lines).and_then(|()| file.sync_data()).expect("the journal can be written");
        for written in waiting {
            // An error means that nobody waits any more.
            let _ = written.send(());
        }
    }
}
