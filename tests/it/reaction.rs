//! Likes over real HTTP, and everything that is refused.

use serde_json::{Value, json};
use tests::{client::Answer, server::Server, social::Person};

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// `postLike` or `postUnlike`.
async fn react(person: &Person, mutation: &str, input: Value) -> Answer {
    let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation M($input: {name}Input!) {{ {mutation}(input: $input) {{
            reaction {{ isLiked post {{ id text }} }} position isRepeat userErrors {{ code message field postId }} }} }}"
    );
    person.client.graphql(&document, json!({ "input": input })).await
}

#[tokio::test]
async fn a_post_is_liked_once_and_the_like_is_taken_back() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let post = anna.say("Tea").await;
    let input = json!({ "id": post, "idempotencyKey": "k1" });
    let liked = react(&ben, "postLike", input.clone()).await;
    let expected = json!({ "isLiked": true, "post": { "id": post, "text": "Tea" } });
    assert_eq!(liked.done("postLike")["reaction"], expected);
    let events = server.events(0).len();
    let again = react(&ben, "postLike", input).await;
    assert_eq!((again.get("/postLike/isRepeat"), again.get("/postLike/reaction")), (&json!(true), &expected));
    let once = react(&ben, "postLike", json!({ "id": post })).await;
    assert_eq!(once.done("postLike")["reaction"], expected);
    assert_eq!(server.events(0).len(), events, "whoever likes it likes it once");
    react(&anna, "postLike", json!({ "id": post })).await.done("postLike");

    let unliked = react(&ben, "postUnlike", json!({ "id": post })).await;
    assert_eq!(unliked.done("postUnlike")["reaction"]["isLiked"], false);
    react(&ben, "postUnlike", json!({ "id": post })).await.done("postUnlike");
}

#[tokio::test]
async fn what_is_wrong_with_a_like_is_said_with_code_and_field() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let nobody = Person { client: server.customer("nobody"), id: String::new() };
    let post = anna.say("Tea").await;
    let like =
        async |person: &Person, post: &str| react(person, "postLike", json!({ "id": post })).await.refusal("postLike");
    let missing = "cG9zdDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA";
    assert_eq!(like(&ben, missing).await, refusal("POST_NOT_FOUND", "input.id"));
    assert_eq!(like(&nobody, &post).await, refusal("NO_PROFILE", "input"));
    let wrong = react(&ben, "postLike", json!({ "id": ben.id })).await;
    assert_eq!(wrong.error_code(), Some("BAD_USER_INPUT"));
    let hidden = anna.publish(json!({ "text": "For you", "visibility": "FOLLOWERS" })).await;
    assert_eq!(like(&ben, &hidden.text("/postPublish/post/id")).await, refusal("POST_NOT_FOUND", "input.id"));
    let repost = "mutation R($input: PostRepostInput!) { postRepost(input: $input) { post { id } } }";
    let repost = anna.client.graphql(repost, json!({ "input": { "id": post } })).await;
    let of_repost = react(&ben, "postLike", json!({ "id": repost.text("/postRepost/post/id") })).await;
    assert_eq!(of_repost.refusal("postLike"), refusal("TARGET_IS_REPOST", "input.id"));
    assert_eq!(of_repost.get("/postLike/userErrors/0/postId"), &json!(post));

    react(&ben, "postLike", json!({ "id": post })).await.done("postLike");
    let later = anna.say("Later").await;
    anna.to("userBlock", &ben.id).await.done("userBlock");
    assert_eq!(like(&ben, &later).await, refusal("POST_NOT_FOUND", "input.id"));
    anna.to("userUnblock", &ben.id).await.done("userUnblock");
    anna.delete(&post).await.done("postDelete");
    assert_eq!(like(&anna, &post).await, refusal("POST_DELETED", "input.id"));
    // A like of what is gone can be taken back.
    let unliked = react(&ben, "postUnlike", json!({ "id": post })).await;
    assert_eq!(unliked.done("postUnlike")["reaction"], json!({ "isLiked": false, "post": null }));
}
