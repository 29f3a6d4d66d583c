//! Follows, blocks and mutes over real HTTP, and everything that is refused.

use serde_json::{Value, json};
use tests::{client::Answer, server::Server, social::Person};

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// What the two are to each other after this mutation: following, followed by, blocking, muting.
fn relation(answer: &Answer, mutation: &str) -> [Value; 4] {
    let relation = &answer.done(mutation)["relation"];
    ["isFollowing", "isFollowedBy", "isBlocking", "isMuting"].map(|name| relation[name].clone())
}

fn are(relation: [bool; 4]) -> [Value; 4] {
    relation.map(Value::Bool)
}

#[tokio::test]
async fn somebody_is_followed_muted_and_blocked_and_each_is_taken_back() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let followed = anna.to("userFollow", &ben.id).await;
    assert_eq!(relation(&followed, "userFollow"), are([true, false, false, false]));
    let profile = json!({ "id": ben.id, "handle": "ben" });
    assert_eq!(followed.get("/userFollow/relation/profile"), &profile);
    assert_eq!(relation(&ben.to("userFollow", &anna.id).await, "userFollow"), are([true, true, false, false]));
    assert_eq!(relation(&anna.to("userMute", &ben.id).await, "userMute"), are([true, true, false, true]));
    // Whoever is muted does not see it.
    assert_eq!(relation(&ben.to("userUnmute", &anna.id).await, "userUnmute"), are([true, true, false, false]));
    assert_eq!(relation(&anna.to("userUnmute", &ben.id).await, "userUnmute"), are([true, true, false, false]));
    assert_eq!(relation(&anna.to("userUnfollow", &ben.id).await, "userUnfollow"), are([false, true, false, false]));

    assert_eq!(relation(&anna.to("userBlock", &ben.id).await, "userBlock"), are([false, false, true, false]));
    assert_eq!(relation(&anna.to("userUnblock", &ben.id).await, "userUnblock"), are([false; 4]));
    let again = ben.to("userFollow", &anna.id).await;
    assert_eq!(
        relation(&again, "userFollow"),
        are([true, false, false, false]),
        "follows do not come back by themselves"
    );
}

#[tokio::test]
async fn what_is_so_already_changes_nothing_and_a_repeat_gets_the_first_outcome() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let input = json!({ "id": ben.id, "idempotencyKey": "k1" });
    let first = anna.to_with("userFollow", input.clone()).await;
    let events = server.events(0).len();
    let again = anna.to_with("userFollow", input.clone()).await;
    assert_eq!((again.get("/userFollow/isRepeat"), first.get("/userFollow/isRepeat")), (&json!(true), &json!(false)));
    assert_eq!(again.get("/userFollow/position"), first.get("/userFollow/position"));
    for mutation in ["userFollow", "userUnblock", "userUnmute"] {
        assert_eq!(
            relation(&anna.to(mutation, &ben.id).await, mutation),
            are([true, false, false, false]),
            "{mutation}"
        );
    }
    assert_eq!(server.events(0).len(), events, "nothing was written for any of them");
    let other = anna.to_with("userBlock", input).await;
    assert_eq!(other.error_code(), Some("IDEMPOTENCY_KEY_REUSED"));
}

#[tokio::test]
async fn what_is_wrong_between_two_people_is_said_with_code_and_field() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let nobody = Person {
        client: server.customer("nobody"),
        id: "dXNlcjowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA".to_owned(),
    };
    let events = server.events(0).len();
    for mutation in ["userFollow", "userBlock", "userMute"] {
        let yourself = anna.to(mutation, &anna.id).await;
        assert_eq!(yourself.refusal(mutation), refusal("YOURSELF", "input.id"), "{mutation}");
        let missing = anna.to(mutation, &nobody.id).await;
        assert_eq!(missing.refusal(mutation), refusal("USER_NOT_FOUND", "input.id"), "{mutation}");
        let unseen = nobody.to(mutation, &anna.id).await;
        assert_eq!(unseen.refusal(mutation), refusal("NO_PROFILE", "input"), "{mutation}");
        assert_eq!(anna.to(mutation, "not an id").await.error_code(), Some("BAD_USER_INPUT"), "{mutation}");
    }
    assert_eq!(server.events(0).len(), events, "what was refused left something in the log");

    anna.to("userBlock", &ben.id).await.done("userBlock");
    let blocking = anna.to("userFollow", &ben.id).await;
    assert_eq!(blocking.refusal("userFollow"), refusal("YOU_BLOCK_USER", "input.id"));
    let blocked = ben.to("userFollow", &anna.id).await;
    assert_eq!(blocked.refusal("userFollow"), refusal("USER_BLOCKS_YOU", "input.id"));
}

#[tokio::test]
async fn nobody_follows_past_a_block_of_the_same_moment() {
    let server = Server::start().await;
    let anna = Person::join(&server, "anna").await;
    for round in 0..10 {
        let ben = Person::join(&server, &format!("ben_{round}")).await;
        let (blocked, followed) = tokio::join!(anna.to("userBlock", &ben.id), ben.to("userFollow", &anna.id));
        assert_eq!(relation(&blocked, "userBlock"), are([false, false, true, false]));
        // Whichever was first: the follow was refused, or it has ended.
        if followed.get("/userFollow/userErrors") != &json!([]) {
            assert_eq!(followed.refusal("userFollow"), refusal("USER_BLOCKS_YOU", "input.id"));
        }
        let after = anna.to("userUnmute", &ben.id).await;
        assert_eq!(relation(&after, "userUnmute"), are([false, false, true, false]), "round {round}");
    }
}
