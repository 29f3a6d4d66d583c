//! One conversation over one socket.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use async_graphql::Executor;
use axum::{
    Error as SocketError,
    extract::ws::{Message, Utf8Bytes, WebSocket},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    message::{self, ClientMessage, Close},
    operations::{Operations, Work},
    pace::Pace,
};
use crate::{
    auth::Viewer,
    edge::{
        Edge, SocketLimits,
        connections::{Connection, Subscriber},
    },
    engine::{CallContext, GraphQlRequest, OperationKind, RequestError, RequestId, errors_json},
    error_code::ErrorCode,
};

/// Messages that leave together if they are ready together.
const SEND_BATCH_MESSAGES_MAX: usize = 32;
/// How long a client may take to answer a close frame.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// How a conversation ends.
enum End {
    /// The server says why.
    Close(Close),
    /// There is nobody left to say anything to.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

/// One socket and what runs on it.
pub(super) struct Session<S> {
    edge: Arc<Edge<S>>,
    socket: WebSocket,
    connection: Connection,
    /// Who is there, and when their token ends; nobody before `connection_init`.
    signed_in: Option<(Viewer, Instant)>,
    operations: Operations,
    pace: Pace,
    opened: Instant,
    last_heard: Instant,
    next_ping: Instant,
}

impl<S: Executor> Session<S> {
    pub(super) fn new(edge: Arc<Edge<S>>, socket: WebSocket, connection: Connection) -> Self {
        let opened = Instant::now();
        let limits = edge.state.limits.socket;
        Self {
            edge,
            socket,
            connection,
            signed_in: None,
            operations: Operations::default(),
            pace: Pace::new(limits.starts_burst, limits.starts_per_minute, opened),
            opened,
            last_heard: opened,
            next_ping: opened + limits.ping_interval,
        }
    }

    /// Serves until one side ends it.
    pub(super) async fn run(mut self) {
        let Err(end) = self.serve().await;
        // What the operations hold is free before the client says good-bye.
        self.operations.stop_all();
        match end {
            End::Close(close) => self.say_farewell(&close).await,
            End::Gone => {}
        }
    }

    async fn serve(&mut self) -> Result<Infallible, End> {
        enum Event {
            Heard(Option<Result<Message, SocketError>>),
            Said(Utf8Bytes),
            Due,
        }
        let lifecycle = self.edge.state.lifecycle.clone();
        let mut stopping = pin!(lifecycle.stopping());
        let mut timer = pin!(sleep_until(self.next_deadline()));
        loop {
            let event = tokio::select! {
                message = self.socket.recv() => Event::Heard(message),
                text = self.operations.next() => Event::Said(text),
                () = timer.as_mut() => Event::Due,
                () = stopping.as_mut() => return Err(Close::Restart.into()),
            };
            match event {
                Event::Heard(message) => self.hear(message).await?,
                Event::Said(text) => self.say(text).await?,
                Event::Due => self.do_what_is_due().await?,
            }
            let deadline = self.next_deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
        }
    }

    fn limits(&self) -> &SocketLimits {
        &self.edge.state.limits.socket
    }

    fn next_deadline(&self) -> Instant {
        let session_end = match &self.signed_in {
            Some((_, expires)) => *expires,
            None => self.opened + self.limits().init_timeout,
        };
        session_end.min(self.next_ping)
    }

    async fn do_what_is_due(&mut self) -> Result<(), End> {
        let now = Instant::now();
        match &self.signed_in {
            Some((_, expires)) if *expires <= now => return Err(Close::TokenExpired.into()),
            None if self.opened + self.limits().init_timeout <= now => return Err(Close::InitTimeout.into()),
            Some(_) | None => {}
        }
        if self.next_ping <= now {
            let interval = self.limits().ping_interval;
            if self.last_heard + 2 * interval <= now {
                return Err(Close::Silent.into());
            }
            self.next_ping = now + interval;
            self.send(Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, message: Option<Result<Message, SocketError>>) -> Result<(), End> {
        self.last_heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => self.answer(ClientMessage::parse(&text)?).await,
            Some(Ok(Message::Binary(_))) => {
                Err(Close::BadMessage("Only text messages are understood".to_owned()).into())
            }
            // The library answers pings and close frames by itself, the next time it is polled.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => Ok(()),
            Some(Err(error)) => Err(close_for(error)),
            None => Err(End::Gone),
        }
    }

    async fn answer(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::ConnectionInit { token } => self.sign_in(token.as_deref()).await,
            ClientMessage::Ping { payload } => self.send(Message::Text(message::pong(payload))).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe { id, request } => self.start(id, *request).await,
            ClientMessage::Complete { id } => {
                self.operations.stop(&id);
                Ok(())
            }
        }
    }

