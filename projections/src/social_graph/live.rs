//! Who is to look again: subscribers by the authors whom they follow, and by the posts that they look at.
//!
//! A post that comes into a thousand open feeds is looked at once: a query says to which of the listeners it is shown, and
//! what it says is read by the first of them who asks. Whoever cannot be told so, because whom they follow has changed or
//! because too much waits for them, reads their feed from the tables. Either way they see what they may see at that moment,
//! each post once.
//!
//! **Invariant:** a listener is told of every post that comes into their feed behind the position at which they began, or
//! told to look.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    Event,
    post::PostEvent,
    values::{PostId, UserId},
};
use infrastructure::{event_store::Position, lifecycle::Lifecycle};
use tokio::sync::{Notify, OnceCell};
use uuid::Uuid;

use super::{Entry, SocialGraph};
use crate::{
    Decoded, QueryError, Served, ServedTables,
    post_board::{PostBoard, PostRow},
    profile_directory::{ProfileDirectory, ProfileRow},
};

/// How many follows are read at once.
const FOLLOWS_AT_ONCE: usize = 1_000;
/// How many posts wait for one listener before they read their feed instead.
const POSTS_WAITING_MAX: usize = 256;
/// How long a read model may take to show what another one shows already.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// The subscribers of this process.
#[derive(Clone, Debug)]
pub struct Watchers {
    graph: ServedTables<SocialGraph>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    by_id: HashMap<u64, Watched>,
    /// Who is to be told of an event about this person or post.
    by_topic: HashMap<Uuid, HashSet<u64>>,
    /// Everything up to here is being told, or is told: who begins to listen now has to know it from the tables.
    telling: Position,
}

#[derive(Debug)]
struct Watched {
    /// Whose feed it is; none if it is a post.
    reader: Option<UserId>,
    topics: Vec<Uuid>,
    waiting: Arc<Waiting>,
}

/// What a listener has not taken yet.
#[derive(Debug, Default)]
struct Waiting {
    what: Mutex<What>,
    is_there: Notify,
}

#[derive(Debug, Default)]
struct What {
    posts: Vec<Arc<Told>>,
    /// There is something in the tables up to here.
    look: Option<Position>,
    /// Whom they follow has changed.
    follows_changed: bool,
}

/// What a listener is told.
#[derive(Clone, Debug)]
pub enum News {
    /// These posts have come into the feed, in order.
    Posts(Vec<Arc<Told>>),
    /// Something has happened up to here that the tables tell.
    Look(Position),
}

/// A post that comes into feeds. What it says is read once for everybody who is told.
#[derive(Debug)]
pub struct Told {
    /// Where it stands.
    pub entry: Entry,
    said: OnceCell<Option<Said>>,
}

/// What a post says, and whose it is.
#[derive(Clone, Debug)]
pub struct Said {
    /// The post.
    pub post: PostRow,
    /// Its author, if the directory knows them.
    pub author: Option<ProfileRow>,
}

impl Told {
    /// What it says; none if it cannot be read.
    pub async fn said(
        &self,
        posts: &Served<PostBoard>,
        people: &Served<ProfileDirectory>,
    ) -> Result<Option<&Said>, QueryError> {
        let read = async || {
            posts.wait(self.entry.position, SHOWN_WITHIN).await?;
            let Some(post) = posts.row(self.entry.post.uuid()).await? else { return Ok(None) };
            let author = people.row(self.entry.author.uuid()).await?;
            Ok(Some(Said { post, author }))
        };
        self.said.get_or_try_init(read).await.map(Option::as_ref)
    }
}

/// A subscriber. Gives its place up when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    watchers: Watchers,
    id: u64,
    waiting: Arc<Waiting>,
    /// Whose feed it is; none if it is a post.
    reader: Option<UserId>,
}

