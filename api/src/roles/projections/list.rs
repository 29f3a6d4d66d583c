//! `millrace projections list` and `show`.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    print_json,
    text::{count, duration, list as entries, moment, table},
    view::{FIELDS, Projection},
};
use crate::{
    cli::{FormatArgs, ShowArgs},
    roles::{Failure, client::Client, output::print},
};

/// Prints every projection, one line each.
pub(super) async fn list(client: &Client, format: FormatArgs) -> Result<(), Failure> {
    let projections = all(client).await?;
    if format.json {
        print_json(&projections);
        return Ok(());
    }
    let lines = parsed(projections)?;
    let lines: Vec<_> = lines.iter().map(line).collect();
    print(&table(["NAME", "STATE", "GENERATION", "POSITION", "BEHIND", "PARKED", "REMARKS"], &lines));
    Ok(())
}

/// Prints everything about one projection.
pub(super) async fn show(client: &Client, args: &ShowArgs) -> Result<(), Failure> {
    let projection = one(client, &args.name).await?;
    if args.format.json {
        print_json([&projection]);
        return Ok(());
    }
    for projection in parsed(vec![projection])? {
        print(&entries(&everything(&projection)));
    }
    Ok(())
}

/// One projection as it is now, with everything that is shown of it.
pub(super) async fn one(client: &Client, name: &str) -> Result<Value, Failure> {
    #[derive(Deserialize)]
    struct Answer {
        projection: Option<Value>,
    }
    let document = format!("query Projection($name: String!) {{ projection(name: $name) {{ {FIELDS} }} }}");
    let answer: Answer = client.ask(&document, json!({ "name": name })).await?;
    answer.projection.ok_or_else(|| unknown(name))
}

/// The same, read.
pub(super) async fn one_read(client: &Client, name: &str) -> Result<Projection, Failure> {
    read(one(client, name).await?)
}

/// Reads what [`one`] gives.
pub(super) fn read(projection: Value) -> Result<Projection, Failure> {
    Client::parsed(projection)
}

/// Every projection.
async fn all(client: &Client) -> Result<Vec<Value>, Failure> {
    #[derive(Deserialize)]
    struct Answer {
        projections: Vec<Value>,
    }
    let document = format!("query Projections {{ projections {{ {FIELDS} }} }}");
    let answer: Answer = client.ask(&document, json!({})).await?;
    Ok(answer.projections)
}

fn parsed(projections: Vec<Value>) -> Result<Vec<Projection>, Failure> {
    projections.into_iter().map(read).collect()
}

pub(super) fn unknown(name: &str) -> Failure {
    let message = format!("there is no projection {}", super::text::plain(name));
    let advice = format!("choose one of: {}", projections::names().join(", "));
    Failure::said("UNKNOWN_PROJECTION", message, advice).typed()
}

fn line(projection: &Projection) -> [String; 7] {
    let parked = match projection.parked_keys {
        0 => "-".to_owned(),
        keys => count(keys, "key"),
    };
    [
        projection.name.clone(),
        projection.state.clone(),
        projection.generation.map_or_else(|| "-".to_owned(), |generation| generation.to_string()),
        projection.number.to_string(),
        behind(projection),
        parked,
        remarks(projection).join("; "),
    ]
}

/// How far it is behind, in a few words.
pub(super) fn behind(projection: &Projection) -> String {
    match projection.lag_events {
        0 => "-".to_owned(),
        events => format!("{}, {}", count(events, "event"), duration(projection.lag_seconds)),
    }
}

/// What somebody who looks after it should see first.
pub(super) fn remarks(projection: &Projection) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(stopped) = &projection.stopped_at {
        remarks.push(format!("stands at event {}: {}", stopped.number, stopped.error));
    } else if let Some(error) = &projection.error {
        remarks.push(error.clone());
    }
    if projection.paused_by.is_some() {
        remarks.push(paused(projection));
    } else if let Some(stall) = &projection.stall {
        remarks.push(format!("does not move since {}: {}", moment(stall.since), stall.reason));
    }
    if let Some(version) = projection.generation_version.filter(|version| *version != i64::from(projection.version)) {
        remarks.push(format!("serves version {version} as it stood"));
    }
    match &projection.rebuild {
        Some(rebuild) if !rebuild.is_over() => {
            remarks.push(format!("generation {}: {}", rebuild.generation, rebuild.words()));
        }
        Some(rebuild) => {
            remarks.extend(rebuild.error.as_ref().map(|error| format!("the last rebuild failed: {error}")));
        }
        None => {}
    }
    match projection.differences.len() as u64 {
        0 => {}
        1 => remarks.push("1 row differs from its events".to_owned()),
        rows => remarks.push(format!("{rows} rows differ from their events")),
    }
    remarks
}

