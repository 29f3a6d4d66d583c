//! `graphql-transport-ws` as clients see it, over real sockets.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::CloseFrame},
};

use crate::edge::testing::Setup;

const ENDLESS: &str = "subscription{count(to:100000,millis:1){number}}";
const QUIET: &str = "subscription{count(to:1,millis:60000){number}}";

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn open(address: SocketAddr) -> Self {
        Self(upgrade(address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.expect("an upgrade"))
    }

    /// Opens and signs in.
    async fn ready(address: SocketAddr, token: &str) -> Self {
        let mut client = Self::open(address).await;
        client
            .say(&json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } }))
            .await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn say(&mut self, message: &Value) {
        self.say_raw(Message::text(message.to_string())).await;
    }

    async fn say_raw(&mut self, message: Message) {
        self.0.send(message).await.expect("the socket is open");
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(&json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    async fn next(&mut self) -> Message {
        loop {
            match timeout(Duration::from_secs(10), self.0.next()).await.expect("something happens") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return message,
                other => panic!("no message: {other:?}"),
            }
        }
    }

    async fn hear(&mut self) -> Value {
        let message = self.next().await;
        let Message::Text(text) = message else { panic!("no text: {message:?}") };
        serde_json::from_str(&text).expect("JSON")
    }

    /// Why the server closes, after whatever else it still says.
    async fn close(&mut self) -> (u16, String) {
        loop {
            let message = self.next().await;
            if let Message::Close(Some(CloseFrame { code, reason })) = message {
                return (code.into(), reason.to_string());
            }
            assert!(message.is_text(), "not closed: {message:?}");
        }
    }
}