impl Watchers {
    /// Listens to what is applied, until the process stops.
    pub fn start(graph: ServedTables<SocialGraph>, lifecycle: &Lifecycle) -> Self {
        let watchers = Self { graph, inner: Arc::default() };
        let telling = watchers.clone();
        watchers.graph.tell_applied(lifecycle, move |events, has_missed| {
            let telling = telling.clone();
            async move { telling.tell(&events, has_missed).await }
        });
        watchers
    }

    /// Waits for what comes into somebody's home feed behind the position that is given with the watcher.
    pub async fn feed(&self, reader: UserId) -> Result<(Watcher, Position), QueryError> {
        let watcher = self.watcher(vec![reader.uuid()], Some(reader));
        let telling = watcher.follow_anew(reader).await?;
        self.graph.wait(telling, SHOWN_WITHIN).await?;
        Ok((watcher, self.graph.position()))
    }

    /// Waits for what concerns a post.
    pub fn post(&self, post: PostId) -> Watcher {
        self.watcher(vec![post.uuid()], None)
    }

    fn watcher(&self, topics: Vec<Uuid>, reader: Option<UserId>) -> Watcher {
        let waiting = Arc::<Waiting>::default();
        let mut inner = lock(&self.inner);
        let id = inner.next_id;
        inner.next_id += 1;
        inner.by_id.insert(id, Watched { reader, topics: Vec::new(), waiting: Arc::clone(&waiting) });
        inner.listen(id, topics);
        Watcher { watchers: self.clone(), id, waiting, reader }
    }

    /// Tells those whom these events concern, or everybody to look if events before them were missed.
    async fn tell(&self, events: &[Decoded], has_missed: bool) {
        let Some(last) = events.last().map(|event| event.position) else { return };
        {
            let mut inner = lock(&self.inner);
            inner.telling = inner.telling.max(last);
            if has_missed {
                for watched in inner.by_id.values() {
                    watched.waiting.look(last, true);
                }
                return;
            }
            if inner.by_id.is_empty() {
                return;
            }
        }
        for event in events {
            let Concern { topics, follows, post } = concern(event);
            let listeners = {
                let inner = lock(&self.inner);
                inner.wake(&topics, follows, event.position);
                post.as_ref().map(|told| inner.readers_of(told.entry.author)).unwrap_or_default()
            };
            if let Some(told) = post
                && !listeners.is_empty()
            {
                self.tell_of(Arc::new(told), listeners).await;
            }
        }
    }

    /// Tells those of the listeners to whom the post is shown.
    async fn tell_of(&self, told: Arc<Told>, listeners: Vec<(UserId, Arc<Waiting>)>) {
        let readers: Vec<UserId> = listeners.iter().map(|(reader, _)| *reader).collect();
        let position = told.entry.position;
        match self.graph.shown_to(position, &readers).await {
            Ok(shown) => {
                for (_, waiting) in listeners.iter().filter(|(reader, _)| shown.contains(reader)) {
                    waiting.post(Arc::clone(&told));
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "live feeds are read one by one: {error}");
                for (_, waiting) in &listeners {
                    waiting.look(position, false);
                }
            }
        }
    }
}

impl Watcher {
    /// Waits until there is something that was not there at the last call.
    pub async fn next(&mut self) -> Result<News, QueryError> {
        loop {
            let What { posts, look, follows_changed } = std::mem::take(&mut *lock(&self.waiting.what));
            let look = match self.reader {
                // What was told before they listened to the new ones is in the tables.
                Some(reader) if follows_changed => look.max(Some(self.follow_anew(reader).await?)),
                Some(_) | None => look,
            };
            if let Some(look) = look {
                return Ok(News::Look(posts.last().map_or(look, |last| look.max(last.entry.position))));
            }
            if !posts.is_empty() {
                return Ok(News::Posts(posts));
            }
            self.waiting.is_there.notified().await;
        }
    }

