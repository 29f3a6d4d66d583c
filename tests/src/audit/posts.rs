//! What the table of posts must hold.

use serde_json::{Value, json};

use super::{
    fold::{Cell, Rows, happened, text},
    log::{Event, Happened},
};

const KIND: usize = 0;
const BODY: usize = 3;
const REVISION: usize = 4;

pub(super) fn posts(events: &[&Event]) -> Vec<Rows> {
    let mut rows = Rows::new();
    for event in events {
        let key = event.key.as_bytes();
        let revision = Cell::Number(event.revision);
        let new = |kind: &str, author: &uuid::Uuid, visibility: &str, body: &Value| {
            let author = Cell::Bytes(author.as_bytes().to_vec());
            vec![text(kind), author, text(visibility), text(&body.to_string()), revision.clone()]
        };
        match happened(event) {
            Happened::Published { author, content, visibility, reply, quoted, at } => {
                let mut body = content.clone();
                (body["reply"], body["quoted"]) = (reply.clone(), quoted.clone());
                (body["edits"], body["published_at"], body["updated_at"]) = (json!(0), json!(at), json!(at));
                rows.insert(key.to_vec(), new("post", author, visibility, &body));
            }
            Happened::Reposted { author, of, of_author, at } => {
                let body = json!({ "at": at, "of": of, "of_author": of_author });
                rows.insert(key.to_vec(), new("repost", author, "public", &body));
            }
            Happened::Edited { content, at, .. } => {
                let Some(row) = rows.get_mut(key.as_slice()) else { continue };
                row[REVISION] = revision;
                if row[KIND] == text("post") {
                    row[BODY] = text(&edited(&body_of(row), content, at).to_string());
                }
            }
            Happened::Deleted { .. } => {
                let Some(row) = rows.get_mut(key.as_slice()) else { continue };
                row[REVISION] = revision;
                if row[KIND] != text("deleted") {
                    row[BODY] = text(&json!({ "repost_of": body_of(row)["of"] }).to_string());
                    row[KIND] = text("deleted");
                }
            }
            other @ (Happened::Placed { .. }
            | Happened::Cancelled { .. }
            | Happened::Shipped { .. }
            | Happened::Delivered { .. }
            | Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }
            | Happened::Social { .. }) => panic!("{other:?} happened to a post"),
        }
    }
    vec![rows]
}

fn body_of(row: &[Cell]) -> Value {
    let Cell::Text(body) = &row[BODY] else { panic!("a post is text: {row:?}") };
    serde_json::from_str(body).expect("JSON")
}

/// The words are others; its place in a thread, and when it was published, stay.
fn edited(before: &Value, content: &Value, at: &str) -> Value {
    let mut body = content.clone();
    for stays in ["reply", "quoted", "published_at"] {
        body[stays] = before[stays].clone();
    }
    let edits = before["edits"].as_u64().expect("a number");
    (body["edits"], body["updated_at"]) = (json!(edits + 1), json!(at));
    body
}
