//! Posts over real HTTP: saying something, otherwise, passing it on, taking it back, and who sees it.

use serde_json::{Value, json};
use tests::{
    client::Answer,
    server::Server,
    shop,
    social::{POST, Person},
};

const EDIT: &str = "mutation E($input: PostEditInput!) { postEdit(input: $input) {
    post { id text edits editedAt version hashtags mentions { handle } visibility isReply } position isRepeat
    userErrors { code message field currentVersion } } }";
const REPOST: &str = "mutation R($input: PostRepostInput!) { postRepost(input: $input) {
    post { id text isRepost author { handle } repostOf { id text author { handle } } } position isRepeat
    userErrors { code message field postId } } }";
const NODE: &str = "query N($id: ID!, $minPosition: Position) { node(id: $id, minPosition: $minPosition) {
    __typename id ... on Post { text } } }";

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

async fn edit(person: &Person, input: Value) -> Answer {
    person.client.graphql(EDIT, json!({ "input": input })).await
}

async fn repost(person: &Person, post: &str) -> Answer {
    person.client.graphql(REPOST, json!({ "input": { "id": post } })).await
}

#[tokio::test]
async fn a_post_is_published_found_edited_and_taken_back() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let product = shop::register(&server.operator(), "tea-1").await;
    let input = json!({
        "text": " Tea with @Ben and @nobody_here? #Tea #TEA\r\nhttps://example.com/#no ",
        "media": [{ "url": "https://pictures.example.com/1.jpg", "alt": "A cup" }, { "url": "https://pictures.example.com/2.jpg" }],
        "productId": product.id,
    });
    let published = anna.publish(input).await;
    let post = published.done("postPublish")["post"].clone();
    assert_eq!(post["text"], "Tea with @Ben and @nobody_here? #Tea #TEA\nhttps://example.com/#no");
    assert_eq!(post["author"]["handle"], "anna", "known at once, whatever the directory shows");
    assert_eq!(post["mentions"], json!([{ "handle": "ben", "profile": { "handle": "ben" } }]));
    assert_eq!((&post["hashtags"], &post["visibility"]), (&json!(["tea"]), &json!("PUBLIC")));
    assert_eq!(post["media"][0], json!({ "url": "https://pictures.example.com/1.jpg", "alt": "A cup" }));
    assert_eq!(post["media"][1]["alt"], Value::Null);
    assert_eq!((&post["edits"], &post["editedAt"], &post["version"]), (&json!(0), &Value::Null, &json!(0)));

    let id = post["id"].as_str().expect("an id");
    let seen = ben.sees(id, &published, "postPublish").await;
    for part in
        ["id", "text", "author", "mentions", "hashtags", "visibility", "edits", "version", "isReply", "isRepost"]
    {
        assert_eq!(seen[part], post[part], "{part}");
    }
    let edited = edit(&anna, json!({ "id": id, "text": "Coffee. #coffee", "expectedVersion": 0 })).await;
    let post = &edited.done("postEdit")["post"];
    assert_eq!((&post["text"], &post["edits"], &post["version"]), (&json!("Coffee. #coffee"), &json!(1), &json!(1)));
    assert_eq!((&post["hashtags"], &post["mentions"]), (&json!(["coffee"]), &json!([])));
    let seen = ben.sees(id, &edited, "postEdit").await;
    assert_eq!((&seen["text"], &seen["editedAt"]), (&json!("Coffee. #coffee"), &post["editedAt"]));
    let same = edit(&anna, json!({ "id": id, "text": "Coffee. #coffee" })).await;
    assert_eq!(same.done("postEdit")["post"]["edits"], 1, "what it says already is no edit");

    let deleted = anna.delete(id).await;
    assert_eq!(deleted.done("postDelete")["deletedId"], id);
    assert_eq!(anna.sees(id, &deleted, "postDelete").await, Value::Null, "not even its author");
    anna.delete(id).await.done("postDelete");
    let late = edit(&anna, json!({ "id": id, "text": "No!" })).await;
    assert_eq!(late.refusal("postEdit"), refusal("POST_DELETED", "input.id"));
}