    /// Listens to whom the reader follows now. Gives the position up to which others are told already.
    async fn follow_anew(&self, reader: UserId) -> Result<Position, QueryError> {
        let mut topics = vec![reader.uuid()];
        let mut before = None;
        loop {
            let page = self.watchers.graph.following(reader, reader, before, FOLLOWS_AT_ONCE).await?;
            topics.extend(page.people.iter().map(|(user, _)| user.uuid()));
            before = page.people.last().map(|(_, since)| *since);
            if !page.has_more {
                break;
            }
        }
        let mut inner = lock(&self.watchers.inner);
        inner.listen(self.id, topics);
        Ok(inner.telling)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut inner = lock(&self.watchers.inner);
        inner.listen(self.id, Vec::new());
        inner.by_id.remove(&self.id);
    }
}

impl Inner {
    fn listen(&mut self, id: u64, topics: Vec<Uuid>) {
        let Some(watched) = self.by_id.get_mut(&id) else { return };
        for topic in std::mem::replace(&mut watched.topics, topics.clone()) {
            if let Some(ids) = self.by_topic.get_mut(&topic) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_topic.remove(&topic);
                }
            }
        }
        for topic in topics {
            self.by_topic.entry(topic).or_default().insert(id);
        }
    }

    fn among(&self, topic: Uuid) -> impl Iterator<Item = &Watched> {
        self.by_topic.get(&topic).into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }

    /// Those who read what this author posts.
    fn readers_of(&self, author: UserId) -> Vec<(UserId, Arc<Waiting>)> {
        let reader = |watched: &Watched| Some((watched.reader?, Arc::clone(&watched.waiting)));
        self.among(author.uuid()).filter_map(reader).collect()
    }

    /// Wakes those who look at these posts, and whose follows have changed.
    fn wake(&self, posts: &[PostId], follows: Option<UserId>, position: Position) {
        let looking = posts.iter().flat_map(|post| self.among(post.uuid()));
        for watched in looking {
            watched.waiting.look(position, false);
        }
        let following =
            follows.into_iter().flat_map(|by| self.among(by.uuid()).filter(move |it| it.reader == Some(by)));
        for watched in following {
            watched.waiting.look(position, true);
        }
    }
}

impl Waiting {
    fn look(&self, position: Position, follows_changed: bool) {
        let mut what = lock(&self.what);
        what.look = what.look.max(Some(position));
        what.follows_changed |= follows_changed;
        self.is_there.notify_one();
    }

    fn post(&self, told: Arc<Told>) {
        let mut what = lock(&self.what);
        if what.posts.len() < POSTS_WAITING_MAX {
            what.posts.push(told);
        } else {
            what.look = what.look.max(Some(told.entry.position));
            what.posts.clear();
        }
        self.is_there.notify_one();
    }
}

/// Whom an event concerns.
#[derive(Default)]
struct Concern {
    /// Those who look at these posts.
    topics: Vec<PostId>,
    /// Whose follows it changes.
    follows: Option<UserId>,
    /// Those into whose feeds this comes.
    post: Option<Told>,
}

fn concern(event: &Decoded) -> Concern {
    let told = |post: PostId, author: UserId, of: Option<PostId>| {
        let entry = Entry { position: event.position, post, author, of };
        Some(Told { entry, said: OnceCell::new() })
    };
    match &*event.event {
        Event::Follow(event) => Concern { follows: Some(event.parties().0), ..Concern::default() },
        Event::Post(event) => match event {
            PostEvent::Published(published) => Concern {
                topics: [Some(published.post), published.reply.map(|reply| reply.parent)]
                    .into_iter()
                    .flatten()
                    .collect(),
                post: told(published.post, published.author, None),
                follows: None,
            },
            PostEvent::Reposted { post, author, of, .. } => {
                Concern { topics: vec![*post, *of], post: told(*post, *author, Some(*of)), follows: None }
            }
            PostEvent::Edited { post, .. } | PostEvent::Deleted { post, .. } => {
                Concern { topics: vec![*post], ..Concern::default() }
            }
        },
        Event::Reaction(event) => Concern { topics: vec![event.post()], ..Concern::default() },
        Event::Product(_)
        | Event::Order(_)
        | Event::Stock(_)
        | Event::Payment(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Inbox(_)
        | Event::Operator(_) => Concern::default(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
