//! Some people, what they do, and the read model that follows it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use domain::{
    Decider, Event,
    follow::{self, Follow, FollowCommand, PairState},
    post::{Post, PostCommand, PostState, Publication, Seen, repost_of},
    reaction::{self, Reaction, ReactionCommand, ReactionState},
    testing::{HAVE_PROFILES, draft, publication},
    values::ReactionId,
};
use infrastructure::{
    event_store::{MemoryEventStore, Position},
    read_store::{Cost, Query, ReadStore},
};
use tempfile::TempDir;

use super::{
    super::{NAME, PersonCounts, Regards, SocialGraph, VERSION},
    Hashtag, PEOPLE, PostId, Timestamp, UserId, Visibility, now,
    reference::{Known, Reference},
};
use crate::{
    Decoded, ServedTables, SetChange as _, Tables,
    shape::{Look, SetChangeShape, Shape as _},
    status::Monitor,
    tests::{decoded, temp_rows},
};

/// Two followers make an author large, four follows are too many for entries, and three posts fill a chunk.
type Small = SocialGraph<2, 3, 150>;

/// Something that somebody does, or looks at. People and posts by their numbers; what cannot be done is not done.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Follow(usize, usize),
    Unfollow(usize, usize),
    Block(usize, usize),
    Unblock(usize, usize),
    Mute(usize, usize),
    Unmute(usize, usize),
    Publish {
        by: usize,
        is_public: bool,
        tags: usize,
    },
    Reply {
        by: usize,
        post: usize,
    },
    Repost {
        by: usize,
        post: usize,
    },
    Edit {
        post: usize,
        tags: usize,
    },
    Delete(usize),
    /// The last repost of this post is undone.
    Undo(usize),
    Like {
        by: usize,
        post: usize,
    },
    Unlike {
        by: usize,
        post: usize,
    },
    Days(i64),
    /// The next event cannot be applied, nor can those of its stream behind it, until they are released.
    Park,
    Release,
    /// The next page of somebody's walk through their feed, which begins anew where it has ended.
    Page {
        reader: usize,
        first: usize,
    },
    /// The same towards what is new.
    Newer {
        reader: usize,
        first: usize,
    },
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) served: ServedTables<Small>,
    shape: SetChangeShape<Small>,
    rows: Arc<dyn ReadStore>,
    monitor: Arc<Monitor>,
    reference: Reference,
    log: Vec<Decoded>,
    /// What waits, and whether the next event is to wait.
    parked: Vec<Decoded>,
    parks_next: bool,
    /// Something was applied later than its place in the log says.
    was_late: bool,
    pairs: HashMap<domain::values::PairId, PairState>,
    posts: Vec<PostId>,
    states: HashMap<PostId, PostState>,
    reactions: HashMap<ReactionId, ReactionState>,
    now: Timestamp,
    position: u64,
    /// Where each reader's walk is.
    walks: HashMap<usize, Position>,
    /// Up to where each reader has seen what is new.
    seen: HashMap<usize, Position>,
    _folder: TempDir,
}

pub(super) fn user(number: usize) -> UserId {
    domain::testing::id(0x10 + number as u128)
}

const TAGS: [&str; 2] = ["tea", "cake"];
const TAGGED: [&str; 3] = ["", " #tea", " #tea #cake"];

fn text(number: usize, tags: usize) -> String {
    format!("post {number}{}", TAGGED[tags])
}

impl World {
    pub(super) async fn new() -> Self {
        let (folder, rows) = temp_rows();
        let shape = SetChangeShape::<Small>::new();
        rows.transaction(shape.create(1)).await.unwrap();
        let monitor = Arc::new(Monitor::new(NAME, VERSION));
        let served = ServedTables::new(&shape, Arc::clone(&rows), Arc::clone(&monitor));
        shape.serve(1, Position::START, false);
        Self {
            served,
            shape,
            rows,
            monitor,
            reference: Reference::default(),
            log: Vec::new(),
            parked: Vec::new(),
            parks_next: false,
            was_late: false,
            pairs: HashMap::new(),
            posts: Vec::new(),
            states: HashMap::new(),
            reactions: HashMap::new(),
            now: now(),
            position: 0,
            walks: HashMap::new(),
            seen: HashMap::new(),
            _folder: folder,
        }
    }

