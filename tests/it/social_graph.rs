//! Home feeds, lists, numbers and live feeds over real HTTP and WebSockets.

use serde_json::{Value, json};
use tests::{client::Answer, server::Server, social::Person, ws::WsClient};

const HOME: &str = "query H($first: Int!, $after: Cursor, $minPosition: Position) {
    homeFeed(first: $first, after: $after, minPosition: $minPosition) {
        nodes { id text author { handle } repostOf { text } likeCount viewerHasLiked }
        pageInfo { hasNextPage hasPreviousPage endCursor } position } }";
const PROFILE: &str = "query P($id: ID!, $minPosition: Position) { profile(id: $id, minPosition: $minPosition) {
    followerCount followingCount postCount viewerFollows followsViewer viewerBlocks viewerMutes
    posts(first: 10, minPosition: $minPosition) { nodes { text repostOf { text } } }
    followers(first: 10, minPosition: $minPosition) { nodes { handle } pageInfo { hasNextPage } }
    following(first: 1, minPosition: $minPosition) { nodes { handle } pageInfo { hasNextPage endCursor } } } }";
const THREAD: &str = "query T($id: ID!, $minPosition: Position) { post(id: $id, minPosition: $minPosition) {
    likeCount repostCount replyCount viewerHasLiked viewerHasReposted
    replies(first: 10, minPosition: $minPosition) { nodes { text replyCount replies(first: 10) { nodes { text } } } } } }";
const FEED_UPDATES: &str = "subscription F($after: Position) { homeFeedUpdates(after: $after) {
    __typename cursor ... on HomeFeedPosted { post { text author { handle viewerFollows } repostOf { text } } } } }";
const POST_UPDATES: &str = "subscription P($id: ID!, $after: Position) { postUpdates(id: $id, after: $after) {
    __typename cursor ... on PostChanged { post { text likeCount replyCount } } } }";

async fn home(person: &Person, first: u32, after: &Value, min_position: &Value) -> Answer {
    let variables = json!({ "first": first, "after": after, "minPosition": min_position });
    person.client.graphql(HOME, variables).await
}

/// The words of the posts of a list; of a repost those that it shows.
fn texts(list: &Value) -> Vec<String> {
    let nodes = list["nodes"].as_array().expect("a list");
    let text = |node: &Value| node["text"].as_str().or_else(|| node["repostOf"]["text"].as_str()).map(str::to_owned);
    nodes.iter().map(|node| text(node).expect("words")).collect()
}

fn handles(list: &Value) -> Vec<&str> {
    list["nodes"].as_array().expect("a list").iter().map(|node| node["handle"].as_str().expect("a handle")).collect()
}

/// A mutation of a post whose input is its id. Gives the position.
async fn react(person: &Person, mutation: &str, post: &str) -> Value {
    let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation M($input: {name}Input!) {{ {mutation}(input: $input) {{ position userErrors {{ code message field }} }} }}"
    );
    let answer = person.client.graphql(&document, json!({ "input": { "id": post } })).await;
    answer.done(mutation)["position"].clone()
}

async fn reply(person: &Person, to: &str, text: &str) -> (String, Value) {
    let answer = person.publish(json!({ "text": text, "replyToId": to })).await;
    (answer.text("/postPublish/post/id"), answer.done("postPublish")["position"].clone())
}

/// What the next message of a live feed says.
async fn next(socket: &mut WsClient, field: &str) -> (String, String) {
    let payload = socket.next_payload().await;
    assert!(payload.get("errors").is_none(), "{payload}");
    let message = &payload["data"][field];
    let kind = message["__typename"].as_str().expect("a message").to_owned();
    let text = if kind == "CaughtUp" {
        kind
    } else {
        let post = &message["post"];
        post["text"].as_str().or_else(|| post["repostOf"]["text"].as_str()).unwrap_or("nothing").to_owned()
    };
    (text, message["cursor"].as_str().expect("a cursor").to_owned())
}

