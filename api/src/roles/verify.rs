//! `millrace verify`: everything folded anew and compared with the read models, row by row; then stock and money booked a
//! second time.

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
/// What stock and money are called here.
const SHOP: &str = "shop";
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Books {
    events: u64,
    number: u64,
    stocks: u64,
    payments: u64,
    orders: u64,
    under_way: u64,
    is_right: bool,
    differing: u64,
    differences: Vec<Unsettled>,
}

#[derive(Deserialize)]
struct Unsettled {
    subject: String,
    key: String,
    text: String,
}

/// Verifies one projection, or every one and stock and money; fails if anything differs.
pub async fn run(config: &Config, args: &VerifyArgs) -> Result<(), Failure> {
    let client = Client::connect(config, args.remote.server.as_deref()).await?;
    let verified = verify(&client, args).await;
    client.close().await;
    verified
}

async fn verify(client: &Client, args: &VerifyArgs) -> Result<(), Failure> {
    let names = match args.name.as_deref() {
        Some(SHOP) => Vec::new(),
        Some(name) => vec![name.to_owned()],
        None => all(client).await?,
    };
    let has_books = args.name.as_deref().is_none_or(|name| name == SHOP);
    let rows = rows(client, &names, args.format.json).await;
    let books = if has_books { books(client, args.format.json).await } else { Ok(()) };
    if let (Err(_), Err(failure)) = (&rows, &books) {
        note(&failure.message);
    }
    rows.and(books)
}

/// Compares rows of these projections.
async fn rows(client: &Client, names: &[String], is_json: bool) -> Result<(), Failure> {
    let (mut differing, mut failed) = (Vec::new(), None);
    for name in names {
        match one(client, name, is_json).await {
            Ok(true) => {}
            Ok(false) => differing.push(plain(name)),
            // That one cannot be looked at says nothing about the others.
            Err(mut failure) => {
                // Of one, it is known which.
                if names.len() > 1 {
                    failure.message = format!("{}: {}", plain(name), failure.message);
                }
                match failed {
                    None => failed = Some(failure),
                    Some(_) => note(&failure.message),
                }
            }
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
    let variables = json!({ "input": { "name": name } });
    let order = client.order::<Payload>("projectionVerify", document, variables);
    let mut answer = while_watched(format!("folding {} anew", plain(name)), order).await?.report;
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

/// Books stock and money a second time.
async fn books(client: &Client, is_json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Payload {
        report: Value,
    }
    let document =
        "mutation Books { shopVerify { report { events number stocks payments orders underWay isRight differing
        differences { subject key id text } } userErrors { code message } } }";
    let order = client.order::<Payload>("shopVerify", document, json!({}));
    let mut answer = while_watched("booking stock and money anew".to_owned(), order).await?.report;
    let books: Books = Client::parsed(answer.clone())?;
    if is_json {
        answer["audit"] = json!(SHOP);
        print(&answer.to_string());
    } else {
        print_books(&books);
    }
    if books.is_right {
        return Ok(());
    }
    let message = format!("stock or money does not add up: {}", count(books.differing, "difference"));
    let advice = "see docs/operations/processes.md for what each means; report it: it is a defect, or somebody has changed \
                  the events";
    Err(Failure::said("BOOKS_DIFFER", message, advice))
}

/// Shows a sign of life, if somebody watches, until this is done.
async fn while_watched<T>(message: String, work: impl Future<Output = T>) -> T {
    let bar = is_watched().then(|| ProgressBar::new_spinner().with_message(message));
    if let Some(bar) = &bar {
        bar.enable_steady_tick(TICK);
    }
    let done = work.await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    done
}

fn print_books(books: &Books) {
    let Books { events, number, stocks, payments, orders, under_way, differing, .. } = books;
    let found = if books.is_right { "right".to_owned() } else { count(*differing, "difference") };
    let at_it = if *under_way == 0 { String::new() } else { format!(" ({under_way} under way)") };
    let (stocks, payments) = (count(*stocks, "stock"), count(*payments, "payment"));
    let (orders, events) = (count(*orders, "order"), count(*events, "event"));
    print(&format!("{SHOP}: {orders}{at_it}, {stocks}, {payments} of {events} at {number}: {found}"));
    for Unsettled { subject, key, text } in &books.differences {
        print(&format!("  {} {}: {}", subject.to_lowercase(), plain(key), plain(text)));
    }
}