#[tokio::test]
async fn answers_and_quotes_name_the_post_and_its_thread() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let first = anna.say("Tea?").await;
    let answer = ben.publish(json!({ "text": "Yes.", "replyToId": first })).await;
    let second = answer.text("/postPublish/post/id");
    // Both are known from their streams, whatever the read model shows.
    assert_eq!(answer.get("/postPublish/post/replyTo"), &json!({ "id": first, "text": "Tea?" }));
    let quote = anna.publish(json!({ "text": "Look", "replyToId": second, "quotedId": first })).await;
    let third = quote.text("/postPublish/post/id");
    let seen = ben.sees(&third, &quote, "postPublish").await;
    assert_eq!((&seen["replyTo"]["id"], &seen["threadRoot"]["id"]), (&json!(second), &json!(first)));
    assert_eq!((&seen["quoted"]["text"], &seen["depth"]), (&json!("Tea?"), &json!(2)));

    // What is gone is null; that there was something stays.
    anna.delete(&first).await.done("postDelete");
    let deleted = ben.delete(&second).await;
    let seen = ben.sees(&third, &deleted, "postDelete").await;
    for gone in ["replyTo", "threadRoot", "quoted"] {
        assert_eq!(seen[gone], Value::Null, "{gone}");
    }
    assert_eq!((&seen["isReply"], &seen["isQuote"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn a_post_is_reposted_once_undone_and_reposted_again() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let post = anna.say("Tea?").await;
    let reposted = repost(&ben, &post).await;
    let shown = reposted.done("postRepost")["post"].clone();
    let expected = json!({ "id": post, "text": "Tea?", "author": { "handle": "anna" } });
    assert_eq!((&shown["isRepost"], &shown["text"], &shown["repostOf"]), (&json!(true), &Value::Null, &expected));
    assert_eq!(shown["author"]["handle"], "ben");
    let again = repost(&ben, &post).await;
    assert_eq!(again.done("postRepost")["post"]["id"], shown["id"]);
    assert_eq!(again.get("/postRepost/position"), reposted.get("/postRepost/position"), "nothing new");
    let id = shown["id"].as_str().expect("an id");
    assert_eq!(anna.sees(id, &reposted, "postRepost").await["repostOf"]["id"], json!(post));
    let of_it = repost(&anna, id).await;
    assert_eq!(of_it.refusal("postRepost"), refusal("TARGET_IS_REPOST", "input.id"));
    assert_eq!(of_it.get("/postRepost/userErrors/0/postId"), &json!(post));

    assert_eq!(anna.delete(id).await.refusal("postDelete"), refusal("NOT_AUTHOR", "input.id"));
    let undone = ben.delete(id).await;
    assert_eq!(ben.sees(id, &undone, "postDelete").await, Value::Null);
    assert_eq!(repost(&ben, &post).await.done("postRepost")["post"]["id"], shown["id"]);
    let gone = anna.delete(&post).await;
    let seen = ben.sees(id, &gone, "postDelete").await;
    assert_eq!((&seen["isRepost"], &seen["repostOf"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn a_repeat_of_a_post_is_the_same_post() {
    let server = Server::start().await;
    let anna = Person::join(&server, "anna").await;
    let input = json!({ "text": "Tea", "idempotencyKey": "k1" });
    let first = anna.publish(input.clone()).await;
    let again = anna.publish(input).await;
    assert_eq!(again.get("/postPublish/isRepeat"), &json!(true));
    for part in ["post/id", "position"] {
        let part = format!("/postPublish/{part}");
        assert_eq!(again.get(&part), first.get(&part), "{part}");
    }
    let other = anna.publish(json!({ "text": "Coffee", "idempotencyKey": "k1" })).await;
    assert_eq!(other.error_code(), Some("IDEMPOTENCY_KEY_REUSED"));
    let (one, two) = tokio::join!(anna.say("Tea"), anna.say("Tea"));
    assert_ne!(one, two, "without a key each is a post of its own");
}

/// Whether they see the post, by `post`, by `node` and by `nodes`, which have to agree.
async fn see(person: &Person, post: &str, after: &Answer, mutation: &str) -> bool {
    let position = after.get(&format!("/{mutation}/position")).clone();
    let variables = json!({ "id": post, "minPosition": position });
    let by_post = person.client.graphql(POST, variables.clone()).await.get("/post").clone();
    let by_node = person.client.graphql(NODE, variables.clone()).await.get("/node").clone();
    let nodes = "query N($id: ID!, $minPosition: Position) { nodes(ids: [$id], minPosition: $minPosition) { id } }";
    let by_nodes = person.client.graphql(nodes, variables).await.get("/nodes/0").clone();
    assert_eq!((by_post.is_null(), by_post.is_null()), (by_node.is_null(), by_nodes.is_null()), "{by_post} {by_node}");
    if !by_post.is_null() {
        assert_eq!((&by_node["__typename"], &by_node["text"]), (&json!("Post"), &by_post["text"]));
    }
    !by_post.is_null()
}

#[tokio::test]
async fn a_block_hides_posts_in_both_directions_on_every_way_to_them() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let cleo = Person::join(&server, "cleo").await;
    let of_anna = anna.say("Tea?").await;
    let of_ben = ben.publish(json!({ "text": "Yes", "replyToId": of_anna })).await.text("/postPublish/post/id");
    let by_cleo = cleo.publish(json!({ "text": "Both of you", "replyToId": of_ben, "quotedId": of_anna })).await;
    let of_cleo = by_cleo.text("/postPublish/post/id");
    assert!(see(&ben, &of_anna, &by_cleo, "postPublish").await && see(&anna, &of_ben, &by_cleo, "postPublish").await);

    let blocked = anna.to("userBlock", &ben.id).await;
    assert!(!see(&ben, &of_anna, &blocked, "userBlock").await && !see(&anna, &of_ben, &blocked, "userBlock").await);
    assert!(see(&cleo, &of_anna, &blocked, "userBlock").await && see(&cleo, &of_ben, &blocked, "userBlock").await);
    // Nor by way of what somebody else says of them.
    let seen = ben.sees(&of_cleo, &by_cleo, "postPublish").await;
    assert_eq!(
        (&seen["quoted"], &seen["threadRoot"], &seen["replyTo"]["id"]),
        (&Value::Null, &Value::Null, &json!(of_ben))
    );
    let seen = anna.sees(&of_cleo, &by_cleo, "postPublish").await;
    assert_eq!((&seen["quoted"]["id"], &seen["replyTo"]), (&json!(of_anna), &Value::Null));
    for (person, post) in [(&ben, &of_anna), (&anna, &of_ben)] {
        let answer = person.publish(json!({ "text": "But", "replyToId": post })).await;
        assert_eq!(answer.refusal("postPublish"), refusal("TARGET_NOT_FOUND", "input.replyToId"));
        let quote = person.publish(json!({ "text": "But", "quotedId": post })).await;
        assert_eq!(quote.refusal("postPublish"), refusal("TARGET_NOT_FOUND", "input.quotedId"));
        assert_eq!(repost(person, post).await.refusal("postRepost"), refusal("TARGET_NOT_FOUND", "input.id"));
    }

    let unblocked = anna.to("userUnblock", &ben.id).await;
    assert!(see(&ben, &of_anna, &unblocked, "userUnblock").await);
}

#[tokio::test]
async fn what_is_for_followers_only_they_see_and_nobody_passes_it_on() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let published = anna.publish(json!({ "text": "For you", "visibility": "FOLLOWERS" })).await;
    let post = published.text("/postPublish/post/id");
    assert!(see(&anna, &post, &published, "postPublish").await, "its author sees it");
    assert!(!see(&ben, &post, &published, "postPublish").await);
    let stranger = ben.publish(json!({ "text": "What?", "replyToId": post })).await;
    assert_eq!(stranger.refusal("postPublish"), refusal("TARGET_NOT_FOUND", "input.replyToId"));
    assert_eq!(
        edit(&ben, json!({ "id": post, "text": "x" })).await.refusal("postEdit"),
        refusal("POST_NOT_FOUND", "input.id")
    );

    let followed = ben.to("userFollow", &anna.id).await;
    assert!(see(&ben, &post, &followed, "userFollow").await);
    ben.publish(json!({ "text": "Thanks", "replyToId": post })).await.done("postPublish");
    assert_eq!(repost(&ben, &post).await.refusal("postRepost"), refusal("NOT_PUBLIC", "input.id"));
    let quote = ben.publish(json!({ "text": "Look", "quotedId": post })).await;
    assert_eq!(quote.refusal("postPublish"), refusal("NOT_PUBLIC", "input.quotedId"));
    let edited = edit(&anna, json!({ "id": post, "text": "For you!" })).await;
    assert_eq!(edited.done("postEdit")["post"]["visibility"], "FOLLOWERS", "an edit shows it to nobody else");
    let unfollowed = ben.to("userUnfollow", &anna.id).await;
    assert!(!see(&ben, &post, &unfollowed, "userUnfollow").await);
}
