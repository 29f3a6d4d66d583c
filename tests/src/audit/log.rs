//! The log as its file holds it, parsed once.

use std::{collections::HashSet, path::Path, sync::Arc};

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OpenFlags, Row};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the log.
    pub position: u64,
    /// What kind of object it happened to.
    pub category: Arc<str>,
    /// To which one.
    pub key: Uuid,
    /// Its place in the stream.
    pub revision: i64,
    /// Its type.
    pub kind: Arc<str>,
    /// What happened; none if nobody understands it.
    pub happened: Option<Happened>,
}

/// What happened, as far as a read model shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A customer bought.
    Placed {
        /// Who.
        customer: Uuid,
        /// What, as it is written.
        lines: Arc<str>,
        /// How many pieces of which product, line by line.
        units: Vec<(Uuid, i64)>,
        /// The sum.
        total: (i64, String),
        /// When, in microseconds.
        at: i64,
    },
    /// An order was given up.
    Cancelled {
        /// Why.
        reason: String,
        /// When.
        at: i64,
    },
    /// An order left the house.
    Shipped {
        /// The carrier's number.
        tracking: Option<String>,
        /// When.
        at: i64,
    },
    /// The customer has it.
    Delivered {
        /// When.
        at: i64,
    },
    /// A product came into the catalogue.
    Registered {
        /// Its SKU.
        sku: String,
        /// Its name.
        name: String,
        /// Its price.
        price: (i64, String),
        /// Whether its pieces are counted.
        is_stocked: bool,
        /// When.
        at: i64,
    },
    /// Its price changed.
    PriceChanged {
        /// The new one.
        price: (i64, String),
        /// When.
        at: i64,
    },
    /// It is offered no longer.
    Retired {
        /// When.
        at: i64,
    },
    /// Somebody became visible to others.
    Created {
        /// Under which handle.
        handle: String,
        /// And name.
        name: String,
        /// What they say of themselves.
        biography: String,
        /// When.
        at: i64,
    },
    /// They say other things of themselves.
    Updated {
        /// The new name.
        name: String,
        /// The new words.
        biography: String,
        /// When.
        at: i64,
    },
    /// They took another handle.
    HandleChanged {
        /// The new one.
        handle: String,
        /// When.
        at: i64,
    },
    /// Somebody said something; a part of it is as it is written.
    Published {
        /// Who.
        author: Uuid,
        /// What.
        content: Value,
        /// To whom.
        visibility: String,
        /// In answer to what.
        reply: Value,
        /// About what.
        quoted: Value,
        /// When, as it is written.
        at: String,
    },
    /// They say it otherwise.
    Edited {
        /// Who.
        author: Uuid,
        /// All that it says from now on.
        content: Value,
        /// When, as it is written.
        at: String,
    },
    /// Somebody showed a post to others.
    Reposted {
        /// Who.
        author: Uuid,
        /// Which.
        of: Uuid,
        /// Whose.
        of_author: Uuid,
        /// When, as it is written.
        at: String,
    },
    /// A post was taken back.
    Deleted {
        /// By whom.
        author: Uuid,
        /// When, as it is written.
        at: String,
    },
    /// Somebody did something that concerns feeds.
    Social {
        /// Who.
        by: Uuid,
        /// What.
        what: Social,
        /// When, in microseconds.
        at: i64,
    },
    /// Pieces came in.
    Received {
        /// Of what.
        sku: String,
        /// Where.
        warehouse: String,
        /// How many.
        pieces: i64,
        /// When.
        at: i64,
    },
    /// The pieces of a stock moved: so many more are on hand, so many more are promised.
    Moved {
        /// On hand.
        on_hand: i64,
        /// Promised.
        reserved: i64,
        /// When.
        at: i64,
    },
}

/// What people are to each other, and to posts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Social {
    /// They follow somebody.
    Followed(Uuid),
    /// They follow them no longer, since they wanted so.
    Unfollowed(Uuid),
    /// They follow them no longer, since one of the two blocked the other.
    Parted(Uuid),
    /// They block somebody.
    Blocked(Uuid),
    /// They block them no longer.
    Unblocked(Uuid),
    /// They do not want to hear of somebody.
    Muted(Uuid),
    /// They do again.
    Unmuted(Uuid),
    /// They like a post.
    Liked {
        /// Which.
        post: Uuid,
        /// Whose.
        author: Uuid,
    },
    /// They like it no longer.
    Unliked {
        /// Which.
        post: Uuid,
        /// Whose.
        author: Uuid,
    },
    /// They know of what is in their inbox.
    Saw {
        /// Until when, in microseconds.
        up_to: i64,
    },
    /// They have read it.
    Read {
        /// Only what is of this kind about this; none: all.
        group: Option<(String, Uuid)>,
        /// Until when, in microseconds.
        up_to: i64,
    },
    /// They want to be told of other things.
    Wants {
        /// All kinds that they do not want.
        unwanted: Vec<String>,
    },
}

