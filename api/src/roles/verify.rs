//! `millrace verify`: everything folded anew and compared with the read models, row by row.

use std::time::Duration;

use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Failure,
    client::Client,
    output::{is_watched, note, print},
    projections::{
        Difference, print_differences,
        text::{count, plain},
    },
};
use crate::{cli::VerifyArgs, config::Config};

/// How many differences a report lists at most.
const DIFFERENCES_MAX: usize = 100;
/// How often the sign of life moves.
const TICK: Duration = Duration::from_millis(250);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    rows: u64,
    events: u64,
    number: u64,
    is_right: bool,
    differences: Vec<Difference>,
}

/// Verifies one projection, or every one; fails if a row differs.
pub async fn run(config: &Config, args: &VerifyArgs) -> Result<(), Failure> {
    let client = Client::connect(config, args.remote.server.as_deref()).await?;
    let verified = verify(&client, args).await;
    client.close().await;
    verified
}

async fn verify(client: &Client, args: &VerifyArgs) -> Result<(), Failure> {
    let names = match &args.name {
        Some(name) => vec![name.clone()],
        None => all(client).await?,
    };
    let (mut differing, mut failed) = (Vec::new(), None);
    for name in &names {
        match one(client, name, args.format.json).await {
            Ok(true) => {}
            Ok(false) => differing.push(plain(name)),
            // That one cannot be looked at says nothing about the others.
            Err(failure) if names.len() > 1 && failed.is_some() => note(&format!("{name}: {}", failure.message)),
            Err(failure) => failed = Some(failure),
        }
    }
    if !differing.is_empty() {
        if let Some(failure) = failed {
            note(&failure.message);
        }
        let message = format!("rows differ from their events in: {}", differing.join(", "));
        let advice = "repair them with `millrace projections repair`, or rebuild; then report it: it is a defect, or \
                      somebody has changed read.db";
        return Err(Failure::said("ROWS_DIFFER", message, advice));
    }
    failed.map_or(Ok(()), Err)
}

async fn all(client: &Client) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    struct Answer {
        projections: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let answer: Answer = client.ask("query Names { projections { name } }", json!({})).await?;
    Ok(answer.projections.into_iter().map(|projection| projection.name).collect())
}

/// Whether the projection is right.
async fn one(client: &Client, name: &str, is_json: bool) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Payload {
        report: Value,
    }
    let document = "mutation Verify($input: ProjectionVerifyInput!) { projectionVerify(input: $input) {
        report { rows events number isRight differences { key generation number stored folded } }
        userErrors { code message } } }";
    let bar = is_watched().then(|| ProgressBar::new_spinner().with_message(format!("folding {} anew", plain(name))));
    if let Some(bar) = &bar {
        bar.enable_steady_tick(TICK);
    }
    let variables = json!({ "input": { "name": name } });
    let payload = client.order::<Payload>("projectionVerify", document, variables).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let mut answer = payload?.report;
    let report: Report = Client::parsed(answer.clone())?;
    if is_json {
        answer["projection"] = json!(name);
        print(&answer.to_string());
        return Ok(report.is_right);
    }
    let Report { rows, events, number, is_right, differences } = report;
    let found = match differences.len() {
        _ if is_right => "right".to_owned(),
        DIFFERENCES_MAX.. => format!("{DIFFERENCES_MAX} or more differ"),
        differing => format!("{differing} differ"),
    };
    let (rows, events) = (count(rows, "row"), count(events, "event"));
    print(&format!("{}: {rows} of {events} at {number}: {found}", plain(name)));
    print_differences(name, &differences);
    Ok(is_right)
}
