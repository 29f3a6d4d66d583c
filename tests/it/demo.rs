//! `millrace demo`, the real binary: a shop comes to life, everything that can happen in it happens, people talk, and it ends
//! well.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{
    binary,
    client::Client,
    server::{Server, Start, eventually, temp_dir},
};

/// The first orders that a filter finds, with what says what became of them.
const ORDERS: &str = "query O($where: OrderWhere!) { orders(first: 50, where: $where) {
    nodes { id cancelReason shipments { number } refunds { status } } } }";

/// Who follows the best known of all, what these post, and what becomes of it.
const CIRCLE: &str = "{ profile(handle: \"mia_1\") { displayName followerCount followers(first: 12) { nodes {
    followerCount posts(first: 10) { nodes {
        isReply mentions { handle } hashtags likeCount replyCount repostOf { id } } } } } } }";
/// A home feed.
const HOME: &str = "{ homeFeed(first: 50) { nodes { id author { handle } } position } }";
const LIVE: &str = "subscription L($after: Position!) { homeFeedUpdates(after: $after) {
    __typename ... on HomeFeedPosted { post { id author { handle } } } } }";

/// Whether a post is of some kind.
type IsIt = fn(&Value) -> bool;

fn demo(rate: &str, more: &[&str]) -> Start {
    let arguments = ["demo", "--rate", rate, "--customers", "5", "--people", "12", "--seed", "7"];
    Start { arguments: arguments.iter().chain(more).map(Into::into).collect(), ..Start::default() }
}

async fn orders(operator: &Client, filter: Value) -> Vec<Value> {
    let answer = operator.graphql(ORDERS, json!({ "where": filter })).await;
    answer.get("/orders/nodes").as_array().expect("a list").clone()
}

/// Waits until there is an order that the filter finds and that is as `is` wants it.
async fn sees(operator: &Client, what: &str, filter: Value, is: impl Fn(&Value) -> bool) -> Vec<Value> {
    eventually(what, async || {
        let found: Vec<Value> = orders(operator, filter.clone()).await.into_iter().filter(|order| is(order)).collect();
        (!found.is_empty()).then_some(found)
    })
    .await
}

