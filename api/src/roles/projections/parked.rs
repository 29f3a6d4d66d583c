//! `millrace projections parked`: events that could not be applied, and those behind them.

use std::{collections::BTreeSet, time::Duration};

use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    list::one_read,
    poll::POLL_INTERVAL,
    print_json,
    rebuild::token,
    text::{count, moment, plain, table},
};
use crate::{
    cli::{ParkedCommand, ParkedListArgs, ParkedRetryArgs, ParkedSkipArgs, ParkedStateArg},
    roles::{
        Failure,
        client::Client,
        output::{note, print},
    },
};

/// How many are asked for at once.
const PAGE_EVENTS: usize = 100;
/// How long nothing may happen before a retry of all keys is left to itself.
const QUIET_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parked {
    projection: String,
    key: Uuid,
    number: u64,
    event_type: String,
    state: String,
    error: Option<String>,
    attempts: u32,
    first_at: Timestamp,
    last_at: Timestamp,
    next_retry: Option<Timestamp>,
}

/// What came of a try.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Released {
    applied: u64,
    waits_at_number: Option<u64>,
    error: Option<String>,
}

pub(super) async fn run(client: &Client, command: &ParkedCommand) -> Result<(), Failure> {
    match command {
        ParkedCommand::List(args) => list(client, args).await,
        ParkedCommand::Retry(args) => retry(client, args).await,
        ParkedCommand::Skip(args) => skip(client, args).await,
    }
}

async fn list(client: &Client, args: &ParkedListArgs) -> Result<(), Failure> {
    if let Some(name) = &args.name {
        one_read(client, name).await?;
    }
    let (events, has_more) = page_by_page(client, args).await?;
    if args.format.json {
        print_json(&events);
    } else {
        let events: Vec<Parked> = Client::parsed(events.into())?;
        let lines: Vec<_> = events.iter().map(line).collect();
        print(&table(["PROJECTION", "KEY", "NUMBER", "EVENT", "STATE", "SINCE", "TRIED", "NEXT TRY", "ERROR"], &lines));
    }
    if has_more {
        note(&format!("there are more than {}; see them with `--limit`", args.limit));
    }
    Ok(())
}

fn line(parked: &Parked) -> [String; 9] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        parked.projection.clone(),
        parked.key.to_string(),
        parked.number.to_string(),
        parked.event_type.clone(),
        parked.state.clone(),
        moment(parked.first_at),
        parked.attempts.to_string(),
        or_none(parked.next_retry.map(moment)),
        or_none(parked.error.clone()),
    ]
}

/// What is parked, and whether there is more.
async fn page_by_page(client: &Client, args: &ParkedListArgs) -> Result<(Vec<Value>, bool), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        parked_events: Page,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        nodes: Vec<Value>,
        page_info: PageInfo,
    }
    let document =
        "query Parked($first: Int!, $after: Cursor, $projection: String, $key: ID, $state: ParkedEventState) {
        parkedEvents(first: $first, after: $after, projection: $projection, key: $key, state: $state) {
            nodes { id projection generation key number eventType stream version state error attempts firstAt lastAt
                nextRetry }
            pageInfo { hasNextPage endCursor } } }";
    let (mut events, mut after) = (Vec::new(), None);
    while events.len() < args.limit {
        let first = PAGE_EVENTS.min(args.limit - events.len());
        let state = args.state.map(state_name);
        let variables =
            json!({ "first": first, "after": after, "projection": args.name, "key": args.key, "state": state });
        let Page { nodes, page_info } = client.ask::<Answer>(document, variables).await?.parked_events;
        events.extend(nodes);
        if !page_info.has_next_page {
            return Ok((events, false));
        }
        after = page_info.end_cursor;
    }
    Ok((events, true))
}

/// Where a page ends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
    pub(super) end_cursor: Option<String>,
}

const fn state_name(state: ParkedStateArg) -> &'static str {
    match state {
        ParkedStateArg::Failed => "FAILED",
        ParkedStateArg::Queued => "QUEUED",
        ParkedStateArg::Skipped => "SKIPPED",
    }
}

async fn retry(client: &Client, args: &ParkedRetryArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Payload {
        released: Option<Released>,
        keys: u64,
    }
    // So that an unknown name is told as one, and not as a bad argument of a list.
    one_read(client, &args.name).await?;
    let before = if args.key.is_none() { failing(client, &args.name).await? } else { BTreeSet::new() };
    let document = "mutation Retry($input: ParkedEventRetryInput!) { parkedEventRetry(input: $input) {
        released { applied waitsAtNumber error } keys userErrors { code message } } }";
    let input = json!({ "projection": args.name, "key": args.key, "reason": args.reason });
    let payload: Payload = client.order("parkedEventRetry", document, json!({ "input": input })).await?;
    if let Some((key, released)) = args.key.zip(payload.released) {
        tell(key, &released);
        return Ok(());
    }
    print(&format!("{}: {} to be tried", plain(&args.name), count(payload.keys, "key")));
    tried(client, &args.name, &before).await
}

async fn skip(client: &Client, args: &ParkedSkipArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Payload {
        released: Released,
    }
    let document = "mutation Skip($input: ParkedEventSkipInput!) { parkedEventSkip(input: $input) {
        released { applied waitsAtNumber error } userErrors { code message } } }";
    let ParkedSkipArgs { name, key, number, reason } = args;
    let input = json!({ "projection": name, "key": key, "position": token(*number), "reason": reason });
    let payload: Payload = client.order("parkedEventSkip", document, json!({ "input": input })).await?;
    print(&format!("event {number} is passed over for {key}"));
    tell(*key, &payload.released);
    Ok(())
}

fn tell(key: Uuid, released: &Released) {
    let applied = count(released.applied, "event");
    print(&match (released.waits_at_number, &released.error) {
        (None, _) => format!("{key} waits no more: {applied} applied"),
        (Some(number), error) => {
            let error = plain(error.as_deref().unwrap_or("it did not say why"));
            format!("{key} waits at event {number}: {error} ({applied} applied)")
        }
    });
}

/// A key that waits, with the event it waits for and the last try.
type Failing = BTreeSet<(Uuid, u64, u32, Timestamp)>;

async fn failing(client: &Client, name: &str) -> Result<Failing, Failure> {
    let args = ParkedListArgs {
        name: Some(name.to_owned()),
        state: Some(ParkedStateArg::Failed),
        limit: usize::MAX,
        ..ParkedListArgs::default()
    };
    let (events, _) = page_by_page(client, &args).await?;
    let events: Vec<Parked> = Client::parsed(events.into())?;
    Ok(events.into_iter().map(|parked| (parked.key, parked.number, parked.attempts, parked.last_at)).collect())
}

/// Waits until every key that failed before was tried, and tells what came of it.
async fn tried(client: &Client, name: &str, before: &Failing) -> Result<(), Failure> {
    let (mut left, mut moved) = (before.len(), Instant::now());
    loop {
        let now = failing(client, name).await?;
        let untried = before.intersection(&now).count();
        if untried == 0 {
            let keys: BTreeSet<Uuid> = before.iter().map(|(key, ..)| *key).collect();
            let waiting = now.iter().filter(|(key, ..)| keys.contains(key)).count() as u64;
            let released = keys.len() as u64 - waiting;
            print(&format!("{} released, {} still waiting", count(released, "key"), count(waiting, "key")));
            return Ok(());
        }
        if untried < left {
            (left, moved) = (untried, Instant::now());
        } else if moved.elapsed() >= QUIET_MAX {
            note(&format!("{} not tried yet; see `millrace projections parked list`", count(untried as u64, "key")));
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
