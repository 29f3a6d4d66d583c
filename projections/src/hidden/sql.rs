//! The table of who is hidden from whom, and which event changes what in it.

use domain::{follow::FollowEvent, values::UserId};
use infrastructure::read_store::{Statement, Value};

use super::{BLOCKED, BLOCKS, MUTES};
use crate::values::person;

/// Creates the table called `hidden`.
pub(crate) fn create(hidden: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {hidden} (
            viewer UUID NOT NULL,
            other UUID NOT NULL,
            why TEXT NOT NULL,
            PRIMARY KEY (viewer, other, why)
        )"
    )
}

/// What the event changes in the table called `hidden`. A block hides both from each other, a mute one from the other.
pub(crate) fn changed(hidden: &str, event: &FollowEvent) -> Vec<Statement> {
    let (by, whom) = event.parties();
    match event {
        FollowEvent::Blocked { .. } => vec![hide(hidden, by, whom, BLOCKS), hide(hidden, whom, by, BLOCKED)],
        FollowEvent::Unblocked { .. } => vec![unhide(hidden, by, whom, BLOCKS), unhide(hidden, whom, by, BLOCKED)],
        FollowEvent::Muted { .. } => vec![hide(hidden, by, whom, MUTES)],
        FollowEvent::Unmuted { .. } => vec![unhide(hidden, by, whom, MUTES)],
        FollowEvent::Followed { .. } | FollowEvent::Unfollowed { .. } => vec![],
    }
}

fn hide(hidden: &str, viewer: UserId, other: UserId, why: &str) -> Statement {
    let sql = format!(
        "INSERT INTO {hidden} (viewer, other, why) VALUES ($1, $2, $3) ON CONFLICT (viewer, other, why) DO NOTHING"
    );
    Statement::once(sql, vec![person(viewer), person(other), Value::Text(why.to_owned())])
}

fn unhide(hidden: &str, viewer: UserId, other: UserId, why: &str) -> Statement {
    let sql = format!("DELETE FROM {hidden} WHERE viewer = $1 AND other = $2 AND why = $3");
    Statement::once(sql, vec![person(viewer), person(other), Value::Text(why.to_owned())])
}
