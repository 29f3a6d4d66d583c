//! A small schema and callers for the tests of the engine and the protocols.
#![expect(clippy::unused_async, reason = "resolvers are async, whether they wait or not")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_graphql::{Context, Object, Result, Schema, SimpleObject, Subscription};
use futures_util::{Stream, StreamExt as _, stream};
use infrastructure::{event_store::Position, lifecycle::Lifecycle};

use super::{CallContext, Engine, EngineLimits, LivePhase, LiveReporter, RequestId, ResumeAfter, internal};
use crate::{
    auth::{Role, Viewer},
    error_code::ErrorCode,
};

pub(crate) type TestSchema = Schema<Query, Mutation, Subscriptions>;

/// An engine for the small schema.
pub(crate) fn engine(lifecycle: &Lifecycle) -> Engine<TestSchema> {
    let schema =
        Schema::build(Query, Mutation, Subscriptions).data(Finished::default()).limit_depth(12).limit_complexity(500);
    Engine::new(schema.finish(), EngineLimits::default(), lifecycle.clone())
}

/// A customer whose token ends in an hour.
pub(crate) fn viewer(subject: &str) -> Viewer {
    let expires_at = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1);
    Viewer { subject: subject.to_owned(), role: Role::Customer, expires_at }
}

/// A call of this request id.
pub(crate) fn call(request_id: &str) -> CallContext {
    let request_id = RequestId::parse(request_id).expect("a plain id");
    CallContext { viewer: viewer("ann"), request_id, resume_after: None }
}

/// How many slow mutations came to their end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished(Arc<AtomicUsize>);

#[derive(Debug, thiserror::Error)]
#[error("the table is gone")]
struct Broken(#[source] std::io::Error);

pub(crate) struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "world"
    }

    async fn echo(&self, value: i32) -> i32 {
        value
    }

    async fn time(&self, at: chrono::DateTime<chrono::Utc>) -> String {
        at.to_rfc3339()
    }

    async fn who(&self, context: &Context<'_>) -> Result<String> {
        Ok(format!("{} {}", context.data::<Viewer>()?.subject, context.data::<RequestId>()?))
    }

    async fn nap(&self, millis: u64) -> bool {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        true
    }

    async fn finished(&self, context: &Context<'_>) -> usize {
        context.data_unchecked::<Finished>().0.load(Ordering::Relaxed)
    }

    async fn nested(&self) -> Query {
        Query
    }

    async fn broken(&self) -> Result<Option<String>> {
        Err(internal(Broken(std::io::Error::other("secret path /var/db"))))
    }

    async fn careless(&self) -> Result<Option<String>> {
        Err(std::io::Error::other("secret path /var/db"))?
    }

    async fn forbidden(&self) -> Result<Option<String>> {
        Err(ErrorCode::Forbidden.error("operators only"))
    }

    async fn panics(&self, #[graphql(default = true)] really: bool) -> bool {
        assert!(!really, "a resolver of the tests panics on purpose");
        really
    }
}

pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn echo(&self, value: i32) -> i32 {
        value
    }

    async fn slow(&self, context: &Context<'_>, millis: u64) -> bool {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        context.data_unchecked::<Finished>().0.fetch_add(1, Ordering::Relaxed);
        true
    }

    async fn panics(&self, #[graphql(default = true)] really: bool) -> bool {
        assert!(!really, "a resolver of the tests panics on purpose");
        really
    }
}

#[derive(SimpleObject)]
pub(crate) struct Tick {
    number: u64,
    /// The cursor that the transport resumes after, told by the replay.
    resumed_after: Option<String>,
    filling: String,
}

pub(crate) struct Subscriptions;

#[Subscription]
impl Subscriptions {
    /// Counts from one. Its replay has one tick, and only for those who resume.
    async fn count(
        &self,
        context: &Context<'_>,
        to: u64,
        #[graphql(default)] millis: u64,
        #[graphql(default)] filling: usize,
    ) -> Result<impl Stream<Item = Tick> + use<>> {
        let reporter = context.data::<LiveReporter>()?.clone();
        reporter.starts_after(Position::START);
        let resumed_after = context.data_opt::<ResumeAfter>().map(|resume_after| resume_after.0.clone());
        let numbers = match reporter.phase() {
            LivePhase::Live => 1..=to,
            LivePhase::Replay { .. } if resumed_after.is_some() => 0..=0,
            #[expect(clippy::reversed_empty_ranges, reason = "nobody resumes, nothing is replayed")]
            LivePhase::Replay { .. } => 1..=0,
        };
        Ok(stream::iter(numbers).then(move |number| {
            let tick = Tick { number, resumed_after: resumed_after.clone(), filling: "x".repeat(filling) };
            let reporter = reporter.clone();
            async move {
                // Ticks that are due at once still leave others their turn.
                tokio::time::sleep(Duration::from_millis(millis)).await;
                reporter.delivers(Position::new(number));
                tick
            }
        }))
    }

    /// Refuses to start.
    async fn forbidden(&self) -> Result<impl Stream<Item = u64>> {
        Err::<stream::Empty<u64>, _>(ErrorCode::Forbidden.error("operators only"))
    }
}
