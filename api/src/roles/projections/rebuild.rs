//! `millrace projections rebuild`: orders it, shows how far it is, waits for the end.

use indicatif::HumanBytes;
use infrastructure::event_store::Position;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    follow::{Ended, follow, rebuilds_of},
    poll::Poll,
    print_json,
    text::{count, duration, plain},
};
use crate::{
    cli::RebuildArgs,
    graphql::PositionToken,
    roles::{
        Failure,
        client::Client,
        output::{note, print},
    },
};

const REBUILD: &str = "mutation Rebuild($input: ProjectionRebuildInput!) { projectionRebuild(input: $input) {
    estimates { projection positions events seconds bytes basis } userErrors { code message } } }";

/// How often it is ordered where each time another rebuild has just ended.
const ORDERS_MAX: u32 = 5;

#[derive(Deserialize)]
struct Payload {
    estimates: Vec<Value>,
}

#[derive(Deserialize)]
struct Estimate {
    projection: String,
    positions: u64,
    events: u64,
    seconds: f64,
    bytes: u64,
    basis: String,
}

/// Rebuilds, or says what that would take.
pub(super) async fn run(client: &Client, args: &RebuildArgs) -> Result<(), Failure> {
    let names = each_once(&args.names);
    let Some((first, others)) = names.split_first() else { return Ok(()) };
    let input = json!({
        "name": first, "together": others, "fromPosition": args.from.map(token), "dryRun": args.dry_run,
        "reason": args.reason,
    });
    for attempt in 1.. {
        let begun = client.order::<Payload>("projectionRebuild", REBUILD, json!({ "input": input })).await;
        match begun {
            Ok(Payload { estimates }) if args.dry_run => return print_estimates(estimates, args.format.json),
            Ok(_) => break,
            // A rebuild that somebody else has ordered serves as well as ours, unless ours was to be another one.
            Err(failure) if failure.code == "ALREADY_REBUILDING" && !args.dry_run && args.from.is_none() => {
                let Ok(rebuilds) = rebuilds_of(&mut Poll::new(client), &names).await else { return Err(failure) };
                if rebuilds.iter().all(|ended| !ended.rebuild.is_over()) {
                    note("it is being rebuilt already; this shows that rebuild");
                    break;
                }
                // It ended just now: ours can begin.
                if attempt == ORDERS_MAX || rebuilds.iter().any(|ended| !ended.rebuild.is_over()) {
                    return Err(failure);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    finish(follow(client, &names).await?, args.format.json)
}

/// A number of the log as the API takes it.
pub(super) fn token(number: u64) -> String {
    PositionToken(Position::new(number)).to_string()
}

fn each_once(names: &[String]) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for name in names {
        if !each.contains(name) {
            each.push(name.clone());
        }
    }
    each
}

fn print_estimates(estimates: Vec<Value>, is_json: bool) -> Result<(), Failure> {
    if is_json {
        print_json(&estimates);
        return Ok(());
    }
    for estimate in estimates {
        let estimate: Estimate = Client::parsed(estimate)?;
        let basis = if estimate.basis == "SAMPLE" { "by a sample of the events" } else { "as the last build took" };
        print(&format!(
            "{}: {} out of {}, about {} and {} beside what serves, {basis}",
            estimate.projection,
            count(estimate.events, "event"),
            count(estimate.positions, "position"),
            duration(estimate.seconds),
            HumanBytes(estimate.bytes)
        ));
    }
    Ok(())
}

/// Tells how each ended; fails if one failed.
fn finish(ended: Vec<Ended>, is_json: bool) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for Ended { name, rebuild, answer } in ended {
        if is_json {
            print_json([&answer]);
        }
        if rebuild.phase == "FAILED" {
            failed.push(format!("{name}: {}", plain(rebuild.error.as_deref().unwrap_or("it did not say why"))));
        } else if !is_json {
            let parked = match rebuild.parked_keys {
                0 => String::new(),
                keys => format!(", {} parked", count(keys, "key")),
            };
            print(&format!(
                "{name} serves generation {}: {} in {:.1} s ({:.0} events/s){parked}",
                rebuild.generation,
                count(rebuild.events, "event"),
                rebuild.elapsed_seconds,
                rebuild.rate
            ));
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let advice = "what served before serves on; see what the error names and try again";
    Err(Failure::said("REBUILD_FAILED", failed.join("; "), advice))
}
