//! What nobody can say, pass on or change, over real HTTP: each refusal with its code and field.

use serde_json::{Value, json};
use tests::{
    client::Answer,
    server::Server,
    shop::{self, PRODUCT_RETIRE},
    social::Person,
};

const EDIT: &str = "mutation E($input: PostEditInput!) { postEdit(input: $input) {
    post { id version edits } userErrors { code message field currentVersion } } }";

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

async fn edit(person: &Person, input: Value) -> Answer {
    person.client.graphql(EDIT, json!({ "input": input })).await
}

#[tokio::test]
async fn a_text_that_is_empty_too_long_or_cannot_be_shown_is_refused() {
    let server = Server::start().await;
    let anna = Person::join(&server, "anna").await;
    let post = anna.say("Tea").await;
    let events = server.events(0).len();
    let texts = [
        (String::new(), "TEXT_EMPTY"),
        (" \n\t".to_owned(), "TEXT_EMPTY"),
        // What is there and cannot be seen: zero-width space, word joiner, braille blank, Hangul filler.
        ("\u{200b}\u{2060}".to_owned(), "TEXT_EMPTY"),
        ("\u{2800}".to_owned(), "TEXT_EMPTY"),
        ("\u{3164}".to_owned(), "TEXT_EMPTY"),
        ("x".repeat(501), "TEXT_TOO_LONG"),
        ("x".repeat(4_001), "TEXT_TOO_MANY_BYTES"),
        ("a\u{0}b".to_owned(), "TEXT_UNSHOWABLE"),
        ("a\u{7}b".to_owned(), "TEXT_UNSHOWABLE"),
        // Turned around, and never back.
        ("\u{202e}aet".to_owned(), "TEXT_DIRECTION"),
        ("\u{2067}tea".to_owned(), "TEXT_DIRECTION"),
        ("tea\u{2069}".to_owned(), "TEXT_DIRECTION"),
        (format!("Z{}", "\u{0335}".repeat(100)), "TEXT_STACKED"),
    ];
    for (text, code) in texts {
        let published = anna.publish(json!({ "text": text })).await;
        assert_eq!(published.refusal("postPublish"), refusal(code, "input.text"), "{text:?}");
        let edited = edit(&anna, json!({ "id": post, "text": text })).await;
        assert_eq!(edited.refusal("postEdit"), refusal(code, "input.text"), "{text:?}");
    }
    assert_eq!(server.events(0).len(), events, "what was refused left something in the log");
    // Counted as readers count: a family is one character.
    let family = "👨‍👩‍👧".repeat(160);
    anna.publish(json!({ "text": family })).await.done("postPublish");
}

#[tokio::test]
async fn floods_and_pictures_that_are_none_are_refused() {
    let server = Server::start().await;
    let anna = Person::join(&server, "anna").await;
    let many = |sign: &str, count: usize| (0..count).map(|n| format!("{sign}w{n}")).collect::<Vec<_>>().join(" ");
    anna.publish(json!({ "text": many("@", 20) })).await.done("postPublish");
    anna.publish(json!({ "text": many("#", 30) })).await.done("postPublish");
    anna.publish(json!({ "text": "@ben ".repeat(60) })).await.done("postPublish");
    let picture = |n: usize| json!({ "url": format!("https://pictures.example.com/{n}.jpg") });
    let said = |media: Vec<Value>| json!({ "media": media });
    let refused = [
        (json!({ "text": many("@", 21) }), "TOO_MANY_MENTIONS", "input.text"),
        (json!({ "text": many("#", 31) }), "TOO_MANY_HASHTAGS", "input.text"),
        (json!({}), "NOTHING_SAID", "input.text"),
        (said((0..5).map(picture).collect()), "TOO_MANY_MEDIA", "input.media"),
        (said(vec![picture(1), picture(1)]), "MEDIA_REPEATED", "input.media"),
        (said(vec![picture(1), json!({ "url": "nowhere" })]), "MEDIA_URL_MALFORMED", "input.media.1.url"),
        (said(vec![json!({ "url": "http://pictures.example.com/1" })]), "MEDIA_URL_NOT_HTTPS", "input.media.0.url"),
        (said(vec![json!({ "url": "https://127.0.0.1/1" })]), "MEDIA_URL_HOST", "input.media.0.url"),
        (said(vec![json!({ "url": "https://pictures.example.com/1", "alt": " " })]), "TEXT_EMPTY", "input.media.0.alt"),
    ];
    for (input, code, field) in refused {
        let answer = anna.publish(input.clone()).await;
        assert_eq!(answer.refusal("postPublish"), refusal(code, field), "{input}");
    }
    let all = json!({ "text": " ", "media": [{ "url": "x", "alt": "\u{202e}x" }], "productId": "x" });
    let all = anna.publish(all).await;
    let codes: Vec<String> = all.user_errors("postPublish").into_iter().map(|error| error.code).collect();
    assert_eq!(codes, ["TEXT_EMPTY", "MEDIA_URL_MALFORMED", "TEXT_DIRECTION", "UNKNOWN_PRODUCT"]);
}

