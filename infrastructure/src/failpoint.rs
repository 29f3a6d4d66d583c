//! Places at which a test can make the process die, as if it was killed there. Not in release builds.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

static ARMED: OnceLock<Armed> = OnceLock::new();

#[derive(Debug)]
struct Armed {
    name: String,
    left: AtomicU64,
}

/// The process dies when it comes to a place the `n`th time: `NAME` or `NAME:N`. Once in a process; what cannot be read
/// is refused.
pub fn arm(spec: &str) -> Result<(), String> {
    let (name, left) = match spec.split_once(':') {
        Some((name, count)) => (name, count.parse().map_err(|_| format!("`{count}` is not a number"))?),
        None => (spec, 1),
    };
    let armed = Armed { name: name.to_owned(), left: AtomicU64::new(left) };
    ARMED.set(armed).map_err(|_| "there is one already".to_owned())
}

/// The process comes to a place.
pub fn reached(name: &str) {
    if let Some(armed) = ARMED.get()
        && armed.name == name
        && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        // No destructor runs and nothing is flushed, as with a SIGKILL.
        std::process::abort();
    }
}

/// A place at which a test can make the process die.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        if cfg!(debug_assertions) {
            $crate::failpoint::reached($name);
        }
    };
}
