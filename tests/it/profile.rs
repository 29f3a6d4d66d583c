//! Profiles over real HTTP: making one, changing it, whose a handle is, and everything that is refused.

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    server::Server,
};

const CREATE: &str = "mutation Create($input: ProfileCreateInput!) { profileCreate(input: $input) {
    profile { id handle displayName bio version createdAt updatedAt } position isRepeat
    userErrors { code message field currentVersion } } }";
const UPDATE: &str = "mutation Update($input: ProfileUpdateInput!) { profileUpdate(input: $input) {
    profile { id handle displayName bio version } position isRepeat
    userErrors { code message field currentVersion } } }";
const PROFILE: &str = "query P($id: ID, $handle: String, $minPosition: Position) {
    profile(id: $id, handle: $handle, minPosition: $minPosition) { id handle displayName bio version } }";
const ME: &str = "query M($minPosition: Position) { me(minPosition: $minPosition) { id handle displayName version } }";

async fn create(client: &Client, input: Value) -> Answer {
    client.graphql(CREATE, json!({ "input": input })).await
}

async fn update(client: &Client, input: Value) -> Answer {
    client.graphql(UPDATE, json!({ "input": input })).await
}

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

#[tokio::test]
async fn a_profile_is_made_changed_and_found_by_everybody() {
    let server = Server::start().await;
    let (alice, bob) = (server.customer("alice"), server.customer("bob"));
    assert_eq!(alice.graphql(ME, json!({})).await.get("/me"), &Value::Null);
    let made =
        create(&alice, json!({ "handle": "@Alice", "displayName": " Alice ", "bio": "Tea.\r\nAnd cake." })).await;
    let profile = made.done("profileCreate")["profile"].clone();
    assert_eq!((&profile["handle"], &profile["displayName"]), (&json!("alice"), &json!("Alice")));
    assert_eq!((&profile["bio"], &profile["version"]), (&json!("Tea.\nAnd cake."), &json!(0)));

    let changed = update(&alice, json!({ "handle": "alice_b", "displayName": "Alice B.", "expectedVersion": 0 })).await;
    let expected = json!({
        "id": profile["id"], "handle": "alice_b", "displayName": "Alice B.", "bio": "Tea.\nAnd cake.", "version": 2,
    });
    assert_eq!(changed.done("profileUpdate")["profile"], expected, "what is not given stays");
    let position = changed.get("/profileUpdate/position");
    for find in [json!({ "id": profile["id"] }), json!({ "handle": "ALICE_B" }), json!({ "handle": "@alice_b" })] {
        let mut find = find;
        find["minPosition"] = position.clone();
        assert_eq!(bob.graphql(PROFILE, find.clone()).await.get("/profile"), &expected, "{find}");
    }
    assert_eq!(alice.graphql(ME, json!({ "minPosition": position })).await.get("/me/id"), &profile["id"]);
    let node = "query N($id: ID!) { node(id: $id) { __typename ... on Profile { handle } } }";
    let node = bob.graphql(node, json!({ "id": profile["id"] })).await;
    assert_eq!(*node.get("/node"), json!({ "__typename": "Profile", "handle": "alice_b" }));
    for nobody in ["alice", "nobody_here", "not a handle", ""] {
        assert_eq!(bob.graphql(PROFILE, json!({ "handle": nobody })).await.get("/profile"), &Value::Null, "{nobody:?}");
    }
}

#[tokio::test]
async fn of_many_who_want_a_handle_at_the_same_moment_one_gets_it() {
    let server = Server::start().await;
    let clients: Vec<Client> = (0..20).map(|number| server.customer(&format!("buyer-{number}"))).collect();
    let wanted = ["anna", "ANNA", "ａｎｎａ", "Anna"];
    let asked = clients.iter().enumerate().map(|(number, client)| {
        create(client, json!({ "handle": wanted[number % wanted.len()], "displayName": format!("Anna {number}") }))
    });
    let answers = futures_util::future::join_all(asked).await;
    let (made, refused): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| *answer.get("/profileCreate/userErrors") == json!([]));
    assert_eq!((made.len(), refused.len()), (1, 19));
    for answer in refused {
        assert_eq!(answer.refusal("profileCreate"), refusal("HANDLE_TAKEN", "input.handle"));
    }
    let position = made[0].get("/profileCreate/position");
    let found = clients[0].graphql(PROFILE, json!({ "handle": "anna", "minPosition": position })).await;
    assert_eq!(found.get("/profile/displayName"), made[0].get("/profileCreate/profile/displayName"));
}

#[tokio::test]
async fn a_handle_that_was_left_is_not_to_be_had_at_once_and_comes_back_to_whoever_left_it() {
    let server = Server::start().await;
    let (alice, bob) = (server.customer("alice"), server.customer("bob"));
    create(&alice, json!({ "handle": "alice", "displayName": "Alice" })).await.done("profileCreate");
    update(&alice, json!({ "handle": "bee" })).await.done("profileUpdate");
    let taken = create(&bob, json!({ "handle": "alice", "displayName": "Bob" })).await;
    assert_eq!(taken.refusal("profileCreate"), refusal("HANDLE_TAKEN", "input.handle"));
    let back = update(&alice, json!({ "handle": "alice" })).await;
    assert_eq!(back.done("profileUpdate")["profile"]["handle"], "alice");
}

