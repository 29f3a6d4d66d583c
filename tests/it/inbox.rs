//! Inboxes over real HTTP: marks that move forwards, and which notifications somebody wants.

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    server::Server,
};

/// A mutation of the caller's inbox.
async fn ask(client: &Client, mutation: &str, input: Value) -> Answer {
    let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation M($input: {name}Input!) {{ {mutation}(input: $input) {{
            inbox {{ seenUpTo readUpTo preferences {{ kind isWanted }} }}
            position isRepeat userErrors {{ code message field }} }} }}"
    );
    client.graphql(&document, json!({ "input": input })).await
}

fn marks(answer: &Answer, mutation: &str) -> (Value, Value) {
    let inbox = &answer.done(mutation)["inbox"];
    (inbox["seenUpTo"].clone(), inbox["readUpTo"].clone())
}

const EARLY: &str = "2026-01-02T03:04:05.678901+00:00";
const LATE: &str = "2026-02-03T04:05:06+00:00";
const POST: &str = "cG9zdDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA";

#[tokio::test]
async fn marks_move_forwards_and_what_is_read_is_seen() {
    let server = Server::start().await;
    // Nobody needs a profile: orders have news for customers.
    let alice = server.customer("alice");
    let seen = ask(&alice, "notificationsMarkSeen", json!({ "upTo": EARLY, "idempotencyKey": "k1" })).await;
    assert_eq!(marks(&seen, "notificationsMarkSeen"), (json!(EARLY), Value::Null));
    let read = ask(&alice, "notificationsMarkRead", json!({ "upTo": LATE })).await;
    assert_eq!(marks(&read, "notificationsMarkRead"), (json!(LATE), json!(LATE)));
    let events = server.events(0).len();
    let back = ask(&alice, "notificationsMarkSeen", json!({ "upTo": EARLY })).await;
    assert_eq!(marks(&back, "notificationsMarkSeen"), (json!(LATE), json!(LATE)));
    let again = ask(&alice, "notificationsMarkSeen", json!({ "upTo": EARLY, "idempotencyKey": "k1" })).await;
    assert_eq!(again.get("/notificationsMarkSeen/isRepeat"), &json!(true));
    let group = json!({ "kind": "LIKE", "subjectId": POST });
    ask(&alice, "notificationsMarkRead", json!({ "upTo": EARLY, "group": group })).await.done("notificationsMarkRead");
    assert_eq!(server.events(0).len(), events, "all of it was so already");

    let group = json!({ "upTo": "2026-03-04T05:06:07.1234567Z", "group": group });
    let read = ask(&alice, "notificationsMarkRead", group).await;
    assert_eq!(marks(&read, "notificationsMarkRead"), (json!(LATE), json!(LATE)), "one group is not all");
    assert!(server.events(0).last().expect("an event").data.to_string().contains("2026-03-04T05:06:07.123456Z"));
}

#[tokio::test]
async fn kinds_of_notifications_are_wanted_or_not() {
    let server = Server::start().await;
    let alice = server.customer("alice");
    let wanted = |answer: &Answer| {
        let preferences = answer.done("notificationPreferencesUpdate")["inbox"]["preferences"].clone();
        let wanted = preferences.as_array().expect("a list").iter().filter(|one| one["isWanted"] == true);
        wanted.map(|one| one["kind"].as_str().expect("a kind").to_owned()).collect::<Vec<_>>()
    };
    let say = async |preferences: Value| {
        ask(&alice, "notificationPreferencesUpdate", json!({ "preferences": preferences })).await
    };
    let all = ["LIKE", "REPOST", "QUOTE", "REPLY", "MENTION", "FOLLOW", "ORDER"];
    assert_eq!(wanted(&say(json!([])).await), all);
    let fewer = say(json!([{ "kind": "LIKE", "isWanted": false }, { "kind": "FOLLOW", "isWanted": false }])).await;
    assert_eq!(wanted(&fewer), ["REPOST", "QUOTE", "REPLY", "MENTION", "ORDER"]);
    let more = say(json!([{ "kind": "LIKE", "isWanted": true }])).await;
    assert_eq!(wanted(&more), ["LIKE", "REPOST", "QUOTE", "REPLY", "MENTION", "ORDER"]);
    let both = say(json!([{ "kind": "LIKE", "isWanted": true }, { "kind": "LIKE", "isWanted": false }])).await;
    assert_eq!(both.error_code(), Some("BAD_USER_INPUT"));
}

#[tokio::test]
async fn what_is_wrong_with_a_mark_is_said() {
    let server = Server::start().await;
    let alice = server.customer("alice");
    for mutation in ["notificationsMarkSeen", "notificationsMarkRead"] {
        let early = ask(&alice, mutation, json!({ "upTo": "2999-01-01T00:00:00Z" })).await;
        assert_eq!(early.refusal(mutation), ("IN_FUTURE".to_owned(), "input.upTo".to_owned()));
    }
    let group = json!({ "upTo": EARLY, "group": { "kind": "ORDER", "subjectId": POST } });
    assert_eq!(ask(&alice, "notificationsMarkRead", group).await.error_code(), Some("BAD_USER_INPUT"));
    assert!(server.events(0).is_empty(), "what was refused left something in the log");
    let epoch = ask(&alice, "notificationsMarkSeen", json!({ "upTo": "0001-01-01T00:00:00Z" })).await;
    assert_eq!(marks(&epoch, "notificationsMarkSeen").0, "1970-01-01T00:00:00+00:00", "nothing happened before that");
}
