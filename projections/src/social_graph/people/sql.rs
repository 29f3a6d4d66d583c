//! Statements about people: follows, blocks, mutes, and who gets entries.

use chrono::TimeDelta;
use domain::{
    Timestamp,
    follow::{FollowEvent, UnfollowReason},
    values::UserId,
};
use infrastructure::read_store::{Statement, Value};

use super::super::sql::{Change, NEVER, Names};
use crate::{
    Invariant,
    hidden::{self, BLOCKED, BLOCKS},
    values::{micros, person},
};

/// Whoever was not heard of for so long gets no entries until they are back.
const AWAY_AFTER: TimeDelta = TimeDelta::days(30);
/// When somebody was heard of last is remembered this exactly.
const HEARD_EVERY: TimeDelta = TimeDelta::days(1);

pub(in crate::social_graph) fn create(names: &Names) -> Vec<String> {
    let Names { people, follows, hidden, .. } = names;
    vec![
        // `was_large`: some posts of theirs have no entries, so all who follow them look them up. `gets_entries`: posts for
        // them are written down.
        format!(
            "CREATE TABLE IF NOT EXISTS {people} (
                user_id UUID NOT NULL PRIMARY KEY,
                followers BIGINT NOT NULL,
                following BIGINT NOT NULL,
                posts BIGINT NOT NULL,
                was_large BIGINT NOT NULL,
                gets_entries BIGINT NOT NULL,
                heard_at BIGINT NOT NULL
            )"
        ),
        format!("CREATE INDEX IF NOT EXISTS {people}_heard ON {people} (gets_entries, heard_at)"),
        // `entries_after`: what the followee posted after here is among the follower's entries, if the followee was not
        // large then. `look_until`: what they posted until here has to be looked up.
        format!(
            "CREATE TABLE IF NOT EXISTS {follows} (
                follower UUID NOT NULL,
                followee UUID NOT NULL,
                since BIGINT NOT NULL,
                entries_after BIGINT NOT NULL,
                look_until BIGINT NOT NULL,
                PRIMARY KEY (follower, followee)
            )"
        ),
        format!("CREATE INDEX IF NOT EXISTS {follows}_fan ON {follows} (followee, follower, entries_after)"),
        hidden::sql::create(hidden),
    ]
}

/// Indexes by which lists are read, and what has no entries.
pub(in crate::social_graph) fn finish(Names { follows, .. }: &Names) -> Vec<String> {
    let index =
        |name: &str, columns: &str| format!("CREATE INDEX IF NOT EXISTS {follows}_{name} ON {follows} {columns}");
    vec![
        index("look", "(follower, look_until)"),
        index("following", "(follower, since)"),
        index("followers", "(followee, since)"),
    ]
}

pub(in crate::social_graph) fn invariants(names: &Names, large: i64) -> Vec<Invariant> {
    let Names { people, follows, .. } = names;
    let differ = |count: &str, end: &str| {
        format!(
            "SELECT count(*) FROM {people} p LEFT JOIN \
             (SELECT {end} AS user_id, count(*) AS n FROM {follows} GROUP BY {end}) f ON f.user_id = p.user_id \
             WHERE p.{count} <> coalesce(f.n, 0)"
        )
    };
    vec![
        Invariant {
            says: "everybody has as many followers as follow them",
            violations: differ("followers", "followee"),
        },
        Invariant { says: "everybody follows as many people as they do", violations: differ("following", "follower") },
        Invariant {
            says: "entries are written for nobody who is away or follows too many",
            violations: format!(
                "SELECT count(*) FROM {follows} f JOIN {people} p ON p.user_id = f.follower \
                 WHERE p.gets_entries = 0 AND (f.entries_after <> {NEVER} OR f.look_until <> {NEVER})"
            ),
        },
        Invariant {
            says: "whoever has too many followers for entries is looked up by all of them",
            violations: format!(
                "SELECT (SELECT count(*) FROM {people} WHERE followers > {large} AND was_large = 0) + \
                 (SELECT count(*) FROM {people} p JOIN {follows} f ON f.followee = p.user_id \
                 WHERE p.was_large = 1 AND f.look_until <> {NEVER})"
            ),
        },
    ]
}

