//! Where the client would spin for ever, it is stopped.
//!
//! When the server ends a subscription without an error, the client reads the ended stream again and again and never
//! yields, so nothing can cancel it. All it does on each round is to log one line. This subscriber of its log lines
//! waits for that line and unwinds; the task that ran the subscription ends as one that panicked, without the noise.
//! Should the line ever change, the thread that spins is abandoned instead (ear.rs).

use std::{any::Any, fmt, panic};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

const CLIENT: &str = "kurrentdb";
const LINE: &str = "Received an unknown subscription message";

/// Stands in for the process's log while a subscription is polled. What the client says there is told by its errors.
#[derive(Debug)]
pub(super) struct Tripwire;

/// What unwinds.
struct CleanEnd;

/// Whether a task was ended by the tripwire.
pub(super) fn is_clean_end(panic: &(dyn Any + Send)) -> bool {
    panic.is::<CleanEnd>()
}

impl Subscriber for Tripwire {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with(CLIENT) && metadata.is_event()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message { is_line: false };
        event.record(&mut message);
        if message.is_line {
            // Not `panic!`: nothing is wrong here that the panic hook should tell.
            panic::resume_unwind(Box::new(CleanEnd));
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Message {
    is_line: bool,
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.is_line |= field.name() == "message" && format!("{value:?}") == LINE;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tracing::instrument::WithSubscriber as _;

    use super::*;

    #[tokio::test]
    async fn the_clients_line_ends_the_task_and_other_lines_do_not() {
        let quiet = async {
            tracing::warn!(target: "kurrentdb::commands", "something else");
            tracing::warn!("Received an unknown subscription message");
            7
        };
        assert_eq!(quiet.with_subscriber(Tripwire).await, 7);
        let spinning = async {
            loop {
                tracing::warn!(target: "kurrentdb::commands", "Received an unknown subscription message");
            }
        };
        let caught = panic::AssertUnwindSafe(spinning.with_subscriber(Tripwire)).catch_unwind().await;
        let unwound: Box<dyn Any + Send> = caught.unwrap_err();
        assert!(is_clean_end(&*unwound));
        assert!(!is_clean_end(&"a panic"));
    }
}
