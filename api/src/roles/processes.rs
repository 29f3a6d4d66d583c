//! `millrace processes`: how the processes of the shop are, and one more try for what is stuck.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Failure,
    client::Client,
    output::print,
    projections::text::{count, list as entries, plain, table},
};
use crate::{
    cli::{FormatArgs, ProcessRetryArgs, ProcessesArgs, ProcessesCommand, ShowArgs},
    config::Config,
};

/// What is asked of each.
const FIELDS: &str = "name isRunning node isCaughtUp number lagEvents keys waiting underWay done error inTrouble stuck
    troubles { key orderId step reason tries isStuck } concerned concerns(first: 20) { key orderId text }
    parked parkedKeys(first: 20) { key orderId number eventType code reason }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    name: String,
    is_running: bool,
    node: Option<String>,
    is_caught_up: bool,
    number: u64,
    lag_events: u64,
    keys: u64,
    waiting: u64,
    under_way: u64,
    done: u64,
    error: Option<String>,
    in_trouble: u64,
    stuck: u64,
    troubles: Vec<Trouble>,
    concerned: u64,
    concerns: Vec<Concern>,
    parked: u64,
    parked_keys: Vec<ParkedKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trouble {
    key: Uuid,
    reason: String,
    tries: u64,
    is_stuck: bool,
}

#[derive(Deserialize)]
struct Concern {
    key: Uuid,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParkedKey {
    key: Uuid,
    number: u64,
    event_type: String,
    code: String,
    reason: String,
}

/// Carries the verb out, wherever that is possible.
pub async fn run(config: &Config, args: ProcessesArgs) -> Result<(), Failure> {
    let server = args.remote.server.as_deref();
    let is_shared = config.event_store.url.is_some() && config.read_store.url.is_some();
    let client = match args.command {
        // Where nothing runs, nothing is tried: the next start tries everything anyway.
        ProcessesCommand::Retry(_) if !is_shared => Client::connect_to_server(config, server)?,
        ProcessesCommand::List(_) | ProcessesCommand::Show(_) | ProcessesCommand::Retry(_) => {
            Client::connect(config, server).await?
        }
    };
    let done = match &args.command {
        ProcessesCommand::List(format) => list(&client, *format).await,
        ProcessesCommand::Show(args) => show(&client, args).await,
        ProcessesCommand::Retry(args) => retry(&client, args).await,
    };
    client.close().await;
    done
}

async fn list(client: &Client, format: FormatArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Answer {
        processes: Vec<Value>,
    }
    let answer: Answer = client.ask(&format!("query Processes {{ processes {{ {FIELDS} }} }}"), json!({})).await?;
    if format.json {
        for process in answer.processes {
            print(&process.to_string());
        }
        return Ok(());
    }
    let processes: Vec<Process> = Client::parsed(answer.processes.into())?;
    let lines: Vec<_> = processes.iter().map(line).collect();
    print(&table(
        ["NAME", "STATE", "NODE", "POSITION", "BEHIND", "KEYS", "STUCK", "CONCERNS", "PARKED", "REMARKS"],
        &lines,
    ));
    Ok(())
}

async fn show(client: &Client, args: &ShowArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Answer {
        process: Option<Value>,
    }
    let document = format!("query Process($name: String!) {{ process(name: $name) {{ {FIELDS} }} }}");
    let answer: Answer = client.ask(&document, json!({ "name": args.name })).await?;
    let process = answer.process.ok_or_else(|| {
        let message = format!("there is no process {}", plain(&args.name));
        Failure::said("UNKNOWN_PROCESS", message, "see `millrace processes list` for the names").typed()
    })?;
    if args.format.json {
        print(&process.to_string());
        return Ok(());
    }
    print(&entries(&everything(&Client::parsed(process)?)));
    Ok(())
}

async fn retry(client: &Client, args: &ProcessRetryArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Payload {
        process: Named,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let document = "mutation Retry($input: ProcessRetryInput!) { processRetry(input: $input) {
        process { name } userErrors { code message } } }";
    let input = json!({ "name": args.name, "key": args.key, "reason": args.reason });
    let payload: Payload = client.order("processRetry", document, json!({ "input": input })).await?;
    let name = plain(&payload.process.name);
    print(&format!("{name} tries {} again; see `millrace processes show {name}`", plain(&args.key)));
    Ok(())
}

fn line(process: &Process) -> [String; 10] {
    [
        process.name.clone(),
        state(process).to_owned(),
        process.node.clone().unwrap_or_else(|| "-".to_owned()),
        process.number.to_string(),
        number(process.lag_events, "event"),
        process.keys.to_string(),
        number(process.stuck, "step"),
        number(process.concerned, "key"),
        number(process.parked, "key"),
        remarks(process).join("; "),
    ]
}

fn number(number: u64, one: &str) -> String {
    if number == 0 { "-".to_owned() } else { count(number, one) }
}

fn state(process: &Process) -> &'static str {
    match (&process.error, process.is_running || process.node.is_some(), process.is_caught_up) {
        (Some(_), ..) => "standing",
        (None, false, _) => "not running",
        (None, true, false) => "catching up",
        (None, true, true) => "running",
    }
}

/// What somebody who looks after it should see first.
fn remarks(process: &Process) -> Vec<String> {
    let mut remarks: Vec<String> = process.error.iter().cloned().collect();
    remarks.extend(process.troubles.first().map(|trouble| {
        let others = process.in_trouble.saturating_sub(1);
        let others = if others == 0 { String::new() } else { format!(" (and {} more)", count(others, "step")) };
        format!("{}: {}{others}", trouble.key, trouble.reason)
    }));
    remarks
}

fn everything(process: &Process) -> Vec<(&'static str, String)> {
    let mut shown = vec![
        ("name", process.name.clone()),
        ("state", state(process).to_owned()),
        ("node", process.node.clone().unwrap_or_else(|| "-".to_owned())),
        ("position", process.number.to_string()),
        ("behind", number(process.lag_events, "event")),
        ("keys", process.keys.to_string()),
        ("steps", format!("{} waiting, {} under way, {} done", process.waiting, process.under_way, process.done)),
        ("in trouble", number(process.in_trouble, "step")),
        ("stuck", number(process.stuck, "step")),
        ("concerns", number(process.concerned, "key")),
        ("parked", number(process.parked, "key")),
    ];
    shown.extend(process.error.iter().map(|error| ("error", error.clone())));
    for Trouble { key, reason, tries, is_stuck } in &process.troubles {
        let kind = if *is_stuck { "stuck" } else { "failing" };
        shown.push((kind, format!("{key}, tried {}: {reason}", count(*tries, "time"))));
    }
    shown.extend(process.concerns.iter().map(|Concern { key, text }| ("look at", format!("{key}: {text}"))));
    for ParkedKey { key, number, event_type, code, reason } in &process.parked_keys {
        shown.push(("waits", format!("{key}, for {} at {number} ({code}): {reason}", plain(event_type))));
    }
    shown
}
