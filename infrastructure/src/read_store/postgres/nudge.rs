//! Nudges: telling the other processes that something was committed, and hearing it from them.
//!
//! One connection of its own listens and, now and then, notifies. It does so outside of the transactions, because a
//! NOTIFY makes every commit that has one wait for a lock of the whole server.

use std::{
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};
use tokio_postgres::{AsyncMessage, Client, Connection, Error, NoTls, Socket, tls::TlsStream};

use super::{error::chain, pool::Connector};

/// No two notifications follow each other faster: what is committed in between is told with the second.
const PAUSE: Duration = Duration::from_millis(2);
/// How long it waits before it connects again; each time twice as long.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// The counter of nudges, and the task that tells and hears them. Dropping it ends the task.
#[derive(Debug)]
pub(super) struct Nudges {
    heard: watch::Sender<u64>,
    wanted: Arc<Notify>,
    task: AbortHandle,
}

impl Nudges {
    /// Starts to listen on the channel of the schema with this number.
    pub(super) fn start(connector: Connector, schema: i64) -> Self {
        let heard = watch::Sender::new(0);
        let wanted = Arc::new(Notify::new());
        let ear =
            Ear { connector, channel: format!("millrace_{schema}"), heard: heard.clone(), wanted: wanted.clone() };
        #[expect(clippy::disallowed_methods, reason = "it lives as long as the store, which ends it")]
        let task = tokio::spawn(ear.listen()).abort_handle();
        Self { heard, wanted, task }
    }

    pub(super) fn nudge(&self) {
        self.heard.send_modify(|count| *count += 1);
        self.wanted.notify_one();
    }

    pub(super) fn heard(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }
}

impl Drop for Nudges {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Ear {
    connector: Connector,
    channel: String,
    heard: watch::Sender<u64>,
    wanted: Arc<Notify>,
}

impl Ear {
    /// Listens for ever, on one connection after the other.
    async fn listen(self) {
        let mut pause = RECONNECT_MIN;
        let mut is_first = true;
        loop {
            let mut was_connected = false;
            let lost = match self.connector.tls.clone() {
                None => self.hear(self.connector.config.connect(NoTls), &mut is_first, &mut was_connected).await,
                Some(tls) => self.hear(self.connector.config.connect(tls), &mut is_first, &mut was_connected).await,
            };
            if was_connected {
                pause = RECONNECT_MIN;
            }
            tracing::warn!(error = lost, "nudges of other processes are not heard until PostgreSQL is connected again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_MAX);
        }
    }

    /// Listens on one connection for as long as it lasts. Gives the reason why it ended.
    async fn hear<S>(
        &self,
        connecting: impl Future<Output = Result<(Client, Connection<Socket, S>), Error>>,
        is_first: &mut bool,
        was_connected: &mut bool,
    ) -> String
    where
        S: TlsStream + Unpin,
    {
        let (client, mut connection) = match tokio::time::timeout(self.connector.timeout, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return chain(&error),
            Err(_) => return "the server does not answer in time".to_owned(),
        };
        let ours = AtomicI32::new(0);
        let receive = async {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(told))) => {
                        // What this store tells was counted when it was asked to.
                        if told.process_id() != ours.load(Ordering::Relaxed) {
                            self.heard.send_modify(|count| *count += 1);
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return chain(&error),
                    None => return "the server closed the connection".to_owned(),
                }
            }
        };
        let talk = async {
            match self.talk(&client, &ours, is_first, was_connected).await {
                // The receiving side knows better why.
                Err(error) if error.is_closed() => pending().await,
                Err(error) => chain(&error),
                Ok(never) => match never {},
            }
        };
        tokio::select! {
            reason = receive => reason,
            reason = talk => reason,
        }
    }

    /// Subscribes, and then tells whatever is to be told.
    async fn talk(
        &self,
        client: &Client,
        ours: &AtomicI32,
        is_first: &mut bool,
        was_connected: &mut bool,
    ) -> Result<std::convert::Infallible, Error> {
        let channel = &self.channel;
        // The server's process of this connection, which signs what is told on it.
        let process = client.query_one("SELECT pg_backend_pid()", &[]).await?;
        ours.store(process.try_get(0)?, Ordering::Relaxed);
        client.batch_execute(&format!("SET client_min_messages = warning; LISTEN {channel}")).await?;
        *was_connected = true;
        if !std::mem::take(is_first) {
            // Something may have been missed.
            self.heard.send_modify(|count| *count += 1);
        }
        let notify = format!("NOTIFY {channel}");
        loop {
            self.wanted.notified().await;
            let told = client.batch_execute(&notify).await;
            if told.is_err() {
                // Told again on the next connection.
                self.wanted.notify_one();
            }
            told?;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
