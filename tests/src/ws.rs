//! A client of `graphql-transport-ws` that shows every message as it comes.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::server::PATIENCE;

/// An open socket.
#[derive(Debug)]
pub struct WsClient {
    socket: WebSocketStream<TcpStream>,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq)]
pub enum WsMessage {
    /// The handshake is done.
    Ack,
    /// A message of an operation.
    Next {
        /// The operation.
        id: String,
        /// What it says.
        payload: Value,
    },
    /// An operation failed.
    Error {
        /// The operation.
        id: String,
        /// Why.
        errors: Value,
    },
    /// An operation has ended.
    Complete {
        /// The operation.
        id: String,
    },
    /// The server closed the socket with this code; 1006 if it just went away.
    Closed(u16),
}

impl WsClient {
    /// Opens a socket, without signing in.
    pub async fn open(url: &str) -> Self {
        Self::open_over(url, TcpSocket::new_v4().expect("a socket")).await
    }

    /// Opens a socket and signs in; what the client does not read soon waits at the server.
    pub async fn connect_with_little_room(url: &str, token: &str) -> Self {
        let tcp = TcpSocket::new_v4().expect("a socket");
        tcp.set_recv_buffer_size(4 * 1024).expect("a small buffer");
        Self::open_over(url, tcp).await.signed_in(token).await
    }

    async fn open_over(url: &str, tcp: TcpSocket) -> Self {
        Self::try_open_over(url, tcp).await.expect("the server takes the socket")
    }

    async fn try_open_over(url: &str, tcp: TcpSocket) -> Result<Self, tungstenite::Error> {
        let address = url.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
        let stream = tcp.connect(address).await?;
        let mut request = format!("ws://{address}/graphql").into_client_request().expect("an address");
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Self { socket })
    }

    /// Opens a socket, signs in and starts one operation, over connections that may break; none if it did.
    pub async fn try_subscribe(url: &str, token: &str, query: &str, variables: Value) -> Option<Self> {
        let mut client = Self::try_open_over(url, TcpSocket::new_v4().expect("a socket")).await.ok()?;
        client.try_send(init(token)).await.ok()?;
        match client.next().await {
            WsMessage::Ack => client.try_send(subscribe("1", query, &variables)).await.ok()?,
            WsMessage::Closed(_) => return None,
            other @ (WsMessage::Next { .. } | WsMessage::Error { .. } | WsMessage::Complete { .. }) => {
                panic!("unexpected: {other:?}")
            }
        }
        Some(client)
    }

    /// Opens a socket and signs in.
    pub async fn connect(url: &str, token: &str) -> Self {
        Self::open(url).await.signed_in(token).await
    }

    async fn signed_in(mut self, token: &str) -> Self {
        self.init(token).await;
        assert_eq!(self.next().await, WsMessage::Ack);
        self
    }

    /// Signs in, without waiting for the answer.
    pub async fn init(&mut self, token: &str) {
        self.send(init(token)).await;
    }

    /// Starts an operation.
    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        self.send(subscribe(id, query, &variables)).await;
    }

    /// Ends an operation.
    pub async fn complete(&mut self, id: &str) {
        self.send(json!({ "id": id, "type": "complete" })).await;
    }

    async fn send(&mut self, message: Value) {
        self.try_send(message).await.expect("the socket is open");
    }

    async fn try_send(&mut self, message: Value) -> Result<(), tungstenite::Error> {
        self.socket.send(Message::Text(message.to_string().into())).await
    }

    /// The next message of the protocol; fails the test if none comes in time.
    pub async fn next(&mut self) -> WsMessage {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("a message comes in time");
            match message {
                Some(Ok(Message::Text(text))) => return parse(&text),
                // The library answers pings by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    return WsMessage::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(other @ (Message::Binary(_) | Message::Frame(_)))) => panic!("unexpected: {other:?}"),
                Some(Err(_)) | None => return WsMessage::Closed(1006),
            }
        }
    }

    /// The next message of an operation, which must be one of data.
    pub async fn next_payload(&mut self) -> Value {
        match self.next().await {
            WsMessage::Next { payload, .. } => payload,
            other @ (WsMessage::Ack | WsMessage::Error { .. } | WsMessage::Complete { .. } | WsMessage::Closed(_)) => {
                panic!("unexpected: {other:?}")
            }
        }
    }

    /// The code of the next error, with which an operation ends.
    pub async fn next_error_code(&mut self) -> String {
        let errors = match self.next().await {
            WsMessage::Error { errors, .. } => errors,
            // A failure of a resolver is a message with errors; the operation ends after it.
            WsMessage::Next { payload, .. } => payload["errors"].clone(),
            other @ (WsMessage::Ack | WsMessage::Complete { .. } | WsMessage::Closed(_)) => {
                panic!("unexpected: {other:?}")
            }
        };
        let code = errors.pointer("/0/extensions/code").and_then(Value::as_str);
        code.unwrap_or_else(|| panic!("no code: {errors}")).to_owned()
    }
}

fn init(token: &str) -> Value {
    json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } })
}

fn subscribe(id: &str, query: &str, variables: &Value) -> Value {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": variables } })
}

fn parse(text: &str) -> WsMessage {
    let message: Value = serde_json::from_str(text).expect("messages are JSON");
    let id = || message["id"].as_str().expect("messages of operations have an id").to_owned();
    match message["type"].as_str() {
        Some("connection_ack") => WsMessage::Ack,
        Some("next") => WsMessage::Next { id: id(), payload: message["payload"].clone() },
        Some("error") => WsMessage::Error { id: id(), errors: message["payload"].clone() },
        Some("complete") => WsMessage::Complete { id: id() },
        other => panic!("a message of type {other:?}: {text}"),
    }
}
