//! The home feed: what those whom somebody follows posted, newest first, and their own posts.
//!
//! A feed is read out of two sources, a stretch of the log at a time: the reader's entries, and what has to be looked up
//! because no entry was written. Of both only that is shown which the reader may see at the moment of reading. A stretch is
//! as long as the one or the other source was read to its end, so nothing is passed over; the next stretch begins where
//! this one ends, until the page is full or the log is at its beginning. Posts have their places in the log for good, so
//! that pages neither overlap nor leave anything out, whatever is posted meanwhile.

mod query;

pub(super) use query::entry;

use domain::values::{PostId, UserId};
use infrastructure::event_store::Position;

use crate::bookkeeping::number_of;

/// A post in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log, and so in every feed.
    pub position: Position,
    /// The post, or the repost.
    pub post: PostId,
    /// Whose it is.
    pub author: UserId,
    /// The post that it shows, if it is a repost.
    pub of: Option<PostId>,
}

/// Some of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedPage {
    /// In the order that was asked for.
    pub entries: Vec<Entry>,
    /// Whether there are more of them beyond.
    pub has_more: bool,
    /// Everything up to here was applied when the page was read: what comes later is not in it.
    pub as_of: Position,
}

/// Which way a feed is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Older,
    Newer,
}

/// A stretch of the log, from its first position to the one after its last, and the chunks of entries in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: i64,
    until: i64,
    first_chunk: i64,
    last_chunk: i64,
}

/// What a stretch held, in the way's order, and how far it was read.
#[derive(Debug)]
struct Read {
    entries: Vec<Entry>,
    /// The part of the stretch that is done with ends here: its start if older ones are read, else its end.
    reached: i64,
}

impl Way {
    /// One after the other, each post once, as far as both sources were read.
    fn merged(self, entries: (Vec<Entry>, i64), looked_up: (Vec<Entry>, i64)) -> Read {
        let (reached, is_within): (i64, fn(i64, i64) -> bool) = match self {
            Self::Older => (entries.1.max(looked_up.1), |position, reached| position >= reached),
            Self::Newer => (entries.1.min(looked_up.1), |position, reached| position < reached),
        };
        let mut all = [entries.0, looked_up.0].concat();
        all.retain(|entry| is_within(number_of(entry.position), reached));
        all.sort_by_key(|entry| entry.position);
        all.dedup_by_key(|entry| entry.position);
        if self == Self::Older {
            all.reverse();
        }
        Read { entries: all, reached }
    }

    /// The end of a source that gave as many as it was asked for; else that of the stretch.
    fn end(self, last: Option<i64>, is_full: bool, stretch: &Stretch) -> i64 {
        match (self, last) {
            (Self::Older, Some(last)) if is_full => last,
            (Self::Newer, Some(last)) if is_full => last + 1,
            (Self::Older, _) => stretch.from,
            (Self::Newer, _) => stretch.until,
        }
    }
}
