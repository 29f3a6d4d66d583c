//! What people of the history say to each other: posts, follows, likes, and what is in whose feed.

use infrastructure::clock::{IdSource as _, SystemIds};
use serde_json::{Value, json};
use tests::events_db::EventsDb;
use uuid::Uuid;

use super::world::{AT, PEOPLE};

/// Whoever is known by this number.
pub(super) fn user(number: u64) -> Uuid {
    Uuid::from_u128(0xeeee_0000 + u128::from(number % PEOPLE))
}

/// Everybody follows some, says something, has to do with others, and says something again.
pub(super) fn history(events: &EventsDb<'_>) {
    for number in 0..PEOPLE {
        for next in 1..=3 {
            between(events, "followed", number, number + next);
        }
    }
    for number in 0..PEOPLE {
        said(events, number);
    }
    for number in 0..PEOPLE {
        answered(events, number);
        liked(events, number);
        parted(events, number);
    }
    for number in 0..PEOPLE {
        // Whoever comes now has nothing from before written into their feed.
        between(events, "followed", number, number + 4);
        let post = post(4, number);
        events.append("post", post, "post.published.v1", &post_data(post, user(number), "Good night #tea #bed"));
    }
}

/// One of the posts of somebody.
fn post(which: u128, number: u64) -> Uuid {
    Uuid::from_u128(0xf000_0000 + (which << 24) + u128::from(number % PEOPLE))
}

/// They say something; some change or delete it, and some show it again.
fn said(events: &EventsDb<'_>, number: u64) {
    let (author, post) = (user(number), post(0, number));
    events.append("post", post, "post.published.v1", &post_data(post, author, "#tea"));
    match number % 4 {
        0 => drop(events.append("post", post, "post.edited.v1", &post_data(post, author, "#tea and #cake"))),
        1 => drop(events.append("post", post, "post.deleted.v1", &post_data(post, author, ""))),
        2 => reposted(events, number, number),
        _ => {}
    }
}

/// They answer what the next one said, some of them only for those who follow them; and some show what another one said.
/// Some take back the one or the other.
fn answered(events: &EventsDb<'_>, number: u64) {
    let (author, reply) = (user(number), post(2, number));
    let (to, to_author) = (post(0, number + 1), user(number + 1));
    let mut data: Value = serde_json::from_str(&post_data(reply, author, "Indeed #tea")).expect("JSON");
    data["reply"] = json!({ "parent": to, "parent_author": to_author, "root": to, "depth": 1 });
    if number.is_multiple_of(2) {
        data["visibility"] = json!("followers");
        data["quoted"] = json!({ "post": to, "author": to_author });
    }
    events.append("post", reply, "post.published.v1", &data.to_string());
    if number.is_multiple_of(5) {
        events.append("post", reply, "post.deleted.v1", &data.to_string());
    }
    if number.is_multiple_of(3) {
        reposted(events, number, number + 2);
    }
    if number.is_multiple_of(6) {
        let repost = post(1, number);
        events.append("post", repost, "post.deleted.v1", &post_data(repost, author, ""));
    }
}

/// They show what somebody said.
fn reposted(events: &EventsDb<'_>, number: u64, of: u64) {
    let repost = post(if number == of { 3 } else { 1 }, number);
    let data = json!({ "post": repost, "author": user(number), "of": post(0, of), "of_author": user(of), "at": AT });
    events.append("post", repost, "post.reposted.v1", &data.to_string());
}

