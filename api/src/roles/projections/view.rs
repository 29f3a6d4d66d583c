//! What is asked of a projection, and how it reads in an answer.

use domain::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// Everything that the command line shows of a projection. `--json` prints just this.
pub(super) const FIELDS: &str =
    "name version generation generationVersion number headNumber lagEvents lagSeconds rate \
    applied state error nextRetry parkedKeys parkedEvents
    stoppedAt { number eventType stream version error attempts since wayOut }
    pausedBy { by reason since atNumber }
    stall { since reason }
    firstParked { key number since error attempts nextRetry }
    standby { generation version number isFollowed since }
    differences { key generation number stored folded }
    rebuild { projection generation phase done total resumedAt events parkedKeys rate elapsedSeconds heldBackSeconds \
    remainingSeconds verified { rows checksum sampled invariants } error }";

/// A projection at one moment.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Projection {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) generation: Option<i64>,
    pub(super) generation_version: Option<i64>,
    pub(super) number: u64,
    pub(super) head_number: u64,
    pub(super) lag_events: u64,
    pub(super) lag_seconds: f64,
    pub(super) rate: f64,
    pub(super) applied: u64,
    pub(super) state: String,
    pub(super) error: Option<String>,
    pub(super) next_retry: Option<Timestamp>,
    pub(super) parked_keys: u64,
    pub(super) parked_events: u64,
    pub(super) stopped_at: Option<Stopped>,
    pub(super) paused_by: Option<Paused>,
    pub(super) stall: Option<Stall>,
    pub(super) first_parked: Option<FirstParked>,
    pub(super) standby: Option<Standby>,
    pub(super) differences: Vec<Difference>,
    pub(super) rebuild: Option<Rebuild>,
}

/// The event that it cannot apply.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stopped {
    pub(super) number: u64,
    pub(super) event_type: String,
    pub(super) stream: String,
    pub(super) version: i32,
    pub(super) error: String,
    pub(super) attempts: u32,
    pub(super) since: Timestamp,
    pub(super) way_out: String,
}

/// Who paused it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paused {
    pub(super) by: String,
    pub(super) reason: Option<String>,
    pub(super) since: Timestamp,
    pub(super) at_number: Option<u64>,
}

/// That it does not move.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Stall {
    pub(super) since: Timestamp,
    pub(super) reason: String,
}

/// The key that waits for the earliest event.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FirstParked {
    pub(super) key: Uuid,
    pub(super) number: u64,
    pub(super) since: Timestamp,
    pub(super) error: String,
    pub(super) attempts: u32,
    pub(super) next_retry: Option<Timestamp>,
}

/// What a rollback would serve.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standby {
    pub(super) generation: i64,
    pub(super) version: i64,
    pub(super) number: u64,
    pub(super) is_followed: bool,
    pub(super) since: Timestamp,
}

/// A row that is not what its events make of it.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::roles) struct Difference {
    pub(in crate::roles) key: Uuid,
    pub(in crate::roles) stored: Option<String>,
    pub(in crate::roles) folded: Option<String>,
}

/// How far a rebuild is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rebuild {
    pub(super) generation: i64,
    pub(super) phase: String,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) events: u64,
    pub(super) parked_keys: u64,
    pub(super) rate: f64,
    pub(super) elapsed_seconds: f64,
    pub(super) remaining_seconds: Option<f64>,
    pub(super) error: Option<String>,
}

impl Rebuild {
    /// Whether it is over, one way or the other.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "DONE" | "FAILED")
    }

    /// How far it is and how long it will take still, in a few words.
    pub(super) fn words(&self) -> String {
        let phase = self.phase.to_lowercase();
        let left = self.remaining_seconds.filter(|_| self.phase == "FILLING");
        let left = left.map(|left| format!(", {} left", super::text::duration(left))).unwrap_or_default();
        format!("{phase} {}/{} events, {:.0}/s{left}", self.done, self.total, self.rate)
    }
}
