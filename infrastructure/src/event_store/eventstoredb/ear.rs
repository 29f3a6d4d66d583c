//! A subscription to the whole log, for one thing only: to hear that there is something new.
//!
//! The client's subscription may spin or panic, so it lives on a thread of its own, with a client and a runtime of its
//! own: nothing else waits for that thread, and one that does not end when told to is abandoned.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use eventstore::{Client, ClientSettings, SubscribeToAllOptions, SubscriptionEvent};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber as _;

use super::{
    super::Position,
    failure::Failure,
    tripwire::{self, Tripwire},
};

/// How long a thread may take to end.
const END_MAX: Duration = Duration::from_secs(1);
/// How often to look whether it has ended.
const END_POLL: Duration = Duration::from_millis(5);

/// A running subscription.
#[derive(Debug)]
pub(super) struct Ear {
    heard: watch::Receiver<Position>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    end: Arc<watch::Sender<Option<String>>>,
}

impl Ear {
    /// Begins to listen to what comes after `from`.
    pub(super) fn open(
        settings: ClientSettings,
        options: SubscribeToAllOptions,
        from: Position,
    ) -> std::io::Result<Self> {
        let (sender, heard) = watch::channel(from);
        let stop = CancellationToken::new();
        let end = Arc::new(watch::Sender::new(None));
        let (stopped, told) = (stop.clone(), Arc::clone(&end));
        let run = move || {
            let why = listen(settings, options, sender, &stopped);
            told.send_replace(Some(why));
        };
        let thread = thread::Builder::new().name("eventstoredb-tail".to_owned()).spawn(run)?;
        Ok(Self { heard, stop, thread: Some(thread), end })
    }

    /// The last position heard of, once there is a new one; none when the subscription has ended. Cancel-safe.
    pub(super) async fn hear(&mut self) -> Option<Position> {
        self.heard.changed().await.ok()?;
        Some(*self.heard.borrow_and_update())
    }

    /// Why it ended by itself, as far as it has.
    pub(super) fn why(&self) -> String {
        self.end.borrow().clone().unwrap_or_else(|| "it was silent".to_owned())
    }

    /// Ends it. Gives back the thread if that does not end.
    pub(super) async fn close(mut self) -> Option<JoinHandle<()>> {
        self.stop.cancel();
        let thread = self.thread.take()?;
        let deadline = Instant::now() + END_MAX;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                return Some(thread);
            }
            sleep(END_POLL).await;
        }
        None
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Listens until told to stop, or until the subscription ends; says why.
fn listen(
    settings: ClientSettings,
    options: SubscribeToAllOptions,
    heard: watch::Sender<Position>,
    stop: &CancellationToken,
) -> String {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return format!("it has no runtime: {error}"),
    };
    let client = match Client::with_runtime_handle(runtime.handle().clone(), settings) {
        Ok(client) => client,
        Err(error) => return format!("{error:#}"),
    };
    let listening = runtime.spawn(follow(client, options, heard).with_subscriber(Tripwire));
    let why = runtime.block_on(async {
        tokio::select! {
            () = stop.cancelled() => "it was told to stop".to_owned(),
            end = listening => match end {
                Ok(failure) => failure.to_string(),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) if tripwire::is_clean_end(&*panic) => "the server ended it".to_owned(),
                    Ok(_) => Failure::Panicked.to_string(),
                    Err(error) => error.to_string(),
                },
            },
        }
    });
    // Whatever the client still does is of no interest.
    runtime.shutdown_background();
    why
}

/// Passes on where the subscription is, until it fails.
async fn follow(client: Client, options: SubscribeToAllOptions, heard: watch::Sender<Position>) -> Failure {
    let mut subscription = client.subscribe_to_all(&options).await;
    loop {
        let position = match subscription.next_subscription_event().await {
            Ok(SubscriptionEvent::EventAppeared(event)) => {
                event.link.or(event.event).map(|event| event.position.commit)
            }
            Ok(SubscriptionEvent::Checkpoint(position) | SubscriptionEvent::LastAllPosition(position)) => {
                Some(position.commit)
            }
            Ok(
                SubscriptionEvent::Confirmed(_)
                | SubscriptionEvent::FirstStreamPosition(_)
                | SubscriptionEvent::LastStreamPosition(_)
                | SubscriptionEvent::CaughtUp(_)
                | SubscriptionEvent::FellBehind(_),
            ) => None,
            Err(error) => return Failure::from(error),
        };
        if let Some(position) = position.map(Position::new) {
            heard.send_if_modified(|last| {
                let is_new = position > *last;
                *last = position.max(*last);
                is_new
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// An ear whose thread does this.
    fn ear(run: impl FnOnce(CancellationToken) + Send + 'static) -> Ear {
        let (_, heard) = watch::channel(Position::START);
        let stop = CancellationToken::new();
        let told = stop.clone();
        let thread = thread::spawn(move || run(told));
        Ear { heard, stop, thread: Some(thread), end: Arc::default() }
    }

    #[tokio::test]
    async fn a_thread_that_does_not_end_is_given_back_and_waited_for_by_nobody() {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let spinning = ear(move |_| {
            while !over.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        });
        let left = spinning.close().await.expect("it spins");
        assert!(!left.is_finished());
        is_over.store(true, Ordering::Relaxed);
        left.join().expect("it ends");
    }

    #[tokio::test]
    async fn a_thread_that_ends_when_told_to_is_not_left() {
        let obedient = ear(|told| {
            while !told.is_cancelled() {
                thread::yield_now();
            }
        });
        assert!(obedient.close().await.is_none());
    }
}
