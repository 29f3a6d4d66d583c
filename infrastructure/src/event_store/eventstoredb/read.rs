//! Reading: pages of one stream, pages of the whole log, the head.
//!
//! Everything is read from the leader. The server gives the event at the position a read begins with, so a page asks
//! for one more than wanted and leaves out what was seen before. A read of the log asks for the head first, on the same
//! connection: what comes after that is at the end of the page or beyond it, so a page that was read to its end has
//! looked at everything up to that head, however few events passed.
//!
//! A filtered read looks through the log until it has found what it was asked for and says nothing on the way. When
//! that takes too long, a page without a filter gets on.

use std::future::Future;

use tokio::time::{Instant, sleep, timeout};

use super::{
    super::{
        AllPage, Direction, Position, RecordedEvent, Revision, StoreError, StreamId, StreamPage, TypeFilter,
        Whereabouts,
    },
    Shared,
    backoff::Backoff,
    call::{Query, Reading},
    event::Stored,
    failure::Failure,
    link::Link,
    page::{self, Seen},
    wire::Expression,
};

/// The payload at which a page takes no more events (8 MiB).
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The types that are not the server's own, as an expression.
const NO_SYSTEM_TYPES: &str = r"^[^\$].*";
/// How many events a page looks at when the filter finds nothing in time.
const UNFILTERED_EVENTS: usize = 1_024;

/// Why no more events came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There are no more, or as many as asked for came.
    Reached,
    /// The page is large enough.
    Cut,
    /// It took too long.
    Late,
}

