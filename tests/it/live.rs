//! Live updates over WebSocket and SSE against the real binary: every change exactly once, whatever happens between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tests::{
    client::Client,
    log::{ORDER_FIELDS, position_of, position_token},
    server::{Server, Start, temp_dir},
    shop::{self, Done},
    sse::SseClient,
    updates::{ORDER_UPDATES, ORDERS_UPDATES, Update},
    ws::{WsClient, WsMessage},
};
use tokio::task::JoinSet;

/// A WebSocket on which one order is watched, from `after` on if given.
async fn watch(client: &Client, order: &str, after: Option<&str>) -> WsClient {
    let mut socket = client.web_socket().await;
    socket.subscribe("1", ORDER_UPDATES, json!({ "id": order, "after": after })).await;
    socket
}

/// A WebSocket on which all orders are watched.
async fn watch_all(operator: &Client, filter: Value, after: Option<&str>) -> WsClient {
    let mut socket = operator.web_socket().await;
    socket.subscribe("1", ORDERS_UPDATES, json!({ "where": filter, "after": after })).await;
    socket
}

/// Waits for the read model. What it has not seen yet is not "before" to a subscription that begins now, but live.
async fn is_visible(client: &Client, done: &Done) {
    let variables = json!({ "id": done.id, "minPosition": done.position });
    client.graphql(shop::ORDER, variables).await.text("/order/id");
}

/// Sells a piece of tea to Alice, and waits until everybody sees it.
async fn shop_with_an_order(server: &Server) -> (Client, Client, Done) {
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await;
    is_visible(&alice, &order).await;
    (operator, alice, order)
}

#[tokio::test]
async fn from_mutation_to_query_to_both_transports_and_back_after_a_lost_connection() {
    let server = Server::start().await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let query = format!("query($id: ID!, $p: Position) {{ order(id: $id, minPosition: $p) {{ {ORDER_FIELDS} }} }}");
    let seen = alice.graphql(&query, json!({ "id": order.id, "p": order.position })).await;
    assert_eq!(seen.get("/order/status"), "PLACED");

    // Watch from before the placement: the replay shows it, then the live part begins.
    let start = position_token(0);
    let variables = json!({ "id": order.id, "after": start });
    let mut socket = watch(&alice, &order.id, Some(&start)).await;
    let mut stream = alice.event_stream(ORDER_UPDATES, variables.clone(), None).await;
    assert_eq!(socket.next_summaries(2).await, ["PLACED 0", "CAUGHT UP"]);
    assert_eq!(stream.next_summaries(2).await, ["PLACED 0", "CAUGHT UP"]);
    shop::ship(&operator, &order.id).await;
    let by_socket = socket.next_update().await;
    let by_stream = stream.next_update().await;
    assert_eq!(by_socket, by_stream);
    assert_eq!(by_socket.summary(), "SHIPPED 1");

    // The connections break; the order goes on meanwhile.
    drop(socket);
    drop(stream);
    let delivered = shop::deliver(&operator, &order.id).await;
    is_visible(&alice, &delivered).await;

    let mut socket = watch(&alice, &order.id, Some(by_socket.cursor())).await;
    let mut stream = alice.event_stream(ORDER_UPDATES, variables, Some(by_stream.cursor())).await;
    assert_eq!(socket.next_summaries(2).await, ["DELIVERED 2", "CAUGHT UP"]);
    assert_eq!(stream.next_summaries(2).await, ["DELIVERED 2", "CAUGHT UP"]);
    // Nothing more: the next word is the answer to the end.
    socket.complete("1").await;
    socket.subscribe("2", "{ ping(message: \"still there\") }", json!({})).await;
    let payload = json!({ "data": { "ping": "still there" } });
    assert_eq!(socket.next().await, WsMessage::Next { id: "2".to_owned(), payload });
    assert_eq!(socket.next().await, WsMessage::Complete { id: "2".to_owned() });
}

#[tokio::test]
async fn without_a_cursor_a_subscription_begins_now_and_says_so() {
    let server = Server::start().await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let mut socket = watch(&alice, &order.id, None).await;
    let caught_up = socket.next_update().await;
    assert_eq!(caught_up.summary(), "CAUGHT UP");
    assert!(caught_up.position() >= position_of(&order.position));
    shop::cancel(&operator, &order.id).await;
    assert_eq!(socket.next_update().await.summary(), "CANCELLED 1");
}

#[tokio::test]
async fn a_mutations_position_is_a_cursor() {
    let server = Server::start().await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let shipped = shop::ship(&operator, &order.id).await;
    is_visible(&alice, &shipped).await;
    let mut socket = watch(&alice, &order.id, Some(&order.position)).await;
    let update = socket.next_update().await;
    assert_eq!((update.summary().as_str(), update.cursor()), ("SHIPPED 1", shipped.position.as_str()));
    assert_eq!(socket.next_update().await.summary(), "CAUGHT UP");
}

