//! Numbers, times and tables for people. Nothing that came from elsewhere can steer the terminal.

#[cfg(test)]
mod tests;

use chrono::SecondsFormat;
use domain::Timestamp;

/// Text from elsewhere on one line: control characters, which would steer a terminal, are written out.
pub(in crate::roles) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

/// A moment, to the second.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A number of seconds, as exactly as anybody wants to know.
pub(super) fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    match seconds {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 2.0 * MINUTE => format!("{seconds:.0} s"),
        seconds if seconds < 2.0 * HOUR => format!("{:.0} min", seconds / MINUTE),
        seconds if seconds < 2.0 * DAY => format!("{:.1} h", seconds / HOUR),
        seconds => format!("{:.1} d", seconds / DAY),
    }
}

/// `1 event`, `2 events`.
pub(in crate::roles) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// A heading and lines below it, each column as wide as it needs to be.
pub(in crate::roles) fn table<const COLUMNS: usize>(heading: [&str; COLUMNS], lines: &[[String; COLUMNS]]) -> String {
    let heading = heading.map(str::to_owned);
    let all: Vec<[String; COLUMNS]> =
        std::iter::once(&heading).chain(lines).map(|line| line.each_ref().map(|cell| plain(cell))).collect();
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| all.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let lines = all.iter().map(|line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Names and values below each other, the values in one line.
pub(in crate::roles) fn list(entries: &[(&str, String)]) -> String {
    let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = entries.iter().map(|(name, value)| format!("{name:width$}  {}", plain(value)));
    lines.collect::<Vec<_>>().join("\n")
}