async fn upgrade(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
    let mut request = format!("ws://{address}/graphql").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn refused(address: SocketAddr, headers: &[(&'static str, &str)]) -> u16 {
    match upgrade(address, headers).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(Error::Protocol(error)) => panic!("upgraded, but {error}"),
        other => panic!("not refused: {other:?}"),
    }
}

fn setup(change: impl FnOnce(&mut Setup)) -> Setup {
    let mut setup = Setup::new();
    change(&mut setup);
    setup
}

fn expected(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn a_subscription_delivers_and_completes() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    client.subscribe("a\"b", "subscription{count(to:2){number}}").await;
    for number in 1..=2 {
        let payload = json!({ "data": { "count": { "number": number } } });
        assert_eq!(client.hear().await, json!({ "id": "a\"b", "type": "next", "payload": payload }));
    }
    assert_eq!(client.hear().await, json!({ "id": "a\"b", "type": "complete" }));
}

#[tokio::test]
async fn queries_and_mutations_are_executed_too() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    for (id, query, data) in
        [("1", "{hello}", json!({ "hello": "world" })), ("2", "mutation{echo(value:4)}", json!({ "echo": 4 }))]
    {
        client.subscribe(id, query).await;
        assert_eq!(client.hear().await, json!({ "id": id, "type": "next", "payload": { "data": data } }));
        assert_eq!(client.hear().await, json!({ "id": id, "type": "complete" }));
    }
    let payload = json!({ "query": "query A($v:Int!){echo(value:$v)} query B{hello}", "operationName": "A",
        "variables": { "v": 5 }, "extensions": null });
    client.say(&json!({ "id": "3", "type": "subscribe", "payload": payload })).await;
    assert_eq!(client.hear().await["payload"], json!({ "data": { "echo": 5 } }));
}

#[tokio::test]
async fn what_is_wrong_with_an_operation_ends_that_operation_only() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    for (query, code) in [
        ("{".to_owned(), "GRAPHQL_PARSE_FAILED"),
        ("{unknown}".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{unknown}".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{forbidden count(to:1){number}}".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{forbidden}".to_owned(), "FORBIDDEN"),
        (format!("{{a(x:{}", "[".repeat(20_000)), "DOCUMENT_TOO_COMPLEX"),
        ("{panics}".to_owned(), "INTERNAL"),
        ("mutation{panics}".to_owned(), "INTERNAL"),
    ] {
        client.subscribe("1", &query).await;
        let message = client.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{message}");
    }
    client.subscribe("1", "{hello}").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn only_the_one_protocol_is_spoken() {
    let address = Setup::new().listen().await;
    assert_eq!(refused(address, &[]).await, 400);
    for protocol in ["graphql-ws", "subscriptions-transport-ws", "graphql-transport-ws2"] {
        assert_eq!(refused(address, &[("sec-websocket-protocol", protocol)]).await, 400, "{protocol}");
    }
    let both = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    assert!(upgrade(address, &both).await.is_ok());
}

#[tokio::test]
async fn pages_from_elsewhere_do_not_get_a_socket() {
    let address = Setup::new().listen().await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    assert_eq!(refused(address, &[protocol, ("origin", "https://evil.example")]).await, 403);
    assert_eq!(refused(address, &[protocol, ("origin", "null")]).await, 403);
    assert_eq!(refused(address, &[protocol, ("host", "evil.example")]).await, 403);
    assert!(upgrade(address, &[protocol, ("origin", "https://shop.example")]).await.is_ok());
}

#[tokio::test]
async fn a_message_the_protocol_does_not_know_closes_with_4400() {
    let address = Setup::new().listen().await;
    let deep = format!(r#"{{"type":"ping","payload":{}"#, "[".repeat(50_000));
    for text in [
        "",
        "x",
        "[]",
        "null",
        "{}",
        r#"{"type":1}"#,
        r#"{"type":"start"}"#,
        r#"{"type":"connection_terminate"}"#,
        r#"{"type":"ping","payload":1}"#,
        r#"{"type":"complete"}"#,
        r#"{"type":"subscribe","payload":{"query":"{hello}"}}"#,
        r#"{"id":1,"type":"subscribe","payload":{"query":"{hello}"}}"#,
        r#"{"id":"","type":"subscribe","payload":{"query":"{hello}"}}"#,
        r#"{"id":"1","type":"subscribe"}"#,
        r#"{"id":"1","type":"subscribe","payload":{"query":7}}"#,
        &deep,
    ] {
        let mut client = Client::ready(address, "token-ann").await;
        client.say_raw(Message::text(text)).await;
        assert_eq!(client.close().await.0, 4400, "{text:.80}");
    }
    let mut client = Client::open(address).await;
    client.say_raw(Message::binary(&b"{}"[..])).await;
    assert_eq!(client.close().await.0, 4400);
}

#[tokio::test]
async fn a_close_reason_fits_its_frame() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    let id = "é".repeat(64);
    client.subscribe(&id, QUIET).await;
    client.subscribe(&id, QUIET).await;
    let (code, reason) = client.close().await;
    assert!(code == 4409 && reason.starts_with("Subscriber for éé") && reason.len() <= 123, "{reason}");
}

#[tokio::test]
async fn an_operation_before_the_handshake_closes_with_4401() {
    let mut client = Client::open(Setup::new().listen().await).await;
    client.subscribe("1", "{hello}").await;
    assert_eq!(client.close().await, expected(4401, "Unauthorized"));
}

#[tokio::test]
async fn a_bad_token_closes_with_4403_and_no_explanation() {
    let address = Setup::new().listen().await;
    for payload in [
        Value::Null,
        json!({}),
        json!({ "Authorization": "Bearer forged" }),
        json!({ "Authorization": "token-ann" }),
        json!({ "Authorization": 7 }),
        json!({ "token": "forged" }),
        json!({ "authorization": "Bearer forged", "token": "token-ann" }),
    ] {
        let mut client = Client::open(address).await;
        client.say(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.close().await, expected(4403, "Forbidden"), "{payload}");
    }
}

#[tokio::test]
async fn the_token_comes_in_whatever_way_clients_send_it() {
    let address = Setup::new().listen().await;
    for payload in [
        json!({ "authorization": "bearer token-ann" }),
        json!({ "AUTHORIZATION": "Bearer token-ann" }),
        json!({ "token": "token-ann" }),
    ] {
        let mut client = Client::open(address).await;
        client.say(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }), "{payload}");
    }
}

