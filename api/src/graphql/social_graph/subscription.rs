//! Live feeds and live posts.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use async_graphql::{Context, Error, ID, SimpleObject, Subscription};
use domain::values::{PostId, UserId};
use futures_util::{Stream, stream};
use infrastructure::event_store::Position;
use projections::{
    QueryError, ReadModels, Served, ServedTables,
    post_board::PostBoard,
    profile_directory::ProfileDirectory,
    social_graph::{Entry, News, SocialGraph, Told, Watcher},
};

use crate::{
    engine::LivePhase,
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        call::{services, viewer},
        live::{Update, Updates, deliver_as_they_come, interrupted, replay, reporter, updates},
        node::local,
        post::{self, PostObject},
        read::query_error,
    },
};

/// How many posts are read at once.
const POSTS_AT_ONCE: usize = 50;
/// How long a read model may take to show what is known to have happened.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// The numbers of a post that many like at once are told this often.
const TOLD_EVERY: Duration = Duration::from_millis(250);

updates! {
    /// What a subscription to the home feed says.
    HomeFeedUpdate {
        /// A post or repost has come into the feed.
        HomeFeedPosted
    }
}

/// A post or repost has come into the feed.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct HomeFeedPosted {
    /// Resume after this.
    cursor: PositionToken,
    /// The post.
    post: PostObject,
}

updates! {
    /// What a subscription to a post says.
    PostUpdate {
        /// Something about the post is different now.
        PostChanged
    }
}

/// Something about the post is different now: its words, its numbers, or whether it is there.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PostChanged {
    /// Resume after this.
    cursor: PositionToken,
    /// The post as it is now; null if it was deleted, or is not for the caller any more.
    post: Option<PostObject>,
}

/// `homeFeedUpdates` and `postUpdates`.
#[derive(Debug, Default)]
pub(crate) struct SocialGraphSubscription;

#[Subscription]
impl SocialGraphSubscription {
    /// What comes into the caller's home feed: what came after `after` first, then `CaughtUp`, then each post as it is
    /// published. Older posts of somebody whom they follow anew are not told; read the feed again for them.
    async fn home_feed_updates(
        &self,
        context: &Context<'_>,
        after: Option<PositionToken>,
    ) -> Result<impl Stream<Item = Result<HomeFeedUpdate, Error>> + 'static, Error> {
        let reader = viewer(context)?.user();
        let reporter = reporter(context)?.clone();
        let feed = Feed::of(services(context).read_models.clone(), reader);
        let updates: Updates<HomeFeedUpdate> = match reporter.phase() {
            LivePhase::Live => {
                let (watcher, start) = services(context).watchers.feed(reader).await.map_err(query_error)?;
                reporter.starts_after(start);
                deliver_as_they_come(feed.live(watcher, start), reporter)
            }
            LivePhase::Replay { until } => {
                let until = *until;
                replay(context, after, until, reporter, |after| feed.missed(after, until)).await?
            }
        };
        Ok(updates)
    }

    /// What becomes of one post: how it is now if `after` is given, then `CaughtUp`, then how it is whenever its words or
    /// numbers have changed, at most a few times a second.
    async fn post_updates(
        &self,
        context: &Context<'_>,
        id: ID,
        after: Option<PositionToken>,
    ) -> Result<impl Stream<Item = Result<PostUpdate, Error>> + 'static, Error> {
        let caller = viewer(context)?.user();
        let reporter = reporter(context)?.clone();
        let missing = || ErrorCode::BadUserInput.error("`id` is not the id of a post you can see");
        let post: PostId = local(&id).ok_or_else(missing)?;
        if post::find(context, post, None).await?.is_none() {
            return Err(missing());
        }
        let feed = Feed::of(services(context).read_models.clone(), caller);
        let updates: Updates<PostUpdate> = match reporter.phase() {
            LivePhase::Live => {
                let watcher = services(context).watchers.post(post);
                reporter.starts_after(feed.graph.position());
                deliver_as_they_come(feed.changes(watcher, post), reporter)
            }
            LivePhase::Replay { until } => {
                let until = *until;
                let now = |_| stream::once(async move { feed.as_it_is(post, until).await.map_err(query_error) });
                replay(context, after, until, reporter, now).await?
            }
        };
        Ok(updates)
    }
}

/// Somebody's feed, or a post as they see it.
#[derive(Clone, Debug)]
struct Feed {
    graph: ServedTables<SocialGraph>,
    board: Served<PostBoard>,
    directory: Served<ProfileDirectory>,
    reader: UserId,
}

impl Feed {
    fn of(models: ReadModels, reader: UserId) -> Self {
        let ReadModels { social_graph, post_board, profile_directory, .. } = models;
        Self { graph: social_graph, board: post_board, directory: profile_directory, reader }
    }

