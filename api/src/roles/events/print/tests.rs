//! No payment token is ever printed.

use std::{fs, path::Path};

use domain::testing::now;

use super::*;

fn printed(type_name: &str, data: &str) -> String {
    line(&RecordedEvent {
        position: Position::new(1),
        stream: StreamId::new("order", Uuid::nil()),
        revision: Revision::FIRST,
        id: Uuid::nil(),
        type_name: type_name.into(),
        recorded_at: now(),
        metadata: "{}".to_owned(),
        data: data.to_owned(),
    })
}

#[test]
fn no_event_that_was_ever_written_shows_a_payment_token() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/golden");
    let mut hidden = 0;
    for entry in fs::read_dir(folder).expect("the golden folder") {
        let path = entry.expect("a file").path();
        let stem = path.file_stem().expect("a name").to_str().expect("a text");
        let type_name = stem.split('@').next().expect("a type");
        let data = fs::read_to_string(&path).expect("a file");
        let printed = printed(type_name, data.trim());
        assert!(!printed.contains("tok_"), "{stem}: {printed}");
        let printed: Value = serde_json::from_str(&printed).expect("JSON");
        let stored: Value = serde_json::from_str(&data).expect("JSON");
        let has_token = data.contains("\"tok_");
        assert_eq!(printed["data"] == stored, !has_token, "{stem}: nothing else is hidden");
        assert_eq!(printed["data"].to_string().contains(HIDDEN_TEXT), has_token, "{stem}");
        hidden += usize::from(has_token);
    }
    assert!(hidden >= secrets().len(), "{hidden}");
}

#[test]
fn what_cannot_be_looked_into_is_hidden_whole_where_there_may_be_a_token() {
    assert!(!printed("order.placed.v7", "{\"payment\":\"tok_visa\"").contains("tok_"));
    assert!(
        printed("order.shipped.v7", "{\"order\":").contains("order\\\":"),
        "the tool that finds such an event shows it"
    );
}