#[tokio::test]
async fn a_home_feed_has_what_those_whom_one_follows_post_page_by_page() {
    let server = Server::start().await;
    let (anna, ben, cleo) =
        (Person::join(&server, "anna").await, Person::join(&server, "ben").await, Person::join(&server, "cleo").await);
    let before = ben.say("before").await;
    anna.to("userFollow", &ben.id).await.done("userFollow");
    for number in 0..5 {
        ben.say(&format!("tea {number}")).await;
        cleo.say(&format!("cake {number}")).await;
    }
    let cake = cleo.say("cake for all").await;
    react(&ben, "postRepost", &cake).await;
    anna.say("mine").await;
    react(&anna, "postLike", &before).await;
    let last = ben.publish(json!({ "text": "for followers", "visibility": "FOLLOWERS" })).await;
    let position = last.done("postPublish")["position"].clone();

    let first = home(&anna, 4, &Value::Null, &position).await;
    assert_eq!(texts(first.get("/homeFeed")), ["for followers", "mine", "cake for all", "tea 4"]);
    assert_eq!(
        (first.get("/homeFeed/pageInfo/hasNextPage"), first.get("/homeFeed/position")),
        (&json!(true), &position)
    );
    // What comes meanwhile changes nothing about the pages that follow.
    ben.say("new").await;
    let cursor = first.get("/homeFeed/pageInfo/endCursor").clone();
    let second = home(&anna, 4, &cursor, &position).await;
    assert_eq!(texts(second.get("/homeFeed")), ["tea 3", "tea 2", "tea 1", "tea 0"]);
    let cursor = second.get("/homeFeed/pageInfo/endCursor").clone();
    let third = home(&anna, 4, &cursor, &position).await;
    assert_eq!(texts(third.get("/homeFeed")), ["before"], "what they said before is there, too");
    assert_eq!(third.get("/homeFeed/pageInfo/hasNextPage"), false);
    assert_eq!(third.get("/homeFeed/nodes/0/likeCount"), 1);
    assert_eq!(third.get("/homeFeed/nodes/0/viewerHasLiked"), true);
    assert!(
        texts(home(&cleo, 100, &Value::Null, &position).await.get("/homeFeed"))
            .iter()
            .all(|text| text.contains("cake"))
    );

    let too_many = home(&anna, 101, &Value::Null, &Value::Null).await;
    assert_eq!(too_many.error_code(), Some("BAD_USER_INPUT"));
    let foreign = home(&anna, 4, &json!("bm90aGluZw"), &Value::Null).await;
    assert_eq!(foreign.error_code(), Some("BAD_CURSOR"));
}

#[tokio::test]
async fn people_have_numbers_and_lists_and_say_what_they_are_to_the_caller() {
    let server = Server::start().await;
    let (anna, ben, cleo) =
        (Person::join(&server, "anna").await, Person::join(&server, "ben").await, Person::join(&server, "cleo").await);
    anna.to("userFollow", &ben.id).await.done("userFollow");
    cleo.to("userFollow", &ben.id).await.done("userFollow");
    ben.to("userFollow", &anna.id).await.done("userFollow");
    ben.say("one").await;
    let gone = ben.say("two").await;
    ben.delete(&gone).await.done("postDelete");
    let muted = anna.to("userMute", &ben.id).await;
    let position = muted.done("userMute")["position"].clone();
    let see = async |who: &Person, position: &Value| {
        let variables = json!({ "id": ben.id, "minPosition": position });
        who.client.graphql(PROFILE, variables).await.get("/profile").clone()
    };
    let seen = see(&anna, &position).await;
    let numbers = ["followerCount", "followingCount", "postCount"].map(|name| seen[name].clone());
    assert_eq!(numbers, [2, 1, 1].map(Value::from));
    let regards =
        ["viewerFollows", "followsViewer", "viewerBlocks", "viewerMutes"].map(|name| seen[name].as_bool().unwrap());
    assert_eq!(regards, [true, true, false, true]);
    assert_eq!(texts(&seen["posts"]), ["one"]);
    assert_eq!((handles(&seen["followers"]), handles(&seen["following"])), (vec!["cleo", "anna"], vec!["anna"]));

    let blocked = ben.to("userBlock", &anna.id).await;
    let seen = see(&anna, &blocked.done("userBlock")["position"]).await;
    assert_eq!((texts(&seen["posts"]), handles(&seen["followers"])), (vec![], vec!["cleo"]));
    let numbers = ["followerCount", "followingCount"].map(|name| seen[name].clone());
    assert_eq!(numbers, [1, 0].map(Value::from));
}

#[tokio::test]
async fn a_thread_is_a_tree_and_its_numbers_are_exact() {
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let root = anna.say("root #Tea").await;
    let (left, _) = reply(&ben, &root, "left").await;
    reply(&anna, &left, "left of left").await;
    let (right, _) = reply(&ben, &root, "right").await;
    react(&ben, "postLike", &root).await;
    react(&anna, "postLike", &root).await;
    react(&anna, "postUnlike", &root).await;
    react(&ben, "postRepost", &root).await;
    let deleted = ben.delete(&right).await;
    let position = &deleted.done("postDelete")["position"];
    let thread = ben.client.graphql(THREAD, json!({ "id": root, "minPosition": position })).await;
    let expected = json!({
        "likeCount": 1, "repostCount": 1, "replyCount": 1, "viewerHasLiked": true, "viewerHasReposted": true,
        "replies": { "nodes": [{ "text": "left", "replyCount": 1, "replies": { "nodes": [{ "text": "left of left" }] } }] },
    });
    assert_eq!(thread.get("/post"), &expected);

    let tagged = "query T($tag: String!) { hashtag(tag: $tag, first: 5) { nodes { text } pageInfo { hasNextPage } } }";
    for (tag, found) in [("#TEA", vec!["root #Tea"]), ("tea", vec!["root #Tea"]), ("cake", vec![]), ("not one", vec![])]
    {
        let answer = ben.client.graphql(tagged, json!({ "tag": tag })).await;
        assert_eq!(texts(answer.get("/hashtag")), found, "{tag}");
    }
}