/// What happened between two people.
pub(in crate::social_graph) fn between(change: &Change, event: &FollowEvent) -> Vec<Statement> {
    let (by, whom) = event.parties();
    match event {
        FollowEvent::Followed { at, .. } => {
            let both = [known(change, whom, *at), here(change, by, *at)].concat();
            [both, followed(change, by, whom)].concat()
        }
        FollowEvent::Unfollowed { reason: UnfollowReason::Asked, at, .. } => {
            [unfollowed(change, by, whom), here(change, by, *at)].concat()
        }
        FollowEvent::Unfollowed { reason: UnfollowReason::Blocked, .. } => unfollowed(change, by, whom),
        FollowEvent::Blocked { .. }
        | FollowEvent::Unblocked { .. }
        | FollowEvent::Muted { .. }
        | FollowEvent::Unmuted { .. } => hidden::sql::changed(&change.names.hidden, event),
    }
}

/// There is such a person.
fn known(change: &Change, user: UserId, at: Timestamp) -> Vec<Statement> {
    let sql = format!(
        "INSERT INTO {} (user_id, followers, following, posts, was_large, gets_entries, heard_at) \
         VALUES ($1, 0, 0, 0, 0, 1, $2) ON CONFLICT (user_id) DO NOTHING",
        change.names.people
    );
    vec![Statement::once(sql, vec![person(user), Value::Int(micros(at))])]
}

/// Somebody did something: whoever was away, or followed too many, gets entries from here on.
pub(in crate::social_graph) fn here(change: &Change, user: UserId, at: Timestamp) -> Vec<Statement> {
    let Names { people, follows, state, .. } = &change.names;
    let heard = format!(
        "INSERT INTO {people} (user_id, followers, following, posts, was_large, gets_entries, heard_at) \
         VALUES ($1, 0, 0, 0, 0, 1, $2) \
         ON CONFLICT (user_id) DO UPDATE SET heard_at = excluded.heard_at WHERE {people}.heard_at < $3"
    );
    // Somewhat fewer than too many, so that nobody comes and goes with every follow.
    let is_back = format!("user_id = $1 AND gets_entries = 0 AND following <= {}", change.wide - change.wide / 10);
    let here = newest(state, "$2");
    let from_here = format!(
        "UPDATE {follows} SET entries_after = {here}, look_until = CASE WHEN EXISTS \
         (SELECT 1 FROM {people} a WHERE a.user_id = {follows}.followee AND a.was_large = 1) THEN {NEVER} ELSE {here} END \
         WHERE follower = (SELECT user_id FROM {people} WHERE {is_back})"
    );
    let back = format!("UPDATE {people} SET gets_entries = 1 WHERE {is_back}");
    let heard_at = [at, at - HEARD_EVERY].map(|at| Value::Int(micros(at)));
    vec![
        Statement::once(heard, [vec![person(user)], heard_at.into()].concat()),
        Statement::once(from_here, vec![person(user), change.place()]),
        Statement::once(back, vec![person(user)]),
    ]
}

/// Whoever was not heard of for long gets no entries from here on.
pub(in crate::social_graph) fn leave(change: &Change, now: Timestamp) -> Vec<Statement> {
    let Names { people, follows, .. } = &change.names;
    let is_away = "gets_entries = 1 AND heard_at < $1";
    let none = format!(
        "UPDATE {follows} SET entries_after = {NEVER}, look_until = {NEVER} \
         WHERE follower IN (SELECT user_id FROM {people} WHERE {is_away})"
    );
    let away = format!("UPDATE {people} SET gets_entries = 0 WHERE {is_away}");
    let before = Value::Int(micros(now - AWAY_AFTER));
    vec![Statement::once(none, vec![before.clone()]), Statement::once(away, vec![before])]
}

