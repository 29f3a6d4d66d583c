//! No log line holds a password, not even of the libraries under the client at the finest level.
//!
//! They log from any thread, so only a subscriber of the whole process hears everything: the test runs
//! itself again as a process of its own.

use std::process::{Command, Stdio};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tests::esdb::Access;

use super::*;

const USER: &str = "us3rN4me";
const PASSWORD: &str = "s3cretW0rd";

#[test]
fn no_log_line_holds_a_password() {
    let this = std::env::current_exe().expect("a process knows its program");
    let output = Command::new(this)
        .args(["--exact", "eventstoredb::log_lines::a_run_with_every_line", "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .output()
        .expect("the test runs itself");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    // It has heard the library under the client, and us.
    for target in ["h2::", "infrastructure::event_store::eventstoredb"] {
        assert!(text.contains(target), "not a word of {target}");
    }
    let header = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let bytes = format!("{:?}", PASSWORD.as_bytes());
    for secret in [PASSWORD, &header, header.trim_end_matches('='), &bytes] {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "a line holds {secret}: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, in a process of its own"]
async fn a_run_with_every_line() {
    tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).init();
    let options = Options { access: Some(Access::new(USER, PASSWORD)), ..Options::default() };
    let double = Double::start(Arc::new(MemoryEventStore::new()), options).await;
    // One node, and the search for the leader among several.
    let strings = [double.connection_string(), format!("esdb://{},{}?tls=false", double.address(), double.address())];
    for text in strings {
        let options = hasty(&text).with_user(USER, PASSWORD);
        let store = open(options).await;
        for fault in [Fault::ResetBefore, Fault::Unavailable, Fault::NotLeader(double.address()), Fault::HangBefore] {
            double.faults().plan(Plan::new(Operation::Append, fault).times(2));
            store.append(fresh(1)).await.expect("written");
        }
        double.end_subscriptions();
        double.faults().release();
        assert!(!whole_log(&store).await.is_empty());
    }
    let wrong = hasty(&double.connection_string()).with_user(USER, format!("{PASSWORD}!"));
    EventStoreDb::open(wrong).await.expect_err("a wrong password");
}
