//! `millrace projections watch`: a projection as it changes, on one line of a terminal or line by line in a pipe.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    list::{behind, read, remarks, unknown},
    poll::{LINE_INTERVAL, POLL_INTERVAL, Poll},
    text::plain,
    view::{FIELDS, Projection},
};
use crate::{
    cli::ShowArgs,
    roles::{
        Failure, asked_to_stop,
        client::Client,
        output::{is_watched, try_print},
    },
};

/// How often the sign of life of a terminal's line moves.
const TICK: Duration = Duration::from_millis(250);

#[derive(Deserialize)]
struct Answer {
    projection: Option<Value>,
}

/// Shows it until interrupted, or until nobody reads any more.
pub(super) async fn run(client: &Client, args: &ShowArgs) -> Result<(), Failure> {
    let document = format!("query Watch($name: String!) {{ projection(name: $name) {{ {FIELDS} }} }}");
    let variables = json!({ "name": args.name });
    let mut poll = Poll::new(client);
    let mut display = Display::new(args.format.json);
    let stop = asked_to_stop();
    tokio::pin!(stop);
    loop {
        let Answer { projection } = tokio::select! {
            answer = poll.ask(&document, &variables) => answer?,
            () = &mut stop => return Ok(()),
        };
        let projection = projection.ok_or_else(|| unknown(&args.name))?;
        if !display.show(&projection)? {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = &mut stop => return Ok(()),
        }
    }
}

enum Display {
    /// One line that is written over.
    Bar(ProgressBar),
    /// A line for each change.
    Lines { last: String, written: Option<Instant>, is_json: bool },
}

impl Display {
    fn new(is_json: bool) -> Self {
        if is_json || !is_watched() || !std::io::stdout().is_terminal() {
            return Self::Lines { last: String::new(), written: None, is_json };
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        Self::Bar(match ProgressStyle::with_template("{spinner} {wide_msg}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// False if nobody reads it any more.
    fn show(&mut self, projection: &Value) -> Result<bool, Failure> {
        match self {
            Self::Bar(bar) => bar.set_message(line(&read(projection.clone())?)),
            Self::Lines { last, written, is_json } => {
                let text = if *is_json { projection.to_string() } else { line(&read(projection.clone())?) };
                let is_due = written.is_none_or(|written| written.elapsed() >= LINE_INTERVAL);
                if text != *last && is_due {
                    (*last, *written) = (text, Some(Instant::now()));
                    return Ok(try_print(last));
                }
            }
        }
        Ok(true)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            // What was seen last stays on the screen.
            bar.abandon();
        }
    }
}

fn line(projection: &Projection) -> String {
    let behind = match behind(projection).as_str() {
        "-" => "not behind".to_owned(),
        behind => format!("{behind} behind"),
    };
    let remarks = remarks(projection).into_iter().map(|remark| format!("; {}", plain(&remark)));
    format!(
        "{} {} at {} of {}, {behind}, {:.0}/s{}",
        plain(&projection.name),
        projection.state,
        projection.number,
        projection.head_number,
        projection.rate,
        remarks.collect::<String>()
    )
}