    /// What came after `after`, up to `until`.
    fn missed(
        self,
        after: Position,
        until: Position,
    ) -> impl Stream<Item = Result<HomeFeedUpdate, Error>> + Send + 'static {
        let begin = (self, Some(after), VecDeque::new());
        stream::try_unfold(begin, move |(feed, mut after, mut posts)| async move {
            loop {
                if let Some(post) = posts.pop_front() {
                    return Ok(Some((post, (feed, after, posts))));
                }
                let Some(from) = after else { return Ok(None) };
                feed.graph.wait(until, SHOWN_WITHIN).await.map_err(query_error)?;
                let (found, seen, has_more) = feed.since(from).await.map_err(query_error)?;
                posts.extend(found.into_iter().filter(|post| post.position() <= until));
                after = (has_more && seen < until).then_some(seen);
            }
        })
    }

    /// What comes after `seen`, as it comes.
    fn live(
        self,
        watcher: Watcher,
        seen: Position,
    ) -> impl Stream<Item = Result<HomeFeedUpdate, Error>> + Send + 'static {
        let begin = (self, watcher, (VecDeque::new(), seen, false));
        stream::try_unfold(begin, |(feed, mut watcher, (mut posts, mut seen, mut has_more))| async move {
            loop {
                if let Some(post) = posts.pop_front() {
                    return Ok(Some((post, (feed, watcher, (posts, seen, has_more)))));
                }
                let found = if has_more {
                    feed.since(seen).await
                } else {
                    let news = watcher.next().await.map_err(|error| gone(&error))?;
                    feed.new_since(seen, news).await
                };
                let found = found.map_err(|error| gone(&error))?;
                (posts, seen, has_more) = (found.0.into(), found.1, found.2);
            }
        })
    }

    /// Some posts that came after `seen` as the news say, how far that goes, and whether there are more.
    async fn new_since(&self, seen: Position, news: News) -> Result<(Vec<HomeFeedUpdate>, Position, bool), QueryError> {
        match news {
            News::Posts(told) => {
                let mut posts = Vec::new();
                for told in told.iter().filter(|told| told.entry.position > seen) {
                    posts.extend(self.said(told).await?);
                }
                let last = told.last().map_or(seen, |told| seen.max(told.entry.position));
                Ok((posts, last, false))
            }
            News::Look(there) => {
                self.graph.wait(there, SHOWN_WITHIN).await?;
                self.since(seen).await
            }
        }
    }

    /// What everybody is told of whose feed it comes into.
    async fn said(&self, told: &Told) -> Result<Option<HomeFeedUpdate>, QueryError> {
        let said = told.said(&self.board, &self.directory).await?;
        let post = said.and_then(|said| PostObject::by(said.post.clone(), said.author.clone()));
        Ok(post.map(|post| HomeFeedPosted { cursor: PositionToken(told.entry.position), post }.into()))
    }

    /// Some posts that came after `seen`, how far that goes, and whether there are more.
    async fn since(&self, seen: Position) -> Result<(Vec<HomeFeedUpdate>, Position, bool), QueryError> {
        let page = self.graph.home_feed_since(self.reader, seen, POSTS_AT_ONCE).await?;
        let Some(last) = page.entries.last().map(|entry| entry.position) else {
            return Ok((Vec::new(), seen.max(page.as_of), false));
        };
        self.board.wait(last, SHOWN_WITHIN).await?;
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.post.uuid()).collect();
        let rows = self.board.rows(&ids).await?;
        let mut objects: HashMap<_, _> = PostObject::all(rows).into_iter().map(|post| (post.post(), post)).collect();
        let mut message = |entry: &Entry| {
            let post = objects.remove(&entry.post)?;
            Some(HomeFeedPosted { cursor: PositionToken(entry.position), post }.into())
        };
        let posts = page.entries.iter().filter_map(&mut message).collect();
        Ok((posts, if page.has_more { last } else { seen.max(page.as_of) }, page.has_more))
    }

    /// How a post is, whenever something about it has changed.
    fn changes(self, watcher: Watcher, post: PostId) -> impl Stream<Item = Result<PostUpdate, Error>> + Send + 'static {
        stream::try_unfold((self, watcher), move |(feed, mut watcher)| async move {
            if let News::Look(there) = watcher.next().await.map_err(|error| gone(&error))? {
                // Many who like it at the same moment are told as one.
                tokio::time::sleep(TOLD_EVERY).await;
                feed.graph.wait(there, SHOWN_WITHIN).await.map_err(|error| gone(&error))?;
            }
            let as_of = feed.graph.position();
            let now = feed.as_it_is(post, as_of).await.map_err(|error| gone(&error))?;
            Ok(Some((now, (feed, watcher))))
        })
    }

    async fn as_it_is(&self, post: PostId, as_of: Position) -> Result<PostUpdate, QueryError> {
        self.graph.wait(as_of, SHOWN_WITHIN).await?;
        self.board.wait(as_of, SHOWN_WITHIN).await?;
        let facts = self.graph.facts(self.reader, &[post]).await?;
        let is_there = facts.get(&post).is_some_and(|fact| !fact.is_deleted);
        let row = if is_there { self.board.row(post.uuid()).await? } else { None };
        let post = row.and_then(|row| PostObject::all(vec![row]).pop());
        Ok(PostChanged { cursor: PositionToken(as_of), post }.into())
    }
}

/// The subscriber resumes, and finds what is the matter if it is there still.
fn gone(error: &QueryError) -> Error {
    tracing::warn!(error = %error, "a live feed was interrupted: {error}");
    interrupted()
}
