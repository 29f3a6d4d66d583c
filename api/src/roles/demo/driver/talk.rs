//! Lets people join, follow each other and talk, one request at a time: a busy shop slows them down, and not the other way
//! round.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::{
        people::{self, Act, Deed, Fame},
        shop::{Trouble, customer},
        words,
    },
    Driver,
};

/// Between two people who come, or two follows of theirs.
const JOIN_PAUSE: Duration = Duration::from_millis(10);
/// How many people there are for each act in a second, and how many acts there are at least and at most.
const PEOPLE_FOR_AN_ACT: u32 = 20;
const ACTS_PER_S_MIN: u32 = 2;
const ACTS_PER_S_MAX: u32 = 50;
/// How long a quarrel lasts, and how many people are at odds at the same time.
const QUARREL: Duration = Duration::from_secs(60);
const QUARRELS_MAX: usize = 500;

const JOIN: &str = "mutation Join($input: ProfileCreateInput!) { profileCreate(input: $input) {
    profile { id } isRepeat userErrors { message } } }";
const SAY: &str = "mutation Say($input: PostPublishInput!) { postPublish(input: $input) {
    isRepeat userErrors { message } } }";
const FEED: &str = "query Feed($first: Int!) { homeFeed(first: $first) { nodes { id repostOf { id } } } }";
const FOLLOWING: &str = "query Following($first: Int!) { me { following(first: $first) { nodes { id } } } }";

/// Everybody who is there, and who is at odds with whom.
struct Circle {
    /// Their profiles' ids, by number less one.
    profiles: Vec<String>,
    /// When who takes what back of whom.
    quarrels: VecDeque<(Instant, u32, &'static str, u32)>,
}

impl Driver {
    /// Lets everybody join, and all who are there talk, until it is to stop.
    pub(super) async fn let_people_talk(&self, products: &[String]) {
        if self.plan.people < 2 {
            return;
        }
        let mut circle = Circle { profiles: Vec::new(), quarrels: VecDeque::new() };
        let acts_per_s = (self.plan.people / PEOPLE_FOR_AN_ACT).clamp(ACTS_PER_S_MIN, ACTS_PER_S_MAX);
        let pause = Duration::from_secs(1) / acts_per_s;
        let (mut number, mut next_act) = (0, Instant::now());
        let fame = Fame::of(self.plan.people);
        let mut arriving = people::arrivals(self.plan.seed, &fame).into_iter();
        let mut follows = VecDeque::new();
        loop {
            // Whatever comes first: what somebody has to say does not wait until all are there.
            let is_busy = if Instant::now() >= next_act && circle.profiles.len() >= 2 {
                number += 1;
                next_act = Instant::now() + pause;
                self.let_act(&mut circle, number, products).await;
                true
            } else if let Some((by, whom)) = follows.pop_front() {
                self.follow_from_the_start(&circle, by, whom).await
            } else if let Some(theirs) = arriving.next() {
                follows.extend(theirs);
                self.let_join(&mut circle).await
            } else {
                true
            };
            let is_complete = follows.is_empty() && arriving.len() == 0;
            let idle = if is_complete { next_act.saturating_duration_since(Instant::now()) } else { JOIN_PAUSE };
            // What was done before this start costs no time.
            if self.is_stopped_within(if is_busy { idle } else { Duration::ZERO }).await {
                return;
            }
        }
    }

    /// The next one comes. False if they were here before.
    async fn let_join(&self, circle: &mut Circle) -> bool {
        let person = u32::try_from(circle.profiles.len()).expect("they are counted in a u32") + 1;
        let input = json!({
            "handle": words::handle(person), "displayName": words::name(person), "bio": words::bio(person),
            "idempotencyKey": format!("demo person {person}"),
        });
        let joined = self.shop.mutate(&customer(person), JOIN, "profileCreate", input).await;
        let payload = self.done(joined, "somebody could not join");
        // Whoever could not has a place all the same, or everybody after them had another number.
        let profile = payload.as_ref().and_then(|payload| payload.pointer("/profile/id")).and_then(Value::as_str);
        circle.profiles.push(profile.unwrap_or_default().to_owned());
        self.counted().joined += u64::from(profile.is_some());
        !is_repeat(payload.as_ref())
    }

    /// False if they did before.
    async fn follow_from_the_start(&self, circle: &Circle, by: u32, whom: u32) -> bool {
        let payload = self.towards(circle, by, "userFollow", whom, &format!("demo follow {by} {whom}")).await;
        let is_repeat = is_repeat(payload.as_ref());
        self.counted().follows += u64::from(payload.is_some() && !is_repeat);
        !is_repeat
    }

