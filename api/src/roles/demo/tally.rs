//! What has happened so far, for the lines that are printed now and then.

use std::fmt;

use super::script::{Seen, Status};

/// Counts of what was seen of the orders of this start, and of what people did in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Orders that were placed.
    pub(super) placed: u64,
    /// Of these, those whose pieces are reserved and whose money is held.
    pub(super) confirmed: u64,
    /// Those that were given up.
    pub(super) cancelled: u64,
    /// Those that were declined at least once at the look.
    pub(super) declined: u64,
    /// Those of which all left the house.
    pub(super) shipped: u64,
    /// Returns that came.
    pub(super) returned: u64,
    /// Cents that were taken.
    pub(super) paid: i64,
    /// Cents that were given back.
    pub(super) refunded: i64,
    /// People who are there.
    pub(super) joined: u64,
    /// Follows that were begun.
    pub(super) follows: u64,
    /// Posts that answer none.
    pub(super) posts: u64,
    /// Posts that answer one.
    pub(super) replies: u64,
    /// Likes that were given.
    pub(super) likes: u64,
    /// Posts that were shown to others.
    pub(super) reposts: u64,
    /// Follows that were ended, and mutes and blocks.
    pub(super) parted: u64,
    /// Requests that failed.
    pub(super) failed: u64,
}

impl Tally {
    /// Counts what is new about an order. `before` is how it looked last.
    pub(super) fn see(&mut self, before: &Seen, now: &Seen) {
        let is_confirmed = |seen: &Seen| match seen.status {
            Status::Confirmed | Status::Shipped | Status::Delivered => true,
            Status::Placed | Status::Cancelled => false,
        };
        let is_shipped = |seen: &Seen| matches!(seen.status, Status::Shipped | Status::Delivered);
        let came = |seen: &Seen| seen.returns.iter().filter(|came| **came).count();
        let newly = |is: bool, was: bool| u64::from(is && !was);
        self.confirmed += newly(is_confirmed(now), is_confirmed(before));
        self.cancelled += newly(now.status == Status::Cancelled, before.status == Status::Cancelled);
        self.declined += newly(now.is_declined, before.is_declined);
        self.shipped += newly(is_shipped(now), is_shipped(before));
        self.returned += came(now).saturating_sub(came(before)) as u64;
        self.paid += now.paid - before.paid;
        self.refunded += now.refunded - before.refunded;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { placed, confirmed, cancelled, declined, shipped, returned, paid, refunded, .. } = self;
        let Self { joined, follows, posts, replies, likes, reposts, parted, failed, .. } = self;
        let euros = |cents: &i64| format!("{}.{:02}", cents / 100, cents % 100);
        write!(
            f,
            "orders: {placed} placed, {confirmed} confirmed, {cancelled} cancelled, {declined} declined, \
             {shipped} shipped, {returned} returned; EUR {} in, {} out",
            euros(paid),
            euros(refunded)
        )?;
        if *joined > 0 {
            write!(
                f,
                "\npeople: {joined} there, {follows} follows, {posts} posts, {replies} replies, {likes} likes, \
                 {reposts} reposts, {parted} unfollowed, muted or blocked"
            )?;
        }
        if *failed > 0 { write!(f, "; {failed} requests failed") } else { Ok(()) }
    }
}
