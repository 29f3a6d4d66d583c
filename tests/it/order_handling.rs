//! Orders from payment to refund over real HTTP: tokens, shipments, returns, refunds, and every refusal on the way.

use std::path::Path;

use serde_json::{Value, json};
use tests::{
    client::{Answer, Client},
    log::global_id,
    server::{Server, Start, temp_dir},
    shop::{self, ORDER_CANCEL, ORDER_PLACE, ORDER_SHIP, order_input},
};

const PAY: &str = "mutation Pay($input: OrderPayInput!) { orderPay(input: $input) {
    order { id status paymentStatus } userErrors { code field message currentVersion } position isRepeat } }";
const RETURN_REQUEST: &str = "mutation Return($input: OrderReturnRequestInput!) { orderReturnRequest(input: $input) {
    order { id version fulfilmentStatus returns { number lines { line quantity } reason receivedAt isRestocked } }
    userErrors { code field message left } position isRepeat } }";
const RETURN_RECEIVE: &str = "mutation Receive($input: OrderReturnReceiveInput!) { orderReturnReceive(input: $input) {
    order { id version fulfilmentStatus returns { number receivedAt isRestocked } }
    userErrors { code field message } position isRepeat } }";
const REFUND: &str = "mutation Refund($input: OrderRefundInput!) { orderRefund(input: $input) {
    order { id refunds { id } } userErrors { code field message refundable { amount currencyCode } }
    position isRepeat } }";
const SHIPPED: &str = "mutation Ship($input: OrderShipInput!) { orderShip(input: $input) {
    order { id status fulfilmentStatus trackingNumber
            shipments { number lines { line quantity } trackingNumber } }
    userErrors { code field message left } position isRepeat } }";

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

async fn send(client: &Client, mutation: &str, input: Value) -> Answer {
    client.graphql(mutation, json!({ "input": input })).await
}

/// A server whose customers pay when they order, as it is unless told otherwise.
async fn strict(data: &Path) -> Server {
    let environment = vec![("MILLRACE_ORDERS__ON_ACCOUNT".to_owned(), "operators".to_owned())];
    Server::start_in(data, Start { environment, ..Start::default() }).await
}