fn ids(orders: &[Value]) -> BTreeSet<String> {
    orders.iter().map(|order| order["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_demonstration_shows_everything_that_can_happen_ends_well_and_goes_on() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), demo("60", &[])).await;
    let operator = server.operator();
    sees(&operator, "an order is confirmed", json!({ "status": ["CONFIRMED"] }), |_| true).await;
    let out_of_stock = |order: &Value| order["cancelReason"] == "INSUFFICIENT_STOCK";
    sees(&operator, "stock runs out", json!({ "status": ["CANCELLED"] }), out_of_stock).await;
    let changed = |order: &Value| order["cancelReason"] == "CUSTOMER_REQUEST";
    sees(&operator, "somebody cancels", json!({ "status": ["CANCELLED"] }), changed).await;
    sees(&operator, "a card is declined", json!({ "paymentStatus": ["DECLINED"] }), |_| true).await;
    sees(&operator, "an order leaves the house", json!({ "status": ["SHIPPED"] }), |_| true).await;
    let is_split = |order: &Value| order["shipments"].as_array().is_some_and(|all| all.len() == 2);
    sees(&operator, "one leaves it in two shipments", json!({ "status": ["SHIPPED", "DELIVERED"] }), is_split).await;
    let returned = json!({ "fulfilmentStatus": ["RETURNED"], "paymentStatus": ["REFUNDED"] });
    let returned = sees(&operator, "one comes back and is paid back", returned, |_| true).await;
    server.stop().await;

    let verified = binary::millrace(["verify".as_ref(), "--data-dir".as_ref(), data.path().as_os_str()]);
    assert_eq!(verified.code, 0, "{verified:?}");

    let server = Server::start_in(data.path(), demo("60", &["--for", "4"])).await;
    let operator = server.operator();
    let known = orders(&operator, json!({ "fulfilmentStatus": ["RETURNED"], "paymentStatus": ["REFUNDED"] })).await;
    assert!(ids(&known).is_superset(&ids(&returned)) || known.len() == 50, "what was there is there: {known:?}");
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "it ends by itself: {log}");
}

/// The list at this place of an answer.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[tokio::test]
async fn people_of_a_demonstration_follow_each_other_and_talk_and_feeds_fill() {
    const READER: &str = "aiko_3";
    let data = temp_dir();
    let start = || demo("5", &[]);
    let server = Server::start_in(data.path(), start()).await;
    // One of the customers: whoever buys talks, too.
    let reader = server.customer("customer-3");
    let is_of_another = |post: &Value| post["author"]["handle"].as_str().is_some_and(|handle| handle != READER);
    let feed = eventually("a home feed has what others post", async || {
        let feed = reader.graphql(HOME, Value::Null).await.body;
        let posts = list(&feed, "/data/homeFeed/nodes");
        (posts.iter().filter(|post| is_of_another(post)).count() >= 3).then_some(feed)
    })
    .await;

    let mut socket = reader.web_socket().await;
    let known = ids(list(&feed, "/data/homeFeed/nodes"));
    socket.subscribe("1", LIVE, json!({ "after": feed["data"]["homeFeed"]["position"] })).await;
    loop {
        let payload = socket.next_payload().await;
        let post = &payload["data"]["homeFeedUpdates"]["post"];
        if is_of_another(post) {
            assert!(!known.contains(post["id"].as_str().expect("an id")), "it was in the feed: {payload}");
            break;
        }
    }
    drop(socket);

    let happens: [(&str, IsIt); 5] = [
        ("somebody likes a post", |post| post["likeCount"].as_u64().is_some_and(|count| count > 0)),
        ("a post is answered", |post| post["isReply"] == true),
        ("somebody is mentioned", |post| !list(post, "/mentions").is_empty()),
        ("a post has a hashtag", |post| !list(post, "/hashtags").is_empty()),
        ("a post is shown to others", |post| !post["repostOf"].is_null()),
    ];
    for (what, is_it) in happens {
        eventually(what, async || {
            let circle = reader.graphql(CIRCLE, Value::Null).await.body;
            let people = list(&circle, "/data/profile/followers/nodes");
            people.iter().flat_map(|person| list(person, "/posts/nodes")).any(is_it).then_some(())
        })
        .await;
    }
    let known = eventually("the first person has more followers than most of them", async || {
        let circle = reader.graphql(CIRCLE, Value::Null).await.body;
        let first = circle["data"]["profile"]["followerCount"].as_u64().unwrap_or(0);
        let people = list(&circle, "/data/profile/followers/nodes");
        let fewer = people.iter().filter(|person| person["followerCount"].as_u64().is_some_and(|count| count < first));
        (first >= 6 && fewer.count() * 2 > people.len()).then(|| circle["data"]["profile"]["displayName"].clone())
    })
    .await;
    server.stop().await;

    let server = Server::start_in(data.path(), start()).await;
    let reader = reader.at(&server.url);
    let circle = reader.graphql(CIRCLE, Value::Null).await;
    assert_eq!(circle.get("/profile/displayName"), &known, "who was there is there");
    let before = ids(list(&reader.graphql(HOME, Value::Null).await.body, "/data/homeFeed/nodes"));
    eventually("they go on", async || {
        let feed = reader.graphql(HOME, Value::Null).await.body;
        (!ids(list(&feed, "/data/homeFeed/nodes")).is_subset(&before)).then_some(())
    })
    .await;
    server.stop().await;
    let verified = binary::millrace(["verify".as_ref(), "--data-dir".as_ref(), data.path().as_os_str()]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn a_demonstration_leaves_the_data_of_a_real_shop_alone() {
    let data = temp_dir();
    std::fs::write(data.path().join("events.db"), "").expect("a file");
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--data-dir"].map(std::ffi::OsStr::new);
    let refused = binary::millrace(arguments.into_iter().chain([data.path().as_os_str()]));
    assert_eq!((refused.code, refused.stderr.contains("error[DEMO_REFUSED]")), (2, true), "{refused:?}");
}
