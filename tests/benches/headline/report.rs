//! The table and the JSON file.

use std::{collections::BTreeMap, path::Path, thread};

use serde_json::{Value, json};

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    values: BTreeMap<&'static str, f64>,
}

/// One line of the table.
#[derive(Debug)]
struct Row {
    what: &'static str,
    goal: String,
    measured: String,
    /// None if there is no goal.
    is_met: Option<bool>,
}

/// What a number must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    /// Keeps a number under its key in the JSON file. It is shown at once, too: what comes next may fail.
    pub(crate) fn value(&mut self, key: &'static str, value: f64) {
        progress(&format!("{key}: {value:.2}"));
        self.values.insert(key, value);
    }

    /// Adds a line for a number of this unit; `detail` says where it comes from.
    pub(crate) fn row(&mut self, what: &'static str, goal: Goal, measured: f64, unit: &str, detail: &str) {
        let (sign, limit, is_met) = match goal {
            Goal::AtLeast(limit) => ("≥", limit, measured >= limit),
            Goal::AtMost(limit) => ("≤", limit, measured <= limit),
        };
        let goal = format!("{sign} {} {unit}", number(limit));
        let detail = if detail.is_empty() { String::new() } else { format!("  ({detail})") };
        self.rows.push(Row {
            what,
            goal,
            measured: format!("{} {unit}{detail}", number(measured)),
            is_met: Some(is_met),
        });
    }

    /// Adds a line for the share that `measured` is of `floor`, kept as `key`.
    pub(crate) fn share(
        &mut self,
        what: &'static str,
        key: &'static str,
        least: f64,
        [(measured_key, measured), (floor_key, floor)]: [(&'static str, f64); 2],
        detail: &str,
    ) {
        self.value(measured_key, measured);
        self.value(floor_key, floor);
        self.value(key, measured / floor);
        let detail = format!("{}/s of {}/s{detail}", number(measured), number(floor));
        self.row(what, Goal::AtLeast(least * 100.0), measured / floor * 100.0, "%", &detail);
    }

    /// The same without a goal: what is measured is not ours alone.
    pub(crate) fn compare(
        &mut self,
        what: &'static str,
        key: &'static str,
        [(measured_key, measured), (floor_key, floor)]: [(&'static str, f64); 2],
    ) {
        self.value(measured_key, measured);
        self.value(floor_key, floor);
        self.value(key, measured / floor);
        let share = number(measured / floor * 100.0);
        let measured = format!("{share} %  ({}/s of {}/s)", number(measured), number(floor));
        self.rows.push(Row { what, goal: String::new(), measured, is_met: None });
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        let width = |text: fn(&Row) -> &str| self.rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
        let (what, goal) = (width(|row| row.what), width(|row| &row.goal));
        say(&format!("Millrace on {} cores", cores()));
        for row in &self.rows {
            let mark = match row.is_met {
                Some(true) => "reached",
                Some(false) => "MISSED ",
                None => "       ",
            };
            say(&format!("  {:what$}   {:goal$}   {mark}   {}", row.what, row.goal, row.measured));
        }
    }

    /// Writes the numbers to `file`.
    pub(crate) fn write_json(&self, file: &Path) {
        let mut values: BTreeMap<&str, Value> =
            self.values.iter().map(|(key, value)| (*key, json!((value * 1e4).round() / 1e4))).collect();
        values.insert("cores", json!(cores()));
        let text = serde_json::to_string_pretty(&values).expect("numbers can be written");
        std::fs::write(file, text + "\n").expect("the JSON file can be written");
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Thousands with separators and no fraction, small numbers with one digit behind the point.
pub(crate) fn number(value: f64) -> String {
    if value < 1000.0 {
        let text = format!("{value:.1}");
        return text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned);
    }
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Says something to whoever started the benchmark.
#[expect(clippy::print_stdout, reason = "a benchmark reports on the standard output")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Says what is going on, apart from the table.
pub(crate) fn progress(text: &str) {
    eprintln!("headline: {text}");
}