    async fn sign_in(&mut self, token: Option<&str>) -> Result<(), End> {
        if self.signed_in.is_some() {
            return Err(Close::SecondInit.into());
        }
        let state = &self.edge.state;
        let viewer = token.and_then(|token| state.authenticate.authenticate(token).ok()).ok_or(Close::Forbidden)?;
        if !self.connection.belongs_to(&viewer.subject, state.limits.connections_per_subject_max) {
            return Err(Close::TooMany("connections").into());
        }
        let left = (viewer.expires_at - state.clock.now()).to_std().unwrap_or_default();
        self.signed_in = Some((viewer, Instant::now() + left));
        self.send(Message::Text(message::connection_ack())).await
    }

    async fn start(&mut self, id: String, request: GraphQlRequest) -> Result<(), End> {
        let Some((viewer, _)) = &self.signed_in else { return Err(Close::Unauthorized.into()) };
        if self.operations.contains(&id) {
            return Err(Close::DuplicateId(id).into());
        }
        if !self.pace.take(Instant::now()) {
            return Err(Close::TooMany("operations started").into());
        }
        if self.operations.len() >= self.limits().operations_max {
            let error = ErrorCode::RateLimited.error("too many operations run on this socket");
            return self.refuse(&id, &[error.into_server_error(async_graphql::Pos::default())]).await;
        }
        let viewer = viewer.clone();
        match self.work(viewer, request) {
            Ok(work) => {
                self.operations.start(id, work);
                Ok(())
            }
            Err(error) => self.refuse(&id, &error.errors()).await,
        }
    }

    fn work(&self, viewer: Viewer, request: GraphQlRequest) -> Result<Work, RequestError> {
        let state = &self.edge.state;
        let prepared = state.engine.prepare(request)?;
        let context = CallContext { viewer, request_id: RequestId::fresh(&*state.ids), resume_after: None };
        Ok(match prepared.kind() {
            OperationKind::Subscription => Work::Subscription {
                deliveries: state.engine.subscribe(prepared, context),
                _counted: Subscriber::over("websocket"),
            },
            OperationKind::Query | OperationKind::Mutation => {
                let engine = state.engine.clone();
                Work::Answer(async move { engine.execute(prepared, context).await }.boxed())
            }
        })
    }

    async fn refuse(&mut self, id: &str, errors: &[async_graphql::ServerError]) -> Result<(), End> {
        self.send(Message::Text(message::with_payload(id, "error", &errors_json(errors)))).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        let limit = self.edge.state.limits.send_timeout;
        match timeout(limit, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Sends what an operation says, and with it what else is ready.
    async fn say(&mut self, text: Utf8Bytes) -> Result<(), End> {
        let Self { socket, operations, edge, .. } = self;
        let sending = async {
            socket.feed(Message::Text(text)).await?;
            for _ in 1..SEND_BATCH_MESSAGES_MAX {
                let Some(text) = operations.next().now_or_never() else { break };
                socket.feed(Message::Text(text)).await?;
            }
            socket.flush().await
        };
        match timeout(edge.state.limits.send_timeout, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Says why, and waits a little for the client to have read it: closing at once could throw it away.
    async fn say_farewell(mut self, close: &Close) {
        let farewell = async {
            if self.socket.send(Message::Close(Some(close.frame()))).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        // Whether the client was there to hear it makes no difference any more.
        let _ = timeout(FAREWELL_TIMEOUT, farewell).await;
    }
}

/// What to say to a client that broke the WebSocket protocol itself.
fn close_for(error: SocketError) -> End {
    use tokio_tungstenite::tungstenite::Error;
    match error.into_inner().downcast_ref::<Error>() {
        Some(Error::Capacity(_)) => End::Close(Close::TooLarge),
        Some(Error::Protocol(_) | Error::Utf8(_)) => End::Close(Close::Protocol),
        _ => End::Gone,
    }
}
