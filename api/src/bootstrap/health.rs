//! Whether the stores answer: asked again and again, so that readiness and whoever is on duty need not.

use std::{sync::Arc, time::Duration};

use infrastructure::{event_store::EventStore, lifecycle::Lifecycle, read_store::ReadStore, telemetry::with_causes};
use tokio::sync::watch;

use crate::edge::operations::Check;

/// How often each store is asked, and how long it may take to answer.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// What the stores said last.
#[derive(Clone, Debug)]
pub(super) struct StoreHealth {
    events: watch::Receiver<Option<String>>,
    rows: watch::Receiver<Option<String>>,
}

impl StoreHealth {
    /// Asks until `lifecycle` stops.
    pub(super) fn start(events: Arc<dyn EventStore>, rows: Arc<dyn ReadStore>, lifecycle: &Lifecycle) -> Self {
        let head = move || {
            let events = Arc::clone(&events);
            async move { events.head().await.map(drop).map_err(|error| with_causes(&error)) }
        };
        let one = move || {
            let rows = Arc::clone(&rows);
            async move { rows.ping().await.map_err(|error| with_causes(&error)) }
        };
        Self {
            events: ask_regularly("event store", head, lifecycle),
            rows: ask_regularly("read store", one, lifecycle),
        }
    }

    /// What is not in order, for readiness.
    pub(super) fn checks(&self) -> [Check; 2] {
        let check = |name: &'static str, trouble: &watch::Receiver<Option<String>>| match &*trouble.borrow() {
            None => Check::ready(name),
            Some(reason) => Check::not_ready(name, format!("{reason}; it is tried again all the time")),
        };
        [check("event_store", &self.events), check("read_store", &self.rows)]
    }
}

fn ask_regularly<A, F>(name: &'static str, ask: A, lifecycle: &Lifecycle) -> watch::Receiver<Option<String>>
where
    A: Fn() -> F + Send + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (said, heard) = watch::channel(None::<String>);
    let until = lifecycle.clone();
    lifecycle.spawn(async move {
        loop {
            let answer = tokio::select! {
                biased;
                () = until.stopping() => return,
                answer = tokio::time::timeout(ANSWER_WITHIN, ask()) => answer,
            };
            let trouble = answer.unwrap_or_else(|_| Err("it does not answer in time".to_owned())).err();
            said.send_if_modified(|before| {
                let is_news = before.is_some() != trouble.is_some();
                match &trouble {
                    Some(error) if is_news => tracing::error!(error = %error, "the {name} is away: {error}"),
                    None if is_news => tracing::info!("the {name} answers again"),
                    Some(_) | None => {}
                }
                let is_other = *before != trouble;
                *before = trouble;
                is_other
            });
            tokio::select! {
                biased;
                () = until.stopping() => return,
                () = tokio::time::sleep(ASK_INTERVAL) => {}
            }
        }
    });
    heard
}