#[tokio::test]
async fn no_handshake_in_time_closes_with_4408() {
    let setup = setup(|setup| setup.limits.socket.init_timeout = Duration::from_millis(50));
    let mut client = Client::open(setup.listen().await).await;
    client.say(&json!({ "type": "ping" })).await;
    assert_eq!(client.close().await, expected(4408, "Connection initialisation timeout"));
}

#[tokio::test]
async fn a_second_handshake_closes_with_4429() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    client.say(&json!({ "type": "connection_init", "payload": { "token": "token-ann" } })).await;
    assert_eq!(client.close().await, expected(4429, "Too many initialisation requests"));
}

#[tokio::test]
async fn an_id_that_is_in_use_closes_with_4409_and_one_that_was_does_not() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    client.subscribe("1", "{hello}").await;
    assert_eq!(client.hear().await["type"], "next");
    assert_eq!(client.hear().await["type"], "complete");
    client.subscribe("1", QUIET).await;
    client.say(&json!({ "id": "1", "type": "complete" })).await;
    client.say(&json!({ "id": "unknown", "type": "complete" })).await;
    client.subscribe("1", QUIET).await;
    client.subscribe("1", "{hello}").await;
    assert_eq!(client.close().await, expected(4409, "Subscriber for 1 already exists"));
}

#[tokio::test]
async fn a_completed_operation_says_nothing_more() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    client.subscribe("1", ENDLESS).await;
    assert_eq!(client.hear().await["type"], "next");
    client.say(&json!({ "id": "1", "type": "complete" })).await;
    client.subscribe("2", "{nap(millis:50)}").await;
    // What was on its way may still come; what comes after the answer of the second may not.
    while client.hear().await["id"] != "2" {}
    assert_eq!(client.hear().await, json!({ "id": "2", "type": "complete" }));
    client.subscribe("3", "{nap(millis:50)}").await;
    assert_eq!(client.hear().await["id"], "3");
}

