//! Products over real HTTP: registering, pricing, retiring, and everything that is refused.

use serde_json::{Value, json};
use tests::{
    client::Client,
    server::Server,
    shop::{self, PRODUCT_CHANGE_PRICE, PRODUCT_REGISTER, PRODUCT_RETIRE},
};

const PRODUCT: &str = "query P($id: ID, $sku: String, $minPosition: Position) {
    product(id: $id, sku: $sku, minPosition: $minPosition) {
        id sku name status version price { amount currencyCode } } }";

fn price(amount: &str, currency: &str) -> Value {
    json!({ "amount": amount, "currencyCode": currency })
}

/// The one refusal of registering this.
async fn refused(operator: &Client, sku: &str, name: &str, price: Value) -> (String, String) {
    let input = json!({ "sku": sku, "name": name, "price": price });
    operator.graphql(PRODUCT_REGISTER, json!({ "input": input })).await.refusal("productRegister")
}

fn refusal(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

#[tokio::test]
async fn a_product_is_registered_priced_anew_and_retired() {
    let server = Server::start().await;
    let operator = server.operator();
    let registered = shop::register(&operator, "tea-1").await;

    let input = json!({ "id": registered.id, "price": price("21", "EUR"), "expectedVersion": 0 });
    let changed = operator.graphql(PRODUCT_CHANGE_PRICE, json!({ "input": input })).await;
    assert_eq!(changed.done("productChangePrice")["product"]["price"], price("21.00", "EUR"));
    assert_eq!(changed.get("/productChangePrice/product/version"), 1);

    let input = json!({ "id": registered.id, "expectedVersion": 1 });
    let retired = operator.graphql(PRODUCT_RETIRE, json!({ "input": input })).await;
    assert_eq!(retired.done("productRetire")["product"]["status"], "RETIRED");

    // By id and by SKU, in whatever case, a customer sees the same product at its last version.
    let position = retired.get("/productRetire/position");
    let customer = server.customer("alice");
    let by_id = customer.graphql(PRODUCT, json!({ "id": registered.id, "minPosition": position })).await;
    let by_sku = customer.graphql(PRODUCT, json!({ "sku": "Tea-1", "minPosition": position })).await;
    let expected = json!({
        "id": registered.id, "sku": "TEA-1", "name": "The tea-1", "status": "RETIRED", "version": 2,
        "price": price("21.00", "EUR"),
    });
    assert_eq!(by_id.get("/product"), &expected);
    assert_eq!(by_sku.get("/product"), &expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_product_is_said_with_code_and_field() {
    let server = Server::start().await;
    let operator = server.operator();
    let good = || price("1", "EUR");

    for sku in ["", "-tea", "tea 1", &"x".repeat(65)] {
        assert_eq!(refused(&operator, sku, "Tea", good()).await, refusal("INVALID_SKU", "input.sku"), "{sku:?}");
    }
    for name in ["", "  ", "Tea\u{7}", &"x".repeat(201)] {
        assert_eq!(refused(&operator, "T", name, good()).await, refusal("INVALID_NAME", "input.name"), "{name:?}");
    }
    for amount in ["-1", "", "1.999", "1,5", "1e3", "10000000000000", "NaN"] {
        let expected = refusal("INVALID_PRICE", "input.price.amount");
        assert_eq!(refused(&operator, "T", "Tea", price(amount, "EUR")).await, expected, "{amount:?}");
    }
    for currency in ["", "EURO", "XQQ"] {
        let expected = refusal("INVALID_CURRENCY", "input.price.currencyCode");
        assert_eq!(refused(&operator, "T", "Tea", price("1", currency)).await, expected, "{currency:?}");
    }

    // All at once, not one by one.
    let input = json!({ "sku": "", "name": "", "price": price("x", "EUR") });
    let answer = operator.graphql(PRODUCT_REGISTER, json!({ "input": input })).await;
    let codes: Vec<String> = answer.user_errors("productRegister").into_iter().map(|error| error.code).collect();
    assert_eq!(codes, ["INVALID_SKU", "INVALID_NAME", "INVALID_PRICE"]);
    assert_eq!(answer.get("/productRegister/product"), &Value::Null);
    assert_eq!(answer.get("/productRegister/position"), &Value::Null);
    assert!(server.events(0).is_empty(), "a refused product left something in the log");
}

#[tokio::test]
async fn what_the_rules_refuse_leaves_the_product_as_it_is() {
    let server = Server::start().await;
    let operator = server.operator();
    let product = shop::register(&operator, "TEA-1").await;

    assert_eq!(refused(&operator, "tea-1", "Tea", price("1", "EUR")).await, refusal("SKU_TAKEN", "input.sku"));

    let change = async |input: Value| operator.graphql(PRODUCT_CHANGE_PRICE, json!({ "input": input })).await;
    let answer = change(json!({ "id": product.id, "price": price("1", "USD") })).await;
    assert_eq!(answer.refusal("productChangePrice"), refusal("INVALID_CURRENCY", "input.price.currencyCode"));
    let answer = change(json!({ "id": product.id, "price": price("1", "EUR"), "expectedVersion": 7 })).await;
    assert_eq!(answer.refusal("productChangePrice"), refusal("VERSION_CONFLICT", "input.expectedVersion"));
    assert_eq!(answer.user_errors("productChangePrice")[0].current_version, Some(0));
    change(json!({ "id": product.id, "price": price("1", "EUR"), "expectedVersion": -1 }))
        .await
        .expect_error(200, "BAD_USER_INPUT");

    let missing = tests::log::global_id("product", "01900000-0000-7000-8000-000000000001");
    let answer = change(json!({ "id": missing, "price": price("1", "EUR") })).await;
    assert_eq!(answer.refusal("productChangePrice"), refusal("NOT_FOUND", "input.id"));
    for id in ["", "nonsense", &tests::log::global_id("order", "01900000-0000-7000-8000-000000000001")] {
        change(json!({ "id": id, "price": price("1", "EUR") })).await.expect_error(200, "BAD_USER_INPUT");
    }

    operator.graphql(PRODUCT_RETIRE, json!({ "input": { "id": product.id } })).await.done("productRetire");
    let answer = change(json!({ "id": product.id, "price": price("1", "EUR") })).await;
    assert_eq!(answer.refusal("productChangePrice"), refusal("RETIRED", "input.id"));
    let types: Vec<String> = server.events(0).into_iter().map(|event| event.kind).collect();
    assert_eq!(types, ["product.registered.v2", "product.retired.v1"]);
}

#[tokio::test]
async fn a_customer_runs_no_shop() {
    let server = Server::start().await;
    let product = shop::register(&server.operator(), "TEA-1").await;
    let customer = server.customer("alice");
    let input = json!({ "sku": "TEA-2", "name": "Tea", "price": price("1", "EUR") });
    customer.graphql(PRODUCT_REGISTER, json!({ "input": input })).await.expect_error(200, "FORBIDDEN");
    let input = json!({ "id": product.id, "price": price("1", "EUR") });
    customer.graphql(PRODUCT_CHANGE_PRICE, json!({ "input": input })).await.expect_error(200, "FORBIDDEN");
    let input = json!({ "id": product.id });
    customer.graphql(PRODUCT_RETIRE, json!({ "input": input })).await.expect_error(200, "FORBIDDEN");
    let sales = "query S($id: ID!, $p: Position) { product(id: $id, minPosition: $p) { sku sales { units } } }";
    let answer = customer.graphql(sales, json!({ "id": product.id, "p": product.position })).await;
    answer.expect_error(200, "FORBIDDEN");
    assert_eq!(answer.body.pointer("/data/product/sales"), Some(&Value::Null), "the rest of the product stays");
    assert_eq!(server.events(0).len(), 1);
}

#[tokio::test]
async fn the_catalogue_is_paged_both_ways_and_filtered() {
    let server = Server::start().await;
    let operator = server.operator();
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(shop::register(&operator, &format!("TEA-{number}")).await);
    }
    let retired = operator.graphql(PRODUCT_RETIRE, json!({ "input": { "id": ids[3].id } })).await;
    let position = retired.get("/productRetire/position").clone();
    let query = "query L($first: Int, $after: Cursor, $last: Int, $before: Cursor, $where: ProductWhere,
                         $minPosition: Position) {
        products(first: $first, after: $after, last: $last, before: $before, where: $where,
                 minPosition: $minPosition) {
            nodes { sku } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let ask = async |mut variables: Value| {
        variables["minPosition"] = position.clone();
        operator.graphql(query, variables).await
    };
    let skus = |answer: &tests::client::Answer| -> Vec<String> {
        let nodes = answer.get("/products/nodes").as_array().expect("a list");
        nodes.iter().map(|node| node["sku"].as_str().expect("a SKU").replace("TEA-", "")).collect()
    };

    let mut seen = Vec::new();
    let mut page = ask(json!({ "first": 3 })).await;
    loop {
        seen.push(skus(&page));
        if page.get("/products/pageInfo/hasNextPage") == false {
            break;
        }
        page = ask(json!({ "first": 3, "after": page.get("/products/pageInfo/endCursor") })).await;
    }
    assert_eq!(seen, [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"]]);
    let before = ask(json!({ "last": 4, "before": page.get("/products/pageInfo/startCursor") })).await;
    assert_eq!(skus(&before), ["2", "3", "4", "5"]);
    assert_eq!(before.get("/products/pageInfo/hasPreviousPage"), true);

    let offered = ask(json!({ "first": 100, "where": { "status": "OFFERED" } })).await;
    assert_eq!(skus(&offered), ["0", "1", "2", "4", "5", "6"]);
    let gone = ask(json!({ "last": 100, "where": { "status": "RETIRED" } })).await;
    assert_eq!(skus(&gone), ["3"]);
}