    pub(super) fn number_of(&self, post: PostId) -> usize {
        self.posts.iter().position(|known| *known == post).expect("a post, not a repost")
    }

    /// How many entries there are.
    pub(super) async fn entries(&self) -> i64 {
        let query = crate::table::count(&Tables::new(NAME, 1).name("entries"));
        self.rows.query(query).await.unwrap()[0].int(0).unwrap()
    }

    pub(super) async fn act(&mut self, op: Op) {
        self.now += TimeDelta::seconds(1);
        match op {
            Op::Follow(by, whom) => {
                let (by, whom) = (user(by), user(whom));
                self.pair(FollowCommand::Follow { by, whom, have_profiles: HAVE_PROFILES }, by, whom).await;
            }
            Op::Unfollow(by, whom) => {
                let (by, whom) = (user(by), user(whom));
                self.pair(FollowCommand::Unfollow { by, whom }, by, whom).await;
            }
            Op::Block(by, whom) => {
                let (by, whom) = (user(by), user(whom));
                self.pair(FollowCommand::Block { by, whom, have_profiles: HAVE_PROFILES }, by, whom).await;
            }
            Op::Unblock(by, whom) => {
                let (by, whom) = (user(by), user(whom));
                self.pair(FollowCommand::Unblock { by, whom }, by, whom).await;
            }
            Op::Mute(by, whom) => {
                let (by, whom) = (user(by), user(whom));
                self.pair(FollowCommand::Mute { by, whom, have_profiles: HAVE_PROFILES }, by, whom).await;
            }
            Op::Unmute(by, whom) => {
                let (by, whom) = (user(by), user(whom));
                self.pair(FollowCommand::Unmute { by, whom }, by, whom).await;
            }
            Op::Publish { by, is_public, tags } => {
                let visibility = if is_public { Visibility::Public } else { Visibility::Followers };
                self.publish(by, tags, |publication| Publication { visibility, ..publication }).await;
            }
            Op::Reply { by, post } => {
                if let Some(post) = self.posts.get(post).copied() {
                    let seen = self.seen_by(user(by), post);
                    self.publish(by, 0, |publication| Publication { reply_to: Some(seen), ..publication }).await;
                }
            }
            Op::Repost { by, post } => {
                if let Some(post) = self.posts.get(post).copied() {
                    let by = user(by);
                    let of = Box::new(self.seen_by(by, post));
                    self.post(repost_of(by, post), PostCommand::Repost { by, has_profile: true, of }).await;
                }
            }
            Op::Edit { post, tags } => self.edit(post, tags).await,
            Op::Delete(post) => {
                if let Some((post, by)) = self.author(post) {
                    self.post(post, PostCommand::Delete { by }).await;
                }
            }
            Op::Undo(post) => {
                let of = self.posts.get(post).copied();
                let undone = self.reference.posts.iter().rev().find(|known| known.of.map(|(post, _)| post) == of);
                if let (Some(_), Some(Known { post, author, .. })) = (of, undone) {
                    self.post(*post, PostCommand::Delete { by: *author }).await;
                }
            }
            Op::Like { by, post } => self.react(by, post, true).await,
            Op::Unlike { by, post } => self.react(by, post, false).await,
            Op::Days(days) => self.now += TimeDelta::days(days),
            Op::Park => self.parks_next = true,
            Op::Release => self.release().await,
            Op::Page { reader, first } => self.page(reader, first).await,
            Op::Newer { reader, first } => self.newer(reader, first).await,
        }
    }

    async fn pair(&mut self, command: FollowCommand, by: UserId, whom: UserId) {
        let id = follow::id_of(by, whom);
        let state = self.pairs.entry(id).or_default();
        for event in Follow::decide(state, command, self.now).unwrap_or_default() {
            let state = self.pairs.remove(&id).unwrap_or_default();
            self.pairs.insert(id, Follow::evolve(state, &event));
            self.happens(event).await;
        }
    }

