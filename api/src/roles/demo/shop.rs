//! The shop as the demonstration sees it: the public schema, called in this process with the viewers of its people.

use std::sync::Arc;

use domain::Timestamp;
use infrastructure::clock::{IdSource, SystemIds};
use serde_json::{Map, Value, json};

use super::script::{Article, CATALOGUE, Part, Seen, Status, Step, Supply, Visit};
use crate::{
    auth::{Role, Viewer},
    engine::{CallContext, Engine, GraphQlRequest, RequestId},
    graphql::ShopSchema,
};

/// The operator who keeps the shop.
pub(super) const OPERATOR: &str = "demo-operator";

const REGISTER: &str = "mutation Register($input: ProductRegisterInput!) { productRegister(input: $input) {
    product { id } userErrors { message } position } }";
const RECEIVE: &str = "mutation Receive($input: StockReceiveInput!) { stockReceive(input: $input) {
    userErrors { message } } }";
const AVAILABLE: &str = "query Available($sku: String!) { stock(sku: $sku) { available } }";
const PLACE: &str = "mutation Place($input: OrderPlaceInput!) { orderPlace(input: $input) {
    order { id } userErrors { message } position isRepeat } }";
const LOOK: &str = "query Look($id: ID!, $position: Position) { order(id: $id, minPosition: $position) {
    status paymentStatus total { amount } paid { amount } refunded { amount }
    lines { index quantity } shipments { lines { line quantity } } returns { receivedAt } refunds { status } } }";
const OPEN: &str = "query Open($after: Cursor) {
    orders(first: 100, after: $after, where: { status: [PLACED, CONFIRMED, SHIPPED] }) {
        nodes { id } pageInfo { hasNextPage endCursor } } }";

/// Why a request has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The rules say no: somebody else was faster, or the shop is not that far yet.
    Refused(String),
    /// It could not be answered.
    Failed(String),
}

/// A way into the shop.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    engine: Engine<ShopSchema>,
    ids: Arc<dyn IdSource>,
}

/// Who acts.
pub(super) fn operator() -> Viewer {
    Viewer { subject: OPERATOR.to_owned(), role: Role::Operator, expires_at: Timestamp::MAX_UTC }
}

/// The customer with this number, counted from 1.
pub(super) fn customer(number: u32) -> Viewer {
    Viewer { subject: customer_name(number), role: Role::Customer, expires_at: Timestamp::MAX_UTC }
}

/// The subject of a customer's token.
pub(super) fn customer_name(number: u32) -> String {
    format!("customer-{number}")
}

impl Shop {
    /// The shop behind this engine.
    pub(super) fn new(engine: Engine<ShopSchema>) -> Self {
        Self { engine, ids: Arc::new(SystemIds) }
    }

    /// Puts the catalogue up, unless it is there. Gives the products' ids, in its order.
    pub(super) async fn open(&self) -> Result<Vec<String>, Trouble> {
        let mut products = Vec::with_capacity(CATALOGUE.len());
        for article in &CATALOGUE {
            let input = json!({
                "sku": article.sku, "name": article.name, "tracksStock": article.supply != Supply::Unlimited,
                "price": { "amount": article.price, "currencyCode": "EUR" },
                "idempotencyKey": format!("demo {}", article.sku),
            });
            let payload = self.mutate(&operator(), REGISTER, "productRegister", input).await?;
            products.push(text(&payload, "/product/id"));
        }
        Ok(products)
    }

    /// How many pieces of an article can be bought.
    pub(super) async fn available(&self, article: &Article) -> Result<u64, Trouble> {
        let data = self.execute(&operator(), AVAILABLE, json!({ "sku": article.sku })).await?;
        Ok(data.pointer("/stock/available").and_then(Value::as_u64).unwrap_or(0))
    }

