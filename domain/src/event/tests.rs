//! Golden files: every event ever written still decodes, and every type has its file.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::*;

/// The stored name and the JSON of each golden file. A type that takes several forms has a file for each of them,
/// `TYPE@FORM.json`.
fn golden_files() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the golden folder exists") {
        let path = entry.expect("readable folder").path();
        let stem = path.file_stem().expect("a file name").to_string_lossy().into_owned();
        let name = stem.split_once('@').map_or(stem.as_str(), |(name, _)| name).to_owned();
        let text = fs::read_to_string(&path).expect("readable file");
        files.push((name, serde_json::from_str(&text).expect("a golden file is JSON")));
    }
    files
}

fn decode(type_name: &str, data: Value) -> Result<Event, String> {
    let (mut type_name, mut data) = (type_name.to_owned(), data);
    while let Some(step) = upcasters().into_iter().find(|step| step.from == type_name) {
        data = (step.apply)(data).map_err(|error| error.to_string())?;
        step.to.clone_into(&mut type_name);
    }
    let tagged = serde_json::json!({ type_name.clone(): data });
    Event::deserialize_tagged(&type_name, tagged).map_err(|error| error.to_string())
}

#[test]
fn every_event_ever_written_still_decodes() {
    for (name, data) in golden_files() {
        let decoded = decode(&name, data);
        assert!(decoded.is_ok(), "golden/{name}.json: {decoded:?}");
    }
}

#[test]
fn a_current_golden_file_is_written_back_unchanged() {
    for (name, data) in golden_files() {
        if !Event::types().contains(&name.as_str()) {
            continue;
        }
        let event = decode(&name, data.clone()).expect("decodes");
        let written = serde_json::to_value(&event).expect("encodes");
        assert_eq!(written, serde_json::json!({ name.clone(): data }), "golden/{name}.json");
    }
}

#[test]
fn every_type_this_build_knows_has_a_golden_file_and_no_other_file_exists() {
    let files: BTreeSet<String> = golden_files().into_iter().map(|(name, _)| name).collect();
    let mut known: BTreeSet<String> = Event::types().into_iter().map(ToOwned::to_owned).collect();
    known.extend(upcasters().iter().map(|step| step.from.to_owned()));
    assert_eq!(files, known);
}

#[test]
fn every_upcaster_leads_to_a_type_this_build_writes() {
    for step in upcasters() {
        let mut at = step.to;
        while let Some(next) = upcasters().iter().find(|next| next.from == at) {
            at = next.to;
        }
        assert!(Event::types().contains(&at), "{} ends at {at}", step.from);
    }
}

#[test]
fn a_type_of_no_aggregate_is_an_error() {
    let decoded = decode("weather.changed.v1", serde_json::json!({}));
    assert_eq!(decoded, Err("no aggregate has events of type weather.changed.v1".to_owned()));
}

/// Whether a payment token stands anywhere in this. Those of golden files begin with `tok_`.
fn holds_token(data: &Value) -> bool {
    match data {
        Value::String(text) => text.starts_with("tok_"),
        Value::Array(parts) => parts.iter().any(holds_token),
        Value::Object(fields) => fields.values().any(holds_token),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[test]
fn payment_tokens_stand_in_secret_fields_alone_and_each_secret_field_exists() {
    let mut found = BTreeSet::new();
    for (name, mut data) in golden_files() {
        for secret in secrets().iter().filter(|secret| name.starts_with(secret.events)) {
            if data.get(secret.field).is_some_and(holds_token) {
                data[secret.field].take();
                found.insert((secret.events, secret.field));
            }
        }
        assert!(!holds_token(&data), "golden/{name}.json has a token that is not told to be secret: {data}");
    }
    assert_eq!(found, secrets().iter().map(|secret| (secret.events, secret.field)).collect());
}