/// The whole log, from the first event on.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The events; the first one is at position 1.
    pub events: Vec<Event>,
    /// Events that nobody understood once, and that were put right since.
    pub mended: HashSet<u64>,
}

impl Log {
    /// Reads on from the last event that is known.
    pub fn read_on(&mut self, events_db: &Path) {
        let connection = open(events_db);
        let sql = "SELECT e.position, s.category, s.key, e.revision, t.name, e.data
             FROM events e JOIN streams s ON s.id = e.stream JOIN event_types t ON t.id = e.type
             WHERE e.position > ?1 ORDER BY e.position";
        let mut statement = connection.prepare(sql).expect("an event store");
        let mut rows = statement.query([self.head().cast_signed()]).expect("the log can be read");
        while let Some(row) = rows.next().expect("the log can be read") {
            let key: [u8; 16] = row.get(2).expect("a key");
            let (kind, data): (Arc<str>, String) = (row.get(4).expect("a type"), row.get(5).expect("data"));
            let event = Event {
                position: position(row, 0).expect("a position"),
                category: row.get(1).expect("a category"),
                key: Uuid::from_bytes(key),
                revision: row.get(3).expect("a revision"),
                happened: parse(&kind, &data),
                kind,
            };
            assert_eq!(event.position, self.head() + 1, "a position is missing before {event:?}");
            self.events.push(event);
        }
    }

    /// The event at this position was given data that can be understood: everything is read anew.
    pub fn is_mended(&mut self, position: u64) {
        self.mended.insert(position);
        self.events.clear();
    }

    /// The position of the last event.
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// The event at this position.
    pub fn at(&self, position: u64) -> Option<&Event> {
        self.events.get(usize::try_from(position.checked_sub(1)?).ok()?)
    }

    /// The events up to this position.
    pub fn up_to(&self, position: u64) -> &[Event] {
        &self.events[..usize::try_from(position).expect("a small number")]
    }
}

