//! `millrace projections check` and `repair`: some rows against their events.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    list::one_read,
    print_json,
    text::{count, plain},
    view::Difference,
};
use crate::{
    cli::{CheckArgs, RepairArgs},
    roles::{Failure, client::Client, output::print},
};

/// Folds rows anew and compares; fails if one differs.
pub(super) async fn check(client: &Client, args: &CheckArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        projection_check: Checkup,
    }
    #[derive(Deserialize)]
    struct Checkup {
        rows: u64,
        differences: Vec<Value>,
    }
    // So that an unknown name is told as one, and not as a bad argument of a question.
    one_read(client, &args.name).await?;
    let document = "query Check($name: String!, $keys: [ID!]!) { projectionCheck(name: $name, keys: $keys) {
        rows differences { key generation number stored folded } } }";
    let answer: Answer = client.ask(document, json!({ "name": args.name, "keys": args.keys })).await?;
    let Checkup { rows, differences } = answer.projection_check;
    if args.format.json {
        print_json(&differences);
    }
    if differences.is_empty() {
        if !args.format.json {
            let words = if rows == 1 { "is what its events make" } else { "are what their events make" };
            print(&format!("{}: {} {words}", plain(&args.name), count(rows, "row")));
        }
        return Ok(());
    }
    let differing = differences.len();
    if !args.format.json {
        print_differences(&args.name, &Client::parsed::<Vec<Difference>>(differences.into())?);
    }
    let message = format!("{differing} of {} of {} differ from their events", count(rows, "row"), plain(&args.name));
    let advice = format!("repair them with `millrace projections repair {} KEY..`", plain(&args.name));
    Err(Failure::said("ROWS_DIFFER", message, advice))
}

/// Folds rows anew and writes them.
pub(super) async fn repair(client: &Client, args: &RepairArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Payload {
        repaired: Vec<Value>,
    }
    #[derive(Deserialize)]
    struct Row {
        key: Uuid,
        before: Option<String>,
        after: Option<String>,
    }
    let CheckArgs { name, keys, format } = &args.rows;
    let document = "mutation Repair($input: ProjectionRepairInput!) { projectionRepair(input: $input) {
        repaired { key before after } userErrors { code message } } }";
    let input = json!({ "name": name, "keys": keys, "reason": args.reason });
    let payload: Payload = client.order("projectionRepair", document, json!({ "input": input })).await?;
    if format.json {
        print_json(&payload.repaired);
        return Ok(());
    }
    for row in payload.repaired {
        let Row { key, before, after } = Client::parsed(row)?;
        if before == after {
            print(&format!("{key}\n  was right  {}", row_text(after.as_deref())));
        } else {
            print(&format!(
                "{key}\n  before  {}\n  after   {}",
                row_text(before.as_deref()),
                row_text(after.as_deref())
            ));
        }
    }
    Ok(())
}

/// Prints both versions of each row.
pub(in crate::roles) fn print_differences(projection: &str, differences: &[Difference]) {
    for Difference { key, stored, folded } in differences {
        print(&format!(
            "{} {key}\n  stored  {}\n  folded  {}",
            plain(projection),
            row_text(stored.as_deref()),
            row_text(folded.as_deref())
        ));
    }
}

fn row_text(row: Option<&str>) -> String {
    row.map_or_else(|| "no row".to_owned(), plain)
}