    fn seen_by(&self, by: UserId, post: PostId) -> Seen {
        let state = self.states[&post].clone();
        let known = self.reference.posts.iter().find(|known| known.post == post);
        let pair = known.map(|known| self.pairs.get(&follow::id_of(by, known.author)).copied().unwrap_or_default());
        Seen { post: state, pair: pair.unwrap_or_default() }
    }

    async fn publish(&mut self, by: usize, tags: usize, with: impl FnOnce(Publication) -> Publication) {
        let number = self.posts.len();
        let publication = with(publication(number as u128, user(by), &text(number, tags)));
        let post = publication.post;
        if self.post(post, PostCommand::Publish(Box::new(publication))).await {
            self.posts.push(post);
        }
    }

    async fn edit(&mut self, post: usize, tags: usize) {
        if let Some((id, by)) = self.author(post) {
            let draft = Box::new(draft(&format!("{} again", text(post, tags))));
            self.post(id, PostCommand::Edit { by, draft }).await;
        }
    }

    fn author(&self, post: usize) -> Option<(PostId, UserId)> {
        let post = self.posts.get(post)?;
        self.reference.posts.iter().find(|known| known.post == *post).map(|known| (*post, known.author))
    }

    /// Whether anything came of it.
    async fn post(&mut self, post: PostId, command: PostCommand) -> bool {
        let state = self.states.remove(&post).unwrap_or_default();
        let events = Post::decide(&state, command, self.now).unwrap_or_default();
        let state = events.iter().fold(state, Post::evolve);
        self.states.insert(post, state);
        let is_done = !events.is_empty();
        for event in events {
            self.happens(event).await;
        }
        is_done
    }

    async fn react(&mut self, by: usize, post: usize, likes: bool) {
        let Some((post, _)) = self.author(post) else { return };
        let by = user(by);
        let id = reaction::id_of(post, by);
        let command = if likes {
            ReactionCommand::Like { by, has_profile: true, post: Box::new(self.seen_by(by, post)) }
        } else {
            ReactionCommand::Unlike
        };
        let state = self.reactions.remove(&id).unwrap_or_default();
        let events = Reaction::decide(&state, command, self.now).unwrap_or_default();
        self.reactions.insert(id, events.iter().fold(state, Reaction::evolve));
        for event in events {
            self.happens(event).await;
        }
    }

    /// An event is in the log, and applied. Places in the log are not consecutive.
    async fn happens(&mut self, event: impl Into<Event>) {
        self.position += 1 + self.position % 3;
        let event = decoded(self.position, 0, event);
        self.log.push(event.clone());
        let is_behind = self.parked.iter().any(|parked| parked.stream == event.stream);
        if std::mem::take(&mut self.parks_next) || is_behind {
            self.parked.push(event);
        } else {
            self.apply(event).await;
        }
        self.monitor.moved_to(Position::new(self.position));
    }

    async fn apply(&mut self, event: Decoded) {
        let statements = Small::changes(&event, &Tables::new(NAME, 1));
        self.rows.transaction(statements).await.unwrap();
        self.reference.take(event.position.value(), &event.event);
    }

    /// What waited is applied.
    pub(super) async fn release(&mut self) {
        for event in std::mem::take(&mut self.parked) {
            self.was_late = true;
            self.apply(event).await;
        }
    }

    /// A page is what the feed has at this moment before the place where the page before it ended.
    async fn page(&mut self, reader: usize, first: usize) {
        let before = self.walks.get(&reader).copied();
        let page = self.served.home_feed(user(reader), before, first).await.unwrap();
        let is_before = |known: &&Known| before.is_none_or(|before| known.position < before.value());
        let expected: Vec<_> = self.reference.home(user(reader)).into_iter().filter(is_before).map(place_of).collect();
        let found: Vec<_> = page.entries.iter().map(|entry| (entry.position.value(), entry.post)).collect();
        assert_eq!(found, expected[..expected.len().min(first)], "reader {reader} before {before:?}");
        assert_eq!(page.has_more, expected.len() > first);
        match page.entries.last() {
            Some(last) if page.has_more => self.walks.insert(reader, last.position),
            Some(_) | None => self.walks.remove(&reader),
        };
    }

