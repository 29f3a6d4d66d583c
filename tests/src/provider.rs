//! A payment provider for tests: docs/operations/payments.md over real sockets, with faults on demand.
//!
//! It speaks HTTP/1.1 by hand, so that it can break off wherever it wants. Tokens mean what they mean to the sandbox, by an
//! implementation of its own; two more are its own: `tok_told_alone` is never answered and told by notices alone,
//! `tok_told_first` is answered after its notices were taken. Its ledger remembers every key; whoever uses one for two things
//! fails the test.

mod fault;
mod ledger;
mod notices;
mod socket;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

pub use self::{
    fault::Fault,
    ledger::{Account, Ledger},
    notices::{Notices, sign},
};
use self::{
    ledger::Outcome,
    socket::{Asked, Socket},
};
use crate::random::Random;

/// The bearer token that it wants to see.
pub const SECRET: &str = "the-provider-knows-us";
/// What it signs its notices with.
pub const WEBHOOK_SECRET: &str = "notices-are-signed-with-this";

/// How often it looks whether a notice was taken.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A provider that listens. Dropped, it is gone, and what was wrong with its callers fails the test.
#[derive(Debug)]
pub struct Provider {
    /// Where it listens.
    pub url: String,
    shared: Arc<Shared>,
    is_lenient: bool,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    faults: Mutex<Faults>,
    notices: Option<Notices>,
    requests: AtomicUsize,
    /// Whether it answers nobody.
    is_down: AtomicBool,
    /// Requests that are being answered, now and at most.
    at_work: AtomicUsize,
    at_work_max: AtomicUsize,
    /// How long each answer takes.
    answer_after: Duration,
}

/// What is to go wrong next: first what was asked for, then what the dice say.
#[derive(Debug, Default)]
struct Faults {
    script: VecDeque<Fault>,
    dice: Option<(Random, u64)>,
}

/// How a provider behaves.
#[derive(Debug, Default)]
pub struct ProviderOptions {
    /// How long each answer takes.
    pub answer_after: Duration,
    /// Whom it tells what it tells by itself.
    pub notices: Option<Notices>,
    /// Whether it is a test of the provider's own no.
    pub is_lenient: bool,
}

impl Provider {
    /// A provider on a port of its own.
    pub async fn start(options: ProviderOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            ledger: Mutex::default(),
            faults: Mutex::default(),
            notices: options.notices,
            requests: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
            at_work_max: AtomicUsize::new(0),
            answer_after: options.answer_after,
        });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&shared)));
        Self { url, shared, is_lenient: options.is_lenient, _serving: serving }
    }

    /// The next requests fail like this, one each.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        locked(&self.shared.faults).script.extend(faults);
    }

    /// Every request fails with this probability, in a way that the seed decides.
    pub fn fail_by_chance(&self, seed: u64, percent: u64) {
        locked(&self.shared.faults).dice = Some((Random::new(seed), percent));
    }

    /// Nothing goes wrong from now on. Faults that were asked for must have happened.
    pub fn heal(&self) {
        let faults = std::mem::take(&mut *locked(&self.shared.faults));
        assert_eq!(faults.script, VecDeque::new(), "these faults never happened");
    }

    /// From now on it does nothing, and every connection is reset; or that is over.
    pub fn be_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
    }

    /// How many requests have come in.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many requests were answered at the same time at most.
    pub fn at_work_max(&self) -> usize {
        self.shared.at_work_max.load(Ordering::SeqCst)
    }

    /// It has held this payment's money long enough: what was not taken is let go of, and that is told.
    pub fn expire(&self, payment: Uuid) {
        locked(&self.shared.ledger).expire(payment);
        let notices = self.shared.notices.as_ref().expect("somebody is told");
        notices.tell(Uuid::new_v5(&payment, b"expired"), &json!(payment), &json!({ "status": "expired" }), || {});
    }

    /// What it has done so far.
    pub fn ledger(&self) -> Ledger {
        locked(&self.shared.ledger).clone()
    }

    /// Fails the test if it was asked for something twice, or for what cannot be.
    pub fn check(&self) {
        locked(&self.shared.ledger).check();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.is_lenient {
            self.check();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with the server: nobody is left talking.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let mut socket = Socket::new(stream);
            while let Some(asked) = socket.receive().await {
                shared.requests.fetch_add(1, Ordering::SeqCst);
                let now = shared.at_work.fetch_add(1, Ordering::SeqCst) + 1;
                shared.at_work_max.fetch_max(now, Ordering::SeqCst);
                let is_over = answer(&shared, &mut socket, &asked).await;
                shared.at_work.fetch_sub(1, Ordering::SeqCst);
                if is_over {
                    return;
                }
            }
        });
    }
}

/// Answers a request, or does not. True if the connection is of no use any more.
async fn answer(shared: &Arc<Shared>, socket: &mut Socket, asked: &Asked) -> bool {
    tokio::time::sleep(shared.answer_after).await;
    if shared.is_down.load(Ordering::SeqCst) {
        socket.reset();
        return true;
    }
    let authorization = asked.header("authorization");
    if authorization != Some(&format!("Bearer {SECRET}")) {
        // Some are so careless.
        return socket.send(401, &[], &json!({ "error": authorization })).await;
    }
    let fault = locked(&shared.faults).next();
    if let Some(fault) = &fault
        && let Some(is_over) = fault::before(fault, socket).await
    {
        return is_over;
    }
    let outcome = locked(&shared.ledger).take(asked);
    let (status, body) = match outcome {
        Outcome::Answered(answer) => (200, answer),
        Outcome::AnsweredAndTold(answer) => {
            tell(shared, asked, &answer);
            (200, answer)
        }
        Outcome::ToBeTold(answer) => {
            tell(shared, asked, &answer);
            (202, json!({ "status": "pending" }))
        }
        // Both ways to say it.
        Outcome::BeingTold => (200, json!({ "status": "pending" })),
        Outcome::Unavailable => (503, json!({})),
        Outcome::Refused(problem) => (422, json!({ "error": problem })),
        Outcome::ToldFirst(answer) => {
            let key = tell(shared, asked, &answer);
            while !locked(&shared.ledger).is_told(key) {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            (200, answer)
        }
        Outcome::ToldAlone(answer) => {
            tell(shared, asked, &answer);
            socket.silence().await;
            return true;
        }
        Outcome::Silent => {
            socket.silence().await;
            return true;
        }
    };
    if let Some(fault) = &fault
        && let Some(is_over) = fault::after(fault, socket, &body).await
    {
        return is_over;
    }
    socket.send(status, &[], &body).await
}

/// Tells by itself what it did. Gives the call's key.
fn tell(shared: &Arc<Shared>, asked: &Asked, answer: &Value) -> Uuid {
    let key = asked.header("idempotency-key").and_then(|key| key.parse().ok()).expect("the ledger has seen it");
    let ledger = Arc::clone(shared);
    if let Some(notices) = &shared.notices {
        notices.tell(key, &asked.body["payment"], answer, move || locked(&ledger.ledger).told(key));
    }
    key
}

impl Faults {
    fn next(&mut self) -> Option<Fault> {
        self.script.pop_front().or_else(|| {
            let (random, percent) = self.dice.as_mut()?;
            (random.below(100) < *percent).then(|| Fault::any(random))
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it in hand")
}
