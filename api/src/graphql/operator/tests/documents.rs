//! Operators' actions through the schema, over the stores of a process.

use std::sync::Arc;

use async_graphql::{Context, EmptySubscription, Error, Object, Request, Response, Schema};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Decider as _,
    operator::{OPERATOR_LOG, Operator, OperatorAction},
};
use infrastructure::{
    clock::{Clock, IdSource, SystemClock, SystemIds},
    event_store::{Direction, Revision, StreamId},
    execute::CommandMetadata,
};
use serde_json::{Value, json};

use super::super::record::{record, record_once, recorded_before};
use crate::{
    auth::{Role, Viewer},
    bootstrap::{Core, Duty, services},
    config::Config,
    engine::RequestId,
    graphql::{PositionToken, Query, call::CommandIdentity},
};

const REQUEST: &str = "0190c2f0-0000-7000-8000-000000000009";

/// Writes actions down as the mutations of projections do.
struct Recorder;

#[Object]
impl Recorder {
    /// The position, or why not.
    async fn record(
        &self,
        context: &Context<'_>,
        projection: String,
        action: String,
        reason: Option<String>,
    ) -> Result<String, Error> {
        let action: OperatorAction = serde_json::from_str(&action)?;
        Ok(match record(context, &projection, action, reason).await? {
            Ok(position) => PositionToken(position).to_string(),
            Err(rejection) => rejection.to_string(),
        })
    }

    /// Whether it is a repeat.
    async fn record_once(&self, context: &Context<'_>, key: String, projection: String) -> Result<bool, Error> {
        let identity = CommandIdentity::of(context, "recordOnce", Some(&key), &projection)?;
        let recorded = record_once(context, identity, &projection, OperatorAction::Rollback, None).await?;
        Ok(recorded.map_err(|rejection| Error::new(rejection.to_string()))?.is_repeat)
    }

    /// Where that was written down before.
    async fn recorded_before(
        &self,
        context: &Context<'_>,
        key: Option<String>,
        projection: String,
    ) -> Result<Option<PositionToken>, Error> {
        let identity = CommandIdentity::of(context, "recordOnce", key.as_deref(), &projection)?;
        let recorded = recorded_before(context, identity, &projection, OperatorAction::Rollback, None).await?;
        Ok(recorded.map(|executed| PositionToken(executed.position)))
    }
}

struct Shop {
    schema: Schema<Query, Recorder, EmptySubscription>,
    core: Core,
    _folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config { data_dir: folder.path().into(), ..Config::default() };
        let core = Core::start(&config, Duty::All).await.expect("it starts");
        let (ids, clock): (Arc<dyn IdSource>, Arc<dyn Clock>) = (Arc::new(SystemIds), Arc::new(SystemClock));
        let services = services(&config, &core, &ids, &clock);
        let schema = Schema::build(Query::default(), Recorder, EmptySubscription).data(services).finish();
        Self { schema, core, _folder: folder }
    }

    async fn ask(&self, role: Option<Role>, document: &str) -> Response {
        let mut request = Request::new(document).data(RequestId::parse(REQUEST).expect("an id"));
        if let Some(role) = role {
            request = request.data(Viewer { subject: "olga".to_owned(), role, expires_at: domain::testing::now() });
        }
        self.schema.execute(request).await
    }

    /// What an operator is answered.
    async fn data(&self, document: &str) -> Value {
        let response = self.ask(Some(Role::Operator), document).await;
        assert!(response.errors.is_empty(), "{document}: {:?}", response.errors);
        response.data.into_json().expect("JSON")
    }

    /// The code that somebody is refused with.
    async fn code(&self, role: Option<Role>, document: &str) -> String {
        let response = self.ask(role, document).await;
        let [error] = response.errors.as_slice() else { panic!("{document}: one error, not {response:?}") };
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
        code.cloned()
            .and_then(|code| code.into_json().ok())
            .and_then(|code| code.as_str().map(str::to_owned))
            .expect("a code")
    }

    async fn record(&self, projection: &str, action: &Value, reason: Option<&str>) -> String {
        let action = serde_json::to_string(&action.to_string()).expect("JSON");
        let reason = serde_json::to_string(&reason).expect("JSON");
        let document =
            format!("mutation {{ record(projection: \"{projection}\", action: {action}, reason: {reason}) }}");
        self.data(&document).await["record"].as_str().expect("a text").to_owned()
    }
}

