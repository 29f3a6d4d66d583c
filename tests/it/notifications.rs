//! Inboxes over real HTTP and WebSockets: groups, what was seen and read, what is wanted, orders among them, and live.

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    server::{Server, eventually},
    shop::{self, ORDER_PLACE, ORDER_SHIP, order_input},
    social::Person,
    ws::WsClient,
};

const INBOX: &str = "query N($first: Int!, $after: Cursor, $minPosition: Position) {
    notifications(first: $first, after: $after, minPosition: $minPosition) {
        nodes { id kind subjectId count occurredAt isSeen isRead orderChange
            actors { handle viewerFollows } post { id text author { handle } likeCount } order { id status } }
        pageInfo { hasNextPage hasPreviousPage endCursor } position }
    unreadCount(minPosition: $minPosition) { count isCapped } }";
const RECEIVED: &str = "subscription R($after: Position) { notificationReceived(after: $after) {
    __typename cursor ... on NotificationReceived {
        notification { kind count isSeen actors { handle } post { text } orderChange order { status } } } } }";
const REFUND: &str = "mutation Refund($input: OrderRefundInput!) { orderRefund(input: $input) {
    order { id } position userErrors { code } } }";
const ORDER: &str = "query O($id: ID!) { order(id: $id) { status paymentStatus } }";

async fn send(client: &Client, mutation: &str, input: Value) -> Answer {
    client.graphql(mutation, json!({ "input": input })).await
}

/// Somebody's inbox once everything up to this position is in it.
async fn inbox(client: &Client, first: u32, after: &Value, min_position: &Value) -> Answer {
    let variables = json!({ "first": first, "after": after, "minPosition": min_position });
    client.graphql(INBOX, variables).await
}

async fn all(client: &Client, min_position: &Value) -> Answer {
    inbox(client, 50, &Value::Null, min_position).await
}

/// Kind and number of each group.
fn groups(answer: &Answer) -> Vec<(String, u64)> {
    let nodes = answer.get("/notifications/nodes").as_array().expect("a list");
    let word = |node: &Value| node["kind"].as_str().expect("a kind").to_owned();
    nodes.iter().map(|node| (word(node), node["count"].as_u64().expect("a number"))).collect()
}

fn group(kind: &str, count: u64) -> (String, u64) {
    (kind.to_owned(), count)
}

fn node(answer: &Answer, index: usize) -> &Value {
    answer.get(&format!("/notifications/nodes/{index}"))
}

fn handles(people: &Value) -> Vec<&str> {
    people.as_array().expect("a list").iter().map(|one| one["handle"].as_str().expect("a handle")).collect()
}

/// A mutation whose input is an id. Gives the position.
async fn act(person: &Person, mutation: &str, id: &str) -> Value {
    let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation M($input: {name}Input!) {{ {mutation}(input: $input) {{ position userErrors {{ code message field }} }} }}"
    );
    send(&person.client, &document, json!({ "id": id })).await.done(mutation)["position"].clone()
}

/// A mutation of the caller's inbox. Gives the position.
async fn mark(client: &Client, mutation: &str, input: Value) -> Value {
    let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation M($input: {name}Input!) {{ {mutation}(input: $input) {{ position userErrors {{ code message field }} }} }}"
    );
    send(client, &document, input).await.done(mutation)["position"].clone()
}

async fn people<const N: usize>(server: &Server, names: [&str; N]) -> [Person; N] {
    let mut people = Vec::new();
    for name in names {
        people.push(Person::join(server, name).await);
    }
    people.try_into().expect("as many people as names")
}