    /// Receives pieces of an article.
    pub(super) async fn receive(&self, article: &Article, pieces: u32, key: &str) -> Result<(), Trouble> {
        let input =
            json!({ "sku": article.sku, "quantity": pieces, "idempotencyKey": format!("{key} {}", article.sku) });
        self.mutate(&operator(), RECEIVE, "stockReceive", input).await.map(|_| ())
    }

    /// Places the order of a visit. Gives its id, and the position to see it at.
    pub(super) async fn place(
        &self,
        visit: &Visit,
        products: &[String],
        key: &str,
    ) -> Result<(String, String), Trouble> {
        let lines: Vec<Value> = visit
            .lines
            .iter()
            .map(|(article, pieces)| json!({ "productId": products[*article], "quantity": pieces }))
            .collect();
        let input = json!({ "lines": lines, "paymentToken": visit.token, "idempotencyKey": key });
        let payload = self.mutate(&customer(visit.customer), PLACE, "orderPlace", input).await?;
        Ok((text(&payload, "/order/id"), text(&payload, "/position")))
    }

    /// How an order is, not before this position; none if it is not to be seen.
    pub(super) async fn look(&self, order: &str, position: Option<&str>) -> Result<Option<Seen>, Trouble> {
        let data = self.execute(&operator(), LOOK, json!({ "id": order, "position": position })).await?;
        Ok(data.get("order").filter(|order| !order.is_null()).map(seen))
    }

    /// The orders that something is still to become of.
    pub(super) async fn open_orders(&self) -> Result<Vec<String>, Trouble> {
        let (mut orders, mut after) = (Vec::new(), Value::Null);
        loop {
            let mut data = self.execute(&operator(), OPEN, json!({ "after": after })).await?;
            let nodes = data.pointer("/orders/nodes").and_then(Value::as_array).into_iter().flatten();
            orders.extend(nodes.map(|order| text(order, "/id")));
            if data.pointer("/orders/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
                return Ok(orders);
            }
            after = data.pointer_mut("/orders/pageInfo/endCursor").map(Value::take).unwrap_or_default();
        }
    }

    /// Takes a step with an order. `buyer` is who acts for the customer. Gives the position to see it at; none if there
    /// was nothing to do.
    pub(super) async fn take(&self, order: &str, buyer: &Viewer, step: &Step) -> Result<Option<String>, Trouble> {
        let Some((mutation, more)) = mutation(step) else { return Ok(None) };
        let who = if is_the_customers(step) { buyer.clone() } else { operator() };
        let mut input = more;
        input.insert("id".to_owned(), order.into());
        let (first, rest) = mutation.split_at(1);
        let kind = format!("{}{rest}Input", first.to_uppercase());
        let document = format!(
            "mutation Step($input: {kind}!) {{ {mutation}(input: $input) {{ userErrors {{ message }} position }} }}"
        );
        let payload = self.mutate(&who, &document, mutation, Value::Object(input)).await?;
        Ok(Some(text(&payload, "/position")))
    }

    /// Asks for a change. Gives what came of it.
    pub(super) async fn mutate(
        &self,
        who: &Viewer,
        document: &str,
        mutation: &str,
        input: Value,
    ) -> Result<Value, Trouble> {
        let mut data = self.execute(who, document, json!({ "input": input })).await?;
        let payload = data.get_mut(mutation).map(Value::take).unwrap_or_default();
        match payload.pointer("/userErrors/0/message") {
            None => Ok(payload),
            Some(message) => Err(Trouble::Refused(message.as_str().unwrap_or_default().to_owned())),
        }
    }

    /// Asks in somebody's name. Gives the data of the answer.
    pub(super) async fn execute(&self, who: &Viewer, document: &str, variables: Value) -> Result<Value, Trouble> {
        let variables = if let Value::Object(variables) = variables { variables } else { Map::new() };
        let request = GraphQlRequest { query: document.to_owned(), variables, ..GraphQlRequest::default() };
        let failed = |error: String| Trouble::Failed(error);
        let prepared = self.engine.prepare(request).map_err(|error| failed(error.to_string()))?;
        let request_id = RequestId::fresh(&*self.ids);
        let context = CallContext { viewer: who.clone(), request_id, resume_after: None };
        let response = self.engine.execute(prepared, context).await;
        if let Some(error) = response.errors.first() {
            return Err(failed(error.message.clone()));
        }
        response.data.into_json().map_err(|error| failed(error.to_string()))
    }
}