/// An order of five cups and one pot, on account.
async fn two_lines(server: &Server) -> String {
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let cup = shop::register(&operator, "CUP-1").await;
    let pot = shop::register_at(&operator, "POT-1", "40", "EUR").await;
    let lines = json!([{ "productId": cup.id, "quantity": 5 }, { "productId": pot.id, "quantity": 1 }]);
    let placed = send(&alice, ORDER_PLACE, json!({ "lines": lines, "warehouse": "North" })).await;
    placed.done("orderPlace")["order"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn customers_say_how_they_pay_and_operators_need_not() {
    let data = temp_dir();
    let server = strict(data.path()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let answer = send(&alice, ORDER_PLACE, order_input(&tea.id, 1)).await;
    assert_eq!(answer.refusal("orderPlace"), refusal("PAYMENT_TOKEN_REQUIRED", "input.paymentToken"));
    send(&operator, ORDER_PLACE, order_input(&tea.id, 1)).await.done("orderPlace");
    let mut input = order_input(&tea.id, 1);
    input["paymentToken"] = json!("tok_visa");
    send(&alice, ORDER_PLACE, input).await.done("orderPlace");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_or_a_warehouse_is_said_and_no_token_is_repeated() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    for token in ["", "tok visa", "tok_\u{7f}", "4111111111111111", &"t".repeat(256)] {
        let mut input = order_input(&tea.id, 1);
        input["paymentToken"] = json!(token);
        let answer = send(&alice, ORDER_PLACE, input).await;
        assert_eq!(answer.refusal("orderPlace"), refusal("INVALID_PAYMENT_TOKEN", "input.paymentToken"), "{token:?}");
        assert!(token.is_empty() || !answer.body.to_string().contains(token), "{answer}");
    }
    let mut input = order_input(&tea.id, 1);
    input["warehouse"] = json!("no such place");
    let answer = send(&alice, ORDER_PLACE, input).await;
    assert_eq!(answer.refusal("orderPlace"), refusal("INVALID_WAREHOUSE", "input.warehouse"));
    // Nor is it repeated where the request itself is wrong.
    let wrong = [
        ("mutation { orderPlace(input: {lines: [], paymentToken: \"tok_secret\"}) { order { id } } !! }", json!({})),
        (ORDER_PLACE, json!({ "input": "tok_secret" })),
        (ORDER_PLACE, json!({ "input": [{ "lines": [], "paymentToken": "tok_secret" }] })),
        (ORDER_PLACE, json!({ "input": { "lines": [{ "productId": 1 }], "paymentToken": "tok_secret" } })),
        (ORDER_PLACE, json!({ "input": { "lines": [], "paymentToken": ["tok_secret"] } })),
    ];
    for (document, variables) in wrong {
        let answer = alice.graphql(document, variables).await;
        assert!(answer.error_code().is_some() && !answer.body.to_string().contains("tok_secret"), "{answer}");
    }
    // What is no text at all is not repeated either.
    let mut input = order_input(&tea.id, 1);
    input["paymentToken"] = json!(41_111_111);
    let answer = send(&alice, ORDER_PLACE, input).await;
    assert!(answer.error_code().is_some() && !answer.body.to_string().contains("41111111"), "{answer}");
}

#[tokio::test]
async fn a_payment_token_is_in_no_log_no_answer_and_no_printed_event() {
    const TOKEN: &str = "tok_very_secret_and_never_to_be_seen";
    let data = temp_dir();
    let environment =
        vec![("MILLRACE_LOG__FILTER".to_owned(), "info,api=trace,infrastructure=trace,projections=trace".to_owned())];
    let server = Server::start_in(data.path(), Start { environment, ..Start::default() }).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut input = order_input(&tea.id, 1);
    input["paymentToken"] = json!(TOKEN);
    input["idempotencyKey"] = json!("once");
    let placed = send(&alice, ORDER_PLACE, input.clone()).await;
    let order = placed.done("orderPlace")["order"]["id"].clone();
    // The same key with another token is another input.
    input["paymentToken"] = json!(format!("{TOKEN}_2"));
    let reused = send(&alice, ORDER_PLACE, input).await;
    reused.expect_error(200, "IDEMPOTENCY_KEY_REUSED");
    let query = "query($id: ID!, $p: Position) { order(id: $id, minPosition: $p) {
        paymentStatus history(first: 9) { nodes { __typename kind } } } }";
    let seen = operator.graphql(query, json!({ "id": order, "p": placed.text("/orderPlace/position") })).await;
    assert_eq!(seen.get("/order/history/nodes/0/__typename"), "OrderPlacedEvent");

    let printed = server.events(0);
    let event = printed.iter().find(|event| event.kind == "order.placed.v2").expect("it was placed");
    if !tests::profile::is_cluster() {
        assert_eq!(event.data["payment"], "(hidden)");
        assert!(printed.iter().all(|event| !event.data.to_string().contains(TOKEN)));
    }
    for text in [server.stderr(), placed.body.to_string(), reused.body.to_string(), seen.body.to_string()] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[tokio::test]
async fn an_order_on_account_is_not_paid_with_a_token() {
    let server = Server::start().await;
    let (operator, alice, bob) = (server.operator(), server.customer("alice"), server.customer("bob"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await;
    let input = json!({ "id": order.id, "paymentToken": "tok_visa" });
    assert_eq!(send(&alice, PAY, input.clone()).await.refusal("orderPay"), refusal("ON_ACCOUNT", "input.id"));
    assert_eq!(send(&bob, PAY, input).await.refusal("orderPay"), refusal("NOT_FOUND", "input.id"));
    let input = json!({ "id": order.id, "paymentToken": "not a token" });
    let answer = send(&alice, PAY, input).await;
    assert_eq!(answer.refusal("orderPay"), refusal("INVALID_PAYMENT_TOKEN", "input.paymentToken"));
}

#[tokio::test]
async fn an_order_leaves_in_parts_and_none_of_them_is_sent_twice() {
    let server = Server::start().await;
    let operator = server.operator();
    let order = two_lines(&server).await;
    let ship = async |lines: Value| send(&operator, SHIPPED, json!({ "id": order, "lines": lines })).await;
    let part = |line: i64, quantity: i64| json!({ "line": line, "quantity": quantity });

    assert_eq!(ship(json!([])).await.refusal("orderShip"), refusal("NO_LINES", "input.lines"));
    assert_eq!(ship(json!([part(7, 1)])).await.refusal("orderShip"), refusal("UNKNOWN_LINE", "input.lines.0.line"));
    assert_eq!(ship(json!([part(-1, 1)])).await.refusal("orderShip"), refusal("UNKNOWN_LINE", "input.lines.0.line"));
    let twice = ship(json!([part(0, 1), part(0, 1)])).await;
    assert_eq!(twice.refusal("orderShip"), refusal("LINE_NAMED_TWICE", "input.lines.1.line"));
    let too_many = ship(json!([part(1, 1), part(0, 6)])).await;
    assert_eq!(too_many.refusal("orderShip"), refusal("TOO_MANY_PIECES", "input.lines.1.quantity"));
    assert_eq!(too_many.get("/orderShip/userErrors/0/left"), 5);
    let nothing = ship(json!([part(0, 0)])).await;
    assert_eq!(nothing.refusal("orderShip"), refusal("INVALID_QUANTITY", "input.lines.0.quantity"));
    let many = ship(json!(vec![part(0, 1); 501])).await;
    assert_eq!(many.refusal("orderShip"), refusal("TOO_MANY_LINES", "input.lines"));

    let first = ship(json!([part(0, 2)])).await;
    let seen = &first.done("orderShip")["order"];
    assert_eq!((&seen["status"], &seen["fulfilmentStatus"]), (&json!("CONFIRMED"), &json!("PARTIALLY_SHIPPED")));
    let cancelled = send(&operator, ORDER_CANCEL, json!({ "id": order })).await;
    assert_eq!(cancelled.refusal("orderCancel"), refusal("ALREADY_SHIPPED", "input.id"));
    let rest = send(&operator, SHIPPED, json!({ "id": order, "trackingNumber": "DHL 2" })).await;
    let seen = &rest.done("orderShip")["order"];
    assert_eq!((&seen["status"], &seen["trackingNumber"]), (&json!("SHIPPED"), &json!("DHL 2")));
    assert_eq!(
        seen["shipments"],
        json!([
            { "number": 1, "lines": [part(0, 2)], "trackingNumber": null },
            { "number": 2, "lines": [part(0, 3), part(1, 1)], "trackingNumber": "DHL 2" },
        ])
    );
    assert_eq!(ship(json!([part(0, 1)])).await.refusal("orderShip"), refusal("ALREADY_SHIPPED", "input.id"));
}

#[tokio::test]
async fn what_left_can_come_back_once() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let order = two_lines(&server).await;
    let ask = async |client: &Client, lines: Value, reason: &str| {
        send(client, RETURN_REQUEST, json!({ "id": order, "lines": lines, "reason": reason })).await
    };
    let receive = async |number: i64, restock: bool| {
        send(&operator, RETURN_RECEIVE, json!({ "id": order, "number": number, "restock": restock })).await
    };
    let two = json!([{ "line": 0, "quantity": 2 }]);
    let early = ask(&alice, two.clone(), "too small").await;
    assert_eq!(early.refusal("orderReturnRequest"), refusal("NOT_SHIPPED", "input.id"));
    shop::ship(&operator, &order).await;

    let foreign = ask(&server.customer("mallory"), two.clone(), "mine").await;
    assert_eq!(foreign.refusal("orderReturnRequest"), refusal("NOT_FOUND", "input.id"));
    let silent = ask(&alice, two.clone(), "").await;
    assert_eq!(silent.refusal("orderReturnRequest"), refusal("INVALID_REASON", "input.reason"));
    let nothing = ask(&alice, json!([]), "too small").await;
    assert_eq!(nothing.refusal("orderReturnRequest"), refusal("NO_LINES", "input.lines"));
    let asked = ask(&alice, two.clone(), "too small").await;
    let seen = &asked.done("orderReturnRequest")["order"]["returns"][0];
    let open = json!({ "number": 1, "lines": two, "reason": "too small", "receivedAt": null, "isRestocked": null });
    assert_eq!(*seen, open);
    let again = ask(&alice, json!([{ "line": 0, "quantity": 4 }]), "too small").await;
    assert_eq!(again.refusal("orderReturnRequest"), refusal("TOO_MANY_PIECES", "input.lines.0.quantity"));
    assert_eq!(again.get("/orderReturnRequest/userErrors/0/left"), 3);

    for number in [-1, 0, 2] {
        let missing = receive(number, true).await;
        assert_eq!(missing.refusal("orderReturnReceive"), refusal("NO_SUCH_RETURN", "input.number"), "{number}");
    }
    let received = receive(1, true).await;
    let seen = &received.done("orderReturnReceive")["order"];
    assert_eq!((&seen["fulfilmentStatus"], &seen["version"]), (&json!("PARTIALLY_RETURNED"), &json!(3)));
    assert_eq!(seen["returns"][0]["isRestocked"], true);
    // The same again is done already; another thing is not.
    assert_eq!(receive(1, true).await.done("orderReturnReceive")["order"]["version"], 3);
    let other = receive(1, false).await;
    assert_eq!(other.refusal("orderReturnReceive"), refusal("RETURN_ALREADY_RECEIVED", "input.restock"));
    let input = json!({ "id": order, "number": 1, "restock": true });
    send(&alice, RETURN_RECEIVE, input).await.expect_error(200, "FORBIDDEN");
}

#[tokio::test]
async fn no_more_is_given_back_than_was_taken() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let order = two_lines(&server).await;
    let refund = async |what: Value| {
        let mut input = json!({ "id": order, "reason": "broken" });
        input.as_object_mut().expect("an object").append(&mut what.as_object().expect("an object").clone());
        send(&operator, REFUND, input).await
    };
    let amount = |amount: &str, currency: &str| json!({ "amount": { "amount": amount, "currencyCode": currency } });
    let one = json!({ "lines": [{ "line": 0, "quantity": 1 }] });

    refund(json!({})).await.expect_error(200, "BAD_USER_INPUT");
    let mut both = amount("1", "EUR");
    both["lines"] = one["lines"].clone();
    refund(both).await.expect_error(200, "BAD_USER_INPUT");
    // Nothing has left the house, and nothing was taken.
    assert_eq!(refund(one.clone()).await.refusal("orderRefund"), refusal("TOO_MANY_PIECES", "input.lines.0.quantity"));
    let taken = refund(amount("0.01", "EUR")).await;
    assert_eq!(taken.refusal("orderRefund"), refusal("EXCEEDS_PAID", "input"));
    let nothing = json!({ "amount": "0.00", "currencyCode": "EUR" });
    assert_eq!(taken.get("/orderRefund/userErrors/0/refundable"), &nothing);
    for wrong in ["0", "0.001", "-1", "one", ""] {
        let answer = refund(amount(wrong, "EUR")).await;
        let (code, field) = answer.refusal("orderRefund");
        assert!(code == "INVALID_AMOUNT" && field.starts_with("input.amount"), "{wrong:?}: {answer}");
    }
    for wrong in ["USD", "XQQ"] {
        let answer = refund(amount("1", wrong)).await;
        assert_eq!(answer.refusal("orderRefund"), refusal("WRONG_CURRENCY", "input.amount.currencyCode"), "{wrong}");
    }
    let mut silent = one;
    silent["reason"] = json!(" ");
    assert_eq!(refund(silent).await.refusal("orderRefund"), refusal("INVALID_REASON", "input.reason"));
    let input = json!({ "id": order, "lines": [{ "line": 0, "quantity": 1 }], "reason": "mine" });
    send(&alice, REFUND, input).await.expect_error(200, "FORBIDDEN");
    let missing = global_id("order", "01900000-0000-7000-8000-000000000001");
    let input = json!({ "id": missing, "amount": { "amount": "1", "currencyCode": "EUR" }, "reason": "broken" });
    assert_eq!(send(&operator, REFUND, input).await.refusal("orderRefund"), refusal("NOT_FOUND", "input.id"));
}

#[tokio::test]
async fn operators_find_orders_by_what_they_are_and_what_people_call_them() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let order = two_lines(&server).await;
    let tea = shop::register(&operator, "TEA-1").await;
    let other = shop::place(&alice, &tea.id).await;
    let shipped = send(&operator, ORDER_SHIP, json!({ "id": order, "trackingNumber": "DHL 77" })).await;
    let position = shipped.text("/orderShip/position");
    let query = "query($where: OrderWhere!, $p: Position) {
        orders(first: 9, where: $where, minPosition: $p) { nodes { id number warehouse } } }";
    let ask = async |filter: Value| operator.graphql(query, json!({ "where": filter, "p": position })).await;
    let found = async |filter: Value| {
        let answer = ask(filter).await;
        let nodes = answer.get("/orders/nodes").as_array().expect("a list").clone();
        nodes.into_iter().map(|node| node["id"].clone()).collect::<Vec<_>>()
    };
    let number = ask(json!({ "warehouse": "north" })).await.text("/orders/nodes/0/number");

    let filters = [
        json!({ "warehouse": "north" }),
        json!({ "trackingNumber": "DHL 77" }),
        json!({ "fulfilmentStatus": ["SHIPPED"] }),
        json!({ "number": number.to_lowercase() }),
        json!({ "number": format!("{} {}", &number[..4], &number[4..]), "isOverdue": false }),
    ];
    for filter in filters {
        assert_eq!(found(filter.clone()).await, [json!(order)], "{filter}");
    }
    assert_eq!(found(json!({ "fulfilmentStatus": ["UNFULFILLED"] })).await, [json!(other.id)]);
    assert_eq!(found(json!({ "paymentStatus": ["ON_ACCOUNT"] })).await, [json!(other.id), json!(order)]);
    for filter in [json!({ "isOverdue": true }), json!({ "paymentStatus": ["PAID", "DECLINED"] })] {
        assert_eq!(found(filter.clone()).await, Vec::<Value>::new(), "{filter}");
    }
    for filter in [json!({ "warehouse": "?" }), json!({ "trackingNumber": "" })] {
        ask(filter).await.expect_error(200, "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn orders_are_found_by_what_is_typed_into_a_search_box() {
    let server = Server::start().await;
    let (operator, alice, bob) = (server.operator(), server.customer("alice"), server.customer("bob"));
    let cups = two_lines(&server).await;
    let tea = shop::register(&operator, "TEA-1").await;
    let his = shop::place(&bob, &tea.id).await;
    let part = json!([{ "line": 0, "quantity": 1 }]);
    for (lines, number) in [(part, "DHL 00-77"), (json!(null), "1Z 999 AA1")] {
        let input = json!({ "id": cups, "lines": lines, "trackingNumber": number });
        send(&operator, ORDER_SHIP, input).await.done("orderShip");
    }
    let position = send(&alice, ORDER_PLACE, order_input(&tea.id, 1)).await;
    let hers = position.text("/orderPlace/order/id");
    let position = position.text("/orderPlace/position");
    let query = "query($where: OrderWhere!, $p: Position, $by: OrderOrderField!) {
        orders(first: 9, where: $where, minPosition: $p, orderBy: { field: $by }) {
            nodes { id number customer { id } } pageInfo { hasNextPage } } }";
    let ask = async |client: &Client, filter: Value, by: &str| {
        client.graphql(query, json!({ "where": filter, "p": position, "by": by })).await
    };
    let found = async |client: &Client, filter: Value| {
        let mut lists = Vec::new();
        for by in ["PLACED_AT", "UPDATED_AT"] {
            let answer = ask(client, filter.clone(), by).await;
            assert_eq!(answer.get("/orders/pageInfo/hasNextPage"), false, "{filter}");
            let nodes = answer.get("/orders/nodes").as_array().expect("a list").clone();
            let mut ids: Vec<String> =
                nodes.iter().map(|node| node["id"].as_str().expect("an id").to_owned()).collect();
            ids.sort_unstable();
            lists.push(ids);
        }
        assert_eq!(lists[0], lists[1], "{filter}");
        lists.remove(0)
    };
    let first = ask(&operator, json!({ "sku": "CUP-1" }), "PLACED_AT").await;
    let number = first.text("/orders/nodes/0/number").to_lowercase();
    let customer = first.text("/orders/nodes/0/customer/id");
    let mut of_alice = vec![cups.clone(), hers.clone()];
    let mut of_tea = vec![his.id.clone(), hers.clone()];
    of_alice.sort_unstable();
    of_tea.sort_unstable();

    for text in [&*number, &number[..4], &cups, "the cup", "POT", "dhl 0077", "1z999", "pot the cup-1"] {
        assert_eq!(found(&operator, json!({ "text": text })).await, std::slice::from_ref(&cups), "{text}");
    }
    assert_eq!(found(&operator, json!({ "text": customer })).await, of_alice);
    assert_eq!(found(&operator, json!({ "text": "tea" })).await, of_tea);
    for sku in ["tea-1", "TEA-1"] {
        assert_eq!(found(&operator, json!({ "sku": sku })).await, of_tea, "{sku}");
    }
    assert_eq!(found(&operator, json!({ "sku": "POT-1", "status": ["SHIPPED"] })).await, std::slice::from_ref(&cups));
    assert_eq!(found(&operator, json!({ "or": [{ "text": "pot" }, { "sku": "TEA-1" }] })).await.len(), 3);
    // Customers find what is theirs.
    assert_eq!(found(&alice, json!({ "text": "the" })).await, of_alice);
    assert_eq!(found(&bob, json!({ "text": number })).await, Vec::<String>::new());
    for filter in [json!({ "text": "cup tea" }), json!({ "text": "77" }), json!({ "sku": "TEA" })] {
        assert_eq!(found(&operator, filter.clone()).await, Vec::<String>::new(), "{filter}");
    }
    let long = "x".repeat(101);
    for wrong in ["", " - ", &long, "a b c d e f g h i"] {
        ask(&operator, json!({ "text": wrong }), "PLACED_AT").await.expect_error(200, "BAD_USER_INPUT");
    }
    ask(&operator, json!({ "sku": "no sku" }), "PLACED_AT").await.expect_error(200, "BAD_USER_INPUT");
}

#[tokio::test]
async fn orders_are_found_by_what_they_cost() {
    let server = Server::start().await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register_at(&operator, "TEA-1", "10", "EUR").await;
    let mut placed = Vec::new();
    for quantity in 1..=5 {
        placed.push(send(&alice, ORDER_PLACE, order_input(&tea.id, quantity)).await);
    }
    let query = "query($total: MoneyRange!, $p: Position, $first: Int, $after: Cursor) {
        orders(first: $first, after: $after, where: { total: $total }, minPosition: $p) {
            nodes { total { amount } } pageInfo { hasNextPage endCursor } } }";
    let position = placed[4].text("/orderPlace/position");
    let total = json!({ "currencyCode": "EUR", "gte": "20", "lte": "40" });
    let mut amounts = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = json!({ "total": total, "p": position, "first": 2, "after": after });
        let answer = operator.graphql(query, page).await;
        let nodes = answer.get("/orders/nodes").as_array().expect("a list").clone();
        amounts.extend(nodes.iter().map(|node| node["total"]["amount"].as_str().expect("a sum").to_owned()));
        if answer.get("/orders/pageInfo/hasNextPage") == false {
            break;
        }
        after = answer.get("/orders/pageInfo/endCursor").clone();
    }
    assert_eq!(amounts, ["40.00", "30.00", "20.00"]);
}