#[tokio::test]
async fn what_people_do_comes_in_groups_with_the_newest_of_them_page_by_page() {
    let server = Server::start().await;
    let [anna, ben, cleo, dora, emil] = people(&server, ["anna", "ben", "cleo", "dora", "emil"]).await;
    let (tea, cake) = (anna.say("tea").await, anna.say("cake").await);
    for one in [&anna, &ben, &cleo, &dora, &emil] {
        act(one, "postLike", &tea).await;
    }
    act(&ben, "postLike", &cake).await;
    act(&ben, "postRepost", &tea).await;
    ben.to("userFollow", &anna.id).await.done("userFollow");
    anna.to("userFollow", &emil.id).await.done("userFollow");
    let answer = ben.publish(json!({ "text": "@anna indeed", "replyToId": tea, "quotedId": cake })).await;
    let mention = cleo.publish(json!({ "text": "ask @anna and @ben" })).await;
    let position = mention.done("postPublish")["position"].clone();

    let first = inbox(&anna.client, 3, &Value::Null, &position).await;
    assert_eq!(groups(&first), [group("MENTION", 1), group("REPLY", 1), group("FOLLOW", 1)]);
    assert_eq!(node(&first, 0)["post"]["text"], "ask @anna and @ben");
    assert_eq!(
        node(&first, 1)["post"]["id"],
        answer.text("/postPublish/post/id"),
        "one notification, of three reasons"
    );
    assert_eq!((&node(&first, 2)["post"], &node(&first, 2)["subjectId"]), (&Value::Null, &json!(anna.id)));
    assert_eq!((first.get("/unreadCount/count"), first.get("/unreadCount/isCapped")), (&json!(6), &json!(false)));
    let info = first.get("/notifications/pageInfo");
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));

    // What comes meanwhile stands in front, and changes nothing about the pages that follow.
    cleo.to("userFollow", &anna.id).await.done("userFollow");
    let second = inbox(&anna.client, 3, &info["endCursor"], &position).await;
    assert_eq!(groups(&second), [group("REPOST", 1), group("LIKE", 1), group("LIKE", 4)]);
    assert_eq!(second.get("/notifications/pageInfo/hasNextPage"), false);
    let likes = node(&second, 2);
    assert_eq!(handles(&likes["actors"]), ["emil", "dora", "cleo"], "of themselves nobody is told");
    assert_eq!(likes["actors"][0]["viewerFollows"], true);
    assert_eq!((&likes["post"]["text"], &likes["post"]["likeCount"]), (&json!("tea"), &json!(5)));
    assert_eq!((&likes["subjectId"], &likes["order"]), (&json!(tea), &Value::Null));

    let theirs = all(&ben.client, &position).await;
    assert_eq!(groups(&theirs), [group("MENTION", 1)], "everybody sees their own inbox");
    let nobody = all(&dora.client, &position).await;
    assert_eq!((groups(&nobody), nobody.get("/unreadCount/count")), (vec![], &json!(0)));
    let list = "query N($first: Int!, $after: Cursor) { notifications(first: $first, after: $after) { nodes { id } } }";
    for (first, after, code) in [(101, Value::Null, "BAD_USER_INPUT"), (3, json!("bm90aGluZw"), "BAD_CURSOR")] {
        let refused = anna.client.graphql(list, json!({ "first": first, "after": after })).await;
        assert_eq!(refused.error_code(), Some(code));
    }
    let stranger = Client::new(&server.url, String::new());
    all(&stranger, &Value::Null).await.expect_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn customers_find_what_becomes_of_their_orders_among_what_people_do() {
    let server = Server::start().await;
    let operator = server.operator();
    let [anna, ben] = people(&server, ["anna", "ben"]).await;
    let post = anna.say("I ordered tea").await;
    let tea = shop::register(&operator, "TEA-1").await;
    let mut input = order_input(&tea.id, 1);
    input["paymentToken"] = json!("tok_visa");
    let order = send(&anna.client, ORDER_PLACE, input).await.text("/orderPlace/order/id");
    let is = async |field: &str, wanted: &str| {
        eventually(&format!("the order is {wanted}"), async || {
            let answer = anna.client.graphql(ORDER, json!({ "id": order })).await;
            // The read model may not have it yet.
            (answer.body.pointer(&format!("/data/order/{field}")) == Some(&json!(wanted))).then_some(())
        })
        .await;
    };
    is("status", "CONFIRMED").await;
    let confirmed = eventually("it is in the inbox", async || {
        let answer = all(&anna.client, &Value::Null).await;
        (!groups(&answer).is_empty()).then_some(answer)
    })
    .await;
    assert_eq!(
        (groups(&confirmed), &node(&confirmed, 0)["orderChange"]),
        (vec![group("ORDER", 1)], &json!("CONFIRMED"))
    );
    let liked = act(&ben, "postLike", &post).await;
    assert_eq!(groups(&all(&anna.client, &liked).await), [group("LIKE", 1), group("ORDER", 1)]);

    let shipped = send(&operator, ORDER_SHIP, json!({ "id": order })).await.done("orderShip")["position"].clone();
    let answer = all(&anna.client, &shipped).await;
    let news = node(&answer, 0);
    assert_eq!(
        (&news["orderChange"], &news["count"], &news["subjectId"]),
        (&json!("SHIPPED"), &json!(2), &json!(order))
    );
    assert_eq!((&news["order"], &news["actors"]), (&json!({ "id": order, "status": "SHIPPED" }), &json!([])));
    is("paymentStatus", "PAID").await;
    let refund = json!({ "id": order, "lines": [{ "line": 0, "quantity": 1 }], "reason": "broken" });
    send(&operator, REFUND, refund).await.done("orderRefund");
    is("paymentStatus", "REFUNDED").await;
    eventually("the refund is in the inbox", async || {
        let answer = all(&anna.client, &Value::Null).await;
        (node(&answer, 0)["orderChange"] == "REFUNDED" && node(&answer, 0)["count"] == 3).then_some(())
    })
    .await;
    assert_eq!(groups(&all(&operator, &shipped).await), [], "it is the customer's inbox, not the shop's");
}

