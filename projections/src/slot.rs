//! One rebuild of a projection at a time.

use std::sync::{Arc, Mutex, PoisonError};

/// The one rebuild of a projection that may run.
#[derive(Clone, Debug, Default)]
pub(crate) struct RebuildSlot(Arc<Mutex<bool>>);

/// Lets the next rebuild start when it is dropped, however this one ends.
#[derive(Debug)]
pub(crate) struct TakenSlot(Option<Arc<Mutex<bool>>>);

impl RebuildSlot {
    /// Whether one is running.
    pub(crate) fn is_taken(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot, if it is free.
    pub(crate) fn take(&self) -> Option<TakenSlot> {
        let mut is_taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!std::mem::replace(&mut *is_taken, true)).then(|| TakenSlot(Some(Arc::clone(&self.0))))
    }
}

impl TakenSlot {
    /// Says that the rebuild is over, and lets the next one start, as one step: whoever hears the one can rely on the
    /// other.
    pub(crate) fn release(mut self, say: impl FnOnce()) {
        if let Some(slot) = self.0.take() {
            let mut is_taken = slot.lock().unwrap_or_else(PoisonError::into_inner);
            say();
            *is_taken = false;
        }
    }
}

impl Drop for TakenSlot {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = false;
        }
    }
}