#[tokio::test]
async fn a_post_is_about_a_product_that_is_offered() {
    let server = Server::start().await;
    let (anna, operator) = (Person::join(&server, "anna").await, server.operator());
    let product = shop::register(&operator, "tea-1").await.id;
    let about = |product: &str| json!({ "text": "Tea", "productId": product });
    let published = anna.publish(about(&product)).await;
    let post = published.text("/postPublish/post/id");
    operator.graphql(PRODUCT_RETIRE, json!({ "input": { "id": product } })).await.done("productRetire");
    let retired = anna.publish(about(&product)).await;
    assert_eq!(retired.refusal("postPublish"), refusal("RETIRED_PRODUCT", "input.productId"));
    let unknown = anna.publish(about(&post)).await;
    assert_eq!(unknown.refusal("postPublish"), refusal("UNKNOWN_PRODUCT", "input.productId"));
    // Where it stood before, it may stay.
    edit(&anna, json!({ "id": post, "text": "Tea!", "productId": product })).await.done("postEdit");
}

#[tokio::test]
async fn nobody_changes_what_somebody_else_said_and_nothing_answers_what_is_not_there() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let nobody = Person { client: server.customer("nobody"), id: String::new() };
    let post = anna.say("Tea").await;
    assert_eq!(
        edit(&ben, json!({ "id": post, "text": "x" })).await.refusal("postEdit"),
        refusal("NOT_AUTHOR", "input.id")
    );
    assert_eq!(ben.delete(&post).await.refusal("postDelete"), refusal("NOT_AUTHOR", "input.id"));
    let silent = nobody.publish(json!({ "text": "Hello" })).await;
    assert_eq!(silent.refusal("postPublish"), refusal("NO_PROFILE", "input"));

    let missing = "cG9zdDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA";
    let gone = anna.say("Gone").await;
    anna.delete(&gone).await.done("postDelete");
    for (target, code) in [
        (missing, "TARGET_NOT_FOUND"),
        ("no id", "TARGET_NOT_FOUND"),
        (&anna.id, "TARGET_NOT_FOUND"),
        (&gone, "TARGET_DELETED"),
    ] {
        for field in ["replyToId", "quotedId"] {
            // The other one is good.
            let other = if field == "replyToId" { "quotedId" } else { "replyToId" };
            let answer = ben.publish(json!({ "text": "Yes", field: target, other: post })).await;
            assert_eq!(answer.refusal("postPublish"), refusal(code, &format!("input.{field}")), "{target}");
        }
    }
    assert_eq!(
        edit(&anna, json!({ "id": missing, "text": "x" })).await.refusal("postEdit"),
        refusal("POST_NOT_FOUND", "input.id")
    );
    assert_eq!(anna.delete(missing).await.refusal("postDelete"), refusal("POST_NOT_FOUND", "input.id"));

    let conflict = edit(&anna, json!({ "id": post, "text": "x", "expectedVersion": 3 })).await;
    assert_eq!(conflict.refusal("postEdit"), refusal("VERSION_CONFLICT", "input.expectedVersion"));
    assert_eq!(conflict.get("/postEdit/userErrors/0/currentVersion"), 0);
    let not_theirs = edit(&ben, json!({ "id": post, "text": "x", "expectedVersion": 3 })).await;
    assert_eq!(not_theirs.refusal("postEdit"), refusal("POST_NOT_FOUND", "input.id"), "nobody else learns its version");
}

#[tokio::test]
async fn an_answer_never_comes_to_answer_itself() {
    let server = Server::start().await;
    let anna = Person::join(&server, "anna").await;
    let keyed = json!({ "text": "Tea", "idempotencyKey": "k1" });
    let post = anna.publish(keyed).await.text("/postPublish/post/id");
    // The id that a key gives can be known before the post is there.
    let itself = json!({ "text": "Tea", "replyToId": post, "idempotencyKey": "k1" });
    assert_eq!(anna.publish(itself.clone()).await.error_code(), Some("IDEMPOTENCY_KEY_REUSED"));
    let elsewhere = Server::start().await;
    let early = Person::join(&elsewhere, "anna").await.publish(itself).await;
    assert_eq!(early.refusal("postPublish"), refusal("TARGET_NOT_FOUND", "input.replyToId"));
    let answer = anna.publish(json!({ "text": "More", "replyToId": post })).await.text("/postPublish/post/id");
    let seen = anna.publish(json!({ "text": "Most", "replyToId": answer })).await;
    assert_eq!(seen.get("/postPublish/post/depth"), 2);
    // No mutation changes what a post answers.
    let edited = "mutation E($input: PostEditInput!) { postEdit(input: $input) { post { id } } }";
    let input = json!({ "input": { "id": post, "text": "Tea", "replyToId": answer } });
    assert_eq!(anna.client.graphql(edited, input).await.error_code(), Some("GRAPHQL_VALIDATION_FAILED"));
}

#[tokio::test]
async fn a_post_is_edited_a_hundred_times() {
    let server = Server::start().await;
    let anna = Person::join(&server, "anna").await;
    let post = anna.say("Tea 0").await;
    for number in 1..=100 {
        edit(&anna, json!({ "id": post, "text": format!("Tea {number}") })).await.done("postEdit");
    }
    let more = edit(&anna, json!({ "id": post, "text": "Tea at last" })).await;
    assert_eq!(more.refusal("postEdit"), refusal("TOO_MANY_EDITS", "input.id"));
}
