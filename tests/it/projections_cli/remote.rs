//! A server in production mode, which shares no key with the command line: the token comes from the environment.

use std::{fs, path::Path};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tests::{
    binary::{self, Ran},
    profile::is_cluster,
    server::{Server, Start, eventually, temp_dir},
};

const SECRET: &str = "a secret of more than thirty-two bytes";
const ISSUER: &str = "https://id.example.com/";

/// A token as the issuer gives it to somebody.
fn token(subject: &str, role: &str) -> String {
    let claims = json!({
        "iss": ISSUER, "aud": "millrace", "sub": subject, "role": role, "exp": 4_102_444_800_u64,
    });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("claims can be signed")
}

fn run(words: &[&str], settings: Option<&Path>, token: Option<&str>) -> Ran {
    let mut command = binary::command(&[], words);
    command.envs(settings.map(|file| ("MILLRACE_CONFIG", file)));
    command.envs(token.map(|token| ("MILLRACE_TOKEN", token)));
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ran = Ran {
        code: output.status.code().expect("it ends"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    let shows = |token: &str| ran.stdout.contains(token) || ran.stderr.contains(token);
    assert!(!token.is_some_and(shows), "the token is shown: {ran:?}");
    ran
}

fn failed(ran: &Ran, code: &str) {
    assert!(ran.code == 1 && ran.stderr.contains(&format!("error[{code}]: ")), "{ran:?}");
}

#[tokio::test]
async fn a_server_in_production_is_asked_with_a_token_of_its_issuer() {
    let folder = temp_dir();
    let (settings, data) = (folder.path().join("settings.toml"), folder.path().join("data"));
    let auth = format!("issuer = {ISSUER:?}\naudience = \"millrace\"\nhs256_secret = {SECRET:?}");
    fs::write(&settings, format!("mode = \"production\"\n[payments]\nsandbox_in_production = true\n[auth]\n{auth}"))
        .expect("a file");
    let start = Start { arguments: vec!["--config".into(), settings.clone().into()], ..Start::default() };
    let server = Server::start_in(&data, start).await;
    let data = data.to_str().expect("a plain path");
    let (olga, alice) = (token("olga", "operator"), token("alice", "customer"));

    // Beside the server it is found by its data directory, which is its own; from elsewhere by its address.
    if !is_cluster() {
        let here = ["projections", "list", "--data-dir", data];
        failed(&run(&here, Some(&settings), None), "TOKEN_MISSING");
        let listed = run(&here, Some(&settings), Some(&olga)).ok();
        assert_eq!(listed.matches("RUNNING").count(), super::ALL.len(), "{listed}");
    }
    let there = ["--server", &server.url];
    let ask = |words: &[&str], token: Option<&str>| run(&[words, &there].concat(), None, token);
    failed(&ask(&["projections", "list"], None), "TOKEN_MISSING");
    failed(&ask(&["projections", "list"], Some("not.a.token")), "UNAUTHENTICATED");
    failed(&ask(&["projections", "list"], Some(&alice)), "FORBIDDEN");
    // On the cluster it hears a moment later that another process works on them.
    eventually("all of them run", async || {
        let listed = ask(&["projections", "list"], Some(&olga)).ok();
        (listed.matches("RUNNING").count() == super::ALL.len()).then_some(())
    })
    .await;
    failed(&ask(&["projections", "rebuild", "order_summary"], Some(&alice)), "FORBIDDEN");
    ask(&["projections", "pause", "order_summary"], Some(&olga)).ok();
    ask(&["projections", "resume", "order_summary"], Some(&format!(" {olga}\n"))).ok();
    let rebuilt = ask(&["rebuild", "order_summary"], Some(&olga)).ok();
    assert!(rebuilt.starts_with("order_summary serves generation 2: "), "{rebuilt}");
    assert_eq!(ask(&["verify"], Some(&olga)).ok().lines().count(), super::ALL.len() + 1);
    let actions = ask(&["projections", "actions", "--json"], Some(&olga)).ok();
    let actors: Vec<Value> =
        actions.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["actor"].clone()).collect();
    assert_eq!(actors, ["olga", "olga", "olga"], "the token says who did it");

    // Who else may answer is not trusted to be the server.
    let other = format!("{}/health", server.url);
    let elsewhere = run(&["projections", "list", "--server", &other], None, Some(&olga));
    failed(&elsewhere, "SERVER_REFUSED");
    let url = server.url.clone();
    server.stop().await;
    failed(&run(&["projections", "list", "--server", &url], None, Some(&olga)), "SERVER_UNREACHABLE");
}