const KEY: &str = "01900000-0000-7000-8000-000000000001";

fn token(number: u64) -> String {
    PositionToken(infrastructure::event_store::Position::new(number)).to_string()
}

#[tokio::test]
async fn each_kind_of_action_shows_what_applies_to_it_and_null_otherwise() {
    let shop = Shop::open().await;
    let null = || {
        json!({
            "key": null, "keys": null, "generation": null, "fromPosition": null, "atPosition": null,
            "eventPosition": null, "eventNumber": null
        })
    };
    let cases = [
        (json!({"kind": "pause", "at": 1200}), "PAUSE", json!({"atPosition": token(1200)})),
        (json!({"kind": "resume"}), "RESUME", json!({})),
        (json!({"kind": "pause"}), "PAUSE", json!({})),
        (json!({"kind": "rebuild", "from": 1200}), "REBUILD", json!({"fromPosition": token(1200)})),
        (json!({"kind": "rebuild"}), "REBUILD", json!({})),
        (json!({"kind": "rollback"}), "ROLLBACK", json!({})),
        (json!({"kind": "discard_generation", "generation": 7}), "DISCARD_GENERATION", json!({"generation": 7})),
        (json!({"kind": "retry_parked", "key": KEY}), "RETRY_PARKED", json!({"key": KEY})),
        (json!({"kind": "retry_parked"}), "RETRY_PARKED", json!({})),
        (json!({"kind": "retry_steps", "key": KEY}), "RETRY_STEPS", json!({"key": KEY})),
        (
            json!({"kind": "skip_parked", "key": KEY, "position": 1200}),
            "SKIP_PARKED",
            json!({"key": KEY, "eventPosition": token(1200), "eventNumber": 1200}),
        ),
        (json!({"kind": "repair", "keys": [KEY]}), "REPAIR", json!({"keys": [KEY]})),
    ];
    for (action, kind, applies) in cases {
        let position = shop.record("order_summary", &action, Some("Because")).await;
        let data = shop
            .data(
                "{ operatorActions(first: 1) { position nodes { action projection actor reason position key keys \
                 generation fromPosition atPosition eventPosition eventNumber } } }",
            )
            .await;
        let mut expected = null();
        let fields = expected.as_object_mut().expect("an object");
        fields.extend(applies.as_object().expect("an object").clone());
        let common = json!({
            "action": kind, "projection": "order_summary", "actor": "olga", "reason": "Because", "position": position
        });
        fields.extend(common.as_object().expect("an object").clone());
        assert_eq!(data["operatorActions"], json!({ "position": position, "nodes": [expected] }), "{action}");
    }
}

#[tokio::test]
async fn the_list_is_paged_both_ways_and_filtered() {
    let shop = Shop::open().await;
    for name in ["order_summary", "product_sales", "order_summary"] {
        shop.record(name, &json!({"kind": "rollback"}), None).await;
    }
    let page = async |arguments: &str| {
        let document = format!(
            "{{ operatorActions({arguments}) {{ edges {{ cursor node {{ projection }} }} \
             pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let page = shop.data(&document).await["operatorActions"].take();
        let names: Vec<_> =
            page["edges"].as_array().expect("edges").iter().map(|edge| edge["node"]["projection"].clone()).collect();
        (json!(names), page["pageInfo"].clone())
    };
    let (names, info) = page("first: 2").await;
    assert_eq!(names, json!(["order_summary", "product_sales"]));
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
    let (names, info) = page(&format!("first: 2, after: {}", info["endCursor"])).await;
    assert_eq!(names, json!(["order_summary"]));
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(false), &json!(true)));
    let (names, info) = page(&format!("last: 1, before: {}", info["startCursor"])).await;
    assert_eq!(names, json!(["product_sales"]));
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(true)));
    let (names, _) = page("first: 10, projection: \"order_summary\"").await;
    assert_eq!(names, json!(["order_summary", "order_summary"]));
    let (names, _) = page("first: 10, projection: \"gone\"").await;
    assert_eq!(names, json!([]));
}