    async fn newer(&mut self, reader: usize, first: usize) {
        let after = self.seen.get(&reader).copied().unwrap_or_default();
        let page = self.served.home_feed_since(user(reader), after, first).await.unwrap();
        let mut expected: Vec<_> = self.reference.home(user(reader)).into_iter().map(place_of).collect();
        expected.retain(|(position, _)| *position > after.value());
        expected.reverse();
        let found: Vec<_> = page.entries.iter().map(|entry| (entry.position.value(), entry.post)).collect();
        assert_eq!(found, expected[..expected.len().min(first)], "reader {reader} after {after}");
        assert_eq!(page.has_more, expected.len() > first);
        let end = if page.has_more { page.entries.last().map(|last| last.position) } else { None };
        self.seen.insert(reader, end.unwrap_or(page.as_of));
    }

    /// Everything that can be asked is what the events say.
    pub(super) async fn agrees(&self) {
        for invariant in Small::invariants(&Tables::new(NAME, 1)) {
            let query = Query { sql: invariant.violations.into(), params: vec![], cost: Cost::Scan };
            assert_eq!(self.rows.query(query).await.unwrap()[0].int(0).unwrap(), 0, "{}", invariant.says);
        }
        for viewer in (0..PEOPLE).map(user) {
            self.feeds_agree(viewer).await;
            self.people_agree(viewer).await;
            self.facts_agree(viewer).await;
        }
        self.listeners_agree().await;
    }

    /// Each post is told to those who have it in their feeds.
    async fn listeners_agree(&self) {
        let everybody: Vec<_> = (0..PEOPLE).map(user).collect();
        for known in &self.reference.posts {
            let told = self.served.shown_to(Position::new(known.position), &everybody).await.unwrap();
            let has_it = |reader: &UserId| self.reference.home(*reader).iter().any(|it| it.post == known.post);
            let expected = everybody.iter().copied().filter(has_it).collect();
            assert_eq!(told, expected, "who hears of {}", known.post);
        }
    }

    async fn feeds_agree(&self, viewer: UserId) {
        let places = |known: Vec<&Known>| known.into_iter().map(place_of).collect::<Vec<_>>();
        let found = |page: super::super::FeedPage| {
            page.entries.iter().map(|entry| (entry.position.value(), entry.post)).collect::<Vec<_>>()
        };
        let home = self.served.home_feed(viewer, None, 1_000).await.unwrap();
        assert_eq!(found(home), places(self.reference.home(viewer)), "the feed of {viewer}");
        for author in (0..PEOPLE).map(user) {
            let timeline = self.served.timeline(author, viewer, None, 1_000).await.unwrap();
            assert_eq!(found(timeline), places(self.reference.timeline(author, viewer)), "{author} to {viewer}");
        }
        for tag in TAGS {
            let tagged = self.served.tagged(&Hashtag::parse(tag).unwrap(), viewer, None, 1_000).await.unwrap();
            assert_eq!(found(tagged), places(self.reference.tagged(tag, viewer)), "#{tag} to {viewer}");
        }
        for post in &self.posts {
            let replies = self.served.replies(*post, viewer, None, 1_000).await.unwrap();
            assert_eq!(found(replies), places(self.reference.replies_seen(*post, viewer)), "replies of {post}");
        }
    }

    async fn people_agree(&self, viewer: UserId) {
        let people: Vec<_> = (0..PEOPLE).map(user).collect();
        let counts = self.served.counts(&people).await.unwrap();
        let regards = self.served.regards(viewer, &people).await.unwrap();
        let reference = &self.reference;
        for other in people {
            let number = |is: &dyn Fn(&&(UserId, UserId)) -> bool| reference.follows.keys().filter(is).count() as u64;
            let theirs = |known: &&Known| known.author == other && !known.is_deleted && known.of.is_none();
            let expected = PersonCounts {
                followers: number(&|(_, whom)| *whom == other),
                following: number(&|(by, _)| *by == other),
                posts: reference.posts.iter().filter(theirs).count() as u64,
            };
            assert_eq!(counts.get(&other).copied().unwrap_or_default(), expected, "{other}");
            let expected = Regards {
                follows: reference.does_follow(viewer, other),
                is_followed_by: reference.does_follow(other, viewer),
                blocks: reference.blocks.contains(&(viewer, other)),
                is_blocked_by: reference.blocks.contains(&(other, viewer)),
                mutes: reference.mutes.contains(&(viewer, other)),
            };
            assert_eq!(regards.get(&other).copied().unwrap_or_default(), expected, "{viewer} and {other}");
            self.followers_agree(other, viewer).await;
        }
    }

