//! What people do in the shop, with fixed data for everything a test is not about.

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    log::{ORDER_FIELDS, Orders},
};

/// `orderPlace`, with everything that a test may want to see of its answer.
pub const ORDER_PLACE: &str = "mutation Place($input: OrderPlaceInput!) { orderPlace(input: $input) {
    order { id version status total { amount currencyCode } }
    userErrors { code field message currentVersion } position isRepeat } }";
/// `orderCancel`.
pub const ORDER_CANCEL: &str = "mutation Cancel($input: OrderCancelInput!) { orderCancel(input: $input) {
    order { id version status } userErrors { code field message currentVersion } position isRepeat } }";
/// `orderShip`.
pub const ORDER_SHIP: &str = "mutation Ship($input: OrderShipInput!) { orderShip(input: $input) {
    order { id version status } userErrors { code field message currentVersion } position isRepeat } }";
/// `orderDeliver`.
pub const ORDER_DELIVER: &str = "mutation Deliver($input: OrderDeliverInput!) { orderDeliver(input: $input) {
    order { id version status } userErrors { code field message currentVersion } position isRepeat } }";
/// `productRegister`.
pub const PRODUCT_REGISTER: &str = "mutation Register($input: ProductRegisterInput!) { productRegister(input: $input) {
    product { id sku name status version price { amount currencyCode } }
    userErrors { code field message currentVersion } position isRepeat } }";
/// `productChangePrice`.
pub const PRODUCT_CHANGE_PRICE: &str =
    "mutation ChangePrice($input: ProductChangePriceInput!) { productChangePrice(input: $input) {
    product { id version price { amount currencyCode } }
    userErrors { code field message currentVersion } position isRepeat } }";
/// `productRetire`.
pub const PRODUCT_RETIRE: &str = "mutation Retire($input: ProductRetireInput!) { productRetire(input: $input) {
    product { id version status } userErrors { code field message currentVersion } position isRepeat } }";
/// `stockReceive`, as operators see its answer.
pub const STOCK_RECEIVE: &str = "mutation Receive($input: StockReceiveInput!) { stockReceive(input: $input) {
    level { id sku warehouse onHand reserved available version updatedAt }
    userErrors { code field message reserved } position isRepeat } }";
/// `stockAdjust`, as operators see its answer.
pub const STOCK_ADJUST: &str = "mutation Adjust($input: StockAdjustInput!) { stockAdjust(input: $input) {
    level { id sku warehouse onHand reserved available version updatedAt }
    userErrors { code field message reserved } position isRepeat } }";
/// `order`, as far as most tests look.
pub const ORDER: &str = "query Order($id: ID!, $minPosition: Position) { order(id: $id, minPosition: $minPosition) {
    id version status total { amount currencyCode } } }";

/// Orders that one page of [`all_orders`] has: as many as the limit on complexity allows.
const PAGE_ORDERS: usize = 30;

/// Something that took effect: the object's id and the position to read it at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The object's global id.
    pub id: String,
    /// The position right after it.
    pub position: String,
}

impl Done {
    #[track_caller]
    fn of(answer: &Answer, mutation: &str, object: &str) -> Self {
        let payload = answer.done(mutation);
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("incomplete: {answer}")).to_owned();
        Self { id: text(&payload[object]["id"]), position: text(&payload["position"]) }
    }
}

/// Registers a product that costs 19.90 euros.
pub async fn register(operator: &Client, sku: &str) -> Done {
    register_at(operator, sku, "19.90", "EUR").await
}

/// Registers a product at this price.
pub async fn register_at(operator: &Client, sku: &str, amount: &str, currency: &str) -> Done {
    let price = json!({ "amount": amount, "currencyCode": currency });
    // Most tests are not about stock either: what is not counted need not be reserved.
    let input = json!({ "sku": sku, "name": format!("The {sku}"), "price": price, "tracksStock": false });
    let answer = operator.graphql(PRODUCT_REGISTER, json!({ "input": input })).await;
    Done::of(&answer, "productRegister", "product")
}

/// Takes pieces into the main warehouse. No two keys may be the same.
pub async fn receive(operator: &Client, sku: &str, quantity: i64, key: &str) -> Done {
    let input = json!({ "sku": sku, "quantity": quantity, "idempotencyKey": key });
    let answer = operator.graphql(STOCK_RECEIVE, json!({ "input": input })).await;
    Done::of(&answer, "stockReceive", "level")
}

/// The input that orders this many pieces of a product.
pub fn order_input(product: &str, quantity: i64) -> Value {
    json!({ "lines": [{ "productId": product, "quantity": quantity }] })
}

/// Places an order for one piece.
pub async fn place(customer: &Client, product: &str) -> Done {
    let answer = customer.graphql(ORDER_PLACE, json!({ "input": order_input(product, 1) })).await;
    Done::of(&answer, "orderPlace", "order")
}

/// Cancels an order.
pub async fn cancel(client: &Client, order: &str) -> Done {
    let answer = client.graphql(ORDER_CANCEL, json!({ "input": { "id": order } })).await;
    Done::of(&answer, "orderCancel", "order")
}

/// Ships an order.
pub async fn ship(operator: &Client, order: &str) -> Done {
    let input = json!({ "id": order, "trackingNumber": "DHL 1" });
    let answer = operator.graphql(ORDER_SHIP, json!({ "input": input })).await;
    Done::of(&answer, "orderShip", "order")
}

/// Delivers an order.
pub async fn deliver(operator: &Client, order: &str) -> Done {
    let answer = operator.graphql(ORDER_DELIVER, json!({ "input": { "id": order } })).await;
    Done::of(&answer, "orderDeliver", "order")
}

/// Every order that the read model has at this position or later, page by page.
pub async fn all_orders(operator: &Client, min_position: &str) -> Orders {
    let query = format!(
        "query All($after: Cursor, $minPosition: Position) {{
            orders(first: {PAGE_ORDERS}, after: $after, minPosition: $minPosition,
                   orderBy: {{ field: PLACED_AT, direction: ASC }}) {{
                nodes {{ {ORDER_FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let mut orders = Orders::new();
    let mut after = Value::Null;
    loop {
        let variables = json!({ "after": after, "minPosition": min_position });
        let answer = operator.graphql(&query, variables).await;
        collect(&mut orders, answer.get("/orders/nodes"));
        if answer.get("/orders/pageInfo/hasNextPage") == false {
            return orders;
        }
        after = answer.get("/orders/pageInfo/endCursor").clone();
    }
}

/// These orders as the read model has them at this position or later.
pub async fn orders_by_id(operator: &Client, ids: &[String], min_position: &str) -> Orders {
    let query = format!(
        "query Some($ids: [ID!]!, $minPosition: Position) {{
            nodes(ids: $ids, minPosition: $minPosition) {{ ... on Order {{ {ORDER_FIELDS} }} }} }}"
    );
    let mut orders = Orders::new();
    for chunk in ids.chunks(PAGE_ORDERS) {
        let answer = operator.graphql(&query, json!({ "ids": chunk, "minPosition": min_position })).await;
        collect(&mut orders, answer.get("/nodes"));
    }
    orders
}

fn collect(orders: &mut Orders, nodes: &Value) {
    for node in nodes.as_array().expect("nodes are a list") {
        let id = node["id"].as_str().unwrap_or_else(|| panic!("an order is missing among {nodes}"));
        assert!(orders.insert(id.to_owned(), node.clone()).is_none(), "the order {id} is there twice");
    }
}
