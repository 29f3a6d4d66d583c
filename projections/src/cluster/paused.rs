//! What operators have paused, as their log says: every process follows it, so that a pause reaches all workers, and those
//! that start later.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::{
    Decider as _, Event,
    operator::{Operator, OperatorAction, OperatorEvent, OperatorState},
};
use infrastructure::{
    event_store::{EventStore, Position, Subscription, TypeFilter},
    lifecycle::Lifecycle,
};
use tokio::sync::mpsc;

use crate::{
    Decoded, Pause,
    worker::{Order, ask},
};

/// How many actions are read at once.
const PAGE_EVENTS: usize = 256;
/// How long until the log is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Pauses and resumes the workers of this process. `paused` is what they started with; none: all are paused, whatever was
/// written before.
pub(crate) async fn follow_pauses(
    events: Arc<dyn EventStore>,
    workers: Vec<(&'static str, mpsc::Sender<Order>)>,
    paused: Option<BTreeMap<String, Pause>>,
    lifecycle: Lifecycle,
) {
    let mut state = OperatorState::default();
    let mut is_live = false;
    let starts_paused = paused.is_none();
    let mut paused = paused.unwrap_or_default();
    let mut log = Subscription::new(events, Position::START, TypeFilter::prefixes(&["operator."]));
    loop {
        let batch = tokio::select! {
            biased;
            () = lifecycle.stopping() => return,
            batch = log.next(PAGE_EVENTS) => batch,
        };
        let Ok(batch) = batch else {
            tokio::select! {
                biased;
                () = lifecycle.stopping() => return,
                () = tokio::time::sleep(TRY_AGAIN) => continue,
            }
        };
        let mut resumed = BTreeSet::new();
        for event in &batch.events {
            // An action that this build cannot read is none that it could carry out.
            if let Ok(decoded) = Decoded::decode(event)
                && let Event::Operator(event) = &*decoded.event
            {
                let OperatorEvent::ActionTaken { projection, action, .. } = event;
                if is_live && *action == OperatorAction::Resume {
                    // Also one that stands at an event without having been paused.
                    resumed.insert(projection.as_str().to_owned());
                }
                state = Operator::evolve(state, event);
            }
        }
        if !batch.is_caught_up {
            continue;
        }
        if !std::mem::replace(&mut is_live, true) && starts_paused {
            let known = state.paused.iter().map(|(name, known)| (name.as_str().to_owned(), Pause::of(known)));
            paused = known.collect();
            continue;
        }
        for (name, orders) in &workers {
            let wanted = state.paused.iter().find(|(projection, _)| projection.as_str() == *name);
            let wanted = wanted.map(|(_, paused)| Pause::of(paused));
            if paused.get(*name) == wanted.as_ref() && !resumed.contains(*name) {
                continue;
            }
            let told = match wanted.clone() {
                Some(pause) => ask(orders, |answer| Order::Pause { pause, answer }).await,
                None => ask(orders, Order::Resume).await,
            };
            if told.is_none() {
                return;
            }
            match wanted {
                Some(pause) => drop(paused.insert((*name).to_owned(), pause)),
                None => drop(paused.remove(*name)),
            }
        }
    }
}