#[tokio::test]
async fn a_cursor_of_another_list_or_from_the_future_is_refused() {
    let shop = Shop::open().await;
    shop.record("order_summary", &json!({"kind": "rollback"}), None).await;
    for text in [
        "products|0",
        "orders.placed.desc|0",
        "operatorActions|1",
        "operatorActions|-1",
        "operatorActions|",
        "operatorActions|18446744073709551615",
        "operatorActions|99999999999999999999",
        "0",
        "",
    ] {
        let cursor = URL_SAFE_NO_PAD.encode(text);
        for bound in ["first: 1, after", "first: 1, before", "last: 1, after", "last: 1, before"] {
            let document = format!("{{ operatorActions({bound}: \"{cursor}\") {{ nodes {{ id }} }} }}");
            assert_eq!(shop.code(Some(Role::Operator), &document).await, "BAD_CURSOR", "{bound}: {text}");
        }
    }
    let own = URL_SAFE_NO_PAD.encode("operatorActions|0");
    shop.data(&format!("{{ operatorActions(first: 1, after: \"{own}\") {{ nodes {{ id }} }} }}")).await;
}

#[tokio::test]
async fn a_page_has_one_size_within_bounds_and_a_name_is_a_name() {
    let shop = Shop::open().await;
    for arguments in ["", "first: 1, last: 1", "first: 0", "last: 101", "first: 1, projection: \"No Name\""] {
        let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
        let document = format!("{{ operatorActions{arguments} {{ nodes {{ id }} }} }}");
        assert_eq!(shop.code(Some(Role::Operator), &document).await, "BAD_USER_INPUT", "{document}");
    }
}

#[tokio::test]
async fn an_action_is_found_by_its_id_by_operators_only() {
    let shop = Shop::open().await;
    for name in ["order_summary", "product_sales"] {
        shop.record(name, &json!({"kind": "rollback"}), None).await;
    }
    let data = shop.data("{ operatorActions(last: 1) { nodes { id } } }").await;
    let id = data["operatorActions"]["nodes"][0]["id"].as_str().expect("an id").to_owned();
    let find = |id: &str| format!("{{ node(id: \"{id}\") {{ id ... on OperatorAction {{ projection }} }} }}");
    let found = shop.data(&find(&id)).await;
    assert_eq!(found, json!({"node": {"id": id, "projection": "order_summary"}}));
    let customers = shop.ask(Some(Role::Customer), &find(&id)).await;
    assert_eq!(customers.data.into_json().expect("JSON"), json!({"node": null}));
    assert!(customers.errors.is_empty());
    for foreign in ["00000000-0000-0000-0000-000000000002", "00000000-0000-0000-ffff-ffffffffffff", KEY] {
        let id = URL_SAFE_NO_PAD.encode(format!("operator_action:{foreign}"));
        assert_eq!(shop.data(&find(&id)).await, json!({"node": null}), "{foreign}");
    }
}