/// They like what two others said; some like one of it no longer, and some have looked into their inbox.
fn liked(events: &EventsDb<'_>, number: u64) {
    let reaction = |of: u64, kind: &str| {
        let data = json!({ "post": post(0, of), "author": user(of), "by": user(number), "at": AT });
        let id = Uuid::from_u128(0xf800_0000_0000 + u128::from(number * PEOPLE + of % PEOPLE));
        events.append("reaction", id, kind, &data.to_string());
    };
    reaction(number + 1, "reaction.liked.v1");
    reaction(number + 3, "reaction.liked.v1");
    if number.is_multiple_of(3) {
        reaction(number + 1, "reaction.unliked.v1");
    }
    if number.is_multiple_of(4) {
        let data = json!({ "user": user(number), "group": null, "up_to": AT, "at": AT }).to_string();
        events.append("inbox", user(number), "inbox.seen.v1", &data);
        events.append("inbox", user(number), "inbox.read.v1", &data);
    }
    if number.is_multiple_of(3) {
        let unwanted = json!({ "user": user(number), "unwanted": ["like", "reply"], "at": AT }).to_string();
        events.append("inbox", user(number), "inbox.preferences_changed.v1", &unwanted);
        let group = json!({ "kind": "like", "subject": post(0, number) });
        let data = json!({ "user": user(number), "group": group, "up_to": AT, "at": AT }).to_string();
        events.append("inbox", user(number), "inbox.read.v1", &data);
    }
}

/// Somebody is told of what happens while an event of their inbox waits: a follow that they do not want to hear of, and a
/// mention. They have seen it.
pub(super) fn told(events: &EventsDb<'_>, whom: Uuid) {
    // Whoever is told is another one each time.
    let (pair, said) = (SystemIds.fresh(), SystemIds.fresh());
    events.append("follow", pair, "follow.followed.v1", &pair_data(user(1), whom, ""));
    let mut data: Value = serde_json::from_str(&post_data(said, user(1), "Look")).expect("JSON");
    data["content"]["mentions"] = json!([{ "user": whom, "handle": "person_2" }, { "user": user(2), "handle": "x" }]);
    events.append("post", said, "post.published.v1", &data.to_string());
    data["content"]["mentions"] = json!([{ "user": whom, "handle": "person_2" }, { "user": user(3), "handle": "x" }]);
    events.append("post", said, "post.edited.v1", &data.to_string());
    let seen = json!({ "user": whom, "up_to": AT, "at": AT }).to_string();
    events.append("inbox", whom, "inbox.seen.v1", &seen);
}

/// Some follow somebody no longer, or do again, or block or mute them, for good or for a while.
fn parted(events: &EventsDb<'_>, number: u64) {
    match number % 5 {
        0 => between(events, "unfollowed", number, number + 1),
        1 => {
            between(events, "unfollowed", number, number + 1);
            between(events, "followed", number, number + 1);
        }
        2 => {
            between_because(events, "unfollowed", [number, number + 1], "blocked");
            between(events, "blocked", number, number + 1);
        }
        3 => between(events, "muted", number, number + 2),
        _ => {
            between_because(events, "unfollowed", [number, number + 3], "blocked");
            for what in ["blocked", "muted", "unblocked", "unmuted"] {
                between(events, what, number + 3, number);
            }
        }
    }
}

fn between(events: &EventsDb<'_>, what: &str, by: u64, whom: u64) {
    between_because(events, what, [by, whom], "asked");
}

fn between_because(events: &EventsDb<'_>, what: &str, [by, whom]: [u64; 2], reason: &str) {
    let (by, whom) = (by % PEOPLE, whom % PEOPLE);
    let pair = Uuid::from_u128(0xf900_0000_0000 + u128::from(by.min(whom) * PEOPLE + by.max(whom)));
    let data = pair_data(user(by), user(whom), reason);
    events.append("follow", pair, &format!("follow.{what}.v1"), &data);
}

/// All that any event between two people says; what is not its business is not read.
pub(super) fn pair_data(by: Uuid, whom: Uuid, reason: &str) -> String {
    json!({ "by": by, "whom": whom, "reason": reason, "at": AT }).to_string()
}

/// All that any event of a post says but a repost; what is not its business is not read.
pub(super) fn post_data(post: Uuid, author: Uuid, text: &str) -> String {
    let hashtags: Vec<&str> = text.split(' ').filter_map(|word| word.strip_prefix('#')).collect();
    let content = json!({
        "text": text,
        "media": [{ "url": "https://pictures.example/1.jpg", "alt": null }],
        "product": null,
        "mentions": [{ "user": author, "handle": "person_1" }],
        "hashtags": hashtags,
    });
    let data = json!({
        "post": post, "author": author, "content": content, "visibility": "public", "reply": null, "quoted": null, "at": AT,
    });
    data.to_string()
}
