//! The second books of stock and money, and everything else that `millrace verify` looks at, at the end of a test.

use serde_json::{Value, json};

use crate::{
    binary,
    client::Client,
    profile,
    server::{Server, eventually},
};

const VERIFY: &str = "mutation { shopVerify { report { events number stocks payments orders underWay isRight differing
    differences { subject key id text } } userErrors { code } } }";

/// The second books, once nothing is under way any more.
pub async fn settled(operator: &Client) -> Value {
    eventually("nothing is under way", async || {
        let answer = operator.graphql(VERIFY, json!({})).await;
        let report = answer.get("/shopVerify/report").clone();
        (report["underWay"] == 0).then_some(report)
    })
    .await
}

/// Stops the server once nothing is under way any more, and runs `millrace verify` over what it leaves behind: rows, stock and
/// money have to agree with the events. Where the stores end with the server it is asked before. Gives the line about stock
/// and money.
pub async fn close(server: Server) -> String {
    settled(&server.operator()).await;
    let words = if profile::is_cluster() {
        let words = server.millrace(&["verify"]).ok();
        server.stop().await;
        words
    } else {
        let data = server.data_dir().as_os_str().to_owned();
        server.stop().await;
        binary::millrace(["verify".into(), "--data-dir".into(), data]).ok()
    };
    let lines: Vec<&str> = words.lines().collect();
    let rows = lines.len().saturating_sub(1);
    assert!(rows == projections::names().len() && lines.iter().all(|line| line.ends_with(": right")), "{words}");
    let shop =
        lines.into_iter().find(|line| line.starts_with("shop: ")).unwrap_or_else(|| panic!("no books in {words}"));
    assert!(!shop.contains("under way"), "{words}");
    shop.to_owned()
}
