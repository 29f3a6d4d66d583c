//! Some people, what they do, their inboxes, and the read model that follows it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use domain::{
    Decider, Event,
    follow::{self, Follow, FollowCommand, PairState},
    inbox::{Inbox, InboxCommand, InboxState, NotificationGroup, NotificationKind},
    order::OrderEvent,
    post::{Draft, Post, PostCommand, PostState, Publication, Seen, Visibility, repost_of},
    reaction::{self, Reaction, ReactionCommand, ReactionState},
    testing::{HAVE_PROFILES, draft, eur, handle, now, publication},
    values::{PairId, PostId, ReactionId, RefundId, UserId},
};
use infrastructure::{
    event_store::{MemoryEventStore, Position, StreamId},
    read_store::{Cost, Query, ReadStore},
};
use tempfile::TempDir;

use super::{
    super::{InboxPlace, NAME, Notifications, VERSION},
    PEOPLE, Timestamp,
    reference::Reference,
};
use crate::{
    Decoded, ServedTables, SetChange as _, Tables,
    shape::{Look, SetChangeShape, Shape as _},
    status::Monitor,
    tests::{buyer, decoded, order, placed, temp_rows},
};

/// Something that somebody does, or looks at. People and posts by their numbers; what cannot be done is not done.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Follow(usize, usize),
    Unfollow(usize, usize),
    Block(usize, usize),
    Unblock(usize, usize),
    Mute(usize, usize),
    Unmute(usize, usize),
    /// Says something that may answer one post, quote another, and mention people.
    Say {
        by: usize,
        is_public: bool,
        answers: Option<usize>,
        quotes: Option<usize>,
        mentions: Vec<usize>,
    },
    Edit {
        post: usize,
        mentions: Vec<usize>,
    },
    Delete(usize),
    Repost {
        by: usize,
        post: usize,
    },
    Undo {
        by: usize,
        post: usize,
    },
    Like {
        by: usize,
        post: usize,
    },
    Unlike {
        by: usize,
        post: usize,
    },
    /// Somebody orders something.
    Buy(usize),
    /// This order was confirmed, shipped, refunded.
    News {
        order: usize,
        what: usize,
    },
    Prefer {
        who: usize,
        kind: usize,
        is_wanted: bool,
    },
    /// What happened until so many seconds ago was seen.
    MarkSeen {
        who: usize,
        ago: i64,
    },
    /// The same of all, or of the so many-th group.
    MarkRead {
        who: usize,
        group: Option<usize>,
        ago: i64,
    },
    /// The clock goes by so much, or is set back.
    Clock(i64),
    /// The next event cannot be applied, nor can those of its stream behind it, until they are released.
    Park,
    Release,
    /// The next page of somebody's walk through their inbox, which begins anew where it has ended.
    Page {
        who: usize,
        first: usize,
    },
    /// What came in since the last time.
    Receive(usize),
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) served: ServedTables<Notifications>,
    shape: SetChangeShape<Notifications>,
    rows: Arc<dyn ReadStore>,
    monitor: Arc<Monitor>,
    log: Vec<Decoded>,
    /// What was applied, in this order.
    applied: Vec<Decoded>,
    /// What waits, and whether the next event is to wait.
    parked: Vec<Decoded>,
    parks_next: bool,
    revisions: HashMap<StreamId, u64>,
    pairs: HashMap<PairId, PairState>,
    posts: Vec<(PostId, UserId)>,
    states: HashMap<PostId, PostState>,
    reactions: HashMap<ReactionId, ReactionState>,
    inboxes: HashMap<UserId, InboxState>,
    orders: u128,
    now: Timestamp,
    position: u64,
    /// Where each walk is.
    walks: HashMap<usize, InboxPlace>,
    /// Up to where each has received.
    received: HashMap<usize, Position>,
    _folder: TempDir,
}

pub(super) fn user(number: usize) -> UserId {
    buyer(number as u128).into()
}

fn handle_of(number: usize) -> String {
    format!("person_{number}")
}

/// Words that mention these.
fn words(number: usize, mentions: &[usize]) -> Draft {
    let text: Vec<String> = mentions.iter().map(|mention| format!("@{}", handle_of(*mention))).collect();
    let mentioned: BTreeMap<_, _> = (0..PEOPLE).map(|one| (handle(&handle_of(one)), user(one))).collect();
    Draft { mentioned, ..draft(format!("post {number} {}", text.join(" ")).trim_end()) }
}