#[tokio::test]
async fn operators_watch_the_orders_that_a_filter_lets_through() {
    let server = Server::start().await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let tea = operator.graphql("{ product(sku: \"TEA-1\") { id } }", json!({})).await.text("/product/id");
    let filter = json!({ "status": ["SHIPPED", "CANCELLED"] });
    let mut socket = watch_all(&operator, filter.clone(), Some(&position_token(0))).await;
    assert_eq!(socket.next_summaries(1).await, ["CAUGHT UP"]);
    let other = shop::place(&alice, &tea).await;
    shop::ship(&operator, &order.id).await;
    shop::deliver(&operator, &order.id).await;
    let last = shop::cancel(&alice, &other.id).await;
    let live = [socket.next_update().await, socket.next_update().await];
    assert_eq!(live.each_ref().map(Update::summary), ["SHIPPED 1", "CANCELLED 1"]);
    assert_eq!(live[1].cursor(), last.position);

    // The replay lets the same through as the live part did.
    let mut replay = watch_all(&operator, filter, Some(&position_token(0))).await;
    assert_eq!([replay.next_update().await, replay.next_update().await], live);
    assert_eq!(replay.next_update().await.summary(), "CAUGHT UP");

    let mut refused = watch_all(&alice, json!({}), None).await;
    assert_eq!(refused.next_error_code().await, "FORBIDDEN");
}

#[tokio::test]
async fn equal_subscribers_get_the_same() {
    let server = Server::start().await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let mut first = watch(&alice, &order.id, None).await;
    let mut second = watch(&alice, &order.id, None).await;
    let mut stream = alice.event_stream(ORDER_UPDATES, json!({ "id": order.id }), None).await;
    for caught_up in [first.next_update().await, second.next_update().await, stream.next_update().await] {
        assert_eq!(caught_up.summary(), "CAUGHT UP");
    }
    let shipped = shop::ship(&operator, &order.id).await;
    is_visible(&alice, &shipped).await;
    let shipped = first.next_update().await;
    assert_eq!(shipped.summary(), "SHIPPED 1");
    assert_eq!([second.next_update().await, stream.next_update().await], [shipped.clone(), shipped]);
    // One who joins later shares what follows.
    let mut late = watch(&alice, &order.id, None).await;
    assert_eq!(late.next_update().await.summary(), "CAUGHT UP");
    shop::deliver(&operator, &order.id).await;
    let delivered = first.next_update().await;
    assert_eq!(delivered.summary(), "DELIVERED 2");
    assert_eq!(second.next_update().await, delivered);
    assert_eq!(late.next_update().await, delivered);
    assert_eq!(stream.next_update().await, delivered);
}

#[tokio::test]
async fn what_nobody_may_watch_is_refused_with_a_code() {
    let server = Server::start().await;
    let (_, alice, order) = shop_with_an_order(&server).await;
    let mallory = server.customer("mallory");
    // A foreign order and one that does not exist look the same.
    let missing = tests::log::global_id("order", "01900000-0000-7000-8000-000000000001");
    let mut messages = Vec::new();
    for id in [&order.id, &missing] {
        let mut socket = watch(&mallory, id, None).await;
        let said = socket.next().await;
        messages.push(format!("{said:?}"));
        assert!(messages[0].contains("BAD_USER_INPUT"), "{said:?}");
    }
    assert_eq!(messages[0], messages[1]);

    let future = position_token(position_of(&order.position) + 1);
    let mut socket = watch(&alice, &order.id, Some(&future)).await;
    assert_eq!(socket.next_error_code().await, "BAD_CURSOR");
    let variables = json!({ "id": order.id });
    let mut stream = alice.event_stream(ORDER_UPDATES, variables.clone(), Some(&future)).await;
    let event = stream.next().await.expect("an event");
    assert_eq!(event.data["errors"][0]["extensions"]["code"], "BAD_CURSOR", "{event:?}");
    assert_eq!(stream.next().await.map(|event| event.kind).as_deref(), Some("complete"));
    let answer = SseClient::ask(&alice, ORDER_UPDATES, variables.clone(), Some(&"x".repeat(300))).await;
    assert_eq!(answer.status(), 422);
    let forged = Client::new(&server.url, format!("{}x", alice.token));
    let answer = SseClient::ask(&forged, ORDER_UPDATES, variables, None).await;
    assert_eq!(answer.status(), 401);
    let mut socket = WsClient::open(&server.url).await;
    socket.init(&forged.token).await;
    assert_eq!(socket.next().await, WsMessage::Closed(4403));
}

