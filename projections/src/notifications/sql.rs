//! The tables of `notifications`, and which event changes what.

use domain::{Event, inbox::NotificationKind};
use infrastructure::read_store::{Statement, Value};

use super::{
    NAME, Notifications, VERSION,
    marks::sql as marks,
    news::{sql as news, word},
};
use crate::{Decoded, Invariant, SetChange, Tables, bookkeeping::number_of};

/// What happened, for whom.
const ITEMS: &str = "items";
/// What is shown as one.
const GROUPS: &str = "groups";
/// Who does not want to see or hear whom.
const HIDDEN: &str = "hidden";
/// Posts and reposts: whose they are, who may see them, whether they are there.
const POSTS: &str = "posts";
/// Whose orders are.
const ORDERS: &str = "orders";
/// Until when everything was seen and read.
const INBOXES: &str = "inboxes";
/// Until when single groups were read.
const READS: &str = "reads";
/// Who wants which kinds, from which place in the log on.
const PREFERENCES: &str = "preferences";

/// Nothing happened as early.
const BEFORE_ALL: i64 = -i64::MAX;

/// The full names of the tables.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) items: String,
    pub(super) groups: String,
    pub(super) hidden: String,
    pub(super) posts: String,
    pub(super) orders: String,
    pub(super) inboxes: String,
    pub(super) reads: String,
    pub(super) preferences: String,
}

impl Names {
    pub(super) fn of(tables: &Tables) -> Self {
        Self {
            items: tables.name(ITEMS),
            groups: tables.name(GROUPS),
            hidden: tables.name(HIDDEN),
            posts: tables.name(POSTS),
            orders: tables.name(ORDERS),
            inboxes: tables.name(INBOXES),
            reads: tables.name(READS),
            preferences: tables.name(PREFERENCES),
        }
    }
}

/// One event's change: the tables, and its place in the log.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) names: Names,
    position: i64,
}

impl Change {
    /// The event's place in the log, as a value.
    pub(super) const fn place(&self) -> Value {
        Value::Int(self.position)
    }
}

impl SetChange for Notifications {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    // Of one moment, notifications stand where their events do in the log.
    const HOLDS_POSITIONS: bool = true;
    const EVENTS: &'static [&'static str] = &[
        "follow.",
        "inbox.",
        "order.placed.",
        "order.confirmed.",
        "order.shipped.",
        "order.refunded.",
        "post.",
        "reaction.",
    ];
    const TABLES: &'static [&'static str] = &[ITEMS, GROUPS, HIDDEN, POSTS, ORDERS, INBOXES, READS, PREFERENCES];

    fn invariants(tables: &Tables) -> Vec<Invariant> {
        let Names { items, groups, .. } = Names::of(tables);
        let same = "i.recipient = g.recipient AND i.kind = g.kind AND i.subject = g.subject";
        vec![
            Invariant {
                says: "a group counts exactly the items that are shown",
                violations: format!(
                    "SELECT count(*) FROM {groups} g LEFT JOIN (SELECT recipient, kind, subject, sum(is_shown) AS n \
                     FROM {items} GROUP BY recipient, kind, subject) i ON {same} WHERE i.n IS NULL OR g.shown <> i.n"
                ),
            },
            Invariant {
                says: "every item is in a group",
                violations: format!(
                    "SELECT count(*) FROM {items} i WHERE NOT EXISTS (SELECT 1 FROM {groups} g WHERE {same})"
                ),
            },
            Invariant {
                says: "nobody is told of what they do themselves",
                violations: format!("SELECT count(*) FROM {items} WHERE recipient = source"),
            },
            Invariant {
                says: "a group is in the list if something of it is shown",
                violations: format!(
                    "SELECT count(*) FROM {groups} WHERE (shown = 0 AND newest_moment IS NOT NULL) \
                     OR (newest_moment IS NULL AND newest_position IS NOT NULL) \
                     OR (newest_moment IS NULL AND unread_moment IS NOT NULL)"
                ),
            },
        ]
    }

    fn create(tables: &Tables) -> Vec<String> {
        let names = Names::of(tables);
        [news::create(&names), marks::create(&names)].concat()
    }

    fn changes(event: &Decoded, tables: &Tables) -> Vec<Statement> {
        let change = Change { names: Names::of(tables), position: number_of(event.position) };
        match &*event.event {
            Event::Follow(happened) => news::between(&change, happened),
            Event::Post(happened) => news::posted(&change, happened),
            Event::Reaction(happened) => news::reacted(&change, happened),
            Event::Order(happened) => news::ordered(&change, happened, event.revision),
            Event::Inbox(happened) => marks::said(&change, happened),
            Event::Product(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Operator(_) => vec![],
        }
    }
}

/// A kind, as a value.
pub(super) fn kind(kind: NotificationKind) -> Value {
    Value::Text(word(kind).to_owned())
}

/// Brings groups `g` up to date with their items: when the newest one that is shown happened, and the newest one behind what
/// was read of the group itself. Nothing is shown of a post that was taken back. `from` and `condition` say which groups.
pub(super) fn refresh(names: &Names, from: &str, condition: &str) -> String {
    let Names { items, groups, posts, reads, .. } = names;
    // A condition that only the group has must not be asked for each of its items: of a popular post there are a million.
    let newest = |what: &str, and: &str| {
        format!(
            "CASE WHEN EXISTS (SELECT 1 FROM {posts} p WHERE p.post_id = g.subject AND p.is_deleted = 1) THEN NULL \
             ELSE (SELECT i.{what} FROM {items} i WHERE i.recipient = g.recipient AND i.kind = g.kind \
             AND i.subject = g.subject AND i.is_shown = 1{and} ORDER BY i.moment DESC, i.position DESC LIMIT 1) END"
        )
    };
    let is_unread = format!(
        " AND i.moment > coalesce((SELECT r.up_to FROM {reads} r WHERE r.user_id = g.recipient AND r.kind = g.kind \
         AND r.subject = g.subject), {BEFORE_ALL})"
    );
    format!(
        "UPDATE {groups} AS g SET newest_moment = {moment}, newest_position = {position}, unread_moment = {unread} \
         {from} WHERE {condition}",
        moment = newest("moment", ""),
        position = newest("position", ""),
        unread = newest("moment", &is_unread),
    )
}