fn paused(projection: &Projection) -> String {
    let Some(paused) = &projection.paused_by else { return "-".to_owned() };
    let place = match paused.at_number {
        Some(number) if projection.state != "PAUSED" => format!("to be paused at {number}"),
        Some(number) => format!("paused at {number}"),
        None => "paused".to_owned(),
    };
    let reason = paused.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{place} by {} since {}{reason}", paused.by, moment(paused.since))
}

fn everything(projection: &Projection) -> Vec<(&'static str, String)> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut entries = vec![
        ("name", projection.name.clone()),
        ("state", projection.state.clone()),
        ("version", projection.version.to_string()),
        ("generation", or_none(projection.generation.map(|generation| generation.to_string()))),
        ("position", format!("{} of {}", projection.number, projection.head_number)),
        ("behind", behind(projection)),
        ("applied", format!("{} since the start, {:.1}/s", count(projection.applied, "event"), projection.rate)),
        ("standby", or_none(standby(projection))),
        ("paused", paused(projection)),
    ];
    if let Some(stopped) = &projection.stopped_at {
        let event = format!(
            "event {} ({}, version {} of {})",
            stopped.number, stopped.event_type, stopped.version, stopped.stream
        );
        let since = format!("tried {} until {}", count(stopped.attempts.into(), "time"), moment(stopped.since));
        entries.extend([("stopped at", event), ("why", format!("{}; {since}", stopped.error))]);
        entries.push(("way out", stopped.way_out.clone()));
    } else {
        entries.extend(projection.error.clone().map(|error| ("error", error)));
    }
    entries.extend(projection.next_retry.map(|next| ("next try", moment(next))));
    let stall = projection.stall.as_ref();
    entries.extend(stall.map(|stall| ("stalled", format!("since {}: {}", moment(stall.since), stall.reason))));
    entries.extend(parked(projection));
    let rebuild = projection.rebuild.as_ref();
    entries.extend(rebuild.map(|rebuild| ("rebuild", of_rebuild(rebuild))));
    let differing = projection.differences.iter().map(|difference| difference.key.to_string());
    let differing: Vec<String> = differing.collect();
    entries.extend((!differing.is_empty()).then(|| ("differs", differing.join(" "))));
    entries
}

fn standby(projection: &Projection) -> Option<String> {
    let standby = projection.standby.as_ref()?;
    let state = if standby.is_followed { "kept up to date" } else { "as it stood" };
    Some(format!(
        "generation {} of version {}, {state} at {}, since {}",
        standby.generation,
        standby.version,
        standby.number,
        moment(standby.since)
    ))
}

fn parked(projection: &Projection) -> Vec<(&'static str, String)> {
    if projection.parked_keys == 0 {
        return vec![("parked", "-".to_owned())];
    }
    let mut entries = vec![(
        "parked",
        format!("{}, {}", count(projection.parked_keys, "key"), count(projection.parked_events, "event")),
    )];
    if let Some(first) = &projection.first_parked {
        let next = first
            .next_retry
            .map_or_else(|| "not tried again by itself".to_owned(), |next| format!("tried again at {}", moment(next)));
        let attempts = count(first.attempts.into(), "time");
        entries.push((
            "first",
            format!(
                "key {} at event {} since {}, tried {attempts}, {next}: {}",
                first.key,
                first.number,
                moment(first.since),
                first.error
            ),
        ));
    }
    entries
}

fn of_rebuild(rebuild: &super::view::Rebuild) -> String {
    let how = match &rebuild.error {
        Some(error) => format!("failed: {error}"),
        None if rebuild.is_over() => {
            format!("done, {} in {}", count(rebuild.events, "event"), duration(rebuild.elapsed_seconds))
        }
        None => rebuild.words(),
    };
    let parked = match rebuild.parked_keys {
        0 => String::new(),
        keys => format!(", {} parked", count(keys, "key")),
    };
    format!("generation {}: {how}{parked}", rebuild.generation)
}