impl Shared {
    /// A page of one stream.
    pub(super) async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        if direction == Direction::Forwards && from >= Revision::MAX {
            return Ok(StreamPage { events: Vec::new(), is_end: true });
        }
        self.retried(|| self.stream_page(stream, from, direction, limit)).await
    }

    /// One try of [`Self::read_stream`].
    pub(super) async fn stream_page(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, Failure> {
        let count = limit.saturating_add(1);
        let query = stream_query(stream, from, direction).at_most(count);
        let patience = self.patience();
        let read = |link: Link| async move {
            let mut events = Vec::new();
            let reading = async {
                let mut reading = link.read(&query).await?;
                take(&mut reading, &mut events, |seen| seen.in_stream(stream.clone())).await
            };
            match timeout(patience, reading).await {
                Ok(Err(Failure::NoStream)) => Ok((Vec::new(), End::Reached)),
                Ok(end) => Ok((events, end?)),
                Err(_) if events.is_empty() => Err(Failure::TimedOut),
                Err(_) => Ok((events, End::Late)),
            }
        };
        let (events, end) = self.supervisor.call(read).await?;
        let is_whole = end == End::Reached && events.len() < count;
        page::of_stream(stream, from, direction, limit, events, is_whole).map_err(Failure::Store)
    }

    /// A page of the log.
    pub(super) async fn read_all(
        &self,
        after: Position,
        filter: &TypeFilter,
        limit: usize,
    ) -> Result<AllPage, StoreError> {
        self.retried(|| self.page(after, filter, limit)).await
    }

    async fn page(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, Failure> {
        let types = server_filter(filter).filter(|_| limit > 0);
        let count = limit.saturating_add(1);
        let query = types.map(|types| Query::log(after).at_most(count).of_types(types));
        let patience = self.patience();
        let read = |link: Link| async move {
            let head = head_of(&link).await?;
            let Some(query) = query.filter(|_| head > after) else {
                return Ok((head, Vec::new(), End::Reached));
            };
            let (seen, end) = take_log(&link, &query, patience).await?;
            Ok((head, seen, end))
        };
        let (head, seen, end) = self.supervisor.call(read).await?;
        if limit == 0 {
            return Ok(AllPage { events: Vec::new(), scanned_to: after, is_end: after >= head });
        }
        if end == End::Late && seen.last().is_none_or(|seen| seen.position <= after) {
            return self.unfiltered_page(after, filter, limit, head).await;
        }
        let is_whole = end == End::Reached && seen.len() < count;
        if *filter == TypeFilter::All {
            self.density.learn(after, &seen);
        }
        page::of_log(after, head, seen, is_whole, filter, limit).map_err(Failure::Store)
    }

    /// A page that gets on although the filter found nothing in time.
    async fn unfiltered_page(
        &self,
        after: Position,
        filter: &TypeFilter,
        limit: usize,
        head: Position,
    ) -> Result<AllPage, Failure> {
        let query = Query::log(after).at_most(UNFILTERED_EVENTS);
        let patience = self.patience();
        let read = |link: Link| async move { take_log(&link, &query, patience).await };
        let (seen, end) = self.supervisor.call(read).await?;
        if end == End::Late && seen.last().is_none_or(|seen| seen.position <= after) {
            return Err(Failure::TimedOut);
        }
        let is_whole = end == End::Reached && seen.len() < UNFILTERED_EVENTS;
        page::of_log(after, head, seen, is_whole, filter, limit).map_err(Failure::Store)
    }

    /// The event at this position. There is none at a position that is none.
    pub(super) async fn event_at(&self, position: Position) -> Result<Option<RecordedEvent>, StoreError> {
        if position == Position::START {
            return Ok(None);
        }
        let first = self.first_from(position).await?;
        Ok(first.filter(|first| first.position == position).and_then(|first| first.event))
    }

    /// Where this position lies in the log, which reaches to `tail` at least. The head is asked for only where that does
    /// not do, and nothing is read from beyond it.
    pub(super) async fn locate(&self, position: Position, tail: Position) -> Result<Whereabouts, StoreError> {
        if position > tail {
            let head = self.head().await?;
            if position > head {
                return Ok(Whereabouts::Beyond { head });
            }
        }
        let is_inside = position == Position::START || self.first_from(position).await?.is_some();
        Ok(if is_inside { Whereabouts::Inside } else { Whereabouts::Nowhere })
    }

    /// What a read from this position begins with, which is what lies there. There is nothing at a position that is none.
    async fn first_from(&self, position: Position) -> Result<Option<Seen>, StoreError> {
        let query = Query::log(position).at_most(1);
        let patience = self.patience();
        let read = self.retried(|| {
            let query = query.clone();
            self.supervisor.call(move |link: Link| async move {
                match take_log(&link, &query, patience).await? {
                    // That nothing came in time does not mean that nothing is there.
                    (seen, End::Late) if seen.is_empty() => Err(Failure::TimedOut),
                    (seen, End::Late | End::Reached | End::Cut) => Ok(seen),
                }
            })
        });
        match read.await {
            Ok(seen) => Ok(seen.into_iter().next()),
            Err(StoreError::Format(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The position of the last event, whoever wrote it.
    pub(super) async fn head(&self) -> Result<Position, StoreError> {
        self.retried(|| self.head_once()).await
    }

    /// One try of [`Self::head`].
    pub(super) async fn head_once(&self) -> Result<Position, Failure> {
        self.supervisor.call(|link| async move { head_of(&link).await }).await
    }

    /// How long a page may take before it is given as far as it came; less than the limit of the call.
    fn patience(&self) -> std::time::Duration {
        self.options.call_timeout * 3 / 4
    }

    /// Tries again what may pass, within the budget of a read.
    pub(super) async fn retried<T, F>(&self, read: impl Fn() -> F + Sync) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let deadline = Instant::now() + self.options.read_budget;
        let mut backoff = Backoff::new(self.options.retry_pauses.0, self.options.retry_pauses.1);
        loop {
            let failure = match read().await {
                Ok(page) => return Ok(page),
                Err(failure) => failure,
            };
            let pause = backoff.next();
            if !failure.is_passing() || Instant::now() + pause >= deadline {
                return Err(failure.into_store_error());
            }
            tracing::debug!(error = %failure, "a read of the event store failed, trying again: {failure}");
            sleep(pause).await;
        }
    }
}

/// A read of one stream, from a revision on.
fn stream_query(stream: &StreamId, from: Revision, direction: Direction) -> Query {
    let name = stream.to_string();
    match direction {
        Direction::Forwards => Query::stream(&name, Some(from)),
        Direction::Backwards => Query::stream(&name, Some(from).filter(|from| *from < Revision::MAX)).backwards(),
    }
}

/// What the server is to look for; none if nothing passes.
fn server_filter(filter: &TypeFilter) -> Option<Expression> {
    let no_system_types = || Expression { regex: NO_SYSTEM_TYPES.to_owned(), prefixes: Vec::new() };
    match filter {
        TypeFilter::All => Some(no_system_types()),
        TypeFilter::Prefixes(prefixes) if prefixes.is_empty() => None,
        TypeFilter::Prefixes(prefixes) if prefixes.iter().any(|prefix| prefix.is_empty()) => Some(no_system_types()),
        TypeFilter::Prefixes(prefixes) => {
            let prefixes = prefixes.iter().map(ToString::to_string).collect();
            Some(Expression { regex: String::new(), prefixes })
        }
    }
}

async fn head_of(link: &Link) -> Result<Position, Failure> {
    let mut reading = link.read(&Query::log_from_end().at_most(1)).await?;
    let last = reading.next().await?;
    // To its end: one that is left early is cancelled at the server.
    while reading.next().await?.is_some() {}
    Ok(last.map_or(Position::START, |event| Position::new(event.commit)))
}

/// Events of the log, as far as they come in time.
async fn take_log(link: &Link, query: &Query, patience: std::time::Duration) -> Result<(Vec<Seen>, End), Failure> {
    let mut seen = Vec::new();
    let reading = async {
        let mut reading = link.read(query).await?;
        take(&mut reading, &mut seen, |stored| {
            let stream = stored.our_stream().filter(|_| !stored.is_of_system());
            let event = stream.map(|stream| stored.in_stream(stream)).transpose()?;
            Ok(Seen { position: Position::new(stored.commit), event })
        })
        .await
    };
    match timeout(patience, reading).await {
        Ok(end) => Ok((seen, end?)),
        Err(_) => Ok((seen, End::Late)),
    }
}

/// Takes events until there are no more, or the page is large enough.
async fn take<T>(
    reading: &mut Reading,
    taken: &mut Vec<T>,
    read: impl Fn(&Stored<'_>) -> Result<T, Failure> + Send,
) -> Result<End, Failure> {
    let mut bytes = 0;
    while let Some(event) = reading.next().await? {
        let stored = Stored::try_from(&event)?;
        taken.push(read(&stored)?);
        bytes += stored.data.len() + stored.metadata.len();
        // The first one may be left out as seen before, so a page has room for another.
        if bytes >= PAGE_BYTES_MAX && taken.len() > 1 {
            return Ok(End::Cut);
        }
    }
    Ok(End::Reached)
}
