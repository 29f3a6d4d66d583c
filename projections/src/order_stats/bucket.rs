//! Hours, days and months in UTC, and the ranges that consist of them.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use domain::Timestamp;

/// The most buckets of one answer.
pub const BUCKETS_MAX: usize = 1_000;
/// Seconds of an hour.
const HOUR_S: i64 = 60 * 60;

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A day in UTC.
    Day,
    /// A month in UTC.
    Month,
}

/// Why a range has no buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It ends before it begins, or where it begins.
    #[error("the range ends before it begins")]
    Empty,
    /// It has too many.
    #[error("the range has more than {BUCKETS_MAX} buckets; ask for a shorter one, or for larger buckets")]
    TooMany,
    /// Its moments are beyond what a calendar has.
    #[error("the range lies beyond the calendar")]
    OutOfRange,
}

/// The buckets that a range touches, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// How long each is.
    pub bucket: Bucket,
    /// Where they begin, and where the last one ends.
    edges: Vec<Timestamp>,
}

impl Buckets {
    /// The buckets that hold something of the time from `from` to `to`, without `to` itself.
    pub fn of(bucket: Bucket, from: Timestamp, to: Timestamp) -> Result<Self, RangeError> {
        if to <= from {
            return Err(RangeError::Empty);
        }
        let mut edges = vec![bucket.start(from).ok_or(RangeError::OutOfRange)?];
        while let Some(last) = edges.last().copied().filter(|last| *last < to) {
            if edges.len() > BUCKETS_MAX {
                return Err(RangeError::TooMany);
            }
            edges.push(bucket.after(last).ok_or(RangeError::OutOfRange)?);
        }
        Ok(Self { bucket, edges })
    }

    /// Where each begins and ends.
    pub fn spans(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        self.edges.windows(2).map(|edge| (edge[0], edge[1]))
    }

    /// The hours of the range: the first one, and the one behind the last.
    pub(super) fn hours(&self) -> (i64, i64) {
        let hour = |edge: Option<&Timestamp>| edge.map_or(0, |edge| hour_of(*edge));
        (hour(self.edges.first()), hour(self.edges.last()))
    }
}

impl Bucket {
    /// Where the bucket of this moment begins.
    fn start(self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Hour => DateTime::from_timestamp(hour_of(at).checked_mul(HOUR_S)?, 0),
            Self::Day => Some(midnight(at.date_naive())),
            Self::Month => at.date_naive().with_day(1).map(midnight),
        }
    }

    /// Where the bucket that begins here ends.
    fn after(self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Hour => start.checked_add_signed(TimeDelta::hours(1)),
            Self::Day => start.checked_add_days(Days::new(1)),
            Self::Month => start.checked_add_months(Months::new(1)),
        }
    }

    /// The number of the bucket that this moment is in; the same number as its SQL gives.
    pub(super) fn number(self, at: Timestamp) -> i64 {
        match self {
            Self::Hour => hour_of(at),
            Self::Day => hour_of(at).div_euclid(24),
            Self::Month => month_of(at),
        }
    }

    /// The number of a row's bucket in SQL. No row is of before 1970, so a division rounds down.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "hour / 24",
            Self::Month => "month",
        }
    }
}

fn midnight(date: NaiveDate) -> Timestamp {
    date.and_time(NaiveTime::MIN).and_local_timezone(Utc).single().expect("UTC has each moment once")
}

/// Hours since 1970.
pub(super) fn hour_of(at: Timestamp) -> i64 {
    at.timestamp().div_euclid(HOUR_S)
}

/// Months since the year 0.
pub(super) fn month_of(at: Timestamp) -> i64 {
    i64::from(at.year()) * 12 + i64::from(at.month0())
}
