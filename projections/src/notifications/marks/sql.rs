//! Statements about marks and preferences.

use std::collections::BTreeSet;

use domain::{
    inbox::{InboxEvent, NotificationGroup, NotificationKind},
    values::UserId,
};
use infrastructure::read_store::{Statement, Value};

use super::super::{
    news::sql::look_again,
    sql::{Change, Names, kind, refresh},
};
use crate::values::{micros, person};

pub(in crate::notifications) fn create(names: &Names) -> Vec<String> {
    let Names { inboxes, reads, preferences, .. } = names;
    vec![
        // Moments are microseconds since 1970. What was read was seen.
        format!(
            "CREATE TABLE IF NOT EXISTS {inboxes} (
                user_id UUID NOT NULL PRIMARY KEY,
                seen_up_to BIGINT NOT NULL,
                read_up_to BIGINT
            )"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {reads} (
                user_id UUID NOT NULL,
                kind TEXT NOT NULL,
                subject UUID NOT NULL,
                up_to BIGINT NOT NULL,
                PRIMARY KEY (user_id, kind, subject)
            )"
        ),
        // What was wanted when something happened decides, so what was wanted before is kept.
        format!(
            "CREATE TABLE IF NOT EXISTS {preferences} (
                user_id UUID NOT NULL,
                kind TEXT NOT NULL,
                position BIGINT NOT NULL,
                is_wanted BIGINT NOT NULL,
                PRIMARY KEY (user_id, kind, position)
            )"
        ),
    ]
}

/// What somebody says of their inbox.
pub(in crate::notifications) fn said(change: &Change, event: &InboxEvent) -> Vec<Statement> {
    match event {
        InboxEvent::Seen { user, up_to, .. } => vec![seen(change, *user, micros(*up_to))],
        InboxEvent::Read { user, group: None, up_to, .. } => {
            let up_to = micros(*up_to);
            vec![seen(change, *user, up_to), read(change, *user, up_to)]
        }
        InboxEvent::Read { user, group: Some(group), up_to, .. } => read_group(change, *user, *group, micros(*up_to)),
        InboxEvent::PreferencesChanged { user, unwanted, .. } => wanted(change, *user, unwanted),
    }
}

/// Marks only move forwards.
fn seen(change: &Change, user: UserId, up_to: i64) -> Statement {
    let inboxes = &change.names.inboxes;
    let sql = format!(
        "INSERT INTO {inboxes} (user_id, seen_up_to) VALUES ($1, $2) ON CONFLICT (user_id) DO UPDATE \
         SET seen_up_to = excluded.seen_up_to WHERE {inboxes}.seen_up_to < excluded.seen_up_to"
    );
    Statement::once(sql, vec![person(user), Value::Int(up_to)])
}

fn read(change: &Change, user: UserId, up_to: i64) -> Statement {
    let sql = format!(
        "UPDATE {} SET read_up_to = $2 WHERE user_id = $1 AND (read_up_to IS NULL OR read_up_to < $2)",
        change.names.inboxes
    );
    Statement::once(sql, vec![person(user), Value::Int(up_to)])
}

fn read_group(change: &Change, user: UserId, group: NotificationGroup, up_to: i64) -> Vec<Statement> {
    let reads = &change.names.reads;
    let mark = format!(
        "INSERT INTO {reads} (user_id, kind, subject, up_to) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, kind, subject) DO UPDATE SET up_to = excluded.up_to \
         WHERE {reads}.up_to < excluded.up_to"
    );
    let its = refresh(&change.names, "", "g.recipient = $1 AND g.kind = $2 AND g.subject = $3");
    let key = vec![person(user), kind(group.kind), Value::Uuid(group.subject)];
    let marked = [key.as_slice(), &[Value::Int(up_to)]].concat();
    vec![Statement::once(mark, marked), Statement::once(its, key)]
}

/// Which kinds are wanted of what stands behind here in the log. What does so already came before an event that waited.
fn wanted(change: &Change, user: UserId, unwanted: &BTreeSet<NotificationKind>) -> Vec<Statement> {
    let sql = format!(
        "INSERT INTO {} (user_id, kind, position, is_wanted) VALUES ($1, $2, $3, $4)",
        change.names.preferences
    );
    let row = |one: NotificationKind| {
        vec![person(user), kind(one), change.place(), Value::Int(i64::from(!unwanted.contains(&one)))]
    };
    let rows = NotificationKind::ALL.into_iter().map(row).collect();
    let mut statements = vec![Statement::each(sql, rows)];
    // Both values, so that the index leads to the position.
    let behind = "x.recipient = $1 AND x.is_shown IN (0, 1) AND x.position > $2";
    statements.extend(look_again(change, behind, &[person(user), change.place()]));
    statements
}
