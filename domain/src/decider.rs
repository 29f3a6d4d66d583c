//! The shape of every aggregate: a pure pair of `decide` and `evolve`.
//!
//! The idea is Jérémie Chassaing's "functional event sourcing decider". The executor of the infrastructure crate
//! is the only caller in production; `testing` is the only caller in tests.

use serde::{Serialize, de::DeserializeOwned};

use crate::EventPayload;

/// A moment in UTC. It always comes in as an argument.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// An aggregate: its rules as two pure functions.
///
/// `decide` may refuse, `evolve` cannot: what an event says has happened.
pub trait Decider: Send + Sync + 'static {
    /// The first half of the stream's name (`order` in `order-<uuid>`) and of its events' type names.
    const CATEGORY: &'static str;
    /// What has to be remembered in order to decide; `Default` is "nothing has happened yet".
    type State: Default + Clone + Send + Sync + 'static;
    /// What somebody wants to happen.
    type Command: Clone + Send + Sync + 'static;
    /// What happened.
    type Event: EventPayload;
    /// Why a command is refused: an answer for the user, never stored.
    type Rejection: Clone + std::fmt::Debug + Send + Sync + 'static;
    /// How the state is written down, where streams are long; none where folding them is cheap.
    const SNAPSHOT: Option<SnapshotForm<Self::State>> = None;

    /// Says yes (with the events that follow, none if nothing changes) or no.
    fn decide(state: &Self::State, command: Self::Command, now: Timestamp)
    -> Result<Vec<Self::Event>, Self::Rejection>;

    /// The state after `event`. Total: an old event must never break a new build.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// A rough size in bytes, by which the executor bounds its cache. Override where a state holds collections.
    fn weight(_state: &Self::State) -> usize {
        size_of::<Self::State>()
    }
}

/// How a state is written down, so that a long stream need not be folded from its start.
///
/// What is written is a cache of the fold: it is thrown away whenever it is in doubt.
#[derive(Debug)]
pub struct SnapshotForm<S> {
    /// The version of the text **and of the fold**: raise it whenever `evolve` makes another state of the same events, or
    /// the state is written differently. What was written under another version is never read.
    pub version: u32,
    /// The state as text.
    pub write: fn(&S) -> String,
    /// The state that a text stands for; none if it is no such text.
    pub read: fn(&str) -> Option<S>,
}

impl<S: Serialize + DeserializeOwned> SnapshotForm<S> {
    /// The state's own JSON. Its keys must be text.
    pub const fn json(version: u32) -> Self {
        Self {
            version,
            write: |state| serde_json::to_string(state).expect("a state is plain data"),
            read: |text| serde_json::from_str(text).ok(),
        }
    }
}
