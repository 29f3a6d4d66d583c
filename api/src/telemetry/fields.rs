//! How the fields of a log line are written so that nobody outside can forge a line or speak to a terminal.

use std::{
    error::Error,
    fmt::{self, Write as _},
    io,
};

use infrastructure::telemetry::with_causes;
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, MakeWriter, format::Writer},
};

/// `message name=value name=value` on one line. Control characters are written as in a Rust literal.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneLineFields;

impl<'writer> FormatFields<'writer> for OneLineFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Visitor { out: Escaped(&mut writer), is_first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Visitor<'a, 'writer> {
    out: Escaped<&'a mut Writer<'writer>>,
    is_first: bool,
    result: fmt::Result,
}

impl Visitor<'_, '_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.result.is_err() {
            return;
        }
        let space = if self.is_first { "" } else { " " };
        self.is_first = false;
        self.result = match field.name() {
            "message" => write!(self.out, "{space}{value}"),
            name => write!(self.out, "{space}{name}={value}"),
        };
    }
}

impl Visit for Visitor<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format_args!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        self.write(field, format_args!("{}", with_causes(error)));
    }
}

/// Passes text on with its control characters escaped.
struct Escaped<W>(W);

impl<W: fmt::Write> fmt::Write for Escaped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, control)) = rest.char_indices().find(|(_, c)| c.is_control()) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", control.escape_default())?;
            rest = &rest[at + control.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// For JSON lines: JSON itself escapes the controls below 0x20, and this the ones that it leaves (0x7F to 0x9F), which
/// some terminals obey too. They can stand inside strings only, so the line stays JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct EscapedWriter<M>(pub(super) M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for EscapedWriter<M> {
    type Writer = EscapedWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        EscapedWriter(self.0.make_writer())
    }
}

impl<W: io::Write> io::Write for EscapedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A formatter hands over whole lines, so no character is cut in two.
        let text = String::from_utf8_lossy(line);
        let is_control = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
        if text.contains(is_control) {
            let mut escaped = String::with_capacity(text.len() + 16);
            for c in text.chars() {
                if is_control(c) {
                    let _ = write!(escaped, "\\u{:04x}", u32::from(c));
                } else {
                    escaped.push(c);
                }
            }
            self.0.write_all(escaped.as_bytes())?;
        } else {
            self.0.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