    async fn let_act(&self, circle: &mut Circle, number: u64, products: &[String]) {
        while circle.quarrels.front().is_some_and(|(end, ..)| *end <= Instant::now()) {
            if let Some((_, by, undo, whom)) = circle.quarrels.pop_front() {
                self.towards(circle, by, undo, whom, &format!("{} {undo}", self.key(number))).await;
            }
        }
        let there = u32::try_from(circle.profiles.len()).expect("they are counted in a u32");
        let on_sale = u32::try_from(products.len()).expect("a short list");
        let Act { by, deed } = people::act(self.plan.seed, self.plan.run, number, there, on_sale);
        let key = self.key(number);
        match deed {
            Deed::Say { text, product, is_for_followers } => {
                let product = product.map(|product| &products[product as usize]);
                let visibility = if is_for_followers { "FOLLOWERS" } else { "PUBLIC" };
                let input = json!({
                    "text": text, "productId": product, "visibility": visibility, "idempotencyKey": key,
                });
                let said = self.shop.mutate(&customer(by), SAY, "postPublish", input).await;
                self.counted().posts += u64::from(self.done(said, "nothing could be said").is_some());
            }
            Deed::Reply { nth, text } => {
                let Some(post) = self.read(by, nth).await else { return };
                let input = json!({ "text": text, "replyToId": post, "idempotencyKey": key });
                let said = self.shop.mutate(&customer(by), SAY, "postPublish", input).await;
                self.counted().replies += u64::from(self.done(said, "nothing could be answered").is_some());
            }
            Deed::Like { nth } => {
                let Some(post) = self.read(by, nth).await else { return };
                let is_done = self.to(by, "postLike", &post, &key).await.is_some();
                self.counted().likes += u64::from(is_done);
            }
            Deed::Repost { nth } => {
                let Some(post) = self.read(by, nth).await else { return };
                let is_done = self.to(by, "postRepost", &post, &key).await.is_some();
                self.counted().reposts += u64::from(is_done);
            }
            Deed::Follow { whom } => {
                let is_done = self.towards(circle, by, "userFollow", whom, &key).await.is_some();
                self.counted().follows += u64::from(is_done);
            }
            Deed::Unfollow { nth } => {
                let variables = json!({ "first": people::READ_AT_ONCE });
                let found = self.shop.execute(&customer(by), FOLLOWING, variables).await;
                let found = self.done(found, "nobody could be found").unwrap_or_default();
                let Some(profile) = nth_of(&found, "/me/following/nodes", nth).and_then(|node| node["id"].as_str())
                else {
                    return;
                };
                let is_done = self.to(by, "userUnfollow", profile, &key).await.is_some();
                self.counted().parted += u64::from(is_done);
            }
            Deed::Mute { whom } => self.quarrel(circle, by, ["userMute", "userUnmute"], whom, &key).await,
            Deed::Block { whom } => self.quarrel(circle, by, ["userBlock", "userUnblock"], whom, &key).await,
        }
    }

    /// Somebody does something to somebody that they take back after a while.
    async fn quarrel(&self, circle: &mut Circle, by: u32, [what, undo]: [&'static str; 2], whom: u32, key: &str) {
        if circle.quarrels.len() < QUARRELS_MAX && self.towards(circle, by, what, whom, key).await.is_some() {
            circle.quarrels.push_back((Instant::now() + QUARREL, by, undo, whom));
            self.counted().parted += 1;
        }
    }

    /// One of the posts that somebody has in their feed; none if there are none.
    async fn read(&self, by: u32, nth: u32) -> Option<String> {
        let variables = json!({ "first": people::READ_AT_ONCE });
        let feed = self.shop.execute(&customer(by), FEED, variables).await;
        let feed = self.done(feed, "a feed could not be read")?;
        let node = nth_of(&feed, "/homeFeed/nodes", nth)?;
        // Of a repost what it shows.
        let post = node.pointer("/repostOf/id").unwrap_or(&node["id"]);
        post.as_str().map(str::to_owned)
    }

    async fn towards(&self, circle: &Circle, by: u32, mutation: &str, whom: u32, key: &str) -> Option<Value> {
        let profile = circle.profiles.get(whom as usize - 1).filter(|profile| !profile.is_empty())?;
        self.to(by, mutation, profile, key).await
    }

    /// A mutation of something whose input is its id. None if it was not done.
    async fn to(&self, by: u32, mutation: &str, id: &str, key: &str) -> Option<Value> {
        let (first, rest) = mutation.split_at(1);
        let kind = format!("{}{rest}Input", first.to_uppercase());
        let document = format!(
            "mutation To($input: {kind}!) {{ {mutation}(input: $input) {{ isRepeat userErrors {{ message }} }} }}"
        );
        let input = json!({ "id": id, "idempotencyKey": key });
        let done = self.shop.mutate(&customer(by), &document, mutation, input).await;
        self.done(done, mutation)
    }

    /// The key of an act.
    fn key(&self, number: u64) -> String {
        format!("demo act {} {} {number}", self.plan.seed, self.plan.run)
    }

    /// What was answered, unless it was no. People do now and then what the rules do not allow, such as answering somebody
    /// who has blocked them meanwhile.
    fn done(&self, outcome: Result<Value, Trouble>, what: &str) -> Option<Value> {
        match outcome {
            Ok(answer) => return Some(answer),
            Err(Trouble::Refused(message)) => tracing::debug!("{what}: refused: {message}"),
            Err(trouble @ Trouble::Failed(_)) => self.failed(what, &trouble),
        }
        None
    }
}

fn is_repeat(payload: Option<&Value>) -> bool {
    payload.and_then(|payload| payload.get("isRepeat")) == Some(&Value::Bool(true))
}

/// One of a list, beginning anew where there are fewer.
fn nth_of<'a>(answer: &'a Value, list: &str, nth: u32) -> Option<&'a Value> {
    let all = answer.pointer(list)?.as_array()?;
    all.get((nth as usize).checked_rem(all.len())?)
}
