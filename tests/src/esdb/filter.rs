//! Filters of the log: by stream name or event type, with prefixes or a regular expression.
//!
//! Source: "Server-side filtering" in the documentation of the server; `EventFilter.cs`. The server is .NET, whose
//! expressions know look-ahead; the Python client leaves system events out with it. Live: not verified.

use fancy_regex::Regex;
use tonic::Status;

use super::{
    record::Record,
    wire::event_store::client::streams::read_req::options::{
        FilterOptions,
        filter_options::{Expression, Filter as Wire, Window},
    },
};

/// The records that the server looks at between two checkpoints where a client does not say.
const DEFAULT_WINDOW: u64 = 32;

/// Which records a reader wants.
#[derive(Debug)]
pub(super) struct Filter {
    subject: Subject,
    test: Test,
    /// After how many records that were looked at a subscriber is told the position.
    pub(super) checkpoint_interval: u64,
}

#[derive(Clone, Copy, Debug)]
enum Subject {
    Stream,
    Type,
}

#[derive(Debug)]
enum Test {
    Prefixes(Vec<String>),
    Regex(Box<Regex>),
}

impl Filter {
    /// The filter that a client has sent.
    pub(super) fn new(options: FilterOptions) -> Result<Self, Status> {
        let (subject, expression) = match options.filter {
            Some(Wire::StreamIdentifier(expression)) => (Subject::Stream, expression),
            Some(Wire::EventType(expression)) => (Subject::Type, expression),
            None => return Err(Status::invalid_argument("A filter needs an expression")),
        };
        let window = match options.window {
            Some(Window::Max(0)) => return Err(Status::invalid_argument("The filter's window must not be empty")),
            Some(Window::Max(window)) => u64::from(window),
            Some(Window::Count(_)) | None => DEFAULT_WINDOW,
        };
        if options.checkpoint_interval_multiplier == 0 {
            return Err(Status::invalid_argument("The checkpoint interval multiplier must be greater than 0"));
        }
        let checkpoint_interval = window * u64::from(options.checkpoint_interval_multiplier);
        Ok(Self { subject, test: Test::new(expression)?, checkpoint_interval })
    }

    /// Whether the record passes.
    pub(super) fn passes(&self, record: &Record) -> bool {
        let subject = match self.subject {
            Subject::Stream => &record.stream,
            Subject::Type => &record.type_name,
        };
        match &self.test {
            Test::Prefixes(prefixes) => prefixes.iter().any(|prefix| subject.starts_with(prefix)),
            // An expression that gives up has not matched.
            Test::Regex(regex) => regex.is_match(subject).unwrap_or(false),
        }
    }
}

impl Test {
    fn new(expression: Expression) -> Result<Self, Status> {
        if expression.regex.is_empty() {
            return Ok(Self::Prefixes(expression.prefix));
        }
        let regex = Regex::new(&expression.regex)
            .map_err(|error| Status::invalid_argument(format!("Invalid regular expression: {error}")))?;
        Ok(Self::Regex(Box::new(regex)))
    }
}