fn followed(change: &Change, by: UserId, whom: UserId) -> Vec<Statement> {
    let Names { people, follows, state, .. } = &change.names;
    let here = newest(state, "CAST($3 AS BIGINT)");
    let follow = format!(
        "INSERT INTO {follows} (follower, followee, since, entries_after, look_until) \
         SELECT r.user_id, a.user_id, CAST($3 AS BIGINT), \
         CASE WHEN r.gets_entries = 1 THEN {here} ELSE {NEVER} END, \
         CASE WHEN r.gets_entries = 1 AND a.was_large = 0 THEN {here} ELSE {NEVER} END \
         FROM {people} r CROSS JOIN {people} a WHERE r.user_id = $1 AND a.user_id = $2 \
         ON CONFLICT (follower, followee) DO NOTHING"
    );
    let too_many = format!("user_id = $1 AND gets_entries = 1 AND following > {}", change.wide);
    let none = format!(
        "UPDATE {follows} SET entries_after = {NEVER}, look_until = {NEVER} \
         WHERE follower = (SELECT user_id FROM {people} WHERE {too_many})"
    );
    let wide = format!("UPDATE {people} SET gets_entries = 0 WHERE {too_many}");
    let mut statements = count(change, by, whom, "+ 1", "NOT EXISTS");
    statements.push(Statement::once(follow, vec![person(by), person(whom), change.place()]));
    statements.push(Statement::once(none, vec![person(by)]));
    statements.push(Statement::once(wide, vec![person(by)]));
    statements.extend(grown(change, whom));
    statements
}

/// With this follow somebody has too many followers for entries: all of them look their posts up from here on.
///
/// Those who follow later do from the beginning, so that no more rows than entries of one post are written at once. With the
/// first post after a million follows it would be a million.
fn grown(change: &Change, whom: UserId) -> Vec<Statement> {
    let Names { people, follows, .. } = &change.names;
    let grown = format!("user_id = $1 AND was_large = 0 AND followers > {}", change.large);
    let look = format!(
        "UPDATE {follows} SET look_until = {NEVER} WHERE followee = (SELECT user_id FROM {people} WHERE {grown})"
    );
    let remember = format!("UPDATE {people} SET was_large = 1 WHERE {grown}");
    [look, remember].map(|sql| Statement::once(sql, vec![person(whom)])).into()
}

/// This place in the log, or that of the newest post if the event comes late: entries are written from there on.
fn newest(state: &str, place: &str) -> String {
    format!("(SELECT CASE WHEN newest > {place} THEN newest ELSE {place} END FROM {state})")
}

fn unfollowed(change: &Change, by: UserId, whom: UserId) -> Vec<Statement> {
    let sql = format!("DELETE FROM {} WHERE follower = $1 AND followee = $2", change.names.follows);
    let mut statements = count(change, by, whom, "- 1", "EXISTS");
    statements.push(Statement::once(sql, vec![person(by), person(whom)]));
    statements
}

/// Counts the follow, if it is there or is not.
fn count(change: &Change, by: UserId, whom: UserId, step: &str, exists: &str) -> Vec<Statement> {
    let Names { people, follows, .. } = &change.names;
    let counted = |number: &str, whose: &str| {
        let sql = format!(
            "UPDATE {people} SET {number} = {number} {step} WHERE user_id = {whose} AND {exists} \
             (SELECT 1 FROM {follows} WHERE follower = $1 AND followee = $2)"
        );
        Statement::once(sql, vec![person(by), person(whom)])
    };
    vec![counted("following", "$1"), counted("followers", "$2")]
}

/// Whether one of `$1` and the person in this column blocks the other.
pub(in crate::social_graph) fn is_blocked(names: &Names, column: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM {} h WHERE h.viewer = $1 AND h.other = {column} AND h.why IN ('{BLOCKS}', '{BLOCKED}'))",
        names.hidden
    )
}