impl World {
    pub(super) async fn new() -> Self {
        let (folder, rows) = temp_rows();
        let shape = SetChangeShape::<Notifications>::new();
        rows.transaction(shape.create(1)).await.unwrap();
        let monitor = Arc::new(Monitor::new(NAME, VERSION));
        let served = ServedTables::new(&shape, Arc::clone(&rows), Arc::clone(&monitor));
        shape.serve(1, Position::START, false);
        Self {
            served,
            shape,
            rows,
            monitor,
            log: Vec::new(),
            applied: Vec::new(),
            parked: Vec::new(),
            parks_next: false,
            revisions: HashMap::new(),
            pairs: HashMap::new(),
            posts: Vec::new(),
            states: HashMap::new(),
            reactions: HashMap::new(),
            inboxes: HashMap::new(),
            orders: 0,
            now: now(),
            position: 0,
            walks: HashMap::new(),
            received: HashMap::new(),
            _folder: folder,
        }
    }

    pub(super) async fn all(&mut self, ops: impl IntoIterator<Item = Op>) {
        for op in ops {
            self.act(op).await;
        }
    }

    pub(super) async fn act(&mut self, op: Op) {
        // Some things happen at the same moment.
        self.now += TimeDelta::seconds(i64::from(!self.position.is_multiple_of(3)));
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
            Op::Say { by, is_public, answers, quotes, mentions } => {
                self.say(user(by), is_public, [answers, quotes], &mentions).await;
            }
            Op::Edit { post, mentions } => {
                if let Some((id, by)) = self.posts.get(post).copied() {
                    let mut draft = words(post, &mentions);
                    draft.text = draft.text.map(|text| domain::testing::post_text(&format!("{} again", text.as_str())));
                    self.post(id, PostCommand::Edit { by, draft: Box::new(draft) }).await;
                }
            }
            Op::Delete(post) => {
                if let Some((post, by)) = self.posts.get(post).copied() {
                    self.post(post, PostCommand::Delete { by }).await;
                }
            }
            Op::Repost { by, post } => {
                if let Some((post, _)) = self.posts.get(post).copied() {
                    let by = user(by);
                    let of = Box::new(self.seen_by(by, post));
                    self.post(repost_of(by, post), PostCommand::Repost { by, has_profile: true, of }).await;
                }
            }
            Op::Undo { by, post } => {
                if let Some((post, _)) = self.posts.get(post).copied() {
                    let by = user(by);
                    self.post(repost_of(by, post), PostCommand::Delete { by }).await;
                }
            }
            Op::Like { by, post } => self.react(user(by), post, true).await,
            Op::Unlike { by, post } => self.react(user(by), post, false).await,
            Op::Buy(customer) => {
                self.orders += 1;
                self.happens(placed(self.orders, customer as u128, &[("TEA", 1)])).await;
            }
            Op::News { order, what } => self.news(order, what).await,
            Op::Prefer { who, kind, is_wanted } => {
                let wanted = BTreeMap::from([(NotificationKind::ALL[kind], is_wanted)]);
                self.inbox(InboxCommand::UpdatePreferences { user: user(who), wanted }, user(who)).await;
            }
            Op::MarkSeen { who, ago } => {
                let up_to = self.now - TimeDelta::seconds(ago);
                self.inbox(InboxCommand::MarkSeen { user: user(who), up_to }, user(who)).await;
            }
            Op::MarkRead { who, group, ago } => {
                let up_to = self.now - TimeDelta::seconds(ago);
                let group = group.map(|number| self.group(user(who), number));
                self.inbox(InboxCommand::MarkRead { user: user(who), group, up_to }, user(who)).await;
            }
            Op::Clock(seconds) => self.now += TimeDelta::seconds(seconds),
            Op::Park => self.parks_next = true,
            Op::Release => self.release().await,
            Op::Page { who, first } => self.page(who, first).await,
            Op::Receive(who) => self.receive(who).await,
        }
    }

    /// The so many-th group of somebody, or one that is not there yet.
    fn group(&self, of: UserId, number: usize) -> NotificationGroup {
        let inbox = self.reference().inbox(of);
        let other = NotificationGroup { kind: NotificationKind::Like, subject: domain::testing::post_id(7).uuid() };
        inbox.get(number).map_or(other, |notification| notification.group)
    }

    async fn news(&mut self, number: usize, what: usize) {
        let (order, at) = (order(number as u128), self.now);
        if number == 0 || number as u128 > self.orders {
            return;
        }
        let event = match what {
            0 => OrderEvent::Confirmed { order, payment: None, at },
            1 => OrderEvent::Shipped { order, shipment: 1, lines: vec![], tracking: None, at },
            2 => OrderEvent::Refunded { order, refund: RefundId::named("refund"), amount: eur(1), at },
            _ => OrderEvent::Delivered { order, at },
        };
        self.happens(event).await;
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
        let author = self.posts.iter().find(|(known, _)| *known == post).map(|(_, author)| *author);
        let pair = author.and_then(|author| self.pairs.get(&follow::id_of(by, author)).copied());
        Seen { post: self.states[&post].clone(), pair: pair.unwrap_or_default() }
    }

    async fn say(&mut self, by: UserId, is_public: bool, others: [Option<usize>; 2], mentions: &[usize]) {
        let number = self.posts.len();
        let [reply_to, quotes] = others.map(|other| {
            let (post, _) = self.posts.get(other?)?;
            Some(self.seen_by(by, *post))
        });
        let visibility = if is_public { Visibility::Public } else { Visibility::Followers };
        let draft = words(number, mentions);
        let publication =
            Publication { draft, visibility, reply_to, quotes, ..publication(number as u128, by, "words") };
        let post = publication.post;
        if self.post(post, PostCommand::Publish(Box::new(publication))).await {
            self.posts.push((post, by));
        }
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

    async fn react(&mut self, by: UserId, post: usize, likes: bool) {
        let Some((post, _)) = self.posts.get(post).copied() else { return };
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

    async fn inbox(&mut self, command: InboxCommand, of: UserId) {
        let state = self.inboxes.remove(&of).unwrap_or_default();
        let events = Inbox::decide(&state, command, self.now).unwrap_or_default();
        self.inboxes.insert(of, events.iter().fold(state, Inbox::evolve));
        for event in events {
            self.happens(event).await;
        }
    }

    /// An event is in the log, and applied. Places in the log are not consecutive.
    pub(super) async fn happens(&mut self, event: impl Into<Event>) {
        self.position += 1 + self.position % 3;
        let mut event = decoded(self.position, 0, event);
        let revision = self.revisions.entry(event.stream.clone()).or_default();
        event.revision = infrastructure::event_store::Revision::new(*revision);
        *revision += 1;
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
        let statements = Notifications::changes(&event, &Tables::new(NAME, 1));
        self.rows.transaction(statements).await.unwrap();
        self.applied.push(event);
    }

    /// What waited is applied.
    async fn release(&mut self) {
        for event in std::mem::take(&mut self.parked) {
            self.apply(event).await;
        }
    }

    pub(super) fn reference(&self) -> Reference {
        Reference::of(&self.applied)
    }

    /// A page is what the inbox has at this moment behind the place where the page before it ended.
    async fn page(&mut self, who: usize, first: usize) {
        let after = self.walks.get(&who).copied();
        let page = self.served.inbox(user(who), after, first).await.unwrap();
        let mut expected = self.reference().inbox(user(who));
        expected.retain(|notification| after.is_none_or(|after| notification.place() < after));
        assert_eq!(page.notifications, expected[..expected.len().min(first)], "{who} after {after:?}");
        assert_eq!(page.has_more, expected.len() > first);
        match page.notifications.last() {
            Some(last) if page.has_more => self.walks.insert(who, last.place()),
            Some(_) | None => self.walks.remove(&who),
        };
    }

    async fn receive(&mut self, who: usize) {
        let after = self.received.get(&who).copied().unwrap_or_default();
        let received = self.served.received(user(who), after).await.unwrap();
        let reference = self.reference();
        let inbox = reference.inbox(user(who));
        let mut newest = BTreeMap::new();
        for item in reference.items(user(who)).into_iter().filter(|item| item.position > after.value()) {
            newest.insert(item.group, item.position);
        }
        let mut expected: Vec<_> = newest
            .into_iter()
            .map(|(group, position)| {
                let its = inbox.iter().find(|notification| notification.group == group).expect("it has this item");
                (Position::new(position), its.clone())
            })
            .collect();
        expected.sort_by_key(|(position, _)| *position);
        assert_eq!(received.notifications, expected, "{who} after {after}");
        assert_eq!((received.reached, received.has_more), (Position::new(self.position), false));
        self.received.insert(who, received.reached);
    }

    /// Everything that can be asked is what the events say.
    pub(super) async fn agrees(&self) {
        for invariant in Notifications::invariants(&Tables::new(NAME, 1)) {
            let query = Query { sql: invariant.violations.into(), params: vec![], cost: Cost::Scan };
            assert_eq!(self.rows.query(query).await.unwrap()[0].int(0).unwrap(), 0, "{}", invariant.says);
        }
        let reference = self.reference();
        for who in (0..PEOPLE).map(user) {
            let expected = reference.inbox(who);
            let inbox = self.served.inbox(who, None, 1_000).await.unwrap();
            assert_eq!(inbox.notifications, expected, "the inbox of {who}");
            assert_eq!((inbox.has_more, inbox.as_of), (false, Position::new(self.position)));
            let unseen = expected.iter().filter(|notification| !notification.is_seen).count() as u64;
            let unread = self.served.unread_count(who).await.unwrap();
            assert_eq!((unread.count, unread.is_capped), (unseen, false), "what is new to {who}");
        }
    }

    /// A generation that is built from the log is row for row the same, also where something came late.
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
        let differences = self.shape.compare(look, 2, 10).await.unwrap();
        assert!(differences.is_empty(), "{differences:?}");
        self.shape.serve(2, position, false);
        self.agrees().await;
    }
}