#[tokio::test]
async fn only_operators_read_and_write() {
    let shop = Shop::open().await;
    let rollback = r#"mutation { record(projection: "order_summary", action: "{\"kind\":\"rollback\"}") }"#;
    for document in ["{ operatorActions(first: 1) { nodes { id } } }", rollback] {
        assert_eq!(shop.code(Some(Role::Customer), document).await, "FORBIDDEN", "{document}");
        assert_eq!(shop.code(None, document).await, "UNAUTHENTICATED", "{document}");
    }
    let data = shop.data("{ operatorActions(first: 1) { nodes { id } } }").await;
    assert_eq!(data["operatorActions"]["nodes"], json!([]));
}

#[tokio::test]
async fn a_refusal_of_the_rules_is_an_answer_and_bad_text_an_error() {
    let shop = Shop::open().await;
    shop.record("order_summary", &json!({"kind": "pause"}), None).await;
    let again = shop.record("order_summary", &json!({"kind": "pause"}), None).await;
    assert!(again.starts_with("the projection is paused already, by olga"), "{again}");
    let long = "x".repeat(201);
    for reason in ["", "two\\nlines", &long] {
        let document = format!(
            r#"mutation {{ record(projection: "order_summary", action: "{{\"kind\":\"resume\"}}", reason: "{reason}") }}"#
        );
        assert_eq!(shop.code(Some(Role::Operator), &document).await, "BAD_USER_INPUT", "{reason:?}");
    }
    let unnamed = r#"mutation { record(projection: "No Name", action: "{\"kind\":\"rollback\"}") }"#;
    assert_eq!(shop.code(Some(Role::Operator), unnamed).await, "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_repeat_with_the_same_key_writes_nothing() {
    let shop = Shop::open().await;
    let document = r#"mutation { recordOnce(key: "1", projection: "order_summary") }"#;
    assert_eq!(shop.data(document).await, json!({"recordOnce": false}));
    assert_eq!(shop.data(document).await, json!({"recordOnce": true}));
    let data = shop.data("{ operatorActions(first: 9) { nodes { action } } }").await;
    assert_eq!(data["operatorActions"]["nodes"], json!([{"action": "ROLLBACK"}]));
    let other = r#"mutation { recordOnce(key: "1", projection: "product_sales") }"#;
    assert_eq!(shop.code(Some(Role::Operator), other).await, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn what_was_written_down_with_a_key_is_known_again_without_writing() {
    let shop = Shop::open().await;
    let ask = r#"mutation { recordedBefore(key: "1", projection: "order_summary") }"#;
    assert_eq!(shop.data(ask).await, json!({"recordedBefore": null}));
    shop.data(r#"mutation { recordOnce(key: "1", projection: "order_summary") }"#).await;
    shop.data(r#"mutation { recordOnce(key: "2", projection: "product_sales") }"#).await;
    let page = shop.data("{ operatorActions(first: 9) { nodes { position } } }").await;
    let actions = page["operatorActions"]["nodes"].as_array().expect("a list");
    assert_eq!(actions.len(), 2, "to ask writes nothing");
    assert_eq!(shop.data(ask).await, json!({"recordedBefore": actions[1]["position"]}));
    let other = r#"mutation { recordedBefore(key: "1", projection: "product_sales") }"#;
    assert_eq!(shop.code(Some(Role::Operator), other).await, "IDEMPOTENCY_KEY_REUSED");
    let unkeyed = r#"mutation { recordedBefore(projection: "order_summary") }"#;
    assert_eq!(shop.data(unkeyed).await, json!({"recordedBefore": null}));
}

#[tokio::test]
async fn the_event_names_the_caller_and_their_request() {
    let shop = Shop::open().await;
    shop.record("order_summary", &json!({"kind": "rollback"}), None).await;
    let stream = StreamId::new(Operator::CATEGORY, OPERATOR_LOG.uuid());
    let page = shop.core.events.read_stream(&stream, Revision::FIRST, Direction::Forwards, 9).await.expect("readable");
    let metadata: CommandMetadata = serde_json::from_str(&page.events[0].metadata).expect("metadata");
    assert_eq!((&*metadata.actor, metadata.correlation_id.to_string().as_str()), ("olga", REQUEST));
}