#[tokio::test]
async fn pings_of_the_protocol_are_answered_at_any_time() {
    let mut client = Client::open(Setup::new().listen().await).await;
    client.say(&json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong" }));
    client.say(&json!({ "type": "pong" })).await;
    client.say(&json!({ "type": "ping", "payload": { "at": 7 } })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong", "payload": { "at": 7 } }));
}

#[tokio::test]
async fn the_server_pings_and_gives_up_a_client_that_is_silent() {
    let setup = setup(|setup| setup.limits.socket.ping_interval = Duration::from_millis(100));
    let address = setup.listen().await;
    // This client's library answers pings as long as it is polled.
    let mut attentive = Client::ready(address, "token-ann").await;
    let mut pings = 0;
    while pings < 5 {
        let message = timeout(Duration::from_secs(5), attentive.0.next()).await.expect("pings go on");
        assert!(matches!(message, Some(Ok(Message::Ping(_)))), "{message:?}");
        pings += 1;
    }
    let mut absent = Client::ready(address, "token-bob").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(absent.close().await, expected(4408, "Connection timeout"));
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let mut client = Client::ready(Setup::new().listen().await, "short-ann").await;
    client.subscribe("1", QUIET).await;
    assert_eq!(client.close().await, expected(4403, "Token expired"));
}

#[tokio::test]
async fn a_stopping_server_closes_with_1012_and_leaves_no_task() {
    let setup = Setup::new();
    let lifecycle = setup.lifecycle.clone();
    let mut client = Client::ready(setup.listen().await, "token-ann").await;
    client.subscribe("1", ENDLESS).await;
    assert_eq!(client.hear().await["type"], "next");
    lifecycle.begin_stop();
    assert_eq!(client.close().await, expected(1012, "Service restart, connect again"));
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_with_1009() {
    let address = Setup::new().listen().await;
    let mut client = Client::ready(address, "token-ann").await;
    client.subscribe("1", &format!("{{hello}}#{}", " ".repeat(65 * 1024))).await;
    assert_eq!(client.close().await, expected(1009, "Message too large"));

    let mut at_the_limit = Client::ready(address, "token-ann").await;
    let ping = json!({ "type": "ping" }).to_string();
    at_the_limit.say_raw(Message::text(format!("{ping}{}", " ".repeat(64 * 1024 - ping.len())))).await;
    assert_eq!(at_the_limit.hear().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn operations_at_once_are_limited_and_the_socket_goes_on() {
    let setup = setup(|setup| setup.limits.socket.operations_max = 2);
    let mut client = Client::ready(setup.listen().await, "token-ann").await;
    client.subscribe("1", QUIET).await;
    client.subscribe("2", QUIET).await;
    client.subscribe("3", "{hello}").await;
    let message = client.hear().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("3")));
    assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    client.say(&json!({ "id": "1", "type": "complete" })).await;
    client.subscribe("3", "{hello}").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn operations_that_start_too_fast_close_with_4429() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    for index in 0..60 {
        client.subscribe(&index.to_string(), "{hello}").await;
        assert_eq!(client.hear().await["type"], "next", "{index}");
        assert_eq!(client.hear().await["type"], "complete", "{index}");
    }
    client.subscribe("61", "{hello}").await;
    client.subscribe("62", "{hello}").await;
    assert_eq!(client.close().await, expected(4429, "Too many operations started"));
}

#[tokio::test]
async fn sockets_of_one_subject_and_of_all_are_limited() {
    let setup = setup(|setup| {
        setup.limits.connections_per_subject_max = 2;
        setup.limits.connections_max = 3;
    });
    let address = setup.listen().await;
    let first = Client::ready(address, "token-ann").await;
    let _second = Client::ready(address, "token-ann").await;
    let mut third = Client::open(address).await;
    assert_eq!(refused(address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await, 503);
    third.say(&json!({ "type": "connection_init", "payload": { "token": "token-ann" } })).await;
    assert_eq!(third.close().await, expected(4429, "Too many connections"));
    drop((first, third));
    for attempt in 0.. {
        let mut client = Client::open(address).await;
        client.say(&json!({ "type": "connection_init", "payload": { "token": "token-ann" } })).await;
        if client.next().await.is_text() {
            return;
        }
        assert!(attempt < 100, "the place of the closed socket is free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_busy_operation_does_not_starve_its_neighbours() {
    let mut client = Client::ready(Setup::new().listen().await, "token-ann").await;
    client.subscribe("busy", "subscription{count(to:2000){number}}").await;
    assert_eq!(client.hear().await["id"], "busy");
    client.subscribe("calm", "{hello}").await;
    let mut heard_of_busy = 0;
    loop {
        let message = client.hear().await;
        if message["id"] == "calm" {
            break;
        }
        heard_of_busy += 1;
        assert_eq!(message["type"], "next", "the busy one was still busy");
    }
    assert!(heard_of_busy < 1_500, "{heard_of_busy} messages came first");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_so_or_given_up() {
    let setup = setup(|setup| setup.limits.send_timeout = Duration::from_millis(300));
    let lifecycle = setup.lifecycle.clone();
    let mut client = Client::ready(setup.listen().await, "token-ann").await;
    // 256 messages wait in the queue at most: far less than this, and far more than the kernel keeps.
    client.subscribe("1", "subscription{count(to:3000,filling:20000){number filling}}").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut numbers = 0;
    let told = loop {
        match timeout(Duration::from_secs(10), client.0.next()).await.expect("it ends") {
            Some(Ok(Message::Text(text))) if text.contains("CONSUMER_TOO_SLOW") => break true,
            Some(Ok(Message::Text(_))) => numbers += 1,
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break false,
        }
    };
    assert!(numbers < 3_000, "{numbers} messages were kept for it; told: {told}");
    drop(client);
    lifecycle.begin_stop();
}
