//! The one place that writes to a terminal or a pipe.

use std::io::{IsTerminal as _, Write as _};

use super::Failure;

/// Writes one line, or several, to the standard output. Whoever reads it may have gone away: then there is no one to
/// tell.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
}

/// The same; false if nobody reads it any more.
pub(super) fn try_print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").is_ok()
}

/// Says why a role failed and what to do.
pub(super) fn fail(failure: &Failure) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "error[{}]: {}\n  = help: {}", failure.code, failure.message, failure.advice);
}

/// Whether somebody watches.
pub(super) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Writes one line to the standard error stream.
pub(super) fn note(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}
