//! Inboxes: what somebody has seen and read of their notifications, and which they want.
//!
//! What is in an inbox follows from other events, of posts, follows and orders; here is only what its owner says. Marks are
//! moments: they cover what happened until then, wherever it stands in the log, so they mean the same after the log was
//! copied to another store. They only move forwards. Everybody has an inbox, without a profile, too: orders have news for
//! customers.
//! **Invariant:** what was seen or read stays so.
//! Slice map: domain/src/inbox/decide.rs, domain/src/inbox/state.rs

mod command;
mod decide;
mod event;
mod notification;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;

pub use command::InboxCommand;
pub use event::InboxEvent;
pub use notification::{NotificationGroup, NotificationKind};
pub use rejection::InboxRejection;
pub use state::{GroupMark, InboxState};

use crate::{Decider, SnapshotForm, Timestamp};

/// How far ahead of this clock a mark may be: the clocks of several machines differ.
pub const MARK_MARGIN: TimeDelta = TimeDelta::minutes(1);
/// How many groups are remembered as read one by one. Of older ones a repeat is written again, which changes nothing.
pub const READ_GROUPS_MAX: usize = 200;

/// The inbox aggregate.
#[derive(Debug)]
pub enum Inbox {}

impl Decider for Inbox {
    const CATEGORY: &'static str = "inbox";
    type State = InboxState;
    type Command = InboxCommand;
    type Event = InboxEvent;
    type Rejection = InboxRejection;
    // Somebody who looks into it every minute for years makes a long stream.
    const SNAPSHOT: Option<SnapshotForm<InboxState>> = Some(SnapshotForm::json(state::SNAPSHOT_VERSION));

    fn decide(state: &InboxState, command: InboxCommand, now: Timestamp) -> Result<Vec<InboxEvent>, InboxRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: InboxState, event: &InboxEvent) -> InboxState {
        state::evolve(state, event)
    }

    fn weight(state: &InboxState) -> usize {
        size_of::<InboxState>()
            + state.groups.capacity() * size_of::<GroupMark>()
            + state.unwanted.len() * size_of::<usize>()
    }
}
