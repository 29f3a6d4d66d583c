//! `millrace projections pause`, `resume`, `rollback` and `discard`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    list,
    rebuild::token,
    text::{count, plain},
    view::{FIELDS, Projection},
};
use crate::{
    cli::{DiscardArgs, OrderArgs, PauseArgs},
    roles::{
        Failure,
        client::Client,
        output::{note, print},
    },
};

/// Lets a projection stand still.
pub(super) async fn pause(client: &Client, args: &PauseArgs) -> Result<(), Failure> {
    let OrderArgs { name, reason } = &args.order;
    let input = json!({ "name": name, "atPosition": args.at.map(token), "reason": reason });
    let projection = order(client, "projectionPause", "ProjectionPauseInput", input).await?;
    let name = &projection.name;
    print(&if projection.state == "PAUSED" {
        format!("{name} stands still at {} until `millrace projections resume {name}`", projection.number)
    } else {
        let place = args.at.map_or_else(|| "soon".to_owned(), |number| format!("at {number}"));
        format!("{name} is at {} and will stand still {place}", projection.number)
    });
    Ok(())
}

/// Lets a projection go on.
pub(super) async fn resume(client: &Client, args: &OrderArgs) -> Result<(), Failure> {
    let input = json!({ "name": args.name, "reason": args.reason });
    let projection = order(client, "projectionResume", "ProjectionResumeInput", input).await?;
    let left = match projection.lag_events {
        0 => String::new(),
        events => format!(", {} behind", count(events, "event")),
    };
    print(&format!("{} goes on at {}{left}", projection.name, projection.number));
    Ok(())
}

/// Serves the generation on standby.
pub(super) async fn rollback(client: &Client, args: &OrderArgs) -> Result<(), Failure> {
    let input = json!({ "name": args.name, "reason": args.reason });
    let projection = order(client, "projectionRollback", "ProjectionRollbackInput", input).await?;
    let name = &projection.name;
    let generation = projection.generation.unwrap_or_default();
    print(&format!("{name} serves generation {generation}"));
    note(&format!("`millrace projections rollback {name}` takes it back"));
    Ok(())
}

/// Removes the generation on standby.
pub(super) async fn discard(client: &Client, args: &DiscardArgs) -> Result<(), Failure> {
    let input = json!({ "name": args.name, "generation": args.generation, "reason": args.reason });
    let projection = order(client, "projectionDiscardGeneration", "ProjectionDiscardGenerationInput", input).await?;
    print(&format!("generation {} of {} is gone", args.generation, plain(&projection.name)));
    Ok(())
}

/// Gives an order and the projection as it is after it.
async fn order(client: &Client, mutation: &str, input_type: &str, input: Value) -> Result<Projection, Failure> {
    #[derive(Deserialize)]
    struct Payload {
        projection: Value,
    }
    let document = format!(
        "mutation Order($input: {input_type}!) {{ {mutation}(input: $input) {{ projection {{ {FIELDS} }} userErrors {{ \
         code message }} }} }}"
    );
    let payload: Payload = client.order(mutation, &document, json!({ "input": input })).await?;
    list::read(payload.projection)
}