/// A position in a column.
pub(super) fn position(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

/// Opens a database to read, beside whoever writes it.
pub(super) fn open(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    connection.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[derive(Deserialize)]
struct Amount {
    minor: i64,
    currency: String,
}

#[derive(Deserialize)]
struct Line {
    product: Uuid,
    quantity: i64,
}

#[derive(Deserialize)]
struct Group {
    kind: String,
    subject: Uuid,
}

#[derive(Deserialize)]
struct Data<'a> {
    customer: Option<Uuid>,
    #[serde(borrow)]
    lines: Option<&'a RawValue>,
    total: Option<Amount>,
    reason: Option<String>,
    tracking: Option<String>,
    sku: Option<String>,
    warehouse: Option<String>,
    pieces: Option<i64>,
    change: Option<i64>,
    name: Option<String>,
    price: Option<Amount>,
    is_stocked: Option<bool>,
    handle: Option<String>,
    biography: Option<String>,
    author: Option<Uuid>,
    content: Option<Value>,
    visibility: Option<String>,
    reply: Option<Value>,
    quoted: Option<Value>,
    of: Option<Uuid>,
    of_author: Option<Uuid>,
    post: Option<Uuid>,
    by: Option<Uuid>,
    whom: Option<Uuid>,
    user: Option<Uuid>,
    up_to: Option<DateTime<Utc>>,
    group: Option<Group>,
    unwanted: Option<Vec<String>>,
    at: Option<DateTime<Utc>>,
}

/// What no read model reads.
const UNREAD: [&str; 2] = ["operator.", "handle."];

/// What the data says; none if it does not say what an event of this type has to say.
fn parse(kind: &str, data: &str) -> Option<Happened> {
    if UNREAD.iter().any(|prefix| kind.starts_with(prefix)) {
        return None;
    }
    let data: Data<'_> = serde_json::from_str(data).ok()?;
    let moment = data.at?.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let at = data.at?.timestamp_micros();
    let amount = |amount: Amount| (amount.minor, amount.currency);
    let social = |by: Option<Uuid>, what: Social| Some(Happened::Social { by: by?, what, at });
    Some(match kind {
        "order.placed.v1" | "order.placed.v2" => {
            let lines = data.lines?.get();
            let parsed: Vec<Line> = serde_json::from_str(lines).ok()?;
            let mut stored: Value = serde_json::from_str(lines).ok()?;
            for line in stored.as_array_mut()? {
                // The first version knew no stock.
                line.as_object_mut()?.entry("is_stocked").or_insert(false.into());
            }
            Happened::Placed {
                customer: data.customer?,
                // The table holds them with the fields in the order of their names.
                lines: stored.to_string().into(),
                units: parsed.into_iter().map(|line| (line.product, line.quantity)).collect(),
                total: amount(data.total?),
                at,
            }
        }
        "order.cancelled.v2" => Happened::Cancelled { reason: data.reason?, at },
        "order.shipped.v1" | "order.shipped.v2" => Happened::Shipped { tracking: data.tracking, at },
        "order.delivered.v1" => Happened::Delivered { at },
        "product.registered.v1" | "product.registered.v2" => {
            let is_stocked = data.is_stocked.unwrap_or(false);
            Happened::Registered { sku: data.sku?, name: data.name?, price: amount(data.price?), is_stocked, at }
        }
        "product.price_changed.v1" => Happened::PriceChanged { price: amount(data.price?), at },
        "product.retired.v1" => Happened::Retired { at },
        "profile.created.v1" => {
            Happened::Created { handle: data.handle?, name: data.name?, biography: data.biography?, at }
        }
        "profile.updated.v1" => Happened::Updated { name: data.name?, biography: data.biography?, at },
        "profile.handle_changed.v1" => Happened::HandleChanged { handle: data.handle?, at },
        "post.published.v1" => Happened::Published {
            author: data.author?,
            content: data.content?,
            visibility: data.visibility?,
            reply: data.reply.unwrap_or_default(),
            quoted: data.quoted.unwrap_or_default(),
            at: moment,
        },
        "post.edited.v1" => Happened::Edited { author: data.author?, content: data.content?, at: moment },
        "post.reposted.v1" => {
            Happened::Reposted { author: data.author?, of: data.of?, of_author: data.of_author?, at: moment }
        }
        "post.deleted.v1" => Happened::Deleted { author: data.author?, at: moment },
        "follow.followed.v1" => social(data.by, Social::Followed(data.whom?))?,
        "follow.unfollowed.v1" => match data.reason?.as_str() {
            "asked" => social(data.by, Social::Unfollowed(data.whom?))?,
            "blocked" => social(data.by, Social::Parted(data.whom?))?,
            _ => return None,
        },
        "follow.blocked.v1" => social(data.by, Social::Blocked(data.whom?))?,
        "follow.unblocked.v1" => social(data.by, Social::Unblocked(data.whom?))?,
        "follow.muted.v1" => social(data.by, Social::Muted(data.whom?))?,
        "follow.unmuted.v1" => social(data.by, Social::Unmuted(data.whom?))?,
        "reaction.liked.v1" => social(data.by, Social::Liked { post: data.post?, author: data.author? })?,
        "reaction.unliked.v1" => social(data.by, Social::Unliked { post: data.post?, author: data.author? })?,
        "inbox.seen.v1" => social(data.user, Social::Saw { up_to: data.up_to?.timestamp_micros() })?,
        "inbox.read.v1" => {
            let (group, up_to) = (data.group.map(|group| (group.kind, group.subject)), data.up_to?.timestamp_micros());
            social(data.user, Social::Read { group, up_to })?
        }
        "inbox.preferences_changed.v1" => social(data.user, Social::Wants { unwanted: data.unwanted? })?,
        "stock.received.v1" => {
            Happened::Received { sku: data.sku?, warehouse: data.warehouse?, pieces: data.pieces?, at }
        }
        "stock.adjusted.v1" => Happened::Moved { on_hand: data.change?, reserved: 0, at },
        "stock.reserved.v1" => Happened::Moved { on_hand: 0, reserved: data.pieces?, at },
        "stock.released.v1" => Happened::Moved { on_hand: 0, reserved: -data.pieces?, at },
        "stock.committed.v1" => Happened::Moved { on_hand: -data.pieces?, reserved: -data.pieces?, at },
        "stock.restocked.v1" => Happened::Moved { on_hand: data.pieces?, reserved: 0, at },
        other => panic!("the audit does not know {other}"),
    })
}
