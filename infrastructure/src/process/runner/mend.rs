//! Keys that wait for an event that this build cannot read: parked alone, and folded anew once it can.
//!
//! The state from before the event stands in the notes. From there on the key's events are read from the log again, up to
//! where the process is. **Invariant:** a key is let go of only with everything taken in that the process has seen.

use std::collections::{BTreeSet, HashMap};

use domain::Process;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Hold, Over, log_failed, notes_failed};
use crate::{
    event_store::{Position, RecordedEvent, TypeFilter},
    process::{
        parked::{Mended, ParkedKey},
        reader,
    },
};

/// How many keys are folded anew from one reading of the log: as many states are in memory then.
const KEYS_MAX: usize = 10_000;

type Mending<P> = HashMap<Uuid, Mended<<P as Process>::State>>;

impl<P: Process> Hold<'_, P> {
    /// Puts these keys on the desk as they are in the notes.
    pub(super) async fn lay_out(&mut self, keys: BTreeSet<Uuid>) -> Result<(), Over> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Vec<Uuid> = keys.into_iter().collect();
        for noted in self.notes.of_keys::<P>(&keys).await.map_err(|error| notes_failed(&error))? {
            self.desk.lay_out(noted);
        }
        Ok(())
    }

    /// Lets the key of an event wait that cannot be read.
    pub(super) fn park(&mut self, parked: ParkedKey) {
        if self.desk.is_parked(parked.key) {
            return; // It waits for an earlier one.
        }
        let (key, position, code) = (parked.key, parked.position.value(), parked.code.as_str());
        let error = &parked.reason;
        tracing::error!(process = P::NAME, key = %key, position, code, error, "an event cannot be read; its key waits for it");
        self.desk.park(parked);
    }

    /// Remembers which keys wait, and folds those anew that a build of other events could not read.
    pub(super) async fn mend_with_this_build(&mut self) -> Result<(), Over> {
        let parked = self.notes.parked().await.map_err(|error| notes_failed(&error))?;
        self.desk.remember_parked(parked.iter().map(|(key, place, _)| (*key, *place)));
        self.mend(parked.into_iter().filter(|(_, _, is_other)| *is_other).map(|(key, _, _)| key)).await
    }

    /// Folds those of these keys anew that wait.
    pub(super) async fn mend(&mut self, keys: impl IntoIterator<Item = Uuid>) -> Result<(), Over> {
        let keys: Vec<Uuid> = keys.into_iter().filter(|key| self.desk.is_parked(*key)).collect();
        for keys in keys.chunks(KEYS_MAX) {
            let missing = keys.iter().copied().filter(|key| !self.desk.knows(*key)).collect();
            self.lay_out(missing).await?;
            let mending = keys.iter().filter_map(|key| Some((*key, self.desk.before(*key)?))).collect();
            let (now, instant) = (self.around.clock.now(), Instant::now());
            for (key, mended) in self.fold_anew(mending).await? {
                match &mended.still {
                    None => tracing::info!(process = P::NAME, key = %key, "a key that waited for an event goes on"),
                    Some(parked) => {
                        let (position, error) = (parked.position.value(), &parked.reason);
                        tracing::warn!(process = P::NAME, key = %key, position, error, "an event cannot be read even now");
                    }
                }
                self.desk.mended(key, mended);
                self.desk.look(key, now, instant);
            }
        }
        Ok(())
    }

    /// Reads on from where the first of them waits to where the process is.
    async fn fold_anew(&self, mut mending: Mending<P>) -> Result<Mending<P>, Over> {
        let Some(mut after) = mending.values().map(|mended| mended.place.after).min() else { return Ok(mending) };
        let filter = TypeFilter::prefixes(P::EVENTS);
        while after < self.position && mending.values().any(|mended| mended.still.is_none()) {
            let page = self.around.events.read_all(after, &filter, self.around.options.batch_events_max).await;
            let page = page.map_err(|error| log_failed(&error))?;
            let mut before = after;
            for recorded in page.events.iter().take_while(|recorded| recorded.position <= self.position) {
                take_in::<P>(&mut mending, recorded, before);
                before = recorded.position;
            }
            if page.scanned_to <= after {
                break;
            }
            after = page.scanned_to;
        }
        Ok(mending)
    }
}

fn take_in<P: Process>(mending: &mut Mending<P>, recorded: &RecordedEvent, before: Position) {
    let waits = |mended: &Mended<P::State>| mended.still.is_none() && mended.place.position <= recorded.position;
    match reader::read_one::<P>(recorded, before) {
        Ok(None) => {}
        Ok(Some((id, Ok(event)))) => {
            let mended = P::key(&event).and_then(|key| mending.get_mut(&key)).filter(|mended| waits(mended));
            if let Some(mended) = mended {
                mended.state = P::evolve(std::mem::take(&mut mended.state), &event);
                mended.cause = Some(id);
            }
        }
        Ok(Some((_, Err(parked)))) => {
            if let Some(mended) = mending.get_mut(&parked.key).filter(|mended| waits(mended)) {
                mended.still = Some(parked);
            }
        }
        // Another build has passed it over. It may be any of theirs, so all of them wait for it.
        Err(of_anybody) => {
            for (key, mended) in mending.iter_mut().filter(|(_, mended)| waits(mended)) {
                mended.still = Some(ParkedKey { key: *key, ..of_anybody.clone() });
            }
        }
    }
}
