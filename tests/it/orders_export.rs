//! Orders in bulk over real HTTP: as of one position, whatever changes meanwhile, and resumed where it was cut off.

use serde_json::{Value, json};
use tests::{
    client::Client,
    server::Server,
    shop::{self, Done},
};

/// Enough that an export is of several pages of the log.
const ORDERS: usize = 300;

/// The status of the answer, and its lines.
async fn export(client: &Client, query: &str) -> (u16, Vec<Value>) {
    let url = format!("{}/export/orders{query}", client.url);
    let answer = reqwest::Client::new().get(url).bearer_auth(&client.token).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect())
}

async fn orders(server: &Server) -> (Vec<Done>, Done) {
    let operator = server.operator();
    let tea = shop::register(&operator, "TEA-1").await;
    let mut orders = Vec::new();
    for _ in 0..ORDERS {
        orders.push(shop::place(&operator, &tea.id).await);
    }
    (orders, tea)
}

/// Id and status of each line but the last.
fn statuses(lines: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let orders = lines.iter().filter(|line| line.get("order").is_some());
    orders.map(|line| (text(&line["order"]["id"]), text(&line["order"]["status"]))).collect()
}

#[tokio::test]
async fn an_export_is_of_one_position_and_goes_on_where_it_was_cut_off() {
    let server = Server::start().await;
    let operator = server.operator();
    let (placed, tea) = orders(&server).await;
    shop::ship(&operator, &placed[0].id).await;
    let then = shop::cancel(&operator, &placed[1].id).await;

    let (status, lines) = export(&operator, &format!("?asOf={}", then.position)).await;
    assert_eq!((status, lines.len()), (200, ORDERS + 1));
    let last = json!({ "complete": true, "asOf": then.position, "orders": ORDERS, "unreadable": 0 });
    assert_eq!(lines[ORDERS], last);
    let before = statuses(&lines);
    let ids: Vec<&str> = before.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, placed.iter().map(|order| order.id.as_str()).collect::<Vec<_>>(), "in the order of the log");
    let first: Vec<&str> = before.iter().take(3).map(|(_, status)| status.as_str()).collect();
    assert_eq!(first, ["SHIPPED", "CANCELLED", "PLACED"]);

    // The download broke off after this line; meanwhile, the shop goes on.
    let cursor = lines[149]["cursor"].as_str().expect("a cursor");
    shop::deliver(&operator, &placed[0].id).await;
    shop::ship(&operator, &placed[200].id).await;
    shop::place(&operator, &tea.id).await;
    let (_, rest) = export(&operator, &format!("?after={cursor}")).await;
    assert_eq!(rest[..ORDERS - 150], lines[150..ORDERS], "the same lines as if nothing had broken off");
    assert_eq!((&rest[ORDERS - 150]["complete"], &rest[ORDERS - 150]["asOf"]), (&json!(true), &json!(then.position)));
    assert_eq!(export(&operator, &format!("?asOf={}", then.position)).await.1, lines, "and so is all of it");

    let (_, now) = export(&operator, "").await;
    assert_eq!(now.len(), ORDERS + 2);
    let now = statuses(&now);
    assert_eq!((now[0].1.as_str(), now[200].1.as_str()), ("DELIVERED", "SHIPPED"));
}

#[tokio::test]
async fn an_export_says_what_the_order_says() {
    let server = Server::start().await;
    let operator = server.operator();
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&operator, &tea.id).await;
    let shipped = shop::ship(&operator, &order.id).await;
    let query = "query Q($id: ID!, $p: Position) { order(id: $id, minPosition: $p) {
        id number version status paymentStatus fulfilmentStatus cancelReason isOverdue warehouse placedAt updatedAt } }";
    let answer = operator.graphql(query, json!({ "id": order.id, "p": shipped.position })).await;
    let (_, lines) = export(&operator, "").await;
    for (field, expected) in answer.get("/order").as_object().expect("an order") {
        let same = |value: &Value| value.as_str().map(|text| text.replace("+00:00", "Z"));
        let told = &lines[0]["order"][field];
        assert!(
            told == expected || (same(told).is_some() && same(told) == same(expected)),
            "{field}: {told} {expected}"
        );
    }
}

#[tokio::test]
async fn exports_are_for_operators() {
    let server = Server::start().await;
    assert_eq!(export(&server.customer("alice"), "").await.0, 403);
    let nobody = Client::new(&server.url, "no token".to_owned());
    assert_eq!(export(&nobody, "").await.0, 401);
    assert_eq!(export(&server.operator(), "?asOf=nowhere").await.0, 422);
    assert_eq!(export(&server.operator(), "").await.0, 200);
}