/// Whether the customer takes this step, and not the shop.
const fn is_the_customers(step: &Step) -> bool {
    match step {
        Step::Pay(_) | Step::Cancel | Step::RequestReturn(_) => true,
        Step::Wait
        | Step::Ship(_)
        | Step::Deliver
        | Step::ReceiveReturn { .. }
        | Step::RefundLines(_)
        | Step::RefundAmount(_)
        | Step::Done => false,
    }
}

/// The mutation of a step, with its input but for the order's id.
fn mutation(step: &Step) -> Option<(&'static str, Map<String, Value>)> {
    let (name, input) = match step {
        Step::Wait | Step::Done => return None,
        Step::Pay(token) => ("orderPay", json!({ "paymentToken": token })),
        Step::Cancel => ("orderCancel", json!({})),
        Step::Ship(None) => ("orderShip", json!({ "trackingNumber": "DEMO 1" })),
        Step::Ship(Some(lines)) => ("orderShip", json!({ "lines": parts(lines), "trackingNumber": "DEMO 2" })),
        Step::Deliver => ("orderDeliver", json!({})),
        Step::RequestReturn(lines) => {
            ("orderReturnRequest", json!({ "lines": parts(lines), "reason": "not what I expected" }))
        }
        Step::ReceiveReturn { number, is_restocked } => {
            ("orderReturnReceive", json!({ "number": number, "restock": is_restocked }))
        }
        Step::RefundLines(lines) => ("orderRefund", json!({ "lines": parts(lines), "reason": "sent back" })),
        Step::RefundAmount(cents) => {
            let amount = json!({ "amount": format!("{}.{:02}", cents / 100, cents % 100), "currencyCode": "EUR" });
            ("orderRefund", json!({ "amount": amount, "reason": "a scratch" }))
        }
    };
    let Value::Object(input) = input else { return None };
    Some((name, input))
}

fn parts(parts: &[Part]) -> Vec<Value> {
    parts.iter().map(|(line, quantity)| json!({ "line": line, "quantity": quantity })).collect()
}

/// An order out of the answer to [`LOOK`].
fn seen(order: &Value) -> Seen {
    let list = |name: &str| order.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let status = match order.get("status").and_then(Value::as_str).unwrap_or_default() {
        "CONFIRMED" => Status::Confirmed,
        "SHIPPED" => Status::Shipped,
        "DELIVERED" => Status::Delivered,
        "CANCELLED" => Status::Cancelled,
        _ => Status::Placed,
    };
    Seen {
        status,
        is_declined: order.get("paymentStatus").is_some_and(|status| status == "DECLINED"),
        lines: list("lines").iter().map(|line| (number(line, "index"), number(line, "quantity"))).collect(),
        shipments: list("shipments").len(),
        returns: list("returns").iter().map(|one| one.get("receivedAt").is_some_and(|at| !at.is_null())).collect(),
        refunds: list("refunds").len(),
        refunds_open: list("refunds").iter().filter(|one| one.get("status").is_some_and(|s| s == "REQUESTED")).count(),
        paid: cents(order, "/paid/amount"),
        refunded: cents(order, "/refunded/amount"),
        total: cents(order, "/total/amount"),
    }
}

fn number(value: &Value, field: &str) -> u32 {
    value.get(field).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// Euros with two digits behind the point, in cents.
fn cents(value: &Value, pointer: &str) -> i64 {
    let amount = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    amount.replace('.', "").parse().unwrap_or(0)
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
