//! The limits of an append, checked alike by every adapter before anything else.

use super::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, EVENT_BYTES_MAX};

/// The size of `append` in bytes, or its refusal.
pub(super) fn check(append: &Append) -> Result<usize, AppendError> {
    let events = append.events.len();
    if events == 0 {
        return refused("it has no events".to_owned());
    }
    if events > APPEND_EVENTS_MAX {
        return refused(format!("{events} events are more than {APPEND_EVENTS_MAX}"));
    }
    let mut bytes = 0;
    for event in append.events.iter() {
        let size = event.bytes();
        if size > EVENT_BYTES_MAX {
            return refused(format!("an event of {size} bytes is larger than {EVENT_BYTES_MAX}"));
        }
        bytes += size;
    }
    if bytes > APPEND_BYTES_MAX {
        return refused(format!("{bytes} bytes are more than {APPEND_BYTES_MAX}"));
    }
    Ok(bytes)
}

fn refused<T>(reason: String) -> Result<T, AppendError> {
    Err(AppendError::Refused(reason))
}