    async fn followers_agree(&self, user: UserId, viewer: UserId) {
        let expected = |one: &dyn Fn(&(UserId, UserId)) -> Option<UserId>| {
            let follows = self.reference.follows.iter();
            let mut people: Vec<_> = follows.filter_map(|(pair, since)| one(pair).map(|who| (*since, who))).collect();
            people.retain(|(_, who)| !self.reference.is_blocked(viewer, *who));
            people.sort_unstable();
            people.into_iter().rev().map(|(since, who)| (who, Position::new(since))).collect::<Vec<_>>()
        };
        let followers = self.served.followers(user, viewer, None, 1_000).await.unwrap().people;
        assert_eq!(followers, expected(&|(by, whom)| (*whom == user).then_some(*by)));
        let all = expected(&|(by, whom)| (*by == user).then_some(*whom));
        let first = self.served.following(user, viewer, None, 1).await.unwrap();
        assert_eq!((first.people.as_slice(), first.has_more), (&all[..all.len().min(1)], all.len() > 1));
        if let Some((_, since)) = first.people.first() {
            let rest = self.served.following(user, viewer, Some(*since), 1_000).await.unwrap();
            assert_eq!(rest.people, all[1..]);
        }
    }

    async fn facts_agree(&self, viewer: UserId) {
        let reference = &self.reference;
        let facts = self.served.facts(viewer, &self.posts).await.unwrap();
        for known in reference.posts.iter().filter(|known| known.of.is_none()) {
            let Some(fact) = facts.get(&known.post) else {
                assert!(!reference.sees(viewer, known), "{viewer} should see {known:?}");
                continue;
            };
            assert!(reference.sees(viewer, known), "{viewer} should not see {known:?}");
            let likes = reference.likes.iter().filter(|(post, _)| *post == known.post).count() as u64;
            assert_eq!((fact.author, fact.is_deleted, fact.likes), (known.author, known.is_deleted, likes));
            assert_eq!(fact.reposts, reference.number_of_reposts(known.post));
            assert_eq!(fact.replies, reference.number_of_replies(known.post));
            assert_eq!(fact.viewer_likes, reference.likes.contains(&(known.post, viewer)));
            let reposts = |other: &Known| other.author == viewer && other.of.is_some_and(|(of, _)| of == known.post);
            assert_eq!(fact.viewer_reposts, reference.posts.iter().any(reposts));
        }
    }

    /// A generation that is built from the log is the same as the one that followed it; of one to which events came late, what
    /// is read is the same.
    pub(super) async fn agrees_rebuilt(&mut self) {
        self.rows.transaction(self.shape.create(2)).await.unwrap();
        let mut builder = self.shape.builder(2, None, Duration::from_secs(30));
        for events in self.log.chunks(7) {
            let failures = builder.apply(&*self.rows, events.to_vec()).await.unwrap();
            assert!(failures.is_empty(), "{failures:?}");
            self.rows.transaction(builder.flush().unwrap()).await.unwrap();
        }
        let position = Position::new(self.position);
        let events = MemoryEventStore::new();
        let look = Look { store: &*self.rows, events: &events, generation: 1, position };
        if !self.was_late {
            let differences = self.shape.compare(look, 2, 10).await.unwrap();
            assert!(differences.is_empty(), "{differences:?}");
        }
        self.shape.serve(2, position, false);
        self.agrees().await;
    }
}

fn place_of(known: &Known) -> (u64, PostId) {
    (known.position, known.post)
}
