//! A rebuild of the rows that events from a position on have changed; all others are copied.
//!
//! What has seen no event since then is the same in both generations, as long as it was right before: so the result is
//! that of a whole rebuild, at the price of the changed rows alone.

use std::collections::{BTreeSet, HashSet};

use infrastructure::event_store::Position;
use uuid::Uuid;

use super::{Member, RebuildError, pipeline, throttle::Throttle};
use crate::{
    ParkedEvent, ParkedState,
    parking::sql,
    shape::{CheckError, Look},
};

/// How many changed rows are kept in mind at most: with more of them a whole rebuild is the faster way.
const KEYS_MAX: usize = 2_000_000;
/// How many rows are folded anew in one transaction.
const ROWS_AT_ONCE: usize = 512;

/// Fills a fresh generation up to where the serving one is.
pub(super) async fn fill(member: &mut Member, from: Position, share: u32) -> Result<(), RebuildError> {
    let context = member.context.clone();
    let Some(serving) = context.monitor.status().generation else { return Ok(()) };
    if member.track.position > Position::START {
        // It went on after a store was away: the copy was finished before its checkpoint was.
        return Ok(());
    }
    let mut throttle = Throttle::new(context.events.tail(), share);
    let (rows, name) = (&*context.rows, context.name());
    // What is applied from here on may come behind the copy's back.
    let from = from.min(Position::new(context.monitor.position().value() + 1));
    // The rows of keys that wait, or waited a moment ago, are what the copy may have caught at any moment.
    let mut keys: BTreeSet<Uuid> = waiting_keys(&sql::of_generation(rows, name, serving).await?);
    let look = Look { generation: serving, ..member.track.look(&context) };
    let mut after = None;
    while let Some(copied) = context.shape.copy(look, member.generation, after).await? {
        context.rows.transaction(copied.statements).await?;
        infrastructure::failpoint!("rebuild.copied");
        after = Some(copied.last);
        throttle.rest().await;
    }
    // Everything the copy may hold is folded anew below, since it was there before the target was.
    let target = context.monitor.position();
    // Read after the target, so that everything that waits up to there is among them.
    let mut parked = sql::of_generation(rows, name, serving).await?;
    parked.retain(|entry| entry.position <= target);
    keys.extend(waiting_keys(&parked));
    let left_out = parked.iter().map(|entry| entry.position).collect();
    keys.extend(changed_keys(member, from, target, &left_out).await?);
    member.takes_over_parked(parked).await?;
    let look = Look { position: target, ..member.track.look(&context) };
    let keys: Vec<Uuid> = keys.into_iter().collect();
    for chunk in keys.chunks(ROWS_AT_ONCE) {
        fold_anew(member, look, chunk.to_vec()).await?;
        infrastructure::failpoint!("rebuild.refolded");
        throttle.rest().await;
    }
    member.is_copied(target, keys.len() as u64).await
}

fn waiting_keys(parked: &[ParkedEvent]) -> BTreeSet<Uuid> {
    parked.iter().filter(|entry| entry.state != ParkedState::Skipped).map(|entry| entry.key).collect()
}

/// Folds these rows anew. A key of which nothing is applied, since all its events wait, has none.
async fn fold_anew(member: &Member, look: Look<'_>, mut keys: Vec<Uuid>) -> Result<(), RebuildError> {
    let context = &member.context;
    loop {
        match context.shape.repair(look, &keys, member.track.guard(context)).await {
            Err(CheckError::Missing(missing)) => keys.retain(|key| !missing.contains(key)),
            outcome => return Ok(outcome.map(drop)?),
        }
    }
}

/// The keys of all events between two positions, the second one included, without those that wait.
async fn changed_keys(
    member: &Member,
    from: Position,
    to: Position,
    left_out: &HashSet<Position>,
) -> Result<BTreeSet<Uuid>, RebuildError> {
    let context = &member.context;
    let events = std::sync::Arc::clone(&context.events);
    let mut keys = BTreeSet::new();
    // The pages begin after it.
    if let Some(event) = events.event_at(from).await?
        && context.shape.filter().passes(&event.type_name)
        && !left_out.contains(&from)
    {
        let at_fault = |error: String| RebuildError::Event { place: from, error };
        let event = crate::Decoded::or_why(&event).map_err(|event| at_fault(event.error))?;
        keys.extend(context.shape.key(&event).map_err(at_fault)?);
    }
    let mut pages = pipeline::start(events, &context.lifecycle, context.shape.events(), (from, to));
    while let Some(page) = pages.recv().await {
        let (page, scanned_to) = page?;
        for event in page.into_iter().filter(|event| !left_out.contains(&pipeline::position(event))) {
            let key = match event {
                Ok(event) => context.shape.key(&event).map_err(|error| (event.position, error)),
                Err(event) => Err((event.place.position, event.error)),
            };
            match key {
                Ok(key) => keys.extend(key),
                Err((place, error)) => return Err(RebuildError::Event { place, error }),
            }
        }
        if keys.len() > KEYS_MAX {
            let error = format!("more than {KEYS_MAX} rows have changed since then: rebuild the whole model instead");
            return Err(RebuildError::Switch(error));
        }
        member.report(super::RebuildPhase::Filling, scanned_to, to);
    }
    Ok(keys)
}