/// Places and changes orders without a pause until it is told to stop.
fn write_at_full_speed(server: &Server, product: &str, writers: usize) -> (JoinSet<()>, Arc<AtomicBool>) {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let customer = server.customer(&format!("customer-{writer}"));
        let (operator, product, is_over) = (server.operator(), product.to_owned(), Arc::clone(&is_over));
        tasks.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let order = shop::place(&customer, &product).await;
                shop::ship(&operator, &order.id).await;
                shop::deliver(&operator, &order.id).await;
            }
        });
    }
    (tasks, is_over)
}

/// What the log holds after this position, as subscribers should hear of it.
fn expected(server: &Server, after: u64, until: u64) -> Vec<(u64, String, u64)> {
    let events = server.events(after).into_iter();
    let orders = events.filter(|event| event.stream.starts_with("order-") && event.position <= until);
    orders.map(|event| (event.position, event.object(), event.revision)).collect()
}

/// A position of the log, or its beginning, a good while before this one.
fn earlier(server: &Server, position: u64) -> u64 {
    const EVENTS: usize = 100;
    let log = server.events(0);
    let seen = log.iter().take_while(|event| event.position <= position).count();
    seen.checked_sub(EVENTS + 1).map_or(0, |index| log[index].position)
}

fn heard(update: &Update) -> Option<(u64, String, u64)> {
    match update {
        Update::Changed { order, version, .. } => Some((update.position(), order.clone(), *version)),
        Update::CaughtUp { .. } => None,
        Update::Gap { .. } => panic!("a gap: {update:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_while_changes_stream_in_misses_nothing_and_hears_nothing_twice() {
    const JOINS: usize = 12;
    const MESSAGES_WANTED: usize = 150;
    let server = Arc::new(Server::start().await);
    let operator = server.operator();
    let tea = shop::register(&operator, "TEA-1").await;
    let (mut writers, is_over) = write_at_full_speed(&server, &tea.id, 4);

    // One after the other, so that each joins at another moment of the stream; some from the beginning, some from
    // now. Each leaves in the middle once, and resumes.
    let mut watchers = JoinSet::new();
    for join in 0..JOINS {
        // Of one subject, the server takes a handful of sockets only.
        let (server, operator) = (Arc::clone(&server), server.operator_called(&format!("operator-{join}")));
        watchers.spawn(async move {
            let mut socket = watch_all(&operator, json!({}), None).await;
            let begin = socket.next_update().await;
            assert_eq!(begin.summary(), "CAUGHT UP");
            let begin = if join % 2 == 0 { begin.position() } else { earlier(&server, begin.position()) };
            let mut all = Vec::new();
            let mut cursor = position_token(begin);
            for _ in 0..2 {
                drop(socket);
                socket = watch_all(&operator, json!({}), Some(&cursor)).await;
                let mut caught_up = 0;
                let mut count = 0;
                while count < MESSAGES_WANTED {
                    let update = socket.next_update().await;
                    cursor = update.cursor().to_owned();
                    match heard(&update) {
                        Some(message) => {
                            all.push(message);
                            count += 1;
                        }
                        None => caught_up += 1,
                    }
                }
                assert_eq!(caught_up, 1, "a subscription catches up once");
            }
            let until = all.last().expect("there are messages").0;
            assert_eq!(all, expected(&server, begin, until));
        });
        tokio::time::sleep(Duration::from_millis(37)).await;
    }
    while let Some(watched) = watchers.join_next().await {
        if let Err(error) = watched {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(wrote) = writers.join_next().await {
        wrote.expect("a writer ends well");
    }
}

/// Everything about every order that changes: tens of kilobytes for a large one.
const LARGE_UPDATES: &str = "subscription($after: Position) { ordersUpdates(after: $after) {
    __typename cursor ... on OrderChanged { kind version order { id version status
        lines { sku name quantity unitPrice { amount currencyCode } total { amount currencyCode } } } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_who_does_not_read_is_cut_off_alone_and_resumes_without_a_hole() {
    const ORDERS: usize = 300;
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut slow = WsClient::connect_with_little_room(&server.url, &operator.token).await;
    slow.subscribe("1", LARGE_UPDATES, json!({})).await;
    let begin = slow.next_update().await.position();
    let mut quick = operator.web_socket().await;
    quick.subscribe("1", LARGE_UPDATES, json!({})).await;
    quick.next_update().await;
    let reader = JoinSet::from_iter([async move {
        let mut all = Vec::new();
        while all.len() < 2 * ORDERS {
            all.extend(heard(&quick.next_update().await));
        }
        all
    }]);

    let line = json!({ "productId": tea.id, "quantity": 1 });
    let input = json!({ "lines": vec![line; 120] });
    for _ in 0..ORDERS {
        let answer = alice.graphql(shop::ORDER_PLACE, json!({ "input": input })).await;
        let order = answer.done("orderPlace")["order"]["id"].as_str().expect("an id").to_owned();
        shop::cancel(&alice, &order).await;
    }
    let log = expected(&server, begin, u64::MAX);
    assert_eq!(log.len(), 2 * ORDERS);
    // Whoever reads, hears everything, however slow others are.
    assert_eq!(reader.join_all().await.concat(), log);

    // What the slow one gets is whole as far as it goes, and ends with a word on where to go on, or, if it kept the
    // server waiting for too long, with the end of the socket.
    let mut all = Vec::new();
    let mut cursor = position_token(begin);
    loop {
        match slow.next().await {
            WsMessage::Next { payload, .. } if payload.get("errors").is_none() => {
                let update = Update::of(&payload);
                update.cursor().clone_into(&mut cursor);
                all.extend(heard(&update));
            }
            WsMessage::Error { errors, .. } => {
                let extensions = &errors[0]["extensions"];
                assert_eq!(extensions["code"], "CONSUMER_TOO_SLOW", "{errors}");
                assert_eq!(extensions["lastCursor"], json!(cursor), "{errors}");
                break;
            }
            WsMessage::Closed(1006) => break,
            other @ (WsMessage::Next { .. } | WsMessage::Ack | WsMessage::Complete { .. } | WsMessage::Closed(_)) => {
                panic!("unexpected: {other:?}")
            }
        }
        assert!(all.len() < log.len(), "the slow subscriber was not cut off");
    }
    assert_eq!(all, log[..all.len()]);
    let mut resumed = operator.web_socket().await;
    resumed.subscribe("1", LARGE_UPDATES, json!({ "after": cursor })).await;
    while let Some(message) = heard(&resumed.next_update().await) {
        all.push(message);
    }
    assert_eq!(all, log);
}

#[tokio::test]
async fn a_stop_says_come_back_and_the_client_resumes_after_it() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let mut socket = watch(&alice, &order.id, Some(&order.position)).await;
    let cursor = socket.next_update().await;
    assert_eq!(cursor.summary(), "CAUGHT UP");
    let mut stream = alice.event_stream(ORDER_UPDATES, json!({ "id": order.id }), None).await;
    assert_eq!(stream.next_update().await.summary(), "CAUGHT UP");
    server.ask_to_stop();
    assert_eq!(socket.next().await, WsMessage::Closed(1012));
    assert_eq!(stream.next().await, None, "the stream ends without the word that the operation is over");
    server.stopped().await;

    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (operator.at(&server.url), alice.at(&server.url));
    let shipped = shop::ship(&operator, &order.id).await;
    is_visible(&alice, &shipped).await;
    let mut socket = watch(&alice, &order.id, Some(cursor.cursor())).await;
    assert_eq!(socket.next_summaries(2).await, ["SHIPPED 1", "CAUGHT UP"]);
    shop::deliver(&operator, &order.id).await;
    assert_eq!(socket.next_update().await.summary(), "DELIVERED 2");
}

#[tokio::test]
async fn a_kill_loses_nothing_that_a_subscriber_could_have_heard() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let mut socket = watch(&alice, &order.id, Some(&order.position)).await;
    assert_eq!(socket.next_update().await.summary(), "CAUGHT UP");
    shop::ship(&operator, &order.id).await;
    let shipped = socket.next_update().await;
    server.kill9();
    assert_eq!(socket.next().await, WsMessage::Closed(1006));

    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (operator.at(&server.url), alice.at(&server.url));
    let delivered = shop::deliver(&operator, &order.id).await;
    is_visible(&alice, &delivered).await;
    let mut socket = watch(&alice, &order.id, Some(shipped.cursor())).await;
    assert_eq!(socket.next_summaries(2).await, ["DELIVERED 2", "CAUGHT UP"]);
}

#[tokio::test]
async fn a_rebuild_in_the_middle_is_not_seen_by_subscribers() {
    let server = Server::start().await;
    let (operator, alice, order) = shop_with_an_order(&server).await;
    let mut socket = watch(&alice, &order.id, Some(&position_token(0))).await;
    assert_eq!(socket.next_summaries(2).await, ["PLACED 0", "CAUGHT UP"]);
    server.millrace(&["rebuild", "order_summary"]).ok();
    shop::ship(&operator, &order.id).await;
    server.millrace(&["rebuild", "order_summary"]).ok();
    shop::deliver(&operator, &order.id).await;
    assert_eq!(socket.next_summaries(2).await, ["SHIPPED 1", "DELIVERED 2"]);
}