#[tokio::test]
async fn a_reader_sees_posts_live_goes_away_comes_back_and_misses_nothing() {
    let server = Server::start().await;
    let (anna, ben, cleo) =
        (Person::join(&server, "anna").await, Person::join(&server, "ben").await, Person::join(&server, "cleo").await);
    anna.to("userFollow", &ben.id).await.done("userFollow");
    let before = ben.publish(json!({ "text": "before" })).await;
    let page = home(&anna, 10, &Value::Null, &before.done("postPublish")["position"]).await;
    assert_eq!(texts(page.get("/homeFeed")), ["before"]);
    let from = page.get("/homeFeed/position").clone();
    let mut socket = anna.client.web_socket().await;
    socket.subscribe("1", FEED_UPDATES, json!({ "after": from })).await;
    assert_eq!(next(&mut socket, "homeFeedUpdates").await.0, "CaughtUp", "the page had all of it");

    cleo.say("nobody follows me").await;
    ben.say("live").await;
    let (text, cursor) = next(&mut socket, "homeFeedUpdates").await;
    assert_eq!(text, "live");
    anna.to("userFollow", &cleo.id).await.done("userFollow");
    let cake = cleo.say("cake").await;
    assert_eq!(next(&mut socket, "homeFeedUpdates").await.0, "cake", "whom one follows anew is heard at once");
    drop(socket);

    react(&ben, "postRepost", &cake).await;
    for number in 0..60 {
        ben.say(&format!("missed {number}")).await;
    }
    let mut socket = anna.client.web_socket().await;
    socket.subscribe("1", FEED_UPDATES, json!({ "after": cursor })).await;
    let mut heard = Vec::new();
    while heard.len() < 63 {
        heard.push(next(&mut socket, "homeFeedUpdates").await.0);
    }
    // What the read model did not have yet when the socket was opened comes after it.
    let caught_up = heard.iter().position(|text| text == "CaughtUp").expect("it comes once");
    heard.remove(caught_up);
    let missed = (0..60).map(|number| format!("missed {number}"));
    let expected: Vec<String> = ["cake", "cake"].map(str::to_owned).into_iter().chain(missed).collect();
    assert_eq!(heard, expected, "each once and in order");

    ben.to("userBlock", &anna.id).await.done("userBlock");
    ben.say("not for anna").await;
    cleo.say("the end").await;
    assert_eq!(next(&mut socket, "homeFeedUpdates").await.0, "the end", "a block holds on what is open already");
}

#[tokio::test]
async fn whoever_looks_at_a_post_hears_of_its_numbers_and_of_its_end() {
    /// It is published, liked twice, answered, deleted.
    const CHANGES: u32 = 5;
    let server = Server::start().await;
    let (anna, ben) = (Person::join(&server, "anna").await, Person::join(&server, "ben").await);
    let post = anna.say("look").await;
    let mut socket = ben.client.web_socket().await;
    // The read models may not have it yet.
    tests::server::eventually("the post is there", async || {
        let answer = ben.client.graphql(THREAD, json!({ "id": post })).await;
        (answer.get("/post") != &Value::Null).then_some(())
    })
    .await;
    socket.subscribe("1", POST_UPDATES, json!({ "id": post })).await;
    assert_eq!(next(&mut socket, "postUpdates").await.0, "CaughtUp");
    react(&ben, "postLike", &post).await;
    react(&anna, "postLike", &post).await;
    reply(&ben, &post, "I do").await;
    // A message says what is the case when it is sent: the last change may be in it and have one of its own after it.
    let mut messages = 0;
    let mut told = async |what: &str, is_it: &dyn Fn(&Value) -> bool| loop {
        messages += 1;
        assert!(messages <= CHANGES, "{what}: more messages than changes");
        let payload = socket.next_payload().await;
        if is_it(&payload["data"]["postUpdates"]["post"]) {
            break;
        }
    };
    told("the numbers", &|now| (&now["likeCount"], &now["replyCount"]) == (&json!(2), &json!(1))).await;
    anna.delete(&post).await.done("postDelete");
    told("the end", &Value::is_null).await;

    let missing = json!({ "id": post });
    socket.subscribe("2", POST_UPDATES, missing).await;
    assert_eq!(socket.next_error_code().await, "BAD_USER_INPUT");
}