#[tokio::test]
async fn what_was_seen_is_counted_no_longer_and_what_was_read_is_new_with_what_comes_after() {
    let server = Server::start().await;
    let [anna, ben, cleo] = people(&server, ["anna", "ben", "cleo"]).await;
    let post = anna.say("tea").await;
    act(&ben, "postLike", &post).await;
    let followed = ben.to("userFollow", &anna.id).await;
    let answer = all(&anna.client, &followed.done("userFollow")["position"]).await;
    let marks = |answer: &Answer| {
        let of = |index| ["kind", "isSeen", "isRead"].map(|name| node(answer, index)[name].clone());
        ([of(0), of(1)], answer.get("/unreadCount/count").clone())
    };
    let [follow, like] = ["FOLLOW", "LIKE"].map(|kind| [json!(kind), json!(false), json!(false)]);
    assert_eq!(marks(&answer), ([follow.clone(), like], json!(2)));

    let group = json!({ "kind": "LIKE", "subjectId": node(&answer, 1)["subjectId"] });
    let up_to = node(&answer, 1)["occurredAt"].clone();
    let position = mark(&anna.client, "notificationsMarkRead", json!({ "group": group, "upTo": up_to })).await;
    let read = [json!("LIKE"), json!(true), json!(true)];
    assert_eq!(marks(&all(&anna.client, &position).await), ([follow, read.clone()], json!(1)));
    let up_to = node(&answer, 0)["occurredAt"].clone();
    let position = mark(&anna.client, "notificationsMarkSeen", json!({ "upTo": up_to })).await;
    let seen = [json!("FOLLOW"), json!(true), json!(false)];
    assert_eq!(marks(&all(&anna.client, &position).await), ([seen.clone(), read], json!(0)));

    let position = act(&cleo, "postLike", &post).await;
    let again = all(&anna.client, &position).await;
    assert_eq!(marks(&again), ([[json!("LIKE"), json!(false), json!(false)], seen], json!(1)));
    assert_eq!((&node(&again, 0)["count"], &node(&again, 0)["id"]), (&json!(2), &node(&answer, 1)["id"]));
    let up_to = node(&again, 0)["occurredAt"].clone();
    let position = mark(&anna.client, "notificationsMarkRead", json!({ "upTo": up_to })).await;
    let done = ["LIKE", "FOLLOW"].map(|kind| [json!(kind), json!(true), json!(true)]);
    assert_eq!(marks(&all(&anna.client, &position).await), (done, json!(0)));

    let preferences = json!({ "preferences": [{ "kind": "LIKE", "isWanted": false }] });
    mark(&anna.client, "notificationPreferencesUpdate", preferences).await;
    let other = anna.say("cake").await;
    act(&ben, "postLike", &other).await;
    let preferences = json!({ "preferences": [{ "kind": "LIKE", "isWanted": true }] });
    mark(&anna.client, "notificationPreferencesUpdate", preferences).await;
    let position = act(&cleo, "postLike", &other).await;
    let wanted = all(&anna.client, &position).await;
    assert_eq!((&node(&wanted, 0)["count"], handles(&node(&wanted, 0)["actors"])), (&json!(1), vec!["cleo"]));
}

#[tokio::test]
async fn nobody_hears_of_whom_they_hide_of_what_is_gone_or_of_what_is_not_for_them() {
    let server = Server::start().await;
    let [anna, ben, cleo] = people(&server, ["anna", "ben", "cleo"]).await;
    let post = anna.say("tea").await;
    for one in [&ben, &cleo] {
        act(one, "postLike", &post).await;
    }
    ben.publish(json!({ "text": "only for you @anna", "visibility": "FOLLOWERS" })).await.done("postPublish");
    let reply = ben.publish(json!({ "text": "indeed", "replyToId": post })).await;
    let position = reply.done("postPublish")["position"].clone();
    let both = [group("REPLY", 1), group("LIKE", 2)];
    assert_eq!(groups(&all(&anna.client, &position).await), both, "what is for followers is not for her");
    for (hide, unhide, by, whom) in [
        ("userMute", "userUnmute", &anna, &ben),
        ("userBlock", "userUnblock", &anna, &ben),
        ("userBlock", "userUnblock", &ben, &anna),
    ] {
        let position = by.to(hide, &whom.id).await.done(hide)["position"].clone();
        let hidden = all(&anna.client, &position).await;
        assert_eq!(groups(&hidden), [group("LIKE", 1)], "{hide}");
        assert_eq!(handles(&node(&hidden, 0)["actors"]), ["cleo"]);
        let position = by.to(unhide, &whom.id).await.done(unhide)["position"].clone();
        assert_eq!(groups(&all(&anna.client, &position).await), both, "{unhide}");
    }
    ben.delete(&reply.text("/postPublish/post/id")).await.done("postDelete");
    let position = act(&cleo, "postUnlike", &post).await;
    assert_eq!(groups(&all(&anna.client, &position).await), [group("LIKE", 1)]);
    let deleted = anna.delete(&post).await;
    let gone = all(&anna.client, &deleted.done("postDelete")["position"]).await;
    assert_eq!((groups(&gone), gone.get("/unreadCount/count")), (vec![], &json!(0)));
}

