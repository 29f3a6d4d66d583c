//! `millrace projections actions`: what operators did, newest first.

use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    parked::PageInfo,
    print_json,
    text::{moment, table},
};
use crate::{
    cli::ActionsArgs,
    graphql::PositionToken,
    roles::{
        Failure,
        client::Client,
        output::{note, print},
    },
};

/// How many are asked for at once.
const PAGE_ACTIONS: usize = 100;
/// How many keys of a repair are named; the others are counted.
const KEYS_SHOWN: usize = 3;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    #[serde(rename = "action")]
    kind: String,
    projection: String,
    actor: String,
    reason: Option<String>,
    at: Timestamp,
    key: Option<Uuid>,
    keys: Option<Vec<Uuid>>,
    generation: Option<i64>,
    from_position: Option<String>,
    at_position: Option<String>,
    event_number: Option<u64>,
}

pub(super) async fn run(client: &Client, args: &ActionsArgs) -> Result<(), Failure> {
    let (actions, has_more) = page_by_page(client, args).await?;
    if args.format.json {
        print_json(&actions);
    } else {
        let actions: Vec<Action> = Client::parsed(actions.into())?;
        let lines: Vec<_> = actions.iter().map(line).collect();
        print(&table(["AT", "BY", "ACTION", "PROJECTION", "WHAT", "REASON"], &lines));
    }
    if has_more {
        note(&format!("there are more than {}; see them with `--limit`", args.limit));
    }
    Ok(())
}

async fn page_by_page(client: &Client, args: &ActionsArgs) -> Result<(Vec<Value>, bool), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        operator_actions: Page,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        nodes: Vec<Value>,
        page_info: PageInfo,
    }
    let document = "query Actions($first: Int!, $after: Cursor, $projection: String) {
        operatorActions(first: $first, after: $after, projection: $projection) {
            nodes { id action projection actor reason at key keys generation fromPosition atPosition eventNumber }
            pageInfo { hasNextPage endCursor } } }";
    let (mut actions, mut after) = (Vec::new(), None);
    while actions.len() < args.limit {
        let first = PAGE_ACTIONS.min(args.limit - actions.len());
        let variables = json!({ "first": first, "after": after, "projection": args.name });
        let Page { nodes, page_info } = client.ask::<Answer>(document, variables).await?.operator_actions;
        actions.extend(nodes);
        if !page_info.has_next_page {
            return Ok((actions, false));
        }
        after = page_info.end_cursor;
    }
    Ok((actions, true))
}

fn line(action: &Action) -> [String; 6] {
    [
        moment(action.at),
        action.actor.clone(),
        action.kind.clone(),
        action.projection.clone(),
        what(action),
        action.reason.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

/// What it was done with.
fn what(action: &Action) -> String {
    let mut parts = Vec::new();
    parts.extend(action.generation.map(|generation| format!("generation {generation}")));
    parts.extend(number(action.from_position.as_deref()).map(|number| format!("from {number}")));
    parts.extend(number(action.at_position.as_deref()).map(|number| format!("at {number}")));
    parts.extend(action.event_number.map(|number| format!("event {number}")));
    parts.extend(action.key.map(|key| format!("key {key}")));
    if let Some(keys) = &action.keys {
        parts.extend(keys.iter().take(KEYS_SHOWN).map(|key| format!("key {key}")));
        parts.extend((keys.len() > KEYS_SHOWN).then(|| format!("{} more", keys.len() - KEYS_SHOWN)));
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn number(token: Option<&str>) -> Option<u64> {
    Some(PositionToken::parse(token?)?.0.value())
}
