//! The commands that a stream remembers, so that a repeat is recognised: the newest of them, however long it is.
//!
//! There are two lists, so that what processes send to a hot stream does not push out the keys that callers chose.

use std::collections::{HashMap, VecDeque};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use uuid::Uuid;

use super::COMMANDS_REMEMBERED_MAX;
use crate::event_store::Position;

/// The first byte of what is written: another one is another layout.
const LAYOUT: u8 = 1;
/// Bytes of a command that was made up here: its id and its position.
const MADE_BYTES: usize = 16 + 8;
/// Bytes of one that a caller chose: the hash of its input besides.
const CHOSEN_BYTES: usize = MADE_BYTES + 16;

/// What one command left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) position: Position,
    pub(super) input_hash: Option<Uuid>,
}

/// The newest commands of a stream, and what they left behind.
#[derive(Clone, Debug)]
pub(super) struct Receipts {
    /// Those with a hash of their input: callers chose their ids.
    chosen: Newest,
    /// All others.
    made: Newest,
}

impl Default for Receipts {
    fn default() -> Self {
        Self::with_max(COMMANDS_REMEMBERED_MAX)
    }
}

impl Receipts {
    /// At most `max` of each kind.
    fn with_max(max: usize) -> Self {
        Self { chosen: Newest::with_max(max), made: Newest::with_max(max) }
    }

    pub(super) fn get(&self, command: Uuid) -> Option<Receipt> {
        self.chosen.get(command).or_else(|| self.made.get(command))
    }

    /// Remembers a command as the newest; one that is known stays where it is, with the new receipt.
    pub(super) fn insert(&mut self, command: Uuid, receipt: Receipt) {
        let list = if receipt.input_hash.is_some() { &mut self.chosen } else { &mut self.made };
        list.insert(command, receipt);
    }

    /// Rough bytes.
    pub(super) fn weight(&self) -> usize {
        self.chosen.weight() + self.made.weight()
    }

    /// What [`Copied::to_text`] needs; cheaper than a clone.
    pub(super) fn copy(&self) -> Copied {
        Copied { chosen: self.chosen.list.clone(), made: self.made.list.clone() }
    }

    /// Reads what [`Copied::to_text`] wrote; none if it is anything else.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let (layout, rest) = bytes.split_first()?;
        let (count, rest) = rest.split_first_chunk()?;
        let chosen = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(CHOSEN_BYTES)?;
        let (chosen, made) = rest.split_at_checked(chosen)?;
        if *layout != LAYOUT || made.len() % MADE_BYTES != 0 {
            return None;
        }
        let mut receipts = Self::default();
        for entry in chosen.chunks_exact(CHOSEN_BYTES) {
            let (command, position, hash) = read(entry)?;
            let input_hash = Some(Uuid::from_slice(hash).ok()?);
            receipts.chosen.insert(command, Receipt { position, input_hash });
        }
        for entry in made.chunks_exact(MADE_BYTES) {
            let (command, position, _) = read(entry)?;
            receipts.made.insert(command, Receipt { position, input_hash: None });
        }
        Some(receipts)
    }
}

/// The command, its position, and what follows.
fn read(entry: &[u8]) -> Option<(Uuid, Position, &[u8])> {
    let (command, rest) = entry.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk()?;
    Some((Uuid::from_bytes(*command), Position::new(u64::from_le_bytes(*position)), rest))
}

type Kept = (Uuid, Receipt);

/// Receipts on their way into a snapshot, oldest first.
#[derive(Debug)]
pub(super) struct Copied {
    chosen: VecDeque<Kept>,
    made: VecDeque<Kept>,
}

impl Copied {
    /// Compact, because there may be many: the snapshot is read while somebody waits.
    pub(super) fn to_text(&self) -> String {
        let length = 5 + self.chosen.len() * CHOSEN_BYTES + self.made.len() * MADE_BYTES;
        let mut bytes = Vec::with_capacity(length);
        bytes.push(LAYOUT);
        let count = u32::try_from(self.chosen.len()).expect("the list is bounded");
        bytes.extend(count.to_le_bytes());
        for (command, receipt) in self.chosen.iter().chain(&self.made) {
            bytes.extend(command.as_bytes());
            bytes.extend(receipt.position.value().to_le_bytes());
            bytes.extend(receipt.input_hash.iter().flat_map(Uuid::as_bytes));
        }
        STANDARD_NO_PAD.encode(bytes)
    }
}

/// A list that forgets its oldest entry when it is full.
#[derive(Clone, Debug)]
struct Newest {
    max: usize,
    list: VecDeque<Kept>,
    /// How many were forgotten.
    forgotten: usize,
    /// For each command that is remembered, how many came before it.
    numbers: HashMap<Uuid, usize>,
}

impl Newest {
    fn with_max(max: usize) -> Self {
        Self { max, list: VecDeque::new(), forgotten: 0, numbers: HashMap::new() }
    }

    fn get(&self, command: Uuid) -> Option<Receipt> {
        let number = self.numbers.get(&command)?;
        self.list.get(number - self.forgotten).map(|(_, receipt)| *receipt)
    }

    fn insert(&mut self, command: Uuid, receipt: Receipt) {
        if let Some(number) = self.numbers.get(&command) {
            if let Some(known) = self.list.get_mut(number - self.forgotten) {
                known.1 = receipt;
            }
            return;
        }
        // Room is made first, so that the list never grows beyond what it needs.
        if self.list.len() >= self.max
            && let Some((oldest, _)) = self.list.pop_front()
        {
            self.numbers.remove(&oldest);
            self.forgotten += 1;
        }
        self.numbers.insert(command, self.forgotten + self.list.len());
        self.list.push_back((command, receipt));
    }

    fn weight(&self) -> usize {
        self.list.capacity() * size_of::<Kept>() + self.numbers.capacity() * (size_of::<(Uuid, usize)>() + 1)
    }
}

#[cfg(test)]
mod tests;