/// What the next message of a live inbox says: `CaughtUp`, or kind and number; and its cursor.
async fn next(socket: &mut WsClient) -> (String, Value, String) {
    let payload = socket.next_payload().await;
    assert!(payload.get("errors").is_none(), "{payload}");
    let message = &payload["data"]["notificationReceived"];
    let cursor = message["cursor"].as_str().expect("a cursor").to_owned();
    let notification = &message["notification"];
    let says = match message["__typename"].as_str().expect("a message") {
        "CaughtUp" => "CaughtUp".to_owned(),
        _ => format!("{} {}", notification["kind"].as_str().expect("a kind"), notification["count"]),
    };
    (says, notification.clone(), cursor)
}

#[tokio::test]
async fn a_recipient_hears_live_goes_away_comes_back_and_misses_nothing() {
    let server = Server::start().await;
    let [anna, ben, cleo] = people(&server, ["anna", "ben", "cleo"]).await;
    let post = anna.say("tea").await;
    let before = act(&ben, "postLike", &post).await;
    let page = all(&anna.client, &before).await;
    assert_eq!(groups(&page), [group("LIKE", 1)]);
    let from = page.get("/notifications/position").clone();
    let mut socket = anna.client.web_socket().await;
    socket.subscribe("1", RECEIVED, json!({ "after": from })).await;
    assert_eq!(next(&mut socket).await.0, "CaughtUp", "the page had all of it");

    ben.say("of no concern").await;
    act(&cleo, "postLike", &post).await;
    let (says, notification, _) = next(&mut socket).await;
    assert_eq!((says.as_str(), handles(&notification["actors"])), ("LIKE 2", vec!["cleo", "ben"]));
    assert_eq!((&notification["post"]["text"], &notification["isSeen"]), (&json!("tea"), &json!(false)));
    let operator = server.operator();
    let tea = shop::register(&operator, "TEA-1").await;
    let mut input = order_input(&tea.id, 1);
    input["paymentToken"] = json!("tok_visa");
    send(&anna.client, ORDER_PLACE, input).await.done("orderPlace");
    let (says, notification, cursor) = next(&mut socket).await;
    assert_eq!((says.as_str(), &notification["orderChange"]), ("ORDER 1", &json!("CONFIRMED")));
    assert_eq!(notification["order"]["status"], "CONFIRMED");
    drop(socket);

    for number in 0..60 {
        ben.say(&format!("@anna missed {number}")).await;
    }
    act(&cleo, "postRepost", &post).await;
    let mut socket = anna.client.web_socket().await;
    socket.subscribe("1", RECEIVED, json!({ "after": cursor })).await;
    let mut heard = Vec::new();
    while heard.len() < 62 {
        let (says, notification, _) = next(&mut socket).await;
        heard.push(notification["post"]["text"].as_str().map_or(says, str::to_owned));
    }
    // What the read model did not have yet when the socket was opened comes after it.
    let caught_up = heard.iter().position(|text| text == "CaughtUp").expect("it comes once");
    heard.remove(caught_up);
    let mut expected: Vec<String> = (0..60).map(|number| format!("@anna missed {number}")).collect();
    expected.push("tea".to_owned());
    assert_eq!(heard, expected, "each once and in order");

    ben.to("userBlock", &anna.id).await.done("userBlock");
    ben.say("@anna not for you").await;
    cleo.to("userFollow", &anna.id).await.done("userFollow");
    assert_eq!(next(&mut socket).await.0, "FOLLOW 1", "a block holds on what is open already");
    let stranger = ben.client.web_socket();
    let mut stranger = stranger.await;
    stranger.subscribe("1", RECEIVED, json!({ "after": from })).await;
    assert_eq!(next(&mut stranger).await.0, "CaughtUp", "nobody hears of another's inbox");
}