#[tokio::test]
async fn a_repeat_gets_the_first_outcome_and_claims_nothing() {
    let server = Server::start().await;
    let alice = server.customer("alice");
    let input = json!({ "handle": "alice", "displayName": "Alice", "idempotencyKey": "k1" });
    create(&alice, input.clone()).await.done("profileCreate");
    update(&alice, json!({ "handle": "bee" })).await.done("profileUpdate");
    let events = server.events(0).len();
    let again = create(&alice, input).await;
    assert_eq!(again.done("profileCreate")["isRepeat"], true);
    let same = update(&alice, json!({ "handle": "Bee" })).await;
    assert_eq!(same.done("profileUpdate")["profile"]["handle"], "bee");
    let second = create(&alice, json!({ "handle": "third", "displayName": "Alice" })).await;
    assert_eq!(second.refusal("profileCreate"), refusal("PROFILE_EXISTS", "input"));
    assert_eq!(server.events(0).len(), events, "nothing was written for any of them");
}

#[tokio::test]
async fn what_is_wrong_with_a_profile_is_said_with_code_and_field() {
    let server = Server::start().await;
    let alice = server.customer("alice");
    let handles = [
        ("", "HANDLE_LENGTH"),
        ("a", "HANDLE_LENGTH"),
        (&"x".repeat(31), "HANDLE_LENGTH"),
        ("a b", "HANDLE_CHARACTERS"),
        ("an\u{200b}na", "HANDLE_CHARACTERS"),
        ("an\u{202e}na", "HANDLE_CHARACTERS"),
        ("123", "HANDLE_SHAPE"),
        ("_anna", "HANDLE_SHAPE"),
        ("x\u{0301}\u{0301}b", "HANDLE_SHAPE"),
        // The last letter of the first and all but the last of the second are Cyrillic; the third is, whole.
        ("annа", "HANDLE_MIXED_SCRIPTS"),
        ("раураl", "HANDLE_MIXED_SCRIPTS"),
        ("рауро", "HANDLE_CONFUSABLE"),
        ("admin", "HANDLE_RESERVED"),
    ];
    for (handle, code) in handles {
        let answer = create(&alice, json!({ "handle": handle, "displayName": "Alice" })).await;
        assert_eq!(answer.refusal("profileCreate"), refusal(code, "input.handle"), "{handle:?}");
    }
    let names = [
        ("", "TEXT_EMPTY"),
        (" ", "TEXT_EMPTY"),
        ("\u{200b}", "TEXT_EMPTY"),
        (&"x".repeat(51), "TEXT_TOO_LONG"),
        (&"x".repeat(401), "TEXT_TOO_MANY_BYTES"),
        ("two\nlines", "TEXT_UNSHOWABLE"),
        ("\u{202e}ecila", "TEXT_DIRECTION"),
        (&format!("a{}", "\u{0301}".repeat(40)), "TEXT_STACKED"),
    ];
    for (name, code) in names {
        let answer = create(&alice, json!({ "handle": "alice", "displayName": name })).await;
        assert_eq!(answer.refusal("profileCreate"), refusal(code, "input.displayName"), "{name:?}");
    }
    let all = create(&alice, json!({ "handle": "", "displayName": "", "bio": "x".repeat(301) })).await;
    let said = all.user_errors("profileCreate").into_iter().map(|error| (error.code, error.field.join(".")));
    let expected = [
        refusal("HANDLE_LENGTH", "input.handle"),
        refusal("TEXT_EMPTY", "input.displayName"),
        refusal("TEXT_TOO_LONG", "input.bio"),
    ];
    assert_eq!(said.collect::<Vec<_>>(), expected);
    let missing = update(&alice, json!({ "displayName": "Alice", "handle": "alice" })).await;
    assert_eq!(missing.refusal("profileUpdate"), refusal("PROFILE_NOT_FOUND", "input"));
    assert!(server.events(0).is_empty(), "what was refused left something in the log");

    create(&alice, json!({ "handle": "alice", "displayName": "Alice" })).await.done("profileCreate");
    let conflict = update(&alice, json!({ "handle": "bee", "expectedVersion": 7 })).await;
    assert_eq!(conflict.refusal("profileUpdate"), refusal("VERSION_CONFLICT", "input.expectedVersion"));
    assert_eq!(conflict.get("/profileUpdate/userErrors/0/currentVersion"), 0);
    let both = alice.graphql(PROFILE, json!({ "handle": "alice", "id": "x" })).await;
    assert_eq!(both.error_code(), Some("BAD_USER_INPUT"));
}
